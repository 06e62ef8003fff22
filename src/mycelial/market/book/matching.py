"""Price-time matching: take what crosses, rest what remains.

A level is swept from the head of its queue and its head is written once, at the end; makers that are filled are not
unlinked one by one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mycelial.market.book import output
from mycelial.market.book.ladder import clear, exists, join, leave, worse
from mycelial.market.book.ledger import settle, take_hold
from mycelial.market.book.pool import free_slot, watch_expiry
from mycelial.market.book.records import Done, Flag, Stp, Tif
from mycelial.market.book.state import AMENDED_OUT, BEST_ASK, BEST_BID, ICEBERGS, IN_BOOK, PRIORITY, Book

_NEWEST, _OLDEST, _BOTH, _NONE = (int(mode) for mode in Stp)
_GTD, _FOK = int(Tif.GTD), int(Tif.FOK)
_MARKET, _POST_ONLY = int(Flag.MARKET), int(Flag.POST_ONLY)
_FILLED, _IOC_REST, _FOK_KILL = int(Done.FILLED), int(Done.IOC_REST), int(Done.FOK_KILL)
_STP, _POST_ONLY_DONE, _PROTECTION = int(Done.STP), int(Done.POST_ONLY), int(Done.PROTECTION)
_NIL = np.uint32(0)


@njit
def best(book: Book, side: int) -> int:
    """Return the best tick of a side; 0 or `ladder` when it is empty."""
    return book.scalars[BEST_BID] if side == 0 else book.scalars[BEST_ASK]


@njit
def crosses(book: Book, side: int, limit: int) -> bool:
    """Tell whether an order of `side` at `limit` would meet the other side."""
    return limit >= book.scalars[BEST_ASK] if side == 0 else limit <= book.scalars[BEST_BID]


@njit
def is_same_trader(book: Book, slot: np.uint32, owner: int, group: int) -> bool:
    """Tell whether the order in `slot` counts as one of `owner` trading for `group` (-1: for nobody else)."""
    terms = book.terms[slot]
    return terms.owner == owner or (terms.group == group and group >= 0)


@njit
def own_lots(book: Book, side: int, tick: int, owner: int, group: int) -> int:
    """Return the lots of a level, hidden ones included, that are of one trader."""
    lots, at = np.int64(0), book.levels[side, np.uint64(tick)].head
    while at != 0:
        if is_same_trader(book, at, owner, group):
            lots += np.int64(book.orders[at].shown) + book.orders[at].hidden
        at = book.orders[at].next
    return lots


@njit
def finish(book: Book, log: output.Log, n: int, slot: np.uint32, reason: int, leaves: int) -> int:
    """End an order that is in no queue: write DONE, give back its hold, free its slot."""
    n = output.done(book, log, n, slot, reason, leaves)
    terms = book.terms[slot]
    if terms.hold != 0:
        take_hold(book, slot, 0)
    if terms.display != 0:
        book.scalars[ICEBERGS] -= 1
    free_slot(book, slot)
    return n


@njit
def withdraw(book: Book, log: output.Log, n: int, slot: np.uint32, reason: int) -> int:
    """End a resting order."""
    leave(book, slot, np.int64(book.terms[slot].side))
    left = np.int64(book.orders[slot].shown) + book.orders[slot].hidden
    return finish(book, log, n, slot, reason, left)


@njit
def enter(book: Book, log: output.Log, n: int, slot: np.uint32) -> int:
    """Match an order that has been accepted or amended, then rest it or end it.

    `shown` of the order is its whole remainder and it is in no queue.
    """
    order, terms = book.orders[slot], book.terms[slot]
    side, limit, stp = np.int64(terms.side), np.int64(order.tick), np.int64(terms.stp)
    if crosses(book, side, limit):
        if terms.flags & _POST_ONLY:
            return finish(book, log, n, slot, _POST_ONLY_DONE, np.int64(order.shown))
        if terms.tif == _FOK and not can_fill(book, slot, stp):
            return finish(book, log, n, slot, _FOK_KILL, np.int64(order.shown))
        stopped = False
        while order.shown > 0 and crosses(book, side, limit) and not stopped:
            n, stopped = _sweep(book, log, n, slot, stp, best(book, 1 - side))
        if order.shown == 0:
            return finish(book, log, n, slot, _FILLED, 0)
        if stopped:
            return finish(book, log, n, slot, _STP, np.int64(order.shown))
    elif terms.tif == _FOK:
        return finish(book, log, n, slot, _FOK_KILL, np.int64(order.shown))
    if terms.flags & _MARKET:
        return finish(book, log, n, slot, _PROTECTION, np.int64(order.shown))
    if terms.tif > _GTD:
        return finish(book, log, n, slot, _IOC_REST, np.int64(order.shown))
    if terms.display != 0:
        tip = min(terms.display, order.shown)
        order.hidden = order.shown - tip
        order.shown = tip
    if terms.tif == _GTD and terms.resting != AMENDED_OUT:
        watch_expiry(book, slot)
    terms.resting = np.uint8(IN_BOOK)
    join(book, slot, side, limit)
    return output.rested(book, log, n, slot)


@njit
def _sweep(book: Book, log: output.Log, n: int, taker: np.uint32, stp: int, tick: int) -> tuple[int, bool]:
    """Trade against the level at `tick` until it or the taker is used up; tell whether self-trade prevention stopped it."""
    order, terms = book.orders[taker], book.terms[taker]
    maker_side = 1 - np.int64(terms.side)
    level = book.levels[maker_side, np.uint64(tick)]
    at, stopped = level.head, False
    while at != 0 and order.shown > 0:
        maker = book.orders[at]
        if stp != _NONE and is_same_trader(book, at, terms.owner, terms.group):
            if stp != _NEWEST:
                behind = maker.next
                level.shown -= maker.shown
                book.hidden[maker_side, np.uint64(tick)] -= maker.hidden
                n = finish(book, log, n, at, _STP, np.int64(maker.shown) + maker.hidden)
                at = behind
            if stp != _OLDEST:
                stopped = True
                break
            continue
        lots = np.int64(min(maker.shown, order.shown))
        taker_fee, maker_fee = settle(book, taker, at, tick, lots)
        n = output.traded(book, log, n, taker, at, lots, np.int64(order.shown) - lots, taker_fee, maker_fee)
        order.shown -= lots
        maker.shown -= lots
        level.shown -= lots
        if maker.shown > 0:
            break
        behind = maker.next
        if maker.hidden == 0:
            n = finish(book, log, n, at, _FILLED, 0)
            at = behind
        else:
            at = _refill(book, at, maker_side, tick)
            n = output.replenished(book, log, n, level.tail)
    level.head = at
    if at == 0:
        level.tail = _NIL
        clear(book, maker_side, tick)
    else:
        book.orders[at].prev = _NIL
    return n, stopped


@njit
def _refill(book: Book, slot: np.uint32, side: int, tick: int) -> np.uint32:
    """Show an iceberg's next tip at the back of its queue, whose head it is; return the new head."""
    order = book.orders[slot]
    level = book.levels[side, np.uint64(tick)]
    tip = min(book.terms[slot].display, order.hidden)
    order.shown = tip
    order.hidden -= tip
    level.shown += tip
    book.hidden[side, np.uint64(tick)] -= tip
    order.priority = book.scalars[PRIORITY]
    book.scalars[PRIORITY] += 1
    behind = order.next
    if behind == 0:
        return slot
    book.orders[level.tail].next = slot
    order.prev = level.tail
    order.next = _NIL
    level.tail = slot
    return behind


@njit
def can_fill(book: Book, taker: np.uint32, stp: int) -> bool:
    """Tell whether a fill-or-kill order would be filled whole (decision 9, "FOK and own orders")."""
    terms = book.terms[taker]
    side, limit, need = np.int64(terms.side), np.int64(book.orders[taker].tick), np.int64(book.orders[taker].shown)
    other = 1 - side
    tick = best(book, other)
    while exists(book, other, tick) and (tick <= limit if side == 0 else tick >= limit):
        level = book.levels[other, np.uint64(tick)]
        there = level.shown + book.hidden[other, np.uint64(tick)]
        if stp != _NONE:
            ahead, own, at = np.int64(0), np.int64(0), level.head
            while at != 0:
                if is_same_trader(book, at, terms.owner, terms.group):
                    if stp != _OLDEST:
                        return ahead >= need
                    own += np.int64(book.orders[at].shown) + book.orders[at].hidden
                ahead += book.orders[at].shown
                at = book.orders[at].next
            there -= own
        need -= there
        if need <= 0:
            return True
        tick = worse(book, other, tick)
    return False
