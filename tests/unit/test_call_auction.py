"""The daily book: what is conserved, who may trade with whom, and the price everybody sees."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mycelial.domain.seeds import stream_key
from mycelial.market.call_auction import AUCTION, AVERAGE, LAST, clear, empty_fills, fills_of, quoted_spread, sort_book

KEY = stream_key(1, "test", "book")

orders_of_people = st.lists(
    st.tuples(
        st.integers(-40, 40),  # lots: negative sells
        st.integers(50, 150),  # price in dollars
        st.integers(0, 60),  # coins owned
        st.integers(0, 6000),  # cash
    ),
    min_size=2,
    max_size=14,
)
rules = st.tuples(st.sampled_from([0.0, 0.001, 0.02]), st.booleans(), st.sampled_from([LAST, AVERAGE, AUCTION]))
People = list[tuple[int, int, int, int]]


def live_book(
    people: People, fee: float, cash_fee: bool, price_rule: int
) -> tuple[float, int, NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], int, int]:
    """Sort and clear one book; return close, volume, cash, coins, traded lots, traded value, #bids and #asks."""
    table = np.array(people)
    lots, price = table[:, 0].astype(np.int64), table[:, 1].astype(np.float64)
    coins, cash = table[:, 2].astype(np.int64), table[:, 3].astype(np.float64)
    fills, averages = fills_of.py_func(empty_fills(1, len(people)), 0), np.array([100.0, 100.0])
    bids, asks = sort_book(lots, price, KEY, 1, fills)
    quoted_spread(price, fills, bids, asks, False, averages)
    close, volume = clear(lots, price, cash, coins, fills, bids, asks, 1.0, fee, cash_fee, False, price_rule, averages)
    return close, volume, cash, coins, fills.lots, fills.value, bids, asks


@given(people=orders_of_people, rule=rules)
def test_coins_are_conserved_exactly_and_cash_up_to_fees(people: People, rule: tuple[float, bool, int]):
    fee, cash_fee, _ = rule

    _, volume, cash, coins, lots, value, _, _ = live_book(people, *rule)

    before = np.array(people)
    assert coins.sum() == before[:, 2].sum()
    assert np.array_equal(coins - before[:, 2], lots)
    assert lots[lots > 0].sum() == volume
    paid = before[:, 3].sum() - cash.sum()
    if not cash_fee:
        assert np.isclose(paid, fee * value.sum(), rtol=1e-9, atol=1e-6)
    elif fee == 0.0 or volume == 0:
        assert np.isclose(paid, 0.0, atol=1e-6)
    else:
        assert paid > 0.0


@given(people=orders_of_people, rule=rules)
def test_nobody_trades_beyond_their_order_limit_or_means(people: People, rule: tuple[float, bool, int]):
    _, _, cash, coins, lots, value, _, _ = live_book(people, *rule)

    for (wanted, limit, _, _), traded, worth in zip(people, lots, value, strict=True):
        assert abs(traded) <= abs(wanted)
        assert traded * wanted >= 0
        if traded > 0:
            assert worth / traded <= limit + 1e-9
        elif traded < 0:
            assert worth / -traded >= limit - 1e-9
    assert coins.min() >= 0
    assert cash.min() >= -1e-9


@given(people=orders_of_people)
def test_nothing_trades_when_the_best_bid_is_below_the_best_ask(people: People):
    apart = [(q, price - 60 if q > 0 else price + 60, c, m) for q, price, c, m in people]

    close, volume, *_ = live_book(apart, 0.0, False, LAST)

    assert volume == 0
    assert np.isnan(close)


@given(people=orders_of_people, rule=rules)
def test_the_close_lies_between_the_limits_of_those_who_traded(people: People, rule: tuple[float, bool, int]):
    close, volume, _, _, lots, _, _, _ = live_book(people, *rule)

    if volume == 0:
        assert np.isnan(close)
        return
    limits = np.array([price for _, price, _, _ in people])
    assert limits[lots < 0].min() <= close <= limits[lots > 0].max()


@given(people=orders_of_people)
def test_one_uniform_price_suits_everybody_who_traded(people: People):
    rich = [(q, price, 1000, 1_000_000) for q, price, _, _ in people]

    close, volume, _, _, lots, value, _, _ = live_book(rich, 0.0, False, AUCTION)

    if volume == 0:
        return
    traded = lots != 0
    assert np.allclose(value[traded] / np.abs(lots[traded]), close)
    # No two who were not served in full would still trade at that price.
    hungry = [limit for (wanted, limit, _, _), n in zip(rich, lots, strict=True) if 0 <= n < wanted]
    eager = [limit for (wanted, limit, _, _), n in zip(rich, lots, strict=True) if wanted < n <= 0]
    assert not (hungry and eager and max(hungry) >= close >= min(eager))


def match_by_hand(people: People, fee: float) -> tuple[float, int, list[float], list[int]]:
    """Match two sorted lists pair by pair, as specification 9.4 tells it."""
    cash, coins = [float(m) for *_, m in people], [c for _, _, c, _ in people]
    fills = fills_of.py_func(empty_fills(1, len(people)), 0)
    table = np.array(people)
    n, m = sort_book(table[:, 0].astype(np.int64), table[:, 1].astype(np.float64), KEY, 1, fills)
    mask = (1 << 20) - 1
    bids = [[int(key) & mask, people[int(key) & mask][0]] for key in fills.bids[:n]]
    asks = [[int(key) & mask, -people[int(key) & mask][0]] for key in fills.asks[:m]]
    close, volume, k = float("nan"), 0, 0
    while k < len(bids) and k < len(asks):
        (buyer, wanted), (seller, offered) = bids[k], asks[k]
        price = 0.5 * (people[buyer][1] + people[seller][1])
        quantity = min(wanted, offered)
        crosses = people[buyer][1] >= people[seller][1]
        if not (crosses and coins[seller] >= quantity and cash[buyer] >= quantity * price * (1.0 + fee)):
            k += 1
            continue
        cash[buyer] -= quantity * price * (1.0 + fee)
        cash[seller] += quantity * price * (1.0 - fee)
        coins[buyer] += quantity
        coins[seller] -= quantity
        close, volume = price, volume + quantity
        bids[k][1] -= quantity
        asks[k][1] -= quantity
        if wanted == offered:
            k += 1
        elif wanted > offered:
            asks.pop(k)
        else:
            bids.pop(k)
    return close, volume, cash, coins


@given(people=orders_of_people, fee=st.sampled_from([0.0, 0.002]))
def test_matching_follows_the_loop_of_the_specification(people: People, fee: float):
    close, volume, cash, coins, *_ = live_book(people, fee, False, LAST)

    by_hand = match_by_hand(people, fee)

    assert volume == by_hand[1]
    assert np.isclose(close, by_hand[0], equal_nan=True)
    assert np.allclose(cash, by_hand[2])
    assert coins.tolist() == by_hand[3]


@given(people=orders_of_people)
def test_books_are_sorted_best_first(people: People):
    table = np.array(people)
    lots, price = table[:, 0].astype(np.int64), table[:, 1].astype(np.float64)
    fills = fills_of.py_func(empty_fills(1, len(people)), 0)

    bids, asks = sort_book(lots, price, KEY, 1, fills)

    mask = np.uint64((1 << 20) - 1)
    assert bids == (lots > 0).sum()
    assert asks == (lots < 0).sum()
    assert np.all(np.diff(price[(fills.bids[:bids] & mask).astype(int)]) <= 0)
    assert np.all(np.diff(price[(fills.asks[:asks] & mask).astype(int)]) >= 0)


def test_ties_in_price_are_broken_differently_every_day():
    lots, price = np.full(12, 5, np.int64), np.full(12, 100.0)
    fills = fills_of.py_func(empty_fills(1, 12), 0)
    first = set()

    for day in range(200):
        sort_book(lots, price, KEY, day, fills)
        first.add(int(fills.bids[0]) & ((1 << 20) - 1))

    assert first == set(range(12))


def test_the_matched_spread_ignores_orders_without_a_counterpart():
    lots = np.array([5, 5, 5, -5], np.int64)
    price = np.array([99.0, 98.0, 50.0, 101.0])
    fills = fills_of.py_func(empty_fills(1, 4), 0)
    bids, asks = sort_book(lots, price, KEY, 1, fills)

    every = quoted_spread(price, fills, bids, asks, False, np.zeros(2))
    matched = quoted_spread(price, fills, bids, asks, True, np.zeros(2))

    assert every == 101.0 - (99.0 + 98.0 + 50.0) / 3
    assert matched == 2.0


def test_an_empty_side_keeps_its_last_average():
    lots, price = np.array([5, 3], np.int64), np.array([99.0, 97.0])
    fills, averages = fills_of.py_func(empty_fills(1, 2), 0), np.array([90.0, 110.0])
    bids, asks = sort_book(lots, price, KEY, 1, fills)

    spread = quoted_spread(price, fills, bids, asks, False, averages)

    assert spread == 110.0 - 98.0
