"""The state of one order book: a header record and the plain arrays it points to.

Slots of orders are numbered from 1, so that 0 means "none" and fresh memory is an empty book. The ladder is indexed by
the tick itself; memory of ticks that nobody uses is never touched (docs/decisions/0009-order-book.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.domain.instrument import Instrument
from mycelial.domain.memory import address, blank, reach
from mycelial.market.book.records import EVENT

VOLUME_DAYS = 30
DAY_NS = 86_400 * 10**9
NEVER = np.iinfo(np.int64).max

# Hot half of an order, two to a cache line: what walking and cutting a queue needs.
ORDER = np.dtype(
    [
        ("priority", "<i8"),  # counter of queue joins
        ("next", "<u4"),  # slot behind in the queue; in a free slot: the next free one
        ("prev", "<u4"),
        ("tick", "<u4"),
        ("generation", "<u4"),  # rises when the slot is freed
        ("shown", "<i4"),
        ("hidden", "<i4"),
    ]
)

# The other half, one cache line: what settling and reporting need.
TERMS = np.dtype(
    [
        ("client_id", "<i8"),
        ("expire", "<i8"),
        ("serial", "<i8"),  # order of acceptance; -1 in a free slot
        ("hold", "<i8"),  # cash units of a buy, lots of a sell
        ("owner", "<i4"),
        ("group", "<i4"),  # group, or -2 - owner for an owner alone
        ("filled", "<i4"),
        ("display", "<i4"),  # 0: all is shown
        ("hold_ppm", "<i4"),
        ("side", "u1"),
        ("tif", "u1"),
        ("flags", "u1"),
        ("resting", "u1"),  # 0, IN_BOOK or AMENDED_OUT
        ("stp", "u1"),
        ("_pad", "u1", 7),
    ]
)

LEVEL = np.dtype([("head", "<u4"), ("tail", "<u4"), ("shown", "<i8")])

ACCOUNT = np.dtype(
    [
        ("cash_free", "<i8"),
        ("cash_held", "<i8"),
        ("asset_free", "<i8"),
        ("asset_held", "<i8"),
        ("volume_30d", "<i8"),  # quote volume of the last 30 days, cash units
        ("next_threshold", "<i8"),  # volume at which the next tier begins
        ("maker_ppm", "<i4"),
        ("taker_ppm", "<i4"),
        ("day", "<i4"),  # day of the book's time that the volume was last brought up to
        ("may_borrow", "<i4"),
    ]
)

EXPIRY = np.dtype([("expire", "<i8"), ("serial", "<i8"), ("handle", "<i8")])

# `resting` of an order: 0 not yet in the book, in it, or taken out by an amend to join again.
IN_BOOK, AMENDED_OUT = 1, 2


WORD = np.dtype([("bits", "<u8")])
COUNT = np.dtype([("lots", "<i8")])
VOLUME = np.dtype([("cash", "<i8")])
TIER = np.dtype([("threshold", "<i8"), ("maker_ppm", "<i8"), ("taker_ppm", "<i8")])
ID = np.dtype([("slot", "<u4")])

# The header: rules, scalars, and where the arrays are. Two rows of a tick (bid, then ask) lie side by side.
RULES = (
    "ladder",
    "max_orders",
    "cash_per_tick_lot",
    "min_lots",
    "max_lots",
    "min_notional",
    "protection_ppm",
    "iceberg_parts",
    "owners",
    "tiers",
    "tops",
)
SCALARS = (
    "now",
    "seq",
    "event_seq",
    "mode",
    "best_bid",
    "best_ask",
    "free",
    "high",
    "live",
    "icebergs",
    "priority",
    "serial",
    "expiry_count",
    "digest",
)
ARRAYS = {
    "orders": ORDER,  # [max_orders + 1]
    "terms": TERMS,  # [max_orders + 1]
    "levels": LEVEL,  # [2 ladder]
    "hidden": COUNT,  # [2 ladder] hidden lots of icebergs
    "words": WORD,  # [2 ladder / 64] bit per non-empty tick
    "groups": WORD,  # [2 ladder / 64^2] bit per non-zero word
    "top": WORD,  # [2 ladder / 64^3] bit per non-zero group
    "accounts": ACCOUNT,  # [owners + 2]
    "volumes": VOLUME,  # [(owners + 2) 30] quote volume by day
    "schedule": TIER,  # [tiers]
    "ids": ID,  # [power of two >= 2 max_orders] slots by (owner, client id)
    "expiries": EXPIRY,  # [2 max_orders + 2] heap, stale entries included
    "events": EVENT,  # where events go
}
LADDER = ("levels", "hidden")  # of which little is ever written
BOOK = np.dtype(
    [(name, "<i8") for name in RULES]
    + [(name, "<u8" if name == "digest" else "<i8") for name in SCALARS]
    + [("written", "<i8"), ("ids_room", "<i8"), ("expiries_room", "<i8"), ("events_room", "<i8")]
    + [(f"{name}_at", "<i8") for name in ARRAYS]
)

Book: TypeAlias = Any  # a record of dtype BOOK, which is what kernels see
Wish: TypeAlias = Any  # a record of dtype INPUT

order_of = reach(BOOK, "orders_at", ORDER)
terms_of = reach(BOOK, "terms_at", TERMS)
level_of = reach(BOOK, "levels_at", LEVEL)
hidden_of = reach(BOOK, "hidden_at", COUNT)
word_of = reach(BOOK, "words_at", WORD)
group_of = reach(BOOK, "groups_at", WORD)
top_of = reach(BOOK, "top_at", WORD)
account_of = reach(BOOK, "accounts_at", ACCOUNT)
volume_of = reach(BOOK, "volumes_at", VOLUME)
tier_of = reach(BOOK, "schedule_at", TIER)
id_of = reach(BOOK, "ids_at", ID)
expiry_of = reach(BOOK, "expiries_at", EXPIRY)
event_of = reach(BOOK, "events_at", EVENT)
event_words = reach(BOOK, "events_at", np.dtype([("words", "<u8", EVENT.itemsize // 8)]))


def most_events(live: Any, icebergs: Any, iceberg_parts: Any) -> Any:
    """Return how many events one input can cause at most, of numbers or arrays.

    Every resting order can trade and leave, or expire; every tip of an iceberg can trade and be replenished.
    """
    return 8 + 3 * live + 2 * (iceberg_parts + 1) * icebergs


class State:
    """The header of one book and the arrays it points to, kept alive together."""

    def __init__(self, header: NDArray[np.void], arrays: dict[str, NDArray[np.void]]) -> None:
        self.header = header  # BOOK[1]
        self.arrays = arrays
        for name, array in arrays.items():
            header[f"{name}_at"] = address(array)

    def scalar(self, name: str) -> int:
        """Return a field of the header."""
        return int(self.header[name][0])

    def room_needed(self) -> int:
        """Return how many events the next input can cause at most."""
        return int(most_events(*(self.scalar(name) for name in ("live", "icebergs", "iceberg_parts"))))

    def make_room(self, events: int) -> None:
        """Replace the buffer of events by a larger one; what it held is gone."""
        self.arrays["events"] = np.empty(events, EVENT)
        self.header["events_at"] = address(self.arrays["events"])
        self.header["events_room"], self.header["written"] = events, 0


def allocate(
    instrument: Instrument, owners: int, fee_tiers: Sequence[tuple[int, int, int]], may_borrow: NDArray[np.bool_]
) -> State:
    """Return an empty book.

    Raises
    ------
    ConfigError
        If a fee schedule does not begin at volume 0, does not rise, or holds a rate beyond 100 %.
    """
    if not 1 <= owners < 2**31 - 2:
        raise ConfigError(f"accounts = {owners} must be from 1 to 2147483645")
    tiers = np.array(fee_tiers, np.int64).reshape(-1, 3)
    if len(tiers) == 0 or tiers[0, 0] != 0 or np.any(np.diff(tiers[:, 0]) <= 0):
        raise ConfigError("fee tiers must begin at volume 0 and rise")
    if np.any(np.abs(tiers[:, 1:]) > 1_000_000):
        raise ConfigError("a fee rate must be within 1,000,000 ppm (100 %)")
    ladder, slots = instrument.ladder_ticks, instrument.max_orders
    words = ladder // 64
    groups = -(-words // 64)
    tops = -(-groups // 64)
    rows = {
        "orders": slots + 1,
        "terms": slots + 1,
        "levels": 2 * ladder,
        "hidden": 2 * ladder,
        "words": 2 * words,
        "groups": 2 * groups,
        "top": 2 * tops,
        "accounts": owners + 2,
        "volumes": (owners + 2) * VOLUME_DAYS,
        "schedule": len(tiers),
        "ids": 1 << (2 * slots - 1).bit_length(),
        "expiries": 2 * slots + 2,
        "events": 64,
    }
    header = np.zeros(1, BOOK)
    header["ladder"], header["max_orders"], header["tops"] = ladder, slots, tops
    for name in ("cash_per_tick_lot", "min_lots", "max_lots", "min_notional", "protection_ppm", "iceberg_parts"):
        header[name] = getattr(instrument, name)
    header["owners"], header["tiers"] = owners, len(tiers)
    header["best_ask"] = ladder
    header["ids_room"], header["expiries_room"], header["events_room"] = rows["ids"], rows["expiries"], rows["events"]
    state = State(header, {n: (blank if n in LADDER else np.zeros)(rows[n], dtype) for n, dtype in ARRAYS.items()})
    for column, name in enumerate(TIER.names or ()):
        state.arrays["schedule"][name] = tiers[:, column]
    accounts = state.arrays["accounts"]
    accounts["next_threshold"] = tiers[1, 0] if len(tiers) > 1 else NEVER
    accounts["maker_ppm"], accounts["taker_ppm"] = tiers[0, 1:]
    accounts["may_borrow"][:owners] = may_borrow
    return state
