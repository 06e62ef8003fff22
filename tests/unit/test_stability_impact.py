"""Impact, order-flow imbalance and toxicity, on processes whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mycelial.domain.errors import DataError
from mycelial.domain.seeds import generator
from mycelial.facts.stability import (
    flow_by_interval,
    kyle_lambda,
    metaorder_exponent,
    newey_west,
    order_flow_imbalance,
    vpin,
)

S = 10**9


def ar1(rng: np.random.Generator, n: int, phi: float) -> np.ndarray:
    """A series that remembers phi of itself."""
    x = np.empty(n)
    x[0] = rng.normal()
    for t in range(1, n):
        x[t] = phi * x[t - 1] + rng.normal()
    return x


# ---------------------------------------------------------------------------------------------------------- regression


def test_kyle_lambda_is_recovered_within_its_error():
    rng = generator(1, "kyle")
    flow = rng.normal(0, 10, 5_000)

    slope = kyle_lambda(0.03 * flow + rng.normal(0, 1, 5_000), flow)

    assert slope.value == pytest.approx(0.03, abs=3 * slope.standard_error)
    assert slope.standard_error == pytest.approx(1 / (10 * math.sqrt(5_000)), rel=0.1)
    assert slope.t > 10


def test_errors_without_lags_are_those_of_white():
    rng = generator(2, "white")
    x = rng.normal(size=300)
    y = 1 + 2 * x + rng.normal(size=300) * (1 + np.abs(x))
    design = np.column_stack([np.ones(300), x])

    coefficients, errors = newey_west(y, x, lags=0)

    residual = y - design @ coefficients
    bread = np.linalg.inv(design.T @ design)
    white = bread @ (design.T * residual**2 @ design) @ bread * 300 / 298
    assert errors == pytest.approx(np.sqrt(np.diag(white)))


def test_one_lag_by_hand():
    y, x = np.array([1.0, 2.0, 2.5, 4.5, 4.0]), np.arange(5.0)
    design = np.column_stack([np.ones(5), x])

    coefficients, errors = newey_west(y, x, lags=1)

    score = design * (y - design @ coefficients)[:, None]
    middle = sum(np.outer(s, s) for s in score)
    for t in range(1, 5):
        middle = middle + 0.5 * (np.outer(score[t], score[t - 1]) + np.outer(score[t - 1], score[t]))
    bread = np.linalg.inv(design.T @ design)
    assert errors == pytest.approx(np.sqrt(np.diag(bread @ middle @ bread * 5 / 3)))


def test_errors_allow_for_memory_so_that_intervals_cover():
    """Both sides remember 0.7: plain errors would cover the true slope of 0 only about 75 % of the time."""
    covered = {0: 0, 30: 0}
    for trial in range(200):
        rng = generator(3, "coverage", trial)
        x, y = ar1(rng, 500, 0.7), ar1(rng, 500, 0.7)
        for lags in covered:
            slope = kyle_lambda(y, x, lags)
            covered[lags] += abs(slope.t) < 1.96

    assert covered[0] < 165
    assert covered[30] > 174  # 95 % of 200 less what the estimate of long memory costs


def test_too_short_or_degenerate_regressions():
    with pytest.raises(DataError, match="use a longer series"):
        newey_west(np.ones(2), np.ones(2))
    assert math.isnan(kyle_lambda(np.arange(10.0), np.ones(10)).value)


def test_flow_by_interval_adds_up_trades_and_price_changes():
    quotes, mid = np.array([0, 15, 25, 30], np.int64) * S, np.array([100.0, 101.0, 99.0, 99.5])
    trades, signed = np.array([1, 10, 11, 29], np.int64) * S, np.array([1.0, 2.0, -4.0, 8.0])

    change, flow = flow_by_interval(quotes, mid, trades, signed, 10 * S)

    assert change.tolist() == [0.0, 1.0, -1.5]
    assert flow.tolist() == [3.0, -4.0, 8.0]  # an interval holds its end and not its beginning


# ---------------------------------------------------------------------------------------------------------- metaorders


@pytest.mark.parametrize("delta", [0.5, 1.0])
def test_the_metaorder_exponent_is_recovered_from_noisy_impacts(delta: float):
    rng = generator(4, "metaorders")
    size = 10 ** rng.uniform(-4, -1, 20_000)
    impact = size**delta + rng.normal(0, 0.1, size.size)

    slope = metaorder_exponent(size, impact)

    assert slope.value == pytest.approx(delta, abs=max(3 * slope.standard_error, 0.02))
    assert slope.standard_error < 0.05


def test_too_few_metaorders_are_refused():
    with pytest.raises(DataError, match="too few for 10 bins"):
        metaorder_exponent(np.ones(20), np.ones(20))


# -------------------------------------------------------------------------------------------------- imbalance, toxicity


@pytest.mark.parametrize(
    ("quote", "contribution"),
    [
        ((99, 10, 101, 10), 0.0),  # nothing changed
        ((99, 13, 101, 10), 3.0),  # three more bid
        ((99, 10, 101, 14), -4.0),  # four more offered
        ((100, 5, 101, 10), 5.0),  # a better bid of five
        ((98, 7, 101, 10), -10.0),  # the best bid of ten is gone
        ((99, 10, 102, 6), 10.0),  # the best ask of ten is gone
        ((99, 10, 100, 2), -2.0),  # a better ask of two
    ],
)
def test_order_flow_imbalance_of_each_change(quote: tuple[int, int, int, int], contribution: float):
    before, after = (99.0, 10.0, 101.0, 10.0), tuple(float(x) for x in quote)

    flow = order_flow_imbalance(*(np.array(pair) for pair in zip(before, after, strict=True)))

    assert flow.tolist() == [contribution]


def test_vpin_of_one_sided_and_of_balanced_flow():
    assert vpin(np.full(100, 1.0), 2.0, buckets=10) == pytest.approx(1.0)
    assert vpin(np.tile([1.0, -1.0], 50), 2.0, buckets=10) == pytest.approx(0.0)


def test_vpin_splits_trades_between_buckets():
    # buckets of 4: [3 bought, 1 of the 5 sold], [4 sold]
    assert vpin(np.array([3.0, -5.0]), 4.0, buckets=1) == pytest.approx([2 / 4, 1.0])


def test_vpin_of_random_signs_is_that_of_a_random_walk():
    signs = generator(5, "vpin").choice([-1.0, 1.0], 100_000)

    assert vpin(signs, 100.0, buckets=1_000)[0] == pytest.approx(math.sqrt(2 / math.pi / 100), rel=0.1)


def test_vpin_needs_enough_buckets():
    assert vpin(np.ones(10), 1.0, buckets=50).size == 0
    with pytest.raises(DataError, match="bucket_volume"):
        vpin(np.ones(10), 0.0)
