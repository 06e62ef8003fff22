"""A subscriber who only knows a feed holds the book: invariant I17, for levels, orders, best prices and trades."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.book_inputs import (
    Inputs,
    Setup,
    aim,
    aimed_streams,
    hostile_setup,
    hostile_stream,
    realistic_setup,
    realistic_stream,
)

from mycelial.domain.errors import ConfigError, DataError
from mycelial.market.book import EventKind, OrderBook
from mycelial.market.feeds import BookMirror, Candles, FeedSpec, MarketFeeds, Published, TradeTape, View

DEPTHS = (1, 3, 10, 1000)


def specs(interval_ns: int = 0) -> list[FeedSpec]:
    return [FeedSpec(view, depth, interval_ns, checksum=depth == 10) for view in (View.L2, View.L3) for depth in DEPTHS]


def mirrors(feeds: MarketFeeds) -> list[BookMirror]:
    made = []
    for n, spec in enumerate(feeds.specs):
        mirror = BookMirror(spec.view, spec.depth)
        mirror.apply(feeds.snapshot(n))
        made.append(mirror)
    return made


def shown_orders(book: OrderBook, side: int, depth: int) -> list[tuple[int, int, int]]:
    rows = [row for row in book.orders() if row["side"] == side]
    prices = list(dict.fromkeys(int(row["price"]) for row in rows))[:depth]
    return [(int(row["handle"]), int(row["price"]), int(row["shown"])) for row in rows if row["price"] in prices]


def assert_same(mirror: BookMirror, book: OrderBook) -> None:
    for side in (0, 1):
        assert mirror.levels(side) == [tuple(level) for level in book.levels(side, mirror.depth).tolist()]
        if mirror.view == View.L3:
            assert [row[:3] for row in mirror.orders(side)] == shown_orders(book, side, mirror.depth)


def follow_stream(setup: Setup, inputs: Inputs) -> None:
    """Run a stream input by input; every subscriber must hold the book after every message."""
    book = setup.open(OrderBook)
    feeds = MarketFeeds(book, specs())
    held = mirrors(feeds)
    for n in range(len(inputs)):
        for mirror, published in zip(held, feeds.publish(book.apply(inputs[n : n + 1])), strict=True):
            mirror.apply(published)
            assert_same(mirror, book)


@given(aimed_streams())
def test_a_subscriber_holds_the_book_after_every_message(drawn: tuple[Setup, Inputs]) -> None:
    follow_stream(*drawn)


@pytest.mark.parametrize("seed", range(4))
def test_a_subscriber_holds_the_book_through_hostile_streams(seed: int) -> None:
    setup = hostile_setup(seed, max_orders=64)

    follow_stream(setup, aim(hostile_stream(seed, 400, setup), setup, seed))


def test_a_subscriber_holds_a_deep_book() -> None:
    setup = realistic_setup()
    stream = realistic_stream(5, 3_000)
    book = setup.open(OrderBook)
    feeds = MarketFeeds(book, specs())
    held = mirrors(feeds)

    for part in np.array_split(stream, 40):
        for mirror, published in zip(held, feeds.publish(book.apply(part)), strict=True):
            mirror.apply(published)
            assert_same(mirror, book)


def test_messages_do_not_depend_on_how_events_are_cut() -> None:
    setup, stream = realistic_setup(), realistic_stream(6, 1_500)
    for interval in (0, 5 * 10**9):
        whole, cut = setup.open(OrderBook), setup.open(OrderBook)
        at_once = MarketFeeds(whole, specs(interval)).publish(whole.apply(stream))
        feeds, parts = MarketFeeds(cut, specs(interval)), defaultdict(list)
        for part in np.array_split(stream, 97):
            for n, published in enumerate(feeds.publish(cut.apply(part))):
                parts[n].append(published)
        for n, expected in enumerate(at_once):
            rows = np.concatenate([part.rows for part in parts[n]])
            seqs = np.concatenate([part.messages["seq"] for part in parts[n]])
            np.testing.assert_array_equal(rows, expected.rows)
            np.testing.assert_array_equal(seqs, expected.messages["seq"])
            np.testing.assert_array_equal(seqs, 1 + np.arange(len(seqs)))


@given(aimed_streams(), st.integers(1, 9))
def test_a_conflated_feed_shows_the_book_as_it_stood_when_the_interval_ended(
    drawn: tuple[Setup, Inputs], interval: int
) -> None:
    setup, inputs = drawn
    book = setup.open(OrderBook)
    feeds = MarketFeeds(book, specs(interval))
    held = mirrors(feeds)
    states: list[tuple[int, list[Any]]] = []  # (last event, levels and orders) after each input

    def state() -> list[Any]:
        return [(book.levels(side, 1000).tolist(), shown_orders(book, side, 1000)) for side in (0, 1)]

    states.append((-1, state()))
    pieces = []
    for n in range(len(inputs)):
        events = book.apply(inputs[n : n + 1])
        pieces.append(feeds.publish(events))
        states.append((int(events["event_seq"][-1]) if len(events) else states[-1][0], state()))
    pieces.append(feeds.flush(2**62))

    by_event = dict(states)
    for piece in pieces:
        for mirror, published in zip(held, piece, strict=True):
            for message in published.messages:
                first = int(message["first"])
                rows = published.rows[first : first + int(message["count"])]
                one = np.array([message])
                one["first"] = 0
                mirror.apply(Published(one, rows))
                assert message["ts"] % interval == 0
                for side in (0, 1):
                    levels, orders = by_event[int(message["event_seq"])][side]
                    assert mirror.levels(side) == [tuple(row) for row in levels[: mirror.depth]]
                    if mirror.view == View.L3 and mirror.depth == 1000:
                        assert [row[:3] for row in mirror.orders(side)] == orders
    for mirror in held:
        assert_same(mirror, book)


def test_a_newcomer_joins_with_a_snapshot_and_then_hears_what_all_hear() -> None:
    setup, stream = realistic_setup(), realistic_stream(8, 1_000)
    book = setup.open(OrderBook)
    feeds = MarketFeeds(book, specs())
    feeds.publish(book.apply(stream[:600]))
    held = mirrors(feeds)

    for mirror, published in zip(held, feeds.publish(book.apply(stream[600:])), strict=True):
        mirror.apply(published)

        assert_same(mirror, book)


def test_feeds_may_begin_in_the_middle_of_a_market() -> None:
    setup, stream = realistic_setup(), realistic_stream(9, 1_000)
    book = setup.open(OrderBook)
    book.apply(stream[:600])
    feeds = MarketFeeds(book, specs())
    held = mirrors(feeds)

    for mirror, published in zip(held, feeds.publish(book.apply(stream[600:])), strict=True):
        mirror.apply(published)

        assert_same(mirror, book)


def test_the_top_of_the_book_is_told_with_its_orders_and_the_last_trade() -> None:
    setup, stream = realistic_setup(), realistic_stream(10, 600)
    book = setup.open(OrderBook)
    feeds = MarketFeeds(book, [FeedSpec(View.L1)])
    seen = feeds.snapshot(0).rows[-1]
    last = None
    for n in range(len(stream)):
        events = book.apply(stream[n : n + 1])
        trades = events[events["kind"] == EventKind.TRADE]
        last = trades[-1] if len(trades) else last
        published = feeds.publish(events)[0]
        assert len(published.messages) == len(published.rows) <= 1
        seen = published.rows[-1] if len(published.rows) else seen

        for side, price, lots, orders in ((0, "bid", "bid_lots", "bid_orders"), (1, "ask", "ask_lots", "ask_orders")):
            best = book.levels(side, 1)
            at_best = shown_orders(book, side, 1)
            assert (seen[price], seen[lots]) == (tuple(best[0]) if len(best) else (0, 0))
            assert seen[orders] == len(at_best)
        if last is not None:
            assert (seen["last_price"], seen["last_lots"]) == (last["price"], last["lots"])


def test_tape_and_candles_add_up_to_the_trades() -> None:
    setup, stream = realistic_setup(), realistic_stream(11, 2_000)
    book, tape, candles = setup.open(OrderBook), TradeTape(), Candles(60 * 10**9)
    trades, final = [], {}
    for part in np.array_split(stream, 31):
        events = book.apply(part)
        trades.append(events[events["kind"] == EventKind.TRADE])
        for candle in candles.publish(tape.publish(events)):
            final[int(candle["start"])] = candle
    every = np.concatenate(trades)

    assert tape.seq == len(every) > 50
    minutes = every["ts"] // (60 * 10**9) * (60 * 10**9)
    assert sorted(final) == sorted(set(minutes.tolist()))
    for start, candle in final.items():
        inside = every[minutes == start]
        assert candle["open"] == inside["price"][0]
        assert candle["close"] == inside["price"][-1]
        assert (candle["high"], candle["low"]) == (inside["price"].max(), inside["price"].min())
        assert (candle["lots"], candle["trades"]) == (inside["lots"].sum(), len(inside))
        assert candle["tick_lots"] == (inside["lots"] * inside["price"]).sum()


def test_a_gap_is_refused() -> None:
    setup, stream = realistic_setup(), realistic_stream(12, 400)
    book = setup.open(OrderBook)
    feeds = MarketFeeds(book, [FeedSpec(View.L2)])
    mirror = mirrors(feeds)[0]
    published = feeds.publish(book.apply(stream))[0]
    lost = Published(np.delete(published.messages, 5), published.rows)

    with pytest.raises(DataError, match="message 6 is missing, 7 came"):
        mirror.apply(lost)


def test_a_wrong_level_is_found_by_the_checksum() -> None:
    setup, stream = realistic_setup(), realistic_stream(12, 400)
    book = setup.open(OrderBook)
    feeds = MarketFeeds(book, [FeedSpec(View.L2, checksum=True)])
    mirror = mirrors(feeds)[0]
    published = feeds.publish(book.apply(stream))[0]
    published.rows["lots"][7] += 1

    with pytest.raises(DataError, match="checksum"):
        mirror.apply(published)


def test_events_must_come_once_and_in_order() -> None:
    setup, stream = realistic_setup(), realistic_stream(12, 400)
    book = setup.open(OrderBook)
    feeds = MarketFeeds(book, [FeedSpec(View.L2)])
    events = book.apply(stream)
    feeds.publish(events)

    with pytest.raises(DataError, match="do not follow event"):
        feeds.publish(events)


def test_an_impossible_feed_is_refused() -> None:
    with pytest.raises(ConfigError, match="depth 0"):
        FeedSpec(View.L2, depth=0)
    with pytest.raises(ConfigError, match="no checksum"):
        FeedSpec(View.L1, checksum=True)
