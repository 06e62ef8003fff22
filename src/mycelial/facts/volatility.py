"""vol_p(t): population standard deviation of the price over its mean, on windows that include both ends.

Source: L. Lussange et al., SYMBA; statistic vol_p of its figure 8.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.facts.panel import Floats

# A running sum of squares is renewed once the variance falls this far below the largest sum since the last renewal:
# below it, rounding left behind by the larger numbers would begin to show.
_RENEW_BELOW = 1e-5


def volatility(price: Floats, window: int, *, with_zeros: bool = False) -> Floats:
    """Return vol_p(t) = std(P on [t-p, t]) / mean(P on [t-p, t]) for p = `window` days.

    Parameters
    ----------
    price : float64[n_series, n_days], > 0.
    with_zeros : keep the reference program's artificial zeros for t < p.

    Returns
    -------
    float64[n_series, n_days - window], or float64[n_series, n_days] with zeros.
    """
    n_series, n_days = price.shape
    n_defined = max(n_days - window, 0)
    if with_zeros:
        out = np.zeros((n_series, n_days))
        if n_defined:
            out[:, window:] = volatility(price, window)
        return out
    defined = np.empty((n_series, n_defined))
    if n_defined:
        _volatility(np.ascontiguousarray(price), window, np.empty(n_days, np.int64), defined)
    return defined


@njit(cache=True)
def equal_run_lengths(row: Floats, run: NDArray[np.int64]) -> None:
    """Write into `run[t]` how many equal values end at t; a window of m points is constant iff run[t] >= m."""
    run[0] = 1
    for t in range(1, row.size):
        run[t] = run[t - 1] + 1 if row[t] == row[t - 1] else 1


@njit(cache=True)
def _volatility(price: Floats, window: int, run: NDArray[np.int64], out: Floats) -> None:
    """Fill `out[s, i]` for the window ending at t = i + window; `run` is a buffer int64[n_days]."""
    points = window + 1
    for s in range(price.shape[0]):
        row = price[s]
        equal_run_lengths(row, run)
        renew, shift, total, squares, peak = True, 0.0, 0.0, 0.0, 0.0
        for t in range(window, row.size):
            if run[t] >= points:
                out[s, t - window] = 0.0
                renew = True
                continue
            if not renew:
                entering, leaving = row[t] - shift, row[t - points] - shift
                total += entering - leaving
                squares += entering * entering - leaving * leaving
                peak = max(peak, squares)
                renew = squares - total * total / points < _RENEW_BELOW * peak
            if renew:
                shift = row[t - window : t + 1].sum() / points
                total, squares = 0.0, 0.0
                for u in range(t - window, t + 1):
                    deviation = row[u] - shift
                    total += deviation
                    squares += deviation * deviation
                peak, renew = squares, False
            variance = (squares - total * total / points) / points
            out[s, t - window] = np.sqrt(max(variance, 0.0)) / (shift + total / points)
