"""What waits for a reader: bounded; when full, the oldest goes and is counted."""

from __future__ import annotations

import asyncio
from collections import deque


class Mailbox:
    """Messages for one reader.

    Parameters
    ----------
    capacity : int
        Messages kept; a slow reader misses the oldest, which newer gossip has overtaken anyway.
    """

    def __init__(self, capacity: int) -> None:
        self._waiting: deque[bytes] = deque(maxlen=capacity)
        self._arrived = asyncio.Event()
        self.is_closed = False
        self.dropped = 0

    def put(self, data: bytes) -> None:
        """Add a message; never waits."""
        self.dropped += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(data)
        self._arrived.set()

    async def get(self) -> bytes | None:
        """Return the oldest message, waiting for one; nothing once the mailbox is closed and empty."""
        while not self._waiting:
            if self.is_closed:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()

    def take_all(self) -> list[bytes]:
        """Return what is there now without waiting."""
        found = list(self._waiting)
        self._waiting.clear()
        return found

    def close(self) -> None:
        """Let a waiting reader go."""
        self.is_closed = True
        self._arrived.set()
