"""New orders: the checks of `records`, in its order, then a slot, a hold and the matching."""

from __future__ import annotations

import numpy as np

from mycelial.domain.kernels import helper
from mycelial.market.book import output
from mycelial.market.book.ladder import exists, worse
from mycelial.market.book.ledger import bring_up_to_date, can_hold, cash_hold, hold_rate, take_hold
from mycelial.market.book.matching import best, enter, own_lots
from mycelial.market.book.pool import find_id, is_full, remember_id, take_slot
from mycelial.market.book.records import Flag, Mode, Reject, Stp, Tif
from mycelial.market.book.state import Book, Wish, account_of, hidden_of, level_of, order_of, terms_of

_MARKET, _POST_ONLY, _ICEBERG = int(Flag.MARKET), int(Flag.POST_ONLY), int(Flag.ICEBERG)
_REDUCE_ONLY, _NO_PROTECTION = int(Flag.REDUCE_ONLY), int(Flag.NO_PROTECTION)
_KNOWN_FLAGS = _MARKET | _POST_ONLY | _ICEBERG | _REDUCE_ONLY | _NO_PROTECTION
_GTD, _IOC, _MOST_TIF, _MOST_STP = int(Tif.GTD), int(Tif.IOC), max(int(t) for t in Tif), max(int(s) for s in Stp)
_ONLINE, _POST_ONLY_MODE, _LIMIT_ONLY, _REDUCE_ONLY_MODE = (
    int(mode) for mode in (Mode.ONLINE, Mode.POST_ONLY, Mode.LIMIT_ONLY, Mode.REDUCE_ONLY)
)
_BAD_TICK, _BAD_LOTS, _MIN_LOTS, _MIN_NOTIONAL = (
    int(r) for r in (Reject.BAD_TICK, Reject.BAD_LOTS, Reject.MIN_LOTS, Reject.MIN_NOTIONAL)
)
_MAX_LOTS, _OUT_OF_LADDER, _NO_LIQUIDITY, _NO_FUNDS = (
    int(r) for r in (Reject.MAX_LOTS, Reject.OUT_OF_LADDER, Reject.NO_LIQUIDITY, Reject.NO_FUNDS)
)
_DUP_CLIENT_ID, _WRONG_MODE, _POOL_FULL, _BAD_TIF = (
    int(r) for r in (Reject.DUP_CLIENT_ID, Reject.MODE, Reject.POOL_FULL, Reject.BAD_TIF)
)
_BAD_DISPLAY, _BAD_OWNER, _BAD_RECORD, _NOT_REDUCING = (
    int(r) for r in (Reject.BAD_DISPLAY, Reject.BAD_OWNER, Reject.BAD_RECORD, Reject.REDUCE_ONLY)
)
_OLDEST = int(Stp.CANCEL_OLDEST)
_MILLION = 1_000_000


@helper
def place(book: Book, wish: Wish) -> None:
    """Handle a NEW record."""
    reason, limit = _examine(book, wish)
    hold, rate = 0, 0
    if reason == 0:
        bring_up_to_date(book, wish.owner)
        rate = hold_rate(book, wish.owner)
        hold = cash_hold(book, limit, wish.lots, rate) if wish.side == 0 else wish.lots
        if not can_hold(book, wish.owner, wish.side, hold):
            reason = _NO_FUNDS
        elif is_full(book):
            reason = _POOL_FULL
    if reason != 0:
        output.rejected(book, wish, reason)
        return
    slot = take_slot(book)
    order, terms = order_of(book, slot), terms_of(book, slot)
    order.tick, order.shown, order.hidden = limit, wish.lots, 0
    terms.client_id, terms.owner = wish.client_id, wish.owner
    terms.group = _group_of(wish)
    terms.side, terms.tif, terms.flags, terms.stp = wish.side, wish.tif, wish.flags, wish.stp
    terms.expire = wish.expire if wish.tif == _GTD else 0
    terms.display = wish.display if wish.flags & _ICEBERG else 0
    terms.filled, terms.hold, terms.hold_ppm, terms.resting = 0, 0, rate, 0
    take_hold(book, slot, hold)
    if wish.client_id != 0:
        remember_id(book, slot)
    if terms.display != 0:
        book.icebergs += 1
    output.accepted(book, slot, wish.lots)
    enter(book, slot)


@helper
def _examine(book: Book, wish: Wish) -> tuple[int, int]:
    """Return the reason to reject (0: none so far) and the limit in ticks, for a market order its protection price."""
    mode, flags, side, limit = book.mode, np.int64(wish.flags), np.int64(wish.side), wish.price
    market = flags & _MARKET != 0
    if wish.owner < 0 or wish.owner >= book.owners:
        return _BAD_OWNER, limit
    if wish.side > 1 or wish.tif > _MOST_TIF or wish.stp > _MOST_STP or flags & ~_KNOWN_FLAGS != 0:
        return _BAD_RECORD, limit
    if mode != _ONLINE and not _may_place(mode, flags):
        return _WRONG_MODE, limit
    if flags & (_POST_ONLY | _ICEBERG) != 0 and (market or wish.tif >= _IOC):
        return _BAD_TIF, limit
    if wish.tif == _GTD and (market or wish.expire <= book.now):
        return _BAD_TIF, limit
    reason = size_reason(book, wish.lots)
    if reason != 0:
        return reason, limit
    if flags & _ICEBERG != 0:
        if not display_fits(book, wish.display, wish.lots):
            return _BAD_DISPLAY, limit
    elif wish.display != 0:
        return _BAD_DISPLAY, limit
    valued_at = limit
    if market:
        valued_at = best(book, 1 - side)
        if not exists(book, 1 - side, valued_at):
            return _NO_LIQUIDITY, limit
        limit = _market_limit(book, wish)
    elif limit <= 0:
        return _BAD_TICK, limit
    elif limit >= book.ladder:
        return _OUT_OF_LADDER, limit
    if valued_at * wish.lots * book.cash_per_tick_lot < book.min_notional:
        return _MIN_NOTIONAL, limit
    if wish.client_id != 0 and find_id(book, wish.owner, wish.client_id) != 0:
        return _DUP_CLIENT_ID, limit
    if (flags & _REDUCE_ONLY != 0 or mode == _REDUCE_ONLY_MODE) and not _reduces(book, wish):
        return _NOT_REDUCING, limit
    return 0, limit


@helper
def _may_place(mode: int, flags: int) -> bool:
    if mode == _POST_ONLY_MODE:
        return flags & _POST_ONLY != 0
    if mode == _LIMIT_ONLY:
        return flags & _MARKET == 0
    return mode == _REDUCE_ONLY_MODE


@helper
def size_reason(book: Book, lots: int) -> int:
    """Return why a size is refused, 0 if it is not."""
    if lots <= 0:
        return _BAD_LOTS
    if lots < book.min_lots:
        return _MIN_LOTS
    return _MAX_LOTS if lots > book.max_lots else 0


@helper
def display_fits(book: Book, display: int, lots: int) -> bool:
    """Tell whether an iceberg of `lots` may show `display`."""
    return 0 < display <= lots and display * book.iceberg_parts >= lots


@helper
def _reduces(book: Book, wish: Wish) -> bool:
    account = account_of(book, wish.owner)
    position = account.asset_free + account.asset_held
    return wish.lots <= position if wish.side == 1 else wish.lots <= -position


@helper
def _group_of(wish: Wish) -> int:
    """Return the group for self-trade prevention, one of its own for an owner alone."""
    return wish.group if wish.group >= 0 else -2 - wish.owner


@helper
def _market_limit(book: Book, wish: Wish) -> int:
    """Return how far a market order may go: its protection price, or the worst level that it needs."""
    side, lots = np.int64(wish.side), wish.lots
    other = 1 - side
    tick = best(book, other)
    if wish.flags & _NO_PROTECTION == 0:
        reach = tick * book.protection_ppm // _MILLION
        return min(tick + reach, book.ladder - 1) if side == 0 else max(tick - reach, 1)
    while True:
        place = 2 * tick + other
        lots -= level_of(book, place).shown + hidden_of(book, place).lots
        if wish.stp == _OLDEST:  # it cancels them and goes on
            lots += own_lots(book, place, wish.owner, _group_of(wish))
        behind = worse(book, other, tick)
        if lots <= 0 or not exists(book, other, behind):
            return tick
        tick = behind
