"""Slots of orders: hand out, free, and find by handle, by client id or by expiry.

A handle is ``generation << 32 | slot``. Freeing a slot raises its generation, so a stale handle is seen, never misread.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mycelial.market.book.state import EXPIRIES, FREE, HIGH, LIVE, SERIAL, Book

_SLOT = np.int64(0xFFFFFFFF)
_MOST_GENERATION = 2**31
_MIX_1, _MIX_2, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(29)
_NIL = np.uint32(0)


@njit
def handle_of(book: Book, slot: np.uint32) -> int:
    """Return the handle of the order in `slot`."""
    return (np.int64(book.orders[slot].generation) << 32) | np.int64(slot)


@njit
def is_full(book: Book) -> bool:
    """Tell whether no slot is left."""
    return book.scalars[LIVE] >= book.rules.max_orders


@njit
def take_slot(book: Book) -> np.uint32:
    """Hand out the slot freed last, or a fresh one; the caller has seen that the pool is not full."""
    free = np.uint32(book.scalars[FREE])
    if free != 0:
        book.scalars[FREE] = book.orders[free].next
    else:
        book.scalars[HIGH] += 1
        free = np.uint32(book.scalars[HIGH])
    book.scalars[LIVE] += 1
    book.terms[free].serial = book.scalars[SERIAL]
    book.scalars[SERIAL] += 1
    return free


@njit
def free_slot(book: Book, slot: np.uint32) -> None:
    """Take back a slot; its handle is stale from now on."""
    order, terms = book.orders[slot], book.terms[slot]
    if terms.client_id != 0:
        forget_id(book, slot)
    order.generation = (np.int64(order.generation) + 1) % _MOST_GENERATION
    order.next = np.uint32(book.scalars[FREE])
    terms.serial = -1
    book.scalars[FREE] = np.int64(slot)
    book.scalars[LIVE] -= 1


@njit
def slot_of(book: Book, handle: int) -> np.uint32:
    """Return the slot of a live order, 0 if the handle is stale or was never handed out."""
    slot = handle & _SLOT
    if handle <= 0 or slot == 0 or slot > book.scalars[HIGH]:
        return _NIL
    found = np.uint32(slot)
    if np.int64(book.orders[found].generation) != handle >> 32 or book.terms[found].serial < 0:
        return _NIL
    return found


# --- client ids: an open-addressing table of slots, linear probing, no tombstones


@njit
def _home(book: Book, owner: int, client_id: int) -> np.uint64:
    mixed = (np.uint64(client_id) ^ (np.uint64(owner) * _MIX_1)) * _MIX_2
    return (mixed ^ (mixed >> _SHIFT)) & np.uint64(len(book.ids) - 1)


@njit
def find_id(book: Book, owner: int, client_id: int) -> np.uint32:
    """Return the slot of an owner's live order by client id, 0 if there is none."""
    mask, one = np.uint64(len(book.ids) - 1), np.uint64(1)
    at = _home(book, owner, client_id)
    while book.ids[at] != 0:
        slot = book.ids[at]
        if book.terms[slot].client_id == client_id and book.terms[slot].owner == owner:
            return slot
        at = (at + one) & mask
    return _NIL


@njit
def remember_id(book: Book, slot: np.uint32) -> None:
    """Enter an order's client id, which is not there yet."""
    mask, one = np.uint64(len(book.ids) - 1), np.uint64(1)
    at = _home(book, np.int64(book.terms[slot].owner), book.terms[slot].client_id)
    while book.ids[at] != 0:
        at = (at + one) & mask
    book.ids[at] = slot


@njit
def forget_id(book: Book, slot: np.uint32) -> None:
    """Remove an order's client id and close the gap (Knuth, vol. 3, 6.4, algorithm R)."""
    mask, one = np.uint64(len(book.ids) - 1), np.uint64(1)
    gap = _home(book, np.int64(book.terms[slot].owner), book.terms[slot].client_id)
    while book.ids[gap] != slot:
        gap = (gap + one) & mask
    book.ids[gap] = _NIL
    at = (gap + one) & mask
    while book.ids[at] != 0:
        other = book.ids[at]
        home = _home(book, np.int64(book.terms[other].owner), book.terms[other].client_id)
        if ((at - home) & mask) >= ((at - gap) & mask):
            book.ids[gap] = other
            book.ids[at] = _NIL
            gap = at
        at = (at + one) & mask


# --- expiry: a binary heap by (expire, serial); orders that left by themselves stay in it until met


@njit
def _earlier(book: Book, a: int, b: int) -> bool:
    one, other = book.expiries[np.uint64(a)], book.expiries[np.uint64(b)]
    return one.expire < other.expire or (one.expire == other.expire and one.serial < other.serial)


@njit
def _swap(book: Book, a: int, b: int) -> None:
    one, other = book.expiries[np.uint64(a)], book.expiries[np.uint64(b)]
    expire, serial, handle = one.expire, one.serial, one.handle
    one.expire, one.serial, one.handle = other.expire, other.serial, other.handle
    other.expire, other.serial, other.handle = expire, serial, handle


@njit
def _sift_down(book: Book, at: int) -> None:
    count = book.scalars[EXPIRIES]
    while True:
        least, left = at, 2 * at + 1
        for child in (left, left + 1):
            if child < count and _earlier(book, child, least):
                least = child
        if least == at:
            return
        _swap(book, at, least)
        at = least


@njit
def _drop_stale_expiries(book: Book) -> None:
    kept = 0
    for at in range(book.scalars[EXPIRIES]):
        if slot_of(book, book.expiries[np.uint64(at)].handle) != 0:
            _swap(book, kept, at)
            kept += 1
    book.scalars[EXPIRIES] = kept
    for at in range(kept // 2 - 1, -1, -1):
        _sift_down(book, at)


@njit
def watch_expiry(book: Book, slot: np.uint32) -> None:
    """Enter an order into the heap."""
    if book.scalars[EXPIRIES] == len(book.expiries):
        _drop_stale_expiries(book)
    at = book.scalars[EXPIRIES]
    book.scalars[EXPIRIES] = at + 1
    entry, terms = book.expiries[np.uint64(at)], book.terms[slot]
    entry.expire, entry.serial, entry.handle = terms.expire, terms.serial, handle_of(book, slot)
    while at > 0 and _earlier(book, at, (at - 1) // 2):
        _swap(book, at, (at - 1) // 2)
        at = (at - 1) // 2


@njit
def next_expired(book: Book, now: int) -> np.uint32:
    """Take the next order with ``expire <= now`` out of the heap; return its slot, 0 if there is none."""
    while book.scalars[EXPIRIES] > 0 and book.expiries[0].expire <= now:
        slot = slot_of(book, book.expiries[0].handle)
        last = book.scalars[EXPIRIES] - 1
        _swap(book, 0, last)
        book.scalars[EXPIRIES] = last
        _sift_down(book, 0)
        if slot != 0:
            return slot
    return _NIL
