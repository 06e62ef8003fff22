"""A seat in a living market: what a strategy written for recorded markets needs to trade against people who react."""

from __future__ import annotations

import numpy as np

from mycelial.domain.errors import OrderRejected
from mycelial.market.book import INPUT
from mycelial.market.session import Records, Top
from mycelial.simulation.intraday.market import IntradayMarket


class Seat:
    """One participant from outside as a `MarketSession`: the interface that `market.replay.Replay` has, too.

    Parameters
    ----------
    market : IntradayMarket
        Built with `externals`; it goes on living between calls only as far as `advance` says.
    owner : int, optional
        Which participant; by default the first from outside.

    Notes
    -----
    Records travel up and reports travel down with the participant's latency. `top` is the engine's book of the moment,
    not yet delayed on its way down.
    """

    def __init__(self, market: IntradayMarket, owner: int | None = None) -> None:
        self.market = market
        self.owner = market.config.agents if owner is None else owner
        self._heard = market.inbox()[1]
        self._last_sent = market.now

    @property
    def time_ns(self) -> int:
        """The trader's present."""
        return self.market.now

    def submit(self, inputs: Records) -> None:
        """Send records of INPUT; see `MarketSession`."""
        inputs = np.atleast_1d(np.asarray(inputs, INPUT))
        if not inputs.size:
            return
        sent, last = inputs["ts"], max(self.time_ns, self._last_sent)
        if int(sent[0]) < last or (np.diff(sent) < 0).any():
            raise OrderRejected(
                f"a record is sent at {int(sent.min())} ns, but time is {last} ns already; send in order, from now on"
            )
        for at in np.unique(sent):
            self.market.submit(inputs[sent == at], self.owner, int(at))
        self._last_sent = int(sent[-1])

    def advance(self, to_ns: int) -> None:
        """Let everything up to `to_ns` happen; see `MarketSession`."""
        if to_ns < self.time_ns:
            raise OrderRejected(f"time is {self.time_ns} ns and cannot go back to {to_ns} ns")
        self.market.run_until(to_ns)

    def events(self) -> Records:
        """Return the events of own orders that arrived since the last call; see `MarketSession`."""
        arrived, self._heard = self.market.inbox(self._heard)
        events = arrived["event"]
        mine = (events["owner"] == self.owner) | (events["maker_owner"] == self.owner)
        return events[mine]

    def top(self, levels: int) -> Top:
        """Return the best `levels` a side; see `MarketSession`."""
        bids, asks = (self.market.book.levels(side, levels) for side in (0, 1))
        return Top(bids[:, 0], bids[:, 1], asks[:, 0], asks[:, 1])
