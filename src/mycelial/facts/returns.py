"""Daily returns and what they are distributed as: moments, tail index, unchanged closes, crashes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mycelial.facts.panel import Floats, Panel

TAIL_SHARE = 0.05  # largest |r| that the Hill index looks at
CRASH_DAYS = 5
CRASH_FALL = 0.20


@dataclass(frozen=True)
class ReturnFacts:
    """Moments of daily log returns; NaN where a figure is undefined (no variance).

    `std`, `skew`, `excess_kurtosis`, `hill` and `unchanged` pool all series; `skew_median` and
    `excess_kurtosis_median` are medians over series, which one wild coin cannot move.
    """

    n: int
    std: float
    skew: float
    excess_kurtosis: float
    hill: float
    unchanged: float
    skew_median: float
    excess_kurtosis_median: float


def log_returns(price: Floats) -> Floats:
    """Return r_t = ln(P_t / P_{t-1}), float64[n_series, n_days - 1]."""
    return np.asarray(np.diff(np.log(price), axis=1), dtype=np.float64)


def return_facts(panel: Panel) -> ReturnFacts:
    """Measure the returns of a panel."""
    r = log_returns(panel.price)
    skew, kurtosis = _skew_and_excess_kurtosis(r.reshape(1, -1))
    skews, kurtoses = _skew_and_excess_kurtosis(r)
    return ReturnFacts(
        n=int(r.size),
        std=float(r.std()),
        skew=float(skew[0]),
        excess_kurtosis=float(kurtosis[0]),
        hill=hill_index(np.abs(r).ravel()),
        unchanged=float((panel.price[:, 1:] == panel.price[:, :-1]).mean()),
        skew_median=_median(skews),
        excess_kurtosis_median=_median(kurtoses),
    )


def hill_index(magnitude: Floats, tail_share: float = TAIL_SHARE) -> float:
    """Return the Hill estimate of the tail exponent, 1 / mean(ln(a_(i) / a_(k+1))), i = 1..k.

    Parameters
    ----------
    magnitude : float64[n], non-negative, any order; k = floor(tail_share * n).

    Returns
    -------
    float
        NaN when the tail is empty, holds zeros, or is flat.

    References
    ----------
    B. M. Hill, "A simple general approach to inference about the tail of a distribution", Ann. Stat. 3(5), 1975.
    """
    k = int(tail_share * magnitude.size)
    if k < 1:
        return float("nan")
    top = np.partition(magnitude, magnitude.size - k - 1)[magnitude.size - k - 1 :]
    if top[0] <= 0:
        return float("nan")
    mean_log = float(np.log(top[1:] / top[0]).mean())
    return 1.0 / mean_log if mean_log > 0 else float("nan")


def crash_days(price: Floats, days: int = CRASH_DAYS, fall: float = CRASH_FALL) -> NDArray[np.bool_]:
    """Mark days on which the mean of the last `days` closes is at least `fall` below the mean of the `days` before.

    Returns
    -------
    bool[n_series, n_days]
        False for the first 2 * days - 1 days, which have no full comparison.
    """
    marked = np.zeros(price.shape, dtype=np.bool_)
    if price.shape[1] >= 2 * days:
        means = np.lib.stride_tricks.sliding_window_view(price, days, axis=1).mean(axis=2)
        marked[:, 2 * days - 1 :] = means[:, days:] / means[:, :-days] - 1.0 <= -fall
    return marked


def _skew_and_excess_kurtosis(rows: Floats) -> tuple[Floats, Floats]:
    deviation = rows - rows.mean(axis=1, keepdims=True)
    variance = (deviation**2).mean(axis=1)
    # A constant row has a variance of rounding size only; its moments mean nothing.
    variance = np.where(rows.max(axis=1) > rows.min(axis=1), variance, np.nan)
    skew = (deviation**3).mean(axis=1) / variance**1.5
    kurtosis = (deviation**4).mean(axis=1) / variance**2 - 3.0
    return skew, kurtosis


def _median(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")
