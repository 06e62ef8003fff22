"""One input after another: the clock, then the handler of its kind."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.domain.borrowed import borrowed
from mycelial.market.book import changing, output
from mycelial.market.book.placing import place
from mycelial.market.book.records import Kind, Reject
from mycelial.market.book.state import EXPIRIES, ICEBERGS, LIVE, NOW, SEQ, Book

_NEW, _CANCEL, _CANCEL_ALL, _AMEND, _CONTROL, _FUND, _CLOCK = (int(kind) for kind in Kind)
_BAD_CLOCK, _BAD_RECORD = int(Reject.BAD_CLOCK), int(Reject.BAD_RECORD)
_FEW = 8  # events of an input that meets no resting order, with room to spare


@njit
def room_needed(book: Book) -> int:
    """Return how many events the next input can cause at most.

    Every resting order can trade and leave, or expire; every tip of an iceberg can trade and be replenished.
    """
    live, icebergs = book.scalars[LIVE], book.scalars[ICEBERGS]
    return _FEW + 3 * live + 2 * (book.rules.iceberg_parts + 1) * icebergs


@njit
def process(book: Book, log: output.Log, n: int, inputs: NDArray[np.void], at: int) -> int:
    """Apply one input; return the number of events written so far. `log` must have `room_needed`."""
    wish = inputs[np.uint64(at)]
    kind = np.int64(wish.kind)
    if wish.ts < book.scalars[NOW]:
        n = changing.refuse(book, log, n, inputs, at, _BAD_CLOCK)
    else:
        book.scalars[NOW] = wish.ts
        if book.scalars[EXPIRIES] > 0 and book.expiries[0].expire <= wish.ts:
            n = changing.expire(book, log, n, wish.ts)
        if kind == _NEW:
            n = place(book, log, n, inputs, at)
        elif kind == _CANCEL:
            n = changing.cancel(book, log, n, inputs, at)
        elif kind == _AMEND:
            n = changing.amend(book, log, n, inputs, at)
        elif kind == _CANCEL_ALL:
            n = changing.cancel_all(book, log, n, inputs, at)
        elif kind == _FUND:
            n = changing.fund(book, log, n, inputs, at)
        elif kind == _CONTROL:
            n = changing.control(book, log, n, inputs, at)
        elif kind != _CLOCK:
            n = changing.refuse(book, log, n, inputs, at, _BAD_RECORD)
    book.scalars[SEQ] += 1
    return n


@njit(nogil=True, cache=True)
def apply(book: Book, log: output.Log, inputs: NDArray[np.void], start: int, n: int) -> tuple[int, int]:
    """Apply inputs from `start` on while `log` has room.

    Returns
    -------
    next_input : int
        ``len(inputs)`` when all are applied.
    n : int
        Events in `log`.
    """
    book, log, inputs = borrowed(book), borrowed(log), borrowed(inputs)
    at, capacity = start, len(log.events)
    while at < len(inputs) and capacity - n >= room_needed(book):
        before = n
        n = process(book, log, n, inputs, at)
        output.digest(book, log, before, n)
        at += 1
    return at, n
