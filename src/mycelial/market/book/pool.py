"""Slots of orders: hand out, free, and find by handle, by client id or by expiry.

A handle is ``generation << 32 | slot``. Freeing a slot raises its generation, so a stale handle is seen, never misread.
"""

from __future__ import annotations

import numpy as np

from mycelial.domain.kernels import helper
from mycelial.market.book.state import Book, expiry_of, id_of, order_of, terms_of

_SLOT = np.int64(0xFFFFFFFF)
_MOST_GENERATION = 2**31
_MIX_1, _MIX_2, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(29)


@helper
def handle_of(book: Book, slot: int) -> int:
    """Return the handle of the order in `slot`."""
    return int((np.int64(order_of(book, slot).generation) << 32) | slot)


@helper
def is_full(book: Book) -> bool:
    """Tell whether no slot is left."""
    return book.live >= book.max_orders


@helper
def take_slot(book: Book) -> int:
    """Hand out the slot freed last, or a fresh one; the caller has seen that the pool is not full."""
    slot = book.free
    if slot != 0:
        book.free = order_of(book, slot).next
    else:
        book.high += 1
        slot = book.high
    book.live += 1
    terms_of(book, slot).serial = book.serial
    book.serial += 1
    return slot


@helper
def free_slot(book: Book, slot: int) -> None:
    """Take back a slot; its handle is stale from now on."""
    order, terms = order_of(book, slot), terms_of(book, slot)
    if terms.client_id != 0:
        forget_id(book, slot)
    order.generation = (np.int64(order.generation) + 1) % _MOST_GENERATION
    order.next = book.free
    terms.serial = -1
    book.free = slot
    book.live -= 1


@helper
def slot_of(book: Book, handle: int) -> int:
    """Return the slot of a live order, 0 if the handle is stale or was never handed out."""
    slot = int(handle & _SLOT)
    if handle <= 0 or slot == 0 or slot > book.high:
        return 0
    if np.int64(order_of(book, slot).generation) != handle >> 32 or terms_of(book, slot).serial < 0:
        return 0
    return slot


# --- client ids: an open-addressing table of slots, linear probing, no tombstones


@helper
def _home(book: Book, owner: int, client_id: int) -> int:
    mixed = (np.uint64(client_id) ^ (np.uint64(owner) * _MIX_1)) * _MIX_2
    return int(np.int64(mixed ^ (mixed >> _SHIFT)) & (book.ids_room - 1))


@helper
def find_id(book: Book, owner: int, client_id: int) -> int:
    """Return the slot of an owner's live order by client id, 0 if there is none."""
    mask = book.ids_room - 1
    at = _home(book, owner, client_id)
    while id_of(book, at).slot != 0:
        slot = np.int64(id_of(book, at).slot)
        if terms_of(book, slot).client_id == client_id and terms_of(book, slot).owner == owner:
            return int(slot)
        at = (at + 1) & mask
    return 0


@helper
def remember_id(book: Book, slot: int) -> None:
    """Enter an order's client id, which is not there yet."""
    mask = book.ids_room - 1
    at = _home(book, terms_of(book, slot).owner, terms_of(book, slot).client_id)
    while id_of(book, at).slot != 0:
        at = (at + 1) & mask
    id_of(book, at).slot = slot


@helper
def forget_id(book: Book, slot: int) -> None:
    """Remove an order's client id and close the gap (Knuth, vol. 3, 6.4, algorithm R)."""
    mask = book.ids_room - 1
    gap = _home(book, terms_of(book, slot).owner, terms_of(book, slot).client_id)
    while id_of(book, gap).slot != slot:
        gap = (gap + 1) & mask
    id_of(book, gap).slot = 0
    at = (gap + 1) & mask
    while id_of(book, at).slot != 0:
        other = np.int64(id_of(book, at).slot)
        home = _home(book, terms_of(book, other).owner, terms_of(book, other).client_id)
        if ((at - home) & mask) >= ((at - gap) & mask):
            id_of(book, gap).slot = other
            id_of(book, at).slot = 0
            gap = at
        at = (at + 1) & mask


# --- expiry: a binary heap by (expire, serial); orders that left by themselves stay in it until met


@helper
def _earlier(book: Book, a: int, b: int) -> bool:
    one, other = expiry_of(book, a), expiry_of(book, b)
    return one.expire < other.expire or (one.expire == other.expire and one.serial < other.serial)


@helper
def _swap(book: Book, a: int, b: int) -> None:
    one, other = expiry_of(book, a), expiry_of(book, b)
    expire, serial, handle = one.expire, one.serial, one.handle
    one.expire, one.serial, one.handle = other.expire, other.serial, other.handle
    other.expire, other.serial, other.handle = expire, serial, handle


@helper
def _sift_down(book: Book, at: int) -> None:
    count = book.expiry_count
    while True:
        least, left = at, 2 * at + 1
        for child in (left, left + 1):
            if child < count and _earlier(book, child, least):
                least = child
        if least == at:
            return
        _swap(book, at, least)
        at = least


@helper
def _drop_stale_expiries(book: Book) -> None:
    kept = 0
    for at in range(book.expiry_count):
        if slot_of(book, expiry_of(book, at).handle) != 0:
            _swap(book, kept, at)
            kept += 1
    book.expiry_count = kept
    for at in range(kept // 2 - 1, -1, -1):
        _sift_down(book, at)


@helper
def watch_expiry(book: Book, slot: int) -> None:
    """Enter an order into the heap."""
    if book.expiry_count == book.expiries_room:
        _drop_stale_expiries(book)
    at = book.expiry_count
    book.expiry_count = at + 1
    entry, terms = expiry_of(book, at), terms_of(book, slot)
    entry.expire, entry.serial, entry.handle = terms.expire, terms.serial, handle_of(book, slot)
    while at > 0 and _earlier(book, at, (at - 1) // 2):
        _swap(book, at, (at - 1) // 2)
        at = (at - 1) // 2


@helper
def next_expired(book: Book, now: int) -> int:
    """Take the next order with ``expire <= now`` out of the heap; return its slot, 0 if there is none."""
    while book.expiry_count > 0 and expiry_of(book, 0).expire <= now:
        slot = slot_of(book, expiry_of(book, 0).handle)
        last = book.expiry_count - 1
        _swap(book, 0, last)
        book.expiry_count = last
        _sift_down(book, 0)
        if slot != 0:
            return slot
    return 0
