"""Market data gone wrong on its way: messages lost, repeated, swapped, frozen, falsified. The market itself is sound.

Which message is hit depends on the seed, the fault and the number of the message alone, so a feed spoilt twice is
spoilt alike, whoever else listens.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.seeds import stream_key
from mycelial.market.feeds import Published
from mycelial.simulation.scenarios.conditions import conditions
from mycelial.simulation.scenarios.injections import ONE, FeedFault
from mycelial.simulation.scenarios.scenario import Scenario

_BID = 0
_CROSSING = 1.1  # a falsified bid stands ten per cent above


class Delivery(NamedTuple):
    """One message as it reaches a subscriber, and what was done to it."""

    published: Published  # one message with its rows
    faults: tuple[str, ...]


def hits(fault: FeedFault, seed: int, feed: str, number: int) -> bool:
    """Tell whether a fault that is going on hits message `number` of a feed."""
    if fault.fault in ("freeze", "skew") or fault.share_ppm >= ONE:
        return True
    drawn = int(stream_key(seed, "feed fault", feed, fault.fault, fault.start_ns, number))
    return (drawn >> 11) * 2.0**-53 < fault.share_ppm / ONE


class FaultyFeed:
    """A feed between its publisher and a subscriber; what a scenario does to it happens here.

    Parameters
    ----------
    scenario : Scenario
    pair : str
        The pair the feed is of.
    seed : int
    name : str
        Tells feeds of one pair apart.
    start_ns : int
        Time of the market at which the scenario starts.
    """

    def __init__(self, scenario: Scenario, pair: str, seed: int, *, name: str = "l2", start_ns: int = 0) -> None:
        self._scenario, self._pair, self._seed = scenario, pair, seed
        self._feed, self._start = f"{pair} {name}", start_ns
        self._held: Delivery | None = None  # waits for the message it lets pass

    def pass_on(self, published: Published, now_ns: int) -> list[Delivery]:
        """Return what reaches the subscriber of messages published at `now_ns`, in the order it arrives."""
        faults = conditions(self._scenario, now_ns - self._start, self._pair).faults
        arrived: list[Delivery] = []
        for message in published.messages:
            first = int(message["first"])
            rows = published.rows[first : first + int(message["count"])].copy()
            one = message.reshape(1).copy()
            one["first"] = 0
            arrived += self._one(one, rows, faults)
        return arrived

    def _one(self, message: NDArray[np.void], rows: NDArray[np.void], faults: tuple[FeedFault, ...]) -> list[Delivery]:
        number = int(message["seq"][0])
        struck = [one for one in faults if hits(one, self._seed, self._feed, number)]
        names = {one.fault for one in struck}
        if names & {"freeze", "gap"}:
            return []
        for one in struck:
            _falsify(one, message, rows)
        delivery = Delivery(Published(message, rows), tuple(sorted(names)))
        waiting, self._held = self._held, None
        if "reorder" in names and waiting is None:
            self._held = delivery
            return []
        arrived = [delivery] * (2 if "duplicate" in names else 1)
        return arrived if waiting is None else [*arrived, waiting]


def _falsify(fault: FeedFault, message: NDArray[np.void], rows: NDArray[np.void]) -> None:
    if fault.fault == "skew":
        message["ts"] += fault.skew_ns
    elif fault.fault == "checksum" and message["checksum"][0] >= 0:
        message["checksum"] ^= 1
    elif fault.fault in ("crossed", "negative_price") and "price" in (rows.dtype.names or ()):
        bids = np.flatnonzero(rows["side"] == _BID)
        if fault.fault == "negative_price":
            rows["price"] = -rows["price"]
        elif bids.size:
            rows["price"][bids[0]] = int(rows["price"][bids[0]] * _CROSSING)
