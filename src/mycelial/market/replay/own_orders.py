"""Own orders in their queues: join, fill, leave, and what stands against them."""

from __future__ import annotations

import numpy as np

from mycelial.domain.kernels import allocating_helper
from mycelial.market.book.ledger import fee
from mycelial.market.book.records import Done, EventFlag, EventKind
from mycelial.market.replay.layout import (
    E_FLAGS,
    E_MAKER_FEE,
    E_MAKER_HANDLE,
    E_MAKER_OWNER,
    I_CLIENT_ID,
    I_HANDLE,
    I_OWNER,
    INPUTS,
    N_OWN,
    NEVER,
    NEXT_EXPIRE,
    O_AHEAD,
    O_CLIENT_ID,
    O_COLUMNS,
    O_EXPIRE,
    O_HANDLE,
    O_LEFT,
    O_LOTS,
    O_OWNER,
    O_PRICE,
    O_RANK,
    O_SIDE,
    OWN_AT,
    OWN_BEST,
    SHOWN,
    SPARED,
    TAKEN,
    TIME,
    TRADED,
    Feed,
    Ints,
    Rules,
    State,
)
from mycelial.market.replay.reports import emit

_TRADE = int(EventKind.TRADE)
_DONE = int(EventKind.DONE)
_FILLED = int(Done.FILLED)
_EXPIRED = int(Done.EXPIRED)
_RESTING = int(EventFlag.RESTING)


@allocating_helper
def available(state: State, side: int, rank: int) -> int:
    """Return the lots of a level that can still be taken."""
    return state.ladder[SHOWN, side, rank] - state.ladder[TRADED, side, rank] - state.ladder[TAKEN, side, rank]


@allocating_helper
def reaches(side: int, own_price: int, price: int) -> bool:
    """Whether an own resting order at `own_price` would have met something at `price` from the other side."""
    return own_price >= price if side == 0 else own_price <= price


@allocating_helper
def first_at(state: State, side: int, price: int) -> int:
    """Return the own order that comes first at a price it is known to have one at."""
    order = 0
    while state.own[order, O_SIDE] != side or state.own[order, O_PRICE] != price:
        order += 1
    return order


@allocating_helper
def find_own(state: State, record: Ints) -> int:
    """Return the place of the order that a record names, -1 when it is not alive."""
    if record[I_HANDLE] == -1:
        return with_client_id(state, record[I_OWNER], record[I_CLIENT_ID]) if record[I_CLIENT_ID] != 0 else -1
    for order in range(state.at[N_OWN]):
        if state.own[order, O_HANDLE] == record[I_HANDLE]:
            return order
    return -1


@allocating_helper
def with_client_id(state: State, owner: int, client_id: int) -> int:
    for order in range(state.at[N_OWN]):
        if state.own[order, O_OWNER] == owner and state.own[order, O_CLIENT_ID] == client_id:
            return order
    return -1


@allocating_helper
def rest(feed: Feed, state: State, one: Ints) -> None:
    """Put an order (a row of own orders) behind everything shown at its price."""
    rank = np.searchsorted(feed.prices, one[O_PRICE])
    known = rank < feed.prices.size and feed.prices[rank] == one[O_PRICE]
    one[O_RANK] = rank if known else -1
    one[O_AHEAD] = 0
    if known:
        one[O_AHEAD] = max(0, available(state, one[O_SIDE], rank)) + state.ladder[SPARED, one[O_SIDE], rank]
        state.ladder[OWN_AT, one[O_SIDE], rank] += 1
    for column in range(O_COLUMNS):
        state.own[state.at[N_OWN], column] = one[column]
    state.at[N_OWN] += 1
    _refresh(state)


@allocating_helper
def fill_resting(state: State, rules: Rules, events: Ints, order: int, most: int) -> int:
    """Fill an own resting order by up to `most` lots against the recorded market and return how many."""
    own = state.own[order]
    lots = min(most, own[O_LEFT])
    own[O_LEFT] -= lots
    notional = own[O_PRICE] * lots * rules.cash_per_tick_lot
    cause = state.at[INPUTS] - 1
    n = emit(state, events, _TRADE, 0, 1 - own[O_SIDE], -1, -1, 0, own[O_PRICE], lots, 0, cause)
    events[n, E_MAKER_HANDLE] = own[O_HANDLE]
    events[n, E_MAKER_OWNER] = own[O_OWNER]
    events[n, E_MAKER_FEE] = fee(notional, rules.maker_ppm)
    if own[O_LEFT] == 0:
        leave(state, events, order, _FILLED, cause)
    return lots


@allocating_helper
def leave(state: State, events: Ints, order: int, reason: int, cause: int) -> None:
    """Take an own resting order out and say why."""
    own = state.own[order]
    n = emit(
        state,
        events,
        _DONE,
        reason,
        own[O_SIDE],
        own[O_OWNER],
        own[O_HANDLE],
        own[O_CLIENT_ID],
        own[O_PRICE],
        own[O_LOTS] - own[O_LEFT],
        own[O_LEFT],
        cause,
    )
    events[n, E_FLAGS] = _RESTING
    remove(state, order)


@allocating_helper
def expire(state: State, events: Ints) -> None:
    order = 0
    while order < state.at[N_OWN]:
        if state.own[order, O_EXPIRE] <= state.at[TIME]:
            leave(state, events, order, _EXPIRED, state.at[INPUTS] - 1)
        else:
            order += 1


@allocating_helper
def remove(state: State, order: int) -> None:
    if state.own[order, O_RANK] >= 0:
        state.ladder[OWN_AT, state.own[order, O_SIDE], state.own[order, O_RANK]] -= 1
    for later in range(order + 1, state.at[N_OWN]):
        for column in range(O_COLUMNS):
            state.own[later - 1, column] = state.own[later, column]
    state.at[N_OWN] -= 1
    _refresh(state)


@allocating_helper
def _refresh(state: State) -> None:
    """Look up the best own prices and the next expiry again."""
    bid, ask, expire = np.int64(-1), np.int64(NEVER), np.int64(NEVER)
    for order in range(state.at[N_OWN]):
        own = state.own[order]
        if own[O_SIDE] == 0:
            bid = max(bid, own[O_PRICE])
        else:
            ask = min(ask, own[O_PRICE])
        expire = min(expire, own[O_EXPIRE])
    state.ends[OWN_BEST, 0], state.ends[OWN_BEST, 1], state.at[NEXT_EXPIRE] = bid, ask, expire
