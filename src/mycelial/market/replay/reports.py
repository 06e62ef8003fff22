"""Writing what own orders are told: rows of events."""

from __future__ import annotations

import numpy as np

from mycelial.domain.kernels import allocating_helper
from mycelial.market.book.records import EventKind
from mycelial.market.replay.layout import (
    EVENT_SEQ,
    I_CLIENT_ID,
    I_HANDLE,
    I_LOTS,
    I_OWNER,
    I_PRICE,
    I_SIDE,
    INPUTS,
    N_EVENTS,
    O_CLIENT_ID,
    O_HANDLE,
    O_OWNER,
    O_PRICE,
    O_SIDE,
    TIME,
    Ints,
    State,
)

_REJECTED = int(EventKind.REJECTED)


@allocating_helper
def emit(
    state: State,
    events: Ints,
    kind: int,
    reason: int,
    side: int,
    owner: int,
    handle: int,
    client_id: int,
    price: int,
    lots: int,
    leaves: int,
    cause: int,
) -> int:
    n = state.at[N_EVENTS]
    # in the order of EVENT_FIELDS; a loop, because every single assignment costs at compilation
    seq, ts, none = state.at[EVENT_SEQ], state.at[TIME], np.int64(0)
    rest = (side, none, owner, handle, client_id, price, lots, leaves, none, none, none, none)
    for column, value in enumerate((seq, ts, np.int64(cause), np.int64(kind), np.int64(reason))):
        events[n, column] = value
    for column in range(12):
        events[n, column + 5] = rest[column]
    state.at[EVENT_SEQ] += 1
    state.at[N_EVENTS] += 1
    return n


@allocating_helper
def say(state: State, events: Ints, kind: int, reason: int, own: Ints, lots: int, leaves: int, cause: int) -> int:
    """Emit an event of an own order and return its row."""
    side, owner, handle = own[O_SIDE], own[O_OWNER], own[O_HANDLE]
    return emit(state, events, kind, reason, side, owner, handle, own[O_CLIENT_ID], own[O_PRICE], lots, leaves, cause)


@allocating_helper
def reject(state: State, events: Ints, record: Ints, reason: int) -> None:
    emit(
        state,
        events,
        _REJECTED,
        reason,
        record[I_SIDE],
        record[I_OWNER],
        record[I_HANDLE],
        record[I_CLIENT_ID],
        record[I_PRICE],
        record[I_LOTS],
        0,
        state.at[INPUTS],
    )
