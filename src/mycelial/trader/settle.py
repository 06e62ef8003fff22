"""Settle: fills and reports into the ledger, once each; then positions and slots follow from it."""

from __future__ import annotations

from dataclasses import dataclass

from mycelial.domain.orders import Fill, OrderReport
from mycelial.domain.ports import Clock, Exchange, ExchangeEvent, Ledger
from mycelial.trader.submit import Submitter

OVERLAP_NS = 60 * 10**9  # how far before the latest booked fill the exchange's records are read again


@dataclass
class Settler:
    """Books what happened."""

    ledger: Ledger
    submitter: Submitter
    clock: Clock
    fills: int = 0

    def take(self, event: ExchangeEvent) -> None:
        """Take one event; `StorageError` if the ledger cannot be written."""
        match event:
            case Fill():
                self.fills += self.ledger.fill(event)
            case OrderReport():
                self.ledger.report(event, self.clock.now_ns())
                self.submitter.took(event)

    async def catch_up(self, exchange: Exchange) -> int:
        """Book the fills that nobody told us of, from the exchange's own records; return how many."""
        since = max(0, self.ledger.latest_fill_ns() - OVERLAP_NS)
        booked = 0
        if since or self.fills:
            for fill in await exchange.fills(since):
                booked += self.ledger.fill(fill)
        return booked
