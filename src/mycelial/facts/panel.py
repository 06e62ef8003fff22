"""A rectangular panel of daily prices and volumes: what every fact is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Panel:
    """Daily series of equal length, one row per series.

    `price` is in quote units, `volume` in base units, `group` names the independent world each series comes from.
    """

    names: tuple[str, ...]
    price: NDArray[np.float64]  # [n_series, n_days]
    volume: NDArray[np.float64]  # [n_series, n_days]
    label: str
    group: tuple[int, ...] | None = None
