"""Comparing runs that share their randomness: with and without a swarm, with and without an attack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mycelial.domain.errors import DataError
from mycelial.domain.seeds import generator
from mycelial.facts.panel import Floats


@dataclass(frozen=True, slots=True)
class Comparison:
    """A ratio or difference with its bootstrap interval.

    Parameters
    ----------
    low, high : ends of the 95 % interval.
    upper, lower : one-sided 95 % bounds; a bar "at most" is held against `upper`, one "at least" against `lower`.
    pairs : how many pairs of runs.
    """

    value: float
    low: float
    high: float
    upper: float
    lower: float
    pairs: int


def paired_ratio(with_it: Floats, without: Floats, *, seed: int = 0, resamples: int = 2_000) -> Comparison:
    """Return the ratio of means over pairs of runs with the same random numbers.

    Whole pairs are drawn again with replacement (percentile bootstrap).

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, ch. 13.
    """
    a, b = _pairs(with_it, without)
    if not b.mean() > 0:
        raise DataError(f"the mean without it is {b.mean():g}; a ratio needs one above zero, use paired_difference")
    chosen = _resamples(a.size, seed, resamples)
    below = b[chosen].mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = np.where(below > 0, a[chosen].mean(axis=1) / below, np.inf)
    return _comparison(float(a.mean() / b.mean()), drawn, a.size)


def paired_difference(with_it: Floats, without: Floats, *, seed: int = 0, resamples: int = 2_000) -> Comparison:
    """Return the mean difference over pairs of runs; see `paired_ratio`."""
    a, b = _pairs(with_it, without)
    d = a - b
    return _comparison(float(d.mean()), d[_resamples(d.size, seed, resamples)].mean(axis=1), d.size)


def _pairs(with_it: Floats, without: Floats) -> tuple[Floats, Floats]:
    a, b = np.asarray(with_it, dtype=np.float64), np.asarray(without, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise DataError(f"{a.size} runs with and {b.size} without; give one of each for every seed")
    if a.size < 2:
        raise DataError(f"{a.size} pair of runs has no spread; give at least 2 seeds")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise DataError("a run has a figure that is not finite; leave that pair out")
    return a, b


def _resamples(n: int, seed: int, resamples: int) -> np.ndarray:
    return generator(seed, "paired bootstrap").integers(0, n, size=(resamples, n))


def _comparison(value: float, drawn: Floats, pairs: int) -> Comparison:
    low, lower, upper, high = (float(q) for q in np.quantile(drawn, [0.025, 0.05, 0.95, 0.975]))
    return Comparison(value, low, high, upper, lower, pairs)
