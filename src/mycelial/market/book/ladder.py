"""Levels and queues: find the best price, join a queue, leave it.

Best prices are found through a bitmap of non-empty ticks with two summary levels, by counting zeros. An empty bid side
has best tick 0, an empty ask side has best tick `ladder`: neither crosses any price that can rest.
"""

from __future__ import annotations

import numpy as np

from mycelial.domain.bits import highest_bit, trailing_zeros
from mycelial.domain.kernels import helper
from mycelial.market.book.state import Book, group_of, hidden_of, level_of, order_of, top_of, word_of

_ONE, _ALL = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)
_LOW = 63


@helper
def _bit(at: int) -> np.uint64:
    return _ONE << np.uint64(at & _LOW)


@helper
def _lower(at: int) -> np.uint64:
    """Return a mask of the bits below that of `at` in its word."""
    return _bit(at) - _ONE


@helper
def _higher(at: int) -> np.uint64:
    """Return a mask of the bits above that of `at` in its word."""
    return (_ALL << np.uint64(at & _LOW)) << _ONE


@helper
def mark(book: Book, side: int, tick: int) -> None:
    """Say that a tick has orders now, and move the best price."""
    word = tick >> 6
    bits = word_of(book, 2 * word + side)
    if bits.bits == 0:
        group = word >> 6
        groups = group_of(book, 2 * group + side)
        if groups.bits == 0:
            top_of(book, 2 * (group >> 6) + side).bits |= _bit(group)
        groups.bits |= _bit(word)
    bits.bits |= _bit(tick)
    if side == 0:
        if tick > book.best_bid:
            book.best_bid = tick
    elif tick < book.best_ask:
        book.best_ask = tick


@helper
def clear(book: Book, side: int, tick: int) -> None:
    """Say that a tick is empty now, and move the best price."""
    word = tick >> 6
    bits = word_of(book, 2 * word + side)
    bits.bits &= ~_bit(tick)
    if bits.bits == 0:
        group = word >> 6
        groups = group_of(book, 2 * group + side)
        groups.bits &= ~_bit(word)
        if groups.bits == 0:
            top_of(book, 2 * (group >> 6) + side).bits &= ~_bit(group)
    if side == 0:
        if tick == book.best_bid:
            book.best_bid = below(book, tick)
    elif tick == book.best_ask:
        book.best_ask = above(book, tick)


@helper
def below(book: Book, tick: int) -> int:
    """Return the highest bid tick under `tick`, 0 if there is none."""
    word = tick >> 6
    found = word_of(book, 2 * word).bits & _lower(tick)
    if found != 0:
        return (word << 6) + highest_bit(found)
    group = word >> 6
    found = group_of(book, 2 * group).bits & _lower(word)
    if found == 0:
        high = group >> 6
        found = top_of(book, 2 * high).bits & _lower(group)
        while found == 0:
            if high == 0:
                return 0
            high -= 1
            found = top_of(book, 2 * high).bits
        group = (high << 6) + highest_bit(found)
        found = group_of(book, 2 * group).bits
    word = (group << 6) + highest_bit(found)
    return (word << 6) + highest_bit(word_of(book, 2 * word).bits)


@helper
def above(book: Book, tick: int) -> int:
    """Return the lowest ask tick over `tick`, `ladder` if there is none."""
    word = tick >> 6
    found = word_of(book, 2 * word + 1).bits & _higher(tick)
    if found != 0:
        return (word << 6) + trailing_zeros(found)
    group = word >> 6
    found = group_of(book, 2 * group + 1).bits & _higher(word)
    if found == 0:
        high = group >> 6
        found = top_of(book, 2 * high + 1).bits & _higher(group)
        while found == 0:
            high += 1
            if high == book.tops:
                return book.ladder
            found = top_of(book, 2 * high + 1).bits
        group = (high << 6) + trailing_zeros(found)
        found = group_of(book, 2 * group + 1).bits
    word = (group << 6) + trailing_zeros(found)
    return (word << 6) + trailing_zeros(word_of(book, 2 * word + 1).bits)


@helper
def worse(book: Book, side: int, tick: int) -> int:
    """Return the next non-empty tick behind `tick`: lower for bids, higher for asks."""
    return below(book, tick) if side == 0 else above(book, tick)


@helper
def exists(book: Book, side: int, tick: int) -> bool:
    """Tell whether a best or next tick is a level, not the end of the side."""
    return tick > 0 if side == 0 else tick < book.ladder


@helper
def join(book: Book, slot: int, side: int, tick: int) -> None:
    """Put an order, its `shown` and `hidden` set, at the back of the queue of `tick`."""
    order, level = order_of(book, slot), level_of(book, 2 * tick + side)
    order.priority = book.priority
    book.priority += 1
    order.next, order.prev = 0, level.tail
    if level.tail == 0:
        level.head = slot
        mark(book, side, tick)
    else:
        order_of(book, level.tail).next = slot
    level.tail = slot
    level.shown += order.shown
    if order.hidden != 0:
        hidden_of(book, 2 * tick + side).lots += order.hidden


@helper
def leave(book: Book, slot: int, side: int) -> None:
    """Take an order out of its queue."""
    order = order_of(book, slot)
    tick = np.int64(order.tick)
    level = level_of(book, 2 * tick + side)
    if order.prev == 0:
        level.head = order.next
    else:
        order_of(book, order.prev).next = order.next
    if order.next == 0:
        level.tail = order.prev
    else:
        order_of(book, order.next).prev = order.prev
    level.shown -= order.shown
    if order.hidden != 0:
        hidden_of(book, 2 * tick + side).lots -= order.hidden
    if level.head == 0:
        clear(book, side, tick)
