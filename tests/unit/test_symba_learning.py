"""Small rules of the SYMBA agents: policy steps, percentile memories, news, and the fundamental value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from tests.support.oracle.memory import Memory, bin_code, reward_of, series_code

from mycelial.agents.symba import fundamental, memory
from mycelial.agents.symba.policy import reinforcing
from mycelial.agents.symba.population import draw_traits, snap_back_probability
from mycelial.agents.symba.presets import preset
from mycelial.domain.seeds import generator

reinforce = reinforcing(9)

finite = st.floats(-1e6, 1e6, allow_nan=False, width=32)
positive = st.floats(0.0, 1e6, allow_nan=False, width=32)


@njit
def code_of(x: float) -> int:
    return memory.code(x)


@njit
def bin_at(magnitude: float, floor: int) -> int:
    return memory.bin_of(magnitude, floor)


def literal_steps(row: np.ndarray, action: int, reward: int, kappa: float) -> np.ndarray:
    """Iterate specification 7.4 as it is written."""
    row = row.astype(np.float64)
    for _ in range(abs(reward)):
        for a in range(row.size):
            if reward > 0:
                row[a] = row[a] + kappa * (1.0 - row[a]) if a == action else row[a] * (1.0 - kappa)
            else:
                row[a] = row[a] * (1.0 - kappa) + (0.0 if a == action else kappa / (row.size - 1))
    return row


@given(
    weights=st.lists(st.floats(0.01, 1.0), min_size=9, max_size=9),
    action=st.integers(0, 8),
    reward=st.sampled_from([-5, -4, -2, -1, 1, 2, 4, 5]),
    kappa=st.floats(0.001, 0.25),
)
def test_one_closed_step_equals_the_repeated_steps_of_the_paper(
    weights: list[float], action: int, reward: int, kappa: float
):
    row = (np.array(weights) / sum(weights)).astype(np.float32)
    table = row.copy().reshape(1, 1, 9)

    reinforce(table, 0, 0, action, reward, kappa)

    np.testing.assert_allclose(table[0, 0], literal_steps(row, action, reward, kappa), rtol=2e-6, atol=1e-7)
    assert abs(table.sum() - 1.0) < 1e-5


@given(x=finite, y=finite)
def test_series_codes_keep_the_order_of_numbers(x: float, y: float):
    low, high = sorted((x, y))

    assert code_of(low) <= code_of(high)
    assert code_of(x) == series_code(x)
    if abs(x) > 0.001 and abs(x) < 2.0**19:
        assert code_of(x) != code_of(x * 1.003)  # steps are about 0.1 %


@given(x=positive, floor=st.sampled_from([memory.ERROR_FLOOR, memory.MARGIN_FLOOR]))
def test_histogram_bins_are_a_32nd_of_an_octave(x: float, floor: int):
    assert bin_at(x, floor) == bin_code(x, floor)
    if 2.0 ** (floor + 1) < x < 2.0 ** (floor + 14):
        assert bin_at(2.0 * x, floor) == bin_at(x, floor) + 32


@given(codes=st.lists(st.integers(0, 511), min_size=1, max_size=60), where=st.integers(0, 511))
def test_a_histogram_ranks_like_a_list(codes: list[int], where: int):
    histogram = np.zeros((1, 1, 1 + memory.OCTAVES, memory.STEPS), np.int16)
    listed = Memory(1000, drops_smallest=False, start=codes)

    for code in codes:
        memory.put(histogram, 0, 0, code, 1)

    assert memory.rank_in(histogram, 0, 0, where) / len(codes) == listed.share_below(where)
    assert memory.smallest_in(histogram, 0, 0) == min(codes)
    assert memory.largest_in(histogram, 0, 0) == max(codes)


@given(codes=st.lists(st.integers(-900, 900), min_size=1, max_size=80), cap=st.integers(1, 20))
def test_the_heap_of_profits_keeps_the_largest(codes: list[int], cap: int):
    heap, size = np.zeros((1, cap), np.int16), 0

    for code in codes:
        size = memory.push_heap(heap, 0, 0, size, cap, np.int16(code))

    assert size == min(cap, len(codes))
    assert sorted(heap[0, :size]) == sorted(codes)[-cap:]
    assert memory.count_below(heap, 0, 0, size, np.int16(0)) == sum(c < 0 for c in sorted(codes)[-cap:])


@given(percentile=st.floats(0.0, 1.0))
def test_rewards_follow_the_percentile_brackets(percentile: float):
    assert memory.reward_for(percentile, False) == reward_of(percentile)
    assert memory.reward_for(percentile, True) == -reward_of(percentile)


@pytest.mark.parametrize(("accuracy", "chance"), [(9, 0.00404), (10, 0.00291), (11, 0.00291), (12, 0.00084)])
def test_news_comes_as_often_as_two_poisson_draws_allow(accuracy: int, chance: float):
    drawn = snap_back_probability(accuracy + np.array([0.01, 0.5, 0.99]))

    assert np.allclose(drawn, chance, atol=5e-6)
    rng = generator(accuracy, "test", "news")
    sample = (rng.poisson(1.0, 1_000_000) * rng.poisson(1.0, 1_000_000) >= accuracy + 0.5).mean()
    assert abs(sample - drawn[0]) < 4 * np.sqrt(chance / 1_000_000)


def test_traits_lie_where_the_specification_puts_them():
    p = preset("paper").replace(agents=4000)

    traits = draw_traits(p, 2, 1)

    assert (traits.tau.min(), traits.tau.max()) == (6, 131)
    assert np.all(np.diff(traits.tau) >= 0)
    assert np.all((traits.span >= 5) & (traits.span <= p.days - traits.tau - 6))
    assert np.all((traits.patience >= 5) & (traits.patience <= traits.tau + 4))
    assert traits.gesture.min() >= 0.3
    assert traits.gesture.max() <= 1.5
    assert set(np.unique(traits.floor_pct)) == set(range(50, 60))
    assert 0.05 <= traits.beta.min() < traits.beta.max() <= 0.25
    assert abs(traits.cash0.mean() - 10_000 * np.sqrt(2 / np.pi)) < 4 * 6000 / np.sqrt(4000)
    assert traits.lots0.shape == (2, 4000)


def test_the_fundamental_jumps_as_often_as_its_waiting_times_say():
    p = preset("paper").replace(days=20_000, jump_spacing=0.1)

    path = fundamental.draw_fundamental(p, 40, 3).value

    jumped = np.diff(path, axis=1) != 0.0
    assert path[:, 0].tolist() == [100.0] * 40
    assert path.min() > 20.0
    for j in range(40):
        days = np.flatnonzero(jumped[j])
        assert np.diff(days).min() >= 2
        a_year = 252 * jumped[j].mean()
        assert 252 / (2 + 11.3) * 0.85 < a_year < 252 / (2 + 5) * 1.1  # mean wait 2 + m, m in 5..11; some jumps refused


def test_rare_jumps_are_large_ones():
    p = preset("paper").replace(days=2453)
    rate, size = [], []

    for seed in range(150):
        steps = np.diff(fundamental.draw_fundamental(p, 1, seed).value[0])
        jumps = steps[steps != 0.0]
        rate.append(jumps.size)
        size.append(np.abs(jumps).mean())

    assert np.corrcoef(rate, size)[0, 1] < -0.7


def test_choosing_among_market_histories_narrows_how_worlds_differ():
    p = preset("extended").replace(days=900, learning_days=300, fundamental_sigma=0.0, market_loading_spread=0.0)
    p = p.replace(drift_sd=0.0, drift_mean=0.0, market_sigma=0.03)

    def totals(candidates: int) -> np.ndarray:
        worlds = (
            fundamental.draw_fundamental(p.replace(market_candidates=candidates), 1, seed).value for seed in range(60)
        )
        return np.array([np.log(value[0, -1] / value[0, p.learning_days]) for value in worlds])

    free, typical = totals(1), totals(16)

    assert np.median(np.abs(typical)) < 0.8 * np.median(np.abs(free))
    assert np.unique(typical).size == typical.size  # still another world for every seed


def test_part_of_a_crash_is_made_good_on_the_day_after():
    p = preset("extended").replace(days=900, learning_days=300, fundamental_sigma=0.0, market_loading_spread=0.0)
    p = p.replace(drift_sd=0.0, drift_mean=0.0, market_sigma=0.0001, crisis_rate=0.005, crisis_drop=-0.4)

    def steps(rebound: float) -> np.ndarray:
        paths = fundamental.draw_fundamental(p.replace(crisis_rebound=rebound), 1, 5)
        return np.diff(np.log(paths.value[0]))

    crashes = np.flatnonzero(steps(0.0) < -0.3)
    assert crashes.size >= 2
    assert np.allclose(steps(0.25)[crashes + 1] - steps(0.0)[crashes + 1], 0.1)
    assert np.allclose(steps(0.25)[crashes], steps(0.0)[crashes])


def test_a_drifting_market_wanders_further_in_a_year_than_its_days_say():
    p = preset("extended").replace(days=2000, learning_days=300, fundamental_sigma=0.0, market_loading_spread=0.0)
    p = p.replace(drift_sd=0.0, drift_mean=0.0)

    def yearly_over_daily(drift: float) -> float:
        worlds = [
            fundamental.draw_fundamental(p.replace(market_drift_sd=drift), 1, seed).value[0] for seed in range(20)
        ]
        logs = np.log(np.array(worlds))
        return float((logs[:, 252:] - logs[:, :-252]).std() / np.diff(logs).std())

    assert yearly_over_daily(0.005) > 1.3 * yearly_over_daily(0.0)


def test_recorded_fundamentals_are_taken_as_they_are():
    path = np.linspace(100.0, 120.0, 30)

    given_path = fundamental.given_fundamental(path, preset("reference"))

    assert given_path.value.shape == (1, 30)
    assert np.array_equal(given_path.value[0], path)
