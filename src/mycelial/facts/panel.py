"""A panel: daily closes and volumes of several coins over the same days.

The one input of every statistic in this package. Reading panels from files is `mycelial.adapters.data`'s work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import DataError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Panel:
    """Closes and volumes, checked once here and trusted everywhere else.

    Parameters
    ----------
    names : one name per series, e.g. ``ETHBTC``.
    price : float64[n_series, n_days], quote currency per unit, finite and > 0.
    volume : float64[n_series, n_days], base units per day, finite and >= 0.
    label : what the panel is called in tables and figures.
    group : the independent world (run) each series belongs to; None when all share one world.

    Raises
    ------
    DataError
        If shapes disagree, there are fewer than 2 days, or a value is impossible; the message names series and day.
    """

    names: tuple[str, ...]
    price: Floats
    volume: Floats
    label: str
    group: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for field in ("price", "volume"):
            object.__setattr__(self, field, np.ascontiguousarray(getattr(self, field), dtype=np.float64))
        self._check_shapes()
        self._check_values("price", ~(np.isfinite(self.price) & (self.price > 0)), "finite and above zero")
        self._check_values("volume", ~(np.isfinite(self.volume) & (self.volume >= 0)), "finite and not negative")

    @property
    def n_series(self) -> int:
        """Number of series."""
        return int(self.price.shape[0])

    @property
    def n_days(self) -> int:
        """Number of days of each series."""
        return int(self.price.shape[1])

    def groups(self) -> tuple[int, ...]:
        """Return the world of each series, 0 for all when no group was given."""
        return self.group if self.group is not None else (0,) * self.n_series

    def select(self, rows: NDArray[np.int64] | list[int], label: str | None = None) -> Panel:
        """Return the panel of the series at `rows`, in that order."""
        chosen = [int(row) for row in rows]
        return Panel(
            names=tuple(self.names[row] for row in chosen),
            price=self.price[chosen],
            volume=self.volume[chosen],
            label=self.label if label is None else label,
            group=None if self.group is None else tuple(self.group[row] for row in chosen),
        )

    def _check_shapes(self) -> None:
        if self.price.ndim != 2 or self.price.shape != self.volume.shape:
            raise DataError(
                f"panel {self.label!r}: price has shape {self.price.shape} and volume {self.volume.shape}; "
                "both must be [n_series, n_days]"
            )
        if self.n_series < 1 or self.n_days < 2:
            raise DataError(
                f"panel {self.label!r} has {self.n_series} series of {self.n_days} days; "
                "give at least one series and 2 days"
            )
        if len(self.names) != self.n_series:
            raise DataError(
                f"panel {self.label!r} has {len(self.names)} names for {self.n_series} series; give one name per series"
            )
        if self.group is not None and len(self.group) != self.n_series:
            raise DataError(
                f"panel {self.label!r} has {len(self.group)} group numbers for {self.n_series} series; "
                "give one per series or none"
            )

    def _check_values(self, field: str, wrong: NDArray[np.bool_], allowed: str) -> None:
        if not wrong.any():
            return
        series, day = (int(index) for index in np.argwhere(wrong)[0])
        value = getattr(self, field)[series, day]
        raise DataError(
            f"panel {self.label!r}: {field} of series {self.names[series]!r} on day {day} is {value}; "
            f"{field} must be {allowed}, so repair or drop this series"
        )
