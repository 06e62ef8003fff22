"""What a comparison of trading policies may claim: paired differences, corrections for having looked many times, tails.

Robust means and intervals are those of `lab.statistics`. For the selection among many configurations see Bailey and
Lopez de Prado 2014 (The deflated Sharpe ratio, J. Portfolio Management 40(5)).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from mycelial.domain.errors import DataError
from mycelial.domain.seeds import generator
from mycelial.lab.statistics import interval, iqm

Scores = NDArray[np.float64]
RESAMPLES = 2_000
_EULER = 0.5772156649015329


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside of the interval."""
        return self.low > 0.0 or self.high < 0.0

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class Difference:
    """A paired difference, its interval, and how likely so large a one is where there is none."""

    estimate: Estimate
    p_value: float
    p_adjusted: float = math.nan

    @property
    def is_gain(self) -> bool:
        """Whether the first is better: interval above zero, and significant after the correction where there is one."""
        p = self.p_value if math.isnan(self.p_adjusted) else self.p_adjusted
        return self.estimate.low > 0.0 and p < 0.05


def estimate(scores: Scores, *, seed: int = 0) -> Estimate:
    """Return the interquartile mean with its 95 % interval by a bootstrap stratified by task (rows)."""
    low, high = interval(scores, seed=seed)
    return Estimate(iqm(scores), low, high)


def paired(first: Scores, second: Scores, *, resamples: int = RESAMPLES, seed: int = 0) -> Difference:
    """Return how much better `first` is than `second`, run by run in the same worlds.

    The interval is a studentised bootstrap of the mean; the p-value comes from flipping signs, two-sided: exact as long
    as differences are symmetric about zero where there is no effect.
    """
    gain = (np.asarray(first, np.float64) - np.asarray(second, np.float64)).reshape(-1)
    if gain.size < 2:
        raise DataError("a paired difference needs at least two runs")
    rng = generator(seed, "inference", "signs")
    mean, spread = float(gain.mean()), float(gain.std(ddof=1)) / math.sqrt(gain.size)
    signs = rng.integers(0, 2, size=(resamples, gain.size)) * 2 - 1
    as_large = np.abs((signs * gain).mean(axis=1)) >= abs(mean) - 1e-12
    p_value = (1.0 + float(as_large.sum())) / (1.0 + resamples)
    if spread == 0.0:
        return Difference(Estimate(mean, mean, mean), 1.0 if mean == 0.0 else p_value)
    draws = gain[rng.integers(gain.size, size=(resamples, gain.size))]
    deviations = draws.std(axis=1, ddof=1) / math.sqrt(gain.size)
    pivots = (draws.mean(axis=1) - mean) / np.maximum(deviations, 1e-12 * spread)
    low, high = np.quantile(pivots, [0.025, 0.975])
    return Difference(Estimate(mean, mean - float(high) * spread, mean - float(low) * spread), p_value)


def holm(family: Mapping[str, Difference]) -> dict[str, Difference]:
    """Return the differences of a pre-registered family with p-values adjusted by Holm's step-down rule."""
    found: dict[str, Difference] = {}
    worst = 0.0
    for rank, name in enumerate(sorted(family, key=lambda name: family[name].p_value)):
        one = family[name]
        worst = max(worst, min(1.0, (len(family) - rank) * one.p_value))
        found[name] = Difference(one.estimate, one.p_value, worst)
    return {name: found[name] for name in family}


def tail_mean(values: Scores, share: float = 0.05) -> float:
    """Return the mean of the worst `share` of values, at least one of them: CVaR, where more is better."""
    ordered = np.sort(np.asarray(values, np.float64).reshape(-1))
    return float(ordered[: max(1, math.ceil(share * ordered.size))].mean())


def drawdown(values: Scores) -> Scores:
    """Return the largest fall from an earlier peak of every path ``[..., T]``, the start of 0 counted as one."""
    start = np.zeros((*np.shape(values)[:-1], 1))
    whole = np.concatenate([start, np.asarray(values, np.float64)], axis=-1)
    return np.asarray((np.maximum.accumulate(whole, axis=-1) - whole).max(axis=-1))


def sharpe(returns: Scores) -> float:
    """Return mean over standard deviation, of one period; 0 where nothing varies."""
    spread = float(np.std(returns, ddof=1)) if np.size(returns) > 1 else 0.0
    return float(np.mean(returns)) / spread if spread > 0.0 else 0.0


def deflated_sharpe(returns: Scores, trials: int, spread_of_trials: float) -> float:
    """Return the probability that the true Sharpe ratio exceeds what the best of `trials` would show by luck.

    Parameters
    ----------
    returns : float64[n]
        Of the configuration that was selected.
    trials : configurations tried.
    spread_of_trials : standard deviation of their Sharpe ratios.
    """
    values = np.asarray(returns, np.float64)
    found = sharpe(values)
    luck = 0.0
    if trials > 1:
        quantiles = norm.ppf([1.0 - 1.0 / trials, 1.0 - 1.0 / (trials * math.e)])
        luck = spread_of_trials * float((1.0 - _EULER) * quantiles[0] + _EULER * quantiles[1])
    centred = values - values.mean()
    spread = float(centred.std())
    if spread == 0.0:
        return 1.0 if float(values.mean()) > 0.0 else 0.0
    skew = float((centred**3).mean()) / spread**3
    kurtosis = float((centred**4).mean()) / spread**4
    variance = 1.0 - skew * found + 0.25 * (kurtosis - 1.0) * found**2
    return float(norm.cdf((found - luck) * math.sqrt(values.size - 1) / math.sqrt(max(variance, 1e-12))))
