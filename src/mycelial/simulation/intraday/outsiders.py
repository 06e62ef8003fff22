"""Letting scripted participants from outside act in a market at a steady beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mycelial.simulation.intraday.market import IntradayMarket


class Outsider(Protocol):
    """Somebody who sees the best levels and its own events, and answers with records."""

    owner: int

    def act(
        self, time: int, bids: NDArray[np.int64], asks: NDArray[np.int64], events: NDArray[np.void]
    ) -> NDArray[np.void]:
        """Return the INPUT records to send at `time` (ns)."""


def run_with(
    market: IntradayMarket, outsiders: Sequence[Outsider], until_ns: int, *, beat_ns: int = 50_000_000, depth: int = 5
) -> None:
    """Run a market until `until_ns`; every `beat_ns` each outsider looks at the book and acts."""
    heard = market.inbox()[1]
    while market.now < until_ns:
        market.run_until(min(market.now + beat_ns, until_ns))
        arrived, heard = market.inbox(heard)
        view = market.observe(depth)
        events = arrived["event"]
        for one in outsiders:
            mine = events[(events["owner"] == one.owner) | (events["maker_owner"] == one.owner)]
            records = one.act(market.now, view.bids, view.asks, mine)
            if len(records):
                market.submit(records, one.owner)


def marked_value(market: IntradayMarket, owner: int) -> float:
    """Return what an account is worth at the mid, in cash units."""
    account = market.book.accounts()[owner]
    view = market.observe(1)
    mid = 0.5 * float(view.bids[0, 0] + view.asks[0, 0])
    lots = int(account["asset_free"] + account["asset_held"])
    return float(account["cash_free"] + account["cash_held"]) + lots * mid * market.instrument.cash_per_tick_lot
