"""Whether many agents are one: herding, correlation of actions, effective number of agents, crowded stops.

Actions are float64[T, N]: what each of N agents did, or by how much its position changed, in each of T intervals.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from mycelial.domain.errors import DataError
from mycelial.facts.panel import Floats


def lsv_herding(buyers: Floats, sellers: Floats, expected: float | None = None, least: int = 2) -> float:
    """Return how much more than chance agents are on one side: mean of ``|b/(b+s) - E| - AF``; 0 for independent ones.

    AF is the mean of the first term if each of the b + s traders bought with probability E by itself.

    Parameters
    ----------
    buyers, sellers : how many bought and sold, by interval (or instrument and interval).
    expected : E, by default the share of buyers in all.
    least : intervals with fewer traders are left out.

    References
    ----------
    Lakonishok, Shleifer and Vishny (1992), Journal of Financial Economics 32, 23-43.
    """
    b = np.asarray(buyers, dtype=np.int64).ravel()
    n = b + np.asarray(sellers, dtype=np.int64).ravel()
    if (b < 0).any() or (n < b).any():
        raise DataError("numbers of buyers and sellers must not be negative")
    b, n = b[n >= least], n[n >= least]
    if b.size == 0:
        return float("nan")
    share = float(b.sum() / n.sum()) if expected is None else expected
    by_chance = {int(size): _absolute_deviation(int(size), share) for size in np.unique(n)}
    chance = np.array([by_chance[int(size)] for size in n])
    return float((np.abs(b / n - share) - chance).mean())


def action_correlation(actions: Floats) -> Floats:
    """Return the correlation matrix of the agents that act at all: float64[M, M], M <= N."""
    a = np.asarray(actions, dtype=np.float64)
    if a.ndim != 2 or a.shape[0] < 3:
        raise DataError(f"actions of shape {a.shape}; give at least 3 intervals by agents")
    a = a[:, a.max(axis=0) > a.min(axis=0)]
    if a.shape[1] == 0:
        return np.empty((0, 0))
    z = a - a.mean(axis=0)
    z /= np.sqrt((z**2).sum(axis=0))
    return np.asarray(z.T @ z, dtype=np.float64)


def mean_pairwise_correlation(actions: Floats) -> float:
    """Return the mean correlation of two different agents' actions; NaN with fewer than two that act."""
    c = action_correlation(actions)
    m = c.shape[0]
    return float((c.sum() - np.trace(c)) / (m * (m - 1))) if m > 1 else float("nan")


def effective_agents(actions: Floats, *, adjusted: bool = False) -> float:
    """Return the effective number of independent agents: ``(sum of eigenvalues)^2 / sum of their squares``.

    N if all act independently, 1 if all do the same. Over few intervals chance alone correlates agents (T independent
    intervals give about N / (1 + N/T)); `adjusted` takes that out.

    References
    ----------
    Participation ratio of the correlation matrix: safety specification §5.5.
    """
    c = action_correlation(actions)
    m, intervals = c.shape[0], np.shape(actions)[0]
    if m == 0:
        return float("nan")
    # the sum of eigenvalues is the trace, the sum of their squares that of all squared entries
    off = float((c**2).sum()) - m
    if adjusted:
        pairs = m * (m - 1)
        off = max(0.0, ((intervals - 1) * off - pairs) / (intervals - 2))
    return m**2 / (m + off)


def gross_to_net(positions: Floats) -> float:
    """Return gross over net exposure, averaged over intervals in which anything is held; large when agents offset.

    Parameters
    ----------
    positions : float64[T, N] or float64[N], valued in one currency. Infinite where net exposure is zero.
    """
    x = np.atleast_2d(np.asarray(positions, dtype=np.float64))
    gross, net = np.abs(x).sum(axis=1), np.abs(x.sum(axis=1))
    held = gross > 0
    with np.errstate(divide="ignore"):
        return float((gross[held] / net[held]).mean()) if held.any() else float("nan")


def liquidation_overlap(stop_price: Floats, width: float) -> float:
    """Return the largest share of agents whose stop levels lie within one band of `width` (one sigma, say)."""
    stops = np.sort(np.asarray(stop_price, dtype=np.float64))
    stops = stops[np.isfinite(stops)]
    if stops.size == 0:
        return float("nan")
    reach = np.searchsorted(stops, stops + width, side="right") - np.arange(stops.size)
    return float(reach.max() / stops.size)


def liquidation_reach(stop_price: Floats, price: float, width: float) -> float:
    """Return the share of agents whose stop levels lie no further than `width` from the present price."""
    stops = np.asarray(stop_price, dtype=np.float64)
    stops = stops[np.isfinite(stops)]
    return float((np.abs(stops - price) <= width).mean()) if stops.size else float("nan")


def withdrawal_correlation(depth: Floats) -> float:
    """Return how much suppliers of depth withdraw together: mean correlation of falls in depth, float64[T, N] in."""
    return mean_pairwise_correlation(np.minimum(np.diff(np.asarray(depth, dtype=np.float64), axis=0), 0.0))


def _absolute_deviation(n: int, share: float) -> float:
    """Return E|b/n - share| for b binomial(n, share)."""
    b = np.arange(n + 1)
    return float((binom.pmf(b, n, share) * np.abs(b / n - share)).sum())
