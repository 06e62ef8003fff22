"""Exchanges for tests of the port and of the trader: the simulated one by direct call, and ours over the loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mycelial.adapters.exchanges.simulated import SimulatedAccount
from mycelial.domain.orders import Fill, OrderReport
from mycelial.domain.ports import Exchange, ExchangeEvent
from mycelial.simulation.exchange import SimulatedExchange

SYMBOL = "BTC/USD"


def small_exchange(seed: int = 3) -> SimulatedExchange:
    """Return a young exchange of one pair."""
    return SimulatedExchange([SYMBOL], seed, warm_up_ns=2 * 10**9)


@asynccontextmanager
async def simulated(seed: int = 3) -> AsyncIterator[SimulatedAccount]:
    """Give an account on an exchange in this process."""
    account = SimulatedAccount(small_exchange(seed), 0, [SYMBOL])
    await account.start()
    try:
        yield account
    finally:
        await account.stop()


class Watcher:
    """Reads an exchange's events as they come and keeps what was told."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.reports: dict[str, OrderReport] = {}
        self.history: list[OrderReport] = []
        self.fills: list[Fill] = []
        self.others: list[ExchangeEvent] = []

    async def read(self) -> None:
        """Read until cancelled."""
        async for event in self.exchange.events():
            if isinstance(event, OrderReport):
                self.reports[event.client_id] = event
                self.history.append(event)
            elif isinstance(event, Fill):
                self.fills.append(event)
            else:
                self.others.append(event)
