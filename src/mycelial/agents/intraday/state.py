"""The state of a population: a header record with every parameter, and the rows of agents it points to.

Owners are numbered kind by kind in the order of `KINDS`; participants from outside come last. One header is all a
decision needs besides the book's: see `mycelial.domain.memory`.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeAlias

import numpy as np

from mycelial.agents.intraday.config import KINDS, MOST_LEVELS, PopulationConfig
from mycelial.domain.memory import reach
from mycelial.market.book.records import INPUT

NOISE, VALUE, CHARTIST, MAKER, ARBITRAGEUR, STOP_HOLDER, EXECUTOR, LEARNER = range(len(KINDS))
EXTERNAL = POOLS = len(KINDS)

# One agent, two cache lines.
AGENT = np.dtype(
    [
        ("kind", "u1"),
        ("listens", "u1"),  # wants to be told of its fills
        ("armed", "u1"),  # a stop waits
        ("mind", "u1"),  # temper drawn at birth: contrarian, ...
        ("seat", "<u4"),  # number among its kind
        ("draws", "<u4"),  # random numbers used
        ("sends", "<u4"),  # messages sent
        ("up", "<i8"),  # ns to the engine
        ("down", "<i8"),  # ns from the engine
        ("last_arrival", "<i8"),
        ("last_delivery", "<i8"),
        ("bid", "<i8"),  # handle of the resting buy order, 0 none, -1 on its way
        ("ask", "<i8"),
        ("start_lots", "<i8"),  # asset at birth: inventory is counted from here
        ("target", "<i8"),  # lots still to trade, signed; of a stop: lots to trade when it goes off, of a maker: quote
        ("belief", "<f8"),  # private log-deviation from the fundamental; of a stop holder: the stop in ticks
        ("memory", "<f8"),  # makers: share of own fills that went wrong; learners: usual gain
        ("tokens", "<f8"),  # throttle counter
        ("tokens_at", "<i8"),  # and when it was last brought up to date
    ]
)

# What everybody can see of the market from `time` on, one cache line.
SEEN = np.dtype(
    [
        ("time", "<i8"),
        ("bid", "<i4"),  # ticks; 0 when that side is empty
        ("ask", "<i4"),
        ("bid_lots", "<i8"),
        ("ask_lots", "<i8"),
        ("near_bid", "<i8"),  # lots on the best few levels
        ("near_ask", "<i8"),
        ("last", "<i4"),  # last traded tick, 0 before the first
        ("flow", "<f4"),  # recent signed trades, from -1 to 1
        ("fast", "<f4"),  # log-distance of the mid from its fast and slow average
        ("slow", "<f4"),
    ]
)

QUOTE = np.dtype([("handle", "<i8")])  # 0 none, -1 on its way
STOP = np.dtype([("tick", "<i8"), ("owner", "<i8")])
STATES, ACTIONS = 27, 6
POLICY = np.dtype([("weight", "<f4", ACTIONS)])
TRIAL = np.dtype([("at", "<i8"), ("state", "<i4"), ("action", "<i4"), ("price", "<f8"), ("lots", "<i8")])
DAY = np.dtype([("log_price", "<f8")])
POOL = np.dtype(
    [("first", "<i8"), ("count", "<i8"), ("wait_ns", "<f8"), ("draws", "<i8")]
)  # wait: mean to the next wake-up

_NUMBERS = tuple(f.name for f in fields(PopulationConfig) if f.name not in (*KINDS, "latency"))
_OF_KINDS = tuple(
    (f"{name}_{f.name}", "<i8" if f.type == "int" else "<f8")
    for name in KINDS
    for f in fields(getattr(PopulationConfig(), name))
    if f.name not in ("count", "rate_hz")
)
ARRAYS = {
    "agents": AGENT,  # [owners]
    "seen": SEEN,  # [seen_room] ring
    "quotes": QUOTE,  # [makers 2 MOST_LEVELS] bids, then asks
    "falling": STOP,  # [stop holders] heap: highest selling stop first
    "rising": STOP,  # [stop holders] heap: lowest buying stop first
    "policies": POLICY,  # [learners STATES]
    "trials": TRIAL,  # [learners] the action being judged
    "days": DAY,  # [days] fundamental path
    "pools": POOL,  # [kinds]
    "outbox": INPUT,  # [2 MOST_LEVELS + 8] what the agent deciding now sends
}
CROWD = np.dtype(
    [(name, "<f8") for name in _NUMBERS]
    + list(_OF_KINDS)
    + [
        ("key", "<u8"),  # stream of the agents' draws
        ("world_key", "<u8"),  # stream of fundamental and reference
        ("owners", "<i8"),
        ("sent", "<i8"),  # records in the outbox
        ("seen_count", "<i8"),  # views written in all
        ("seen_mask", "<i8"),
        ("falling_count", "<i8"),
        ("rising_count", "<i8"),
        ("days_count", "<i8"),
        ("step", "<i8"),  # grid step the fundamental has reached
        ("step_ns", "<i8"),
        ("relaxing", "<f8"),  # OU part of the intraday noise, log units
        ("wandering", "<f8"),  # permanent part
        ("straying", "<f8"),  # reference against fundamental
        ("mid", "<f8"),  # last mid, ticks
        ("fast_mid", "<f8"),
        ("slow_mid", "<f8"),
        ("flow", "<f8"),
        ("last", "<i8"),  # last traded tick
        ("bid", "<i8"),  # as last written, to see changes
        ("ask", "<i8"),
        ("changed_at", "<i8"),
        # what is done to people on purpose (`mycelial.simulation.stress`); 0, 0, 1, 0 and NEVER leave them alone
        ("worth_shift", "<f8"),  # of the logarithm of the fundamental
        ("reference_shift", "<f8"),  # of the logarithm of the external reference, on top
        ("depth", "<f8"),  # part of their size with which orders rest
        ("shy_ticks", "<f8"),  # nobody has an order rest nearer to the mid than this
        ("frozen_at", "<i8"),  # nobody sees anything newer than this
    ]
    + [(f"{name}_at", "<i8") for name in ARRAYS]
)

Crowd: TypeAlias = Any  # a record of dtype CROWD, which is what kernels see
Agent: TypeAlias = Any  # a record of dtype AGENT
Seen: TypeAlias = Any  # a record of dtype SEEN

agent_of = reach(CROWD, "agents_at", AGENT)
seen_of = reach(CROWD, "seen_at", SEEN)
quote_of = reach(CROWD, "quotes_at", QUOTE)
falling_of = reach(CROWD, "falling_at", STOP)
rising_of = reach(CROWD, "rising_at", STOP)
policy_of = reach(CROWD, "policies_at", POLICY)
trial_of = reach(CROWD, "trials_at", TRIAL)
day_of = reach(CROWD, "days_at", DAY)
pool_of = reach(CROWD, "pools_at", POOL)
outbox_of = reach(CROWD, "outbox_at", INPUT)
QUOTE_TAG = 16  # tags of orders from here on name a row of `quotes`
OUTBOX_ROOM = 2 * MOST_LEVELS + 8
