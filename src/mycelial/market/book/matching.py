"""Price-time matching: take what crosses, rest what remains.

A level is swept from the head of its queue and its head is written once, at the end; makers that are filled are not
unlinked one by one.
"""

from __future__ import annotations

import numpy as np

from mycelial.domain.kernels import helper
from mycelial.market.book import output
from mycelial.market.book.ladder import clear, exists, join, leave, worse
from mycelial.market.book.ledger import settle, take_hold
from mycelial.market.book.pool import free_slot, watch_expiry
from mycelial.market.book.records import Done, Flag, Stp, Tif
from mycelial.market.book.state import AMENDED_OUT, IN_BOOK, Book, hidden_of, level_of, order_of, terms_of

_NEWEST, _OLDEST, _, _NONE = (int(mode) for mode in Stp)
_GTD, _FOK = int(Tif.GTD), int(Tif.FOK)
_MARKET, _POST_ONLY = int(Flag.MARKET), int(Flag.POST_ONLY)
_FILLED, _IOC_REST, _FOK_KILL = int(Done.FILLED), int(Done.IOC_REST), int(Done.FOK_KILL)
_STP, _POST_ONLY_DONE, _PROTECTION = int(Done.STP), int(Done.POST_ONLY), int(Done.PROTECTION)


@helper
def best(book: Book, side: int) -> int:
    """Return the best tick of a side; 0 or `ladder` when it is empty."""
    return book.best_bid if side == 0 else book.best_ask


@helper
def crosses(book: Book, side: int, limit: int) -> bool:
    """Tell whether an order of `side` at `limit` would meet the other side."""
    return limit >= book.best_ask if side == 0 else limit <= book.best_bid


@helper
def is_same_trader(book: Book, slot: int, owner: int, group: int) -> bool:
    """Tell whether the order in `slot` counts as one of `owner`, who trades for `group`."""
    terms = terms_of(book, slot)
    return terms.owner == owner or terms.group == group


@helper
def own_lots(book: Book, place: int, owner: int, group: int) -> int:
    """Return the lots at a level, hidden ones included, that are of one trader."""
    lots, at = 0, np.int64(level_of(book, place).head)
    while at != 0:
        order = order_of(book, at)
        if is_same_trader(book, at, owner, group):
            lots += np.int64(order.shown) + order.hidden
        at = np.int64(order.next)
    return lots


@helper
def finish(book: Book, slot: int, reason: int, leaves: int) -> None:
    """End an order that is in no queue: write DONE, give back its hold, free its slot."""
    output.done(book, slot, reason, leaves)
    terms = terms_of(book, slot)
    if terms.hold != 0:
        take_hold(book, slot, 0)
    if terms.display != 0:
        book.icebergs -= 1
    free_slot(book, slot)


@helper
def withdraw(book: Book, slot: int, reason: int) -> None:
    """End a resting order."""
    leave(book, slot, terms_of(book, slot).side)
    finish(book, slot, reason, np.int64(order_of(book, slot).shown) + order_of(book, slot).hidden)


@helper
def enter(book: Book, slot: int) -> None:
    """Match an order that has been accepted or amended, then rest it or end it.

    `shown` of the order is its whole remainder and it is in no queue.
    """
    order, terms = order_of(book, slot), terms_of(book, slot)
    side, limit, end = np.int64(terms.side), np.int64(order.tick), -1
    if crosses(book, side, limit):
        if terms.flags & _POST_ONLY:
            end = _POST_ONLY_DONE
        elif terms.tif == _FOK and not can_fill(book, slot):
            end = _FOK_KILL
        else:
            while end < 0 and crosses(book, side, limit):
                end = _sweep(book, slot, best(book, 1 - side))
    elif terms.tif == _FOK:
        end = _FOK_KILL
    if end < 0 and terms.flags & _MARKET:
        end = _PROTECTION
    elif end < 0 and terms.tif > _GTD:
        end = _IOC_REST
    if end >= 0:
        finish(book, slot, end, order.shown)
        return
    if terms.display != 0:
        tip = min(terms.display, order.shown)
        order.shown, order.hidden = tip, order.shown - tip
    if terms.tif == _GTD and terms.resting != AMENDED_OUT:
        watch_expiry(book, slot)
    terms.resting = IN_BOOK
    join(book, slot, side, limit)
    output.rested(book, slot)


@helper
def _sweep(book: Book, taker: int, tick: int) -> int:
    """Trade against the level at `tick`; return why the taker is done, or -1 if it goes on."""
    order, terms = order_of(book, taker), terms_of(book, taker)
    place = 2 * tick + 1 - terms.side
    level = level_of(book, place)
    at, end = np.int64(level.head), -1
    while at != 0 and end < 0:
        maker = order_of(book, at)
        behind = np.int64(maker.next)
        if terms.stp != _NONE and is_same_trader(book, at, terms.owner, terms.group):
            if terms.stp != _OLDEST:
                end = _STP
            if terms.stp != _NEWEST:
                level.shown -= maker.shown
                hidden_of(book, place).lots -= maker.hidden
                finish(book, at, _STP, np.int64(maker.shown) + maker.hidden)
                at = behind
            continue
        lots = min(np.int64(maker.shown), np.int64(order.shown))
        taker_fee, maker_fee = settle(book, taker, at, tick, lots)
        output.traded(book, taker, at, lots, order.shown - lots, taker_fee, maker_fee)
        order.shown -= lots
        maker.shown -= lots
        level.shown -= lots
        if maker.shown == 0 and maker.hidden == 0:
            finish(book, at, _FILLED, 0)
            at = behind
        elif maker.shown == 0:
            refilled = at
            at = _refill(book, at, place)
            output.replenished(book, refilled)
        if order.shown == 0:
            end = _FILLED
    level.head = at
    if at == 0:
        level.tail = 0
        clear(book, 1 - np.int64(terms.side), tick)
    else:
        order_of(book, at).prev = 0
    return end


@helper
def _refill(book: Book, slot: int, place: int) -> int:
    """Show the next tip of the iceberg at the head of a queue, at its back; return the new head."""
    order, level = order_of(book, slot), level_of(book, place)
    tip = min(terms_of(book, slot).display, order.hidden)
    order.shown = tip
    order.hidden -= tip
    level.shown += tip
    hidden_of(book, place).lots -= tip
    order.priority = book.priority
    book.priority += 1
    behind = np.int64(order.next)
    if behind == 0:
        return slot
    order_of(book, level.tail).next = slot
    order.prev = level.tail
    order.next = 0
    level.tail = slot
    return int(behind)


@helper
def can_fill(book: Book, taker: int) -> bool:
    """Tell whether a fill-or-kill order would be filled whole (decision 9, "FOK and own orders")."""
    terms, order = terms_of(book, taker), order_of(book, taker)
    side, limit, need = np.int64(terms.side), np.int64(order.tick), np.int64(order.shown)
    other = 1 - side
    tick = best(book, other)
    while exists(book, other, tick) and (tick <= limit if side == 0 else tick >= limit):
        level = level_of(book, 2 * tick + other)
        there = level.shown + hidden_of(book, 2 * tick + other).lots
        if terms.stp != _NONE:
            ahead, at = 0, np.int64(level.head)
            while at != 0:
                maker = order_of(book, at)
                if not is_same_trader(book, at, terms.owner, terms.group):
                    ahead += maker.shown
                elif terms.stp != _OLDEST:
                    return bool(ahead >= need)
                else:
                    there -= np.int64(maker.shown) + maker.hidden
                at = np.int64(maker.next)
        need -= there
        if need <= 0:
            return True
        tick = worse(book, other, tick)
    return False
