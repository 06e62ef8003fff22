"""From actions to order messages: what stands is kept, amended or cancelled, within the room of the message counter.

A seat has at most one bid and one ask, with client ids of their own. A quote never meets the team's own quotes, and
inventory at its limit lets only the side quote that lowers it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.calling import record_at
from mycelial.domain.kernels import allocating_entry, allocating_helper
from mycelial.environment.state import DESK, loop_of, record_of, seat_of
from mycelial.environment.trading.config import (
    ASK_OFFSET,
    ASK_SIZE,
    BID_OFFSET,
    BID_SIZE,
    FLATTEN,
    KEEP,
    KIND,
    TAKE,
    TAKE_SIZE,
)
from mycelial.environment.trading.state import ADDS, AMENDS, CANCELS, POINTS, TAKES, WITHHELD
from mycelial.market.book.pool import find_id
from mycelial.market.book.records import Flag, Kind, Stp, Tif
from mycelial.market.book.state import terms_of
from mycelial.market.rate_counters import MICRO, Transaction
from mycelial.market.rate_kernels import ACCEPTED, aged_points, charge_points, level_at
from mycelial.simulation.intraday.state import book_of

_NEW, _CANCEL, _AMEND = int(Kind.NEW), int(Kind.CANCEL), int(Kind.AMEND)
_GTC, _IOC, _POST_ONLY, _CANCEL_OLDEST = int(Tif.GTC), int(Tif.IOC), int(Flag.POST_ONLY), int(Stp.CANCEL_OLDEST)
_ADD_CHARGE, _AMEND_CHARGE, _CANCEL_CHARGE = int(Transaction.ADD), int(Transaction.AMEND), int(Transaction.CANCEL)
RECORDS = 4  # one seat sends at most a message a side and one that takes

_desk_at = record_at(DESK)


@allocating_entry
def wish(rules: Any, floor: Any, table: NDArray[np.float64], actions: NDArray[np.int32]) -> None:
    """Turn actions into wishes in ticks, by seat.

    Parameters
    ----------
    table : float64[U, 6]
        In half spreads and typical orders; see `Choices.table`.
    actions : int32[S]
    """
    for row in range(actions.size):
        action = actions[row]
        for column in range(table.shape[1]):
            floor.seats[row].wish[column] = table[action, column]
        shift = rules.skew_ticks * (floor.seats[row].lots - floor.seats[row].start_lots) / rules.most_lots
        floor.seats[row].wish[BID_OFFSET] = table[action, BID_OFFSET] * rules.unit_ticks + shift
        floor.seats[row].wish[ASK_OFFSET] = table[action, ASK_OFFSET] * rules.unit_ticks - shift


@allocating_helper
def _pay(rules: Any, floor: Any, counters: Any, tariff: Any, row: int, kind: int, age: int, now: int) -> bool:
    """Charge a message to a seat's counter; tell whether there was room for it."""
    fixed = tariff.fixed[kind] + tariff.fixed_each[kind]
    points = fixed + aged_points(tariff, kind, age)
    room = rules.threshold if kind == _CANCEL_CHARGE else rules.room
    if level_at(counters, row, now) + points * MICRO > room * MICRO:
        floor.seats[row].counts[WITHHELD] += 1
        return False
    floor.seats[row].counts[POINTS] += points
    return bool(charge_points(counters, row, now, fixed, points - fixed, 0, 0) == ACCEPTED)


@allocating_helper
def _write(
    desk: Any, n: int, kind: int, side: int, tif: int, flags: int, stp: int, client: int, price: int, lots: int
) -> None:
    seat = seat_of(desk, n)
    record = record_of(desk, n * desk.most_records + seat.records)
    record.kind, record.side, record.tif, record.flags, record.stp = kind, side, tif, flags, stp
    record.owner, record.group, record.handle, record.client_id = seat.owner, -1, -1, client
    record.price, record.lots, record.display, record.expire, record.aux = price, lots, -1, 0, 0
    if kind == _NEW:
        record.display = 0
    seat.records += 1


@allocating_helper
def _quote_side(
    desk: Any, rules: Any, floor: Any, counters: Any, tariff: Any, b: int, n: int, side: int, tick: int, lots: int
) -> None:
    """Let one quote stand at `tick` with `lots`, or none where `lots` are too few."""
    row, loop = b * rules.seats + n, loop_of(desk, 0)
    seat, book, now = floor.seats[row], book_of(loop, 0), np.int64(loop.now)
    left, age = seat.order_lots[side], now - seat.touched[side]
    wanted = lots >= book.min_lots and 0 < tick < book.ladder
    if left <= 0:
        if wanted and _pay(rules, floor, counters, tariff, row, _ADD_CHARGE, 0, now):
            _write(desk, n, _NEW, side, _GTC, _POST_ONLY, 0, 1 + side, tick, lots)
            seat.touched[side] = now
            seat.counts[ADDS] += 1
            _note_team(floor, b, side, tick)
    elif not wanted:
        if _pay(rules, floor, counters, tariff, row, _CANCEL_CHARGE, age, now):
            _write(desk, n, _CANCEL, side, 0, 0, 0, 1 + side, 0, 0)
            seat.counts[CANCELS] += 1
    elif abs(tick - seat.order_tick[side]) <= rules.tolerance_ticks and lots <= 2 * left and left <= 2 * lots:
        _note_team(floor, b, side, seat.order_tick[side])
    elif _pay(rules, floor, counters, tariff, row, _AMEND_CHARGE, age, now):
        slot = find_id(book, seat_of(desk, n).owner, 1 + side)
        filled = np.int64(terms_of(book, slot).filled) if slot != 0 else 0
        _write(desk, n, _AMEND, side, 0, 0, 0, 1 + side, tick, filled + lots)
        seat.touched[side] = now
        seat.counts[AMENDS] += 1
        _note_team(floor, b, side, tick)


@allocating_helper
def _note_team(floor: Any, b: int, side: int, tick: int) -> None:
    best = floor.books[b].team_best[side]
    if best == 0 or (side == 0 and tick > best) or (side == 1 and tick < best):
        floor.books[b].team_best[side] = tick


@allocating_helper
def _send_one(desk: Any, rules: Any, floor: Any, counters: Any, tariff: Any, b: int, n: int) -> None:
    seat, best = floor.seats[b * rules.seats + n], floor.books[b].best
    team_bid, team_ask = floor.books[b].team_best[0], floor.books[b].team_best[1]
    kind = seat.wish[KIND]
    if kind == KEEP:
        return
    inventory = seat.lots - seat.start_lots
    bid, ask = best[0], best[1]
    if kind == TAKE or kind == FLATTEN:  # noqa: SIM109  compares floats in a kernel
        wanted = -inventory if kind == FLATTEN else np.int64(round(seat.wish[TAKE_SIZE] * rules.typical_lots))
        _take(desk, rules, floor, counters, tariff, b, n, wanted, inventory)
        return
    mid = 0.5 * (bid + ask)
    bid_lots = np.int64(round(seat.wish[BID_SIZE] * rules.typical_lots))
    ask_lots = np.int64(round(seat.wish[ASK_SIZE] * rules.typical_lots))
    if inventory + bid_lots > rules.most_lots:
        bid_lots = np.int64(0)
    if ask_lots - inventory > rules.most_lots:
        ask_lots = np.int64(0)
    # never across the market, nor across the team
    highest, lowest = ask - 1, bid + 1
    if team_ask != 0:
        highest = min(highest, team_ask - 1)
    if team_bid != 0:
        lowest = max(lowest, team_bid + 1)
    bid_tick = min(np.int64(math.floor(mid - seat.wish[BID_OFFSET])), highest)
    ask_tick = max(np.int64(math.ceil(mid + seat.wish[ASK_OFFSET])), lowest)
    if ask_tick <= bid_tick:
        ask_tick = bid_tick + 1
    _quote_side(desk, rules, floor, counters, tariff, b, n, 0, bid_tick, bid_lots)
    _quote_side(desk, rules, floor, counters, tariff, b, n, 1, ask_tick, ask_lots)


@allocating_helper
def _take(
    desk: Any, rules: Any, floor: Any, counters: Any, tariff: Any, b: int, n: int, wanted: int, inventory: int
) -> None:
    """Take `wanted` lots at once, as far as the limit allows; an own quote in the way leaves."""
    row, loop = b * rules.seats + n, loop_of(desk, 0)
    if wanted > 0:
        lots = min(wanted, np.int64(rules.most_lots) - inventory)
    else:
        lots = min(-wanted, np.int64(rules.most_lots) + inventory)
    if lots < book_of(loop, 0).min_lots:
        return
    if not _pay(rules, floor, counters, tariff, row, _ADD_CHARGE, 0, np.int64(loop.now)):
        return
    bid, ask = floor.books[b].best[0], floor.books[b].best[1]
    price = ask + rules.slack_ticks if wanted > 0 else max(1, bid - rules.slack_ticks)
    _write(desk, n, _NEW, 0 if wanted > 0 else 1, _IOC, 0, _CANCEL_OLDEST, 0, price, lots)
    floor.seats[row].counts[TAKES] += 1


@allocating_entry
def send(desks: NDArray[np.int64], rules: Any, floor: Any, counters: Any, tariff: Any, first: int) -> None:
    """Write the messages of every seat for its wish; seat `first` of a book is served first, then the others in turn.

    Parameters
    ----------
    desks : int64[B]
        Addresses of DESK records.
    """
    for b in range(desks.size):
        desk = _desk_at(desks[b])
        for side in range(2):
            floor.books[b].team_best[side] = 0
            for n in range(rules.seats):
                if floor.seats[b * rules.seats + n].order_lots[side] > 0:
                    _note_team(floor, b, side, floor.seats[b * rules.seats + n].order_tick[side])
        for k in range(rules.seats):
            n = (first + k) % rules.seats
            seat_of(desk, n).records = 0
            _send_one(desk, rules, floor, counters, tariff, b, n)
