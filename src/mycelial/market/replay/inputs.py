"""What the trader sends: new orders that take or rest, cancels, amends."""

from __future__ import annotations

import numpy as np

from mycelial.domain.depth import BEST, COUNT, WORST
from mycelial.domain.kernels import allocating_helper
from mycelial.market.book.ledger import fee
from mycelial.market.book.records import Done, EventFlag, EventKind, Flag, Kind, Reject, Stp, Tif
from mycelial.market.replay.layout import (
    E_FLAGS,
    E_MAKER_HANDLE,
    E_MAKER_OWNER,
    E_PRICE,
    E_TAKER_FEE,
    I_CLIENT_ID,
    I_EXPIRE,
    I_FLAGS,
    I_KIND,
    I_LOTS,
    I_OWNER,
    I_PRICE,
    I_SIDE,
    I_STP,
    I_TIF,
    INPUTS,
    N_OWN,
    NEVER,
    NEXT_HANDLE,
    O_CLIENT_ID,
    O_COLUMNS,
    O_EXPIRE,
    O_FLAGS,
    O_HANDLE,
    O_LEFT,
    O_LOTS,
    O_OWNER,
    O_PRICE,
    O_SIDE,
    OWN_BEST,
    TAKEN,
    TIME,
    Feed,
    Ints,
    Rules,
    State,
)
from mycelial.market.replay.own_orders import (
    available,
    find_own,
    first_at,
    leave,
    reaches,
    remove,
    rest,
    with_client_id,
)
from mycelial.market.replay.reports import reject, say

_NEW = int(Kind.NEW)
_CANCEL = int(Kind.CANCEL)
_CANCEL_ALL = int(Kind.CANCEL_ALL)
_AMEND = int(Kind.AMEND)
_CLOCK = int(Kind.CLOCK)
_ACCEPTED = int(EventKind.ACCEPTED)
_TRADE = int(EventKind.TRADE)
_RESTED = int(EventKind.RESTED)
_DONE = int(EventKind.DONE)
_AMENDED = int(EventKind.AMENDED)
_FILLED = int(Done.FILLED)
_USER = int(Done.USER)
_IOC_REST = int(Done.IOC_REST)
_FOK_KILL = int(Done.FOK_KILL)
_DONE_STP = int(Done.STP)
_DONE_POST_ONLY = int(Done.POST_ONLY)
_MASS = int(Done.MASS)
_PROTECTION = int(Done.PROTECTION)
_GTC = int(Tif.GTC)
_GTD = int(Tif.GTD)
_IOC = int(Tif.IOC)
_FOK = int(Tif.FOK)
_MARKET = int(Flag.MARKET)
_POST_ONLY = int(Flag.POST_ONLY)
_NO_PROTECTION = int(Flag.NO_PROTECTION)
_CANCEL_NEWEST = int(Stp.CANCEL_NEWEST)
_CANCEL_OLDEST = int(Stp.CANCEL_OLDEST)
_STP_NONE = int(Stp.NONE)
_KEPT = int(EventFlag.KEPT)
_BAD_TICK = int(Reject.BAD_TICK)
_BAD_LOTS = int(Reject.BAD_LOTS)
_BAD_TIF = int(Reject.BAD_TIF)
_BAD_RECORD = int(Reject.BAD_RECORD)
_UNKNOWN = int(Reject.UNKNOWN_ORDER)
_NOT_OWNER = int(Reject.NOT_OWNER)
_DUPLICATE = int(Reject.DUP_CLIENT_ID)
_NO_CHANGE = int(Reject.NO_CHANGE)
_NO_LIQUIDITY = int(Reject.NO_LIQUIDITY)
_POOL_FULL = int(Reject.POOL_FULL)
_POST_ONLY_AMEND = int(Reject.POST_ONLY_AMEND)


@allocating_helper
def take_input(feed: Feed, state: State, rules: Rules, events: Ints, record: Ints) -> None:
    kind = record[I_KIND]
    if kind == _NEW:
        _new(feed, state, rules, events, record)
    elif kind == _CANCEL:
        order = find_own(state, record)
        if order < 0:
            reject(state, events, record, _UNKNOWN)
        elif state.own[order, O_OWNER] != record[I_OWNER]:
            reject(state, events, record, _NOT_OWNER)
        else:
            leave(state, events, order, _USER, state.at[INPUTS])
    elif kind == _CANCEL_ALL:
        _cancel_all(state, events, record)
    elif kind == _AMEND:
        _amend(feed, state, rules, events, record)
    elif kind != _CLOCK:
        reject(state, events, record, _BAD_RECORD)


@allocating_helper
def _new(feed: Feed, state: State, rules: Rules, events: Ints, record: Ints) -> None:
    side, flags, tif = record[I_SIDE], record[I_FLAGS], record[I_TIF]
    is_market = flags & _MARKET != 0
    reason = _wrong_with(feed, state, record)
    if reason > 0:
        reject(state, events, record, reason)
        return
    price = record[I_PRICE]
    if is_market:
        touch = feed.prices[_next_available(feed, state, 1 - side, state.ends[BEST, 1 - side])]
        reach = touch * rules.protection_ppm // 1_000_000
        price = touch + reach if side == 0 else max(1, touch - reach)
        if flags & _NO_PROTECTION:
            price = feed.prices[-1] if side == 0 else feed.prices[0]
    one = np.zeros(O_COLUMNS, np.int64)
    one[O_HANDLE], one[O_PRICE], one[O_SIDE], one[O_FLAGS] = state.at[NEXT_HANDLE], price, side, flags
    one[O_LOTS], one[O_LEFT], one[O_OWNER] = record[I_LOTS], record[I_LOTS], record[I_OWNER]
    one[O_CLIENT_ID] = record[I_CLIENT_ID]
    one[O_EXPIRE] = record[I_EXPIRE] if tif == _GTD else NEVER
    state.at[NEXT_HANDLE] += 1
    cause = state.at[INPUTS]
    say(state, events, _ACCEPTED, 0, one, one[O_LOTS], one[O_LEFT], cause)
    if tif == _FOK and _reachable(feed, state, side, price, one[O_LEFT]) < one[O_LEFT]:
        say(state, events, _DONE, _FOK_KILL, one, 0, one[O_LEFT], cause)
        return
    if flags & _POST_ONLY and _reachable(feed, state, side, price, 1) > 0:
        say(state, events, _DONE, _DONE_POST_ONLY, one, 0, one[O_LEFT], cause)
        return
    _enter(feed, state, rules, events, one, record[I_STP], tif, cause)


@allocating_helper
def _wrong_with(feed: Feed, state: State, record: Ints) -> int:
    """Return why a NEW record is refused, 0 when it is not."""
    flags, tif = record[I_FLAGS], record[I_TIF]
    is_market = flags & _MARKET != 0
    other = 1 - record[I_SIDE] if record[I_SIDE] < 2 else np.int64(0)
    reason = 0
    if record[I_SIDE] > 1 or tif > _FOK or record[I_STP] > _STP_NONE or record[I_OWNER] < 0:
        reason = _BAD_RECORD
    elif flags & ~(_MARKET | _POST_ONLY | _NO_PROTECTION):
        reason = _BAD_RECORD  # icebergs and reduce-only orders need the reactive book
    elif (flags & _POST_ONLY and (is_market or tif in (_IOC, _FOK))) or (
        tif == _GTD and (is_market or record[I_EXPIRE] <= state.at[TIME])
    ):
        reason = _BAD_TIF
    elif record[I_LOTS] <= 0:
        reason = _BAD_LOTS
    elif not is_market and record[I_PRICE] <= 0:
        reason = _BAD_TICK
    elif is_market and _next_available(feed, state, other, state.ends[BEST, other]) < 0:
        reason = _NO_LIQUIDITY
    elif record[I_CLIENT_ID] != 0 and with_client_id(state, record[I_OWNER], record[I_CLIENT_ID]) >= 0:
        reason = _DUPLICATE
    elif state.at[N_OWN] >= state.own.shape[0]:
        reason = _POOL_FULL
    return reason


@allocating_helper
def _enter(feed: Feed, state: State, rules: Rules, events: Ints, one: Ints, stp: int, tif: int, cause: int) -> None:
    """Take what can be taken within the limit, then rest or leave."""
    side, other = one[O_SIDE], 1 - one[O_SIDE]
    is_market = one[O_FLAGS] & _MARKET != 0
    reason = -1
    rank = _next_available(feed, state, other, state.ends[BEST, other])
    while one[O_LEFT] > 0:
        # An own order in the way comes before recorded lots at a worse price, and behind those at its own.
        mine = state.ends[OWN_BEST, other]
        reached = reaches(side, one[O_PRICE], mine) if mine >= 0 and mine != NEVER else False
        shown = feed.prices[rank] if rank >= 0 else -1
        in_way = reached and (rank < 0 or not reaches(side, mine, shown) or not reaches(side, one[O_PRICE], shown))
        if in_way and stp != _STP_NONE:
            if stp != _CANCEL_NEWEST:
                leave(state, events, first_at(state, other, mine), _DONE_STP, cause)
            if stp != _CANCEL_OLDEST:
                reason = _DONE_STP
                break
            continue
        if rank < 0 or not reaches(side, one[O_PRICE], shown):
            break
        lots = min(one[O_LEFT], available(state, other, rank))
        state.ladder[TAKEN, other, rank] += lots
        one[O_LEFT] -= lots
        n = say(state, events, _TRADE, 0, one, lots, one[O_LEFT], cause)
        events[n, E_PRICE] = shown
        events[n, E_MAKER_HANDLE] = -1
        events[n, E_MAKER_OWNER] = -1
        events[n, E_TAKER_FEE] = fee(shown * lots * rules.cash_per_tick_lot, rules.taker_ppm)
        rank = _next_available(feed, state, other, rank)
    if one[O_LEFT] == 0:
        reason = _FILLED
    elif reason < 0 and is_market:
        reason = _PROTECTION
    elif reason < 0 and tif == _IOC:
        reason = _IOC_REST
    if reason >= 0:
        say(state, events, _DONE, reason, one, one[O_LOTS] - one[O_LEFT], one[O_LEFT], cause)
    else:
        rest(feed, state, one)
        say(state, events, _RESTED, 0, one, one[O_LEFT], one[O_LEFT], cause)


@allocating_helper
def _next_available(feed: Feed, state: State, side: int, rank: int) -> int:
    """Return the best rank from `rank` on, towards worse prices, with lots to take; -1 when there is none."""
    if state.ends[COUNT, side] == 0:
        return -1
    step = -1 if side == 0 else 1
    while 0 <= rank < feed.prices.size:
        if available(state, side, rank) > 0:
            return rank
        if rank == state.ends[WORST, side]:
            return -1
        rank += step
    return -1


@allocating_helper
def _reachable(feed: Feed, state: State, side: int, price: int, enough: int) -> int:
    """Return the lots an order could take within `price`, counting no further than `enough`."""
    found = 0
    rank = _next_available(feed, state, 1 - side, state.ends[BEST, 1 - side])
    while rank >= 0 and found < enough and reaches(side, price, feed.prices[rank]):
        found += available(state, 1 - side, rank)
        if rank == state.ends[WORST, 1 - side]:
            break
        rank = _next_available(feed, state, 1 - side, rank + (-1 if side == 1 else 1))
    return found


@allocating_helper
def _cancel_all(state: State, events: Ints, record: Ints) -> None:
    if record[I_SIDE] > 2:
        reject(state, events, record, _BAD_RECORD)
        return
    for side in range(2):  # bids from best to worst, then asks
        while record[I_SIDE] in (side, 2):
            order, price = -1, 0
            for one in range(state.at[N_OWN]):
                own = state.own[one]
                if own[O_SIDE] == side and own[O_OWNER] == record[I_OWNER]:
                    better = own[O_PRICE] > price if side == 0 else own[O_PRICE] < price
                    if order < 0 or better:
                        order, price = one, own[O_PRICE]
            if order < 0:
                break
            leave(state, events, order, _MASS, state.at[INPUTS])


@allocating_helper
def _amend(feed: Feed, state: State, rules: Rules, events: Ints, record: Ints) -> None:
    order, cause = find_own(state, record), state.at[INPUTS]
    if order < 0:
        reject(state, events, record, _UNKNOWN)
        return
    held = state.own[order]
    price = record[I_PRICE] if record[I_PRICE] != -1 else held[O_PRICE]
    lots = record[I_LOTS] if record[I_LOTS] != -1 else held[O_LOTS]
    filled = held[O_LOTS] - held[O_LEFT]
    reason = 0
    if held[O_OWNER] != record[I_OWNER]:
        reason = _NOT_OWNER
    elif lots <= 0:
        reason = _BAD_LOTS
    elif lots > filled and price <= 0:
        reason = _BAD_TICK
    elif lots > filled and price == held[O_PRICE] and lots == held[O_LOTS]:
        reason = _NO_CHANGE
    elif lots > filled and held[O_FLAGS] & _POST_ONLY and _reachable(feed, state, held[O_SIDE], price, 1) > 0:
        reason = _POST_ONLY_AMEND
    if reason > 0:
        reject(state, events, record, reason)
        return
    if lots <= filled:
        leave(state, events, order, _USER, cause)
        return
    before = held[O_PRICE]
    if price == before and lots <= held[O_LOTS]:
        held[O_LOTS], held[O_LEFT] = lots, lots - filled
        n = say(state, events, _AMENDED, 0, held, held[O_LEFT], held[O_LEFT], cause)
        events[n, E_MAKER_HANDLE], events[n, E_FLAGS] = before, _KEPT
        return
    one = np.zeros(O_COLUMNS, np.int64)
    for column in range(O_COLUMNS):
        one[column] = held[column]
    remove(state, order)
    one[O_PRICE], one[O_LOTS], one[O_LEFT] = price, lots, lots - filled
    n = say(state, events, _AMENDED, 0, one, one[O_LEFT], one[O_LEFT], cause)
    events[n, E_MAKER_HANDLE] = before
    tif = _GTC if one[O_EXPIRE] == NEVER else _GTD
    _enter(feed, state, rules, events, one, record[I_STP], tif, cause)
