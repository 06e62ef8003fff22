"""What one feed writes: the levels, orders or best prices that changed since its last message."""

from __future__ import annotations

import numpy as np

from mycelial.domain.kernels import helper
from mycelial.market.book.ladder import exists, worse
from mycelial.market.book.matching import best
from mycelial.market.book.pool import handle_of
from mycelial.market.book.state import Book, level_of, order_of
from mycelial.market.checksum import LEVELS, START, finished, with_entry
from mycelial.market.feeds.records import (
    Feed,
    Market,
    MessageKind,
    View,
    count_of,
    held_of,
    joining_at,
    level_mark_of,
    message_of,
    noted_level,
    noted_order,
    order_mark_of,
    row_of,
    sent_of,
    since_of,
    touch_of,
    touch_row_of,
    window_of,
)
from mycelial.market.feeds.window import NOTHING, in_view, next_to_drop, next_to_show

_L1, _L2, _L3 = (int(view) for view in View)
_UPDATE, _SNAPSHOT = int(MessageKind.UPDATE), int(MessageKind.SNAPSHOT)


@helper
def note(feed: Feed, place: int, slot: int) -> None:
    """Remember that a level and an order may differ from what a subscriber holds."""
    stamp = feed.round
    feed.pending = 1
    if feed.shows == _L1:
        return
    if level_mark_of(feed, place).lots != stamp:
        level_mark_of(feed, place).lots = stamp
        noted_level(feed, feed.levels_noted).at = place
        feed.levels_noted += 1
    if feed.shows == _L3 and order_mark_of(feed, slot).lots != stamp:
        order_mark_of(feed, slot).lots = stamp
        noted_order(feed, feed.orders_noted).at = slot
        feed.orders_noted += 1


@helper
def rows_needed(market: Market, feed: Feed, events: int) -> int:
    """Return how many rows the next message can have at most, after so many more events."""
    if feed.shows == _L1:
        return 2
    if feed.shows == _L2:
        return feed.levels_noted + events + 2 * feed.depth
    return 2 * (feed.orders_noted + events) + market.resting + events


@helper
def emit(book: Book, market: Market, feed: Feed, ts: int) -> None:
    """Write what changed as one message; nothing if it all changed back."""
    first = feed.rows_written
    if feed.shows == _L1:
        _touch_changed(book, market, feed)
    elif feed.shows == _L2:
        _levels_changed(book, feed)
    else:
        _orders_changed(book, market, feed)
    feed.round += 1
    feed.pending, feed.levels_noted, feed.orders_noted = 0, 0, 0
    if feed.rows_written > first:
        _message(book, market, feed, _UPDATE, feed.seq, ts, first)
        feed.seq += 1


@helper
def show_all(book: Book, market: Market, feed: Feed, seq: int, ts: int) -> None:
    """Write a snapshot of what a subscriber should hold."""
    first = feed.rows_written
    if feed.shows == _L1:
        _write_touch(feed)
    else:
        for side in range(2):
            tick, left = best(book, side), window_of(feed, side).levels
            while left > 0 and exists(book, side, tick):
                if feed.shows == _L2:
                    _write_level(feed, side, tick, level_of(book, 2 * tick + side).shown)
                else:
                    at = np.int64(level_of(book, 2 * tick + side).head)
                    while at != 0:
                        _write_order(book, market, feed, side, at)
                        at = np.int64(order_of(book, at).next)
                left -= 1
                tick = worse(book, side, tick)
    _message(book, market, feed, _SNAPSHOT, seq, ts, first)


@helper
def _message(book: Book, market: Market, feed: Feed, kind: int, seq: int, ts: int, first: int) -> None:
    message = message_of(feed, feed.messages_written)
    feed.messages_written += 1
    message.seq, message.ts, message.event_seq, message.kind = seq, ts, market.event_seq, kind
    message.first, message.count = first, feed.rows_written - first
    message.checksum = checksum(book, market, feed) if feed.checksum != 0 else -1


# ---- L1 ------------------------------------------------------------------------------------------------------------


@helper
def _touch_changed(book: Book, market: Market, feed: Feed) -> None:
    touch, changed = touch_of(feed, 0), False
    bid, ask = book.best_bid, book.best_ask % book.ladder
    bid_lots = level_of(book, 2 * bid).shown if bid != 0 else 0
    ask_lots = level_of(book, 2 * ask + 1).shown if ask != 0 else 0
    bid_orders = count_of(market, 2 * bid).lots if bid != 0 else 0
    ask_orders = count_of(market, 2 * ask + 1).lots if ask != 0 else 0
    if touch.bid != bid or touch.bid_lots != bid_lots or touch.bid_orders != bid_orders:
        touch.bid, touch.bid_lots, touch.bid_orders, changed = bid, bid_lots, bid_orders, True
    if touch.ask != ask or touch.ask_lots != ask_lots or touch.ask_orders != ask_orders:
        touch.ask, touch.ask_lots, touch.ask_orders, changed = ask, ask_lots, ask_orders, True
    if touch.last_ts != market.last_ts or touch.last_price != market.last_price or touch.last_lots != market.last_lots:
        touch.last_ts, touch.last_price, touch.last_lots = market.last_ts, market.last_price, market.last_lots
        changed = True
    if touch.mode != market.mode or touch.last_side != market.last_side:
        touch.mode, touch.last_side, changed = market.mode, market.last_side, True
    if changed:
        _write_touch(feed)


@helper
def _write_touch(feed: Feed) -> None:
    row, touch = touch_row_of(feed, feed.rows_written), touch_of(feed, 0)
    feed.rows_written += 1
    row.bid, row.bid_lots, row.bid_orders = touch.bid, touch.bid_lots, touch.bid_orders
    row.ask, row.ask_lots, row.ask_orders = touch.ask, touch.ask_lots, touch.ask_orders
    row.last_price, row.last_lots, row.last_side = touch.last_price, touch.last_lots, touch.last_side
    row.last_ts, row.mode = touch.last_ts, touch.mode


# ---- L2 ------------------------------------------------------------------------------------------------------------


@helper
def _write_level(feed: Feed, side: int, tick: int, lots: int) -> None:
    row = row_of(feed, feed.rows_written)
    feed.rows_written += 1
    row.handle, row.price, row.lots, row.ts, row.side = 0, tick, lots, 0, side


@helper
def _levels_changed(book: Book, feed: Feed) -> None:
    for n in range(feed.levels_noted):
        place = noted_level(feed, n).at
        side, tick = place & 1, place >> 1
        if _renew_level(book, feed, side, tick):
            _write_level(feed, side, tick, sent_of(feed, place).lots)
    for side in range(2):
        tick = next_to_show(book, feed, side)
        while tick != NOTHING:
            sent_of(feed, 2 * tick + side).lots = level_of(book, 2 * tick + side).shown
            _write_level(feed, side, tick, sent_of(feed, 2 * tick + side).lots)
            tick = next_to_show(book, feed, side)
        while next_to_drop(book, feed, side) != NOTHING:
            pass


@helper
def _renew_level(book: Book, feed: Feed, side: int, tick: int) -> bool:
    """Bring `sent` and the number of levels in view up to date for one level; tell whether its lots changed."""
    place = 2 * tick + side
    sent, lots = sent_of(feed, place), level_of(book, place).shown
    if sent.lots == lots or (sent.lots == 0 and not in_view(feed, side, tick)):
        return False
    if sent.lots == 0:
        window_of(feed, side).levels += 1
    elif lots == 0:
        window_of(feed, side).levels -= 1
    sent.lots = lots
    return True


# ---- L3 ------------------------------------------------------------------------------------------------------------


@helper
def _write_order(book: Book, market: Market, feed: Feed, side: int, slot: int) -> None:
    row, order = row_of(feed, feed.rows_written), order_of(book, slot)
    feed.rows_written += 1
    row.handle, row.price, row.lots = handle_of(book, slot), order.tick, order.shown
    row.ts, row.side = since_of(market, slot).lots, side


@helper
def _show_order(book: Book, market: Market, feed: Feed, side: int, slot: int) -> None:
    held, order = held_of(feed, slot), order_of(book, slot)
    held.handle, held.priority, held.lots = handle_of(book, slot), order.priority, order.shown
    held.place = 2 * np.int64(order.tick) + side
    _write_order(book, market, feed, side, slot)


@helper
def _orders_changed(book: Book, market: Market, feed: Feed) -> None:
    for n in range(feed.levels_noted):
        place = noted_level(feed, n).at
        _renew_level(book, feed, place & 1, place >> 1)
    joining = 0
    for n in range(feed.orders_noted):
        slot = noted_order(feed, n).at
        held, order = held_of(feed, slot), order_of(book, slot)
        stays = order.shown > 0 and held.handle == handle_of(book, slot) and held.priority == order.priority
        if held.handle != 0 and not stays:
            row = row_of(feed, feed.rows_written)
            feed.rows_written += 1
            row.handle, row.price, row.side = held.handle, held.place >> 1, held.place & 1
            row.lots, row.ts = 0, 0
            held.handle = 0
        elif stays and held.lots != order.shown:
            side = 0 if order.tick <= book.best_bid else 1
            held.lots = order.shown
            _write_order(book, market, feed, side, slot)
        if order.shown > 0 and not stays:
            joining_at(feed, joining).at = slot
            joining += 1
    _sort_by_priority(book, feed, joining)
    for n in range(joining):
        slot = joining_at(feed, n).at
        tick = np.int64(order_of(book, slot).tick)
        side = 0 if tick <= book.best_bid else 1
        if sent_of(feed, 2 * tick + side).lots > 0:
            _show_order(book, market, feed, side, slot)
    for side in range(2):
        tick = next_to_show(book, feed, side)
        while tick != NOTHING:
            sent_of(feed, 2 * tick + side).lots = level_of(book, 2 * tick + side).shown
            at = np.int64(level_of(book, 2 * tick + side).head)
            while at != 0:
                _show_order(book, market, feed, side, at)
                at = np.int64(order_of(book, at).next)
            tick = next_to_show(book, feed, side)
        tick = next_to_drop(book, feed, side)
        while tick != NOTHING:
            at = np.int64(level_of(book, 2 * tick + side).head)
            while at != 0:
                held_of(feed, at).handle = 0
                at = np.int64(order_of(book, at).next)
            tick = next_to_drop(book, feed, side)


@helper
def _sort_by_priority(book: Book, feed: Feed, count: int) -> None:
    """Put joining orders in the order of their places in the queues; mostly they are (Shell's sort)."""
    gap = count // 2
    while gap > 0:
        for n in range(gap, count):
            slot = joining_at(feed, n).at
            priority, at = order_of(book, slot).priority, n
            while at >= gap and order_of(book, joining_at(feed, at - gap).at).priority > priority:
                joining_at(feed, at).at = joining_at(feed, at - gap).at
                at -= gap
            joining_at(feed, at).at = slot
        gap //= 2


# ---- checksums -----------------------------------------------------------------------------------------------------


@helper
def checksum(book: Book, market: Market, feed: Feed) -> int:
    """Return the checksum of the best ten levels in view, of their orders for L3."""
    crc = _with_side(book, market, feed, 1, START)
    return finished(_with_side(book, market, feed, 0, crc))


@helper
def _with_side(book: Book, market: Market, feed: Feed, side: int, crc: np.uint64) -> np.uint64:
    tick, left = best(book, side), min(LEVELS, feed.depth)
    while left > 0 and exists(book, side, tick):
        level = level_of(book, 2 * tick + side)
        price = tick * market.price_step
        if feed.shows != _L3:
            crc = with_entry(crc, price, level.shown * market.lot_step)
        else:
            slot = np.int64(level.head)
            while slot != 0:
                order = order_of(book, slot)
                crc = with_entry(crc, price, np.int64(order.shown) * market.lot_step)
                slot = np.int64(order.next)
        left -= 1
        tick = worse(book, side, tick)
    return crc
