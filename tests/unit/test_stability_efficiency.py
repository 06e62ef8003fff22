"""How well prices follow value, on processes whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mycelial.domain.errors import DataError
from mycelial.domain.seeds import generator
from mycelial.facts.stability import (
    basis_half_life,
    mean_reversion_half_life,
    pricing_error,
    tracking_error,
    variance_ratio,
)


def ar1(n: int, phi: float, *names: str | int) -> np.ndarray:
    """A series that remembers phi of itself, in its stationary state."""
    shocks = generator(1, "ar1", *names).normal(size=n)
    x = np.empty(n)
    x[0] = shocks[0] / math.sqrt(1 - phi**2)
    for t in range(1, n):
        x[t] = phi * x[t - 1] + shocks[t]
    return x


# ------------------------------------------------------------------------------------------------------------- value


def test_the_tracking_error_is_the_root_mean_square_of_the_log_gap():
    value = np.full(4, 100.0)

    assert tracking_error(value * np.exp([0.03, -0.03, 0.04, -0.04]), value) == pytest.approx(math.sqrt(0.00125))


@pytest.mark.parametrize("half_life", [2.0, 10.0, 40.0])
def test_the_half_life_of_a_reverting_gap(half_life: float):
    gap = ar1(40_000, 0.5 ** (1 / half_life), "half-life", str(half_life))

    assert mean_reversion_half_life(gap) == pytest.approx(half_life, rel=0.1)


def test_gaps_that_do_not_revert_or_never_last():
    assert mean_reversion_half_life(np.arange(10.0) ** 2) == math.inf
    assert mean_reversion_half_life(np.array([1.0, -1.0] * 10)) == 0.0
    assert math.isnan(mean_reversion_half_life(np.ones(10)))
    with pytest.raises(DataError, match="too short"):
        mean_reversion_half_life(np.ones(2))


def test_the_basis_between_two_venues():
    here = 100 * np.exp(np.cumsum(generator(2, "basis").normal(0, 0.001, 20_000)))
    there = here * np.exp(-0.0005 * ar1(20_000, 0.9, "basis"))

    assert basis_half_life(here, there) == pytest.approx(math.log(0.5) / math.log(0.9), rel=0.1)


# ----------------------------------------------------------------------------------------------------- variance ratio


@pytest.mark.parametrize("q", [2, 5, 10])
def test_a_random_walk_has_a_variance_ratio_of_one(q: int):
    ratio = variance_ratio(np.cumsum(generator(3, "walk").normal(size=20_000)), q)

    assert ratio.value == pytest.approx(1.0, abs=0.1)
    assert abs(ratio.z) < 3


@pytest.mark.parametrize("phi", [-0.3, 0.3])
def test_returns_with_memory_have_the_known_ratio(phi: float):
    """VR(q) = 1 + 2 sum (1 - k/q) phi^k."""
    returns = ar1(50_000, phi, "returns", str(phi))
    expected = 1 + 2 * sum((1 - k / 5) * phi**k for k in range(1, 5))

    ratio = variance_ratio(np.cumsum(returns), 5)

    assert ratio.value == pytest.approx(expected, rel=0.05)
    assert ratio.z * phi > 10


def test_the_z_statistic_is_standard_normal_for_random_walks_with_changing_variance():
    z = []
    for trial in range(200):
        rng = generator(4, "z", trial)
        volatility = np.exp(0.5 * np.sin(np.arange(1_000) / 50))
        z.append(variance_ratio(np.cumsum(volatility * rng.normal(size=1_000)), 4).z)

    assert np.mean(z) == pytest.approx(0.0, abs=0.25)
    assert np.std(z) == pytest.approx(1.0, abs=0.15)


def test_impossible_variance_ratios():
    with pytest.raises(DataError, match="needs q >= 2 and at least 11 prices"):
        variance_ratio(np.arange(10.0), 5)
    assert math.isnan(variance_ratio(np.arange(100.0), 2).value)


# ------------------------------------------------------------------------------------------------------ pricing error


def test_a_pricing_error_that_reverts_is_recovered():
    """m is a walk of steps e; s_t = 0.6 s_{t-1} + 0.8 e_t: its variance is 0.64 / (1 - 0.36) = 1."""
    e = generator(5, "pricing").normal(size=40_000)
    s = np.zeros(e.size)
    for t in range(1, e.size):
        s[t] = 0.6 * s[t - 1] + 0.8 * e[t]
    price = np.cumsum(e) + s

    found = pricing_error(price, np.zeros(e.size), lags=20)

    assert found.error == pytest.approx(1.0, abs=3 * 0.025)  # over seeds it scatters by 0.025
    assert found.efficient_step == pytest.approx(1.0, rel=0.05)
    assert found.share == pytest.approx(found.error / price.std())


def test_trades_that_push_prices_for_a_moment_only_are_error():
    """A trade moves the price by 1, of which half stays: s_t = 0.5 x_t dies after one step."""
    rng = generator(6, "pricing")
    x = rng.choice([-1.0, 1.0], 40_000)
    price = np.cumsum(0.5 * x + rng.normal(0, 0.5, x.size)) + 0.5 * x

    found = pricing_error(price, x)

    assert found.error == pytest.approx(0.5, rel=0.05)
    assert found.efficient_step == pytest.approx(math.sqrt(0.25 + 0.25), rel=0.05)


def test_a_random_walk_has_hardly_any_pricing_error():
    rng = generator(7, "pricing")

    found = pricing_error(np.cumsum(rng.normal(size=40_000)), rng.normal(size=40_000))

    assert found.error < 0.05
    assert found.efficient_step == pytest.approx(1.0, rel=0.05)


def test_too_few_prices_are_refused():
    with pytest.raises(DataError, match="too few for 5 lags"):
        pricing_error(np.arange(50.0), np.arange(50.0) % 3)
