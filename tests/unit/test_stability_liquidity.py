"""Spreads, depth, cost and resilience, counted by hand and on processes whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mycelial.domain.errors import DataError
from mycelial.domain.seeds import generator
from mycelial.facts.stability import (
    amihud,
    cost_to_trade_bp,
    depth_within,
    effective_spread_bp,
    quoted_spread_bp,
    realised_spread_bp,
    resilience_half_life_s,
    supplied_share,
)

S = 10**9

# mid price 100: bids 99.95, 99.90, 99.50; asks 100.05, 100.10, 100.50 are 5, 10 and 50 basis points away
BID, ASK = np.array([[99.95, 99.90, 99.50]]), np.array([[100.05, 100.10, 100.50]])
BID_LOTS, ASK_LOTS = np.array([[1.0, 2.0, 4.0]]), np.array([[3.0, 5.0, 7.0]])


def test_the_quoted_spread_is_weighted_by_time():
    time = np.array([0, 9, 10], np.int64) * S

    spread = quoted_spread_bp(time, np.array([99.5, 99.0, 90.0]), np.array([100.5, 101.0, 110.0]))

    assert spread == pytest.approx((9 * 100 + 1 * 200) / 10)  # the last quote stood for no time


def test_the_effective_spread_is_twice_the_distance_from_the_mid_weighted_by_size():
    spread = effective_spread_bp(
        price=np.array([100.1, 99.8]), mid=np.array([100.0, 100.0]), sign=np.array([1, -1]), size=np.array([3.0, 1.0])
    )

    assert spread == pytest.approx((3 * 20 + 1 * 40) / 4)


def test_the_realised_spread_is_what_is_left_after_the_price_moved():
    quotes, mid = np.array([0, 1, 20], np.int64) * S, np.array([100.0, 100.06, 100.06])
    trades, price = np.array([1, 18], np.int64) * S, np.array([100.1, 100.2])

    kept = realised_spread_bp(trades, price, np.array([1, 1]), np.array([1.0, 1.0]), quotes, mid)

    assert kept == pytest.approx(2 * 4, rel=1e-6)  # 10 bp paid, 6 bp lost to the move; the second has no later mid


def test_depth_counts_levels_up_to_and_on_the_band():
    bids, asks = depth_within(BID, BID_LOTS, ASK, ASK_LOTS)

    assert bids.tolist() == [[1.0, 3.0, 3.0, 7.0]]
    assert asks.tolist() == [[3.0, 8.0, 8.0, 15.0]]


def test_the_cost_of_a_sweep_is_the_mean_price_against_the_mid():
    buy, sell = cost_to_trade_bp(BID, BID_LOTS, ASK, ASK_LOTS, 4.0)

    assert buy == pytest.approx([(3 * 5 + 1 * 10) / 4])
    assert sell == pytest.approx([(1 * 5 + 2 * 10 + 1 * 50) / 4])


def test_a_sweep_deeper_than_the_book_has_no_price():
    buy, sell = cost_to_trade_bp(BID, BID_LOTS, ASK, ASK_LOTS, 8.0)

    assert np.isfinite(buy).all()
    assert np.isnan(sell).all()
    with pytest.raises(DataError, match="must be above zero"):
        cost_to_trade_bp(BID, BID_LOTS, ASK, ASK_LOTS, 0.0)


def test_missing_levels_of_a_book_cost_nothing():
    padded = cost_to_trade_bp(
        np.append(BID, [[0.0]], axis=1), np.append(BID_LOTS, [[0.0]], axis=1),
        np.append(ASK, [[np.nan]], axis=1), np.append(ASK_LOTS, [[0.0]], axis=1), 4.0,
    )  # fmt: skip

    assert padded == cost_to_trade_bp(BID, BID_LOTS, ASK, ASK_LOTS, 4.0)


def test_amihud_leaves_out_intervals_without_trades():
    assert amihud(np.array([0.02, -0.04, 0.5]), np.array([2.0, 1.0, 0.0])) == pytest.approx((0.01 + 0.04) / 2)


@pytest.mark.parametrize("half_life_s", [2.0, 30.0, 120.0])
def test_resilience_is_the_half_life_of_the_gap(half_life_s: float):
    time = np.arange(0, 600, dtype=np.int64) * S
    gap = 0.9 * 0.5 ** (np.arange(600) / half_life_s)
    noise = generator(1, "resilience").normal(0, 0.02, 600)

    depth = resilience_half_life_s(time, 1_000 * (1 - gap + noise), 1_000.0)
    spread = resilience_half_life_s(time, 2.0 + 5 * gap, 2.0)

    assert depth == pytest.approx(half_life_s, rel=0.1)
    assert spread == pytest.approx(half_life_s, rel=1e-3)


def test_what_never_comes_back_has_an_infinite_half_life():
    time = np.arange(100, dtype=np.int64) * S

    assert resilience_half_life_s(time, np.full(100, 5.0), 10.0) == math.inf
    assert math.isnan(resilience_half_life_s(time, np.full(100, 10.0), 10.0))


def test_the_share_of_depth_a_swarm_supplies():
    assert supplied_share(np.array([1.0, 2.0]), np.array([4.0, 8.0])) == 0.25
