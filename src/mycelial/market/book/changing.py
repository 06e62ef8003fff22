"""Orders that are there already: cancel, cancel all, amend, expire. And what concerns the market: modes, funds."""

from __future__ import annotations

import numpy as np

from mycelial.domain.kernels import helper
from mycelial.market.book import output
from mycelial.market.book.ladder import exists, leave, worse
from mycelial.market.book.ledger import bring_up_to_date, can_hold, cash_hold, hold_rate, take_hold
from mycelial.market.book.matching import best, crosses, enter, withdraw
from mycelial.market.book.placing import display_fits
from mycelial.market.book.pool import find_id, next_expired, slot_of
from mycelial.market.book.records import Done, Flag, Mode, Reject
from mycelial.market.book.state import AMENDED_OUT, Book, Wish, account_of, hidden_of, level_of, order_of, terms_of

_USER, _EXPIRED, _MASS, _CLOSED_DONE = int(Done.USER), int(Done.EXPIRED), int(Done.MASS), int(Done.CLOSED)
_POST_ONLY = int(Flag.POST_ONLY)
_MAINTENANCE, _CANCEL_ONLY, _POST_ONLY_MODE = int(Mode.MAINTENANCE), int(Mode.CANCEL_ONLY), int(Mode.POST_ONLY)
_REDUCE_ONLY_MODE, _CLOSED = int(Mode.REDUCE_ONLY), int(Mode.CLOSED)
_BAD_TICK, _BAD_LOTS, _MIN_LOTS, _MIN_NOTIONAL = (
    int(r) for r in (Reject.BAD_TICK, Reject.BAD_LOTS, Reject.MIN_LOTS, Reject.MIN_NOTIONAL)
)
_MAX_LOTS, _OUT_OF_LADDER, _NO_FUNDS, _BAD_DISPLAY = (
    int(r) for r in (Reject.MAX_LOTS, Reject.OUT_OF_LADDER, Reject.NO_FUNDS, Reject.BAD_DISPLAY)
)
_UNKNOWN_ORDER, _NOT_OWNER, _WRONG_MODE = (int(r) for r in (Reject.UNKNOWN_ORDER, Reject.NOT_OWNER, Reject.MODE))
_POST_ONLY_AMEND, _BAD_OWNER, _BAD_RECORD = (
    int(r) for r in (Reject.POST_ONLY_AMEND, Reject.BAD_OWNER, Reject.BAD_RECORD)
)
_NO_CHANGE, _NOT_REDUCING = int(Reject.NO_CHANGE), int(Reject.REDUCE_ONLY)
_MOST_BALANCE = 2**62


@helper
def _find(book: Book, wish: Wish) -> tuple[int, int]:
    """Return (0, slot) of the order an input speaks of, or a reason and slot 0."""
    if wish.handle != -1:
        slot = slot_of(book, wish.handle)
    else:
        slot = find_id(book, wish.owner, wish.client_id) if wish.client_id != 0 else 0
    if slot == 0:
        return _UNKNOWN_ORDER, 0
    return (0, slot) if terms_of(book, slot).owner == wish.owner else (_NOT_OWNER, 0)


@helper
def _is_owner(book: Book, owner: int) -> bool:
    return 0 <= owner < book.owners


@helper
def cancel(book: Book, wish: Wish) -> None:
    """Handle a CANCEL record."""
    reason, slot = _WRONG_MODE, 0
    if not _is_owner(book, wish.owner):
        reason = _BAD_OWNER
    elif book.mode != _MAINTENANCE and book.mode != _CLOSED:
        reason, slot = _find(book, wish)
    if reason != 0:
        output.rejected(book, wish, reason)
    else:
        withdraw(book, slot, _USER)


@helper
def _withdraw_side(book: Book, side: int, owner: int, reason: int) -> None:
    """End the resting orders of one side, of one owner or of all (-1), from the best price in queue order."""
    tick = best(book, side)
    while exists(book, side, tick):
        behind = worse(book, side, tick)
        at = level_of(book, 2 * tick + side).head
        while at != 0:
            following = order_of(book, at).next
            if owner == -1 or terms_of(book, at).owner == owner:
                withdraw(book, at, reason)
            at = following
        tick = behind


@helper
def cancel_all(book: Book, wish: Wish) -> None:
    """Handle a CANCEL_ALL record."""
    if not _is_owner(book, wish.owner):
        output.rejected(book, wish, _BAD_OWNER)
    elif wish.side > 2:
        output.rejected(book, wish, _BAD_RECORD)
    elif book.mode == _MAINTENANCE or book.mode == _CLOSED:
        output.rejected(book, wish, _WRONG_MODE)
    else:
        for side in range(2):
            if wish.side != 1 - side:
                _withdraw_side(book, side, wish.owner, _MASS)


@helper
def amend(book: Book, wish: Wish) -> None:
    """Handle an AMEND record: same handle; a smaller size keeps the place in the queue, anything else joins again."""
    reason, slot = _WRONG_MODE, 0
    if not _is_owner(book, wish.owner):
        reason = _BAD_OWNER
    elif book.mode != _MAINTENANCE and book.mode != _CANCEL_ONLY and book.mode != _CLOSED:
        reason, slot = _find(book, wish)
    if reason != 0:
        output.rejected(book, wish, reason)
        return
    order, terms = order_of(book, slot), terms_of(book, slot)
    filled, former = np.int64(terms.filled), np.int64(order.tick)
    standing = filled + order.shown + order.hidden
    total = standing if wish.lots == -1 else wish.lots
    tick = former if wish.price == -1 else wish.price
    display = min(np.int64(terms.display), total) if wish.display == -1 else wish.display
    if book.mode == _POST_ONLY_MODE and terms.flags & _POST_ONLY == 0:
        reason = _WRONG_MODE
    elif total <= 0:
        reason = _BAD_LOTS
    elif total > book.max_lots:
        reason = _MAX_LOTS
    elif total <= filled:
        withdraw(book, slot, _USER)
        return
    else:
        reason = _amend_reason(book, slot, tick, total, display)
        if reason == 0 and tick == former and total == standing and display == terms.display:
            reason = _NO_CHANGE
        elif reason == 0 and book.mode == _REDUCE_ONLY_MODE and total > standing:
            reason = _NOT_REDUCING
        elif reason == 0 and terms.flags & _POST_ONLY != 0 and crosses(book, terms.side, tick):
            reason = _POST_ONLY_AMEND
    if reason == 0:
        bring_up_to_date(book, terms.owner)
        rate, left = hold_rate(book, terms.owner), total - filled
        hold = cash_hold(book, tick, left, rate) if terms.side == 0 else left
        if not can_hold(book, terms.owner, terms.side, hold - terms.hold):
            reason = _NO_FUNDS
        else:
            terms.hold_ppm = rate
            take_hold(book, slot, hold)
            _replace(book, slot, tick, left, display, tick == former and total <= standing and display <= terms.display)
    if reason != 0:
        output.rejected(book, wish, reason)


@helper
def _replace(book: Book, slot: int, tick: int, left: int, display: int, keeps: bool) -> None:
    """Give an order its amended values; in its place, or at the back of a queue after matching."""
    order, terms = order_of(book, slot), terms_of(book, slot)
    former, side = np.int64(order.tick), np.int64(terms.side)
    terms.display = display
    tip = min(display, left) if display != 0 else left
    if keeps:
        tip = min(tip, int(np.int64(order.shown)))
        level_of(book, 2 * tick + side).shown += tip - order.shown
        if display != 0:
            hidden_of(book, 2 * tick + side).lots += left - tip - order.hidden
        order.shown, order.hidden = tip, left - tip
        output.amended(book, slot, former, True)
        return
    leave(book, slot, side)
    order.tick, order.shown, order.hidden = tick, tip, left - tip
    terms.resting = AMENDED_OUT
    output.amended(book, slot, former, False)
    order.shown, order.hidden = left, 0
    enter(book, slot)


@helper
def _amend_reason(book: Book, slot: int, tick: int, total: int, display: int) -> int:
    """Check what would stand in the book after an amend."""
    if tick <= 0:
        return _BAD_TICK
    if tick >= book.ladder:
        return _OUT_OF_LADDER
    if terms_of(book, slot).display == 0:
        if display != 0:
            return _BAD_DISPLAY
    elif not display_fits(book, display, total):
        return _BAD_DISPLAY
    if total < book.min_lots:
        return _MIN_LOTS
    return _MIN_NOTIONAL if tick * total * book.cash_per_tick_lot < book.min_notional else 0


@helper
def control(book: Book, wish: Wish) -> None:
    """Handle a CONTROL record."""
    mode, former = wish.aux, book.mode
    if mode < 0 or mode > _CLOSED:
        output.rejected(book, wish, _BAD_RECORD)
        return
    book.mode = mode
    output.mode_changed(book, mode, former)
    if mode == _CLOSED:
        for side in range(2):
            _withdraw_side(book, side, -1, _CLOSED_DONE)


@helper
def fund(book: Book, wish: Wish) -> None:
    """Handle a FUND record: the only way money and assets enter or leave."""
    reason = 0
    if not _is_owner(book, wish.owner):
        reason = _BAD_OWNER
    elif wish.side > 1 or wish.aux == 0:
        reason = _BAD_RECORD
    elif book.mode == _MAINTENANCE:
        reason = _WRONG_MODE
    elif wish.aux >= _MOST_BALANCE or wish.aux <= -_MOST_BALANCE:
        is_short = wish.aux < 0 and account_of(book, wish.owner).may_borrow == 0
        reason = _NO_FUNDS if is_short else _BAD_LOTS
    else:
        account, world = account_of(book, wish.owner), account_of(book, book.owners + 1)
        cash = wish.side == 0
        free = (account.cash_free if cash else account.asset_free) + wish.aux
        whole = free + (account.cash_held if cash else account.asset_held)
        outside = (world.cash_free if cash else world.asset_free) - wish.aux
        if wish.aux < 0 and free < 0 and account.may_borrow == 0:
            reason = _NO_FUNDS
        elif whole >= _MOST_BALANCE or free <= -_MOST_BALANCE or abs(outside) >= _MOST_BALANCE:
            reason = _BAD_LOTS
        elif cash:
            account.cash_free, world.cash_free = free, outside
        else:
            account.asset_free, world.asset_free = free, outside
    if reason != 0:
        output.rejected(book, wish, reason)
    else:
        output.posted(book, wish.side, wish.owner, wish.aux)


@helper
def expire(book: Book, now: int) -> None:
    """End the orders whose time has come."""
    slot = next_expired(book, now)
    while slot != 0:
        withdraw(book, slot, _EXPIRED)
        slot = next_expired(book, now)
