"""Books spoilt on their way out, as a scenario wants it: the market is sound, those who listen hear it wrong.

The same faults, seed and numbers of messages hit the same messages, whoever listens.
"""

from __future__ import annotations

from mycelial.simulation.exchange.reports import BookUpdate
from mycelial.simulation.scenarios import FeedFault
from mycelial.simulation.scenarios.feed_faults import hits

_CROSSING_PERCENT = 110  # of a falsified bid


class Spoiler:
    """Spoils the books of one exchange."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._held: dict[tuple[str, int], BookUpdate] = {}

    def deliver(self, update: BookUpdate, faults: tuple[FeedFault, ...]) -> list[BookUpdate]:
        """Return what reaches the subscribers of one update, in the order it arrives."""
        topic = update.symbol, update.depth
        name = f"{update.symbol} l2-{update.depth}"
        struck = [one for one in faults if hits(one, self._seed, name, update.seq)]
        names = {one.fault for one in struck}
        if names & {"freeze", "gap"}:
            return []
        for one in struck:
            update = _falsified(one, update)
        waiting = self._held.pop(topic, None)
        if "reorder" in names and waiting is None:
            self._held[topic] = update
            return []
        arrived = [update] * (2 if "duplicate" in names else 1)
        return arrived if waiting is None else [*arrived, waiting]


def _falsified(fault: FeedFault, update: BookUpdate) -> BookUpdate:
    match fault.fault:
        case "skew":
            return update._replace(time_ns=max(0, update.time_ns + fault.skew_ns))
        case "checksum":
            return update._replace(checksum=update.checksum ^ 1)
        case "crossed" if len(update.bids):
            bids = update.bids.copy()
            bids[0, 0] = bids[0, 0] * _CROSSING_PERCENT // 100
            return update._replace(bids=bids)
        case "negative_price":
            bids, asks = update.bids.copy(), update.asks.copy()
            bids[:, 0] *= -1
            asks[:, 0] *= -1
            return update._replace(bids=bids, asks=asks)
    return update
