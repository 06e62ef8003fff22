"""Small rules of the SYMBA agents: policy steps, percentile memories, news, and the fundamental value."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from tests.support.oracle.memory import Memory, bin_code, reward_of, series_code

from mycelial.agents.symba import fundamental, memory
from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.agents.symba.policy import reinforcing
from mycelial.agents.symba.population import draw_traits, snap_back_probability
from mycelial.agents.symba.presets import preset
from mycelial.agents.symba.profits import PAGE, rank_profit
from mycelial.domain.seeds import generator

_reinforce = reinforcing(9)

finite = st.floats(-1e6, 1e6, allow_nan=False, width=32)
positive = st.floats(0.0, 1e6, allow_nan=False, width=32)


@njit
def code_of(x: float) -> int:
    return memory.code(x)


@njit
def reinforce(policy: Any, j: int, row: int, action: int, reward: int, kappa: float) -> None:
    _reinforce(policy, j, row, action, reward, kappa)


@njit
def add_profit(
    profits: Any, page_of: Any, used: Any, cap: int, stored: int, largest: bool, profit: float
) -> tuple[int, int]:
    return rank_profit(profits, page_of, used, 0, 0, cap, stored, largest, profit)


@njit
def through_a_ring(errors: Any, margins: Any, entries: Any) -> int:
    """Write every entry to both rings, in the second one doubled; read them back and weigh each by its place."""
    for at in range(entries.size):
        memory.remember(errors, 0, at, memory.ERRORS_IN_A_WORD, 511 - entries[at])
        memory.remember(margins, 0, at, memory.MARGINS_IN_A_WORD, 1023)
    total = 0
    for at in range(entries.size):
        memory.remember(errors, 0, at, memory.ERRORS_IN_A_WORD, entries[at])
        memory.remember(margins, 0, at, memory.MARGINS_IN_A_WORD, 2 * entries[at])
    for at in range(entries.size):
        total += (at + 1) * memory.recalled(errors, 0, at, memory.ERRORS_IN_A_WORD)
        total += (at + 1) * memory.recalled(margins, 0, at, memory.MARGINS_IN_A_WORD)
    return total


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


@given(profits=st.lists(st.floats(-2e6, 2e6), min_size=1, max_size=300), cap=st.integers(1, 200), largest=st.booleans())
def test_profits_are_ranked_among_the_largest_or_the_latest(profits: list[float], cap: int, largest: bool):
    stored_codes, page_of, used = np.zeros((1, 4, PAGE), np.int16), np.zeros((1, 2, 3), np.int32), np.ones(1, np.int64)
    page_of[0, 0, 0], listed, stored = 1, [0], 1

    for profit in profits:
        at_most = sum(old <= series_code(profit) for old in listed[-cap:])
        reward, stored = add_profit(stored_codes, page_of, used, cap, stored, largest, profit)
        if stored > 2:
            assert reward == -reward_of(at_most / len(listed[-cap:]))
        listed.append(series_code(profit))
        if largest:
            listed = sorted(listed)

    kept = min(cap, len(listed))
    codes = [stored_codes[0, page_of[0, 0, k // PAGE] - 1, k % PAGE] for k in range(kept)]
    assert sorted(codes) == sorted(listed[-cap:])
    assert used[0] == 1 + (kept - 1) // PAGE


@given(entries=st.lists(st.integers(0, 511), min_size=1, max_size=40))
def test_a_ring_keeps_bins_apart(entries: list[int]):
    errors, margins = np.zeros((1, 9), np.int64), np.zeros((1, 9), np.int64)

    assert through_a_ring(errors, margins, np.array(entries)) == sum((k + 1) * 3 * e for k, e in enumerate(entries))


def test_no_count_overflows_in_the_longest_run():
    longest = next(f for f in fields(SymbaParameters) if f.name == "days").metadata["high"]
    traits = draw_traits(preset("paper").replace(agents=2, days=longest, learning_days=1), 1, 1)

    assert max(longest + 1, (traits.span + traits.tau + 1).max()) <= np.iinfo(np.int16).max  # values in a histogram
    assert 2 * longest <= np.iinfo(np.uint16).max  # visits of an action: as taken, and as the best in hindsight


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


def test_a_market_factor_that_is_switched_off_leaves_every_history_alike():
    p = preset("binance-btc-2018-2022").replace(market_sigma=0.0, crisis_drop=0.0, days=400, learning_days=100)

    quiet = fundamental.draw_fundamental(p, 2, 7).value

    assert np.isfinite(quiet).all()
    np.testing.assert_array_equal(quiet, fundamental.draw_fundamental(p.replace(market_candidates=1), 2, 7).value)
