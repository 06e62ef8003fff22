"""What a point is worth: simulate, measure against the fit coins, add up. Lower is better; 1 is real against real.

Every point sees the same seeds (common random numbers), so points differ by their parameters only. A model that breaks
down is worth `FAILED` and says why; it never stops a search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import blake2b
from typing import Literal

import numpy as np

from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.domain.errors import ConfigError, DataError
from mycelial.facts.checklist import (
    ACF_ABS_R_TOLERANCE,
    ACF_R_TOLERANCE,
    ACF_VOLUME_LEAST,
    COIN_CORRELATION_TOLERANCE,
    HILL_RANGE,
    SKEW_SHARE_LEAST,
    UNCHANGED_MOST,
    check,
)
from mycelial.facts.compare import (
    CALIBRATION_FIGURES,
    PreparedStatistics,
    distances,
    normalised_distance,
    prepare,
    real_versus_real,
)
from mycelial.facts.distance import Distance
from mycelial.facts.panel import Panel
from mycelial.facts.statistics import DISTANCE_KEYS, STATISTICS
from mycelial.facts.summary import Summary, summarise
from mycelial.simulation.calibrate.space import Point, Space
from mycelial.simulation.calibrate.trial import State, Trial
from mycelial.simulation.run import simulate_world

FAILED = 1000.0  # worse than any market that trades
PENALTY_CAP = 25.0  # of one term, so that a single hopeless fact does not hide the others
_IDLE_SHARE = 0.9  # of days without volume: nobody trades
_HUGE = 1e9  # ratio of the highest to the lowest price of a coin: it explodes

Measure = Literal["w1", "ks"]


@dataclass(frozen=True)
class Rung:
    """How much is simulated before the next look: worlds of `assets` assets, one for each of the first `seeds` seeds.

    `agents_share` of the point's agents trade (1 = all).
    """

    assets: int
    seeds: int
    agents_share: float = 1.0

    def __post_init__(self) -> None:
        if self.assets < 1 or self.seeds < 1 or not 0 < self.agents_share <= 1:
            raise ConfigError(f"rung {self}: needs assets >= 1, seeds >= 1 and 0 < agents_share <= 1")


@dataclass(frozen=True)
class Worth:
    """The value of one world, its parts, and the reason when it broke down."""

    value: float
    terms: Mapping[str, float]
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Objective:
    """Everything needed to judge a point, in any process.

    Parameters
    ----------
    base : parameters outside of the space.
    space : what a point sets.
    real : the coins to resemble.
    seeds : world seeds; a rung uses the first few.
    rungs : from cheap to full.
    measure : distance of each statistic.
    penalty_weight : weight of the shape checks; 0 leaves them out.
    baseline_seed : seed of the splits that measure real against real.
    """

    base: SymbaParameters
    space: Space
    real: Panel
    seeds: tuple[int, ...]
    rungs: tuple[Rung, ...]
    measure: Measure = "w1"
    penalty_weight: float = 0.1
    baseline_seed: int = 0

    def __post_init__(self) -> None:
        most = max((rung.seeds for rung in self.rungs), default=0)
        if most < 1 or most > len(self.seeds):
            raise ConfigError(f"calibration: rungs ask for {most} seeds of {len(self.seeds)}; give at least as many")

    def __reduce__(self) -> tuple[type[Objective], tuple[object, ...]]:
        """Travel to other processes without what has been measured here."""
        return Objective, tuple(getattr(self, one.name) for one in fields(self))

    def judge(self, number: int, point: Point, bars: tuple[float, ...] = ()) -> Trial:
        """Try a point; give up after a rung whose value is above its bar (`bars[k]`, one per rung but the last)."""
        known: dict[tuple[Rung, int], Worth] = {}
        rungs: list[tuple[float, ...]] = []
        state: State = "complete"
        reason = ""
        found: list[Worth] = []
        for level, rung in enumerate(self.rungs):
            found = []
            for seed in self.seeds[: rung.seeds]:
                world = (Rung(rung.assets, 1, rung.agents_share), seed)
                if world not in known:
                    known[world] = self.worth(point, rung, seed)
                found.append(known[world])
                if found[-1].reason:
                    break  # one world that breaks down is enough
            rungs.append(tuple(one.value for one in found))
            if found[-1].reason:
                state, reason = "failed", found[-1].reason
                break
            if level < len(self.rungs) - 1 and level < len(bars) and float(np.mean(rungs[-1])) > bars[level]:
                state = "pruned"
                break
        value = FAILED if state == "failed" else float(np.mean(rungs[-1]))
        return Trial(number, point, state, value, tuple(rungs), _mean_terms(found), reason)

    def worth(self, point: Point, rung: Rung, seed: int) -> Worth:
        """Simulate one world and compare it with the real coins."""
        try:
            params = self.space.apply(self.base, point)
            params = params.replace(agents=max(2, round(params.agents * rung.agents_share)))
        except ConfigError as error:  # parameters that exclude each other
            return Worth(FAILED, {}, str(error))
        try:
            run = simulate_world(params, rung.assets, seed)
            return self.compare(run.panel())
        except DataError as error:
            return Worth(FAILED, {}, f"impossible prices: {error}")
        except (ArithmeticError, ValueError) as error:
            return Worth(FAILED, {}, f"{type(error).__name__}: {error}")

    def compare(self, simulated: Panel) -> Worth:
        """Return what a simulated panel is worth."""
        broken = breakdown(simulated)
        if broken:
            return Worth(FAILED, {}, broken)
        found = distances(simulated, self._statistics, self._keys)
        undefined = [key for key, one in found.items() if not math.isfinite(one.ks)]
        if undefined:
            return Worth(FAILED, {}, f"{', '.join(undefined)} undefined: prices or volumes stand still")
        summary = summarise(simulated)
        distance = normalised_distance(found, self._baseline, self.measure)
        excess = penalties(summary, self._summary)
        penalty = self.penalty_weight * sum(excess.values())
        checks = check(summary, self._summary, found, self._baseline)
        terms = {"distance": distance, "penalty": penalty}
        terms |= {f"figure_{n}": value for n, value in self._by_figure(found).items()}
        terms |= {f"penalty_{name}": value for name, value in excess.items()}
        terms |= {"checks_met": float(sum(one.passed for one in checks)), "checks": float(len(checks))}
        return Worth(min(distance + penalty, FAILED), terms)

    def left_out(self) -> tuple[str, ...]:
        """Return the statistics of figures 7 to 12 that the simulated or real series are too short for."""
        return tuple(key for key in _figure_keys() if key not in self._keys)

    def _by_figure(self, found: Mapping[str, Distance]) -> dict[int, float]:
        ratios: dict[int, list[float]] = {}
        for key, one in found.items():
            unit = getattr(self._baseline[key], self.measure)
            ratios.setdefault(STATISTICS[key].figure, []).append(getattr(one, self.measure) / unit)
        return {figure: float(np.mean(values)) for figure, values in sorted(ratios.items())}

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything that decides a trial: equal objectives give equal trials."""
        digest = blake2b(digest_size=16)
        plain = (self.base, self.space.to_dict(), self.seeds, self.rungs, self.measure, self.penalty_weight)
        digest.update(repr((plain, self.baseline_seed, self.real.names)).encode())
        digest.update(self.real.price.tobytes())
        digest.update(self.real.volume.tobytes())
        return digest.hexdigest()

    @cached_property
    def _statistics(self) -> PreparedStatistics:
        return prepare(self.real, _figure_keys())

    @cached_property
    def _summary(self) -> Summary:
        return summarise(self.real)

    @cached_property
    def _baseline(self) -> dict[str, Distance]:
        return real_versus_real(self.real, self.baseline_seed, names=_figure_keys())

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        """The statistics that real and simulated series are both long enough for."""
        days = self.base.days - self.base.learning_days
        short = self.real if days >= self.real.n_days else _first_days(self.real, days)
        measurable = prepare(short, _figure_keys()).sample
        keys = tuple(
            key for key, values in measurable.items() if values.size and getattr(self._baseline[key], self.measure) > 0
        )
        lacking = set(CALIBRATION_FIGURES) - {STATISTICS[key].figure for key in keys}
        if lacking:
            raise ConfigError(
                f"calibration: {days} days after learning, or {self.real.n_days} real ones, are too few to measure "
                f"figure(s) {', '.join(str(figure) for figure in sorted(lacking))}; simulate at least 100 more days"
            )
        return keys


def penalties(simulated: Summary, real: Summary) -> dict[str, float]:
    """Return, per shape check, the squared excess over its tolerance in units of the tolerance; 0 where it is met.

    A figure that is undefined costs as much as the worst.
    """
    skew, real_skew = simulated.returns.skew_median, real.returns.skew_median
    hill, unchanged = simulated.returns.hill, simulated.returns.unchanged
    sign = math.copysign(1.0, real_skew)
    excess = {
        "acf1_r": abs(simulated.acf_r[0] - real.acf_r[0]) / ACF_R_TOLERANCE - 1,
        "mean_acf_abs_r": abs(simulated.mean_acf_abs_r - real.mean_acf_abs_r) / ACF_ABS_R_TOLERANCE - 1,
        "acf1_volume": (ACF_VOLUME_LEAST - simulated.acf_volume[0]) / 0.1,
        "unchanged": (unchanged - UNCHANGED_MOST) / UNCHANGED_MOST,
        "hill": max(HILL_RANGE[0] - hill, hill - HILL_RANGE[1]) / (0.5 * (HILL_RANGE[1] - HILL_RANGE[0])),
        "skew_median": (SKEW_SHARE_LEAST * abs(real_skew) - sign * skew) / max(abs(real_skew), 0.1),
        "coin_correlation": abs(simulated.coin_correlation - real.coin_correlation) / COIN_CORRELATION_TOLERANCE - 1,
    }
    if simulated.n_series < 2:
        del excess["coin_correlation"]
    return {name: _squared(over) for name, over in excess.items()}


def breakdown(panel: Panel) -> str:
    """Return why a market is not one (exploding, nobody trades), or nothing."""
    high, low = panel.price.max(axis=1), panel.price.min(axis=1)
    if (high > _HUGE * low).any():
        return f"exploding: a price moved by a factor of {float((high / low).max()):.3g}"
    idle = (panel.volume <= 0).mean(axis=1)
    if (idle > _IDLE_SHARE).any():
        return f"no trade: a coin has no volume on {float(idle.max()):.0%} of days"
    return ""


def _squared(over: float) -> float:
    return PENALTY_CAP if math.isnan(over) else min(max(over, 0.0) ** 2, PENALTY_CAP)


def _figure_keys() -> tuple[str, ...]:
    return tuple(key for key in DISTANCE_KEYS if STATISTICS[key].figure in CALIBRATION_FIGURES)


def _first_days(panel: Panel, days: int) -> Panel:
    return Panel(panel.names, panel.price[:, :days], panel.volume[:, :days], panel.label)


def _mean_terms(found: list[Worth]) -> dict[str, float]:
    """Average the parts over the worlds that have them."""
    whole = [one.terms for one in found if one.terms]
    names = whole[0] if whole else {}
    return {name: float(np.mean([terms[name] for terms in whole])) for name in names}
