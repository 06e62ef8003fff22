"""The displayed book as its events tell it: levels, queues and tips, without accounts and without hidden lots.

Slots are those of the handles, so the ladder of the order book serves the replica as well. Between the events of one
input it may be crossed or hold an empty tip; after the last of them it shows what the book shows.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.kernels import entry, helper
from mycelial.market.book.ladder import join, leave
from mycelial.market.book.records import EventFlag, EventKind
from mycelial.market.book.state import Book, level_of, order_of
from mycelial.market.feeds.records import Market, count_of, since_of

_TRADE, _RESTED, _DONE, _AMENDED = (
    int(kind) for kind in (EventKind.TRADE, EventKind.RESTED, EventKind.DONE, EventKind.AMENDED)
)
_REPLENISHED, _MODE = int(EventKind.REPLENISHED), int(EventKind.MODE)
_RESTING, _KEPT = int(EventFlag.RESTING), int(EventFlag.KEPT)
_SLOT = np.int64(0xFFFFFFFF)

Event: TypeAlias = Any  # a record of dtype EVENT


@helper
def follow(book: Book, market: Market, event: Event) -> tuple[int, int]:
    """Apply one event; return the level (2 tick + side) and the slot that it changed, -1 for none."""
    kind, side = np.int64(event.kind), np.int64(event.side)
    market.now, market.event_seq = event.ts, event.event_seq
    slot = event.handle & _SLOT
    if kind == _TRADE:
        market.last_price, market.last_lots = event.price, event.lots
        market.last_side, market.last_ts = side, event.ts
        slot, place = event.maker_handle & _SLOT, 2 * event.price + 1 - side
        order_of(book, slot).shown -= event.lots
        level_of(book, place).shown -= event.lots
        return place, slot
    if kind == _RESTED:
        order_of(book, slot).generation = event.handle >> 32
        return _joins(book, market, slot, side, event.price, event.lots, event.ts), slot
    if kind == _DONE:
        if event.flags & _RESTING:
            return _leaves(book, market, slot, side), slot
    elif kind == _AMENDED:
        order = order_of(book, slot)
        if event.flags & _KEPT == 0:
            return _leaves(book, market, slot, side), slot
        place = 2 * event.price + side
        level_of(book, place).shown += event.lots - order.shown
        order.shown = event.lots
        return place, slot
    elif kind == _REPLENISHED:
        _leaves(book, market, slot, side)
        return _joins(book, market, slot, side, event.price, event.lots, event.ts), slot
    elif kind == _MODE:
        market.mode = event.lots
    return -1, -1


@helper
def _joins(book: Book, market: Market, slot: int, side: int, tick: int, lots: int, ts: int) -> int:
    order = order_of(book, slot)
    order.tick, order.shown, order.hidden = tick, lots, 0
    join(book, slot, side, tick)
    count_of(market, 2 * tick + side).lots += 1
    since_of(market, slot).lots = ts
    market.resting += 1
    return 2 * tick + side


@helper
def _leaves(book: Book, market: Market, slot: int, side: int) -> int:
    order = order_of(book, slot)
    place = 2 * int(order.tick) + side
    leave(book, slot, side)
    order.shown = 0  # which is how feeds see that nobody rests in the slot
    count_of(market, place).lots -= 1
    market.resting -= 1
    return place


@entry
def copy_resting(
    header: NDArray[np.void], market_header: NDArray[np.void], resting: NDArray[np.void], since: NDArray[np.int64]
) -> None:
    """Fill an empty replica with the live orders of a book, listed in queue order (`book.view.RESTING`)."""
    book, market = header[0], market_header[0]
    for n in range(len(resting)):
        row = resting[n]
        slot = row.handle & _SLOT
        order_of(book, slot).generation = row.handle >> 32
        _joins(book, market, slot, np.int64(row.side), row.price, row.shown, since[n])
