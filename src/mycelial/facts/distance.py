"""How far apart two samples are: two-sample Kolmogorov-Smirnov, Wasserstein-1, and a bootstrap over series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.facts.panel import Floats

GRID_POINTS = 2048  # pooled quantiles on which bootstrap replicates are compared
INTERVAL = (2.5, 97.5)  # percentiles of the reported interval


@dataclass(frozen=True)
class Distance:
    """Distance of two distributions.

    `ks` is the largest gap between the two cumulative distributions, in [0, 1]; `w1` the Wasserstein-1 distance in
    units of the statistic; `ci` a 95 % bootstrap interval of `ks`, if one was asked for.
    """

    ks: float
    w1: float
    ci: tuple[float, float] | None = None


def distance(a_sorted: Floats, b_sorted: Floats) -> Distance:
    """Return both distances of two samples sorted ascending; NaN when either is empty."""
    if not a_sorted.size or not b_sorted.size:
        return Distance(float("nan"), float("nan"))
    ks, w1 = _ks_and_w1(a_sorted, b_sorted)
    return Distance(float(ks), float(w1))


def bootstrap_interval(
    a_rows: Floats, b_rows: Floats, replicates: int, generator: np.random.Generator
) -> tuple[float, float]:
    """Return a 95 % percentile interval of the KS distance, resampling whole series on both sides.

    Days of one coin depend on each other, so coins are drawn with replacement and keep all their days. A KS distance
    cannot be negative, so intervals of near-equal samples sit above their point value: read the lower end as "at
    least". A side given as one row (a reference of quantiles) is not resampled.

    Parameters
    ----------
    a_rows, b_rows : float64[n_series, n]; NaN are left out.
    """
    a_pool, b_pool = a_rows[np.isfinite(a_rows)], b_rows[np.isfinite(b_rows)]
    if not a_pool.size or not b_pool.size:
        return float("nan"), float("nan")
    levels = np.linspace(0.0, 1.0, GRID_POINTS)
    grid = np.quantile(np.concatenate([a_pool, b_pool]), levels, method="inverted_cdf")
    gap = np.abs(
        _replicate_ecdfs(a_rows, grid, replicates, generator) - _replicate_ecdfs(b_rows, grid, replicates, generator)
    )
    low, high = np.nanpercentile(gap.max(axis=1), INTERVAL)
    return float(low), float(high)


def _replicate_ecdfs(rows: Floats, grid: Floats, replicates: int, generator: np.random.Generator) -> Floats:
    """Return float64[replicates, n_grid]: cumulative shares of series drawn with replacement."""
    n_series = rows.shape[0]
    below = np.empty((n_series, grid.size))
    size = np.empty(n_series)
    for s in range(n_series):
        values = np.sort(rows[s][np.isfinite(rows[s])])
        below[s] = np.searchsorted(values, grid, side="right")
        size[s] = values.size
    drawn: NDArray[np.int64] = generator.multinomial(n_series, np.full(n_series, 1.0 / n_series), size=replicates)
    weights = drawn.astype(np.float64)
    total = weights @ size
    return np.asarray((weights @ below) / np.where(total > 0, total, np.nan)[:, None], dtype=np.float64)


@njit(cache=True)
def _ks_and_w1(a: Floats, b: Floats) -> tuple[float, float]:
    """Walk two sorted samples once; ties move both cumulative distributions before they are compared."""
    i, j, ks, w1 = 0, 0, 0.0, 0.0
    here = min(a[0], b[0])
    while i < a.size or j < b.size:
        value = a[i] if j >= b.size or (i < a.size and a[i] <= b[j]) else b[j]
        gap = abs(i / a.size - j / b.size)
        w1 += gap * (value - here)
        here = value
        while i < a.size and a[i] == value:
            i += 1
        while j < b.size and b[j] == value:
            j += 1
        ks = max(ks, abs(i / a.size - j / b.size))
    return ks, w1
