"""The message that peers send each other: one canonical, bounded, signed layout of little-endian bytes.

`docs/reference/messages.md` shows it field by field. There is exactly one byte string for a message: lengths must fit
to the byte, and nothing is optional. What the payload says is read by `mycelial.swarm.payloads`, after the cheap
checks.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mycelial.swarm.blocks import CLASS_BYTES
from mycelial.swarm.identity import KEY_BYTES, SIGNATURE_BYTES, Identity, is_signed_by
from mycelial.swarm.refusals import MessageRefused, Reason

PROTOCOL = 1
HASH_BYTES = 32
LINEAGE_BYTES = 16  # the beginning of a content hash names a policy
MAX_PARENTS = 8
MAX_PAYLOAD_BYTES = 4 * 2**20

_HEADER = struct.Struct(f"<H{KEY_BYTES}sIH{CLASS_BYTES}sQQQB{HASH_BYTES}s{HASH_BYTES}sB")
_LENGTH = struct.Struct("<I")
_EVIDENCE = struct.Struct(f"<16sI6dI{HASH_BYTES}s")
_TAIL = struct.Struct("<qI")

SHORTEST = _HEADER.size + _LENGTH.size + _EVIDENCE.size + _TAIL.size + SIGNATURE_BYTES
LONGEST = SHORTEST + MAX_PARENTS * LINEAGE_BYTES + MAX_PAYLOAD_BYTES
NO_HASH = bytes(HASH_BYTES)


class Kind(IntEnum):
    """What the payload holds."""

    FULL = 0  # the whole federated vector
    DELTA = 1  # a difference to the base, every value of it
    TOPK = 2  # a difference to the base, its largest values
    INT8 = 3  # a difference to the base, rounded by rows
    SCALARS = 4  # a small table of numbers: value-decomposition terms, running sums of push-sum
    INTENT = 5  # an action a leader announces
    RETRACT = 6  # a policy that proved toxic, with the scenario that proves it
    REQUEST = 7  # asks a peer for its whole vector

    @property
    def carries_policy(self) -> bool:
        """Whether the payload changes what we know of the sender's parameters."""
        return self <= Kind.INT8


@dataclass(frozen=True)
class Evidence:
    """What the sender claims to have measured. It orders what is worth testing and is never believed.

    Parameters
    ----------
    scenarios : bytes
        16-byte hash of the set of scenarios.
    episodes : int
    mean, lower, tail : float
        Mean return, its lower 95 % confidence bound, mean of the worst 5 %.
    drawdown, order_to_trade, cancel_share : float
        Largest drawdown; orders per trade; cancels per order.
    violations : int
    seeds : bytes
        32-byte commitment to the list of seeds.
    """

    scenarios: bytes = bytes(16)
    episodes: int = 0
    mean: float = 0.0
    lower: float = 0.0
    tail: float = 0.0
    drawdown: float = 0.0
    order_to_trade: float = 0.0
    cancel_share: float = 0.0
    violations: int = 0
    seeds: bytes = NO_HASH


@dataclass(frozen=True)
class Message:
    """One message, as its sender means it.

    Parameters
    ----------
    sender : bytes
        32-byte public key.
    group, role : int
        Where the sender stands.
    class_hash : bytes
        16-byte compatibility class.
    sequence : int
        Strictly increasing per sender.
    round, steps : int
        The sender's gossip round and optimiser steps.
    kind : Kind
    base_hash : bytes
        Hash of the vector a difference applies to.
    content_hash : bytes
        Hash of the vector that results; names the policy.
    parents : tuple of bytes
        16-byte names of the policies merged since the last message, heaviest first.
    payload : bytes
    evidence : Evidence
    sent_at_ns : int
        Clock of the deployment, nanoseconds.
    ttl_ms : int
        The message is worthless after that.
    """

    sender: bytes
    class_hash: bytes
    sequence: int
    round: int
    steps: int
    kind: Kind
    payload: bytes = b""
    base_hash: bytes = NO_HASH
    content_hash: bytes = NO_HASH
    parents: tuple[bytes, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)
    sent_at_ns: int = 0
    ttl_ms: int = 60_000
    group: int = 0
    role: int = 0

    @property
    def policy(self) -> bytes:
        """The 16-byte name of the policy it carries."""
        return self.content_hash[:LINEAGE_BYTES]


@dataclass(frozen=True)
class Sealed:
    """A message with the bytes it was read from, signature not yet checked."""

    message: Message
    signed: bytes
    signature: bytes

    @property
    def digest(self) -> bytes:
        """A 16-byte name of exactly these bytes, to tell a repetition from a second version."""
        return blake2b(self.signed, digest_size=16).digest()

    def is_genuine(self) -> bool:
        """Return whether the sender named signed it."""
        return is_signed_by(self.message.sender, self.signed, self.signature)


def content_hash(vector: NDArray[np.float32]) -> bytes:
    """Return the 32-byte BLAKE2b hash of a federated vector's little-endian bytes."""
    return blake2b(np.ascontiguousarray(vector, "<f4").tobytes(), digest_size=HASH_BYTES).digest()


def encode(message: Message, identity: Identity) -> bytes:
    """Write and sign a message.

    Raises
    ------
    ValueError
        If it breaks a limit of the layout, or the sender is somebody else: a mistake of ours.
    """
    if message.sender != identity.public:
        raise ValueError("a message is signed by its sender only")
    if len(message.parents) > MAX_PARENTS or len(message.payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"{len(message.parents)} parents, {len(message.payload)} payload bytes: over the limit")
    claim = message.evidence
    body = b"".join(
        (
            _HEADER.pack(
                PROTOCOL,
                message.sender,
                message.group,
                message.role,
                message.class_hash,
                message.sequence,
                message.round,
                message.steps,
                message.kind,
                message.base_hash,
                message.content_hash,
                len(message.parents),
            ),
            *message.parents,
            _LENGTH.pack(len(message.payload)),
            message.payload,
            _EVIDENCE.pack(
                claim.scenarios,
                claim.episodes,
                claim.mean,
                claim.lower,
                claim.tail,
                claim.drawdown,
                claim.order_to_trade,
                claim.cancel_share,
                claim.violations,
                claim.seeds,
            ),
            _TAIL.pack(message.sent_at_ns, message.ttl_ms),
        )
    )
    return body + identity.sign(body)


def decode(data: bytes) -> Sealed:
    """Read the bytes of one message; the payload stays as it is.

    Raises
    ------
    MessageRefused
        OVERSIZED, MALFORMED, PROTOCOL or NON_FINITE (in the evidence).
    """
    if len(data) > LONGEST:
        raise MessageRefused(Reason.OVERSIZED, f"{len(data)} bytes, at most {LONGEST}")
    if len(data) < SHORTEST:
        raise MessageRefused(Reason.MALFORMED, f"{len(data)} bytes, at least {SHORTEST}")
    protocol, sender, group, role, class_hash, sequence, number, steps, kind, base, content, n_parents = (
        _HEADER.unpack_from(data)
    )
    if protocol != PROTOCOL:
        raise MessageRefused(Reason.PROTOCOL, f"protocol {protocol}, this is {PROTOCOL}")
    if kind > Kind.REQUEST or n_parents > MAX_PARENTS:
        raise MessageRefused(Reason.MALFORMED, f"kind {kind}, {n_parents} parents")
    after_parents = _HEADER.size + n_parents * LINEAGE_BYTES
    if after_parents + _LENGTH.size > len(data):
        raise MessageRefused(Reason.MALFORMED, "ends within its parents")
    (length,) = _LENGTH.unpack_from(data, after_parents)
    start = after_parents + _LENGTH.size
    if length > MAX_PAYLOAD_BYTES:
        raise MessageRefused(Reason.OVERSIZED, f"payload of {length} bytes, at most {MAX_PAYLOAD_BYTES}")
    if len(data) != SHORTEST + n_parents * LINEAGE_BYTES + length:
        raise MessageRefused(Reason.MALFORMED, f"{len(data)} bytes do not fit a payload of {length}")
    claim = _EVIDENCE.unpack_from(data, start + length)
    if not all(map(math.isfinite, claim[2:8])):
        raise MessageRefused(Reason.NON_FINITE, "evidence is not finite")
    sent_at_ns, ttl_ms = _TAIL.unpack_from(data, start + length + _EVIDENCE.size)
    signed = data[:-SIGNATURE_BYTES]
    message = Message(
        sender=sender,
        class_hash=class_hash,
        sequence=sequence,
        round=number,
        steps=steps,
        kind=Kind(kind),
        payload=data[start : start + length],
        base_hash=base,
        content_hash=content,
        parents=tuple(data[at : at + LINEAGE_BYTES] for at in range(_HEADER.size, after_parents, LINEAGE_BYTES)),
        evidence=Evidence(*claim),
        sent_at_ns=sent_at_ns,
        ttl_ms=ttl_ms,
        group=group,
        role=role,
    )
    return Sealed(message, signed, data[-SIGNATURE_BYTES:])
