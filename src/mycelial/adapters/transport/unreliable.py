"""A bad network on top of any transport, for tests and drills: messages are lost, doubled and overtaken, by a seed."""

from __future__ import annotations

from dataclasses import dataclass

from mycelial.adapters.transport.mailbox import Mailbox
from mycelial.domain.ports import Transport
from mycelial.domain.seeds import generator


@dataclass(frozen=True)
class Faults:
    """Probabilities for each message.

    Parameters
    ----------
    loss, duplication, delay : float
        A delayed message comes after the next one of its topic.
    """

    loss: float = 0.0
    duplication: float = 0.0
    delay: float = 0.0


class Unreliable:
    """A `Transport` that misbehaves.

    Parameters
    ----------
    inner : Transport
    faults : Faults
    seed : int
    """

    def __init__(self, inner: Transport, faults: Faults, seed: int = 0) -> None:
        self._inner, self._faults = inner, faults
        self._draws = generator(seed, "unreliable transport")
        self._held: dict[str, list[bytes]] = {}
        self.lost = self.doubled = self.delayed = 0

    async def publish(self, topic: str, data: bytes) -> None:
        """Publish a message, or not, or twice, or after the next."""
        loss, double, delay = self._draws.random(3)
        if loss < self._faults.loss:
            self.lost += 1
            return
        late = self._held.pop(topic, [])
        if delay < self._faults.delay:
            self.delayed += 1
            self._held[topic] = [data]
        else:
            await self._inner.publish(topic, data)
            if double < self._faults.duplication:
                self.doubled += 1
                await self._inner.publish(topic, data)
        for one in late:
            await self._inner.publish(topic, one)

    async def subscribe(self, topic: str, *, from_start: bool = False, capacity: int = 1_024) -> Mailbox:
        """Return a mailbox; reading is reliable."""
        mailbox = await self._inner.subscribe(topic, from_start=from_start, capacity=capacity)
        assert isinstance(mailbox, Mailbox)
        return mailbox

    async def close(self) -> None:
        """Close the transport below."""
        await self._inner.close()
