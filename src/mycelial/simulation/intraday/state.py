"""The state of a running market: one header that points to book, population, event queue and records."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from mycelial.agents.intraday.state import CROWD
from mycelial.domain.memory import reach
from mycelial.market.book.records import EVENT, INPUT
from mycelial.market.book.state import BOOK

# Classes of queued happenings, in their order at one instant; expiry comes before all and needs no entry.
CONTROL, ORDER, DELIVERY, WAKE = 1, 2, 3, 4

# time, then `tie` = class << 56 | owner << 32 | the owner's send index: a total order.
ENTRY = np.dtype([("time", "<i8"), ("tie", "<i8"), ("payload", "<i8")])

NEXT = np.dtype([("slot", "<i8")])
ARRIVED = np.dtype([("time", "<i8"), ("event", EVENT), ("to", "<i8")])  # `to`: the owner it was sent to
TRADE = np.dtype(
    [
        ("time", "<i8"),
        ("price", "<i8"),
        ("lots", "<i8"),
        ("side", "<i4"),
        ("taker", "<i4"),
        ("maker", "<i4"),
        ("_pad", "<i4"),
    ]
)
QUANTILE = np.dtype([("value", "<f8")])

ARRAYS = {
    "queue": ENTRY,  # [queue_room] binary heap
    "messages": INPUT,  # [messages_room] records on their way
    "free": NEXT,  # [messages_room] stack of free message slots
    "events": EVENT,  # [events_mask + 1] ring of the latest events
    "tape": TRADE,  # [tape_mask + 1] ring of the latest trades
    "inbox": ARRIVED,  # [inbox_mask + 1] ring of events that reached participants from outside
    "input_log": INPUT,  # [log_room] everything the engine processed, until taken
    "event_log": EVENT,  # [2 log_room] everything it answered
    "quantiles": QUANTILE,  # [quantiles_count] empirical jitter
}
SCALARS = (
    "now",
    "queue_count",
    "queue_room",
    "messages_room",
    "free_count",
    "engine_free",
    "events_mask",
    "tape_mask",
    "tape_count",
    "inbox_mask",
    "inbox_count",
    "log_room",
    "inputs_logged",
    "events_logged",
    "logging",
    "current",  # message slot the engine works on
    "first_external",
    "stop_on_delivery",
    "jitter",
    "quantiles_count",
    "service_ns",
    "cancel_ns",
    "messages",  # order messages processed
    "wakes",
    "gaping",  # a maker is on its way to close the spread
    "gaps",  # how often one was called
    "throttled",
    "reported",  # events sent to participants from outside
    "view_at",  # stop before a message whose effect becomes public later than this, NEVER: go on
    "stop_event",  # stop when the engine has written this many events
    "stop_report",  # stop when so many events were sent to participants from outside
    "until",  # what the compiled loop is asked, ...
    "stopped",  # ... and why it returned
    "cancel_ack_ns",  # by how much word of a cancel is held back from participants from outside
    "dropped",  # messages that got lost on their way to the engine
    "lost",  # deliveries that found no room, or whose event had left the ring
    "self_at",  # address of this header
    "engine_at",  # address of the compiled engine
    "run_at",  # address of the compiled loop
    "turn_at",  # address of the compiled decisions
    "actor",  # agent whose turn it is,
    "why",  # what woke it,
    "told_lots",  # and the fill it hears of
)
LOOP = np.dtype(
    [(name, "<i8") for name in SCALARS]
    + [(name, "<f8") for name in ("jitter_scale", "jitter_shape", "throttle_limit", "throttle_decay_hz", "loss")]
    + [("latency_key", "<u8"), ("pool_key", "<u8")]
    + [("book_at", "<i8"), ("crowd_at", "<i8")]
    + [(f"{name}_at", "<i8") for name in ARRAYS]
)

Loop: TypeAlias = Any  # a record of dtype LOOP, which is what kernels see

book_of = reach(LOOP, "book_at", BOOK)
crowd_of = reach(LOOP, "crowd_at", CROWD)
entry_of = reach(LOOP, "queue_at", ENTRY)
message_of = reach(LOOP, "messages_at", INPUT)
free_of = reach(LOOP, "free_at", NEXT)
ring_words = reach(LOOP, "events_at", np.dtype([("words", "<u8", EVENT.itemsize // 8)]))
ring_of = reach(LOOP, "events_at", EVENT)
tape_of = reach(LOOP, "tape_at", TRADE)
inbox_of = reach(LOOP, "inbox_at", ARRIVED)
inbox_words = reach(LOOP, "inbox_at", np.dtype([("words", "<u8", ARRIVED.itemsize // 8)]))
input_words = reach(LOOP, "input_log_at", np.dtype([("words", "<u8", INPUT.itemsize // 8)]))
message_words = reach(LOOP, "messages_at", np.dtype([("words", "<u8", INPUT.itemsize // 8)]))
log_words = reach(LOOP, "event_log_at", np.dtype([("words", "<u8", EVENT.itemsize // 8)]))
quantile_of = reach(LOOP, "quantiles_at", QUANTILE)
