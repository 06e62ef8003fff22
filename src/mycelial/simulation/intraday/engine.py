"""The order book as a compiled unit of its own, which the event loop calls by address (see `domain.calling`)."""

from __future__ import annotations

from functools import cache

from mycelial.domain.calling import Unit, record_at
from mycelial.market.book.kernel import process
from mycelial.simulation.intraday.state import LOOP, book_of, message_of

_loop_at = record_at(LOOP)


def _engine(address: int) -> None:
    """Process the message that the loop's header names."""
    loop = _loop_at(address)
    process(book_of(loop, 0), message_of(loop, loop.current))


@cache
def compiled_engine() -> Unit:
    """Return the order book as a C function of the loop's address; keep it while its address is used."""
    return Unit(_engine)
