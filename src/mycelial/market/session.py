"""One interface to any market one can trade in time: the reactive simulation and the replay of recorded feeds.

A strategy written against `MarketSession` cannot tell which it is in. Time is the trader's: what it sends travels up,
what the market says travels down, and both take as long as the session's latency says.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Records = NDArray[Any]  # structured


class Top(NamedTuple):
    """The best levels that a trader sees, best first; own orders are part of them; int64[levels found]."""

    bid: Ints
    bid_lots: Ints
    ask: Ints
    ask_lots: Ints


class MarketSession(Protocol):
    """A market that runs as far as it is told to."""

    @property
    def time_ns(self) -> int:
        """The trader's present."""

    def submit(self, inputs: Records) -> None:
        """Send records of `market.book.records.INPUT`.

        ``ts`` is when the trader sends a record: not before the present, nor before an earlier record (`OrderRejected`
        otherwise). It reaches the market one latency later, when time is advanced.
        """

    def advance(self, to_ns: int) -> None:
        """Let everything up to `to_ns` happen; time never goes back (`OrderRejected`)."""

    def events(self) -> Records:
        """Return the records of `market.book.records.EVENT` that reached the trader since the last call."""

    def top(self, levels: int) -> Top:
        """Return the best `levels` a side as the trader sees them now."""
