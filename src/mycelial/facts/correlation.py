"""corr_p and blend_{p,d}: a series correlated with its own past over moving windows that include both ends.

corr_p(x, t) is the Pearson correlation of x on [t-p, t] with x on [t-2p, t-p]; blend_{p,d} shifts by d days instead,
so that the two windows overlap. Source: L. Lussange et al., SYMBA; figures 9 to 14.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.facts.panel import Floats
from mycelial.facts.volatility import equal_run_lengths

_RENEW_BELOW = 1e-5  # as in volatility: renew running sums before rounding shows


def lagged_correlation(x: Floats, window: int, delay: int, *, with_zeros: bool = False) -> Floats:
    """Return blend_{p,d}(x, t) for p = `window`, d = `delay`; corr_p is the case d = p.

    Parameters
    ----------
    x : float64[n_series, n], finite.
    with_zeros : reproduce the reference program: 0 for t < p and for windows without variance, and indices before the
        start of the series read as its first value.

    Returns
    -------
    float64[n_series, n - window - delay]
        NaN where one of the two windows is constant. With zeros: float64[n_series, n] and no NaN.
    """
    n_series, n = x.shape
    if with_zeros:
        out = np.zeros((n_series, n))
        if n > window:
            padded = np.concatenate([np.repeat(x[:, :1], delay, axis=1), x], axis=1)
            out[:, window:] = np.nan_to_num(lagged_correlation(padded, window, delay), nan=0.0)
        return out
    defined = np.empty((n_series, max(n - window - delay, 0)))
    if defined.size:
        _lagged_correlation(np.ascontiguousarray(x), window, delay, np.empty(n, np.int64), defined)
    return defined


def window_correlation(x: Floats, window: int, *, with_zeros: bool = False) -> Floats:
    """Return corr_p(x, t): the last window against the window before it. See `lagged_correlation`."""
    return lagged_correlation(x, window, window, with_zeros=with_zeros)


@njit(cache=True)
def _lagged_correlation(x: Floats, window: int, delay: int, run: NDArray[np.int64], out: Floats) -> None:
    """Fill `out[s, i]` for the window ending at t = i + window + delay; `run` is a buffer int64[n].

    Sums over the new window (a) and the old one (b) run along with t, about shifts near their means.
    """
    points = window + 1
    for s in range(x.shape[0]):
        row = x[s]
        equal_run_lengths(row, run)
        renew = True
        a_shift, b_shift, a, b, aa, bb, ab, a_peak, b_peak = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(window + delay, row.size):
            i = t - window - delay
            if run[t] >= points or run[t - delay] >= points:
                out[s, i] = np.nan
                renew = True
                continue
            if not renew:
                a_in, a_out = row[t] - a_shift, row[t - points] - a_shift
                b_in, b_out = row[t - delay] - b_shift, row[t - points - delay] - b_shift
                a += a_in - a_out
                b += b_in - b_out
                aa += a_in * a_in - a_out * a_out
                bb += b_in * b_in - b_out * b_out
                ab += a_in * b_in - a_out * b_out
                a_peak, b_peak = max(a_peak, aa), max(b_peak, bb)
                renew = aa - a * a / points < _RENEW_BELOW * a_peak or bb - b * b / points < _RENEW_BELOW * b_peak
            if renew:
                a_shift = row[t - window : t + 1].sum() / points
                b_shift = row[t - window - delay : t - delay + 1].sum() / points
                a, b, aa, bb, ab = 0.0, 0.0, 0.0, 0.0, 0.0
                for u in range(t - window, t + 1):
                    a_value, b_value = row[u] - a_shift, row[u - delay] - b_shift
                    a += a_value
                    b += b_value
                    aa += a_value * a_value
                    bb += b_value * b_value
                    ab += a_value * b_value
                a_peak, b_peak, renew = aa, bb, False
            a_variance, b_variance = aa - a * a / points, bb - b * b / points
            if a_variance <= 0.0 or b_variance <= 0.0:
                out[s, i] = np.nan
            else:
                correlation = (ab - a * b / points) / (np.sqrt(a_variance) * np.sqrt(b_variance))
                out[s, i] = min(max(correlation, -1.0), 1.0)
