"""Levels and queues: find the best price, join a queue, leave it.

Best prices are found through a bitmap of non-empty ticks with two summary levels, by counting zeros. An empty bid side
has best tick 0, an empty ask side has best tick `ladder`: neither crosses any price that can rest.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mycelial.domain.bits import highest_bit, trailing_zeros
from mycelial.market.book.state import BEST_ASK, BEST_BID, PRIORITY, Book

_ONE, _SIX, _LOW = np.uint64(1), np.uint64(6), np.uint64(63)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@njit
def mark(book: Book, side: int, tick: int) -> None:
    """Say that a tick has orders now, and move the best price."""
    at = np.uint64(tick)
    word = at >> _SIX
    if book.words[side, word] == 0:
        group = word >> _SIX
        if book.summary[side, group] == 0:
            book.top[side, group >> _SIX] |= _ONE << (group & _LOW)
        book.summary[side, group] |= _ONE << (word & _LOW)
    book.words[side, word] |= _ONE << (at & _LOW)
    if side == 0:
        if tick > book.scalars[BEST_BID]:
            book.scalars[BEST_BID] = tick
    elif tick < book.scalars[BEST_ASK]:
        book.scalars[BEST_ASK] = tick


@njit
def clear(book: Book, side: int, tick: int) -> None:
    """Say that a tick is empty now, and move the best price."""
    at = np.uint64(tick)
    word = at >> _SIX
    book.words[side, word] &= ~(_ONE << (at & _LOW))
    if book.words[side, word] == 0:
        group = word >> _SIX
        book.summary[side, group] &= ~(_ONE << (word & _LOW))
        if book.summary[side, group] == 0:
            book.top[side, group >> _SIX] &= ~(_ONE << (group & _LOW))
    if side == 0:
        if tick == book.scalars[BEST_BID]:
            book.scalars[BEST_BID] = below(book, tick)
    elif tick == book.scalars[BEST_ASK]:
        book.scalars[BEST_ASK] = above(book, tick)


@njit
def below(book: Book, tick: int) -> int:
    """Return the highest bid tick under `tick`, 0 if there is none."""
    at = np.uint64(tick)
    word = at >> _SIX
    found = book.words[0, word] & ((_ONE << (at & _LOW)) - _ONE)
    if found != 0:
        return (np.int64(word) << 6) + highest_bit(found)
    group = word >> _SIX
    found = book.summary[0, group] & ((_ONE << (word & _LOW)) - _ONE)
    if found == 0:
        high = group >> _SIX
        found = book.top[0, high] & ((_ONE << (group & _LOW)) - _ONE)
        while found == 0:
            if high == 0:
                return 0
            high -= _ONE
            found = book.top[0, high]
        group = (high << _SIX) + np.uint64(highest_bit(found))
        found = book.summary[0, group]
    word = (group << _SIX) + np.uint64(highest_bit(found))
    return (np.int64(word) << 6) + highest_bit(book.words[0, word])


@njit
def above(book: Book, tick: int) -> int:
    """Return the lowest ask tick over `tick`, `ladder` if there is none."""
    at = np.uint64(tick)
    word = at >> _SIX
    found = book.words[1, word] & ((_ALL << (at & _LOW)) << _ONE)
    if found != 0:
        return (np.int64(word) << 6) + trailing_zeros(found)
    group = word >> _SIX
    found = book.summary[1, group] & ((_ALL << (word & _LOW)) << _ONE)
    if found == 0:
        high = group >> _SIX
        found = book.top[1, high] & ((_ALL << (group & _LOW)) << _ONE)
        while found == 0:
            high += _ONE
            if high == np.uint64(book.top.shape[1]):
                return book.rules.ladder
            found = book.top[1, high]
        group = (high << _SIX) + np.uint64(trailing_zeros(found))
        found = book.summary[1, group]
    word = (group << _SIX) + np.uint64(trailing_zeros(found))
    return (np.int64(word) << 6) + trailing_zeros(book.words[1, word])


@njit
def worse(book: Book, side: int, tick: int) -> int:
    """Return the next non-empty tick behind `tick`: lower for bids, higher for asks."""
    return below(book, tick) if side == 0 else above(book, tick)


@njit
def exists(book: Book, side: int, tick: int) -> bool:
    """Tell whether a best or next tick is a level, not the end of the side."""
    return tick > 0 if side == 0 else tick < book.rules.ladder


@njit
def join(book: Book, slot: np.uint32, side: int, tick: int) -> None:
    """Put an order, its `shown` and `hidden` set, at the back of the queue of `tick`."""
    order = book.orders[slot]
    level = book.levels[side, np.uint64(tick)]
    priority = book.scalars[PRIORITY]
    book.scalars[PRIORITY] = priority + 1
    order.priority = priority
    order.tick = np.uint32(tick)
    order.next = np.uint32(0)
    tail = level.tail
    order.prev = tail
    if tail == 0:
        level.head = slot
        mark(book, side, tick)
    else:
        book.orders[tail].next = slot
    level.tail = slot
    level.shown += order.shown
    if order.hidden != 0:
        book.hidden[side, np.uint64(tick)] += order.hidden


@njit
def leave(book: Book, slot: np.uint32, side: int) -> None:
    """Take an order out of its queue."""
    order = book.orders[slot]
    tick = np.int64(order.tick)
    level = book.levels[side, np.uint64(tick)]
    before, behind = order.prev, order.next
    if before == 0:
        level.head = behind
    else:
        book.orders[before].next = behind
    if behind == 0:
        level.tail = before
    else:
        book.orders[behind].prev = before
    level.shown -= order.shown
    if order.hidden != 0:
        book.hidden[side, np.uint64(tick)] -= order.hidden
    if level.head == 0:
        clear(book, side, tick)
