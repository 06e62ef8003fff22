"""What is to happen next: a heap by (time, class, owner, send index), and slots for records on their way."""

from __future__ import annotations

from mycelial.domain.kernels import helper
from mycelial.simulation.intraday.state import Loop, entry_of, free_of


@helper
def push(loop: Loop, time: int, rank: int, owner: int, index: int, payload: int) -> None:
    """Enter a happening of class `rank`; the caller has seen that there is room."""
    tie = (rank << 56) | (owner << 32) | (index & 0xFFFFFFFF)
    at = loop.queue_count
    loop.queue_count = at + 1
    while at > 0:
        parent = entry_of(loop, (at - 1) >> 1)
        if parent.time < time or (parent.time == time and parent.tie <= tie):
            break
        hole = entry_of(loop, at)
        hole.time, hole.tie, hole.payload = parent.time, parent.tie, parent.payload
        at = (at - 1) >> 1
    hole = entry_of(loop, at)
    hole.time, hole.tie, hole.payload = time, tie, payload


@helper
def drop_first(loop: Loop) -> None:
    """Take the first happening out; the caller has read it."""
    count = loop.queue_count - 1
    loop.queue_count = count
    last = entry_of(loop, count)
    time, tie, payload = last.time, last.tie, last.payload
    at, child = 0, 1
    while child < count:
        lower = entry_of(loop, child)
        if child + 1 < count:
            right = entry_of(loop, child + 1)
            if right.time < lower.time or (right.time == lower.time and right.tie < lower.tie):
                child += 1
                lower = right
        if time < lower.time or (time == lower.time and tie <= lower.tie):
            break
        hole = entry_of(loop, at)
        hole.time, hole.tie, hole.payload = lower.time, lower.tie, lower.payload
        at = child
        child = 2 * at + 1
    hole = entry_of(loop, at)
    hole.time, hole.tie, hole.payload = time, tie, payload


@helper
def take_message(loop: Loop) -> int:
    """Hand out a slot for a record; the caller has seen that there is one."""
    loop.free_count -= 1
    return free_of(loop, loop.free_count).slot


@helper
def give_message(loop: Loop, slot: int) -> None:
    """Take a slot back."""
    free_of(loop, loop.free_count).slot = slot
    loop.free_count += 1
