"""What a finished search teaches: profiles, which parameters the data identify, and which matter.

A profile is the lower envelope of the objective over one parameter: the best any point achieved with the parameter in
a bin, whatever the others were. Where the search looked little, the others were not at their best either; so verdicts
rest on adjusted values: the log objective less what an additive fit gives to the other parameters. A parameter is
identified when bins on both sides of the best one are clearly worse than it, given the scatter of the points and the
noise of the seeds. A bin that was hardly tried is no evidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from mycelial.facts.panel import Floats
from mycelial.simulation.calibrate.space import Dimension, Space, Value
from mycelial.simulation.calibrate.trial import Trial

BINS = 8
ENOUGH_IN_BIN = 3  # points before a bin counts as evidence
CLEAR = 2.0  # a rise of this many noises is one
FREEDOM = 10  # complete trials beyond the coefficients of a fit

Verdict = Literal["identified", "bounded on one side", "not identified", "unknown"]


@dataclass(frozen=True)
class Bin:
    """One bin of a profile: its middle, how many points fell into it, and the best of them.

    `adjusted` is the mean log objective with the effect of the other parameters taken out, above the lowest such mean;
    `error` its standard error. NaN where unknown.
    """

    middle: Value
    points: int
    lowest: float
    adjusted: float
    error: float


@dataclass(frozen=True)
class Profile:
    """How well one parameter is known.

    Parameters
    ----------
    best : its value at the best point.
    curvature : second derivative of the fitted log objective, the parameter scaled to 0..1, per relative noise.
    plausible : middles of the outermost bins before one that is clearly worse than the best; None for switches.
    """

    name: str
    best: Value
    bins: tuple[Bin, ...]
    curvature: float
    plausible: tuple[Value, Value] | None
    verdict: Verdict
    rank_correlation: float

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as a document."""
        return asdict(self)


def seed_noise(trials: Sequence[Trial]) -> float:
    """Return the standard error of the difference of two points, from the seeds of the better half; NaN if unknown.

    All points share their seeds, so what a seed does to every point is no noise and is taken out.
    """
    complete = sorted((one for one in trials if one.state == "complete"), key=lambda one: one.value)
    better = complete[: max(4, len(complete) // 2)]
    rows = [one.rungs[-1] for one in better]
    if len(rows) < 2 or len(rows[0]) < 2:
        return math.nan
    values = np.array(rows)
    points, seeds = values.shape
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True) + values.mean()
    variance = float((rest**2).sum()) / ((points - 1) * (seeds - 1))
    return math.sqrt(2.0 * variance / seeds)


def profiles(space: Space, trials: Sequence[Trial]) -> list[Profile]:
    """Return the profile of each dimension over the complete trials; empty if there are none."""
    complete = [one for one in trials if one.state == "complete"]
    if not complete:
        return []
    lowest = min(one.value for one in complete)
    noise = seed_noise(trials) / lowest if lowest > 0 else math.nan
    fit = _Fit.of(space, complete)
    return [_profile(one, complete, fit, noise) for one in space.dimensions]


def importances(space: Space, trials: Sequence[Trial]) -> dict[str, float]:
    """Return the share of the variance of the log objective that each parameter alone explains.

    The fall of R2 when the parameter is left out of an additive fit: a parabola for a number, a level for each choice
    of a switch. A fit, unlike counts of good points, is not misled by where the search chose to look. Empty when there
    are too few complete trials or all are worth the same.
    """
    complete = [one for one in trials if one.state == "complete"]
    fit = _Fit.of(space, complete)
    if fit is None:
        return {}
    whole = _r_squared(list(fit.columns.values()), fit.value)
    return {
        name: max(0.0, whole - _r_squared([found for other, found in fit.columns.items() if other != name], fit.value))
        for name in fit.columns
    }


@dataclass(frozen=True, eq=False)
class _Fit:
    """The log objective as a sum of one curve per parameter."""

    value: Floats  # log objective of each trial
    columns: dict[str, Floats]
    coefficients: dict[str, Floats]
    rest: Floats  # what the fit leaves
    scatter: float  # its standard deviation

    @classmethod
    def of(cls, space: Space, complete: Sequence[Trial]) -> _Fit | None:
        """Fit, or return None for too few trials or all of the same worth."""
        columns = {one.name: _columns(one, [trial.point[one.name] for trial in complete]) for one in space.dimensions}
        width = 1 + sum(found.shape[1] for found in columns.values())
        value = np.log(np.maximum([one.value for one in complete], 1e-9))
        if len(complete) < width + FREEDOM or np.ptp(value) == 0:
            return None
        design = np.concatenate([np.ones((value.size, 1)), *columns.values()], axis=1)
        found = np.linalg.lstsq(design, value, rcond=None)[0]
        rest = value - design @ found
        coefficients, start = {}, 1
        for name, own in columns.items():
            coefficients[name] = found[start : start + own.shape[1]]
            start += own.shape[1]
        return cls(value, columns, coefficients, rest, math.sqrt(float((rest**2).sum()) / (value.size - width)))


def _columns(dimension: Dimension, values: Sequence[Value]) -> Floats:
    if dimension.is_numeric:
        u = np.array([position(dimension, value) for value in values]) - 0.5
        return np.stack([u, u**2], axis=1) if len(values) else np.empty((0, 2))
    choices = dimension.values[1:]
    return np.array([[float(value == choice) for choice in choices] for value in values]).reshape(-1, len(choices))


def _r_squared(columns: Sequence[Floats], value: Floats) -> float:
    design = np.concatenate([np.ones((value.size, 1)), *columns], axis=1)
    fitted = design @ np.linalg.lstsq(design, value, rcond=None)[0]
    return 1.0 - float(((value - fitted) ** 2).sum() / ((value - value.mean()) ** 2).sum())


def position(dimension: Dimension, value: Value) -> float:
    """Return where a value lies in its dimension, 0..1: the inverse of `Dimension.at`."""
    if dimension.values:
        return (dimension.values.index(value) + 0.5) / len(dimension.values)
    number = float(value)
    if dimension.log:
        return (math.log(number) - math.log(dimension.low)) / (math.log(dimension.high) - math.log(dimension.low))
    return (number - dimension.low) / (dimension.high - dimension.low)


def _profile(dimension: Dimension, complete: Sequence[Trial], fit: _Fit | None, noise: float) -> Profile:
    at = np.array([position(dimension, one.point[dimension.name]) for one in complete])
    value = np.array([one.value for one in complete])
    bins = _bins(dimension, at, value, fit)
    curved = fit is not None and dimension.is_numeric and noise > 0
    return Profile(
        name=dimension.name,
        best=complete[int(np.argmin(value))].point[dimension.name],
        bins=bins,
        curvature=float(2.0 * fit.coefficients[dimension.name][1] / noise) if curved and fit else math.nan,
        plausible=_plausible(bins, noise) if dimension.is_numeric else None,
        verdict=_verdict(bins, noise),
        rank_correlation=_rank_correlation(at, value),
    )


def _bins(dimension: Dimension, at: Floats, value: Floats, fit: _Fit | None) -> tuple[Bin, ...]:
    count = len(dimension.values) or BINS
    index = np.minimum((at * count).astype(int), count - 1)
    adjusted = np.full(count, math.nan)
    sizes = np.bincount(index, minlength=count)
    scatter = math.nan
    if fit is not None:
        scatter = fit.scatter
        own = fit.rest + fit.columns[dimension.name] @ fit.coefficients[dimension.name]
        adjusted = np.array([own[index == n].mean() if sizes[n] else math.nan for n in range(count)])
        evidence = sizes >= ENOUGH_IN_BIN
        adjusted -= np.nanmin(adjusted[evidence]) if evidence.any() else np.nanmin(adjusted)
    return tuple(
        Bin(
            middle=dimension.at((n + 0.5) / count),
            points=int(sizes[n]),
            lowest=float(value[index == n].min()) if sizes[n] else math.nan,
            adjusted=float(adjusted[n]),
            error=scatter / math.sqrt(sizes[n]) if sizes[n] else math.nan,
        )
        for n in range(count)
    )


def _home(bins: Sequence[Bin]) -> int | None:
    """Return the best bin among those that are evidence."""
    evidence = [n for n, one in enumerate(bins) if one.points >= ENOUGH_IN_BIN and math.isfinite(one.adjusted)]
    return min(evidence, key=lambda n: bins[n].adjusted) if evidence else None


def _is_worse(one: Bin, best: Bin, noise: float) -> bool:
    clear = CLEAR * max(math.hypot(one.error, best.error), noise)
    return one.points >= ENOUGH_IN_BIN and one.adjusted - best.adjusted > clear


def _verdict(bins: Sequence[Bin], noise: float) -> Verdict:
    """Ask on each side of the best bin whether one is clearly worse; at the border the space bounds, not the data."""
    home = _home(bins)
    if home is None or not math.isfinite(noise):
        return "unknown"
    worse = [_is_worse(one, bins[home], noise) for one in bins]
    sides = any(worse[:home]) + any(worse[home + 1 :])
    if sides == 2:
        return "identified"
    return "bounded on one side" if sides == 1 else "not identified"


def _plausible(bins: Sequence[Bin], noise: float) -> tuple[Value, Value] | None:
    home = _home(bins)
    if home is None or not math.isfinite(noise):
        return None
    first = last = home  # reach out until a bin is clearly worse
    while first > 0 and not _is_worse(bins[first - 1], bins[home], noise):
        first -= 1
    while last < len(bins) - 1 and not _is_worse(bins[last + 1], bins[home], noise):
        last += 1
    return bins[first].middle, bins[last].middle


def _rank_correlation(at: Floats, value: Floats) -> float:
    from scipy.stats import spearmanr

    if at.size < 3 or np.ptp(at) == 0 or np.ptp(value) == 0:
        return math.nan
    return float(spearmanr(at, value).statistic)
