"""What comes in: every message is checked, cheapest first, and updates what is known of its sender or is counted.

The checks in order: size and layout; class; own; admission; quarantine; time; signature; sequence (repetition, two
versions, order); rate; base; payload; hash of the result; age. Only a message that passes all of them changes
anything. What a signed message proves about its sender (two versions, numbers that are none, a false hash) leads to
quarantine.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mycelial.swarm.blocks import BlockTable
from mycelial.swarm.membership import Membership
from mycelial.swarm.messages import NO_HASH, Evidence, Kind, Message, content_hash, decode
from mycelial.swarm.payloads import (
    Intent,
    Retraction,
    Scalars,
    read_change,
    read_intent,
    read_request,
    read_retraction,
    read_scalars,
)
from mycelial.swarm.refusals import PROOFS_OF_MALICE, MessageRefused, Reason
from mycelial.swarm.settings import GossipSettings

_REMEMBERED = 64  # sequence numbers whose digests are kept, to tell a repetition from a second version

Body = NDArray[np.float32] | Scalars | Intent | Retraction | bytes


@dataclass
class Known:
    """What is known of one sender."""

    sequence: int = -1
    digests: OrderedDict[int, bytes] = field(default_factory=OrderedDict)
    estimate: NDArray[np.float32] | None = None  # its public vector, float32[F]
    estimate_hash: bytes = NO_HASH
    policy: bytes = b""
    steps: int = 0
    round: int = -1
    evidence: Evidence = field(default_factory=Evidence)
    this_round: int = 0


class Inbox:
    """The receiving half of a peer."""

    def __init__(
        self, own: bytes, membership: Membership, table: BlockTable, class_hash: bytes, settings: GossipSettings
    ) -> None:
        self._own, self._membership, self._table = own, membership, table
        self._class_hash, self._settings = class_hash, settings
        self.known: dict[bytes, Known] = {}
        self.toxic: set[bytes] = set()  # policies retracted with proof
        self.refused: Counter[Reason] = Counter()
        self.taken: Counter[Kind] = Counter()
        self.bytes_received = 0

    def next_round(self) -> None:
        """Start counting messages anew."""
        for known in self.known.values():
            known.this_round = 0

    def receive(self, data: bytes, now_ns: int, own_steps: int) -> tuple[Message, Body]:
        """Check a message and take it.

        Returns
        -------
        message : Message
        body : float32[F], Scalars, Intent, Retraction, or the key of the peer asked for its vector

        Raises
        ------
        MessageRefused
            Counted in `refused`.
        """
        self.bytes_received += len(data)
        try:
            taken = self._take(data, now_ns, own_steps)
        except MessageRefused as refusal:
            self.refused[refusal.reason] += 1
            raise
        self.taken[taken[0].kind] += 1
        return taken

    def _take(self, data: bytes, now_ns: int, own_steps: int) -> tuple[Message, Body]:
        sealed = decode(data)
        message = sealed.message
        sender, name = message.sender, message.sender.hex()[:12]
        if message.class_hash != self._class_hash:
            raise MessageRefused(Reason.WRONG_CLASS, f"{name} has class {message.class_hash.hex()}")
        if sender == self._own:
            raise MessageRefused(Reason.OWN, "our own message came back")
        if sender not in self._membership.admitted:
            raise MessageRefused(Reason.NOT_ADMITTED, f"{name} is not on the admission list")
        if sender in self._membership.quarantined:
            raise MessageRefused(Reason.QUARANTINED, f"{name}: {self._membership.quarantined[sender]}")
        age_ms = (now_ns - message.sent_at_ns) / 1e6
        if not -self._settings.clock_skew_ms <= age_ms <= message.ttl_ms:
            raise MessageRefused(Reason.EXPIRED, f"sent {age_ms:.0f} ms ago, lives {message.ttl_ms} ms")
        if not sealed.is_genuine():
            raise MessageRefused(Reason.BAD_SIGNATURE, f"{name} did not sign this")
        known = self.known.setdefault(sender, Known())
        try:
            self._advance(known, message, sealed.digest)
            known.this_round += 1
            if known.this_round > self._settings.messages_per_round:
                raise MessageRefused(Reason.TOO_FREQUENT, f"{name} sent {known.this_round} messages in a round")
            body = self._read(known, message, own_steps)
        except MessageRefused as refusal:
            if refusal.reason in PROOFS_OF_MALICE:
                self._membership.quarantine(sender, str(refusal.reason))
            raise
        self._membership.hear(sender, now_ns)
        return message, body

    def _advance(self, known: Known, message: Message, digest: bytes) -> None:
        """Take the sequence number of a genuine message."""
        before = known.digests.get(message.sequence)
        if before is not None:
            if before != digest:
                raise MessageRefused(Reason.EQUIVOCATION, f"two messages with number {message.sequence}")
            raise MessageRefused(Reason.REPLAYED, f"number {message.sequence} came before")
        if message.sequence <= known.sequence:
            raise MessageRefused(Reason.OUT_OF_ORDER, f"number {message.sequence} after {known.sequence}")
        known.sequence = message.sequence
        known.digests[message.sequence] = digest
        while len(known.digests) > _REMEMBERED:
            known.digests.popitem(last=False)

    def _read(self, known: Known, message: Message, own_steps: int) -> Body:
        match message.kind:
            case Kind.SCALARS:
                return read_scalars(message.payload)
            case Kind.INTENT:
                return read_intent(message.payload)
            case Kind.RETRACT:
                return read_retraction(message.payload)
            case Kind.REQUEST:
                return read_request(message.payload)
        base = known.estimate if message.base_hash == known.estimate_hash else None
        vector = read_change(message.kind, message.payload, base, self._table.row_starts)
        found = content_hash(vector)
        if found != message.content_hash:
            raise MessageRefused(
                Reason.WRONG_HASH, f"decoded {found.hex()[:12]}, said {message.content_hash.hex()[:12]}"
            )
        if message.policy in self.toxic:
            raise MessageRefused(Reason.QUARANTINED, f"policy {message.policy.hex()[:12]} was retracted")
        age = (own_steps - message.steps) / self._settings.local_steps
        if age > self._settings.max_age:
            raise MessageRefused(Reason.STALE, f"{age:.1f} rounds behind, at most {self._settings.max_age:g}")
        known.estimate, known.estimate_hash, known.policy = vector, found, message.policy
        known.steps, known.round, known.evidence = message.steps, message.round, message.evidence
        return vector
