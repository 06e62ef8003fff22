"""The agents' decisions as a compiled unit of its own, which the event loop calls by address (see `domain.calling`)."""

from __future__ import annotations

from functools import cache

from mycelial.agents.intraday.acting import TOLD, act, hear
from mycelial.domain.calling import Unit, record_at
from mycelial.simulation.intraday.state import LOOP, book_of, crowd_of

_loop_at = record_at(LOOP)


def _turn(address: int) -> None:
    """Let the agent that the loop's header names act, or hear of a fill."""
    loop = _loop_at(address)
    crowd, book = crowd_of(loop, 0), book_of(loop, 0)
    if loop.why == TOLD:
        hear(crowd, book, loop.actor, loop.told_lots, loop.now)
    else:
        act(crowd, book, loop.actor, loop.why, loop.now)


@cache
def compiled_turn() -> Unit:
    """Return the agents' turn as a C function of the loop's address; keep it while its address is used."""
    return Unit(_turn)
