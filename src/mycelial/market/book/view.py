"""Reading a book: levels and orders as arrays, without changing anything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.kernels import allocating_entry
from mycelial.market.book.ladder import exists, worse
from mycelial.market.book.matching import best
from mycelial.market.book.pool import handle_of
from mycelial.market.book.state import State, level_of, order_of, terms_of

RESTING = np.dtype(
    [
        ("handle", "<i8"),
        ("client_id", "<i8"),
        ("price", "<i8"),
        ("leaves", "<i8"),
        ("shown", "<i8"),
        ("display", "<i8"),
        ("filled", "<i8"),
        ("expire", "<i8"),
        ("priority", "<i8"),
        ("owner", "<i4"),
        ("group", "<i4"),
        ("side", "u1"),
        ("tif", "u1"),
        ("flags", "u1"),
        ("stp", "u1"),
        ("_pad", "u1", 4),
    ]
)


@allocating_entry
def _list_levels(header: NDArray[np.void], side: int, found: NDArray[np.int64]) -> int:
    book, depth = header[0], len(found)
    count, tick = 0, best(book, side)
    while count < depth and exists(book, side, tick):
        found[count, 0] = tick
        found[count, 1] = level_of(book, 2 * tick + side).shown
        count += 1
        tick = worse(book, side, tick)
    return count


def levels(state: State, side: int, depth: int) -> NDArray[np.int64]:
    """Return the best `depth` levels: int64[n, 2] of tick and shown lots."""
    found = np.empty((depth, 2), np.int64)
    return found[: _list_levels(state.header, side, found)]


@allocating_entry
def _list_orders(header: NDArray[np.void], found: NDArray[np.void]) -> int:
    book, count = header[0], 0
    for side in range(2):
        tick = best(book, side)
        while exists(book, side, tick):
            at = level_of(book, 2 * tick + side).head
            while at != 0:
                row, order, terms = found[count], order_of(book, at), terms_of(book, at)
                row.handle = handle_of(book, at)
                row.client_id = terms.client_id
                row.price = tick
                row.leaves = np.int64(order.shown) + order.hidden
                row.shown = order.shown
                row.display = terms.display
                row.filled = terms.filled
                row.expire = terms.expire
                row.priority = order.priority
                row.owner = terms.owner
                row.group = max(terms.group, -1)
                row.side = terms.side
                row.tif = terms.tif
                row.flags = terms.flags
                row.stp = terms.stp
                count += 1
                at = order.next
            tick = worse(book, side, tick)
    return count


def orders(state: State) -> NDArray[np.void]:
    """Return the live orders, bids from best to worst in queue order, then asks: ``RESTING[n]``."""
    found = np.zeros(state.scalar("live"), RESTING)
    return found[: _list_orders(state.header, found)]
