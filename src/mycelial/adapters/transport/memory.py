"""Gossip within one process: a hub that hands every message to every reader of its topic."""

from __future__ import annotations

from collections import defaultdict, deque

from mycelial.adapters.transport.mailbox import Mailbox

KEPT = 256  # messages of a topic that a late reader still gets
CAPACITY = 1_024


class MemoryHub:
    """A `Transport` in memory.

    Parameters
    ----------
    kept : int
        Messages of each topic that a late reader gets.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._past: dict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=kept))
        self._readers: dict[str, list[Mailbox]] = defaultdict(list)

    async def publish(self, topic: str, data: bytes) -> None:
        """Hand a message to all readers of the topic, and keep it for late ones."""
        self._past[topic].append(bytes(data))
        for mailbox in self._readers[topic]:
            mailbox.put(bytes(data))

    async def subscribe(self, topic: str, *, from_start: bool = False, capacity: int = CAPACITY) -> Mailbox:
        """Return a mailbox for what comes from now on, or also for what is still kept."""
        mailbox = Mailbox(capacity)
        if from_start:
            for data in self._past[topic]:
                mailbox.put(data)
        self._readers[topic].append(mailbox)
        return mailbox

    async def close(self) -> None:
        """Close all mailboxes."""
        for readers in self._readers.values():
            for mailbox in readers:
                mailbox.close()
        self._readers.clear()
