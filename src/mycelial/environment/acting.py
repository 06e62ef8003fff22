"""What an agent chose becomes records on their way to the engine; nothing here refuses, the order book does.

What only the operator may send is passed on as a record of no known kind, so that it comes back as REJECTED.
"""

from __future__ import annotations

import math

import numpy as np

from mycelial.agents.intraday.state import CROWD, outbox_of
from mycelial.domain.kernels import helper
from mycelial.domain.memory import reach
from mycelial.environment.pictures import private_place, public_place
from mycelial.environment.state import (
    ASK,
    ASSET_FREE,
    BID,
    BY_QUOTES,
    BY_TEMPLATE,
    CANCEL_EVERYTHING,
    CASH_FREE,
    DESK,
    FIRST_TEMPLATE,
    MARK,
    NOTHING,
    ORDER_WORDS,
    ORDERS,
    PRIVATE_HEAD,
    Desk,
    legal_of,
    loop_of,
    private_of,
    public_of,
    quote_of,
    seat_of,
    template_of,
)
from mycelial.environment.watching import middle
from mycelial.market.book.ledger import cash_hold, hold_rate
from mycelial.market.book.records import INPUT, Flag, Kind, Side, Tif
from mycelial.simulation.intraday.kernel import send_all
from mycelial.simulation.intraday.state import Loop, book_of, crowd_of

_NEW, _CANCEL_ALL, _AMEND, _UNKNOWN = int(Kind.NEW), int(Kind.CANCEL_ALL), int(Kind.AMEND), 255
_BOTH, _GTC, _IOC, _POST_ONLY = int(Side.BOTH), int(Tif.GTC), int(Tif.IOC), int(Flag.POST_ONLY)

_WORDS = INPUT.itemsize // 8
_RECORD = np.dtype([("words", "<u8", _WORDS)])
_given = reach(DESK, "records_at", _RECORD)
_outbox_words = reach(CROWD, "outbox_at", _RECORD)


@helper
def _send(
    loop: Loop, owner: int, now: int, kind: int, side: int, tif: int, flags: int, price: int, lots: int, number: int
) -> None:
    crowd = crowd_of(loop, 0)
    wish = outbox_of(crowd, 0)
    wish.kind, wish.side, wish.tif, wish.flags, wish.stp = kind, side, tif, flags, 0
    wish.owner, wish.group, wish.handle, wish.client_id = owner, -1, -1, number
    wish.price, wish.lots, wish.display, wish.expire, wish.aux = price, lots, 0, 0, 0
    crowd.sent = 1
    send_all(loop, crowd, now)


@helper
def cancel_everything(desk: Desk, n: int, now: int, side: int) -> None:
    """Send a cancel of all orders of an agent on a side (2: both)."""
    _send(loop_of(desk, 0), seat_of(desk, n).owner, now, _CANCEL_ALL, side, 0, 0, 0, 0, 0)


@helper
def refuse(desk: Desk, n: int, now: int) -> None:
    """Send a record that means nothing: the answer is REJECTED/BAD_RECORD."""
    _send(loop_of(desk, 0), seat_of(desk, n).owner, now, _UNKNOWN, 0, 0, 0, 0, 0, 0)


@helper
def _order(desk: Desk, n: int, now: int, side: int, tif: int, flags: int, price: int, lots: int) -> None:
    seat = seat_of(desk, n)
    seat.sent += 1
    _send(loop_of(desk, 0), seat.owner, now, _NEW, side, tif, flags, price, lots, seat.sent)


@helper
def act(desk: Desk, n: int, now: int) -> None:
    """Send what agent `n` chose."""
    if desk.acting == BY_TEMPLATE:
        choice = seat_of(desk, n).choice
        if choice < 0 or choice >= FIRST_TEMPLATE + desk.templates_count:
            refuse(desk, n, now)
        elif choice == CANCEL_EVERYTHING:
            cancel_everything(desk, n, now, _BOTH)
        elif choice != NOTHING:
            row = template_of(desk, choice - FIRST_TEMPLATE)
            price = template_price(desk, n, choice - FIRST_TEMPLATE)
            _order(desk, n, now, row.side, row.tif, row.flags, price, row.lots)
    elif desk.acting == BY_QUOTES:
        _quote(desk, n, now)
    else:
        _pass_on(desk, n, now)


@helper
def template_price(desk: Desk, n: int, template: int) -> int:
    """Return the limit of a template in ticks, by the picture that agent `n` sees; it may lie outside the ladder."""
    row, seat = template_of(desk, template), seat_of(desk, n)
    picture = public_place(desk, seat.link, seat.picture)
    rests = row.tif < _IOC
    side = row.side if rests else 1 - row.side  # the side whose best price counts
    touch = public_of(desk, picture + BID).at if side == 0 else public_of(desk, picture + ASK).at
    if touch == 0:
        touch = public_of(desk, picture + MARK).at
    outward = -1 if side == 0 else 1
    return int(touch + outward * row.offset)


@helper
def mark_legal(desk: Desk, n: int) -> None:
    """Write which choices of agent `n` the exchange would accept, as far as it can know."""
    book, seat, at = book_of(loop_of(desk, 0), 0), seat_of(desk, n), n * (FIRST_TEMPLATE + desk.templates_count)
    private = private_place(desk, n, seat.picture)
    free_cash, free_lots = private_of(desk, private + CASH_FREE).at, private_of(desk, private + ASSET_FREE).at
    rate = hold_rate(book, seat.owner)
    legal_of(desk, at).at = 1
    legal_of(desk, at + 1).at = 1
    for template in range(desk.templates_count):
        row, price = template_of(desk, template), template_price(desk, n, template)
        fits = 0 < price < book.ladder and book.min_lots <= row.lots <= book.max_lots
        if fits:
            fits = price * row.lots * book.cash_per_tick_lot >= book.min_notional
        if fits and row.side == 0:
            fits = cash_hold(book, price, row.lots, rate) <= free_cash
        elif fits:
            fits = row.lots <= free_lots
        legal_of(desk, at + FIRST_TEMPLATE + template).at = 1 if fits else 0


@helper
def _quote(desk: Desk, n: int, now: int) -> None:
    """Let two quotes stand where they are asked, and nothing else."""
    at, seat = 4 * n, seat_of(desk, n)
    for k in range(4):
        if not math.isfinite(quote_of(desk, at + k).at):
            refuse(desk, n, now)
            return
    mid = middle(desk, public_place(desk, seat.link, seat.picture))
    bid = math.floor(mid - quote_of(desk, at).at)
    ask = max(math.ceil(mid + quote_of(desk, at + 1).at), bid + 1)
    _stand(desk, n, now, 0, np.int64(bid), np.int64(quote_of(desk, at + 2).at * desk.typical_lots))
    _stand(desk, n, now, 1, np.int64(ask), np.int64(quote_of(desk, at + 3).at * desk.typical_lots))


@helper
def _stand(desk: Desk, n: int, now: int, side: int, tick: int, lots: int) -> None:
    """Quote one side; a lone order at that price with half of the size left, or more, stays."""
    private = private_place(desk, n, seat_of(desk, n).picture)
    standing, fits = 0, False
    for k in range(min(private_of(desk, private + ORDERS).at, desk.orders)):
        word = private + PRIVATE_HEAD + k * ORDER_WORDS
        if private_of(desk, word + 1).at == side:
            standing += 1
            leaves = private_of(desk, word + 3).at
            fits = private_of(desk, word + 2).at == tick and lots <= 2 * leaves and leaves <= lots
    wanted = lots >= book_of(loop_of(desk, 0), 0).min_lots
    if standing == 1 and fits and wanted:
        return
    cancel_everything(desk, n, now, side)
    if wanted:
        _order(desk, n, now, side, _GTC, _POST_ONLY, tick, lots)


@helper
def _pass_on(desk: Desk, n: int, now: int) -> None:
    """Send the records given, as they are but for who sends them."""
    seat, loop = seat_of(desk, n), loop_of(desk, 0)
    crowd = crowd_of(loop, 0)
    for k in range(min(seat.records, desk.most_records)):
        words, kept = _given(desk, n * desk.most_records + k).words, _outbox_words(crowd, 0).words
        for w in range(_WORDS):
            kept[w] = words[w]
        wish = outbox_of(crowd, 0)
        wish.owner, wish.group, wish.aux = seat.owner, -1, 0
        if wish.kind > _AMEND:
            wish.kind = _UNKNOWN
        crowd.sent = 1
        send_all(loop, crowd, now)
