"""What a finished search teaches: profiles, which parameters the data identify, and which matter.

A profile is the lower envelope of the objective over one parameter: the best any point achieved with the parameter in
a bin, whatever the others were. Where it does not rise by more than the noise of the seeds, the data do not tell the
values apart, and the parameter is called not identified. A bin counts as evidence only if enough points were tried in
it: a search that never looked there knows nothing.
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
ENOUGH_IN_BIN = 4  # points before a bin counts as evidence
CLEAR = 2.0  # a rise of this many noises is one
FREEDOM = 10  # complete trials beyond the coefficients of a fit

Verdict = Literal["identified", "bounded on one side", "not identified", "unknown"]


@dataclass(frozen=True)
class Bin:
    """One bin of a profile: its middle, how many points fell into it, and the best of them."""

    middle: Value
    points: int
    lowest: float


@dataclass(frozen=True)
class Profile:
    """How well one parameter is known.

    Parameters
    ----------
    best : its value at the best point.
    curvature : second derivative of a parabola through the profile, the parameter scaled to 0..1, per noise.
    plausible : lowest and highest middle of the bins within `CLEAR` noises of the best; None for switches.
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
    noise = seed_noise(trials)
    return [_profile(one, complete, noise) for one in space.dimensions]


def importances(space: Space, trials: Sequence[Trial]) -> dict[str, float]:
    """Return the share of the variance of the log objective that each parameter alone explains.

    The fall of R2 when the parameter is left out of an additive fit: a parabola for a number, a level for each choice
    of a switch. A fit, unlike counts of good points, is not misled by where the search chose to look. Empty when there
    are too few complete trials or all are worth the same.
    """
    complete = [one for one in trials if one.state == "complete"]
    columns = {one.name: _columns(one, [trial.point[one.name] for trial in complete]) for one in space.dimensions}
    width = 1 + sum(found.shape[1] for found in columns.values())
    value = np.log(np.maximum([one.value for one in complete], 1e-9))
    if len(complete) < width + FREEDOM or np.ptp(value) == 0:
        return {}
    whole = _r_squared(list(columns.values()), value)
    return {
        name: max(0.0, whole - _r_squared([found for other, found in columns.items() if other != name], value))
        for name in columns
    }


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


def _profile(dimension: Dimension, complete: Sequence[Trial], noise: float) -> Profile:
    count = len(dimension.values) or BINS
    at = np.array([position(dimension, one.point[dimension.name]) for one in complete])
    value = np.array([one.value for one in complete])
    index = np.minimum((at * count).astype(int), count - 1)
    members = [value[index == n] for n in range(count)]
    bins = tuple(
        Bin(dimension.at((n + 0.5) / count), int(found.size), float(found.min()) if found.size else math.nan)
        for n, found in enumerate(members)
    )
    best = int(np.argmin(value))
    return Profile(
        name=dimension.name,
        best=complete[best].point[dimension.name],
        bins=bins,
        curvature=_curvature(bins, noise),
        plausible=_plausible(bins, float(value[best]), noise) if dimension.is_numeric else None,
        verdict=_verdict(bins, int(index[best]), float(value[best]), noise),
        rank_correlation=_rank_correlation(at, value),
    )


def _verdict(bins: Sequence[Bin], home: int, lowest: float, noise: float) -> Verdict:
    """Ask on each side of the best bin whether a bin that was tried enough is clearly worse.

    A best bin at the border is bounded by the space, not by the data.
    """
    if not math.isfinite(noise):
        return "unknown"
    worse = [one.points >= ENOUGH_IN_BIN and one.lowest > lowest + CLEAR * noise for one in bins]
    sides = any(worse[:home]) + any(worse[home + 1 :])
    if sides == 2:
        return "identified"
    return "bounded on one side" if sides == 1 else "not identified"


def _plausible(bins: Sequence[Bin], lowest: float, noise: float) -> tuple[Value, Value] | None:
    near = [one.middle for one in bins if one.points and one.lowest <= lowest + CLEAR * noise]
    return (near[0], near[-1]) if near else None


def _curvature(bins: Sequence[Bin], noise: float) -> float:
    tried = [(n, one) for n, one in enumerate(bins) if one.points]
    if len(tried) < 3 or not noise > 0:
        return math.nan
    u = np.array([(n + 0.5) / len(bins) for n, _ in tried])
    weight = np.sqrt([float(one.points) for _, one in tried])
    parabola = np.polyfit(u, [one.lowest for _, one in tried], 2, w=weight)
    return float(2.0 * parabola[0] / noise)


def _rank_correlation(at: Floats, value: Floats) -> float:
    from scipy.stats import spearmanr

    if at.size < 3 or np.ptp(at) == 0 or np.ptp(value) == 0:
        return math.nan
    return float(spearmanr(at, value).statistic)
