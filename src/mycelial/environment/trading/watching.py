"""What a step brought: fills, money, charges; and what every seat sees of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.intraday.fundamental import advance, log_worth
from mycelial.domain.calling import record_at
from mycelial.domain.kernels import allocating_entry, allocating_helper
from mycelial.environment.pictures import private_place, public_place
from mycelial.environment.state import (
    DESK,
    ORDER_WORDS,
    ORDERS,
    PRIVATE_HEAD,
    PUBLIC_HEAD,
    loop_of,
    private_of,
    public_of,
    seat_of,
)
from mycelial.environment.trading.config import FLATTEN, KEEP, KIND, TAKE, TAKE_SIZE
from mycelial.environment.trading.schema import LAGS
from mycelial.environment.trading.state import (
    FEES,
    FLOW,
    FLOW_NOW,
    INTENSITY,
    MAKER_FILLS,
    MAKER_LOTS,
    MIDS,
    OWN_LOTS,
    SLOW_MID,
    TAKER_FILLS,
    TAKER_LOTS,
    VOLATILITY,
)
from mycelial.market.book.ledger import fee
from mycelial.market.book.state import account_of
from mycelial.market.rate_counters import MICRO
from mycelial.market.rate_kernels import level_at
from mycelial.simulation.intraday.state import book_of, crowd_of, tape_of

_CLIP = 5.0
_desk_at = record_at(DESK)


@allocating_helper
def _read_own_orders(desk: Any, rules: Any, floor: Any, b: int) -> None:
    for n in range(rules.seats):
        row, seat = b * rules.seats + n, seat_of(desk, n)
        place = private_place(desk, n, seat.picture)
        for side in range(2):
            floor.seats[row].order_lots[side] = 0
        for k in range(min(private_of(desk, place + ORDERS).at, desk.orders)):
            word = place + PRIVATE_HEAD + k * ORDER_WORDS
            side = private_of(desk, word + 1).at
            floor.seats[row].order_tick[side] = private_of(desk, word + 2).at
            floor.seats[row].order_lots[side] = private_of(desk, word + 3).at
            floor.seats[row].order_ahead[side] = private_of(desk, word + 4).at


@allocating_helper
def _others_at(desk: Any, rules: Any, floor: Any, b: int, side: int, tick: int, shown: int) -> int:
    """Return the lots that others show at a level."""
    for n in range(rules.seats):
        row = b * rules.seats + n
        if floor.seats[row].order_lots[side] > 0 and floor.seats[row].order_tick[side] == tick:
            shown -= floor.seats[row].order_lots[side]
    return max(shown, 0)


@allocating_helper
def _read_book(desk: Any, rules: Any, floor: Any, b: int, sizes: NDArray[np.float64]) -> None:
    """Find the best prices of others; `sizes` gets their lots at the best level and in all, by side."""
    place = public_place(desk, seat_of(desk, 0).link, seat_of(desk, 0).picture) + PUBLIC_HEAD
    for side in range(2):
        found = False
        sizes[side], sizes[2 + side] = 0.0, 0.0
        for k in range(desk.depth):
            word = place + 2 * (side * desk.depth + k)
            tick = public_of(desk, word).at
            if tick == 0:
                break
            lots = _others_at(desk, rules, floor, b, side, tick, public_of(desk, word + 1).at)
            if lots > 0:
                if not found:
                    found = True
                    floor.books[b].best[side] = tick
                    sizes[side] = lots
                sizes[2 + side] += lots
    if floor.books[b].best[0] >= floor.books[b].best[1]:  # one side is empty of others and the mid has moved on
        mark = floor.books[b].best[0] if sizes[0] > 0.0 else floor.books[b].best[1]
        floor.books[b].best[0], floor.books[b].best[1] = mark - 1 if sizes[0] == 0.0 else mark, mark + 1


@allocating_helper
def _read_tape(desk: Any, rules: Any, floor: Any, b: int, flows: NDArray[np.int64]) -> None:
    """Account for the trades since the last step: `flows[n]` gets each seat's money before fees."""
    loop = loop_of(desk, 0)
    first_owner = seat_of(desk, 0).owner
    signed, trades = np.int64(0), np.int64(0)
    slot = floor.books[b].step % rules.markout_steps
    oldest = max(floor.books[b].tape_seen, loop.tape_count - loop.tape_mask - 1)
    cash_per = book_of(loop, 0).cash_per_tick_lot
    for k in range(oldest, loop.tape_count):
        trade = tape_of(loop, k & loop.tape_mask)
        lots = np.int64(trade.lots) if trade.side == 0 else -np.int64(trade.lots)
        signed += lots
        trades += 1
        maker, taker = trade.maker - first_owner, trade.taker - first_owner
        notional = np.int64(trade.price) * abs(lots) * cash_per
        if 0 <= maker < rules.seats:
            row = b * rules.seats + maker
            floor.seats[row].counts[MAKER_FILLS] += 1
            floor.seats[row].counts[MAKER_LOTS] += abs(lots)
            floor.seats[row].filled -= lots
            flows[maker] += notional if lots > 0 else -notional
            floor.seats[row].wait_lots[slot] -= lots
            floor.seats[row].wait_money[slot] += -2 * notional if lots > 0 else 2 * notional
            floor.seats[row].wait_size[slot] += notional
            if 0 <= taker < rules.seats:
                floor.seats[row].counts[OWN_LOTS] += abs(lots)
        if 0 <= taker < rules.seats:
            row = b * rules.seats + taker
            floor.seats[row].counts[TAKER_FILLS] += 1
            floor.seats[row].counts[TAKER_LOTS] += abs(lots)
            floor.seats[row].filled += lots
            flows[taker] += -notional if lots > 0 else notional
    floor.books[b].tape_seen = loop.tape_count
    floor.books[b].emas[FLOW_NOW] = signed / rules.typical_lots
    floor.books[b].emas[FLOW] += 0.1 * (floor.books[b].emas[FLOW_NOW] - floor.books[b].emas[FLOW])
    floor.books[b].emas[INTENSITY] += 0.1 * (trades - floor.books[b].emas[INTENSITY])


@allocating_helper
def _mark_fills(rules: Any, floor: Any, b: int, mark: int, cash_per: int) -> None:
    """Bring the fills of H steps ago to account against the mid of now, and free their place."""
    slot = floor.books[b].step % rules.markout_steps
    for n in range(rules.seats):
        seat = floor.seats[b * rules.seats + n]
        seat.markout += seat.wait_lots[slot] * mark * cash_per - seat.wait_money[slot]
        seat.marked += seat.wait_size[slot]
        seat.wait_lots[slot], seat.wait_money[slot] = 0, 0
        seat.wait_size[slot] = 0


@allocating_helper
def _closing_cost(desk: Any, rules: Any, floor: Any, b: int, row: int, ppm: int, mark: int) -> int:
    """Return, doubled, what closing a seat's inventory now would cost against the mid, taker fee included."""
    inventory = floor.seats[row].lots - floor.seats[row].start_lots
    if inventory == 0:
        return 0
    side = 0 if inventory > 0 else 1
    place = public_place(desk, seat_of(desk, 0).link, seat_of(desk, 0).picture) + PUBLIC_HEAD
    cash_per = book_of(loop_of(desk, 0), 0).cash_per_tick_lot
    left, paid, tick = abs(inventory), np.int64(0), floor.books[b].best[side]
    for k in range(desk.depth):
        word = place + 2 * (side * desk.depth + k)
        if public_of(desk, word).at == 0 or left == 0:
            break
        lots = _others_at(desk, rules, floor, b, side, public_of(desk, word).at, public_of(desk, word + 1).at)
        if lots > 0:
            tick = public_of(desk, word).at
            lots = min(left, lots)
            paid += tick * lots * cash_per
            left -= lots
    if left > 0:  # beyond what is shown: a half spread worse
        tick += np.int64(-rules.unit_ticks if side == 0 else rules.unit_ticks)
        paid += max(tick, 1) * left * cash_per
    worth = abs(inventory) * mark * cash_per
    cost = worth - 2 * paid if side == 0 else 2 * paid - worth
    return cost + 2 * fee(paid, ppm)


@allocating_helper
def _settle(desk: Any, rules: Any, floor: Any, b: int, flows: NDArray[np.int64], reward: Any, own_cost: Any) -> None:
    """Count money exactly and take off the charges; see `TradingTask` for the formula."""
    book = book_of(loop_of(desk, 0), 0)
    cash_per = book.cash_per_tick_lot
    mark = floor.books[b].best[0] + floor.books[b].best[1]
    last = floor.books[b].step + 1 >= floor.books[b].length
    total, team = 0.0, 0.0
    for n in range(rules.seats):
        row, seat = b * rules.seats + n, seat_of(desk, n)
        cash, lots = np.int64(seat.cash), np.int64(seat.lots)
        fees = flows[n] - (cash - floor.seats[row].cash)
        floor.seats[row].counts[FEES] += fees
        floor.seats[row].cash, floor.seats[row].lots = cash, lots
        inventory = lots - floor.seats[row].start_lots
        value = 2 * (cash - floor.seats[row].start_cash) + inventory * mark * cash_per
        if last:
            value -= _closing_cost(desk, rules, floor, b, row, account_of(book, seat.owner).taker_ppm, mark)
        share = inventory / rules.most_lots
        charge = rules.seat_charge * share * share
        total += rules.scale * 0.5 * (value - floor.seats[row].value) - charge
        own_cost[b, n] = rules.scale * fees + charge
        floor.seats[row].value = value
        team += share
    team /= rules.seats
    reward[b] = total - rules.team_charge * rules.seats * team * team


@allocating_helper
def _remember(floor: Any, b: int, unit: float) -> None:
    """Keep the mid and bring the averages up to date."""
    mid = 0.5 * (floor.books[b].best[0] + floor.books[b].best[1])
    at = floor.books[b].step % MIDS
    move = (mid - floor.books[b].mids[(at - 1) % MIDS]) / unit
    floor.books[b].mids[at] = mid
    floor.books[b].emas[VOLATILITY] += 0.06 * (abs(move) - floor.books[b].emas[VOLATILITY])
    floor.books[b].emas[SLOW_MID] += 0.05 * (mid - floor.books[b].emas[SLOW_MID])


@allocating_helper
def _start_book(desk: Any, rules: Any, floor: Any, b: int) -> None:
    """Begin an episode: nothing is held, nothing is remembered."""
    floor.books[b].step = 0
    mid = 0.5 * (floor.books[b].best[0] + floor.books[b].best[1])
    for k in range(MIDS):
        floor.books[b].mids[k] = mid
    floor.books[b].emas[VOLATILITY], floor.books[b].emas[FLOW], floor.books[b].emas[FLOW_NOW] = 0.3, 0.0, 0.0
    floor.books[b].emas[INTENSITY], floor.books[b].emas[SLOW_MID] = 1.0, mid
    floor.books[b].tape_seen = loop_of(desk, 0).tape_count
    for n in range(rules.seats):
        row, seat = b * rules.seats + n, seat_of(desk, n)
        floor.seats[row].start_cash, floor.seats[row].start_lots = seat.cash, seat.lots
        floor.seats[row].cash, floor.seats[row].lots = seat.cash, seat.lots
        floor.seats[row].value, floor.seats[row].filled, floor.seats[row].markout, floor.seats[row].marked = 0, 0, 0, 0
        for k in range(rules.markout_steps):
            floor.seats[row].wait_lots[k], floor.seats[row].wait_money[k], floor.seats[row].wait_size[k] = 0, 0, 0
        for k in range(floor.seats[row].counts.size):
            floor.seats[row].counts[k] = 0


@allocating_helper
def _imbalance(bid: float, ask: float) -> float:
    return (bid - ask) / (bid + ask) if bid + ask > 0.0 else 0.0


@allocating_helper
def _foresee(desk: Any, later_ns: int) -> float:
    """Return the logarithm of what the asset will be worth `later_ns` from now, and leave no trace of having looked."""
    loop = loop_of(desk, 0)
    crowd = crowd_of(loop, 0)
    step, relaxing, wandering, straying = crowd.step, crowd.relaxing, crowd.wandering, crowd.straying
    advance(crowd, loop.now + later_ns)
    found = log_worth(crowd, loop.now + later_ns)
    crowd.step, crowd.relaxing, crowd.wandering, crowd.straying = step, relaxing, wandering, straying
    return found


@allocating_helper
def _show(
    desk: Any, rules: Any, floor: Any, counters: Any, b: int, sizes: NDArray[np.float64], obs: Any, scratch: Any
) -> None:
    """Write the observations of a book's seats; `scratch` float64[SIZE] holds what all of them see."""
    unit, now = rules.unit_ticks, np.int64(loop_of(desk, 0).now)
    book = book_of(loop_of(desk, 0), 0)
    bid, ask = floor.books[b].best[0], floor.books[b].best[1]
    mid, at = 0.5 * (bid + ask), floor.books[b].step % MIDS
    scratch[0] = (ask - bid) / (2.0 * unit)
    scratch[1] = _imbalance(sizes[0], sizes[1])
    scratch[2] = _imbalance(sizes[2], sizes[3])
    k = 3
    for lag in LAGS:
        scratch[k] = (mid - floor.books[b].mids[(at - lag) % MIDS]) / unit
        k += 1
    scratch[k] = floor.books[b].emas[VOLATILITY]
    scratch[k + 1] = 0.25 * floor.books[b].emas[FLOW_NOW]
    scratch[k + 2] = floor.books[b].emas[FLOW]
    scratch[k + 3] = math.log1p(floor.books[b].emas[INTENSITY])
    scratch[k + 4] = (mid - floor.books[b].emas[SLOW_MID]) / unit
    k += 5
    fees, own = k, k + 4
    scratch[k + 2] = math.log(unit / mid * 1e3)
    scratch[k + 3] = 1.0 - floor.books[b].step / floor.books[b].length
    team = 0.0
    for n in range(rules.seats):
        team += (floor.seats[b * rules.seats + n].lots - floor.seats[b * rules.seats + n].start_lots) / rules.most_lots
    for n in range(rules.seats):
        row, account = b * rules.seats + n, account_of(book, seat_of(desk, n).owner)
        scratch[fees] = account.maker_ppm * 1e-6 * mid / unit
        scratch[fees + 1] = account.taker_ppm * 1e-6 * mid / unit
        scratch[own] = (floor.seats[row].lots - floor.seats[row].start_lots) / rules.most_lots
        scratch[own + 1] = team / rules.seats
        scratch[own + 2] = level_at(counters, row, now) / (rules.threshold * MICRO)
        k = own + 3
        for side in range(2):
            stands, sign = floor.seats[row].order_lots[side] > 0, 1.0 if side == 0 else -1.0
            scratch[k] = 1.0 if stands else 0.0
            scratch[k + 1] = sign * (mid - floor.seats[row].order_tick[side]) / unit if stands else 0.0
            scratch[k + 2] = math.log1p(floor.seats[row].order_lots[side] / rules.typical_lots) if stands else 0.0
            scratch[k + 3] = math.log1p(floor.seats[row].order_ahead[side] / rules.typical_lots) if stands else 0.0
            k += 4
        scratch[k] = floor.seats[row].filled / rules.typical_lots
        for side in range(2):
            nearest, sign = _CLIP, 1.0 if side == 0 else -1.0
            for other in range(rules.seats):
                place = b * rules.seats + other
                if other != n and floor.seats[place].order_lots[side] > 0:
                    nearest = min(nearest, sign * (mid - floor.seats[place].order_tick[side]) / unit)
            scratch[k + 1 + side] = nearest
        scratch[k + 3] = n / max(1, rules.seats - 1)
        scratch[k + 4] = (math.exp(_foresee(desk, rules.foresight_ns)) - mid) / unit if rules.foresight_ns > 0 else 0.0
        for j in range(obs.shape[2]):
            obs[b, n, j] = min(max(scratch[j], -_CLIP), _CLIP)


@allocating_helper
def _allow(desk: Any, rules: Any, floor: Any, counters: Any, table: Any, b: int, mask: Any) -> None:
    """Mark the actions that can have an effect; keeping what stands is always allowed."""
    now, least = np.int64(loop_of(desk, 0).now), book_of(loop_of(desk, 0), 0).min_lots
    for n in range(rules.seats):
        row = b * rules.seats + n
        inventory = floor.seats[row].lots - floor.seats[row].start_lots
        quiet = level_at(counters, row, now) + 4_000_000 * MICRO > rules.room * MICRO
        for action in range(table.shape[0]):
            kind, size = table[action, KIND], table[action, TAKE_SIZE] * rules.typical_lots
            allowed = kind == KEEP or not quiet
            if kind == TAKE:
                allowed = allowed and abs(inventory + size) <= rules.most_lots
            elif kind == FLATTEN:
                allowed = allowed and abs(inventory) >= least
            mask[b, n, action] = allowed


@allocating_entry
def look(
    desks: NDArray[np.int64],
    which: NDArray[np.bool_],
    opening: bool,
    rules: Any,
    floor: Any,
    counters: Any,
    table: NDArray[np.float64],
    obs: NDArray[np.float32],
    mask: NDArray[np.bool_],
    reward: NDArray[np.float32],
    own_cost: NDArray[np.float32],
) -> None:
    """Bring the books named in `which` to account and write what their seats see.

    Parameters
    ----------
    desks : int64[B]
        Addresses of DESK records.
    opening : bool
        An episode begins: nothing is paid.
    obs, mask, reward, own_cost : [B, N, O], [B, N, U], [B], [B, N]
        **Written**.
    """
    sizes, scratch, flows = np.zeros(4), np.zeros(obs.shape[2]), np.zeros(rules.seats, np.int64)
    for b in range(desks.size):
        if not which[b]:
            continue
        desk = _desk_at(desks[b])
        _read_own_orders(desk, rules, floor, b)
        _read_book(desk, rules, floor, b, sizes)
        if opening:
            _start_book(desk, rules, floor, b)
        else:
            flows[:] = 0
            for n in range(rules.seats):
                floor.seats[b * rules.seats + n].filled = 0
            cash_per = book_of(loop_of(desk, 0), 0).cash_per_tick_lot
            _mark_fills(rules, floor, b, floor.books[b].best[0] + floor.books[b].best[1], cash_per)
            _read_tape(desk, rules, floor, b, flows)
            _settle(desk, rules, floor, b, flows, reward, own_cost)
            floor.books[b].step += 1
            _remember(floor, b, rules.unit_ticks)
        _show(desk, rules, floor, counters, b, sizes, obs, scratch)
        _allow(desk, rules, floor, counters, table, b, mask)
