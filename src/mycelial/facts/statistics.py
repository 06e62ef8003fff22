"""The statistics of the figures, by key: what each is, and its sample from a panel.

Keys: ``returns``; ``vol_p``; ``corr_r_p``, ``corr_volume_p``, ``corr_vol_p`` (volatility of window p against itself one
window earlier), ``corr_abs_r_p`` (absolute value of corr_p(|r|)); ``blend_p_d`` (returns). Windows in days.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from mycelial.domain.errors import DataError
from mycelial.facts.correlation import lagged_correlation, window_correlation
from mycelial.facts.panel import Floats, Panel
from mycelial.facts.returns import log_returns
from mycelial.facts.volatility import volatility

WEEK, TWO_WEEKS, THREE_WEEKS, MONTH, QUARTER, YEAR = 5, 10, 15, 21, 63, 252
WINDOWS = (TWO_WEEKS, QUARTER, YEAR)
BLEND_DELAYS = MappingProxyType(
    {
        WEEK: (1, 2, 3, 4, 5),
        TWO_WEEKS: (2, 4, 6, 8, 10),
        THREE_WEEKS: (3, 6, 9, 12, 15),
        MONTH: (4, 8, 12, 16, 21),
    }
)

Family = Literal["returns", "vol", "corr_r", "corr_volume", "corr_vol", "corr_abs_r", "blend"]


@dataclass(frozen=True)
class Statistic:
    """One distribution to compare: a family, its window p and delay d in days, and the paper's figure (0: none)."""

    family: Family
    window: int = 0
    delay: int = 0
    figure: int = 0


def _catalogue() -> dict[str, Statistic]:
    found = {"returns": Statistic("returns", figure=7)}
    figures: tuple[tuple[Family, int], ...] = (
        ("vol", 8),
        ("corr_r", 9),
        ("corr_volume", 10),
        ("corr_vol", 11),
        ("corr_abs_r", 0),
    )
    for family, figure in figures:
        found |= {f"{family}_{p}": Statistic(family, p, p, figure) for p in WINDOWS}
    for p, delays in BLEND_DELAYS.items():
        for d in delays:
            figure = {TWO_WEEKS: 13, MONTH: 14}.get(p, 12 if (p, d) in {(WEEK, 1), (WEEK, 2), (WEEK, 5)} else 0)
            found[f"blend_{p}_{d}"] = Statistic("blend", p, d, figure)
    return found


STATISTICS = MappingProxyType(_catalogue())
DISTANCE_KEYS = tuple(key for key, statistic in STATISTICS.items() if statistic.figure)


def samples(panel: Panel, keys: Iterable[str] = DISTANCE_KEYS, *, with_zeros: bool = False) -> dict[str, Floats]:
    """Return the sample of each statistic, one row per series.

    Parameters
    ----------
    keys : names out of `STATISTICS`.
    with_zeros : keep the reference program's artificial zeros (before the first full window, and for windows without
        variance) instead of leaving them out.

    Returns
    -------
    dict of float64[n_series, n]
        NaN marks windows in which a correlation is undefined; n is 0 when the panel is too short.
    """
    r = log_returns(panel.price)
    volatilities: dict[int, Floats] = {}

    def vol(window: int) -> Floats:
        if window not in volatilities:
            volatilities[window] = volatility(panel.price, window, with_zeros=with_zeros)
        return volatilities[window]

    def sample(key: str) -> Floats:
        if key not in STATISTICS:
            raise DataError(f"there is no statistic {key!r}; known: {', '.join(STATISTICS)}")
        statistic = STATISTICS[key]
        p = statistic.window
        match statistic.family:
            case "returns":
                return r
            case "vol":
                return vol(p)
            case "corr_r":
                return window_correlation(r, p, with_zeros=with_zeros)
            case "corr_volume":
                return window_correlation(panel.volume, p, with_zeros=with_zeros)
            case "corr_vol":
                return window_correlation(vol(p), p, with_zeros=with_zeros)
            case "corr_abs_r":
                return np.abs(window_correlation(np.abs(r), p, with_zeros=with_zeros))
            case "blend":
                return lagged_correlation(r, p, statistic.delay, with_zeros=with_zeros)

    return {key: sample(key) for key in keys}


def pooled(rows: Floats) -> Floats:
    """Return the defined values of all series, sorted ascending."""
    flat = rows[np.isfinite(rows)]
    flat.sort()
    return flat
