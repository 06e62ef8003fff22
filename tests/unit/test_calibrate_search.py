"""The search proposes the same points whatever happened in between, and finds a minimum; analysis of what it found."""

from __future__ import annotations

import math
import os
import sys
from functools import partial
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from mycelial.domain.errors import MissingExtra, MycelialError
from mycelial.lab.executors import executor_named
from mycelial.simulation.calibrate.analysis import importances, profiles, seed_noise
from mycelial.simulation.calibrate.search import SearchPlan, bars, propose
from mycelial.simulation.calibrate.sensitivity import Claim, World, design, judge_claims
from mycelial.simulation.calibrate.space import Dimension, Space
from mycelial.simulation.calibrate.trial import Trial, ranked

SPACE = Space(
    "toy",
    (
        Dimension("quoting", 0.0, 1.0),
        Dimension("signal_error", 0.1, 10.0, log=True),
        Dimension("drawdown", 0, 100),
    ),
)
PLAN = SearchPlan(seed=4, batch=4, startup=16)


def judged(number: int, point: dict, seeds: int = 3) -> Trial:
    """A valley at quoting 0.3 and signal_error 1, flat in drawdown, with some noise of the seeds."""
    bowl = 20 * (point["quoting"] - 0.3) ** 2 + math.log10(point["signal_error"]) ** 2
    noise = np.random.default_rng(number).normal(0, 0.05, seeds)
    values = tuple(float(1 + bowl + x) for x in noise)
    return Trial(number, point, "complete", float(np.mean(values)), (values,))


def searched(trials: int, batch: int = PLAN.batch) -> list[Trial]:
    found: list[Trial] = []
    while len(found) < trials:
        points = propose(SPACE, PLAN, found, min(batch, trials - len(found)), None)
        found += [judged(len(found) + n, point) for n, point in enumerate(points)]
    return found


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    return searched(96)


def test_the_search_finds_the_bottom_of_a_valley(trials):
    best = ranked(trials)[0]

    assert best.point["quoting"] == pytest.approx(0.3, abs=0.1)
    assert abs(math.log10(best.point["signal_error"])) < 0.35
    early, late = (np.median([one.value for one in part]) for part in (trials[:16], trials[-32:]))
    assert late < early - 1


def test_points_depend_on_finished_batches_only(trials):
    again = [Trial.from_dict(one.to_dict()) for one in trials[:40]]

    whole = propose(SPACE, PLAN, again, 4, None)

    assert whole == [one.point for one in trials[40:44]]
    assert propose(SPACE, PLAN, again, 2, None) == whole[:2]


def test_the_first_point_opens_the_study_and_the_design_follows():
    first = {"quoting": 0.5, "signal_error": 1.0, "drawdown": 50}

    points = propose(SPACE, PLAN, [], 16, first)

    assert points[0] == first
    assert len({point["quoting"] for point in points}) == 16
    assert points[1:] == propose(SPACE, PLAN, [], 15, None)


def test_bars_are_a_quantile_of_earlier_cheap_values_and_wait_for_the_design():
    def cheap(number: int) -> Trial:
        return Trial(number, {}, "pruned", float(number), ((float(number),),))

    found = [cheap(n) for n in range(20)]

    assert bars(found[:15], 2, PLAN) == (math.inf,)
    assert bars(found, 2, PLAN) == (pytest.approx(0.4 * 19),)
    assert bars(found, 1, PLAN) == ()


def test_pruned_and_failed_trials_are_told_to_the_search_but_never_best(trials):
    pruned = Trial(96, trials[0].point, "pruned", 0.0, ((0.0,),))
    failed = Trial(97, trials[1].point, "failed", 1000.0, ((1000.0,),), reason="no trade")

    points = propose(SPACE, PLAN, [*trials, pruned, failed, trials[2], trials[3]], 4, None)

    assert len(points) == 4
    assert ranked([pruned, failed, trials[5]]) == [trials[5]]


def test_a_steep_parameter_is_identified_and_a_flat_one_is_not(trials):
    found = {one.name: one for one in profiles(SPACE, trials)}

    assert found["quoting"].verdict == "identified"
    assert found["drawdown"].verdict == "not identified"
    assert found["quoting"].curvature > 5 * abs(found["drawdown"].curvature)
    low, high = found["quoting"].plausible
    assert 0.1 < low <= 0.3 + 0.07
    assert high < 0.6


def test_without_a_second_seed_nothing_is_called_identified():
    lonely = [judged(n, one.point, seeds=1) for n, one in enumerate(searched(32))]

    assert math.isnan(seed_noise(lonely))
    assert {one.verdict for one in profiles(SPACE, lonely)} == {"unknown"}


def test_noise_leaves_out_what_a_seed_does_to_every_point():
    common = np.array([0.0, 5.0, -3.0])
    rows = [Trial(n, {}, "complete", float(n), (tuple(n + common),)) for n in range(6)]

    assert seed_noise(rows) == pytest.approx(0.0, abs=1e-12)


def test_what_matters_most_is_ranked_first_and_what_does_not_last(trials):
    found = importances(SPACE, trials)

    assert sorted(found, key=found.__getitem__, reverse=True) == ["quoting", "signal_error", "drawdown"]
    assert found["quoting"] > 0.2
    assert found["drawdown"] < 0.05
    assert importances(SPACE, trials[:16]) == {}


@pytest.mark.parametrize(
    ("expected", "slope", "verdict"),
    [
        ("fall", -1.0, "supported"),
        ("fall", 1.0, "contradicted"),
        ("rise", 1.0, "supported"),
        ("rise", 0.0, "undecided"),
    ],
)
def test_a_claim_is_judged_by_the_interval_of_its_slope(expected, slope, verdict):
    claims = (Claim("agents", "fluctuation", expected, (1.0, 2.0, 3.0, 4.0), "toy"),)
    worlds = design(range(6), claims)

    noise = np.random.default_rng(5).normal(0, 0.3, len(worlds))
    found = judge_claims(
        worlds, [_figures(10 + slope * w.level + x) for w, x in zip(worlds, noise, strict=True)], claims
    )

    assert found[0].verdict == verdict
    assert found[0].slope == pytest.approx(slope, abs=0.3)


def test_little_effect_means_a_small_change_not_an_uncertain_one():
    claims = (Claim("drawdown", "survival_pct", "little", (10.0, 90.0), "toy"),)
    worlds = [World(0, level, seed) for seed in range(5) for level in (10.0, 90.0)]

    small = judge_claims(worlds, [_figures(90 - w.level / 80) for w in worlds], claims)[0]
    unclear = judge_claims(worlds, [_figures(90 + (w.seed - 2) * w.level / 4) for w in worlds], claims)[0]

    assert small.verdict == "supported"
    assert small.change == pytest.approx(-1.0)
    assert unclear.verdict == "undecided"


def test_two_seeds_decide_nothing():
    claims = (Claim("agents", "fluctuation", "fall", (1.0, 2.0), "toy"),)
    worlds = design(range(2), claims)

    assert judge_claims(worlds, [_figures(5 - w.level) for w in worlds], claims)[0].verdict == "undecided"


def test_asking_for_ray_where_it_is_absent_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(MissingExtra, match=r"mycelial\[ray\]"):
        executor_named("ray", 2)


def test_ray_gives_the_results_in_order(monkeypatch):
    """A stand-in for the three calls we make of Ray; it finishes tasks only when asked for them."""
    ray = ModuleType("ray")
    ray.is_initialized = lambda: True
    ray.remote = lambda function: SimpleNamespace(remote=lambda item: partial(function, item))
    ray.get = lambda task: task()
    monkeypatch.setitem(sys.modules, "ray", ray)

    with executor_named("ray", 2) as executor:
        assert list(executor.map(abs, [-3, 2, -1])) == [3, 2, 1]


def test_a_pool_gives_the_results_in_order_and_reports_a_dead_worker():
    with executor_named("processes", 2) as executor:
        assert list(executor.map(abs, [-3, 2, -1, 0, -5])) == [3, 2, 1, 0, 5]
    with pytest.raises(MycelialError, match="a worker ended"), executor_named("processes", 2) as executor:
        list(executor.map(os._exit, [9]))


def _figures(value: float) -> dict[str, float]:
    return {"fluctuation": value, "absolute_return": value, "survival_pct": value}
