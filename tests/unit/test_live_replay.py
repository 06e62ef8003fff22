"""Own orders in a watched market meet exactly what they would have met in a recording of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mycelial.domain.errors import DataError, OrderRejected
from mycelial.domain.recording import BATCH, LEVEL, TRADE, MarketRecording
from mycelial.market.book.records import INPUT, EventKind, Flag, Kind
from mycelial.market.replay import Replay, ReplayRules
from mycelial.market.replay.live import LiveReplay

BUY, SELL = 0, 1
START = ("book", [(90, 20, BUY), (110, 20, SELL)])
TOLD = ("kind", "reason", "side", "client_id", "price", "lots", "leaves", "maker_handle", "taker_fee", "maker_fee")

levels = st.tuples(st.integers(80, 99), st.integers(0, 30), st.just(BUY)) | st.tuples(
    st.integers(101, 120), st.integers(0, 30), st.just(SELL)
)
books = st.tuples(st.sampled_from(["book", "snapshot"]), st.lists(levels, max_size=4))
trades = st.tuples(st.just("trade"), st.tuples(st.integers(80, 120), st.integers(1, 30), st.integers(0, 1)))
wishes = st.tuples(
    st.integers(0, 320),  # when
    st.integers(0, 1),
    st.integers(78, 122),
    st.integers(1, 25),
    st.sampled_from([0, int(Flag.POST_ONLY), int(Flag.MARKET)]),
)


def order(ts: int, client_id: int, side: int, price: int, lots: int, flags: int = 0, **more: int) -> Any:
    record = np.zeros(1, INPUT)
    values = {"ts": ts, "client_id": client_id, "side": side, "price": price, "lots": lots, "flags": flags}
    for name, value in {"handle": -1, "group": -1, **values, **more}.items():
        record[name] = value
    return record


def told(events: Any) -> list[tuple[int, ...]]:
    return [tuple(int(event[name]) for name in TOLD) for event in events]


def recorded(steps: list[Any], orders: list[Any], rules: ReplayRules) -> list[tuple[int, ...]]:
    batches, rows, prints = [], [], []
    for n, (kind, what) in enumerate(steps):
        if kind == "trade":
            prints.append((10 * n, 0, what[0], what[1], n, what[2]))
        else:
            batches.append((10 * n, 0, len(rows), -1, -1, n, int(n == 0 or kind == "snapshot")))
            rows += what
    replay = Replay(
        MarketRecording(
            "toy",
            Decimal(1),
            Decimal(1),
            batches=np.array(batches, BATCH),
            levels=np.array(rows, LEVEL),
            trades=np.array(prints, TRADE),
        ),
        rules,
    )
    for one in orders:
        replay.submit(one)
    replay.advance(10_000)
    return told(replay.events())


def watched(steps: list[Any], orders: list[Any], rules: ReplayRules, window: int = 4_096) -> list[tuple[int, ...]]:
    live, events, waiting = LiveReplay(rules, window=window), [], list(orders)
    for n, (kind, what) in enumerate(steps):
        while waiting and int(waiting[0]["ts"][0]) < 10 * n:
            live.submit(waiting.pop(0))
        if kind == "trade":
            events += told(live.trade(10 * n, *what))
        else:
            sides = [[(price, lots) for price, lots, side in what if side == wanted] for wanted in (BUY, SELL)]
            events += told(live.levels(10 * n, *sides, is_snapshot=n == 0 or kind == "snapshot"))
    for one in waiting:
        live.submit(one)
    return events + told(live.advance(10_000))


def in_order(wished: list[Any]) -> list[Any]:
    return [order(ts, n + 1, *rest) for n, (ts, *rest) in enumerate(sorted(wished))]


@settings(max_examples=150)
@given(
    st.lists(books | trades, max_size=30), st.lists(wishes, max_size=6), st.sampled_from([0, 15]),
    st.sampled_from(["proportional", "none", "all"]),
)  # fmt: skip
def test_watching_equals_replaying(steps: list[Any], wished: list[Any], up_ns: int, cancels_ahead: Any) -> None:
    rules = ReplayRules(cancels_ahead=cancels_ahead, up_ns=up_ns, maker_ppm=1_000, taker_ppm=2_000)
    whole, orders = [START, *steps], in_order(wished)

    assert watched(whole, orders, rules) == recorded(whole, orders, rules)


def test_an_order_joins_behind_what_is_shown_and_waits_its_turn() -> None:
    live = LiveReplay()
    live.levels(0, [(100, 10)], [(101, 10)], is_snapshot=True)
    live.submit(order(1, 7, BUY, 100, 5))

    assert [kind for kind, *_ in told(live.trade(2, 100, 10, SELL))] == [EventKind.ACCEPTED, EventKind.RESTED]
    filled = told(live.trade(3, 100, 3, SELL))

    assert [(kind, lots) for kind, _, _, _, _, lots, *_ in filled] == [(EventKind.TRADE, 3)]


def test_the_window_follows_the_market_and_own_orders_keep_their_places() -> None:
    live = LiveReplay(window=256)
    live.levels(0, [(1_000, 10)], [(1_001, 10)], is_snapshot=True)
    live.submit(order(1, 7, BUY, 1_000, 5))
    for step, price in enumerate(range(1_000, 1_090, 30)):
        live.levels(10 * step + 10, [(price, 10)], [(price + 40, 10)], is_snapshot=False)
    live.levels(100, [(1_000, 4), (1_080, 0)], [(1_085, 1)], is_snapshot=False)

    # Ten were ahead; the level shrank to four, so no more than four are ahead now.
    assert [kind for kind, *_ in told(live.trade(110, 1_000, 4, SELL))] == []
    assert [lots for _, _, _, _, _, lots, *_ in told(live.trade(120, 1_000, 2, SELL))] == [2]


def test_memory_does_not_grow_with_time() -> None:
    live = LiveReplay(window=256)
    live.levels(0, [(100, 10)], [(101, 10)], is_snapshot=True)
    live.submit(order(1, 1, BUY, 90, 5))
    for n in range(500):
        live.levels(10 + n, [(100, 10 + n % 3)], [], is_snapshot=False)
        live.submit(order(10 + n, n + 2, BUY, 80, 1))
        live.submit(order(10 + n, n + 2, 0, 0, 0, kind=int(Kind.CANCEL)))

    assert live._pending.shape[0] <= 4
    assert live._events.shape[0] <= 1 << 12


def test_time_never_goes_back() -> None:
    live = LiveReplay(window=256)
    live.levels(50, [(100, 10)], [(101, 10)], is_snapshot=True)

    with pytest.raises(OrderRejected, match="already"):
        live.submit(order(40, 1, BUY, 90, 5))
    with pytest.raises(DataError, match="cannot go back"):
        live.trade(40, 100, 1, SELL)
