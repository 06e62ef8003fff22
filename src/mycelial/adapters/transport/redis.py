"""Gossip between processes through Redis: a stream keeps the messages, Pub/Sub says that there is one.

Publishing is one round trip: append to the topic's stream, which is cut to a bounded length, and send the notice. A
reader that hears a notice reads the stream from where it was, so a lost notice costs nothing once the next one comes,
and a late reader gets what the stream still holds.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from mycelial.adapters.transport.mailbox import Mailbox
from mycelial.domain.errors import MissingExtra, MycelialError

KEPT = 256
CAPACITY = 1_024
_BATCH = 64


class TransportError(MycelialError):
    """Redis cannot be reached or refuses; gossip stops and trading goes on with what is known."""


class RedisTransport:
    """A `Transport` through a Redis server (6.2 or newer).

    Parameters
    ----------
    url : str
        ``redis://host:port/0`` or ``unix:///path/to/socket``.
    deployment : str
        Beginning of all keys, so that deployments do not hear each other.
    kept : int
        Messages of each topic that the server keeps (about; Redis cuts in blocks).
    """

    def __init__(self, url: str, *, deployment: str = "mycelial", kept: int = KEPT) -> None:
        try:
            import redis.asyncio as client
        except ImportError as error:
            raise MissingExtra("redis", "redis", "gossip between processes") from error
        self._redis: Any = client.from_url(url)
        self._deployment, self._kept, self._url = deployment, kept, url
        self._readers: list[tuple[asyncio.Task[None], Mailbox]] = []

    async def publish(self, topic: str, data: bytes) -> None:
        """Append a message to the topic and tell the readers.

        Raises
        ------
        TransportError
            If Redis does not answer.
        """
        key = self._key(topic)
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.xadd(key, {b"d": data}, maxlen=self._kept, approximate=False)
                pipe.publish(key, b"")
                await pipe.execute()
        except Exception as error:
            raise self._failed(error) from error

    async def subscribe(self, topic: str, *, from_start: bool = False, capacity: int = CAPACITY) -> Mailbox:
        """Return a mailbox that is filled from now on, or from the oldest message kept.

        Raises
        ------
        TransportError
            If Redis does not answer.
        """
        key, mailbox = self._key(topic), Mailbox(capacity)
        notices = self._redis.pubsub()
        try:
            await notices.subscribe(key)
            await notices.get_message(timeout=None)  # the confirmation: from here on no notice is missed
            last = b"0"
            if not from_start:
                newest = await self._redis.xrevrange(key, count=1)
                last = newest[0][0] if newest else b"0"
        except Exception as error:
            raise self._failed(error) from error
        task = asyncio.create_task(self._follow(key, notices, last, mailbox), name=f"gossip {topic}")
        self._readers.append((task, mailbox))
        return mailbox

    async def close(self) -> None:
        """Stop reading and let go of the connections."""
        for task, mailbox in self._readers:
            mailbox.close()
            while not task.done():  # the client swallows a cancellation that meets it while it reads
                task.cancel()
                await asyncio.wait({task}, timeout=0.05)
        self._readers.clear()
        await self._redis.aclose()

    async def _follow(self, key: str, notices: Any, last: bytes, mailbox: Mailbox) -> None:
        """Read the stream now, and again at every notice."""
        from redis.exceptions import RedisError

        try:
            while not mailbox.is_closed:
                found = await self._redis.xread({key: last}, count=_BATCH)
                if found:
                    for last, fields in found[0][1]:  # noqa: B007 - the last id is where to go on
                        mailbox.put(fields[b"d"])
                    continue
                await notices.get_message(ignore_subscribe_messages=True, timeout=None)
        except (RedisError, OSError):  # the server is gone: the reader is told by the end of its mailbox
            mailbox.close()
        finally:
            with suppress(RedisError, OSError):
                await notices.aclose()

    def _key(self, topic: str) -> str:
        return f"{self._deployment}:gossip:{topic}"

    def _failed(self, error: Exception) -> TransportError:
        return TransportError(
            f"Redis at {self._url.partition('@')[2] or self._url} does not answer ({error}); start it"
        )
