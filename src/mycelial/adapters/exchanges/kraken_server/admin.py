"""The admin endpoint: where a person or a test bends the exchange. It is no part of Kraken's protocol.

``GET /`` tells the state; everything else is ``POST /<what>`` with a JSON object, and answers the new state.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.web_request import BaseRequest
from msgspec import Struct

from mycelial.adapters.exchanges.kraken_server.clock import MOST_SPEED
from mycelial.adapters.exchanges.kraken_server.desk import MODE_NAMES, Desk
from mycelial.adapters.exchanges.kraken_server.faults import COUNTED, Faults
from mycelial.adapters.exchanges.kraken_server.hub import Hub
from mycelial.domain.errors import ConfigError, MycelialError
from mycelial.kraken.json_writing import dumps
from mycelial.kraken.times import SECOND, rfc3339
from mycelial.simulation.scenarios import Depeg, Drought, Scenario, Sweep, pick, stress_test, stress_test_names
from mycelial.simulation.scenarios.injections import ONE
from mycelial.simulation.stress.market import Happened

MOST_BODY = 2**16
MOST_LATENCY_MS = 60_000.0
MOST_COUNT = 1_000_000
MOST_OUTAGE_S = 86_400.0
MOST_CRASH_PERCENT = 90.0
CRASH_RAMP_S, CRASH_LASTS_S = 20, 600
_MODES = {name: mode for mode, name in MODE_NAMES.items()}


class Wishes(Struct, forbid_unknown_fields=True):
    """Everything a request may say; which of it counts depends on the path."""

    speed: float | None = None
    mode: str | None = None
    symbol: str = ""
    seconds: float | None = None
    ms: float | None = None
    count: int = 1
    who: str = "all"
    name: str | None = None
    percent: float = 10.0


class Admin:
    """Answers requests to the admin endpoint.

    Parameters
    ----------
    stage : plays a scenario or a shock on the exchange.
    """

    def __init__(self, desk: Desk, hub: Hub, faults: Faults) -> None:
        self.desk, self.hub, self.faults = desk, hub, faults
        self._outages: set[asyncio.Task[None]] = set()
        self._deeds: dict[str, Callable[[Wishes], None]] = {
            "pause": lambda wishes: self.desk.clock.pause(),
            "resume": lambda wishes: self.desk.clock.resume(),
            "speed": self._speed,
            "mode": self._mode,
            "outage": self._outage,
            "reopen": lambda wishes: self._set_unavailable(False),
            "latency": self._latency,
            "scenario": self._scenario,
            "crash": self._crash,
            "disconnect": self._disconnect,
            "expire-tokens": lambda wishes: self.desk.tokens.expire_all(),
            "clear": lambda wishes: self.faults.clear(),
            **{kind.replace("_", "-"): self._counted(kind) for kind in COUNTED},
        }

    async def __call__(self, request: BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        name = request.path.strip("/")
        if request.method == "GET" and not name:
            return _json(200, self.state())
        deed = self._deeds.get(name)
        if deed is None:
            allowed = ", ".join(sorted(self._deeds))
            return _json(404, {"error": f"nothing is called {name!r} here; POST one of: {allowed}"})
        if request.method != "POST":
            return _json(405, {"error": f"use POST /{name}"})
        if (request.content_length or 0) > MOST_BODY:
            return _json(413, {"error": f"a request has at most {MOST_BODY} bytes"})
        try:
            body = await request.read()
            wishes = msgspec.json.decode(body or b"{}", type=Wishes)
            deed(wishes)
        except (msgspec.DecodeError, MycelialError, ValueError) as error:
            return _json(400, {"error": str(error)})
        self.desk.pump()
        return _json(200, self.state())

    def state(self) -> dict[str, Any]:
        """Return how things stand."""
        desk, audience = self.desk, self.hub.audience
        return {
            "now": rfc3339(desk.exchange.now),
            "speed": desk.clock.speed,
            "paused": desk.clock.paused,
            "mode": MODE_NAMES[desk.exchange.mode],
            "pairs": {symbol: MODE_NAMES[desk.exchange.pair_mode(symbol)] for symbol in desk.table.pairs},
            "happened": {symbol: _told(desk.exchange.happened(symbol)) for symbol in desk.table.pairs},
            "unavailable": desk.unavailable,
            "connections": len(audience.connections),
            "subscriptions": sum(one.subscriptions for one in audience.connections),
            "faults": {
                "latency_ms": self.faults.latency_ns / 1e6,
                **{name: getattr(self.faults, name) for name in COUNTED},
            },
        }

    def _speed(self, wishes: Wishes) -> None:
        if wishes.speed is None or not 0 < wishes.speed <= MOST_SPEED:
            raise ConfigError(f"speed must be above 0 and at most {MOST_SPEED:g}, like {{'speed': 10}}")
        self.desk.clock.set_speed(wishes.speed)

    def _mode(self, wishes: Wishes) -> None:
        if wishes.mode not in _MODES:
            raise ConfigError(f"mode must be one of: {', '.join(_MODES)}")
        self.desk.exchange.set_mode(_MODES[wishes.mode], wishes.symbol)

    def _scenario(self, wishes: Wishes) -> None:
        """Play a stress scenario, named as on the command line: ``X01``, ``X01:seller``, ``X01:seller@30``."""
        if wishes.name is None:
            raise ConfigError(f"name must be one of: {', '.join(stress_test_names())}, like {{'name': 'X01:sweep'}}")
        self.desk.exchange.play(scenario_named(wishes.name))

    def _crash(self, wishes: Wishes) -> None:
        """Let what is traded lose `percent` of its worth within seconds, into thin books, for `seconds`."""
        if not 0 < wishes.percent <= MOST_CRASH_PERCENT:
            raise ConfigError(f"percent must be above 0 and at most {MOST_CRASH_PERCENT:g}")
        lasts = (wishes.seconds or CRASH_LASTS_S) * SECOND
        if not CRASH_RAMP_S * SECOND < lasts <= MOST_OUTAGE_S * SECOND:
            raise ConfigError(f"seconds must be above {CRASH_RAMP_S} and at most {MOST_OUTAGE_S:g}")
        table = self.desk.table
        pairs = [table.pair(wishes.symbol)] if wishes.symbol else list(table.pairs.values())
        worth = int(ONE * (1 - wishes.percent / 100))
        long, ramp = int(lasts), CRASH_RAMP_S * SECOND
        falls = [
            Depeg(start_ns=0, duration_ns=long, target=base, price_ppm=worth, ramp_ns=ramp)
            for base in sorted({pair.base for pair in pairs})
        ]
        symbols = [pair.symbol for pair in pairs]
        thin = [
            Drought(start_ns=0, duration_ns=long, target=one, depth_ppm=ONE // 5, spread_ppm=3 * ONE) for one in symbols
        ]
        sales = [Sweep(start_ns=at * SECOND, target=one, size_ppm=200 * ONE) for one in symbols for at in (1, 2, 4)]
        self.desk.exchange.play(Scenario("crash", (*falls, *thin, *sales)))

    def _outage(self, wishes: Wishes) -> None:
        """Answer nothing private for a while, tell everybody, and cut all connections."""
        self._set_unavailable(True)
        self._cut("all")
        if wishes.seconds is not None:
            if not 0 < wishes.seconds <= MOST_OUTAGE_S:
                raise ConfigError(f"seconds must be above 0 and at most {MOST_OUTAGE_S:g}")
            task = asyncio.get_running_loop().create_task(self._reopen_after(wishes.seconds), name="reopen")
            self._outages.add(task)
            task.add_done_callback(self._outages.discard)

    async def _reopen_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._set_unavailable(False)

    def _set_unavailable(self, value: bool) -> None:
        self.desk.unavailable = value
        self.hub.tell_status()

    def _latency(self, wishes: Wishes) -> None:
        if wishes.ms is None or not 0 <= wishes.ms <= MOST_LATENCY_MS:
            raise ConfigError(f"ms must be from 0 to {MOST_LATENCY_MS:g}")
        self.faults.latency_ns = int(wishes.ms * 1e6)

    def _disconnect(self, wishes: Wishes) -> None:
        self._cut(wishes.who)

    def _cut(self, who: str) -> None:
        if who not in ("all", "public", "private"):
            raise ConfigError("who must be all, public or private")
        for connection in list(self.hub.audience.connections):
            if who == "all" or connection.is_private == (who == "private"):
                connection.abort()

    def _counted(self, kind: str) -> Callable[[Wishes], None]:
        def set_count(wishes: Wishes) -> None:
            if not 0 <= wishes.count <= MOST_COUNT:
                raise ConfigError(f"count must be from 0 to {MOST_COUNT}")
            setattr(self.faults, kind, wishes.count)

        return set_count


def scenario_named(name: str) -> Scenario:
    """Return a packaged stress scenario.

    Raises
    ------
    NotFound
        If there is none of this name, or no such level of it.
    """
    head = re.split("[:@]", name, maxsplit=1)[0]
    return pick(stress_test(head), name[len(head) :])


def _told(happened: tuple[Happened, ...]) -> list[str]:
    return [f"{one.time_ns / SECOND:.3f} s {one.kind}: {one.what}" for one in happened[-20:]]


def _json(status: int, document: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=dumps(document), content_type="application/json")
