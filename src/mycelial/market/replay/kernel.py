"""The loop of replay: recorded levels and trades, expiries and inputs in order of time."""

from __future__ import annotations

from mycelial.domain.depth import COUNT
from mycelial.domain.kernels import allocating_entry, allocating_helper
from mycelial.market.replay.inputs import take_input
from mycelial.market.replay.layout import (
    B_FIRST,
    B_TIME,
    BATCH,
    DONE,
    EVENTS_FULL,
    I_TS,
    INPUTS,
    N_EVENTS,
    N_OWN,
    NEVER,
    NEXT_EXPIRE,
    T_TIME,
    TIME,
    TRADE,
    Feed,
    Ints,
    Rules,
    State,
)
from mycelial.market.replay.own_orders import expire
from mycelial.market.replay.recorded import recorded_batch, recorded_trade


@allocating_entry
def advance(feed: Feed, state: State, rules: Rules, inputs: Ints, events: Ints, until: int) -> int:
    """Let feed and inputs happen, in order of time, up to and including `until`.

    At equal times recorded trades go first, then recorded levels, then expiry, then inputs.

    Parameters
    ----------
    inputs : int64[n, len(INPUT_FIELDS)], ascending in ts
        Those before ``state.at[INPUTS]`` are done already.
    events : int64[capacity, len(EVENT_FIELDS)]
        **Written** from ``state.at[N_EVENTS]`` on.

    Returns
    -------
    int
        DONE, or EVENTS_FULL: call again with more room; nothing is lost.
    """
    at = state.at
    while True:
        trade_time = feed.trades[at[TRADE], T_TIME] if at[TRADE] < feed.trades.shape[0] else NEVER
        batch_time = feed.batches[at[BATCH], B_TIME] if at[BATCH] < feed.batches.shape[0] - 1 else NEVER
        input_time = inputs[at[INPUTS], I_TS] + rules.up_ns if at[INPUTS] < inputs.shape[0] else NEVER
        now = min(trade_time, batch_time, input_time, at[NEXT_EXPIRE])
        if now > until or now == NEVER:
            break
        if now == input_time or at[N_OWN] > 0:
            batch = feed.batches[at[BATCH] + 1, B_FIRST] - feed.batches[at[BATCH], B_FIRST] if batch_time == now else 0
            if at[N_EVENTS] + most_events(state, batch) > events.shape[0]:
                return EVENTS_FULL
        at[TIME] = max(at[TIME], now)
        if trade_time == now:
            recorded_trade(feed, state, rules, events, at[TRADE])
            at[TRADE] += 1
        elif batch_time == now:
            recorded_batch(feed, state, rules, events, at[BATCH])
            at[BATCH] += 1
        elif at[NEXT_EXPIRE] == now:
            expire(state, events)
        else:
            take_input(feed, state, rules, events, inputs[at[INPUTS]])
            at[INPUTS] += 1
    at[TIME] = max(at[TIME], until)
    return DONE


@allocating_helper
def most_events(state: State, batch: int) -> int:
    """Return the most events that one input, or one batch of so many levels, can cause."""
    return 3 * state.at[N_OWN] + state.ends[COUNT, 0] + state.ends[COUNT, 1] + batch + 8
