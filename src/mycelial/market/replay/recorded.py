"""What the recorded market does: trades and levels go by and meet own orders."""

from __future__ import annotations

from mycelial.domain.depth import BEST, COUNT, WORST, set_level
from mycelial.domain.kernels import allocating_helper
from mycelial.domain.recording import SNAPSHOT
from mycelial.market.replay.layout import (
    B_FIRST,
    B_KIND,
    L_LOTS,
    L_RANK,
    L_SIDE,
    N_OWN,
    NAMED,
    O_AHEAD,
    O_PRICE,
    O_RANK,
    O_SIDE,
    OPTIMISTIC,
    OWN_AT,
    OWN_BEST,
    PROPORTIONAL,
    SHOWN,
    SPARED,
    T_LOTS,
    T_PRICE,
    T_RANK,
    T_SIDE,
    TAKEN,
    TRADED,
    Feed,
    Ints,
    Rules,
    State,
)
from mycelial.market.replay.own_orders import available, fill_resting, first_at, reaches


@allocating_helper
def recorded_trade(feed: Feed, state: State, rules: Rules, events: Ints, trade: int) -> None:
    price, left, taker = feed.trades[trade, T_PRICE], feed.trades[trade, T_LOTS], feed.trades[trade, T_SIDE]
    if taker < 0:
        return
    maker = 1 - taker
    rank = feed.trades[trade, T_RANK]
    if rank >= 0:
        state.ladder[TRADED, maker, rank] += left
    # A better or equal own price: own bids at or above a sale, own asks at or below a purchase.
    while left > 0 and reaches(maker, state.ends[OWN_BEST, maker], price):
        if state.ends[OWN_BEST, maker] == price:
            _fill_level(state, rules, events, maker, price, left)
            return
        order = first_at(state, maker, state.ends[OWN_BEST, maker])
        left -= fill_resting(state, rules, events, order, left)


@allocating_helper
def _fill_level(state: State, rules: Rules, events: Ints, side: int, price: int, left: int) -> None:
    """Let a recorded trade of `left` lots walk the queue at `price`: recorded lots and own orders in their order."""
    gone = 0  # recorded lots that this trade took so far
    order = 0
    while order < state.at[N_OWN]:
        own = state.own[order]
        if own[O_SIDE] != side or own[O_PRICE] != price:
            order += 1
            continue
        more = min(left, max(0, own[O_AHEAD] - gone))
        gone += more
        left -= more
        own[O_AHEAD] = max(0, own[O_AHEAD] - gone)
        if own[O_AHEAD] == 0 and left > 0:
            before, rank = state.at[N_OWN], own[O_RANK]
            filled = fill_resting(state, rules, events, order, left)
            left -= filled
            if rank >= 0:
                state.ladder[SPARED, side, rank] += filled
            if state.at[N_OWN] < before:
                continue  # the next order has moved here
        order += 1


@allocating_helper
def recorded_batch(feed: Feed, state: State, rules: Rules, events: Ints, batch: int) -> None:
    begin, end = feed.batches[batch, B_FIRST], feed.batches[batch + 1, B_FIRST]
    if feed.batches[batch, B_KIND] == SNAPSHOT:
        _forget_levels_not_in(feed, state, rules, begin, end)
    for update in range(begin, end):
        _tell_level(state, rules, feed.levels[update, L_SIDE], feed.levels[update, L_RANK], feed.levels[update, L_LOTS])
    _meet_other_side(feed, state, rules, events)


@allocating_helper
def _forget_levels_not_in(feed: Feed, state: State, rules: Rules, begin: int, end: int) -> None:
    """A snapshot replaces the book: tell every level that it leaves out that it is gone."""
    named = state.ladder[NAMED]
    for update in range(begin, end):
        named[feed.levels[update, L_SIDE], feed.levels[update, L_RANK]] = 1
    for side in range(2):
        if state.ends[COUNT, side] > 0:
            low, high = (
                min(state.ends[BEST, side], state.ends[WORST, side]),
                max(state.ends[BEST, side], state.ends[WORST, side]),
            )
            for rank in range(low, high + 1):
                if state.ladder[SHOWN, side, rank] > 0 and named[side, rank] == 0:
                    _tell_level(state, rules, side, rank, 0)
    for update in range(begin, end):
        named[feed.levels[update, L_SIDE], feed.levels[update, L_RANK]] = 0


@allocating_helper
def _tell_level(state: State, rules: Rules, side: int, rank: int, lots: int) -> None:
    """The recorded level now shows `lots`."""
    if state.ladder[OWN_AT, side, rank] > 0:
        untraded = max(0, state.ladder[SHOWN, side, rank] - state.ladder[TRADED, side, rank])
        cancelled = max(0, untraded - lots)
        for order in range(state.at[N_OWN]):
            own = state.own[order]
            if own[O_SIDE] == side and own[O_RANK] == rank:
                left_before = 0
                if rules.cancels == OPTIMISTIC:
                    left_before = cancelled
                elif rules.cancels == PROPORTIONAL and untraded > 0:
                    left_before = int(own[O_AHEAD] * (cancelled / untraded))
                own[O_AHEAD] = min(max(0, own[O_AHEAD] - left_before), lots + state.ladder[SPARED, side, rank])
    if lots == 0:
        state.ladder[SPARED, side, rank] = 0
    state.ladder[TRADED, side, rank] = 0
    state.ladder[TAKEN, side, rank] = min(state.ladder[TAKEN, side, rank], lots)
    set_level(state.ladder[SHOWN], state.ends, side, rank, lots)


@allocating_helper
def _meet_other_side(feed: Feed, state: State, rules: Rules, events: Ints) -> None:
    """Recorded lots that now stand at or beyond an own order's price trade with it."""
    for side in range(2):
        rank = state.ends[BEST, 1 - side]
        while 0 <= rank < feed.prices.size and reaches(side, state.ends[OWN_BEST, side], feed.prices[rank]):
            there = available(state, 1 - side, rank)
            if there <= 0:
                rank += 1 if side == 0 else -1
                continue
            order = first_at(state, side, state.ends[OWN_BEST, side])
            state.ladder[TAKEN, 1 - side, rank] += fill_resting(state, rules, events, order, there)
