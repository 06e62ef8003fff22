"""Herding and monoculture, on crowds whose answer is known; and the comparison of paired runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.domain.errors import DataError
from mycelial.domain.seeds import generator
from mycelial.facts.stability import (
    action_correlation,
    effective_agents,
    gross_to_net,
    liquidation_overlap,
    liquidation_reach,
    lsv_herding,
    mean_pairwise_correlation,
    paired_difference,
    paired_ratio,
    withdrawal_correlation,
)


def crowd(correlation: float, intervals: int = 4_000, agents: int = 20) -> np.ndarray:
    """Actions in which any two agents correlate equally."""
    rng = generator(1, "crowd", str(correlation), agents)
    common = rng.normal(size=(intervals, 1))
    own = rng.normal(size=(intervals, agents))
    return math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own


# ------------------------------------------------------------------------------------------------------------ herding


def test_independent_traders_do_not_herd():
    rng = generator(2, "lsv")
    traders = rng.integers(2, 30, 5_000)
    buyers = rng.binomial(traders, 0.6)

    assert lsv_herding(buyers, traders - buyers) == pytest.approx(0.0, abs=0.01)


def test_a_crowd_that_leans_together_herds_by_as_much():
    """In each interval all buy with probability 0.5 + 0.2 or 0.5 - 0.2: for many traders H tends to 0.2."""
    rng = generator(3, "lsv")
    lean = 0.5 + 0.2 * rng.choice([-1, 1], 4_000)
    buyers = rng.binomial(2_000, lean)

    assert lsv_herding(buyers, 2_000 - buyers, expected=0.5) == pytest.approx(
        0.2 - math.sqrt(0.5 / math.pi / 2_000), abs=0.005
    )


def test_herding_by_hand():
    # two traders, E = 1/2: |b/n - E| is 1/2, 0, 1/2 with chance 1/4, 1/2, 1/4, so AF = 1/4
    assert lsv_herding(np.array([2, 0]), np.array([0, 2])) == pytest.approx(0.5 - 0.25)
    assert lsv_herding(np.array([1, 1]), np.array([1, 1])) == pytest.approx(0.0 - 0.25)
    assert math.isnan(lsv_herding(np.array([1]), np.array([0])))
    with pytest.raises(DataError, match="must not be negative"):
        lsv_herding(np.array([-1]), np.array([1]))


# ------------------------------------------------------------------------------------------ correlation of the actions


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.7])
def test_mean_pairwise_correlation_is_recovered(correlation: float):
    assert mean_pairwise_correlation(crowd(correlation)) == pytest.approx(correlation, abs=0.05)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.7])
def test_effective_agents_of_an_equally_correlated_crowd(correlation: float):
    """Eigenvalues are 1 + (N - 1) c once and 1 - c the other N - 1 times: N_eff = N / (1 + (N - 1) c^2)."""
    assert effective_agents(crowd(correlation)) == pytest.approx(20 / (1 + 19 * correlation**2), rel=0.1)


def test_copies_are_one_agent_and_opposites_too():
    leader = generator(4, "leader").normal(size=(100, 1))

    assert effective_agents(np.tile(leader, 8)) == pytest.approx(1.0)
    assert effective_agents(leader * np.array([[1.0, -1.0]])) == pytest.approx(1.0)


def test_over_few_intervals_chance_looks_like_herding_unless_adjusted():
    few = generator(5, "few").normal(size=(50, 200))

    assert effective_agents(few) == pytest.approx(200 / (1 + 200 / 50), rel=0.1)
    assert effective_agents(few, adjusted=True) == pytest.approx(200, rel=0.15)


def test_the_adjustment_for_chance_leaves_real_correlation():
    many = np.split(crowd(0.3, intervals=6_000), 200)  # thirty intervals each

    adjusted = [effective_agents(few, adjusted=True) for few in many]

    # means of 1/N_eff, which is linear in squared correlations
    assert np.mean(1 / np.array(adjusted)) == pytest.approx((1 + 19 * 0.3**2) / 20, rel=0.1)


@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(5, 40))
def test_effective_agents_lie_between_one_and_all_and_equal_the_eigenvalue_formula(seed, agents, intervals):
    actions = generator(seed, "any").normal(size=(intervals, agents))
    eigenvalues = np.linalg.eigvalsh(action_correlation(actions))

    found = effective_agents(actions)

    assert 1 - 1e-9 <= found <= agents + 1e-9
    assert found == pytest.approx(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())


def test_agents_that_do_nothing_do_not_count():
    actions = np.column_stack([crowd(0.0, agents=3), np.zeros(4_000)])

    assert action_correlation(actions).shape == (3, 3)
    assert effective_agents(actions) == pytest.approx(3, rel=0.01)
    assert math.isnan(effective_agents(np.zeros((10, 2))))
    assert math.isnan(mean_pairwise_correlation(actions[:, 2:]))
    with pytest.raises(DataError, match="at least 3 intervals"):
        effective_agents(np.ones((2, 2)))


def test_suppliers_that_withdraw_together_are_seen():
    depth = 100 + np.cumsum(crowd(0.8, agents=5), axis=0)
    apart = 100 + np.cumsum(crowd(0.0, agents=5), axis=0)

    assert withdrawal_correlation(depth) > 0.6
    assert withdrawal_correlation(apart) == pytest.approx(0.0, abs=0.05)


# ---------------------------------------------------------------------------------------------------------- exposures


def test_gross_to_net():
    assert gross_to_net(np.array([3.0, -1.0])) == 2.0
    assert gross_to_net(np.array([[1.0, 1.0], [3.0, -1.0], [0.0, 0.0]])) == 1.5
    assert gross_to_net(np.array([1.0, -1.0])) == math.inf


def test_stops_that_crowd_in_one_band():
    stops = np.array([90.0, 90.4, 90.9, 95.0, 99.5, np.nan])

    assert liquidation_overlap(stops, 1.0) == 3 / 5
    assert liquidation_overlap(stops, 0.0) == 1 / 5
    assert liquidation_reach(stops, 100.0, 1.0) == 1 / 5
    assert math.isnan(liquidation_overlap(np.array([np.nan]), 1.0))


# ---------------------------------------------------------------------------------------------------------- paired runs


def test_pairing_takes_out_what_both_runs_share():
    rng = generator(6, "paired")
    shared = rng.lognormal(0, 1, 60)

    ratio = paired_ratio(1.10 * shared + rng.normal(0, 0.01, 60), shared)

    assert ratio.value == pytest.approx(1.10, abs=0.01)
    assert ratio.low < ratio.lower < ratio.value < ratio.upper < ratio.high
    assert ratio.high - ratio.low < 0.02  # unpaired, the runs themselves scatter by more than 100 %


def test_equal_runs_have_a_ratio_of_exactly_one():
    figures = np.array([1.0, 2.0, 5.0])

    assert paired_ratio(figures, figures).high == 1.0
    assert paired_difference(figures, figures).low == 0.0


def test_intervals_of_differences_cover():
    covered = 0
    for trial in range(200):
        rng = generator(7, "covered", trial)
        base = rng.normal(size=40)
        interval = paired_difference(base + 0.5 + rng.normal(0, 0.3, 40), base, seed=trial, resamples=500)
        covered += interval.low <= 0.5 <= interval.high

    assert covered == pytest.approx(190, abs=11)  # 95 % of 200, three standard errors, percentile bootstrap


def test_the_same_seed_gives_the_same_interval():
    a, b = generator(8, "a").normal(2, 1, 20), generator(8, "b").normal(2, 1, 20)

    assert paired_ratio(a, b, seed=3) == paired_ratio(a, b, seed=3)
    assert paired_ratio(a, b, seed=3) != paired_ratio(a, b, seed=4)


@pytest.mark.parametrize(
    ("with_it", "without", "message"),
    [
        ([1.0, 2.0], [1.0], "give one of each for every seed"),
        ([1.0], [1.0], "give at least 2 seeds"),
        ([1.0, math.nan], [1.0, 2.0], "leave that pair out"),
        ([1.0, 2.0], [0.0, 0.0], "use paired_difference"),
    ],
)
def test_runs_that_cannot_be_compared(with_it: list[float], without: list[float], message: str):
    with pytest.raises(DataError, match=message):
        paired_ratio(np.array(with_it), np.array(without))
