"""A real exchange server on free ports in a thread of its own, and the least of a client to talk to it."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp

from mycelial.adapters.exchanges.kraken_server.opening import Opened, warm_up
from mycelial.adapters.exchanges.kraken_server.server import Server
from mycelial.kraken.signing import Secret
from mycelial.simulation.exchange.exchange import SimulatedExchange

_nonces = itertools.count(time.time_ns())


@dataclass
class Running:
    """A server that runs, and how to ask it."""

    ready: dict[str, Any]
    server: Server
    loop: asyncio.AbstractEventLoop
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)

    def key(self, name: str) -> dict[str, Any]:
        """Return a key by its name."""
        return next(one for one in self.ready["keys"] if one["name"] == name)

    def http(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
        """Return (status, document) of one HTTP request to REST."""
        return _http(self.ready["rest"], method, path, body, headers or {})

    def public(self, method: str, **fields: Any) -> Any:
        """Return the envelope of a public call."""
        return self.http("GET", f"/0/public/{method}" + (f"?{urlencode(fields)}" if fields else ""))[1]

    def private(self, name: str, method: str, *, nonce: Any = None, as_json: bool = False, **fields: Any) -> Any:
        """Return the envelope of a private call signed by the key of this name."""
        key = self.key(name)
        full = {"nonce": str(next(_nonces) if nonce is None else nonce), **fields}
        body = json.dumps(full).encode() if as_json else urlencode(full).encode()
        path = f"/0/private/{method}"
        sign = Secret(key["secret"]).signature(path, full["nonce"], body)
        kind = "application/json" if as_json else "application/x-www-form-urlencoded"
        return self.http("POST", path, body, {"API-Key": key["key"], "API-Sign": sign, "Content-Type": kind})[1]

    def token(self, name: str) -> str:
        """Return a WebSocket token."""
        return str(self.private(name, "GetWebSocketsToken")["result"]["token"])

    def admin(self, deed: str, **wishes: Any) -> Any:
        """Return the state after a deed of the admin endpoint."""
        status, document = _http(self.ready["admin"], "POST", f"/{deed}", json.dumps(wishes).encode(), {})
        assert status == 200, document
        return document

    def price(self) -> float:
        """Return the last price of BTC/USD."""
        return float(self.public("Ticker", pair="XBTUSD")["result"]["XXBTZUSD"]["c"][0])

    def talk(self, talk: Callable[[Talk], Awaitable[Any]], *, private: bool = False, path: str = "/v2") -> Any:
        """Open a WebSocket, hold a conversation, and return what it returns."""

        async def hold() -> Any:
            base = self.ready["ws_auth" if private else "ws"]
            async with aiohttp.ClientSession() as session, session.ws_connect(base + path) as socket:
                async with asyncio.timeout(60):
                    return await talk(Talk(socket))

        return asyncio.run(hold())


class Talk:
    """A conversation over one WebSocket; numbers are decimals."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[Any] = []

    async def say(self, method: str, params: dict[str, Any] | None = None, req_id: int | None = None) -> None:
        """Send a request."""
        await self.raw(json.dumps({"method": method, **({"params": params} if params else {}), "req_id": req_id}))

    async def raw(self, text: str) -> None:
        """Send text."""
        await self.socket.send_str(text)

    async def hear(self) -> Any:
        """Return the next message."""
        message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionError(f"the exchange ended the conversation: {message.type.name}")
        document = json.loads(message.data, parse_float=Decimal)
        self.heard.append(document)
        return document

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        """Return the next message of a kind; what comes before it is kept in `heard`."""
        while True:
            document = await self.hear()
            if wanted(document):
                return document

    async def ask(self, method: str, params: dict[str, Any] | None = None, req_id: int = 1) -> Any:
        """Send a request and return its reply."""
        await self.say(method, params, req_id)
        return await self.until(lambda one: isinstance(one, dict) and one.get("req_id") == req_id)

    async def data(self, channel: str) -> Any:
        """Return the next message of a channel."""
        return await self.until(lambda one: isinstance(one, dict) and one.get("channel") == channel)


@contextmanager
def running_server(pairs: list[str], *, seed: int = 1, patience_s: float = 15.0, **more: Any) -> Iterator[Running]:
    """Run a server until the block is left."""
    exchange = SimulatedExchange(pairs, seed, now_ns=time.time_ns(), warm_up_ns=5 * 10**9, **more)
    warm_up(exchange, is_cold=True)
    started: list[Running] = []
    failed: list[BaseException] = []
    stop = threading.Event()
    up = threading.Event()

    async def serve() -> None:
        server = Server(exchange, patience_s=patience_s)
        async with server.listening("127.0.0.1", 0) as addresses:
            ready = Opened(exchange, server).ready(addresses)
            life = asyncio.create_task(server.live())
            started.append(Running(ready, server, asyncio.get_running_loop()))
            up.set()
            while not stop.is_set():
                await asyncio.sleep(0.02)
                if life.done():
                    life.result()
            life.cancel()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failed.append(error)
            up.set()

    thread = threading.Thread(target=run, name="exchange")
    thread.start()
    up.wait(120)
    try:
        if failed:
            raise failed[0]
        yield started[0]
    finally:
        stop.set()
        thread.join(20)
    if failed:
        raise failed[0]


def _http(base: str, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Any:
    address = urlsplit(base)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
