"""Mangled messages by the million against a real peer: it must refuse them, count them, and never take a wrong vector.

Half of the inputs are well-formed messages with random bytes changed, cut or added, and so have a false signature.
The others are mangled before they are signed by an admitted insider, so that every check behind the signature is
reached.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from mycelial.domain.seeds import generator
from mycelial.swarm.blocks import Block, BlockTable
from mycelial.swarm.gossip import Peer
from mycelial.swarm.identity import Identity
from mycelial.swarm.membership import Membership
from mycelial.swarm.messages import LONGEST, NO_HASH, Evidence, Kind, Message, content_hash, encode
from mycelial.swarm.payloads import write_full
from mycelial.swarm.refusals import Reason
from mycelial.swarm.settings import GossipSettings

_NOW = 10**15
_SIZE = 24
_NUMBERS = (0.0, -0.0, 1.0, np.nan, np.inf, -np.inf, 1e6, 1e7, 1e38, 1e-45)


@dataclass
class FuzzReport:
    """What became of the inputs.

    Parameters
    ----------
    taken : int
        Inputs that were taken; each is well-formed, signed by a member and says what it holds.
    refused : Counter
        By reason.
    crashes : int
        Inputs that made the peer raise.
    adopted_wrong : int
        Inputs after which the peer holds a vector of the sender that does not have the hash it was announced with.
    """

    taken: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    crashes: int = 0
    adopted_wrong: int = 0


def fuzz(inputs: int, seed: int = 0) -> FuzzReport:
    """Throw `inputs` mangled messages at a peer."""
    draws = generator(seed, "fuzz")
    table = BlockTable((Block("encoder", 4, 5), Block("head", 1, 4)))
    class_hash = table.compatibility(features="fuzz", actions="fuzz")
    victim, insider, stranger = (Identity(bytes([k]) * 32) for k in (1, 2, 3))
    vector = draws.normal(size=_SIZE).astype(np.float32)
    report = FuzzReport()

    def fresh() -> Peer:
        members = Membership([victim.public, insider.public])
        peer = Peer(victim, members, table, class_hash, vector, GossipSettings(messages_per_round=10**9))
        peer.meet({insider.public: 2})
        peer.learned(vector, 100 * peer.settings.local_steps)
        return peer

    peer, sequence, last = fresh(), 10, b""
    for number in range(inputs):
        if insider.public in peer.membership.quarantined and draws.random() < 0.2:
            peer, sequence, last = fresh(), 10, b""
        sequence += 1
        message = Message(
            sender=insider.public,
            class_hash=class_hash,
            sequence=sequence,
            round=number,
            steps=100 * peer.settings.local_steps,
            kind=Kind.FULL,
            payload=write_full(vector),
            base_hash=peer.inbox.known[insider.public].estimate_hash if insider.public in peer.inbox.known else NO_HASH,
            content_hash=content_hash(vector),
            sent_at_ns=_NOW,
        )
        if number % 2:
            data = _mangled(last or encode(message, insider), draws)
        elif last and draws.random() < 0.05:
            data = last
        else:
            message = _twisted(message, draws)
            signer = stranger if draws.random() < 0.02 else insider
            data = encode(replace(message, sender=signer.public), signer)
            last = data
        try:
            reason = peer.receive(data, _NOW)
        except Exception:  # the very thing that must not happen; counted, and the test fails
            report.crashes += 1
            continue
        if reason is None:
            report.taken += 1
        else:
            report.refused[reason] += 1
        known = peer.inbox.known.get(insider.public)
        if known is not None and known.estimate is not None:
            wrong = content_hash(known.estimate) != known.estimate_hash or not np.isfinite(known.estimate).all()
            report.adopted_wrong += wrong
    return report


def _mangled(data: bytes, draws: np.random.Generator) -> bytes:
    """Return bytes with some changed, cut off or added; the signature does not fit any more."""
    kind = draws.random()
    if kind < 0.002:
        return bytes(LONGEST + 1)
    if kind < 0.1:
        return draws.bytes(int(draws.integers(0, 600)))
    if kind < 0.3:
        return data[: int(draws.integers(0, len(data)))]
    if kind < 0.35:
        return data + draws.bytes(int(draws.integers(1, 64)))
    changed = bytearray(data)
    for _ in range(int(draws.integers(1, 6))):
        changed[int(draws.integers(len(changed)))] = int(draws.integers(256))
    return bytes(changed)


def _twisted(message: Message, draws: np.random.Generator) -> Message:
    """Return a message in which one thing is not as it should be, or nothing."""
    match int(draws.integers(15)):
        case 0:
            return replace(message, payload=draws.bytes(int(draws.integers(0, 200))))
        case 1:
            return replace(message, kind=Kind(int(draws.integers(len(Kind)))))
        case 2:
            return replace(message, kind=Kind(int(draws.integers(len(Kind)))), payload=draws.bytes(40))
        case 3:
            return replace(message, content_hash=draws.bytes(32))
        case 4:
            return replace(message, base_hash=draws.bytes(32), kind=Kind.DELTA)
        case 5:
            values = draws.choice(np.array(_NUMBERS, np.float32), _SIZE).astype(np.float32)
            return replace(message, payload=write_full(values), content_hash=content_hash(values))
        case 6:
            return replace(message, sequence=int(draws.integers(0, message.sequence)))
        case 7:
            return replace(message, steps=int(draws.integers(0, 100)))
        case 8:
            return replace(message, sent_at_ns=_NOW + int(draws.integers(-(10**12), 10**12)))
        case 9:
            return replace(message, class_hash=draws.bytes(16))
        case 10:
            return replace(message, evidence=Evidence(mean=float(draws.choice(np.array(_NUMBERS)))))
        case 11:
            return replace(message, kind=Kind.DELTA, content_hash=draws.bytes(32))
        case 12:
            return replace(message, sequence=message.sequence - 1, round=int(draws.integers(1 << 60)))
        case 13:
            large = np.full(_SIZE, 1e8 * draws.normal(), np.float32)
            return replace(message, payload=write_full(large), content_hash=content_hash(large))
        case _:
            return message
