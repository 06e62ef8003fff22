"""Writing events, and the running digest over their bytes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.market.book.pool import handle_of
from mycelial.market.book.records import EVENT, EventFlag, EventKind
from mycelial.market.book.state import DIGEST, EVENT_SEQ, IN_BOOK, NOW, SEQ, Book

WORDS = EVENT.itemsize // 8
_ACCEPTED, _REJECTED, _TRADE, _RESTED, _DONE, _AMENDED, _REPLENISHED, _MODE, _POSTED = (int(k) for k in EventKind)
_RESTING, _KEPT = int(EventFlag.RESTING), int(EventFlag.KEPT)
_PRIME, _SPIN, _BACK = np.uint64(0x9E3779B97F4A7C15), np.uint64(29), np.uint64(35)
_SALT = np.array([(0xD6E8FEB86659FD93 * (2 * n + 1)) % 2**64 for n in range(WORDS + 1)], np.uint64)


class Log(NamedTuple):
    """Where events go; `words` is the same memory as 64-bit words, for the digest."""

    events: NDArray[np.void]  # EVENT[capacity]
    words: NDArray[np.uint64]  # [capacity, 13]


def new_log(capacity: int) -> Log:
    """Return room for `capacity` events."""
    events = np.zeros(capacity, EVENT)
    return Log(events, events.view(np.uint64).reshape(capacity, WORDS))


@njit
def _begin(book: Book, log: Log, n: int, kind: int, reason: int, flags: int) -> None:
    event = log.events[np.uint64(n)]
    scalars = book.scalars
    event.event_seq = scalars[EVENT_SEQ]
    scalars[EVENT_SEQ] += 1
    event.ts = scalars[NOW]
    event.cause = scalars[SEQ]
    event.kind = np.uint8(kind)
    event.reason = np.uint8(reason)
    event.flags = np.uint8(flags)
    event.maker_handle = 0
    event.maker_owner = 0
    event._pad = 0
    event.taker_fee = 0
    event.maker_fee = 0


@njit
def _about(book: Book, log: Log, n: int, slot: np.uint32, lots: int, leaves: int) -> None:
    event, order, terms = log.events[np.uint64(n)], book.orders[slot], book.terms[slot]
    event.side = terms.side
    event.owner = terms.owner
    event.handle = handle_of(book, slot)
    event.client_id = terms.client_id
    event.price = np.int64(order.tick)
    event.lots = lots
    event.leaves = leaves


@njit
def accepted(book: Book, log: Log, n: int, slot: np.uint32, lots: int) -> int:
    """Write ACCEPTED; like all writers, return the number of events written so far."""
    _begin(book, log, n, _ACCEPTED, 0, 0)
    _about(book, log, n, slot, lots, lots)
    return n + 1


@njit
def rejected(
    book: Book, log: Log, n: int, reason: int, side: int, owner: int, handle: int, client_id: int, price: int, lots: int
) -> int:
    """Write REJECTED with what came."""
    _begin(book, log, n, _REJECTED, reason, 0)
    event = log.events[np.uint64(n)]
    event.side = np.uint8(side)
    event.owner = np.int32(owner)
    event.handle = handle
    event.client_id = client_id
    event.price = price
    event.lots = lots
    event.leaves = 0
    return n + 1


@njit
def traded(
    book: Book,
    log: Log,
    n: int,
    taker: np.uint32,
    maker: np.uint32,
    lots: int,
    leaves: int,
    taker_fee: int,
    maker_fee: int,
) -> int:
    """Write TRADE at the maker's price."""
    _begin(book, log, n, _TRADE, 0, 0)
    _about(book, log, n, taker, lots, leaves)
    event = log.events[np.uint64(n)]
    event.price = np.int64(book.orders[maker].tick)
    event.maker_handle = handle_of(book, maker)
    event.maker_owner = book.terms[maker].owner
    event.taker_fee = taker_fee
    event.maker_fee = maker_fee
    return n + 1


@njit
def rested(book: Book, log: Log, n: int, slot: np.uint32) -> int:
    """Write RESTED."""
    _begin(book, log, n, _RESTED, 0, 0)
    order = book.orders[slot]
    _about(book, log, n, slot, np.int64(order.shown), np.int64(order.shown) + order.hidden)
    return n + 1


@njit
def done(book: Book, log: Log, n: int, slot: np.uint32, reason: int, leaves: int) -> int:
    """Write DONE."""
    terms = book.terms[slot]
    _begin(book, log, n, _DONE, reason, _RESTING if terms.resting == IN_BOOK else 0)
    _about(book, log, n, slot, np.int64(terms.filled), leaves)
    return n + 1


@njit
def amended(book: Book, log: Log, n: int, slot: np.uint32, former: int, kept: bool) -> int:
    """Write AMENDED."""
    _begin(book, log, n, _AMENDED, 0, _KEPT if kept else 0)
    order = book.orders[slot]
    _about(book, log, n, slot, np.int64(order.shown), np.int64(order.shown) + order.hidden)
    log.events[np.uint64(n)].maker_handle = former
    return n + 1


@njit
def replenished(book: Book, log: Log, n: int, slot: np.uint32) -> int:
    """Write REPLENISHED."""
    _begin(book, log, n, _REPLENISHED, 0, 0)
    order = book.orders[slot]
    _about(book, log, n, slot, np.int64(order.shown), np.int64(order.shown) + order.hidden)
    return n + 1


@njit
def _bare(log: Log, n: int, side: int, owner: int, lots: int, leaves: int) -> int:
    event = log.events[np.uint64(n)]
    event.side = np.uint8(side)
    event.owner = np.int32(owner)
    event.handle = -1
    event.client_id = 0
    event.price = 0
    event.lots = lots
    event.leaves = leaves
    return n + 1


@njit
def mode_changed(book: Book, log: Log, n: int, mode: int, former: int) -> int:
    """Write MODE."""
    _begin(book, log, n, _MODE, 0, 0)
    return _bare(log, n, 0, -1, mode, former)


@njit
def posted(book: Book, log: Log, n: int, side: int, owner: int, amount: int) -> int:
    """Write POSTED."""
    _begin(book, log, n, _POSTED, 0, 0)
    return _bare(log, n, side, owner, amount, 0)


@njit
def digest(book: Book, log: Log, start: int, stop: int) -> None:
    """Fold the events from `start` to `stop` into the running digest.

    A fingerprint against accidents, not against forgers: words are multiplied in salted pairs (NH, Black et al.: UMAC,
    CRYPTO 1999) and the sums chained.
    """
    chain = np.uint64(book.scalars[DIGEST])
    for n in range(start, stop):
        words = log.words[np.uint64(n)]
        total = words[np.uint64(WORDS - 1)] + _SALT[WORDS]
        for pair in range(WORDS // 2):
            left, right = np.uint64(2 * pair), np.uint64(2 * pair + 1)
            total += (words[left] + _SALT[left]) * (words[right] + _SALT[right])
        chain = (chain ^ total) * _PRIME
        chain = (chain << _SPIN) | (chain >> _BACK)
    book.scalars[DIGEST] = np.int64(chain)
