"""The closed loop in one compiled call: wake-ups, messages on their way, matching, and news on its way back.

The next wake-up of each kind of agents is drawn as one Poisson stream of the whole kind and falls on one of its agents
by chance: the same law as a clock for every agent, at a cost that does not grow with their number. Trades call forth
further market orders (a self-exciting process in its branching form: trades draw their own offspring).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.intraday.acting import CALLED_BUY, GAPING, STOPPED, TOLD
from mycelial.agents.intraday.deciding import keep_handle, look
from mycelial.agents.intraday.fundamental import worth
from mycelial.agents.intraday.state import MAKER, NOISE, OUTBOX_ROOM, POOLS, Crowd, agent_of, outbox_of, pool_of
from mycelial.agents.intraday.stops import NOBODY, next_stop
from mycelial.domain.calling import call_at
from mycelial.domain.draws import uniform
from mycelial.domain.kernels import allocating_entry, helper
from mycelial.market.book.kernel import room_needed
from mycelial.market.book.records import Done, EventKind, Kind
from mycelial.market.book.state import Book, Wish, event_of, event_words, expiry_of
from mycelial.simulation.intraday.latency import gets_lost, may_send, travel
from mycelial.simulation.intraday.queue import drop_first, give_message, push, take_message
from mycelial.simulation.intraday.state import (
    CONTROL,
    DELIVERY,
    ORDER,
    WAKE,
    Loop,
    book_of,
    crowd_of,
    entry_of,
    inbox_of,
    inbox_words,
    input_words,
    log_words,
    message_of,
    message_words,
    ring_of,
    ring_words,
    tape_of,
)

REACHED, LOG_FULL, QUEUE_FULL, EVENTS_FULL, DELIVERED, VIEW_DUE, PAUSED = range(7)  # why `run` returned
SPARE = 2 * OUTBOX_ROOM  # queue entries and message slots one happening may need, stops and deliveries apart
_NEW, _CANCEL, _CANCEL_ALL, _AMEND, _CONTROL_KIND, _FUND, _CLOCK = (int(kind) for kind in Kind)
_TRADE, _RESTED, _DONE = int(EventKind.TRADE), int(EventKind.RESTED), int(EventKind.DONE)
_USER, _MASS = int(Done.USER), int(Done.MASS)
_EVENT_WORDS, _INPUT_WORDS = 13, 10
_POOL_BITS, _ONE = np.uint64(48), np.uint64(1)


@helper
def _match(loop: Loop) -> None:
    """Let the engine work on the current message."""
    call_at(loop.engine_at, loop.self_at)


@helper
def _take_turn(loop: Loop, owner: int, why: int, lots: int) -> None:
    """Let an agent decide."""
    loop.actor, loop.why, loop.told_lots = owner, why, lots
    call_at(loop.turn_at, loop.self_at)


@helper
def _wake_next(loop: Loop, crowd: Crowd, kind: int, now: int) -> None:
    """Draw when the next agent of a kind wakes, and which."""
    pool = pool_of(crowd, kind)
    if pool.count == 0 or pool.wait_ns <= 0.0:
        return
    draw = (np.uint64(kind) << _POOL_BITS) | np.uint64(2 * pool.draws)
    pool.draws += 1
    wait = -math.log(1.0 - uniform(loop.pool_key, draw)) * pool.wait_ns
    owner = pool.first + int(uniform(loop.pool_key, draw + _ONE) * pool.count)
    push(loop, now + 1 + int(wait), WAKE, owner, pool.draws, kind)


@helper
def send_all(loop: Loop, crowd: Crowd, now: int) -> None:
    """Put what the outbox holds on its way to the engine."""
    for n in range(crowd.sent):
        wish = outbox_of(crowd, n)
        agent = agent_of(crowd, wish.owner)
        agent.sends += 1
        if not may_send(loop, agent, now):
            loop.throttled += 1
            _forget(crowd, wish)
            continue
        if gets_lost(loop, np.int64(wish.owner), np.int64(agent.sends)):
            loop.dropped += 1
            _forget(crowd, wish)
            continue
        slot = take_message(loop)
        message = message_of(loop, slot)
        message.ts, message.kind, message.side, message.tif = now, wish.kind, wish.side, wish.tif
        message.flags, message.stp, message.owner, message.group = wish.flags, wish.stp, wish.owner, wish.group
        message.handle, message.client_id = wish.handle, wish.client_id
        message.price, message.lots = wish.price, wish.lots
        message.display, message.expire, message.aux = wish.display, wish.expire, wish.aux
        arrival = max(
            agent.last_arrival, now + travel(loop, agent.up, np.int64(wish.owner), np.int64(agent.sends), False)
        )
        agent.last_arrival = arrival
        push(loop, arrival, ORDER, np.int64(wish.owner), np.int64(agent.sends), slot)
    crowd.sent = 0


@helper
def _forget(crowd: Crowd, wish: Wish) -> None:
    """Let a sender know that its message will not arrive: there is no new order, or the old one stands."""
    if wish.kind == _NEW:
        keep_handle(crowd, wish.owner, wish.aux, 0)
    elif wish.kind == _CANCEL:
        keep_handle(crowd, wish.owner, wish.aux, wish.handle)


@helper
def _report(loop: Loop, crowd: Crowd, owner: int, seq: int, done: int) -> None:
    """Send word of event `seq` to a participant."""
    if loop.queue_count >= loop.queue_room - SPARE:
        loop.lost += 1
        return
    if owner >= loop.first_external:
        loop.reported += 1
    agent = agent_of(crowd, owner)
    arrival = max(agent.last_delivery, done + travel(loop, agent.down, owner, seq, True))
    agent.last_delivery = arrival
    push(loop, arrival, DELIVERY, owner, seq, seq)


@helper
def _spread_news(loop: Loop, book: Book, crowd: Crowd, wish: Wish, done: int) -> None:
    """Record the events of the message just processed, tell those concerned, and show the market as it is now."""
    signed, price, handle = 0, 0, 0
    for n in range(book.written):
        event = event_of(book, n)
        kind, owner, seq = np.int64(event.kind), np.int64(event.owner), event.event_seq
        words, kept = event_words(book, n).words, ring_words(loop, seq & loop.events_mask).words
        for k in range(_EVENT_WORDS):
            kept[k] = words[k]
        if loop.logging != 0:
            kept = log_words(loop, loop.events_logged).words
            for k in range(_EVENT_WORDS):
                kept[k] = words[k]
            loop.events_logged += 1
        if kind == _TRADE:
            maker = np.int64(event.maker_owner)
            signed += event.lots if event.side == 0 else -event.lots
            price = event.price
            trade = tape_of(loop, loop.tape_count & loop.tape_mask)
            loop.tape_count += 1
            trade.time, trade.price, trade.lots = done, price, event.lots
            trade.side, trade.taker, trade.maker = event.side, owner, maker
            if agent_of(crowd, maker).listens != 0:
                _report(loop, crowd, maker, seq, done)
            if agent_of(crowd, owner).listens != 0:
                _report(loop, crowd, owner, seq, done)
        else:
            if kind == _RESTED and owner == wish.owner:
                handle = event.handle
            if owner >= loop.first_external:
                late = kind == _DONE and (event.reason == _USER or event.reason == _MASS)
                _report(loop, crowd, owner, seq, done + (loop.cancel_ack_ns if late else 0))
    book.written = 0
    if wish.kind == _NEW and wish.aux != 0 and wish.owner < loop.first_external:
        keep_handle(crowd, np.int64(wish.owner), wish.aux, handle)
    look(crowd, book, done, signed, price)
    if crowd.maker_close_ticks > 0.0 and loop.gaping == 0 and book.best_ask - book.best_bid > crowd.maker_close_ticks:
        _call_maker(loop, crowd, done)
    if price == 0:
        return
    _call_others(loop, crowd, 0 if signed > 0 else 1, done)
    owner = next_stop(crowd, price)
    while owner != NOBODY:
        if loop.queue_count < loop.queue_room - SPARE:
            push(loop, done + agent_of(crowd, owner).down, WAKE, owner, 0, STOPPED)
        else:
            loop.lost += 1
        owner = next_stop(crowd, price)


@helper
def _call_maker(loop: Loop, crowd: Crowd, done: int) -> None:
    """Let one of the makers see at once that the spread is wide."""
    pool = pool_of(crowd, MAKER)
    if pool.count == 0 or loop.queue_count >= loop.queue_room - SPARE:
        return
    loop.gaping, loop.gaps = 1, loop.gaps + 1
    draw = (np.uint64(62) << _POOL_BITS) | np.uint64(loop.gaps)
    owner = pool.first + int(uniform(loop.pool_key, draw) * pool.count)
    push(loop, done + agent_of(crowd, owner).down, WAKE, owner, loop.gaps, GAPING)


@helper
def _call_others(loop: Loop, crowd: Crowd, side: int, done: int) -> None:
    """Let a trade call forth another market order, soon or late."""
    pool = pool_of(crowd, NOISE)
    if crowd.noise_excitation <= 0.0 or pool.count == 0 or loop.queue_count >= loop.queue_room - SPARE:
        return
    draw = (np.uint64(63) << _POOL_BITS) | np.uint64(4 * loop.tape_count)
    if uniform(loop.pool_key, draw) >= crowd.noise_excitation:
        return
    scale = crowd.noise_excitation_s * 10.0 ** (int(3.0 * uniform(loop.pool_key, draw + _ONE)) - 1)
    wait = -math.log(1.0 - uniform(loop.pool_key, draw + np.uint64(2))) * scale * 1e9
    owner = pool.first + int(uniform(loop.pool_key, draw + np.uint64(3)) * pool.count)
    push(loop, done + 1 + int(wait), WAKE, owner, loop.tape_count, CALLED_BUY - side)


@helper
def _engage(loop: Loop, book: Book, crowd: Crowd, slot: int, arrival: int) -> None:
    """Let the engine work on a message as soon as it is free."""
    wish = message_of(loop, slot)
    start = max(arrival, loop.engine_free)
    cancels = wish.kind == _CANCEL or wish.kind == _CANCEL_ALL
    done = start + (loop.cancel_ns if cancels else loop.service_ns)
    loop.engine_free = done
    wish.ts = start
    loop.current = slot
    if loop.logging != 0:
        words, kept = message_words(loop, slot).words, input_words(loop, loop.inputs_logged).words
        for k in range(_INPUT_WORDS):
            kept[k] = words[k]
        loop.inputs_logged += 1
    _match(loop)
    loop.messages += 1
    _spread_news(loop, book, crowd, wish, done)
    give_message(loop, slot)


@helper
def _expire(loop: Loop, book: Book, crowd: Crowd, time: int) -> None:
    """Let orders whose time has come leave, by a CLOCK record of its own."""
    slot = take_message(loop)
    wish = message_of(loop, slot)
    wish.kind, wish.owner, wish.aux = _CLOCK, -1, 0
    free = loop.engine_free
    loop.engine_free = 0
    _engage(loop, book, crowd, slot, max(time, book.now))
    loop.engine_free = free
    loop.messages -= 1


@helper
def _deliver(loop: Loop, crowd: Crowd, owner: int, seq: int, now: int) -> bool:
    """Bring an event to whom it concerns; true if that is a participant from outside."""
    event = ring_of(loop, seq & loop.events_mask)
    if event.event_seq != seq:
        loop.lost += 1
        return False
    if owner < loop.first_external:
        lots = event.lots if (event.side == 0) == (np.int64(event.owner) == owner) else -event.lots
        _take_turn(loop, owner, TOLD, lots)
        send_all(loop, crowd, now)
        return False
    at = loop.inbox_count & loop.inbox_mask
    loop.inbox_count += 1
    inbox_of(loop, at).time, inbox_of(loop, at).to = now, owner
    words, kept = ring_words(loop, seq & loop.events_mask).words, inbox_words(loop, at).words
    for k in range(_EVENT_WORDS):
        kept[k + 1] = words[k]
    return True


@helper
def _is_later(loop: Loop, slot: int, arrival: int) -> bool:
    """Tell whether what a message does becomes public only after `view_at`."""
    wish = message_of(loop, slot)
    cancels = wish.kind == _CANCEL or wish.kind == _CANCEL_ALL
    return max(arrival, loop.engine_free) + (loop.cancel_ns if cancels else loop.service_ns) > loop.view_at


@helper
def advance(loop: Loop, until: int) -> int:
    """Let everything happen up to and including `until`; return why it stopped (REACHED when it is done)."""
    book, crowd = book_of(loop, 0), crowd_of(loop, 0)
    while True:
        if book.event_seq >= loop.stop_event or loop.reported >= loop.stop_report:
            return PAUSED
        if loop.queue_count > loop.queue_room - 2 * SPARE or loop.free_count < SPARE:
            return QUEUE_FULL
        if book.events_room < room_needed(book):
            return EVENTS_FULL
        if loop.logging != 0 and (
            loop.inputs_logged + 2 > loop.log_room or loop.events_logged + room_needed(book) > 2 * loop.log_room
        ):
            return LOG_FULL
        first = entry_of(loop, 0)
        time = first.time if loop.queue_count > 0 else until + 1
        if book.expiry_count > 0 and expiry_of(book, 0).expire <= min(time, until):
            if expiry_of(book, 0).expire + loop.service_ns > loop.view_at:
                return VIEW_DUE
            _expire(loop, book, crowd, expiry_of(book, 0).expire)
            continue
        if time > until:
            loop.now = until
            return REACHED
        rank, owner, payload = first.tie >> 56, (first.tie >> 32) & 0xFFFFFF, first.payload
        if rank <= ORDER and _is_later(loop, payload, time):
            return VIEW_DUE
        loop.now = time
        drop_first(loop)
        if rank == WAKE:
            loop.wakes += 1
            if payload == GAPING:
                loop.gaping = 0
            elif payload >= 0:
                _wake_next(loop, crowd, payload, time)
            _take_turn(loop, owner, payload, 0)
            send_all(loop, crowd, time)
        elif rank == DELIVERY:
            if _deliver(loop, crowd, owner, payload, time) and loop.stop_on_delivery != 0:
                return DELIVERED
        else:
            _engage(loop, book, crowd, payload, time)


@allocating_entry
def feed(header: NDArray[np.void], records: NDArray[np.uint64]) -> int:
    """Let the engine work on records at once and unseen, before the market opens; return the events it wrote.

    Parameters
    ----------
    header : LOOP[1]
    records : uint64[n, 10]
        INPUT records as words.
    """
    loop = header[0]
    slot = take_message(loop)
    loop.current = slot
    for n in range(len(records)):
        kept = message_words(loop, slot).words
        for k in range(_INPUT_WORDS):
            kept[k] = records[n, k]
        _match(loop)
    give_message(loop, slot)
    written = book_of(loop, 0).written
    book_of(loop, 0).written = 0
    return written


@allocating_entry
def start(header: NDArray[np.void]) -> None:
    """Show the opening book and draw the first wake-up of every kind."""
    loop = header[0]
    book, crowd = book_of(loop, 0), crowd_of(loop, 0)
    look(crowd, book, loop.now, 0, 0)
    for kind in range(POOLS):
        _wake_next(loop, crowd, kind, loop.now)


@allocating_entry
def enqueue(header: NDArray[np.void], records: NDArray[np.uint64], owner: int, at: int) -> int:
    """Send records of an outside participant at time `at`; return how many the throttle refused, -1 without room.

    Parameters
    ----------
    header : LOOP[1]
    records : uint64[n, 10]
        INPUT records as words.
    """
    loop = header[0]
    crowd = crowd_of(loop, 0)
    if loop.queue_count + len(records) > loop.queue_room - 2 * SPARE or loop.free_count < SPARE + len(records):
        return -1
    agent, refused = agent_of(crowd, owner), 0
    for n in range(len(records)):
        kind = np.int64(records[n, 1] & np.uint64(0xFF))
        agent.sends += 1
        privileged = kind in (_CONTROL_KIND, _FUND)
        if not privileged and not may_send(loop, agent, at):
            refused += 1
            continue
        if not privileged and gets_lost(loop, owner, np.int64(agent.sends)):
            loop.dropped += 1
            continue
        slot = take_message(loop)
        kept = message_words(loop, slot).words
        for k in range(_INPUT_WORDS):
            kept[k] = records[n, k]
        message_of(loop, slot).owner = owner
        arrival, rank = at, CONTROL
        if not privileged:
            rank = ORDER
            arrival = max(agent.last_arrival, at + travel(loop, agent.up, owner, np.int64(agent.sends), False))
            agent.last_arrival = arrival
        push(loop, arrival, rank, owner, np.int64(agent.sends), slot)
    loop.throttled += refused
    return refused


@allocating_entry
def worth_now(header: NDArray[np.void]) -> float:
    """Return the fundamental in ticks at the loop's time."""
    loop = header[0]
    return worth(crowd_of(loop, 0), loop.now, 0.0)
