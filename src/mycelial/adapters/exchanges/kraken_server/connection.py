"""One WebSocket connection as a place to send to: bytes out at once, never a wait, slow readers cut off.

Frames of a server are not masked and nothing is compressed, so a frame is the same bytes for everybody: `text_frame`
makes it once and each connection only writes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from mycelial.adapters.exchanges.kraken_server.faults import Faults

MOST_BUFFERED = 8 * 2**20  # bytes a slow reader may leave unread before it is cut off

log = logging.getLogger(__name__)


def text_frame(payload: bytes) -> bytes:
    """Return a WebSocket text frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def payload_of(frame: bytes) -> bytes:
    """Return what a frame of `text_frame` carries."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


class Connection:
    """A connected client.

    Parameters
    ----------
    transport : where frames are written.
    faults : what shall go wrong.
    number : unsigned 64-bit id told to the client.
    is_private : which of the two hosts it came to.
    address : of the client.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        faults: Faults,
        loop: asyncio.AbstractEventLoop,
        *,
        number: int,
        is_private: bool,
        address: str,
    ) -> None:
        self.number, self.is_private, self.address = number, is_private, address
        self.subscriptions = 0
        self.wanted_something = False
        self.last_sent = self.last_heard = loop.time()
        self._transport, self._faults, self._loop = transport, faults, loop
        self._delayed: deque[tuple[float, bytes]] = deque()
        self._withheld: bytes | None = None  # by a reordering
        self._waiting: list[bytes] = []  # frames of this turn of the loop, which leave together

    def send(self, payload: bytes) -> None:
        """Send a text message that is a reply: no fault but delay concerns it."""
        frame = text_frame(payload)
        if self._faults.delay_ns:
            self._later(frame)
        else:
            self._write(frame)

    def send_frame(self, frame: bytes) -> None:
        """Send a ready frame of a channel."""
        if self._withheld is None and not self._faults.active:
            self._write(frame)
            return
        for one in self._tampered(frame):
            if self._faults.delay_ns:
                self._later(one)
            else:
                self._write(one)

    def abort(self) -> None:
        """Cut the connection without a goodbye."""
        self._transport.abort()

    def close(self) -> None:
        """Say goodbye (code 1000) and close once everything is sent."""
        self._write(b"\x88\x02\x03\xe8")
        self._flush()
        self._transport.close()

    @property
    def is_open(self) -> bool:
        """Whether anything can still be sent."""
        return not self._transport.is_closing()

    def _write(self, frame: bytes) -> None:
        transport = self._transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > MOST_BUFFERED:
            log.warning("connection %d reads too slowly and is cut off", self.number)
            transport.abort()
            return
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(frame)

    def _flush(self) -> None:
        """Hand over what waits: one call of the system for a reply and the reports that go with it."""
        frames, self._waiting = self._waiting, []
        if frames and not self._transport.is_closing():
            self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))
            self.last_sent = self._loop.time()

    def _tampered(self, frame: bytes) -> list[bytes]:
        faults = self._faults
        if faults.take("gap"):
            return []
        if self._withheld is not None:
            before, self._withheld = self._withheld, None
            return [frame, before]
        if faults.take("reorder"):
            self._withheld = frame
            return []
        if faults.take("truncate"):
            payload = payload_of(frame)
            return [text_frame(payload[: len(payload) // 2])]
        return [frame, frame] if faults.take("duplicate") else [frame]

    def _later(self, frame: bytes) -> None:
        due = self._loop.time() + self._faults.delay_ns * 1e-9
        self._delayed.append((due, frame))
        if len(self._delayed) == 1:
            self._loop.call_at(due, self._release)

    def _release(self) -> None:
        now = self._loop.time() + 1e-4
        while self._delayed and self._delayed[0][0] <= now:
            self._write(self._delayed.popleft()[1])
        if self._delayed:
            self._loop.call_at(self._delayed[0][0], self._release)
