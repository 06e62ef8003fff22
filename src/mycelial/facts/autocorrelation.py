"""Memory and co-movement: autocorrelations of r, |r| and volume, leverage, and correlation between coins.

Every autocorrelation is the Pearson correlation of a series with its own past (each side about its own mean), averaged
over series. Series without variance are left out; a figure with no series left is NaN.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mycelial.facts.panel import Floats


def autocorrelation(x: Floats, n_lags: int) -> Floats:
    """Return the mean over series of corr(x_t, x_{t+k}), k = 1..n_lags.

    Parameters
    ----------
    x : float64[n_series, n].

    Returns
    -------
    float64[n_lags], NaN for lags longer than the series allows.
    """
    return lead_correlation(x, x, n_lags)


def leverage(r: Floats, n_lags: int = 10) -> Floats:
    """Return the mean over series of corr(r_t, |r_{t+k}|), k = 1..n_lags; negative when losses raise volatility."""
    return lead_correlation(r, np.abs(r), n_lags)


def lead_correlation(x: Floats, y: Floats, n_lags: int) -> Floats:
    """Return the mean over series of corr(x_t, y_{t+k}), k = 1..n_lags; x and y are float64[n_series, n]."""
    out = np.full(n_lags, np.nan)
    for k in range(1, min(n_lags, x.shape[1] - 2) + 1):
        out[k - 1] = _mean_of_finite(_lead_correlation(np.ascontiguousarray(x), np.ascontiguousarray(y), k))
    return out


def coin_correlation(r: Floats, group: tuple[int, ...]) -> float:
    """Return the mean correlation of returns over all pairs of coins that share a world.

    Parameters
    ----------
    r : float64[n_series, n].
    group : the world of each series; pairs across worlds are independent by construction and do not count.
    """
    z = _standardised(r)
    usable = np.isfinite(z).all(axis=1)
    total, pairs = 0.0, 0
    for world in sorted(set(group)):
        members = z[usable & (np.asarray(group) == world)]
        n = members.shape[0]
        # sum over i != j of mean(z_i z_j) = mean over days of (sum of z)^2, less the n terms i = j, each 1
        total += (float((members.sum(axis=0) ** 2).mean()) - n) / 2 if n > 1 else 0.0
        pairs += n * (n - 1) // 2
    return total / pairs if pairs else float("nan")


@njit(cache=True)
def _lead_correlation(x: Floats, y: Floats, k: int) -> Floats:
    """Return corr(x_t, y_{t+k}) of each row, NaN where a side is constant; two passes, so safe from cancellation."""
    out = np.full(x.shape[0], np.nan)
    n = x.shape[1] - k
    for s in range(x.shape[0]):
        early, late = x[s, :n], y[s, k:]
        if early.max() == early.min() or late.max() == late.min():
            continue
        early_mean, late_mean = early.sum() / n, late.sum() / n
        xx, yy, xy = 0.0, 0.0, 0.0
        for t in range(n):
            a, b = early[t] - early_mean, late[t] - late_mean
            xx += a * a
            yy += b * b
            xy += a * b
        if xx > 0.0 and yy > 0.0:
            out[s] = xy / (np.sqrt(xx) * np.sqrt(yy))
    return out


def _standardised(x: Floats) -> Floats:
    deviation = x - x.mean(axis=1, keepdims=True)
    std = np.sqrt((deviation**2).mean(axis=1, keepdims=True))
    varies = (x.max(axis=1, keepdims=True) > x.min(axis=1, keepdims=True)) & (std > 0)
    return np.asarray(deviation / np.where(varies, std, np.nan), dtype=np.float64)


def _mean_of_finite(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
