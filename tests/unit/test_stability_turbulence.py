"""Volatility, crashes and self-excitation, on processes whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mycelial.domain.errors import DataError
from mycelial.domain.seeds import generator
from mycelial.facts.stability import (
    branching_ratio,
    crashes_per_1000_hours,
    flash_crashes,
    marginal_contributions,
    realised_variance,
    sampled_shapley,
)

S = 10**9


def walk(seconds: int, sigma: float, *names: str | int) -> tuple[np.ndarray, np.ndarray]:
    """A random walk of log prices, one step a second."""
    steps = generator(1, "walk", *names).normal(0.0, sigma, seconds)
    return np.arange(seconds + 1, dtype=np.int64) * S, 100 * np.exp(np.concatenate([[0.0], np.cumsum(steps)]))


def planted(drop: float, back: float, *, fall_s: int = 60, heal_s: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """A calm market in which the price falls by `drop` after 2,000 s and makes `back` of it good."""
    time, price = walk(6_000, 1e-5, "planted")
    fall = np.interp(np.arange(6_001), [2_000, 2_000 + fall_s, 2_000 + fall_s + heal_s], [0.0, 1.0, 1.0 - back])
    return time, price * (1 - drop * fall)


# -------------------------------------------------------------------------------------------------- realised variance


def test_realised_variance_of_a_random_walk_is_its_variance_times_time():
    time, price = walk(50_000, 1e-4, "rv")
    expected = 50_000 * 1e-8

    assert realised_variance(time, price) == pytest.approx(expected, rel=5 * math.sqrt(2 / 50_000))
    assert realised_variance(time, price, 60 * S) == pytest.approx(expected, rel=5 * math.sqrt(2 * 60 / 50_000))


def test_realised_variance_counts_by_hand():
    time = np.array([0, 1, 3], np.int64) * S  # nothing happens at 2 s: the last price stands

    assert realised_variance(time, np.array([100.0, 110.0, 99.0])) == pytest.approx(
        math.log(1.1) ** 2 + math.log(0.9) ** 2
    )


def test_bouncing_prices_have_more_variance_on_a_finer_clock():
    time = np.arange(601, dtype=np.int64) * S
    price = 100 + 0.05 * (np.arange(601) % 2)

    assert realised_variance(time, price) > 1e-4
    assert realised_variance(time, price, 60 * S) == 0.0


def test_what_each_agent_adds():
    assert marginal_contributions(5.0, np.array([4.0, 5.5])).tolist() == [1.0, -0.5]


def test_shapley_shares_add_up_and_find_the_agent_that_matters():
    weights = np.array([0.0, 1.0, 4.0])

    shares = sampled_shapley(lambda present: float((weights * present).sum()), 3, generator(1, "shapley"))
    both = sampled_shapley(lambda present: float(present[0] and present[1]), 2, generator(2, "shapley"), 400)

    assert shares == pytest.approx(weights)
    assert both.sum() == pytest.approx(1.0)
    assert both == pytest.approx([0.5, 0.5], abs=0.1)


# ------------------------------------------------------------------------------------------------------ flash crashes


def test_a_planted_crash_is_found_with_its_times_and_depth():
    time, price = planted(0.10, 0.95)

    (crash,) = flash_crashes(time, price, fundamental=np.full(price.size, 100.0))

    assert crash.depth == pytest.approx(0.10, abs=0.002)
    assert crash.start_ns == pytest.approx(2_000 * S, abs=20 * S)
    assert crash.trough_ns == pytest.approx(2_060 * S, abs=2 * S)
    assert crash.half_recovery_ns == pytest.approx(300 / 0.95 * 0.5 * S, abs=5 * S)
    assert crash.most_recovery_ns == pytest.approx(300 / 0.95 * 0.9 * S, abs=5 * S)
    assert crash.overshoot == pytest.approx(0.10, abs=0.005)


@pytest.mark.parametrize(
    ("drop", "back", "fall_s"),
    [
        (0.04, 0.95, 60),  # too shallow
        (0.10, 0.30, 60),  # does not come back
        (0.10, 0.95, 1_200),  # too slow: a tenth in twenty minutes is 2.5 % in five
    ],
)
def test_what_is_no_flash_crash(drop: float, back: float, fall_s: int):
    assert flash_crashes(*planted(drop, back, fall_s=fall_s)) == ()


def test_a_fall_that_comes_back_too_late_does_not_count():
    time, price = planted(0.10, 0.6, heal_s=3_000)

    assert flash_crashes(time, price) == ()
    assert len(flash_crashes(time, price, recovery_within_ns=3_000 * S)) == 1


def test_a_fall_may_take_nearly_five_minutes_and_recovery_counts_from_the_trough():
    time, price = planted(0.055, 0.95, fall_s=280)  # half is made good 158 s after the trough, 438 s after the start

    (crash,) = flash_crashes(time, price, recovery_within_ns=200 * S)

    assert crash.trough_ns == pytest.approx(2_280 * S, abs=2 * S)
    assert crash.most_recovery_ns is None


def test_a_deep_crash_still_below_its_peak_when_half_is_made_good_is_told_once():
    assert len(flash_crashes(*planted(0.20, 0.95, fall_s=30, heal_s=200))) == 1


def test_a_fall_within_seconds_does_not_hide_behind_its_own_violence():
    assert len(flash_crashes(*planted(0.30, 0.95, fall_s=2))) == 1


def test_in_a_wild_market_five_per_cent_is_nothing():
    time, price = planted(0.10, 0.95)

    assert flash_crashes(time, price, sigma_per_s=0.1 / 10 / math.sqrt(300) * 1.1) == ()


def test_two_crashes_are_two():
    _, price = planted(0.10, 0.95)
    twice = np.concatenate([price, price * price[-1] / price[0]])

    crashes = flash_crashes(np.arange(twice.size, dtype=np.int64) * S, twice)

    assert len(crashes) == 2
    assert crashes[1].trough_ns - crashes[0].trough_ns == 6_001 * S
    assert crashes_per_1000_hours(crashes, 12_002 * S) == pytest.approx(2 / (12_002 / 3_600) * 1_000)


def test_the_threshold_follows_the_volatility_of_the_market():
    """Ten sigmas of five minutes are 17 % here: a tenth is no crash, three tenths are."""
    time, noise = walk(6_000, 1e-3, "wild")
    calm_walk = walk(6_000, 1e-5, "planted")[1]
    tenth, three_tenths = (planted(drop, 0.95)[1] / calm_walk * noise for drop in (0.10, 0.30))

    assert flash_crashes(time, tenth) == ()
    assert len(flash_crashes(time, three_tenths)) == 1


def test_a_calm_walk_has_none():
    assert flash_crashes(*walk(20_000, 1e-4, "calm")) == ()


# ---------------------------------------------------------------------------------------------------- branching ratio


def hawkes(ratio: float, immigrants_per_s: float, seconds: int, decay_s: float) -> np.ndarray:
    """Event times of a Hawkes process as families: immigrants, their children, and so on."""
    rng = generator(3, "hawkes", str(ratio))
    generation = rng.uniform(0, seconds, rng.poisson(immigrants_per_s * seconds))
    family = [generation]
    while generation.size:
        children = rng.poisson(ratio, generation.size)
        generation = np.repeat(generation, children) + rng.exponential(decay_s, int(children.sum()))
        family.append(generation)
    events = np.sort(np.concatenate(family))
    return (events[events < seconds] * S).astype(np.int64)


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.6, 0.8])
def test_branching_ratio_of_a_hawkes_process(ratio: float):
    events = hawkes(ratio, 2.0 * (1 - ratio), 100_000, 0.5)

    # 1,000 windows of 100 s: F is known to sqrt(2/1000) of itself, so 1/sqrt(F) <= 1 to half of that
    assert branching_ratio(events, 100 * S) == pytest.approx(ratio, abs=3 * math.sqrt(2 / 1_000) / 2)


def test_clockwork_has_a_negative_ratio_and_too_little_data_none():
    assert branching_ratio(np.arange(1_000, dtype=np.int64) * S + np.arange(1_000) % 3, 10 * S) < 0
    assert math.isnan(branching_ratio(np.array([0, S], np.int64), 10 * S))


# ------------------------------------------------------------------------------------------------------------- inputs


@pytest.mark.parametrize(
    ("time", "price", "message"),
    [
        ([0, 2, 1], [1.0, 1.0, 1.0], "time runs backwards at observation 2"),
        ([0, 1, 2], [1.0, 1.0], "2 values for 3 times"),
        ([0, 1, 2], [1.0, math.nan, 1.0], "value 1 is not finite"),
        ([0, 1, 2], [1.0, 0.0, 1.0], "holds a value that is not above zero"),
        ([0], [1.0], "too short"),
    ],
)
def test_bad_series_are_refused_with_the_reason(time: list[int], price: list[float], message: str):
    with pytest.raises(DataError, match=message):
        realised_variance(np.array(time, np.int64), np.array(price))
