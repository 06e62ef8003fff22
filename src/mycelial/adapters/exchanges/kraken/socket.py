"""One WebSocket that stays up: connect, watch for silence, answer requests, come back with back-off.

What is said on it is its owner's business (`SocketOwner`). A frame that cannot be read ends the connection: after it
nothing is certain, and a fresh snapshot is. When a connection ends, every request that still waits learns that its fate
is unknown.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

import aiohttp

from mycelial.adapters.exchanges.kraken.rest import NotSent
from mycelial.domain.errors import DataError, ExchangeError
from mycelial.domain.ports import Clock
from mycelial.kraken.client.budget import Budget
from mycelial.kraken.client.keeping import SECOND, Backoff, ClockOffset
from mycelial.kraken.rest.envelope import NoAnswer
from mycelial.kraken.times import from_rfc3339
from mycelial.kraken.ws.reading import ChannelFrame, Heartbeat, Reply, read_message
from mycelial.kraken.ws.requests import request
from mycelial.market.rate_counters import Cost

log = logging.getLogger(__name__)
MOST_FRAME = 16 << 20
SETTLED_NS = 10 * SECOND  # a connection that lived so long was a good one
PING_SHARE = 3  # pings in the time of a tolerated silence
FAREWELL = aiohttp.ClientWSTimeout(ws_close=0.5)  # s; an exchange that is gone says no goodbye
_ATTEMPT = Cost(1_000_000)


class Dropped(Exception):
    """The connection shall end, and another be tried; why."""


class Fatal(ExchangeError):
    """No other connection will do better: a person has to act."""


class SocketOwner(Protocol):
    """Who speaks on a socket."""

    async def opened(self) -> None:
        """Subscribe and keep going; may run as long as the connection."""

    def took(self, frame: ChannelFrame) -> None:
        """Take a message of a channel; `DataError` ends the connection."""

    def beat(self) -> None:
        """The connection lives and has nothing new."""

    def closed(self, reason: str) -> None:
        """The connection is gone; another will be tried."""


class Socket:
    """One connection after another to one address."""

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession,
        clock: Clock,
        backoff: Backoff,
        connects: Budget,
        offset: ClockOffset,
        *,
        answer_ns: int,
        silence_ns: int,
    ) -> None:
        self._url, self._session, self._clock = url, session, clock
        self._backoff, self._connects, self._offset = backoff, connects, offset
        self._answer_ns, self._silence_ns = answer_ns, silence_ns
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._waiting: dict[int, tuple[asyncio.Future[Reply], int]] = {}
        self._number = 0
        self._heard_ns = 0
        self._drop: asyncio.Event = asyncio.Event()
        self._drop_reason = ""
        self.connections = 0

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent."""
        return self._socket is not None and not self._socket.closed

    def drop(self, reason: str) -> None:
        """End the present connection; the next one begins afresh."""
        self._drop_reason = reason
        self._drop.set()

    async def run(self, owner: SocketOwner) -> None:
        """Keep a connection up until cancelled."""
        while True:
            await self._may_connect()
            began = self._clock.now_ns()
            reason = await self._one_connection(owner)
            if self._clock.now_ns() - began > SETTLED_NS:
                self._backoff.succeeded()
            delay = self._backoff.next_ns()
            log.warning("connection to %s ended (%s), next try in %.2f s", self._url, reason, delay / 1e9)
            await self._clock.sleep_until(self._clock.now_ns() + delay)

    async def request(self, method: str, params: dict[str, Any] | None = None) -> Reply:
        """Send a request and return its reply, whether it succeeded or not.

        Raises
        ------
        NotSent
            If there is no connection.
        NoAnswer
            If it was sent and no reply came.
        """
        socket = self._socket
        if socket is None or socket.closed:
            raise NotSent(f"{method}: there is no connection to {self._url}; nothing was sent")
        self._number += 1
        number = self._number
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future, self._clock.now_ns()
        try:
            await socket.send_str(request(method, params, number).decode())
            async with asyncio.timeout(self._answer_ns / 1e9):
                return await future
        except TimeoutError:
            raise NoAnswer(f"{method}: no reply in {self._answer_ns / 1e9:g} s; its fate is unknown") from None
        except (aiohttp.ClientError, ConnectionError, RuntimeError) as error:
            raise NoAnswer(f"{method}: the connection broke ({error}); its fate is unknown") from None
        finally:
            self._waiting.pop(number, None)

    async def ping(self) -> None:
        """Ask for a sign of life; its times tell how the clocks differ."""
        await self.request("ping")

    async def _may_connect(self) -> None:
        while (wait := self._connects.wait_ns("connects", self._clock.now_ns(), _ATTEMPT, is_cancel=True)) != 0:
            await self._clock.sleep_until(self._clock.now_ns() + (wait or SECOND))
        ticket = self._connects.sending("connects", _ATTEMPT)
        self._connects.answered(ticket, self._clock.now_ns(), carried_out=True)

    async def _one_connection(self, owner: SocketOwner) -> str:
        """Live through one connection; return why it ended."""
        reasons: list[str] = []
        self._drop.clear()
        try:
            async with (
                asyncio.timeout(self._answer_ns / 1e9) as connecting,
                self._session.ws_connect(self._url, max_msg_size=MOST_FRAME, autoping=True, timeout=FAREWELL) as socket,
            ):
                connecting.reschedule(None)
                self._socket, self._heard_ns = socket, self._clock.now_ns()
                self.connections += 1
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(socket, owner), name="listen")
                    tasks.create_task(owner.opened(), name="opened")
                    tasks.create_task(self._watch(), name="watch")
                    tasks.create_task(self._dropping(), name="dropping")
        except* Fatal as group:
            raise _leaves(group)[0] from None
        except* (Dropped, ExchangeError, DataError) as group:
            reasons += [str(error) for error in _leaves(group)]
        except* (aiohttp.ClientError, TimeoutError, OSError) as group:
            reasons += [str(error) or type(error).__name__ for error in _leaves(group)]
        finally:
            self._socket = None
            for future, _ in self._waiting.values():
                if not future.done():
                    future.set_exception(NoAnswer("the connection ended before the reply came; its fate is unknown"))
            self._waiting.clear()
        reason = reasons[0] if reasons else "ended"
        owner.closed(reason)
        return reason

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, owner: SocketOwner) -> None:
        async for message in socket:
            if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                raise Dropped(f"unexpected frame {message.type.name}")
            self._heard_ns = self._clock.now_ns()
            match read_message(message.data):
                case Reply() as reply:
                    self._answer(reply)
                case Heartbeat():
                    owner.beat()
                case ChannelFrame() as frame:
                    owner.took(frame)
        raise Dropped(f"closed by the exchange (code {socket.close_code})")

    def _answer(self, reply: Reply) -> None:
        found = self._waiting.get(reply.req_id or 0)
        if found is None:
            return  # too late: whoever asked has given up, or a list's further acknowledgements
        future, sent_ns = found
        if reply.time_in is not None:
            self._offset.measured(sent_ns, from_rfc3339(reply.time_in), self._heard_ns)
        if not future.done():
            future.set_result(reply)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._silence_ns / PING_SHARE / 1e9)
            silent = self._clock.now_ns() - self._heard_ns
            if silent > self._silence_ns:
                raise Dropped(f"silent for {silent / 1e9:.1f} s")
            await self.ping()

    async def _dropping(self) -> None:
        await self._drop.wait()
        raise Dropped(self._drop_reason)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for one in group.exceptions:
        found += _leaves(one) if isinstance(one, BaseExceptionGroup) else [one]
    return found
