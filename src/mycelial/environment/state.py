"""The state of one environment: a header that points to the market and to what its learning agents see and do.

A *desk* is one market with the seats of its learning agents. A *link* is a way back from the engine that takes a
certain time; agents with the same delay share one, and with it the pictures of the market that travel on it. A picture
is taken when it leaves the engine and shown when it arrives, so nothing newer than that can be seen.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from mycelial.domain.memory import reach
from mycelial.market.book.records import INPUT
from mycelial.simulation.intraday.state import LOOP

BY_TEMPLATE, BY_QUOTES, BY_RECORDS = range(3)  # `acting`
EVERY, AFTER_EVENTS, OWN_EVENT = range(3)  # `pace`
GOES_ON, RUINED, REACHED_GOAL, TIME_UP = range(4)  # `end` of a seat
NOTHING, CANCEL_EVERYTHING, FIRST_TEMPLATE = range(3)  # choices
SENDING, RUNNING = range(2)  # `phase`, when a step was interrupted

# One learning agent. Money and lots are those of the exchange's ledger, not what the agent has heard yet.
SEAT = np.dtype(
    [
        ("owner", "<i8"),
        ("link", "<i8"),
        ("down", "<i8"),
        ("live", "<i8"),  # 0 when its episode is over
        ("end", "<i8"),
        ("sent", "<i8"),  # records sent in this episode; their client ids
        ("start_cash", "<i8"),
        ("start_lots", "<i8"),
        ("start_value", "<i8"),  # cash units
        ("cash", "<i8"),
        ("lots", "<i8"),
        ("value", "<i8"),
        ("profit", "<i8"),  # change of value in the last step
        ("shortfall", "<i8"),  # of the last step
        ("reward", "<f8"),
        ("choice", "<i8"),  # template chosen
        ("records", "<i8"),  # raw records given
        ("picture", "<i8"),  # ring place of the picture it sees
        ("handled", "<i8"),  # deliveries to it seen by the caller
    ]
)
LINK = np.dtype([("down", "<i8"), ("due", "<i8"), ("taken", "<i8")])  # next picture; pictures taken
TEMPLATE = np.dtype([("side", "<i8"), ("offset", "<i8"), ("lots", "<i8"), ("tif", "<i8"), ("flags", "<i8")])
WORD = np.dtype([("at", "<i8")])
SINGLE = np.dtype([("at", "<f4")])
BYTE = np.dtype([("at", "u1")])

# A picture of the market: these words, then bids and asks (tick, lots) and trades (time, tick, lots, side).
TIME, BID, ASK, MARK = range(4)
PUBLIC_HEAD = 4
# ... and of one agent: these words, then its orders (serial, side, tick, leaves, lots ahead).
CASH_FREE, CASH_HELD, ASSET_FREE, ASSET_HELD, ORDERS = range(5)
PRIVATE_HEAD = 5
ORDER_WORDS, TRADE_WORDS = 5, 4

ARRAYS = {
    "seats": SEAT,  # [seats]
    "links": LINK,  # [links]
    "publics": WORD,  # [links ring public_words]
    "privates": WORD,  # [seats ring private_words]
    "templates": TEMPLATE,  # [templates]
    "quotes": SINGLE,  # [seats 4]
    "records": INPUT,  # [seats most_records]
    "seen": SINGLE,  # [seats observed]
    "legal": BYTE,  # [seats templates + 2]
}
SCALARS = (
    "seats_count",
    "links_count",
    "ring",  # pictures kept of each link
    "public_words",
    "private_words",
    "depth",
    "orders",
    "trades",
    "observed",  # length of an observation
    "templates_count",
    "most_records",
    "acting",
    "pace",
    "pace_ns",
    "pace_events",
    "goal_lots",
    "phase",
    "seat_at",
    "step",
    "start",
    "end",
    "target",  # when the present step ends, as far as known
    "since",  # when the present step began
    "mark",  # ticks
    "start_mark",
)
NUMBERS = (
    "price_ticks",
    "typical_lots",
    "inventory_lots",
    "cash_scale",
    "age_ns",
    "clip",
    "profit_weight",
    "inventory_bps",
    "shortfall_weight",
    "scale",
    "ruin_share",
)
DESK = np.dtype(
    [(name, "<i8") for name in SCALARS]
    + [(name, "<f8") for name in NUMBERS]
    + [("loop_at", "<i8")]
    + [(f"{name}_at", "<i8") for name in ARRAYS]
)

Desk: TypeAlias = Any  # a record of dtype DESK, which is what kernels see
Seat: TypeAlias = Any  # a record of dtype SEAT

loop_of = reach(DESK, "loop_at", LOOP)
seat_of = reach(DESK, "seats_at", SEAT)
link_of = reach(DESK, "links_at", LINK)
public_of = reach(DESK, "publics_at", WORD)
private_of = reach(DESK, "privates_at", WORD)
template_of = reach(DESK, "templates_at", TEMPLATE)
quote_of = reach(DESK, "quotes_at", SINGLE)
record_of = reach(DESK, "records_at", INPUT)
seen_of = reach(DESK, "seen_at", SINGLE)
legal_of = reach(DESK, "legal_at", BYTE)
