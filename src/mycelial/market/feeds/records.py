"""Records of market data, and the state a feed keeps between two messages.

A feed is a stream of messages, numbered densely from 0. The first is a snapshot; each later one says what changed since
the one before. A message covers all events up to and including `event_seq`, so it never shows the middle of a sweep.

====  =====================================================================================================
L1    one `TOUCH` a message.
L2    `UPDATE` rows of levels: side, price, lots = new total shown there, 0 = gone; handle and ts are 0.
L3    `UPDATE` rows of orders: lots = shown now, 0 = gone; ts = when it joined its queue. A handle not held so far joins
      the back of the queue at its price; an order that lost its place is gone first and joins again.
====  =====================================================================================================

At depth d a feed speaks of the best d levels of each side. A subscriber applies the rows of a message in order and then
drops what lies below its best d levels; levels that move up into view come as rows.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np

from mycelial.domain.memory import reach

MESSAGE = np.dtype(
    [
        ("seq", "<i8"),
        ("ts", "<i8"),
        ("event_seq", "<i8"),  # last event that it covers
        ("first", "<i8"),  # its first row
        ("count", "<i8"),
        ("checksum", "<i8"),  # of the best ten levels afterwards (`market.checksum`), -1 if not asked for
        ("kind", "<i8"),
    ]
)

UPDATE = np.dtype([("handle", "<i8"), ("price", "<i8"), ("lots", "<i8"), ("ts", "<i8"), ("side", "<i8")])

TOUCH = np.dtype(
    [
        ("bid", "<i8"),  # ticks, 0 if there is none
        ("bid_lots", "<i8"),
        ("bid_orders", "<i8"),
        ("ask", "<i8"),
        ("ask_lots", "<i8"),
        ("ask_orders", "<i8"),
        ("last_price", "<i8"),  # of the last trade, 0 before the first
        ("last_lots", "<i8"),
        ("last_side", "<i8"),  # of its taker
        ("last_ts", "<i8"),
        ("mode", "<i8"),
    ]
)


class View(IntEnum):
    """How much of the book a feed shows."""

    L1 = 1
    L2 = 2
    L3 = 3


class MessageKind(IntEnum):
    """Whether a message replaces what a subscriber holds."""

    UPDATE = 0
    SNAPSHOT = 1


LOTS = np.dtype([("lots", "<i8")])
PLACE = np.dtype([("at", "<i8")])  # 2 tick + side, or a slot
HELD = np.dtype([("handle", "<i8"), ("priority", "<i8"), ("lots", "<i8"), ("place", "<i8")])
WINDOW = np.dtype([("edge", "<i8"), ("levels", "<i8")])

# What all feeds of a market share, beside the replica's book: time, last trade, and where its arrays are.
MARKET = np.dtype(
    [(name, "<i8") for name in ("now", "event_seq", "mode", "resting", "price_step", "lot_step")]
    + [(name, "<i8") for name in ("last_price", "last_lots", "last_side", "last_ts")]
    + [("counts_at", "<i8"), ("since_at", "<i8")]
)

# One feed. `sent` and `held` are what a subscriber knows: lots by level, orders by slot.
FEED_ARRAYS = {
    "windows": WINDOW,  # [2] how far down each side a subscriber sees, and how many levels that are
    "sent": LOTS,  # [2 ladder]
    "level_marks": LOTS,  # [2 ladder] the round in which the level was noted
    "levels": PLACE,  # [2 ladder] levels noted for the next message
    "held": HELD,  # [max_orders + 1], L3 only
    "order_marks": LOTS,  # [max_orders + 1], L3 only
    "orders": PLACE,  # [max_orders + 1], L3 only
    "joining": PLACE,  # [max_orders + 1], L3 only: scratch
    "touch": TOUCH,  # [1], L1 only
    "messages": MESSAGE,  # output
    "rows": UPDATE,  # output; TOUCH for L1
}
FEED = np.dtype(
    [(name, "<i8") for name in ("shows", "depth", "interval", "checksum", "seq", "round", "pending", "due")]
    + [(name, "<i8") for name in ("levels_noted", "orders_noted")]
    + [(name, "<i8") for name in ("messages_written", "messages_room", "rows_written", "rows_room")]
    + [(f"{name}_at", "<i8") for name in FEED_ARRAYS]
)

Market: TypeAlias = Any  # a record of dtype MARKET
Feed: TypeAlias = Any  # a record of dtype FEED

count_of = reach(MARKET, "counts_at", LOTS)
since_of = reach(MARKET, "since_at", LOTS)
window_of = reach(FEED, "windows_at", WINDOW)
sent_of = reach(FEED, "sent_at", LOTS)
level_mark_of = reach(FEED, "level_marks_at", LOTS)
noted_level = reach(FEED, "levels_at", PLACE)
held_of = reach(FEED, "held_at", HELD)
order_mark_of = reach(FEED, "order_marks_at", LOTS)
noted_order = reach(FEED, "orders_at", PLACE)
joining_at = reach(FEED, "joining_at", PLACE)
touch_of = reach(FEED, "touch_at", TOUCH)
message_of = reach(FEED, "messages_at", MESSAGE)
row_of = reach(FEED, "rows_at", UPDATE)
touch_row_of = reach(FEED, "rows_at", TOUCH)
