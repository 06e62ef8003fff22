"""The doors of the WebSockets: connections opened, read and closed; versions told apart by the path."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

from aiohttp import WSMsgType, web
from aiohttp.web_request import BaseRequest

from mycelial.adapters.exchanges.kraken_server.connection import Connection
from mycelial.adapters.exchanges.kraken_server.desk import Desk
from mycelial.adapters.exchanges.kraken_server.faults import Faults
from mycelial.adapters.exchanges.kraken_server.hub import Hub
from mycelial.adapters.exchanges.kraken_server.session import Session
from mycelial.adapters.exchanges.kraken_server.session_v1 import SessionV1
from mycelial.kraken.limits import Attempts
from mycelial.kraken.ws import replies, v1

MOST_MESSAGE = 2**18  # bytes
MOST_CONNECTIONS = 5_000
SHARED = 10  # clients that are taken to share an address
IDLE_S = 60.0  # without a subscription and without a word a connection is closed
HEARTBEAT_S = 1.0
_V2, _V1 = "/v2", "/"


class SocketDoor:
    """Takes WebSocket connections of one host.

    Parameters
    ----------
    is_private : which host this is.
    guard : counts connections; shared by the hosts.
    mixed : whether public and private requests are both taken here.
    """

    def __init__(
        self, desk: Desk, hub: Hub, faults: Faults, guard: ConnectionGuard, *, is_private: bool, mixed: bool = False
    ) -> None:
        self.desk, self.hub, self.faults, self.guard = desk, hub, faults, guard
        self.is_private, self.mixed = is_private, mixed

    async def __call__(self, request: BaseRequest) -> web.StreamResponse:
        """Hold one conversation."""
        path = request.path.rstrip("/") or _V1
        if path not in (_V1, _V2):
            return web.Response(status=404, text="WebSocket v2 is at /v2, v1 at /")
        address = request.remote or ""
        if not self.guard.admit(address):
            return web.Response(status=429, text="Too many connection attempts; come back in ten minutes")
        socket = web.WebSocketResponse(max_msg_size=MOST_MESSAGE, compress=False, autoping=True)
        if not socket.can_prepare(request):
            return web.Response(status=426, text="This is a WebSocket", headers={"Upgrade": "websocket"})
        await socket.prepare(request)
        transport = request.transport
        assert isinstance(transport, asyncio.Transport) or transport is not None
        loop = asyncio.get_running_loop()
        connection = Connection(
            transport, self.faults, loop, number=secrets.randbits(64), is_private=self.is_private, address=address
        )
        session = SessionV1(self.desk, self.hub, connection, mixed=self.mixed) if path == _V1 else self._v2(connection)
        self.guard.opened()
        session.open()
        try:
            await self._converse(socket, connection, session)
        finally:
            self.hub.leave_all(connection)
            self.guard.closed(connection)
        return socket

    def _v2(self, connection: Connection) -> Session:
        return Session(self.desk, self.hub, self.faults, connection, mixed=self.mixed)

    async def _converse(
        self, socket: web.WebSocketResponse, connection: Connection, session: Session | SessionV1
    ) -> None:
        loop = asyncio.get_running_loop()
        while not socket.closed:
            message = await socket.receive()
            connection.last_heard = loop.time()
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                if self.faults.delay_ns:
                    await asyncio.sleep(self.faults.delay_ns * 1e-9)
                if isinstance(session, SessionV1) and session.is_v2(message.data):
                    session = self._v2(connection)  # a client that left out the path
                session.receive(message.data)
            else:
                with suppress(ConnectionError):
                    await socket.close()
                return


class ConnectionGuard:
    """Limits connections: so many at once, and so many attempts in a while.

    Kraken allows about 150 attempts in ten minutes from one address. On loopback all clients share one address, so
    here that many may come and go without ever wanting anything, and `SHARED` times as many in all.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._open = 0
        self._idle: dict[str, Attempts] = {}
        self._all: dict[str, Attempts] = {}

    def admit(self, address: str) -> bool:
        """Count an attempt, and say whether the connection may open."""
        now_ns = self._desk.wall_ns()
        idle = self._idle.get(address)
        if self._open >= MOST_CONNECTIONS or (idle is not None and idle.banned(now_ns)):
            return False
        return self._attempts(self._all, address, SHARED).attempt(now_ns)

    def opened(self) -> None:
        """Take note of a connection."""
        self._open += 1

    def closed(self, connection: Connection) -> None:
        """Take note that one is gone."""
        self._open -= 1
        if not connection.wanted_something:
            self._attempts(self._idle, connection.address, 1).attempt(self._desk.wall_ns())

    def _attempts(self, kept: dict[str, Attempts], address: str, times: int) -> Attempts:
        rules = self._desk.venue.websocket
        if address not in kept:
            kept[address] = Attempts(times * rules.connects, rules.connects_within_ns, rules.ban_ns)
        return kept[address]


async def keep_alive(hub: Hub) -> None:
    """Send heartbeats where nothing else was sent for a second, and close connections that want nothing."""
    loop = asyncio.get_running_loop()
    beats = {False: replies.HEARTBEAT, True: v1.HEARTBEAT}
    while True:
        await asyncio.sleep(HEARTBEAT_S / 4)
        now = loop.time()
        for connection, speaks_v1 in list(hub.audience.connections.items()):
            if connection.subscriptions:
                if now - connection.last_sent >= HEARTBEAT_S:
                    connection.send(beats[speaks_v1])
            elif now - connection.last_heard > IDLE_S:
                connection.close()
