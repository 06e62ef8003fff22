"""The receiver's own test: a merged candidate is tried on private scenarios before it is adopted.

Old and new policy meet the same scenarios, so that luck cancels; what counts is the lower confidence bound of the
paired difference. The error probability is spent over the life of the peer: test number t gets 6 alpha / (pi^2 t^2),
whose sum is alpha. Claims of the sender play no part.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Trial:
    """A policy on a panel of scenarios; the same scenarios in the same order for all that are compared.

    Parameters
    ----------
    returns : float64[s]
        Return on each scenario.
    is_stress : bool[s]
        Which of them are stress scenarios; the others are normal or recent.
    violations : int
        Breaches of the conduct rules over all scenarios.
    """

    returns: NDArray[np.float64]
    is_stress: NDArray[np.bool_]
    violations: int = 0


Evaluate = Callable[[Vector, int, bool], Trial]
"""Tries a vector on the panel with a given number, which rotates the panel; True asks for the full panel."""


class Verdict(StrEnum):
    """What the gate says, or why not."""

    ACCEPTED = "accepted"
    WORSE = "worse in normal scenarios"
    WORSE_UNDER_STRESS = "worse under stress"
    HEAVIER_TAIL = "heavier tail"
    VIOLATION = "violation"


@dataclass(frozen=True)
class GateSettings:
    """How much worse a candidate may be.

    Parameters
    ----------
    normal_margin, stress_margin, tail_margin : float
        In units of return.
    alpha : float
        Probability of ever accepting a candidate that is worse than the margins.
    tail_share : float
        The worst share of scenarios whose mean is the tail.
    full_every : int
        A full test on every so many candidates; the others are judged by their mean alone, on fewer scenarios.
    """

    normal_margin: float = 0.1
    stress_margin: float = 0.1
    tail_margin: float = 0.2
    alpha: float = 0.05
    tail_share: float = 0.05
    full_every: int = 5


def judge(old: Trial, new: Trial, test: int, settings: GateSettings | None = None, *, full: bool = True) -> Verdict:
    """Compare a candidate with the present policy.

    Parameters
    ----------
    old, new : Trial
        On the same scenarios.
    test : int
        Number of this test in the life of the peer, from 1; decides the confidence.
    settings : GateSettings, optional
    full : bool
        Whether the lower confidence bound is asked for, or only the mean.
    """
    settings = settings or GateSettings()
    if new.violations:
        return Verdict.VIOLATION
    gain = new.returns - old.returns
    if not np.isfinite(gain).all():
        return Verdict.WORSE
    alpha = 6.0 * settings.alpha / (math.pi**2 * test**2) if full else 0.5
    calm, stress = gain[~old.is_stress], gain[old.is_stress]
    if len(calm) and lower_bound(calm, alpha) < -settings.normal_margin:
        return Verdict.WORSE
    if len(stress) and lower_bound(stress, alpha) < -settings.stress_margin:
        return Verdict.WORSE_UNDER_STRESS
    share = settings.tail_share
    if tail_mean(new.returns, share) < tail_mean(old.returns, share) - settings.tail_margin:
        return Verdict.HEAVIER_TAIL
    return Verdict.ACCEPTED


def lower_bound(values: NDArray[np.float64], alpha: float) -> float:
    """Return the lower 1 - alpha confidence bound of the mean, by Student's t; the value itself if all are equal."""
    n = len(values)
    if n < 2:
        return float(values[0]) if n else -math.inf
    spread = float(np.std(values, ddof=1))
    return float(np.mean(values)) - float(student.ppf(1.0 - alpha, n - 1)) * spread / math.sqrt(n)


def tail_mean(values: NDArray[np.float64], share: float) -> float:
    """Return the mean of the worst `share` of values, at least one of them (CVaR)."""
    count = max(1, math.ceil(share * len(values)))
    return float(np.mean(np.sort(values)[:count]))


class Gate:
    """Judges candidates one after the other.

    Parameters
    ----------
    evaluate : callable
        (vector, panel number, full or cheap) to `Trial`. Private: nobody else knows its scenarios.
    settings : GateSettings, optional
    """

    def __init__(self, evaluate: Evaluate, settings: GateSettings | None = None) -> None:
        self._evaluate = evaluate
        self.settings = settings or GateSettings()
        self.tests = 0

    def choose(self, own: Vector, candidates: list[Vector]) -> tuple[int | None, list[Verdict]]:
        """Return the index of the first candidate that passes, and the verdict on each that was tried.

        All are tried on one panel, which is new at every call.
        """
        self.tests += 1
        full = self.tests % self.settings.full_every == 1 or self.settings.full_every == 1
        old = self._evaluate(own, self.tests, full)
        verdicts = []
        for index, candidate in enumerate(candidates):
            new = self._evaluate(candidate, self.tests, full)
            verdicts.append(judge(old, new, self.tests, self.settings, full=full))
            if verdicts[-1] is Verdict.ACCEPTED:
                return index, verdicts
        return None, verdicts
