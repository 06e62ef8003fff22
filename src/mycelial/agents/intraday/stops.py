"""Stop orders that wait outside the book: two heaps of triggers, looked at after every trade."""

from __future__ import annotations

from mycelial.agents.intraday.state import Crowd, agent_of, falling_of, rising_of
from mycelial.domain.kernels import helper

NOBODY = -1


@helper
def arm(crowd: Crowd, owner: int, tick: int, side: int) -> None:
    """Enter a stop: a sale when the price falls to `tick`, a purchase when it rises to it."""
    agent_of(crowd, owner).armed = 1
    if side == 1:
        at = crowd.falling_count
        crowd.falling_count = at + 1
        while at > 0 and falling_of(crowd, (at - 1) >> 1).tick < tick:
            parent, hole = falling_of(crowd, (at - 1) >> 1), falling_of(crowd, at)
            hole.tick, hole.owner = parent.tick, parent.owner
            at = (at - 1) >> 1
        hole = falling_of(crowd, at)
    else:
        at = crowd.rising_count
        crowd.rising_count = at + 1
        while at > 0 and rising_of(crowd, (at - 1) >> 1).tick > tick:
            parent, hole = rising_of(crowd, (at - 1) >> 1), rising_of(crowd, at)
            hole.tick, hole.owner = parent.tick, parent.owner
            at = (at - 1) >> 1
        hole = rising_of(crowd, at)
    hole.tick, hole.owner = tick, owner


@helper
def next_stop(crowd: Crowd, price: int) -> int:
    """Take out and return the owner of a stop that a trade at `price` sets off, NOBODY if there is none."""
    if crowd.falling_count > 0 and falling_of(crowd, 0).tick >= price:
        owner = falling_of(crowd, 0).owner
        count = crowd.falling_count - 1
        crowd.falling_count = count
        tick, moved = falling_of(crowd, count).tick, falling_of(crowd, count).owner
        at, child = 0, 1
        while child < count:
            if child + 1 < count and falling_of(crowd, child + 1).tick > falling_of(crowd, child).tick:
                child += 1
            if falling_of(crowd, child).tick <= tick:
                break
            falling_of(crowd, at).tick = falling_of(crowd, child).tick
            falling_of(crowd, at).owner = falling_of(crowd, child).owner
            at = child
            child = 2 * at + 1
        falling_of(crowd, at).tick, falling_of(crowd, at).owner = tick, moved
        return owner
    if crowd.rising_count > 0 and rising_of(crowd, 0).tick <= price:
        owner = rising_of(crowd, 0).owner
        count = crowd.rising_count - 1
        crowd.rising_count = count
        tick, moved = rising_of(crowd, count).tick, rising_of(crowd, count).owner
        at, child = 0, 1
        while child < count:
            if child + 1 < count and rising_of(crowd, child + 1).tick < rising_of(crowd, child).tick:
                child += 1
            if rising_of(crowd, child).tick >= tick:
                break
            rising_of(crowd, at).tick = rising_of(crowd, child).tick
            rising_of(crowd, at).owner = rising_of(crowd, child).owner
            at = child
            child = 2 * at + 1
        rising_of(crowd, at).tick, rising_of(crowd, at).owner = tick, moved
        return owner
    return NOBODY
