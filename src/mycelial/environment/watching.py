"""From pictures to numbers near 1: the observation of one agent, block by block as `schema` lays them out."""

from __future__ import annotations

import math

from mycelial.domain.kernels import helper
from mycelial.environment.pictures import newest, private_place, public_place
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
    private_of,
    public_of,
    seat_of,
    seen_of,
)


@helper
def _show(desk: Desk, at: int, value: float) -> int:
    """Write one figure, cut to the clip; return the next place."""
    seen_of(desk, at).at = min(max(value, -desk.clip), desk.clip)
    return at + 1


@helper
def _size(desk: Desk, lots: int) -> float:
    """Return a size on a scale on which small and huge orders both can be told apart."""
    return math.log1p(lots / desk.typical_lots)


@helper
def middle(desk: Desk, at: int) -> float:
    """Return the mid of the public picture at `at` in ticks; the last one known if a side is empty."""
    bid, ask = public_of(desk, at + BID).at, public_of(desk, at + ASK).at
    return 0.5 * (bid + ask) if bid > 0 and ask > 0 else float(public_of(desk, at + MARK).at)


@helper
def observe(desk: Desk, n: int, now: int) -> None:
    """Write what agent `n` sees at `now`."""
    seat = seat_of(desk, n)
    seat.picture = newest(desk, seat.link, now - seat.down)
    public, private = public_place(desk, seat.link, seat.picture), private_place(desk, n, seat.picture)
    mid, at = middle(desk, public), n * desk.observed
    at = _show_book(desk, public, at, mid)
    at = _show_funds(desk, private, at, n, mid)
    at = _show_orders(desk, private, at, mid)
    at = _show_trades(desk, public, at, mid, now)
    at = _show(desk, at, min(1.0, (now - desk.start) / (desk.end - desk.start)))
    _show(desk, at, (now - public_of(desk, public + TIME).at) / desk.age_ns)


@helper
def _show_book(desk: Desk, public: int, at: int, mid: float) -> int:
    bid, ask = public_of(desk, public + BID).at, public_of(desk, public + ASK).at
    at = _show(desk, at, (ask - bid) / desk.price_ticks if bid > 0 and ask > 0 else desk.clip)
    at = _show(desk, at, (mid - desk.start_mark) / desk.price_ticks)
    word = public + PUBLIC_HEAD
    for side in range(2):
        sign = -1.0 if side == 0 else 1.0
        for _ in range(desk.depth):
            tick = public_of(desk, word).at
            at = _show(desk, at, sign * (tick - mid) / desk.price_ticks if tick > 0 else desk.clip)
            at = _show(desk, at, _size(desk, public_of(desk, word + 1).at))
            word += 2
    return at


@helper
def _show_funds(desk: Desk, private: int, at: int, n: int, mid: float) -> int:
    seat = seat_of(desk, n)
    free_cash, free_lots = private_of(desk, private + CASH_FREE).at, private_of(desk, private + ASSET_FREE).at
    cash = free_cash + private_of(desk, private + CASH_HELD).at
    moved = free_lots + private_of(desk, private + ASSET_HELD).at - seat.start_lots
    at = _show(desk, at, moved / desk.inventory_lots)
    at = _show(desk, at, (cash - seat.start_cash) / desk.cash_scale)
    at = _show(desk, at, free_cash / desk.cash_scale)
    at = _show(desk, at, free_lots / desk.inventory_lots)
    return _show(desk, at, (desk.goal_lots - moved) / desk.goal_lots if desk.goal_lots != 0 else 0.0)


@helper
def _show_orders(desk: Desk, private: int, at: int, mid: float) -> int:
    count = private_of(desk, private + ORDERS).at if desk.orders > 0 else 0
    for n in range(desk.orders):
        word = private + PRIVATE_HEAD + n * ORDER_WORDS
        if n >= count:
            for _ in range(4):
                at = _show(desk, at, 0.0)
            continue
        sign = 1.0 if private_of(desk, word + 1).at == 0 else -1.0
        at = _show(desk, at, sign)
        at = _show(desk, at, sign * (mid - private_of(desk, word + 2).at) / desk.price_ticks)
        at = _show(desk, at, _size(desk, private_of(desk, word + 3).at))
        at = _show(desk, at, _size(desk, private_of(desk, word + 4).at))
    return at


@helper
def _show_trades(desk: Desk, public: int, at: int, mid: float, now: int) -> int:
    word = public + PUBLIC_HEAD + 4 * desk.depth
    for _ in range(desk.trades):
        lots = public_of(desk, word + 2).at
        if lots == 0:
            for _ in range(3):
                at = _show(desk, at, 0.0)
        else:
            sign = 1.0 if public_of(desk, word + 3).at == 0 else -1.0
            at = _show(desk, at, sign * _size(desk, lots))
            at = _show(desk, at, (public_of(desk, word + 1).at - mid) / desk.price_ticks)
            at = _show(desk, at, (now - public_of(desk, word).at) / desk.age_ns)
        word += TRADE_WORDS
    return at
