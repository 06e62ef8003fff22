"""WebSocket clients that cost as little as Python allows, so that they measure the server and not themselves.

A frame is cut out of the stream and looked at as bytes; masks are zero, which the protocol allows.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
import urllib.request
import zlib
from array import array
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Client(asyncio.Protocol):
    """A connection; `on_text` gets the payload of each text frame."""

    def __init__(self, url: str, on_text: Callable[[bytes], None]) -> None:
        self.url, self.on_text = url, on_text
        self.is_open = asyncio.get_running_loop().create_future()
        self.is_lost = False
        self._buffer = bytearray()
        self._upgraded = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        address = urlsplit(self.url)
        transport.write(UPGRADE.format(path=address.path, host=address.netloc).encode())

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._upgraded:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not buffer.startswith(b"HTTP/1.1 101"):
                self.is_open.set_exception(ConnectionError(bytes(buffer[:end]).decode()))
                return
            del buffer[: end + 4]
            self._upgraded = True
            self.is_open.set_result(None)
        at = 0
        while len(buffer) - at >= 2:
            size, head = buffer[at + 1] & 0x7F, 2
            if size == 126:
                size, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 4
            elif size == 127:
                size, head = int.from_bytes(buffer[at + 2 : at + 10], "big"), 10
            end = at + head + size
            if len(buffer) < end:
                break
            opcode = buffer[at] & 0x0F
            if opcode == 1:
                self.on_text(bytes(buffer[at + head : end]))
            elif opcode == 9:
                self._send(0x8A, bytes(buffer[at + head : end]))
            at = end
        del buffer[:at]

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        if not self.is_open.done():
            self.is_open.set_exception(error or ConnectionError("closed"))

    def send(self, payload: bytes) -> None:
        self._send(0x81, payload)

    def _send(self, first: int, payload: bytes) -> None:
        size = len(payload)
        head = bytes((first, 0x80 | size)) if size < 126 else bytes((first, 0xFE)) + size.to_bytes(2, "big")
        self.transport.write(head + b"\0\0\0\0" + payload)


async def connect(url: str, on_text: Callable[[bytes], None]) -> Client:
    """Open a connection."""
    address = urlsplit(url)
    _, client = await asyncio.get_running_loop().create_connection(
        lambda: Client(url, on_text), address.hostname, address.port
    )
    await client.is_open
    return client


class BookReader:
    """Counts updates of the book and remembers a fingerprint of each, so that readers can be compared."""

    def __init__(self) -> None:
        self.prints = array("L")
        self.sizes = 0

    def __call__(self, payload: bytes) -> None:
        if payload.startswith(b'{"channel":"book","type":"update"'):
            self.prints.append(zlib.crc32(payload))
            self.sizes += len(payload)


def subscription(symbols: list[str], depth: int = 10) -> bytes:
    """Return a request for books."""
    return json.dumps(
        {"method": "subscribe", "params": {"channel": "book", "symbol": symbols, "depth": depth}}
    ).encode()


def token(exchange: dict[str, Any], nth: int) -> str:
    """Fetch a WebSocket token with the nth key."""
    key = exchange["keys"][nth]
    path, nonce = "/0/private/GetWebSocketsToken", str(time.time_ns())
    body = f"nonce={nonce}".encode()
    inner = hashlib.sha256(nonce.encode() + body).digest()
    sign = hmac.digest(base64.b64decode(key["secret"]), path.encode() + inner, "sha512")
    request = urllib.request.Request(
        exchange["rest"] + path, body, {"API-Key": key["key"], "API-Sign": base64.b64encode(sign).decode()}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        document = json.load(answer)
    return str(document["result"]["token"])
