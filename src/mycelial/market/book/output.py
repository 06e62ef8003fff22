"""Writing events, and the running digest over their bytes."""

from __future__ import annotations

import numpy as np

from mycelial.domain.kernels import helper
from mycelial.market.book.pool import handle_of
from mycelial.market.book.records import EVENT, EventFlag, EventKind
from mycelial.market.book.state import IN_BOOK, Book, Wish, event_of, event_words, order_of, terms_of

_WORDS = EVENT.itemsize // 8
_PAIRS = _WORDS // 2
_ACCEPTED, _REJECTED, _TRADE, _RESTED, _DONE, _AMENDED, _REPLENISHED, _MODE, _POSTED = (int(k) for k in EventKind)
_RESTING, _KEPT = int(EventFlag.RESTING), int(EventFlag.KEPT)
_PRIME, _SPIN, _BACK = np.uint64(0x9E3779B97F4A7C15), np.uint64(29), np.uint64(35)
_SALT = np.array([(0xD6E8FEB86659FD93 * (2 * n + 1)) % 2**64 for n in range(_WORDS + 1)], np.uint64)


@helper
def _begin(book: Book, kind: int, reason: int, flags: int) -> None:
    """Start an event of the input being worked on, with zeros where most kinds have no meaning."""
    event = event_of(book, book.written)
    book.written += 1
    event.event_seq = book.event_seq
    book.event_seq += 1
    event.ts = book.now
    event.cause = book.seq
    event.kind = np.uint8(kind)
    event.reason = np.uint8(reason)
    event.flags = np.uint8(flags)
    event.maker_handle = 0
    event.maker_owner = 0
    event._pad = 0
    event.taker_fee = 0
    event.maker_fee = 0


@helper
def _about(book: Book, slot: int, lots: int, leaves: int) -> None:
    """Say of which order the event begun last speaks."""
    event, order, terms = event_of(book, book.written - 1), order_of(book, slot), terms_of(book, slot)
    event.side = terms.side
    event.owner = terms.owner
    event.handle = handle_of(book, slot)
    event.client_id = terms.client_id
    event.price = order.tick
    event.lots = lots
    event.leaves = leaves


@helper
def _shown(book: Book, slot: int) -> None:
    order = order_of(book, slot)
    _about(book, slot, order.shown, np.int64(order.shown) + order.hidden)


@helper
def accepted(book: Book, slot: int, lots: int) -> None:
    """Write ACCEPTED."""
    _begin(book, _ACCEPTED, 0, 0)
    _about(book, slot, lots, lots)


@helper
def rejected(book: Book, wish: Wish, reason: int) -> None:
    """Write REJECTED, with what came."""
    _begin(book, _REJECTED, reason, 0)
    event = event_of(book, book.written - 1)
    event.side = wish.side
    event.owner = wish.owner
    event.handle = wish.handle
    event.client_id = wish.client_id
    event.price = wish.price
    event.lots = wish.lots
    event.leaves = 0


@helper
def traded(book: Book, taker: int, maker: int, lots: int, leaves: int, taker_fee: int, maker_fee: int) -> None:
    """Write TRADE at the maker's price."""
    _begin(book, _TRADE, 0, 0)
    _about(book, taker, lots, leaves)
    event = event_of(book, book.written - 1)
    event.price = order_of(book, maker).tick
    event.maker_handle = handle_of(book, maker)
    event.maker_owner = terms_of(book, maker).owner
    event.taker_fee = taker_fee
    event.maker_fee = maker_fee


@helper
def rested(book: Book, slot: int) -> None:
    """Write RESTED."""
    _begin(book, _RESTED, 0, 0)
    _shown(book, slot)


@helper
def done(book: Book, slot: int, reason: int, leaves: int) -> None:
    """Write DONE."""
    terms = terms_of(book, slot)
    _begin(book, _DONE, reason, _RESTING if terms.resting == IN_BOOK else 0)
    _about(book, slot, terms.filled, leaves)


@helper
def amended(book: Book, slot: int, former: int, kept: bool) -> None:
    """Write AMENDED."""
    _begin(book, _AMENDED, 0, _KEPT if kept else 0)
    _shown(book, slot)
    event_of(book, book.written - 1).maker_handle = former


@helper
def replenished(book: Book, slot: int) -> None:
    """Write REPLENISHED."""
    _begin(book, _REPLENISHED, 0, 0)
    _shown(book, slot)


@helper
def _about_nobody(book: Book, side: int, owner: int, lots: int, leaves: int) -> None:
    event = event_of(book, book.written - 1)
    event.side = np.uint8(side)
    event.owner = np.int32(owner)
    event.handle = -1
    event.client_id = 0
    event.price = 0
    event.lots = lots
    event.leaves = leaves


@helper
def mode_changed(book: Book, mode: int, former: int) -> None:
    """Write MODE."""
    _begin(book, _MODE, 0, 0)
    _about_nobody(book, 0, -1, mode, former)


@helper
def posted(book: Book, side: int, owner: int, amount: int) -> None:
    """Write POSTED."""
    _begin(book, _POSTED, 0, 0)
    _about_nobody(book, side, owner, amount, 0)


@helper
def digest(book: Book, start: int) -> None:
    """Fold the events written from `start` on into the running digest.

    A fingerprint against accidents, not against forgers: words are multiplied in salted pairs (NH, Black et al.: UMAC,
    CRYPTO 1999) and the sums chained.
    """
    chain = book.digest
    for n in range(start, book.written):
        words = event_words(book, n).words
        total = words[_WORDS - 1] + _SALT[_WORDS]
        for pair in range(_PAIRS):
            total += (words[2 * pair] + _SALT[2 * pair]) * (words[2 * pair + 1] + _SALT[2 * pair + 1])
        chain = (chain ^ total) * _PRIME
        chain = (chain << _SPIN) | (chain >> _BACK)
    book.digest = chain
