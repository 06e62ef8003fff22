"""The tables of replay: a recording, what changes while it is replayed, and what does not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.market.book.records import EVENT, INPUT

Ints = NDArray[np.int64]

PESSIMISTIC, PROPORTIONAL, OPTIMISTIC = 0, 1, 2
DONE, EVENTS_FULL = 0, 1  # what `advance` returns
NEVER = int(np.iinfo(np.int64).max)

# Tables of int64 instead of structured arrays: they compile several times faster.
# Columns of State.own: RANK is that of its price in the recording, -1 when it never occurs there; AHEAD the recorded
# lots before it.
O_HANDLE, O_PRICE, O_RANK, O_SIDE, O_LOTS, O_LEFT, O_AHEAD, O_OWNER, O_CLIENT_ID, O_EXPIRE, O_FLAGS = range(11)
O_COLUMNS = 11
# Columns of inputs and events: the fields of INPUT and EVENT in their order, without padding.
INPUT_FIELDS = tuple(name for name in INPUT.names or () if not name.startswith("_"))
EVENT_FIELDS = tuple(name for name in EVENT.names or () if not name.startswith("_"))
I_TS, I_KIND, I_SIDE, I_TIF, I_FLAGS, I_STP, I_OWNER, I_HANDLE, I_CLIENT_ID, I_PRICE, I_LOTS, I_EXPIRE = (
    INPUT_FIELDS.index(name)
    for name in ("ts", "kind", "side", "tif", "flags", "stp", "owner", "handle", "client_id", "price", "lots", "expire")
)
E_SEQ, E_TS, E_CAUSE, E_KIND, E_REASON, E_SIDE, E_FLAGS, E_OWNER, E_HANDLE, E_CLIENT_ID, E_PRICE, E_LOTS = range(12)
E_LEAVES, E_MAKER_HANDLE, E_MAKER_OWNER, E_TAKER_FEE, E_MAKER_FEE = range(12, 17)


class Feed(NamedTuple):
    """A recording as tables; never written. Few arrays, because each one costs at every call."""

    prices: Ints  # [n_prices] ascending, ticks
    batches: Ints  # [n_batches + 1, 3] time, kind, first level; the last row ends the levels
    levels: Ints  # [n_levels, 3] rank of the price, lots, side
    trades: Ints  # [n_trades, 5] time, price, rank (-1 when no level ever had the price), lots, side of the taker


class State(NamedTuple):
    """Everything that changes; **mutated** by the kernels."""

    ladder: Ints  # [6, 2, n_prices] rows SHOWN to NAMED, sides, ranks of prices
    ends: Ints  # [4, 2] rows BEST, WORST, COUNT of what is shown (see domain.depth) and OWN_BEST
    own: Ints  # [max_orders, O_COLUMNS] the first N_OWN are alive, in order of priority
    at: Ints  # [N_COUNTERS] see below


# Rows of State.ladder
SHOWN = 0  # recorded lots
TRADED = 1  # recorded trades since the level was last told
TAKEN = 2  # lots that own orders took of what is shown
SPARED = 3  # recorded lots that own fills spared from a trade at their level
OWN_AT = 4  # how many own orders rest here
NAMED = 5  # scratch: levels that a snapshot names
# Row of State.ends beside those of domain.depth: the best own price in ticks; -1 (bids) or NEVER (asks) without any
OWN_BEST = 3
# Counters in State.at
TIME, BATCH, TRADE, INPUTS, N_OWN, N_EVENTS, EVENT_SEQ, NEXT_HANDLE, NEXT_EXPIRE = range(9)
N_COUNTERS = 9
# Columns of Feed.batches, Feed.levels and Feed.trades
B_TIME, B_KIND, B_FIRST = range(3)
L_RANK, L_LOTS, L_SIDE = range(3)
T_TIME, T_PRICE, T_RANK, T_LOTS, T_SIDE = range(5)


class Rules(NamedTuple):
    """What does not change in a run."""

    cancels: int  # PESSIMISTIC, PROPORTIONAL or OPTIMISTIC
    up_ns: int  # from the trader to the market
    maker_ppm: int
    taker_ppm: int
    cash_per_tick_lot: int
    protection_ppm: int  # how far a market order may walk


def new_state(n_prices: int, max_orders: int) -> State:
    """Return the state before anything happened."""
    at = np.zeros(N_COUNTERS, np.int64)
    at[NEXT_EXPIRE] = NEVER
    at[NEXT_HANDLE] = 1
    return State(
        ladder=np.zeros((6, 2, n_prices), np.int64),
        ends=np.array([[-1, n_prices], [n_prices, -1], [0, 0], [-1, NEVER]]),
        own=np.zeros((max_orders, O_COLUMNS), np.int64),
        at=at,
    )
