"""A WebSocket proxy on the loopback that misbehaves on request: cut, lose, double, hold, swap or truncate any message.

It stands between a client and an exchange and sees every message of both directions; a `Judge` says what becomes of
each.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web
from aiohttp.web_request import BaseRequest


class Verdict(Enum):
    """What becomes of a message."""

    PASS = "pass"
    CUT_BEFORE = "cut before"  # it is lost, and so is the connection
    CUT_AFTER = "cut after"  # it arrives, and then the connection is gone
    DROP = "drop"
    DOUBLE = "double"
    TRUNCATE = "truncate"
    SWAP = "swap"  # with the next one of its direction
    HOLD = "hold"  # for `hold_s`


@dataclass(frozen=True, slots=True)
class Seen:
    """One message: its place among all, its direction and what it says."""

    number: int
    to_exchange: bool
    text: str

    @property
    def document(self) -> dict[str, Any]:
        """The message as JSON."""
        found: dict[str, Any] = json.loads(self.text)
        return found


Judge = Callable[[Seen], Verdict]


@dataclass
class FaultProxy:
    """One proxy in front of one address."""

    upstream: str
    judge: Judge = lambda seen: Verdict.PASS
    hold_s: float = 0.2
    refuses: bool = False  # connections
    seen: list[Seen] = field(default_factory=list)
    url: str = ""
    connections: int = 0
    _transports: set[Any] = field(default_factory=set)

    async def serve(self, request: BaseRequest) -> web.StreamResponse:
        """Hold one conversation."""
        if self.refuses:
            return web.Response(status=503, text="closed")
        near = web.WebSocketResponse(compress=False)
        await near.prepare(request)
        self.connections += 1
        transport = request.transport
        self._transports.add(transport)
        try:
            async with aiohttp.ClientSession() as session, session.ws_connect(self.upstream + request.path) as far:
                pumps = [
                    asyncio.create_task(self._pump(near, far, transport, to_exchange=True)),
                    asyncio.create_task(self._pump(far, near, transport, to_exchange=False)),
                ]
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            self._transports.discard(transport)
            if transport is not None:
                transport.abort()
        return near

    def cut(self) -> None:
        """Cut every connection now."""
        for transport in list(self._transports):
            transport.abort()

    async def _pump(self, source: Any, sink: Any, transport: Any, *, to_exchange: bool) -> None:
        kept: str | None = None
        async for message in source:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            text = message.data if isinstance(message.data, str) else message.data.decode()
            one = Seen(len(self.seen), to_exchange, text)
            self.seen.append(one)
            with suppress(ConnectionError, aiohttp.ClientError, RuntimeError):
                match self.judge(one):
                    case Verdict.CUT_BEFORE:
                        transport.abort()
                        return
                    case Verdict.CUT_AFTER:
                        await sink.send_str(text)
                        await asyncio.sleep(0.02)  # what is under way arrives
                        transport.abort()
                        return
                    case Verdict.DROP:
                        continue
                    case Verdict.DOUBLE:
                        await sink.send_str(text)
                    case Verdict.TRUNCATE:
                        text = text[: len(text) // 2]
                    case Verdict.SWAP:
                        kept = text
                        continue
                    case Verdict.HOLD:
                        await asyncio.sleep(self.hold_s)
                await sink.send_str(text)
                if kept is not None:
                    await sink.send_str(kept)
                    kept = None


@asynccontextmanager
async def proxying(upstream: str, judge: Judge | None = None) -> AsyncIterator[FaultProxy]:
    """Run a proxy on a free port while the block runs."""
    proxy = FaultProxy(upstream)
    if judge is not None:
        proxy.judge = judge
    runner = web.ServerRunner(web.Server(proxy.serve, access_log=None), shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield proxy
    finally:
        proxy.cut()
        await runner.cleanup()
