"""What a handful of seeds can tell: robust means, intervals, comparisons (Agarwal et al. 2021, arXiv:2108.13264).

Scores are arrays ``[tasks, seeds]``, higher is better. Every seed counts; nothing here picks the best of anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import DataError
from mycelial.domain.seeds import generator

Scores = NDArray[np.float64]
RESAMPLES = 2_000


def iqm(scores: Scores | Sequence[float]) -> float:
    """Return the interquartile mean: of the middle half, the two scores cut by its borders counted in part.

    >>> iqm([0.0, 1.0, 2.0, 30.0])
    1.5
    """
    ordered = np.sort(np.asarray(scores, np.float64), axis=None)
    if ordered.size == 0 or not np.isfinite(ordered).all():
        raise DataError("an interquartile mean needs finite scores")
    quarter = ordered.size / 4.0
    edges = np.arange(ordered.size + 1, dtype=np.float64)
    inside = np.clip(np.minimum(edges[1:], 3.0 * quarter) - np.maximum(edges[:-1], quarter), 0.0, None)
    return float((ordered * inside).sum() / inside.sum())


def interval(
    scores: Scores | Sequence[float],
    statistic: Callable[[Scores], float] = iqm,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the stratified bootstrap interval of a statistic: seeds are drawn anew within each task."""
    table = np.atleast_2d(np.asarray(scores, np.float64))
    rng = generator(seed, "statistics", "interval")
    found = []
    for _ in range(resamples):
        drawn = rng.integers(0, table.shape[1], table.shape)
        found.append(statistic(np.take_along_axis(table, drawn, 1)))
    low, high = np.quantile(found, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def paired_interval(
    ours: Scores | Sequence[float],
    theirs: Scores | Sequence[float],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return the mean paired difference and its bootstrap interval; seed by seed, equal seeds belong together."""
    difference = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    low, high = interval(difference, lambda drawn: float(drawn.mean()), level=level, resamples=resamples, seed=seed)
    return float(difference.mean()), low, high


def probability_of_improvement(ours: Scores | Sequence[float], theirs: Scores | Sequence[float]) -> float:
    """Return P(X > Y), ties counting half, averaged over tasks."""
    one, other = (np.atleast_2d(np.asarray(x, np.float64)) for x in (ours, theirs))
    if len(one) != len(other):
        raise DataError(f"scores of {len(one)} and of {len(other)} tasks cannot be compared")
    won = [np.mean((x[:, None] > y) + 0.5 * (x[:, None] == y)) for x, y in zip(one, other, strict=True)]
    return float(np.mean(won))


def performance_profile(scores: Scores | Sequence[float], thresholds: Scores) -> Scores:
    """Return the share of runs that score above each threshold."""
    flat = np.asarray(scores, np.float64).ravel()
    return (flat[:, None] > np.asarray(thresholds)).mean(0)


def normalised(scores: Scores | Sequence[float], random: float, ceiling: float) -> Scores:
    """Return scores where 0 is a random policy and 1 the stated ceiling."""
    return (np.asarray(scores, np.float64) - random) / (ceiling - random)


def sign_flip_p(ours: Scores | Sequence[float], theirs: Scores | Sequence[float], *, seed: int = 0) -> float:
    """Return the one-sided p-value that `ours` is no better, from a paired sign-flip test."""
    difference = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    rng = generator(seed, "statistics", "signs")
    flips = rng.choice([-1.0, 1.0], (10_000, difference.size))
    return float((1 + ((flips * difference).mean(1) >= difference.mean()).sum()) / 10_001)


def holm(p_values: Mapping[str, float], level: float = 0.05) -> dict[str, bool]:
    """Return which claims of a family hold at a joint level (Holm 1979)."""
    found = dict.fromkeys(p_values, False)
    for rank, name in enumerate(sorted(p_values, key=lambda one: p_values[one])):
        if p_values[name] > level / (len(p_values) - rank):
            break
        found[name] = True
    return found
