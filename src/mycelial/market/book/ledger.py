"""Exact money: holds, fees and settlement, to the last unit (docs/decisions/0009-order-book.md, "Money").

Row N of the accounts collects fees, row N + 1 is the world that funds come from. Every posting has two legs.
"""

from __future__ import annotations

import numpy as np

from mycelial.domain.kernels import helper
from mycelial.market.book.state import (
    DAY_NS,
    NEVER,
    VOLUME_DAYS,
    Book,
    account_of,
    order_of,
    terms_of,
    tier_of,
    volume_of,
)

_MILLION, _HALF, _CARRY = np.uint64(1_000_000), np.uint64(500_000), np.uint64(999_999)
_MOST_DEBT = 2**62


@helper
def fee(notional: int, ppm: int) -> int:
    """Return the fee of a fill, rounded half up; a negative rate is a rebate, rounded by its size."""
    size, rate = np.uint64(notional), np.uint64(abs(ppm))
    whole = (size // _MILLION) * rate + ((size % _MILLION) * rate + _HALF) // _MILLION
    return int(-np.int64(whole) if ppm < 0 else np.int64(whole))


@helper
def cash_hold(book: Book, tick: int, lots: int, ppm: int) -> int:
    """Return the cash units a buy of `lots` at `tick` holds, fees and their rounding included."""
    notional = tick * lots * book.cash_per_tick_lot
    if ppm == 0:
        return notional
    size, rate = np.uint64(notional), np.uint64(ppm)
    return notional + lots + np.int64((size // _MILLION) * rate + ((size % _MILLION) * rate + _CARRY) // _MILLION)


@helper
def hold_rate(book: Book, owner: int) -> int:
    """Return the worst fee rate of an account in ppm, not below 0."""
    account = account_of(book, owner)
    return max(account.maker_ppm, account.taker_ppm, 0)


@helper
def _look_up(book: Book, owner: int) -> None:
    account = account_of(book, owner)
    tier = 0
    while tier + 1 < book.tiers and account.volume_30d >= tier_of(book, tier + 1).threshold:
        tier += 1
    account.maker_ppm = tier_of(book, tier).maker_ppm
    account.taker_ppm = tier_of(book, tier).taker_ppm
    account.next_threshold = tier_of(book, tier + 1).threshold if tier + 1 < book.tiers else NEVER


@helper
def bring_up_to_date(book: Book, owner: int) -> None:
    """Drop the days that fell out of an account's 30-day volume, and look up its rates."""
    if book.tiers == 1:
        return
    account = account_of(book, owner)
    today = book.now // DAY_NS
    gone = today - account.day
    if gone == 0:
        return
    for back in range(min(gone, VOLUME_DAYS)):
        volume = volume_of(book, owner * VOLUME_DAYS + (today - back) % VOLUME_DAYS)
        account.volume_30d -= volume.cash
        volume.cash = 0
    account.day = today
    _look_up(book, owner)


@helper
def _count_volume(book: Book, owner: int, notional: int) -> None:
    account = account_of(book, owner)
    account.volume_30d += notional
    volume_of(book, owner * VOLUME_DAYS + account.day % VOLUME_DAYS).cash += notional
    if account.volume_30d >= account.next_threshold:
        _look_up(book, owner)


@helper
def settle(book: Book, taker: int, maker: int, tick: int, lots: int) -> tuple[int, int]:
    """Move money and assets of one fill; return the fees of taker and maker.

    `filled` of both orders is raised and their holds are cut to what remains.
    """
    taker_terms, maker_terms = terms_of(book, taker), terms_of(book, maker)
    taker_owner, maker_owner = np.int64(taker_terms.owner), np.int64(maker_terms.owner)
    notional = tick * lots * book.cash_per_tick_lot
    bring_up_to_date(book, taker_owner)
    bring_up_to_date(book, maker_owner)
    taker_fee = fee(notional, min(account_of(book, taker_owner).taker_ppm, taker_terms.hold_ppm))
    maker_fee = fee(notional, min(account_of(book, maker_owner).maker_ppm, maker_terms.hold_ppm))
    _settle_side(book, taker, lots, notional, taker_fee)
    _settle_side(book, maker, lots, notional, maker_fee)
    account_of(book, book.owners).cash_free += taker_fee + maker_fee
    if book.tiers > 1:
        _count_volume(book, taker_owner, notional)
        _count_volume(book, maker_owner, notional)
    return taker_fee, maker_fee


@helper
def _settle_side(book: Book, slot: int, lots: int, notional: int, charged: int) -> None:
    order, terms = order_of(book, slot), terms_of(book, slot)
    account = account_of(book, terms.owner)
    terms.filled += lots
    if terms.side == 0:
        left = np.int64(order.shown) + order.hidden - lots
        hold = cash_hold(book, np.int64(order.tick), left, terms.hold_ppm) if left > 0 else 0
        released = terms.hold - hold
        terms.hold = hold
        account.cash_held -= released
        account.cash_free += released - notional - charged
        account.asset_free += lots
    else:
        terms.hold -= lots
        account.asset_held -= lots
        account.cash_free += notional - charged


@helper
def can_hold(book: Book, owner: int, side: int, more: int) -> bool:
    """Tell whether an account may put `more` (cash of a buy, lots of a sell) aside."""
    account = account_of(book, owner)
    free = account.cash_free if side == 0 else account.asset_free
    if more <= 0 or free >= more:
        return True
    return account.may_borrow != 0 and free - more > -_MOST_DEBT


@helper
def take_hold(book: Book, slot: int, hold: int) -> None:
    """Move what an order needs from free to held."""
    terms = terms_of(book, slot)
    account = account_of(book, terms.owner)
    if terms.side == 0:
        account.cash_free -= hold - terms.hold
        account.cash_held += hold - terms.hold
    else:
        account.asset_free -= hold - terms.hold
        account.asset_held += hold - terms.hold
    terms.hold = hold
