"""One step of one environment, and of many: send, let the market live to the next decision, look, and count money.

A step that finds a buffer of the market full returns why; the caller makes room and calls again, and it goes on where
it stopped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.calling import record_at
from mycelial.domain.kernels import entry, helper
from mycelial.environment.acting import act, cancel_everything, mark_legal
from mycelial.environment.pictures import take_picture
from mycelial.environment.state import (
    AFTER_EVENTS,
    BY_TEMPLATE,
    DESK,
    EVERY,
    GOES_ON,
    OWN_EVENT,
    REACHED_GOAL,
    RUINED,
    RUNNING,
    SENDING,
    TIME_UP,
    Desk,
    link_of,
    loop_of,
    seat_of,
)
from mycelial.environment.watching import observe
from mycelial.market.book.ladder import exists
from mycelial.market.book.records import Side
from mycelial.market.book.state import NEVER, account_of
from mycelial.simulation.intraday.driver import drive
from mycelial.simulation.intraday.kernel import DELIVERED, PAUSED, QUEUE_FULL, REACHED, SPARE, VIEW_DUE
from mycelial.simulation.intraday.state import book_of, inbox_of

DONE = -1  # a step is complete; other codes are those of `simulation.intraday.kernel`
LIVE, ENDING, GONE = 1, 0, -1  # `live` of a seat
_BOTH = int(Side.BOTH)
_ROOM = 80  # records one agent may send in a step, and more

_desk_at = record_at(DESK)


@helper
def _send_choices(desk: Desk) -> int:
    """Let every agent send what it chose. Who is first rotates with the step; each is a nanosecond after the last."""
    loop, count = loop_of(desk, 0), desk.seats_count
    while desk.seat_at < count:
        if loop.queue_count + _ROOM > loop.queue_room - 2 * SPARE or loop.free_count < SPARE + _ROOM:
            return QUEUE_FULL
        n = (desk.seat_at + desk.step) % count
        seat = seat_of(desk, n)
        if seat.live == LIVE:
            act(desk, n, loop.now + desk.seat_at)
        elif seat.live == ENDING:
            seat.live = GONE
            cancel_everything(desk, n, loop.now + desk.seat_at, _BOTH)
        desk.seat_at += 1
    return DONE


@helper
def _set_target(desk: Desk) -> None:
    """Say when the step ends at the latest, and what ends it before."""
    loop = loop_of(desk, 0)
    now = loop.now
    loop.stop_event, loop.stop_report, loop.stop_on_delivery = NEVER, NEVER, 0
    if desk.pace == EVERY:
        desk.target = min(now + desk.pace_ns, desk.end)
        return
    if desk.pace == AFTER_EVENTS:
        desk.target = max(now, desk.end - _longest(desk))
        loop.stop_event = book_of(loop, 0).event_seq + desk.pace_events
        due = desk.target
    else:
        desk.target = min(now + desk.pace_ns, desk.end)
        loop.stop_report, loop.stop_on_delivery = loop.reported + 1, 1
        due = desk.target
    for k in range(desk.links_count):
        link = link_of(desk, k)
        link.due = due - (link.down if desk.pace == OWN_EVENT else 0)
        if link.due < now:
            link.due = NEVER


@helper
def _longest(desk: Desk) -> int:
    most = 0
    for k in range(desk.links_count):
        most = max(most, link_of(desk, k).down)
    return most


@helper
def _next_link(desk: Desk) -> int:
    found = 0
    for k in range(1, desk.links_count):
        if link_of(desk, k).due < link_of(desk, found).due:
            found = k
    return found


@helper
def _picture_all(desk: Desk, time: int) -> None:
    for k in range(desk.links_count):
        take_picture(desk, k, time)


@helper
def _live_on(desk: Desk) -> int:
    """Let the market run to the next decision, taking pictures when they are due."""
    loop = loop_of(desk, 0)
    while True:
        k = _next_link(desk)
        link = link_of(desk, k)
        loop.view_at = link.due if link.due <= desk.target else NEVER
        why = drive(loop, desk.target)
        if why == VIEW_DUE or (why == REACHED and loop.view_at != NEVER):
            take_picture(desk, k, link.due)
            link.due = link.due + desk.pace_ns if desk.pace == EVERY else NEVER
        elif why == REACHED:
            if loop.stop_event != NEVER:  # the end came before the events: there is a last look at the end
                loop.stop_event = NEVER
                desk.target = desk.end
            else:
                return DONE
        elif why == PAUSED:
            public = max(loop.now, loop.engine_free)
            if desk.pace == AFTER_EVENTS:
                loop.stop_event = NEVER
                for k in range(desk.links_count):
                    link_of(desk, k).due = NEVER
                desk.target = min(public + _longest(desk), desk.end)
            else:
                loop.stop_report = loop.reported + 1
            _picture_all(desk, public)
        elif why == DELIVERED:
            last = inbox_of(loop, (loop.inbox_count - 1) & loop.inbox_mask)
            n = last.to - loop.first_external
            if 0 <= n < desk.seats_count and seat_of(desk, n).live == LIVE:
                return DONE
        else:
            return why


@helper
def _settle(desk: Desk, elapsed_ns: int) -> None:
    """Count money and pay rewards, exactly, from the ledger of the exchange."""
    loop = loop_of(desk, 0)
    book = book_of(loop, 0)
    if exists(book, 0, book.best_bid) and exists(book, 1, book.best_ask):
        desk.mark = (book.best_bid + book.best_ask) // 2
    one = desk.mark * book.cash_per_tick_lot
    for n in range(desk.seats_count):
        seat = seat_of(desk, n)
        if seat.live != LIVE:
            continue
        account = account_of(book, seat.owner)
        cash, lots = account.cash_free + account.cash_held, account.asset_free + account.asset_held
        value = cash + lots * one
        bought = lots - seat.lots
        seat.shortfall = seat.cash - cash - bought * desk.start_mark * book.cash_per_tick_lot
        seat.profit = value - seat.value
        seat.cash, seat.lots, seat.value = cash, lots, value
        charge = desk.inventory_bps * 1e-4 * abs(lots - seat.start_lots) * one * (elapsed_ns * 1e-9)
        reward = desk.profit_weight * seat.profit - charge - desk.shortfall_weight * seat.shortfall
        seat.reward = desk.scale * reward
        idle = account.cash_held == 0 and account.asset_held == 0
        if desk.ruin_share > 0.0 and value <= desk.ruin_share * seat.start_value:
            seat.end = RUINED
        elif desk.goal_lots != 0 and lots - seat.start_lots == desk.goal_lots and idle:
            seat.end = REACHED_GOAL
        elif loop.now >= desk.end:
            seat.end = TIME_UP
        if seat.end != GOES_ON:
            seat.live = ENDING


@helper
def _look(desk: Desk) -> None:
    now = loop_of(desk, 0).now
    for n in range(desk.seats_count):
        if seat_of(desk, n).live != GONE:
            observe(desk, n, now)
            if desk.acting == BY_TEMPLATE:
                mark_legal(desk, n)


@helper
def take_step(desk: Desk) -> int:
    """Go from one decision to the next; return DONE, or why the market needs room first."""
    loop = loop_of(desk, 0)
    if desk.phase == SENDING:
        why = _send_choices(desk)
        if why != DONE:
            return why
        desk.phase, desk.since = RUNNING, loop.now
        _set_target(desk)
    why = _live_on(desk)
    if why != DONE:
        return why
    loop.stop_event, loop.stop_report, loop.stop_on_delivery, loop.view_at = NEVER, NEVER, 0, NEVER
    _settle(desk, loop.now - desk.since)
    _look(desk)
    desk.phase, desk.seat_at = SENDING, 0
    desk.step += 1
    return DONE


@helper
def open_desk(desk: Desk) -> int:
    """Live through the warm-up and show every agent its first picture; return as `take_step` does."""
    loop = loop_of(desk, 0)
    if desk.phase == SENDING:
        desk.phase = RUNNING
        loop.stop_event, loop.stop_report, loop.stop_on_delivery = NEVER, NEVER, 0
        desk.target = desk.start
        for k in range(desk.links_count):
            link_of(desk, k).due = max(0, desk.start - link_of(desk, k).down)
    while True:
        k = _next_link(desk)
        link = link_of(desk, k)
        loop.view_at = link.due if link.due <= desk.target else NEVER
        why = drive(loop, desk.target)
        if why != VIEW_DUE and why != REACHED:
            return why
        if loop.view_at == NEVER:
            break
        take_picture(desk, k, link.due)
        link.due = link.due + desk.pace_ns if desk.pace == EVERY else NEVER
    loop.view_at = NEVER
    _start_accounts(desk)
    _look(desk)
    desk.phase = SENDING
    return DONE


@helper
def _start_accounts(desk: Desk) -> None:
    book = book_of(loop_of(desk, 0), 0)
    if exists(book, 0, book.best_bid) and exists(book, 1, book.best_ask):
        desk.mark = (book.best_bid + book.best_ask) // 2
    desk.start_mark = desk.mark
    for n in range(desk.seats_count):
        seat = seat_of(desk, n)
        account = account_of(book, seat.owner)
        seat.cash, seat.lots = account.cash_free + account.cash_held, account.asset_free + account.asset_held
        seat.value = seat.cash + seat.lots * desk.mark * book.cash_per_tick_lot
        seat.start_cash, seat.start_lots, seat.start_value = seat.cash, seat.lots, seat.value


@entry
def run_desks(desks: NDArray[np.int64], whys: NDArray[np.int64], first: int, last: int, opening: bool) -> int:
    """Step desks `first` to `last` - 1 whose `whys` is not DONE; return how many are not done then.

    Parameters
    ----------
    desks : int64[B]
        Addresses of DESK records.
    whys : int64[B]
        **Written**: DONE, or why a market needs room.
    opening : bool
        Open them instead.
    """
    left = 0
    for b in range(first, last):
        if whys[b] != DONE:
            desk = _desk_at(desks[b])
            whys[b] = open_desk(desk) if opening else take_step(desk)
            if whys[b] != DONE:
                left += 1
    return left
