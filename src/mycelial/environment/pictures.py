"""Taking pictures of the market for those who are further away, and finding the one that has arrived."""

from __future__ import annotations

import numpy as np

from mycelial.domain.kernels import helper
from mycelial.environment.state import (
    ASK,
    ASSET_FREE,
    ASSET_HELD,
    BID,
    CASH_FREE,
    CASH_HELD,
    MARK,
    ORDER_WORDS,
    ORDERS,
    PRIVATE_HEAD,
    PUBLIC_HEAD,
    TIME,
    TRADE_WORDS,
    Desk,
    link_of,
    loop_of,
    private_of,
    public_of,
    seat_of,
)
from mycelial.market.book.ladder import exists, worse
from mycelial.market.book.state import IN_BOOK, Book, account_of, level_of, order_of, terms_of
from mycelial.simulation.intraday.state import Loop, book_of, tape_of

_LATEST = np.int64(2**62)


@helper
def public_place(desk: Desk, link: int, slot: int) -> int:
    """Return where the words of a public picture begin."""
    return (link * desk.ring + slot) * desk.public_words


@helper
def private_place(desk: Desk, seat: int, slot: int) -> int:
    """Return where the words of an agent's picture begin."""
    return (seat * desk.ring + slot) * desk.private_words


@helper
def newest(desk: Desk, link: int, until: int) -> int:
    """Return the ring place of the newest picture that left the engine by `until`; the oldest if none did."""
    found, first = -1, 0
    kept = min(link_of(desk, link).taken, desk.ring)
    for slot in range(kept):
        time = public_of(desk, public_place(desk, link, slot) + TIME).at
        if time <= until and (found < 0 or time >= public_of(desk, public_place(desk, link, found) + TIME).at):
            found = slot
        if time < public_of(desk, public_place(desk, link, first) + TIME).at:
            first = slot
    return found if found >= 0 else first


@helper
def _free_place(desk: Desk, link: int, now: int) -> int:
    """Return a ring place whose picture nobody needs any more, -1 if all are still on their way."""
    row = link_of(desk, link)
    if row.taken < desk.ring:
        return int(row.taken)
    shown = newest(desk, link, now - row.down)
    for slot in range(desk.ring):
        if slot != shown and public_of(desk, public_place(desk, link, slot) + TIME).at <= now - row.down:
            return slot
    return -1


@helper
def take_picture(desk: Desk, link: int, time: int) -> None:
    """Picture the market as the engine shows it at `time`, for everybody on a link."""
    loop = loop_of(desk, 0)
    book = book_of(loop, 0)
    slot = _free_place(desk, link, min(time, loop.now))
    if slot < 0:
        return
    link_of(desk, link).taken += 1
    at = public_place(desk, link, slot)
    bid, ask = book.best_bid, book.best_ask
    if exists(book, 0, bid) and exists(book, 1, ask):
        desk.mark = (bid + ask) // 2
    public_of(desk, at + TIME).at = time
    public_of(desk, at + BID).at = bid
    public_of(desk, at + ASK).at = ask if exists(book, 1, ask) else 0
    public_of(desk, at + MARK).at = desk.mark
    at += PUBLIC_HEAD
    for side in range(2):
        tick = book.best_bid if side == 0 else book.best_ask
        for _ in range(desk.depth):
            there = exists(book, side, tick)
            public_of(desk, at).at = tick if there else 0
            public_of(desk, at + 1).at = level_of(book, 2 * tick + side).shown if there else 0
            at += 2
            if there:
                tick = worse(book, side, tick)
    _picture_trades(desk, loop, at, time)
    for n in range(desk.seats_count):
        if seat_of(desk, n).link == link:
            _picture_account(desk, book, n, slot)
    _picture_orders(desk, loop, book, link, slot)


@helper
def _picture_trades(desk: Desk, loop: Loop, at: int, time: int) -> None:
    count = loop.tape_count
    for n in range(desk.trades):
        there = n < count and n <= loop.tape_mask
        trade = tape_of(loop, (count - 1 - n) & loop.tape_mask)
        public_of(desk, at).at = trade.time if there else time
        public_of(desk, at + 1).at = trade.price if there else 0
        public_of(desk, at + 2).at = trade.lots if there else 0
        public_of(desk, at + 3).at = trade.side if there else 0
        at += TRADE_WORDS


@helper
def _picture_account(desk: Desk, book: Book, seat: int, slot: int) -> None:
    at, account = private_place(desk, seat, slot), account_of(book, seat_of(desk, seat).owner)
    private_of(desk, at + CASH_FREE).at = account.cash_free
    private_of(desk, at + CASH_HELD).at = account.cash_held
    private_of(desk, at + ASSET_FREE).at = account.asset_free
    private_of(desk, at + ASSET_HELD).at = account.asset_held
    private_of(desk, at + ORDERS).at = 0


@helper
def _picture_orders(desk: Desk, loop: Loop, book: Book, link: int, slot: int) -> None:
    """List the own orders of everybody on a link, the oldest first, with what queues ahead of them."""
    if desk.orders == 0:
        return
    first = loop.first_external
    for order in range(1, book.high + 1):
        terms = terms_of(book, order)
        if terms.owner < first or terms.serial < 0 or terms.resting != IN_BOOK:
            continue
        seat = terms.owner - first
        if seat_of(desk, seat).link != link:
            continue
        base = private_place(desk, seat, slot)
        count = private_of(desk, base + ORDERS).at
        private_of(desk, base + ORDERS).at = count + 1
        _enter_order(desk, book, base + PRIVATE_HEAD, min(count, desk.orders), order)
    for seat in range(desk.seats_count):
        if seat_of(desk, seat).link != link:
            continue
        base = private_place(desk, seat, slot)
        for n in range(min(private_of(desk, base + ORDERS).at, desk.orders)):
            word = private_of(desk, base + PRIVATE_HEAD + n * ORDER_WORDS + 4)
            word.at = _lots_ahead(book, word.at)


@helper
def _enter_order(desk: Desk, book: Book, at: int, count: int, slot: int) -> None:
    """Enter an order among the `count` listed, by age; a list that is full loses the youngest."""
    order, terms = order_of(book, slot), terms_of(book, slot)
    place = count
    while place > 0 and private_of(desk, at + (place - 1) * ORDER_WORDS).at > terms.serial:
        place -= 1
    for n in range(min(count, desk.orders - 1), place, -1):
        for k in range(ORDER_WORDS):
            private_of(desk, at + n * ORDER_WORDS + k).at = private_of(desk, at + (n - 1) * ORDER_WORDS + k).at
    if place == desk.orders:
        return
    at += place * ORDER_WORDS
    private_of(desk, at).at = terms.serial
    private_of(desk, at + 1).at = terms.side
    private_of(desk, at + 2).at = order.tick
    private_of(desk, at + 3).at = np.int64(order.shown) + order.hidden
    private_of(desk, at + 4).at = slot


@helper
def _lots_ahead(book: Book, slot: int) -> int:
    """Return the lots shown ahead of an order in its queue."""
    at = np.int64(level_of(book, 2 * np.int64(order_of(book, slot).tick) + terms_of(book, slot).side).head)
    ahead = 0
    while at != slot and at != 0:
        ahead += order_of(book, at).shown
        at = np.int64(order_of(book, at).next)
    return ahead
