"""What goes out: the own vector, whole at times and as a compressed difference in between.

The sender keeps what its receivers have by now, its public estimate, and sends the difference to that (CHOCO-SGD,
Koloskova et al. 2019, algorithm 2). What compression leaves out stays in the difference and goes out later. Both
sides apply the same decoding, so both hold the same bits, and a hash shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mycelial.swarm.blocks import BlockTable
from mycelial.swarm.compression import largest, to_int8
from mycelial.swarm.identity import Identity
from mycelial.swarm.messages import LINEAGE_BYTES, NO_HASH, Evidence, Kind, Message, content_hash, encode
from mycelial.swarm.payloads import read_change, write_full, write_int8, write_sparse
from mycelial.swarm.settings import GossipSettings


@dataclass(frozen=True)
class Heading:
    """What a message says beside its payload."""

    round: int
    steps: int
    now_ns: int
    parents: tuple[bytes, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)


class Outbox:
    """The sending half of a peer."""

    def __init__(self, identity: Identity, table: BlockTable, class_hash: bytes, settings: GossipSettings) -> None:
        self._identity, self._table = identity, table
        self._class_hash, self._settings = class_hash, settings
        self.sequence = 0
        self.public: NDArray[np.float32] | None = None  # what receivers hold of us, float32[F]
        self.public_hash = NO_HASH
        self.bytes_sent = 0
        self._smooth: NDArray[np.float32] | None = None
        self._full_round: int | None = None

    @property
    def policy(self) -> bytes:
        """Name of the last vector sent; empty before."""
        return self.public_hash[:LINEAGE_BYTES] if self.public is not None else b""

    def policy_message(self, vector: NDArray[np.float32], heading: Heading, *, whole: bool = False) -> bytes:
        """Return the bytes that bring receivers up to date with `vector`, float32[F]."""
        vector = self._smoothed(vector)
        due = self._full_round is None or heading.round - self._full_round >= self._settings.full_every
        if whole or due or self.public is None or self._settings.compression == "none":
            kind, payload, base = Kind.FULL, write_full(vector), NO_HASH
            self._full_round = heading.round
        else:
            kind, payload = self._difference(vector - self.public)
            base = self.public_hash
        self.public = read_change(kind, payload, self.public, self._table.row_starts)
        self.public_hash = content_hash(self.public)
        return self.message(kind, payload, heading, base_hash=base, content=self.public_hash)

    def message(
        self, kind: Kind, payload: bytes, heading: Heading, *, base_hash: bytes = NO_HASH, content: bytes = NO_HASH
    ) -> bytes:
        """Return the signed bytes of any message, with the next sequence number."""
        self.sequence += 1
        data = encode(
            Message(
                sender=self._identity.public,
                class_hash=self._class_hash,
                sequence=self.sequence,
                round=heading.round,
                steps=heading.steps,
                kind=kind,
                payload=payload,
                base_hash=base_hash,
                content_hash=content,
                parents=heading.parents,
                evidence=heading.evidence,
                sent_at_ns=heading.now_ns,
                ttl_ms=self._settings.ttl_ms,
            ),
            self._identity,
        )
        self.bytes_sent += len(data)
        return data

    def _smoothed(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        beta = np.float32(self._settings.momentum)
        if self._smooth is None or not beta:
            self._smooth = np.array(vector, np.float32)
        else:
            self._smooth = beta * self._smooth + (np.float32(1.0) - beta) * vector
        return self._smooth

    def _difference(self, change: NDArray[np.float32]) -> tuple[Kind, bytes]:
        if self._settings.compression == "int8":
            return Kind.INT8, write_int8(*to_int8(change, self._table.row_starts))
        if self._settings.compression == "top-k":
            index = largest(change, self._settings.top_share)
            return Kind.TOPK, write_sparse(len(change), index, change[index])
        return Kind.DELTA, write_full(change)
