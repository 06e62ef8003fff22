"""The whole server: four doors on one exchange, the pacemaker that lets its market live, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.web_request import BaseRequest

from mycelial.adapters.exchanges.kraken_server.admin import Admin
from mycelial.adapters.exchanges.kraken_server.clock import MarketClock
from mycelial.adapters.exchanges.kraken_server.desk import Desk
from mycelial.adapters.exchanges.kraken_server.faults import Faults
from mycelial.adapters.exchanges.kraken_server.hub import Hub
from mycelial.adapters.exchanges.kraken_server.rest_door import RestDoor
from mycelial.adapters.exchanges.kraken_server.socket_door import ConnectionGuard, SocketDoor, keep_alive
from mycelial.domain.errors import ConfigError
from mycelial.simulation.exchange.exchange import SimulatedExchange
from mycelial.simulation.scenarios.injections import ONE

LOOPBACK = "127.0.0.1"
SLICE_S = 0.01  # of wall time between two steps of the market
MOST_STEP_NS = 50_000_000  # market time in one step at usual speed: what an order may have to wait for ...
FAST_STEPS = 10  # ... and so many times as much in a market that runs fast
MOST_BEHIND_S = 1.0  # of wall time a market that cannot keep up lags before its clock is set back
PATIENCE_S = 15.0
VALUE_EVERY_S = 1.0
USUAL_WAY_NS = 5_000_000  # of a message to the exchange: what a latency storm multiplies

Handler = Callable[[BaseRequest], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the doors are; base URLs without a path."""

    rest: str
    ws: str
    ws_auth: str
    admin: str


class Server:
    """A running exchange.

    Parameters
    ----------
    exchange : nobody else touches it from now on.
    speed : seconds of market time in a second.
    mixed : whether both WebSocket doors take public and private requests.
    nonce_window : how far a late nonce may lie below the highest one of its key.
    now_and_then : is called every second or so, between two steps of the market.
    patience_s : for the head of a request, for the next one on a kept connection, and for a body to arrive.
    """

    def __init__(
        self,
        exchange: SimulatedExchange,
        *,
        speed: float = 1.0,
        mixed: bool = False,
        nonce_window: int = 0,
        now_and_then: Callable[[], None] = lambda: None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.faults = Faults()
        self.now_and_then, self.patience_s = now_and_then, patience_s
        clock = MarketClock(time.time_ns, exchange.now, speed)
        self.desk = Desk(exchange, clock, time.time_ns, nonce_window=nonce_window)
        self.hub = Hub(self.desk)
        self.admin = Admin(self.desk, self.hub, self.faults)
        guard = ConnectionGuard(self.desk)
        self._doors: dict[str, Handler] = {
            "rest": RestDoor(self.desk, self.faults, body_timeout_s=patience_s),
            "ws": SocketDoor(self.desk, self.hub, self.faults, guard, is_private=False, mixed=mixed),
            "ws_auth": SocketDoor(self.desk, self.hub, self.faults, guard, is_private=True, mixed=mixed),
            "admin": self.admin,
        }

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[Addresses]:
        """Open the doors: REST at `port`, then the two WebSockets and the admin endpoint; 0 takes free ports.

        The admin endpoint listens on loopback whatever `host` is.

        Raises
        ------
        ConfigError
            If a port is taken.
        """
        runners: list[web.ServerRunner] = []
        found: dict[str, str] = {}
        try:
            for n, (name, door) in enumerate(self._doors.items()):
                server = web.Server(
                    door,
                    keepalive_timeout=self.patience_s,
                    lingering_time=1.0,
                    access_log=None,
                )
                runner = web.ServerRunner(server, shutdown_timeout=1.0)
                await runner.setup()
                runners.append(runner)
                where = LOOPBACK if name == "admin" else host  # who may bend the market sits at this machine
                site = web.TCPSite(runner, where, port + n if port else 0, backlog=1024)
                try:
                    await site.start()
                except OSError as error:
                    wanted = f"{where}:{port + n if port else 0}"
                    raise ConfigError(f"cannot listen on {wanted}: {error.strerror}; choose another --port") from None
                address = runner.addresses[0]
                shown = f"[{address[0]}]" if ":" in address[0] else address[0]
                scheme = "ws" if name.startswith("ws") else "http"
                found[name] = f"{scheme}://{shown}:{address[1]}"
            yield Addresses(**found)
        finally:
            for connection in list(self.hub.audience.connections):
                connection.close()
            for runner in reversed(runners):
                await runner.cleanup()

    async def live(self) -> None:
        """Let the market live until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pace(), name="pace")
            tasks.create_task(keep_alive(self.hub), name="keep alive")

    def _weather(self) -> None:
        """Give customers the delays, losses and silence that a scenario gives residents."""
        conditions = [self.desk.exchange.conditions(symbol) for symbol in self.desk.table.pairs]
        storms = [one.latency for one in conditions if one.latency is not None]
        faults = self.faults
        worst = max((one.latency_ppm for one in storms), default=ONE)
        faults.storm_ns = USUAL_WAY_NS * (worst - ONE) // ONE
        faults.loss_ppm = max((one.loss_ppm for one in storms), default=0)
        faults.cancel_ack_ns = max((one.cancel_ack_delay_ns for one in storms), default=0)
        faults.silent = any(one.outage is not None and one.outage.answers == "timeouts" for one in conditions)

    async def _pace(self) -> None:
        """Advance the market with the clock, in steps short enough that orders in between wait for none for long."""
        desk, exchange, clock = self.desk, self.desk.exchange, self.desk.clock
        valued = 0.0
        while True:
            target = clock.now()
            step = MOST_STEP_NS * max(1, min(FAST_STEPS, int(clock.speed) // 5))
            while exchange.now < target:
                exchange.advance(min(target, exchange.now + step))
                desk.pump()
                await asyncio.sleep(0)
                if clock.now() - exchange.now > MOST_BEHIND_S * 1e9 * clock.speed and not clock.paused:
                    clock.restart_at(exchange.now)
                    target = exchange.now
            if time.monotonic() - valued > VALUE_EVERY_S:
                desk.value_assets()
                self.now_and_then()
                self._weather()
                valued = time.monotonic()
            await asyncio.sleep(SLICE_S)
