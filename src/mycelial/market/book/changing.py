"""Orders that are there already: cancel, cancel all, amend; and what the market does by itself: modes, funds, expiry."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.market.book import output
from mycelial.market.book.ladder import exists, leave, worse
from mycelial.market.book.ledger import bring_up_to_date, cash_hold, hold_rate, take_hold
from mycelial.market.book.matching import best, crosses, enter, withdraw
from mycelial.market.book.placing import display_fits
from mycelial.market.book.pool import find_id, next_expired, slot_of
from mycelial.market.book.records import Done, Flag, Mode, Reject
from mycelial.market.book.state import AMENDED_OUT, MODE, Book

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
_UNKNOWN_ORDER, _NOT_OWNER, _WRONG_MODE = (
    int(r) for r in (Reject.UNKNOWN_ORDER, Reject.NOT_OWNER, Reject.MODE)
)
_POST_ONLY_AMEND, _BAD_OWNER, _BAD_RECORD = (
    int(r) for r in (Reject.POST_ONLY_AMEND, Reject.BAD_OWNER, Reject.BAD_RECORD)
)
_NO_CHANGE, _NOT_REDUCING = int(Reject.NO_CHANGE), int(Reject.REDUCE_ONLY)
_MOST_BALANCE = 2**62


@njit
def refuse(book: Book, log: output.Log, n: int, inputs: NDArray[np.void], at: int, reason: int) -> int:
    """Write REJECTED with what came."""
    wish = inputs[np.uint64(at)]
    return output.rejected(
        book,
        log,
        n,
        reason,
        np.int64(wish.side),
        np.int64(wish.owner),
        wish.handle,
        wish.client_id,
        wish.price,
        wish.lots,
    )


@njit
def _find(book: Book, wish: np.void) -> tuple[int, np.uint32]:
    """Return (0, slot) of the order an input speaks of, or a reason and slot 0."""
    nil = np.uint32(0)
    if wish.handle != -1:
        slot = slot_of(book, wish.handle)
    else:
        slot = find_id(book, np.int64(wish.owner), wish.client_id) if wish.client_id != 0 else nil
    if slot == 0:
        return _UNKNOWN_ORDER, nil
    if book.terms[slot].owner != wish.owner:
        return _NOT_OWNER, nil
    return 0, slot


@njit
def _is_owner(book: Book, owner: int) -> bool:
    return 0 <= owner < book.rules.accounts


@njit
def cancel(book: Book, log: output.Log, n: int, inputs: NDArray[np.void], at: int) -> int:
    """Handle a CANCEL record."""
    wish, mode = inputs[np.uint64(at)], book.scalars[MODE]
    if not _is_owner(book, np.int64(wish.owner)):
        return refuse(book, log, n, inputs, at, _BAD_OWNER)
    if mode in (_MAINTENANCE, _CLOSED):
        return refuse(book, log, n, inputs, at, _WRONG_MODE)
    reason, slot = _find(book, wish)
    if reason != 0:
        return refuse(book, log, n, inputs, at, reason)
    return withdraw(book, log, n, slot, _USER)


@njit
def _withdraw_side(book: Book, log: output.Log, n: int, side: int, owner: int, reason: int) -> int:
    """End the resting orders of one side, of one owner or of all (-1), from the best price in queue order."""
    tick = best(book, side)
    while exists(book, side, tick):
        behind = worse(book, side, tick)
        at = book.levels[side, np.uint64(tick)].head
        while at != 0:
            following = book.orders[at].next
            if owner == -1 or book.terms[at].owner == owner:
                n = withdraw(book, log, n, at, reason)
            at = following
        tick = behind
    return n


@njit
def cancel_all(book: Book, log: output.Log, n: int, inputs: NDArray[np.void], at: int) -> int:
    """Handle a CANCEL_ALL record."""
    wish, mode = inputs[np.uint64(at)], book.scalars[MODE]
    owner, side = np.int64(wish.owner), np.int64(wish.side)
    if not _is_owner(book, owner):
        return refuse(book, log, n, inputs, at, _BAD_OWNER)
    if side > 2:
        return refuse(book, log, n, inputs, at, _BAD_RECORD)
    if mode in (_MAINTENANCE, _CLOSED):
        return refuse(book, log, n, inputs, at, _WRONG_MODE)
    if side != 1:
        n = _withdraw_side(book, log, n, 0, owner, _MASS)
    if side != 0:
        n = _withdraw_side(book, log, n, 1, owner, _MASS)
    return n


@njit
def amend(book: Book, log: output.Log, n: int, inputs: NDArray[np.void], at: int) -> int:
    """Handle an AMEND record: same handle; a smaller size keeps the place in the queue, anything else joins again."""
    wish, mode = inputs[np.uint64(at)], book.scalars[MODE]
    if not _is_owner(book, np.int64(wish.owner)):
        return refuse(book, log, n, inputs, at, _BAD_OWNER)
    if mode in (_MAINTENANCE, _CANCEL_ONLY, _CLOSED):
        return refuse(book, log, n, inputs, at, _WRONG_MODE)
    reason, slot = _find(book, wish)
    if reason != 0:
        return refuse(book, log, n, inputs, at, reason)
    order, terms = book.orders[slot], book.terms[slot]
    if mode == _POST_ONLY_MODE and terms.flags & _POST_ONLY == 0:
        return refuse(book, log, n, inputs, at, _WRONG_MODE)
    remainder = np.int64(order.shown) + order.hidden
    filled, former = np.int64(terms.filled), np.int64(order.tick)
    total = filled + remainder if wish.lots == -1 else wish.lots
    tick = former if wish.price == -1 else wish.price
    display = min(np.int64(terms.display), total) if wish.display == -1 else wish.display
    if total <= 0:
        return refuse(book, log, n, inputs, at, _BAD_LOTS)
    if total > book.rules.max_lots:
        return refuse(book, log, n, inputs, at, _MAX_LOTS)
    if total <= filled:
        return withdraw(book, log, n, slot, _USER)
    reason = _amend_reason(book, slot, tick, total, display)
    if reason == 0 and tick == former and total == filled + remainder and display == terms.display:
        reason = _NO_CHANGE
    if reason == 0 and mode == _REDUCE_ONLY_MODE and total > filled + remainder:
        reason = _NOT_REDUCING
    side = np.int64(terms.side)
    if reason == 0 and terms.flags & _POST_ONLY != 0 and crosses(book, side, tick):
        reason = _POST_ONLY_AMEND
    if reason != 0:
        return refuse(book, log, n, inputs, at, reason)
    owner = np.int64(terms.owner)
    bring_up_to_date(book, owner)
    rate = hold_rate(book, owner)
    left = total - filled
    hold = cash_hold(book, tick, left, rate) if side == 0 else left
    account = book.accounts[np.uint64(owner)]
    free = account.cash_free if side == 0 else account.asset_free
    if hold - terms.hold > free and hold > terms.hold and account.may_borrow == 0:
        return refuse(book, log, n, inputs, at, _NO_FUNDS)
    terms.hold_ppm = np.int32(rate)
    take_hold(book, slot, hold)
    keeps = tick == former and total <= filled + remainder and display <= terms.display
    terms.display = np.int32(display)
    if keeps:
        tip = min(np.int64(order.shown), left)
        if display != 0:
            tip = min(tip, display)
        level = book.levels[side, np.uint64(tick)]
        level.shown += tip - order.shown
        if display != 0:
            book.hidden[side, np.uint64(tick)] += left - tip - order.hidden
        order.shown, order.hidden = np.int32(tip), np.int32(left - tip)
        return output.amended(book, log, n, slot, former, True)
    leave(book, slot, side)
    order.tick = np.uint32(tick)
    tip = min(display, left) if display != 0 else left
    order.shown, order.hidden = np.int32(tip), np.int32(left - tip)
    terms.resting = np.uint8(AMENDED_OUT)
    n = output.amended(book, log, n, slot, former, False)
    order.shown, order.hidden = np.int32(left), np.int32(0)
    return enter(book, log, n, slot)


@njit
def _amend_reason(book: Book, slot: np.uint32, tick: int, total: int, display: int) -> int:
    """Check what would stand in the book after an amend."""
    if tick <= 0:
        return _BAD_TICK
    if tick >= book.rules.ladder:
        return _OUT_OF_LADDER
    if book.terms[slot].display == 0:
        if display != 0:
            return _BAD_DISPLAY
    elif not display_fits(book, display, total):
        return _BAD_DISPLAY
    if total < book.rules.min_lots:
        return _MIN_LOTS
    return _MIN_NOTIONAL if tick * total * book.rules.cash_per_tick_lot < book.rules.min_notional else 0


@njit
def control(book: Book, log: output.Log, n: int, inputs: NDArray[np.void], at: int) -> int:
    """Handle a CONTROL record."""
    mode = inputs[np.uint64(at)].aux
    if mode < 0 or mode > _CLOSED:
        return refuse(book, log, n, inputs, at, _BAD_RECORD)
    former = book.scalars[MODE]
    book.scalars[MODE] = mode
    n = output.mode_changed(book, log, n, mode, former)
    if mode == _CLOSED:
        n = _withdraw_side(book, log, n, 0, -1, _CLOSED_DONE)
        n = _withdraw_side(book, log, n, 1, -1, _CLOSED_DONE)
    return n


@njit
def fund(book: Book, log: output.Log, n: int, inputs: NDArray[np.void], at: int) -> int:
    """Handle a FUND record: the only way money and assets enter or leave."""
    wish = inputs[np.uint64(at)]
    amount, side = wish.aux, np.int64(wish.side)
    if not _is_owner(book, np.int64(wish.owner)):
        return refuse(book, log, n, inputs, at, _BAD_OWNER)
    if side > 1 or amount == 0:
        return refuse(book, log, n, inputs, at, _BAD_RECORD)
    if book.scalars[MODE] == _MAINTENANCE:
        return refuse(book, log, n, inputs, at, _WRONG_MODE)
    account = book.accounts[np.uint64(wish.owner)]
    world = book.accounts[np.uint64(book.rules.accounts + 1)]
    free = account.cash_free if side == 0 else account.asset_free
    held = account.cash_held if side == 0 else account.asset_held
    outside = world.cash_free if side == 0 else world.asset_free
    if account.may_borrow == 0 and amount < 0 and free + amount < 0:
        return refuse(book, log, n, inputs, at, _NO_FUNDS)
    if amount >= _MOST_BALANCE or amount <= -_MOST_BALANCE:
        return refuse(book, log, n, inputs, at, _BAD_LOTS)
    most = _MOST_BALANCE - 1
    if free + amount + held > most or free + amount < -most or outside - amount < -most or outside - amount > most:
        return refuse(book, log, n, inputs, at, _BAD_LOTS)
    if side == 0:
        account.cash_free += amount
        world.cash_free -= amount
    else:
        account.asset_free += amount
        world.asset_free -= amount
    return output.posted(book, log, n, side, np.int64(wish.owner), amount)


@njit
def expire(book: Book, log: output.Log, n: int, now: int) -> int:
    """End the orders whose time has come."""
    slot = next_expired(book, now)
    while slot != 0:
        n = withdraw(book, log, n, slot, _EXPIRED)
        slot = next_expired(book, now)
    return n
