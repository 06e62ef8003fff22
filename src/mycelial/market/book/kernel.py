"""One input after another: the clock, then the handler of its kind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.kernels import entry, helper
from mycelial.market.book import changing, output
from mycelial.market.book.placing import place
from mycelial.market.book.records import Kind, Reject
from mycelial.market.book.state import Book, Wish, expiry_of, most_events

_NEW, _CANCEL, _CANCEL_ALL, _AMEND, _CONTROL, _FUND, _CLOCK = (int(kind) for kind in Kind)
_BAD_CLOCK, _BAD_RECORD = int(Reject.BAD_CLOCK), int(Reject.BAD_RECORD)
_most_events = helper(most_events)


@helper
def room_needed(book: Book) -> int:
    """Return how many events the next input can cause at most."""
    return _most_events(book.live, book.icebergs, book.iceberg_parts)


@helper
def process(book: Book, wish: Wish) -> None:
    """Apply one input, a record of dtype INPUT; the buffer of events must have `room_needed`."""
    kind, before = np.int64(wish.kind), book.written
    if wish.ts < book.now:
        output.rejected(book, wish, _BAD_CLOCK)
    else:
        book.now = wish.ts
        if book.expiry_count > 0 and expiry_of(book, 0).expire <= wish.ts:
            changing.expire(book, wish.ts)
        if kind == _NEW:
            place(book, wish)
        elif kind == _CANCEL:
            changing.cancel(book, wish)
        elif kind == _AMEND:
            changing.amend(book, wish)
        elif kind == _CANCEL_ALL:
            changing.cancel_all(book, wish)
        elif kind == _FUND:
            changing.fund(book, wish)
        elif kind == _CONTROL:
            changing.control(book, wish)
        elif kind != _CLOCK:
            output.rejected(book, wish, _BAD_RECORD)
    output.digest(book, before)
    book.seq += 1


@entry
def apply(header: NDArray[np.void], inputs: NDArray[np.void], start: int) -> int:
    """Apply inputs from `start` on while the buffer of events has room; return the index of the next input.

    Parameters
    ----------
    header : BOOK[1]
    inputs : INPUT[n]
    """
    book, at = header[0], start
    while at < len(inputs) and book.events_room - book.written >= room_needed(book):
        process(book, inputs[at])
        at += 1
    return at
