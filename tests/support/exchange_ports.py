"""Exchanges behind the port, for tests: by direct call, over the loopback, as a dry run; and one who watches them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.served import Served

from mycelial.adapters.clock import WallClock
from mycelial.adapters.exchanges.dry_run import DryRunExchange
from mycelial.adapters.exchanges.kraken import Credentials, KrakenExchange, Settings
from mycelial.adapters.exchanges.simulated import SimulatedAccount
from mycelial.domain.amounts import ONE
from mycelial.domain.errors import MycelialError
from mycelial.domain.orders import Fill, OrderReport
from mycelial.domain.ports import Clock, ExchangeEvent
from mycelial.kraken.signing import Secret
from mycelial.market.venues import packaged_venue
from mycelial.simulation.exchange import SimulatedExchange

SYMBOL = "BTC/USD"
SECOND = 10**9
STEP_NS = 10_000_000


def small_exchange(seed: int = 3) -> SimulatedExchange:
    """Return a young exchange of one pair."""
    return SimulatedExchange([SYMBOL], seed, warm_up_ns=2 * SECOND)


class Watched:
    """An exchange, its clock, and everything it told."""

    def __init__(self, exchange: Any, clock: Clock) -> None:
        self.exchange, self.clock = exchange, clock
        self.reports: dict[str, OrderReport] = {}
        self.fills: list[Fill] = []
        self.events: list[ExchangeEvent] = []
        self._count = 0
        self._prefix = f"t{clock.now_ns() // 1_000_000 % 36**6:x}"

    def name(self) -> str:
        """Return a client id that was never used."""
        self._count += 1
        return f"{self._prefix}-{self._count}"

    async def read(self) -> None:
        """Read until the exchange has nothing more to tell."""
        async for event in self.exchange.events():
            self.events.append(event)
            if isinstance(event, OrderReport):
                self.reports[event.client_id] = event
            elif isinstance(event, Fill):
                self.fills.append(event)

    async def until(self, is_so: Callable[[], bool], seconds: float = 60.0) -> None:
        """Let the exchange's time pass until something is so."""
        end = self.clock.now_ns() + int(seconds * SECOND)
        while not is_so():
            assert self.clock.now_ns() < end, f"not so after {seconds} s; reports: {self.reports}"
            await self.clock.sleep_until(self.clock.now_ns() + STEP_NS)

    async def ended(self, client_id: str) -> OrderReport:
        """Return the last report of an order once it has ended."""
        await self.until(lambda: client_id in self.reports and not self.reports[client_id].status.is_live)
        return self.reports[client_id]


@asynccontextmanager
async def watching(exchange: Any, clock: Clock) -> AsyncIterator[Watched]:
    """Start an exchange, watch it, and stop it."""
    watched = Watched(exchange, clock)
    await exchange.start()
    reading = asyncio.create_task(watched.read())
    try:
        yield watched
    finally:
        with suppress(MycelialError):
            await exchange.cancel_all()
        await exchange.stop()
        reading.cancel()
        with suppress(asyncio.CancelledError, MycelialError):
            await reading


def simulated_account(seed: int = 3) -> SimulatedAccount:
    """Return an account on an exchange in this process."""
    return SimulatedAccount(small_exchange(seed), 0, [SYMBOL])


def settings_of(served: Served, **changes: Any) -> Settings:
    """Return the addresses of a server."""
    ready = served.ready
    return replace(Settings(ready["rest"], ready["ws"], ready["ws_auth"], pairs=(SYMBOL,)), **changes)


def kraken_client(
    served: Served, name: str = "pro-1", *, clock: WallClock | None = None, nonces: Path | None = None, **changes: Any
) -> KrakenExchange:
    """Return our client for one account of a server."""
    key, secret = served.key(name)
    settings = settings_of(served, nonce_file=nonces, **changes)
    return KrakenExchange(settings, Credentials(key, Secret(secret)), clock or WallClock(), packaged_venue("kraken"))


def dry_run(served: Served, **changes: Any) -> DryRunExchange:
    """Return a dry run on the public side of a server."""
    funds = {"USD": 1_000_000 * ONE, "BTC": 10 * ONE}
    latency = changes.pop("latency_ns", 1_000_000)
    return DryRunExchange(
        settings_of(served, **changes), WallClock(), packaged_venue("kraken"), funds, latency_ns=latency
    )
