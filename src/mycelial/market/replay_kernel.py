"""The kernels of replay: recorded levels and trades go by, own orders wait in their queues or take what is shown.

The recorded market does not know our orders; the rules keep that from being turned into gains.

Taking. What is shown at a level, less what traded there since it was last told, less what we took of it before, can be
taken. Lots once taken stay taken (`taken`): they come off everything the level shows until it shows no more than them,
when the lots we took have left the recorded book as well. So no resting lot fills two orders.

Resting. An order joins behind all lots shown at its price (`ahead`). A recorded trade at its price fills first what is
ahead, then own orders in their order. A recorded trade at a worse price fills own orders at better prices first: that
taker would have met them. Each traded lot counts once. Lots that leave a level without a trade were cancelled:
of these, none (PESSIMISTIC), a share equal to the share of the queue that is ahead (PROPORTIONAL), or as many as there
are (OPTIMISTIC) were ahead. When recorded lots appear on the other side at or beyond an own order's price, they trade
with it, and count as taken.

Lots that own fills spare from a recorded trade stay in the queue, before whoever joins later, until the level empties.

What is not modelled: recorded traders do not react to our orders.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.depth import BEST, COUNT, WORST, set_level
from mycelial.domain.kernels import allocating_entry, allocating_helper
from mycelial.domain.recording import SNAPSHOT
from mycelial.market.book.records import EVENT, INPUT, Done, EventFlag, EventKind, Flag, Kind, Reject, Stp, Tif

Ints = NDArray[np.int64]

PESSIMISTIC, PROPORTIONAL, OPTIMISTIC = 0, 1, 2
DONE, EVENTS_FULL = 0, 1  # what `advance` returns
NEVER = int(np.iinfo(np.int64).max)

# Plain integers: kernels freeze them.
_NEW, _CANCEL, _CANCEL_ALL, _AMEND, _CLOCK = (
    int(k) for k in (Kind.NEW, Kind.CANCEL, Kind.CANCEL_ALL, Kind.AMEND, Kind.CLOCK)
)
_ACCEPTED, _REJECTED, _TRADE, _RESTED, _DONE, _AMENDED = (
    int(k)
    for k in (
        EventKind.ACCEPTED,
        EventKind.REJECTED,
        EventKind.TRADE,
        EventKind.RESTED,
        EventKind.DONE,
        EventKind.AMENDED,
    )
)
_FILLED, _USER, _IOC_REST, _FOK_KILL, _DONE_STP, _EXPIRED, _DONE_POST_ONLY, _MASS, _PROTECTION = (
    int(k)
    for k in (
        Done.FILLED,
        Done.USER,
        Done.IOC_REST,
        Done.FOK_KILL,
        Done.STP,
        Done.EXPIRED,
        Done.POST_ONLY,
        Done.MASS,
        Done.PROTECTION,
    )
)
_GTC, _GTD, _IOC, _FOK = int(Tif.GTC), int(Tif.GTD), int(Tif.IOC), int(Tif.FOK)
_MARKET, _POST_ONLY, _NO_PROTECTION = int(Flag.MARKET), int(Flag.POST_ONLY), int(Flag.NO_PROTECTION)
_CANCEL_NEWEST, _CANCEL_OLDEST, _CANCEL_BOTH, _STP_NONE = (int(s) for s in Stp)
_RESTING, _KEPT = int(EventFlag.RESTING), int(EventFlag.KEPT)
_BAD_TICK, _BAD_LOTS, _BAD_TIF, _BAD_RECORD = (
    int(r) for r in (Reject.BAD_TICK, Reject.BAD_LOTS, Reject.BAD_TIF, Reject.BAD_RECORD)
)
_UNKNOWN, _NOT_OWNER, _DUPLICATE, _NO_CHANGE = (
    int(r) for r in (Reject.UNKNOWN_ORDER, Reject.NOT_OWNER, Reject.DUP_CLIENT_ID, Reject.NO_CHANGE)
)
_NO_LIQUIDITY, _POOL_FULL, _POST_ONLY_AMEND = (
    int(r) for r in (Reject.NO_LIQUIDITY, Reject.POOL_FULL, Reject.POST_ONLY_AMEND)
)

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
            _recorded_trade(feed, state, rules, events, at[TRADE])
            at[TRADE] += 1
        elif batch_time == now:
            _recorded_batch(feed, state, rules, events, at[BATCH])
            at[BATCH] += 1
        elif at[NEXT_EXPIRE] == now:
            _expire(state, events)
        else:
            _input(feed, state, rules, events, inputs[at[INPUTS]])
            at[INPUTS] += 1
    at[TIME] = max(at[TIME], until)
    return DONE


@allocating_helper
def most_events(state: State, batch: int) -> int:
    """Return the most events that one input, or one batch of so many levels, can cause."""
    return 3 * state.at[N_OWN] + state.ends[COUNT, 0] + state.ends[COUNT, 1] + batch + 8


@allocating_entry
def fee(notional: int, ppm: int) -> int:
    """Return the fee of a fill, rounding half up; a negative rate is a rebate."""
    rate = abs(ppm)
    amount = notional // 1_000_000 * rate + (notional % 1_000_000 * rate + 500_000) // 1_000_000
    return amount if ppm >= 0 else -amount


# Recorded data.


@allocating_helper
def _recorded_trade(feed: Feed, state: State, rules: Rules, events: Ints, trade: int) -> None:
    price, left, taker = feed.trades[trade, T_PRICE], feed.trades[trade, T_LOTS], feed.trades[trade, T_SIDE]
    if taker < 0:
        return
    maker = 1 - taker
    rank = feed.trades[trade, T_RANK]
    if rank >= 0:
        state.ladder[TRADED, maker, rank] += left
    # A better or equal own price: own bids at or above a sale, own asks at or below a purchase.
    while left > 0 and _reaches(maker, state.ends[OWN_BEST, maker], price):
        if state.ends[OWN_BEST, maker] == price:
            _fill_level(state, rules, events, maker, price, left)
            return
        order = _first_at(state, maker, state.ends[OWN_BEST, maker])
        left -= _fill_resting(state, rules, events, order, left)


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
            filled = _fill_resting(state, rules, events, order, left)
            left -= filled
            if rank >= 0:
                state.ladder[SPARED, side, rank] += filled
            if state.at[N_OWN] < before:
                continue  # the next order has moved here
        order += 1


@allocating_helper
def _recorded_batch(feed: Feed, state: State, rules: Rules, events: Ints, batch: int) -> None:
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
        while 0 <= rank < feed.prices.size and _reaches(side, state.ends[OWN_BEST, side], feed.prices[rank]):
            there = _available(state, 1 - side, rank)
            if there <= 0:
                rank += 1 if side == 0 else -1
                continue
            order = _first_at(state, side, state.ends[OWN_BEST, side])
            state.ladder[TAKEN, 1 - side, rank] += _fill_resting(state, rules, events, order, there)


@allocating_helper
def _reaches(side: int, own_price: int, price: int) -> bool:
    """Whether an own resting order at `own_price` would have met something at `price` from the other side."""
    return own_price >= price if side == 0 else own_price <= price


@allocating_helper
def _available(state: State, side: int, rank: int) -> int:
    """Return the lots of a level that can still be taken."""
    return state.ladder[SHOWN, side, rank] - state.ladder[TRADED, side, rank] - state.ladder[TAKEN, side, rank]


# Own orders.


@allocating_helper
def _fill_resting(state: State, rules: Rules, events: Ints, order: int, most: int) -> int:
    """Fill an own resting order by up to `most` lots against the recorded market and return how many."""
    own = state.own[order]
    lots = min(most, own[O_LEFT])
    own[O_LEFT] -= lots
    notional = own[O_PRICE] * lots * rules.cash_per_tick_lot
    cause = state.at[INPUTS] - 1
    n = _emit(state, events, _TRADE, 0, 1 - own[O_SIDE], -1, -1, 0, own[O_PRICE], lots, 0, cause)
    events[n, E_MAKER_HANDLE] = own[O_HANDLE]
    events[n, E_MAKER_OWNER] = own[O_OWNER]
    events[n, E_MAKER_FEE] = fee(notional, rules.maker_ppm)
    if own[O_LEFT] == 0:
        _leave(state, events, order, _FILLED, cause)
    return lots


@allocating_helper
def _leave(state: State, events: Ints, order: int, reason: int, cause: int) -> None:
    """Take an own resting order out and say why."""
    own = state.own[order]
    n = _emit(
        state,
        events,
        _DONE,
        reason,
        own[O_SIDE],
        own[O_OWNER],
        own[O_HANDLE],
        own[O_CLIENT_ID],
        own[O_PRICE],
        own[O_LOTS] - own[O_LEFT],
        own[O_LEFT],
        cause,
    )
    events[n, E_FLAGS] = _RESTING
    _remove(state, order)


@allocating_helper
def _remove(state: State, order: int) -> None:
    if state.own[order, O_RANK] >= 0:
        state.ladder[OWN_AT, state.own[order, O_SIDE], state.own[order, O_RANK]] -= 1
    for later in range(order + 1, state.at[N_OWN]):
        for column in range(O_COLUMNS):
            state.own[later - 1, column] = state.own[later, column]
    state.at[N_OWN] -= 1
    _refresh(state)


@allocating_helper
def _refresh(state: State) -> None:
    """Look up the best own prices and the next expiry again."""
    bid, ask, expire = np.int64(-1), np.int64(NEVER), np.int64(NEVER)
    for order in range(state.at[N_OWN]):
        own = state.own[order]
        if own[O_SIDE] == 0:
            bid = max(bid, own[O_PRICE])
        else:
            ask = min(ask, own[O_PRICE])
        expire = min(expire, own[O_EXPIRE])
    state.ends[OWN_BEST, 0], state.ends[OWN_BEST, 1], state.at[NEXT_EXPIRE] = bid, ask, expire


@allocating_helper
def _first_at(state: State, side: int, price: int) -> int:
    """Return the own order that comes first at a price it is known to have one at."""
    order = 0
    while state.own[order, O_SIDE] != side or state.own[order, O_PRICE] != price:
        order += 1
    return order


@allocating_helper
def _expire(state: State, events: Ints) -> None:
    order = 0
    while order < state.at[N_OWN]:
        if state.own[order, O_EXPIRE] <= state.at[TIME]:
            _leave(state, events, order, _EXPIRED, state.at[INPUTS] - 1)
        else:
            order += 1


@allocating_helper
def _rest(feed: Feed, state: State, one: Ints) -> None:
    """Put an order (a row of own orders) behind everything shown at its price."""
    rank = np.searchsorted(feed.prices, one[O_PRICE])
    known = rank < feed.prices.size and feed.prices[rank] == one[O_PRICE]
    one[O_RANK] = rank if known else -1
    one[O_AHEAD] = 0
    if known:
        one[O_AHEAD] = max(0, _available(state, one[O_SIDE], rank)) + state.ladder[SPARED, one[O_SIDE], rank]
        state.ladder[OWN_AT, one[O_SIDE], rank] += 1
    for column in range(O_COLUMNS):
        state.own[state.at[N_OWN], column] = one[column]
    state.at[N_OWN] += 1
    _refresh(state)


# Inputs.


@allocating_helper
def _input(feed: Feed, state: State, rules: Rules, events: Ints, record: Ints) -> None:
    kind = record[I_KIND]
    if kind == _NEW:
        _new(feed, state, rules, events, record)
    elif kind == _CANCEL:
        order = _find(state, record)
        if order < 0:
            _reject(state, events, record, _UNKNOWN)
        elif state.own[order, O_OWNER] != record[I_OWNER]:
            _reject(state, events, record, _NOT_OWNER)
        else:
            _leave(state, events, order, _USER, state.at[INPUTS])
    elif kind == _CANCEL_ALL:
        _cancel_all(state, events, record)
    elif kind == _AMEND:
        _amend(feed, state, rules, events, record)
    elif kind != _CLOCK:
        _reject(state, events, record, _BAD_RECORD)


@allocating_helper
def _new(feed: Feed, state: State, rules: Rules, events: Ints, record: Ints) -> None:
    side, flags, tif = record[I_SIDE], record[I_FLAGS], record[I_TIF]
    is_market = flags & _MARKET != 0
    reason = _wrong_with(feed, state, record)
    if reason > 0:
        _reject(state, events, record, reason)
        return
    price = record[I_PRICE]
    if is_market:
        touch = feed.prices[_next_available(feed, state, 1 - side, state.ends[BEST, 1 - side])]
        reach = touch * rules.protection_ppm // 1_000_000
        price = touch + reach if side == 0 else max(1, touch - reach)
        if flags & _NO_PROTECTION:
            price = feed.prices[-1] if side == 0 else feed.prices[0]
    one = np.zeros(O_COLUMNS, np.int64)
    one[O_HANDLE], one[O_PRICE], one[O_SIDE], one[O_FLAGS] = state.at[NEXT_HANDLE], price, side, flags
    one[O_LOTS], one[O_LEFT], one[O_OWNER] = record[I_LOTS], record[I_LOTS], record[I_OWNER]
    one[O_CLIENT_ID] = record[I_CLIENT_ID]
    one[O_EXPIRE] = record[I_EXPIRE] if tif == _GTD else NEVER
    state.at[NEXT_HANDLE] += 1
    cause = state.at[INPUTS]
    _say(state, events, _ACCEPTED, 0, one, one[O_LOTS], one[O_LEFT], cause)
    if tif == _FOK and _reachable(feed, state, side, price, one[O_LEFT]) < one[O_LEFT]:
        _say(state, events, _DONE, _FOK_KILL, one, 0, one[O_LEFT], cause)
        return
    if flags & _POST_ONLY and _reachable(feed, state, side, price, 1) > 0:
        _say(state, events, _DONE, _DONE_POST_ONLY, one, 0, one[O_LEFT], cause)
        return
    _enter(feed, state, rules, events, one, record[I_STP], tif, cause)


@allocating_helper
def _wrong_with(feed: Feed, state: State, record: Ints) -> int:
    """Return why a NEW record is refused, 0 when it is not."""
    flags, tif = record[I_FLAGS], record[I_TIF]
    is_market = flags & _MARKET != 0
    other = 1 - record[I_SIDE] if record[I_SIDE] < 2 else np.int64(0)
    reason = 0
    if record[I_SIDE] > 1 or tif > _FOK or record[I_STP] > _STP_NONE or record[I_OWNER] < 0:
        reason = _BAD_RECORD
    elif flags & ~(_MARKET | _POST_ONLY | _NO_PROTECTION):
        reason = _BAD_RECORD  # icebergs and reduce-only orders need the reactive book
    elif (flags & _POST_ONLY and (is_market or tif in (_IOC, _FOK))) or (
        tif == _GTD and (is_market or record[I_EXPIRE] <= state.at[TIME])
    ):
        reason = _BAD_TIF
    elif record[I_LOTS] <= 0:
        reason = _BAD_LOTS
    elif not is_market and record[I_PRICE] <= 0:
        reason = _BAD_TICK
    elif is_market and _next_available(feed, state, other, state.ends[BEST, other]) < 0:
        reason = _NO_LIQUIDITY
    elif record[I_CLIENT_ID] != 0 and _with_client_id(state, record[I_OWNER], record[I_CLIENT_ID]) >= 0:
        reason = _DUPLICATE
    elif state.at[N_OWN] >= state.own.shape[0]:
        reason = _POOL_FULL
    return reason


@allocating_helper
def _enter(feed: Feed, state: State, rules: Rules, events: Ints, one: Ints, stp: int, tif: int, cause: int) -> None:
    """Take what can be taken within the limit, then rest or leave."""
    side, other = one[O_SIDE], 1 - one[O_SIDE]
    is_market = one[O_FLAGS] & _MARKET != 0
    reason = -1
    rank = _next_available(feed, state, other, state.ends[BEST, other])
    while one[O_LEFT] > 0:
        # An own order in the way comes before recorded lots at a worse price, and behind those at its own.
        mine = state.ends[OWN_BEST, other]
        reached = _reaches(side, one[O_PRICE], mine) if mine >= 0 and mine != NEVER else False
        shown = feed.prices[rank] if rank >= 0 else -1
        in_way = reached and (rank < 0 or not _reaches(side, mine, shown) or not _reaches(side, one[O_PRICE], shown))
        if in_way and stp != _STP_NONE:
            if stp != _CANCEL_NEWEST:
                _leave(state, events, _first_at(state, other, mine), _DONE_STP, cause)
            if stp != _CANCEL_OLDEST:
                reason = _DONE_STP
                break
            continue
        if rank < 0 or not _reaches(side, one[O_PRICE], shown):
            break
        lots = min(one[O_LEFT], _available(state, other, rank))
        state.ladder[TAKEN, other, rank] += lots
        one[O_LEFT] -= lots
        n = _say(state, events, _TRADE, 0, one, lots, one[O_LEFT], cause)
        events[n, E_PRICE] = shown
        events[n, E_MAKER_HANDLE] = -1
        events[n, E_MAKER_OWNER] = -1
        events[n, E_TAKER_FEE] = fee(shown * lots * rules.cash_per_tick_lot, rules.taker_ppm)
        rank = _next_available(feed, state, other, rank)
    if one[O_LEFT] == 0:
        reason = _FILLED
    elif reason < 0 and is_market:
        reason = _PROTECTION
    elif reason < 0 and tif == _IOC:
        reason = _IOC_REST
    if reason >= 0:
        _say(state, events, _DONE, reason, one, one[O_LOTS] - one[O_LEFT], one[O_LEFT], cause)
    else:
        _rest(feed, state, one)
        _say(state, events, _RESTED, 0, one, one[O_LEFT], one[O_LEFT], cause)


@allocating_helper
def _next_available(feed: Feed, state: State, side: int, rank: int) -> int:
    """Return the best rank from `rank` on, towards worse prices, with lots to take; -1 when there is none."""
    if state.ends[COUNT, side] == 0:
        return -1
    step = -1 if side == 0 else 1
    while 0 <= rank < feed.prices.size:
        if _available(state, side, rank) > 0:
            return rank
        if rank == state.ends[WORST, side]:
            return -1
        rank += step
    return -1


@allocating_helper
def _reachable(feed: Feed, state: State, side: int, price: int, enough: int) -> int:
    """Return the lots an order could take within `price`, counting no further than `enough`."""
    found = 0
    rank = _next_available(feed, state, 1 - side, state.ends[BEST, 1 - side])
    while rank >= 0 and found < enough and _reaches(side, price, feed.prices[rank]):
        found += _available(state, 1 - side, rank)
        if rank == state.ends[WORST, 1 - side]:
            break
        rank = _next_available(feed, state, 1 - side, rank + (-1 if side == 1 else 1))
    return found


@allocating_helper
def _cancel_all(state: State, events: Ints, record: Ints) -> None:
    if record[I_SIDE] > 2:
        _reject(state, events, record, _BAD_RECORD)
        return
    for side in range(2):  # bids from best to worst, then asks
        while record[I_SIDE] in (side, 2):
            order, price = -1, 0
            for one in range(state.at[N_OWN]):
                own = state.own[one]
                if own[O_SIDE] == side and own[O_OWNER] == record[I_OWNER]:
                    better = own[O_PRICE] > price if side == 0 else own[O_PRICE] < price
                    if order < 0 or better:
                        order, price = one, own[O_PRICE]
            if order < 0:
                break
            _leave(state, events, order, _MASS, state.at[INPUTS])


@allocating_helper
def _amend(feed: Feed, state: State, rules: Rules, events: Ints, record: Ints) -> None:
    order, cause = _find(state, record), state.at[INPUTS]
    if order < 0:
        _reject(state, events, record, _UNKNOWN)
        return
    held = state.own[order]
    price = record[I_PRICE] if record[I_PRICE] != -1 else held[O_PRICE]
    lots = record[I_LOTS] if record[I_LOTS] != -1 else held[O_LOTS]
    filled = held[O_LOTS] - held[O_LEFT]
    reason = 0
    if held[O_OWNER] != record[I_OWNER]:
        reason = _NOT_OWNER
    elif lots <= 0:
        reason = _BAD_LOTS
    elif lots > filled and price <= 0:
        reason = _BAD_TICK
    elif lots > filled and price == held[O_PRICE] and lots == held[O_LOTS]:
        reason = _NO_CHANGE
    elif lots > filled and held[O_FLAGS] & _POST_ONLY and _reachable(feed, state, held[O_SIDE], price, 1) > 0:
        reason = _POST_ONLY_AMEND
    if reason > 0:
        _reject(state, events, record, reason)
        return
    if lots <= filled:
        _leave(state, events, order, _USER, cause)
        return
    before = held[O_PRICE]
    if price == before and lots <= held[O_LOTS]:
        held[O_LOTS], held[O_LEFT] = lots, lots - filled
        n = _say(state, events, _AMENDED, 0, held, held[O_LEFT], held[O_LEFT], cause)
        events[n, E_MAKER_HANDLE], events[n, E_FLAGS] = before, _KEPT
        return
    one = np.zeros(O_COLUMNS, np.int64)
    for column in range(O_COLUMNS):
        one[column] = held[column]
    _remove(state, order)
    one[O_PRICE], one[O_LOTS], one[O_LEFT] = price, lots, lots - filled
    n = _say(state, events, _AMENDED, 0, one, one[O_LEFT], one[O_LEFT], cause)
    events[n, E_MAKER_HANDLE] = before
    tif = _GTC if one[O_EXPIRE] == NEVER else _GTD
    _enter(feed, state, rules, events, one, record[I_STP], tif, cause)


@allocating_helper
def _find(state: State, record: Ints) -> int:
    """Return the place of the order that a record names, -1 when it is not alive."""
    if record[I_HANDLE] == -1:
        return _with_client_id(state, record[I_OWNER], record[I_CLIENT_ID]) if record[I_CLIENT_ID] != 0 else -1
    for order in range(state.at[N_OWN]):
        if state.own[order, O_HANDLE] == record[I_HANDLE]:
            return order
    return -1


@allocating_helper
def _with_client_id(state: State, owner: int, client_id: int) -> int:
    for order in range(state.at[N_OWN]):
        if state.own[order, O_OWNER] == owner and state.own[order, O_CLIENT_ID] == client_id:
            return order
    return -1


# Output.


@allocating_helper
def _say(state: State, events: Ints, kind: int, reason: int, own: Ints, lots: int, leaves: int, cause: int) -> int:
    """Emit an event of an own order and return its row."""
    side, owner, handle = own[O_SIDE], own[O_OWNER], own[O_HANDLE]
    return _emit(state, events, kind, reason, side, owner, handle, own[O_CLIENT_ID], own[O_PRICE], lots, leaves, cause)


@allocating_helper
def _reject(state: State, events: Ints, record: Ints, reason: int) -> None:
    _emit(
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


@allocating_helper
def _emit(
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
