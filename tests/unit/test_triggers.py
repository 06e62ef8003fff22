"""Stops, take-profits and trailing stops: when they fire, in which order, and what a replay needs of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.book_inputs import Setup, deposits, instrument, record

from mycelial.domain.errors import OrderRejected
from mycelial.market.book import EventKind, Flag, Kind, OrderBook, Reject, Side, Tif
from mycelial.market.triggers import (
    Reference,
    Triggers,
    run_with_triggers,
    stop_loss,
    take_profit,
    trailing_stop,
)

BUY, SELL = Side.BUY, Side.SELL


def market(side: Side, lots: int = 1, **fields: int) -> Any:
    return record(Kind.NEW, side=side, lots=lots, flags=Flag.MARKET | Flag.NO_PROTECTION, **fields)


def limit(side: Side, price: int, lots: int = 1, **fields: int) -> Any:
    return record(Kind.NEW, side=side, price=price, lots=lots, **fields)


def fired(triggers: Triggers, *path: int, reference: Reference = Reference.LAST) -> list[int]:
    """Return the client ids that a path of the reference releases, in order."""
    ids = []
    for price in path:
        triggers.move(price, reference)
        ids += triggers.release(0)["client_id"].tolist()
    return ids


@pytest.mark.parametrize(
    ("make", "side", "waits", "fires"),
    [
        (stop_loss, SELL, 31, 30),
        (stop_loss, BUY, 29, 30),
        (take_profit, SELL, 29, 30),
        (take_profit, BUY, 31, 30),
    ],
)
def test_a_trigger_fires_when_the_reference_reaches_its_price(make: Any, side: Side, waits: int, fires: int) -> None:
    triggers = Triggers()
    number = triggers.place(make(market(side, client_id=7), 30))

    assert fired(triggers, waits) == []
    assert len(triggers) == 1
    assert fired(triggers, fires) == [7]
    assert len(triggers) == 0
    with pytest.raises(OrderRejected, match="waiting"):
        triggers.cancel(number)


def test_a_trailing_sell_follows_the_peak_and_never_falls_back() -> None:
    triggers = Triggers()
    triggers.move(100)
    number = triggers.place(trailing_stop(market(SELL, client_id=1), 10))

    prices = []
    for reference in (100, 120, 111, 115, 130, 121):
        assert fired(triggers, reference) == []
        prices.append(triggers[number].price)

    assert prices == [90, 110, 110, 110, 120, 120]
    assert fired(triggers, 120) == [1]


def test_a_trailing_buy_follows_the_trough() -> None:
    triggers = Triggers()
    number = triggers.place(trailing_stop(market(BUY, client_id=1), offset_ppm=50_000))
    assert triggers[number].price == 0  # no reference yet

    assert fired(triggers, 100, 80, 83) == []
    assert triggers[number].price == 84
    assert fired(triggers, 84) == [1]


def test_a_trailing_limit_order_enters_at_its_distance_from_the_trigger() -> None:
    triggers = Triggers()
    triggers.move(100)
    triggers.place(trailing_stop(limit(SELL, 0), 10, limit_offset=-3))
    triggers.move(140)
    triggers.move(125)

    released = triggers.release(5)

    assert (released["price"].tolist(), released["ts"].tolist()) == ([127], [5])


def test_the_nearest_trigger_enters_first_and_equals_in_the_order_of_placing() -> None:
    triggers = Triggers()
    triggers.move(100)
    for client_id, price in ((1, 80), (2, 95), (3, 80), (4, 90), (5, 95)):
        triggers.place(stop_loss(market(SELL, client_id=client_id), price))
    triggers.place(trailing_stop(market(SELL, client_id=6), 7))

    assert fired(triggers, 80) == [2, 5, 6, 4, 1, 3]


def test_an_amended_trigger_keeps_its_turn_and_fires_at_its_new_price_only() -> None:
    triggers = Triggers()
    triggers.move(100)
    first = triggers.place(stop_loss(market(SELL, client_id=1), 95))
    triggers.place(stop_loss(market(SELL, client_id=2), 90))

    triggers.amend(first, price=90, lots=8)

    assert fired(triggers, 95) == []
    triggers.move(90)
    released = triggers.release(0)
    assert released["client_id"].tolist() == [1, 2]
    assert released["lots"].tolist() == [8, 1]


def test_a_trigger_amended_there_and_back_fires_once() -> None:
    triggers = Triggers()
    triggers.move(100)
    number = triggers.place(stop_loss(market(SELL, client_id=1), 90))
    triggers.amend(number, price=80)
    triggers.amend(number, price=90)

    assert fired(triggers, 85, 70) == [1]


def test_a_trigger_that_is_passed_already_enters_at_once() -> None:
    triggers = Triggers()
    triggers.move(100)
    triggers.place(stop_loss(market(SELL, client_id=1), 105))

    assert triggers.release(3)["client_id"].tolist() == [1]


def test_cancelled_triggers_never_fire() -> None:
    triggers = Triggers()
    triggers.move(100)
    for owner in (0, 1, 0):
        triggers.place(stop_loss(market(SELL, owner=owner, client_id=owner + 1), 90))

    assert triggers.cancel_all(0) == [0, 2]
    assert fired(triggers, 80) == [2]


def test_placing_and_cancelling_far_away_leaves_nothing_behind() -> None:
    triggers = Triggers()
    kept = [triggers.place(stop_loss(market(SELL, client_id=n), 20)) for n in range(3)]
    for n in range(1_000):
        triggers.cancel(triggers.place(stop_loss(market(SELL, client_id=100 + n), 10)))

    assert len(triggers) == len(kept)
    assert sum(map(len, triggers._ladders.values())) < 100
    assert fired(triggers, 30, 20) == [0, 1, 2]


def test_index_triggers_do_not_look_at_trades() -> None:
    triggers = Triggers()
    triggers.place(stop_loss(market(SELL, client_id=1), 90, reference=Reference.INDEX))

    assert fired(triggers, 100, 80) == []
    assert fired(triggers, 100, 90, reference=Reference.INDEX) == [1]


def test_an_order_whose_time_ran_out_while_it_waited_does_not_enter() -> None:
    triggers = Triggers()
    triggers.move(100)
    triggers.place(stop_loss(limit(SELL, 80, tif=Tif.GTD, expire=50), 90))
    triggers.place(stop_loss(market(SELL, client_id=2, tif=Tif.GTD, expire=70), 90))
    triggers.move(85)

    released = triggers.release(60)

    assert triggers.expired == [0]
    assert released[["client_id", "tif", "expire"]].tolist() == [(2, Tif.GTC, 0)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: stop_loss(record(Kind.CANCEL), 10),
        lambda: stop_loss(market(BUY), 0),
        lambda: trailing_stop(market(BUY)),
        lambda: trailing_stop(market(BUY), 5, offset_ppm=5),
        lambda: trailing_stop(market(BUY), 5, limit_offset=1),
        lambda: trailing_stop(limit(BUY, 5), 5),
    ],
)
def test_impossible_triggers_are_refused(make: Any) -> None:
    with pytest.raises(OrderRejected):
        make()


def floor_market() -> tuple[OrderBook, list[Any]]:
    """Return a book and the inputs that give it bids of one lot from 40 down to 31, and a trade at 40."""
    setup = Setup(instrument(max_orders=64), 4)
    bids = [limit(BUY, price, owner=1) for price in range(40, 30, -1)]
    return setup.open(OrderBook), [*deposits(4, 100_000, 100), *bids, limit(BUY, 40, owner=1)]


def test_stops_cascade_each_releasing_the_next() -> None:
    book, inputs = floor_market()
    triggers = Triggers()
    for owner, price in ((2, 39), (3, 38), (2, 37)):
        triggers.place(stop_loss(market(SELL, lots=1, owner=owner, client_id=price), price))

    entered, events = run_with_triggers(book, triggers, [*inputs, market(SELL, lots=3, owner=0)])

    trades = events[events["kind"] == EventKind.TRADE]
    assert entered["client_id"][-3:].tolist() == [39, 38, 37]
    assert trades["price"].tolist() == [40, 40, 39, 38, 37, 36]
    assert len(triggers) == 0


def test_what_one_move_releases_goes_before_what_it_releases_in_turn() -> None:
    book, inputs = floor_market()
    triggers = Triggers()
    for client_id, price, lots in ((1, 39, 2), (2, 39, 1), (3, 37, 1)):
        triggers.place(stop_loss(market(SELL, lots=lots, owner=2, client_id=client_id), price))

    entered, _ = run_with_triggers(book, triggers, [*inputs, market(SELL, lots=3, owner=0)])

    assert entered["client_id"][-3:].tolist() == [1, 2, 3]


def test_a_replay_of_the_log_needs_no_triggers() -> None:
    book, inputs = floor_market()
    triggers = Triggers()
    triggers.place(stop_loss(market(SELL, lots=2, owner=2), 40))
    triggers.place(take_profit(limit(BUY, 33, owner=3), 38))
    triggers.place(stop_loss(market(SELL, lots=5, owner=3), 36))

    entered, events = run_with_triggers(book, triggers, [*inputs, market(SELL, lots=1, owner=0)])

    again = Setup(instrument(max_orders=64), 4).open(OrderBook)
    assert again.apply(entered).tobytes() == events.tobytes()
    assert again.digest == book.digest


def test_a_released_order_that_its_owner_cannot_pay_is_rejected_by_the_book() -> None:
    book, inputs = floor_market()
    triggers = Triggers()
    triggers.place(stop_loss(market(SELL, lots=500, owner=2), 40))

    _, events = run_with_triggers(book, triggers, [*inputs, market(SELL, lots=1, owner=0)])

    assert (events["kind"][-1], events["reason"][-1]) == (EventKind.REJECTED, Reject.NO_FUNDS)


PLACED = st.tuples(st.sampled_from(["stop", "profit", "trail"]), st.sampled_from([BUY, SELL]), st.integers(1, 40))


@given(st.lists(PLACED, max_size=12), st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_triggers_fire_when_an_obvious_watcher_says(placed: list[Any], path: list[int]) -> None:
    triggers, expected, states = Triggers(), [], []
    at_placing: list[int] | None = None
    triggers.move(30)
    for number, (kind, side, at) in enumerate(placed):
        order = market(side, client_id=number + 1)
        triggers.place({"stop": stop_loss, "profit": take_profit, "trail": trailing_stop}[kind](order, at))
        states.append([kind, side, at, 30, True])  # ..., best so far, waiting
    got = triggers.release(0)["client_id"].tolist()
    for former, price in zip([30, 30, *path], [30, *path], strict=False):  # 30: passed when placed
        passed = []
        for number, (kind, side, at, best, waiting) in enumerate(states):
            best = states[number][3] = max(best, price) if side == SELL else min(best, price)
            level = at if kind != "trail" else (max(1, best - at) if side == SELL else best + at)
            rises = (side == BUY) == (kind != "profit")
            if waiting and (price >= level if rises else price <= level):
                passed.append((abs(level - former), number))
                states[number][4] = False
        expected += [number + 1 for _, number in sorted(passed)]
        at_placing = expected.copy() if at_placing is None else at_placing
    got += fired(triggers, *path)

    assert at_placing is not None
    at_once = len(at_placing)
    assert sorted(got[:at_once]) == sorted(at_placing)
    assert got[at_once:] == expected[at_once:]
