"""What goes into an order book and what comes out: two fixed-width records and their words.

Both are little-endian structured dtypes without hidden padding, so that a log is a plain array on disk. The meaning of
every field is fixed here; the matching kernels and the plain-Python oracle of the tests are written from this page.

Inputs (`INPUT`, 80 bytes)
--------------------------
``seq`` is not a field: it is the position of the record in the stream, dense from 0, counted by the book.

=========== ==========================================================================================================
NEW         side, tif, flags, stp, owner, group, client_id (0 = none), price (ignored with MARKET), lots, display
            (with ICEBERG: lots shown; otherwise 0), expire (with GTD: ns, later than ts; otherwise ignored).
CANCEL      handle, or handle = -1 and client_id; owner.
CANCEL_ALL  owner; side 0 or 1, or 2 for both.
AMEND       handle or -1 and client_id; owner; new price, new total lots, new display: -1 leaves a value as it is (a
            display above the new total falls with it).
CONTROL     aux = session mode.
FUND        owner; side 0 = cash, 1 = asset; aux = signed amount (cash units or lots), not 0.
CLOCK       nothing but ts: makes expiry happen.
=========== ==========================================================================================================

`group`: for self-trade prevention two orders are of one trader if they have the same owner, or the same group >= 0; any
negative group means the owner alone.

Time begins at 0. Every input first meets the clock: ``ts`` earlier than the latest is REJECTED/BAD_CLOCK (its event
carries the book's time); otherwise time moves to ``ts`` and orders with ``expire <= ts`` leave, in order of (expire,
acceptance). Then the checks of its kind run in this order and the first that fails rejects, with nothing else changed:

* any: BAD_RECORD for an unknown kind.
* NEW: BAD_OWNER; BAD_RECORD (side, tif, stp, unknown flag); MODE; BAD_TIF (POST_ONLY or ICEBERG with IOC, FOK or
  MARKET; MARKET with GTD; GTD with expire <= ts); BAD_LOTS (<= 0), MIN_LOTS, MAX_LOTS; BAD_DISPLAY (an iceberg shows
  from lots / iceberg_parts to lots and at least 1, others 0); BAD_TICK (price <= 0), OUT_OF_LADDER (price >=
  ladder_ticks); NO_LIQUIDITY (MARKET against an empty side); MIN_NOTIONAL (at the limit, or for MARKET at the best
  opposite price); DUP_CLIENT_ID; REDUCE_ONLY (flag or mode: the order must be on the side that shrinks the position
  and no larger than it; a spot position is asset free + held); NO_FUNDS; POOL_FULL.
* CANCEL: BAD_OWNER; MODE; UNKNOWN_ORDER; NOT_OWNER.
* CANCEL_ALL: BAD_OWNER; BAD_RECORD (side); MODE.
* AMEND: BAD_OWNER; MODE; UNKNOWN_ORDER; NOT_OWNER; MODE again (POST_ONLY, of another order); BAD_LOTS (given and <= 0);
  MAX_LOTS. A new total at or below what is filled then cancels the rest (DONE/USER). Otherwise BAD_TICK,
  OUT_OF_LADDER; BAD_DISPLAY; MIN_LOTS and MIN_NOTIONAL of the new total; NO_CHANGE; REDUCE_ONLY (that mode, and the
  total rises); POST_ONLY_AMEND; NO_FUNDS.
* CONTROL: BAD_RECORD for an unknown mode. FUND: BAD_OWNER; BAD_RECORD (side, amount 0); MODE; NO_FUNDS; BAD_LOTS
  (the amount, the owner's free balance or whole balance, or the world's, would reach 2^62 either way).

Allowed in each mode: ONLINE all. LIMIT_ONLY all but MARKET. POST_ONLY new orders and amends only of orders flagged
POST_ONLY. REDUCE_ONLY new orders that reduce and amends that do not raise the total (reason REDUCE_ONLY otherwise).
CANCEL_ONLY cancels and funding. MAINTENANCE nothing. CLOSED funding.
CONTROL and CLOCK always.

Outputs (`EVENT`, 104 bytes)
----------------------------
`event_seq` is dense from 0; `cause` is the seq of the input (also for expiry: the input that moved time); `ts` the
book's time. `side`, `owner`, `handle`, `client_id` are those of the order spoken of; in TRADE those of the taker.

=========== ==========================================================================================================
ACCEPTED    price = limit (for MARKET the protection price), lots = leaves = order lots.
REJECTED    reason; side, price, lots, owner, handle, client_id as they came.
TRADE       price = maker's, lots = traded, leaves = taker's after it, maker_handle, maker_owner, taker_fee, maker_fee.
RESTED      price, lots = shown, leaves = whole remainder.
DONE        reason; price = limit, lots = filled in all, leaves = what left unfilled; flag RESTING if it stood in a
            queue (an amended order that lost its place and matches as a taker does not).
AMENDED     price, lots = shown, leaves = new remainder, maker_handle = former price; flag KEPT if the queue place was.
REPLENISHED price, lots = new shown tip, leaves = whole remainder.
MODE        lots = new mode, leaves = former mode, which may be the same; owner -1, handle -1.
POSTED      side (0 cash, 1 asset), lots = amount; owner; handle -1.
=========== ==========================================================================================================

Fields without a meaning are 0. For one input: ACCEPTED; for each match TRADE, then the maker's DONE or REPLENISHED;
self-trade cancels in place (CANCEL_BOTH: maker, then taker); then RESTED or DONE of the taker. An amend that loses its
place is AMENDED, then matches as a taker, then RESTED or DONE. Mass cancels and CLOSED go bids from best to worst in
queue order, then asks likewise; MODE comes before them.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

import numpy as np

INPUT = np.dtype(
    [
        ("ts", "<i8"),
        ("kind", "u1"),
        ("side", "u1"),
        ("tif", "u1"),
        ("flags", "u1"),
        ("stp", "u1"),
        ("_pad", "u1", 3),
        ("owner", "<i4"),
        ("group", "<i4"),
        ("handle", "<i8"),
        ("client_id", "<i8"),
        ("price", "<i8"),
        ("lots", "<i8"),
        ("display", "<i8"),
        ("expire", "<i8"),
        ("aux", "<i8"),
    ]
)

EVENT = np.dtype(
    [
        ("event_seq", "<i8"),
        ("ts", "<i8"),
        ("cause", "<i8"),
        ("kind", "u1"),
        ("reason", "u1"),
        ("side", "u1"),
        ("flags", "u1"),
        ("owner", "<i4"),
        ("handle", "<i8"),
        ("client_id", "<i8"),
        ("price", "<i8"),
        ("lots", "<i8"),
        ("leaves", "<i8"),
        ("maker_handle", "<i8"),
        ("maker_owner", "<i4"),
        ("_pad", "<i4"),
        ("taker_fee", "<i8"),
        ("maker_fee", "<i8"),
    ]
)


class Kind(IntEnum):
    """What an input asks for."""

    NEW = 0
    CANCEL = 1
    CANCEL_ALL = 2
    AMEND = 3
    CONTROL = 4
    FUND = 5
    CLOCK = 6


class Side(IntEnum):
    """Which side of the book."""

    BUY = 0
    SELL = 1
    BOTH = 2  # CANCEL_ALL only


class Tif(IntEnum):
    """How long an order may live."""

    GTC = 0
    GTD = 1
    IOC = 2
    FOK = 3


class Flag(IntFlag):
    """Switches of a NEW order."""

    MARKET = 1
    POST_ONLY = 2
    ICEBERG = 4
    REDUCE_ONLY = 8
    NO_PROTECTION = 16  # a market order may walk as far as it needs


class Stp(IntEnum):
    """Self-trade prevention, decided by the taker (names as in Kraken's `stp_type`)."""

    CANCEL_NEWEST = 0
    CANCEL_OLDEST = 1
    CANCEL_BOTH = 2
    NONE = 3


class Mode(IntEnum):
    """Session mode of the market."""

    ONLINE = 0
    MAINTENANCE = 1
    CANCEL_ONLY = 2
    POST_ONLY = 3
    LIMIT_ONLY = 4
    REDUCE_ONLY = 5
    CLOSED = 6


class EventKind(IntEnum):
    """What an output tells."""

    ACCEPTED = 0
    REJECTED = 1
    TRADE = 2
    RESTED = 3
    DONE = 4
    AMENDED = 5
    REPLENISHED = 6
    MODE = 7
    POSTED = 8


class EventFlag(IntFlag):
    """Remarks on an output."""

    RESTING = 1
    KEPT = 2


class Done(IntEnum):
    """Why an order left (`reason` of DONE)."""

    FILLED = 0
    USER = 1
    IOC_REST = 2
    FOK_KILL = 3
    STP = 4
    EXPIRED = 5
    POST_ONLY = 6
    MASS = 7
    PROTECTION = 8
    CLOSED = 9


class Reject(IntEnum):
    """Why an input changed nothing (`reason` of REJECTED); numbers are stable."""

    BAD_TICK = 1
    BAD_LOTS = 2
    MIN_LOTS = 3
    MIN_NOTIONAL = 4
    MAX_LOTS = 5
    OUT_OF_LADDER = 6
    NO_LIQUIDITY = 7
    NO_FUNDS = 8
    UNKNOWN_ORDER = 9
    NOT_OWNER = 10
    DUP_CLIENT_ID = 11
    MODE = 12
    POOL_FULL = 13
    RATE_LIMIT = 14
    POST_ONLY_AMEND = 15
    BAD_TIF = 16
    BAD_DISPLAY = 17
    BAD_OWNER = 18
    BAD_RECORD = 19
    BAD_CLOCK = 20
    NO_CHANGE = 21
    REDUCE_ONLY = 22
