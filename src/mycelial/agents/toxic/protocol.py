"""How lies are sent: signed like any message, replayed, in two versions, under false names, with false claims."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.toxic.updates import BROADCAST
from mycelial.swarm.blocks import BlockTable
from mycelial.swarm.identity import Identity
from mycelial.swarm.messages import Evidence, Kind, Message, content_hash, encode
from mycelial.swarm.outbox import Heading, Outbox
from mycelial.swarm.payloads import write_full
from mycelial.swarm.settings import GossipSettings

Vector = NDArray[np.float32]
BOAST = Evidence(episodes=1_000_000, mean=1e6, lower=1e6, tail=1e6)


class LyingSender:
    """Sends crafted vectors to one victim, each victim its own line of messages.

    Parameters
    ----------
    identity : Identity
        On the admission list, like an insider's.
    table, class_hash, settings
        As every peer's.
    manner : str
        "stale-replay", "equivocation", "sybil", "claim-inflation", or anything else for plain sending.
    """

    def __init__(
        self, identity: Identity, table: BlockTable, class_hash: bytes, settings: GossipSettings, manner: str
    ) -> None:
        self.identity, self.manner, self._class_hash = identity, manner, class_hash
        self._settings = settings
        self._outbox = Outbox(identity, table, class_hash, settings)
        self._sent: list[bytes] = []

    def messages(self, vector: Vector, own: Vector, round_number: int, steps: int, now_ns: int) -> list[bytes]:
        """Return what goes to the victim this round.

        Parameters
        ----------
        vector : float32[F]
            The lie.
        own : float32[F]
            What an honest peer would send.
        """
        evidence = BOAST if self.manner in ("claim-inflation", BROADCAST) else Evidence()
        heading = Heading(round_number, steps, now_ns, evidence=evidence)
        if self.manner == "sybil":
            return [self._as_somebody_else(k, vector, heading) for k in range(8)]
        data = self._outbox.policy_message(vector, heading, whole=True)
        if self.manner == "equivocation":
            return [data, self._second_version(own, heading)]
        if self.manner == "stale-replay":
            self._sent.append(data)
            return [data, *self._sent[-4:-1]]
        return [data]

    def _second_version(self, vector: Vector, heading: Heading) -> bytes:
        """Return another vector under the sequence number just used."""
        return self._plain(self.identity, self._outbox.sequence, vector, heading)

    def _as_somebody_else(self, number: int, vector: Vector, heading: Heading) -> bytes:
        stranger = Identity(bytes([number + 1]) * 32)
        return self._plain(stranger, heading.round + 1, vector, heading)

    def _plain(self, identity: Identity, sequence: int, vector: Vector, heading: Heading) -> bytes:
        return encode(
            Message(
                sender=identity.public,
                class_hash=self._class_hash,
                sequence=sequence,
                round=heading.round,
                steps=heading.steps,
                kind=Kind.FULL,
                payload=write_full(vector),
                content_hash=content_hash(vector),
                sent_at_ns=heading.now_ns,
                ttl_ms=self._settings.ttl_ms,
            ),
            identity,
        )
