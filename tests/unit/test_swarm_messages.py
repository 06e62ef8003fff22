"""Messages: one layout, one reason for every refusal, and nothing a peer sends can hurt."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.swarm.blocks import Block, BlockTable
from mycelial.swarm.fuzzing import fuzz
from mycelial.swarm.identity import Identity
from mycelial.swarm.inbox import Inbox
from mycelial.swarm.membership import Membership
from mycelial.swarm.messages import (
    LINEAGE_BYTES,
    LONGEST,
    MAX_PAYLOAD_BYTES,
    NO_HASH,
    Evidence,
    Kind,
    Message,
    content_hash,
    decode,
    encode,
)
from mycelial.swarm.payloads import (
    Intent,
    Retraction,
    Scalars,
    write_full,
    write_int8,
    write_intent,
    write_retraction,
    write_scalars,
    write_sparse,
)
from mycelial.swarm.refusals import MessageRefused, Reason
from mycelial.swarm.settings import GossipSettings

TABLE = BlockTable((Block("encoder", 3, 4), Block("peer_model", 2, 2, federated=False), Block("head", 2, 3)))
CLASS = TABLE.compatibility(features="f", actions="a")
ALICE, BOB, STRANGER = Identity(b"a" * 32), Identity(b"b" * 32), Identity(b"s" * 32)
VECTOR = np.linspace(-1, 1, TABLE.federated_size).astype(np.float32)
NOW = 10**12


def full(vector: np.ndarray = VECTOR, **changes: object) -> Message:
    """Return Alice's message with a whole vector."""
    message = Message(
        sender=ALICE.public,
        class_hash=CLASS,
        sequence=1,
        round=1,
        steps=32,
        kind=Kind.FULL,
        payload=write_full(vector),
        content_hash=content_hash(vector),
        sent_at_ns=NOW,
    )
    return replace(message, **changes)  # type: ignore[arg-type]


def inbox(**settings: object) -> Inbox:
    """Return Bob's inbox."""
    members = Membership([ALICE.public, BOB.public])
    return Inbox(BOB.public, members, TABLE, CLASS, GossipSettings(**settings))  # type: ignore[arg-type]


def reason_of(box: Inbox, data: bytes, now: int = NOW, steps: int = 32) -> Reason:
    """Return why `data` is refused, and see that it is counted and changes no vector."""
    before = {key: known.estimate_hash for key, known in box.known.items()}
    with pytest.raises(MessageRefused) as refused:
        box.receive(data, now, steps)
    assert box.refused[refused.value.reason] >= 1
    assert {key: known.estimate_hash for key, known in box.known.items() if key in before} == before
    return refused.value.reason


messages = st.builds(
    Message,
    sender=st.just(ALICE.public),
    class_hash=st.binary(min_size=16, max_size=16),
    sequence=st.integers(0, 2**64 - 1),
    round=st.integers(0, 2**64 - 1),
    steps=st.integers(0, 2**64 - 1),
    kind=st.sampled_from(Kind),
    payload=st.binary(max_size=200),
    base_hash=st.binary(min_size=32, max_size=32),
    content_hash=st.binary(min_size=32, max_size=32),
    parents=st.lists(st.binary(min_size=LINEAGE_BYTES, max_size=LINEAGE_BYTES), max_size=8).map(tuple),
    evidence=st.builds(Evidence, episodes=st.integers(0, 2**32 - 1), mean=st.floats(-1e9, 1e9)),
    sent_at_ns=st.integers(-(2**63), 2**63 - 1),
    ttl_ms=st.integers(0, 2**32 - 1),
    group=st.integers(0, 2**32 - 1),
    role=st.integers(0, 2**16 - 1),
)


@given(message=messages)
def test_a_message_comes_out_as_it_went_in_and_has_one_form(message: Message) -> None:
    data = encode(message, ALICE)

    sealed = decode(data)

    assert sealed.message == message
    assert sealed.is_genuine()
    assert encode(sealed.message, ALICE) == data


def test_the_layout_is_the_documented_one() -> None:
    data = encode(full(parents=(b"p" * 16,)), ALICE)

    assert struct.unpack_from("<H", data) == (1,)
    assert data[2:34] == ALICE.public
    assert data[40:56] == CLASS
    assert struct.unpack_from("<QQQB", data, 56) == (1, 1, 32, Kind.FULL)
    assert data[81:113] == NO_HASH
    assert data[113:145] == content_hash(VECTOR)
    assert data[145] == 1
    assert data[146:162] == b"p" * 16
    assert struct.unpack_from("<I", data, 162) == (4 + 4 * len(VECTOR),)
    assert len(data) == 146 + 16 + 4 + (4 + 4 * len(VECTOR)) + 104 + 12 + 64


def test_a_good_message_is_taken_once() -> None:
    box, data = inbox(), encode(full(), ALICE)

    _, body = box.receive(data, NOW, 32)

    assert np.array_equal(body, VECTOR)
    assert reason_of(box, data) is Reason.REPLAYED
    assert box.taken[Kind.FULL] == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"class_hash": b"x" * 16}, Reason.WRONG_CLASS),
        ({"sent_at_ns": NOW - 61 * 10**9}, Reason.EXPIRED),
        ({"sent_at_ns": NOW + 6 * 10**9}, Reason.EXPIRED),
        ({"content_hash": b"x" * 32}, Reason.WRONG_HASH),
        ({"payload": write_full(VECTOR[:-1])}, Reason.MALFORMED),
        ({"payload": write_full(VECTOR) + b"\0"}, Reason.MALFORMED),
        ({"payload": write_full(np.where(VECTOR > 0.9, np.nan, VECTOR).astype(np.float32))}, Reason.NON_FINITE),
        ({"payload": write_full(np.where(VECTOR > 0.9, np.inf, VECTOR).astype(np.float32))}, Reason.NON_FINITE),
        ({"payload": write_full(VECTOR * np.float32(1e8))}, Reason.OUT_OF_RANGE),
        ({"kind": Kind.DELTA}, Reason.UNKNOWN_BASE),
        ({"kind": Kind.INT8}, Reason.UNKNOWN_BASE),
        ({"kind": Kind.TOPK}, Reason.UNKNOWN_BASE),
        ({"kind": Kind.SCALARS, "payload": b"short"}, Reason.MALFORMED),
        ({"kind": Kind.INTENT, "payload": b"short"}, Reason.MALFORMED),
        ({"kind": Kind.RETRACT, "payload": b"short"}, Reason.MALFORMED),
        ({"kind": Kind.REQUEST, "payload": b"short"}, Reason.MALFORMED),
        ({"evidence": Evidence(mean=float("nan"))}, Reason.NON_FINITE),
    ],
)
def test_what_is_wrong_is_refused_for_its_reason(change: dict[str, object], reason: Reason) -> None:
    assert reason_of(inbox(), encode(full(**change), ALICE)) is reason


def test_size_protocol_and_length_are_checked_before_anything_else() -> None:
    data = encode(full(), ALICE)

    assert reason_of(inbox(), bytes(LONGEST + 1)) is Reason.OVERSIZED
    assert reason_of(inbox(), b"\x02\x00" + data[2:]) is Reason.PROTOCOL
    assert reason_of(inbox(), data[:-1]) is Reason.MALFORMED
    assert reason_of(inbox(), data[:100]) is Reason.MALFORMED
    huge = data[:146] + struct.pack("<I", MAX_PAYLOAD_BYTES + 1) + data[150:]
    assert reason_of(inbox(), huge) is Reason.OVERSIZED


def test_strangers_forgers_and_the_quarantined_are_not_heard() -> None:
    box = inbox()
    forged = bytearray(encode(full(), ALICE))
    forged[-1] ^= 1

    assert reason_of(box, encode(replace(full(), sender=STRANGER.public), STRANGER)) is Reason.NOT_ADMITTED
    assert reason_of(box, bytes(forged)) is Reason.BAD_SIGNATURE
    assert ALICE.public not in box._membership.quarantined  # anybody can forge her name
    box._membership.quarantine(ALICE.public, "a test")
    assert reason_of(box, encode(full(), ALICE)) is Reason.QUARANTINED
    assert reason_of(box, encode(replace(full(), sender=BOB.public), BOB)) is Reason.OWN


def test_two_contents_for_one_number_lead_to_quarantine() -> None:
    box = inbox()
    box.receive(encode(full(), ALICE), NOW, 32)

    assert reason_of(box, encode(full(VECTOR * np.float32(0.5)), ALICE)) is Reason.EQUIVOCATION
    assert ALICE.public in box._membership.quarantined
    assert reason_of(box, encode(full(sequence=2), ALICE)) is Reason.QUARANTINED


def test_older_and_stale_updates_are_dropped() -> None:
    box = inbox(local_steps=32, max_age=20)
    box.receive(encode(full(sequence=5), ALICE), NOW, 32)

    assert reason_of(box, encode(full(sequence=4), ALICE)) is Reason.OUT_OF_ORDER
    assert reason_of(box, encode(full(sequence=6), ALICE), steps=32 + 21 * 32) is Reason.STALE
    assert ALICE.public not in box._membership.quarantined


def test_a_flood_is_cut_off_until_the_next_round() -> None:
    box = inbox(messages_per_round=3)
    for number in range(3):
        box.receive(encode(full(sequence=number), ALICE), NOW, 32)

    assert reason_of(box, encode(full(sequence=3), ALICE)) is Reason.TOO_FREQUENT
    box.next_round()
    box.receive(encode(full(sequence=4), ALICE), NOW, 32)


def test_differences_apply_to_their_base_only() -> None:
    box = inbox()
    box.receive(encode(full(), ALICE), NOW, 32)
    index = np.array([0, 5])
    after = VECTOR.copy()
    after[index] += np.float32(0.25)
    sparse = write_sparse(len(VECTOR), index, np.full(2, 0.25, np.float32))
    good = full(
        sequence=2, kind=Kind.TOPK, payload=sparse, base_hash=content_hash(VECTOR), content_hash=content_hash(after)
    )

    assert reason_of(box, encode(replace(good, base_hash=b"y" * 32), ALICE)) is Reason.UNKNOWN_BASE
    _, body = box.receive(encode(replace(good, sequence=3), ALICE), NOW, 32)
    assert np.array_equal(body, after)
    unsorted = write_sparse(len(VECTOR), index[::-1], np.full(2, 0.25, np.float32))
    again = replace(good, sequence=4, base_hash=content_hash(after))
    assert reason_of(box, encode(replace(again, payload=unsorted), ALICE)) is Reason.MALFORMED
    beyond = write_sparse(len(VECTOR), np.array([1, len(VECTOR)]), np.zeros(2, np.float32))
    assert reason_of(box, encode(replace(again, sequence=5, payload=beyond), ALICE)) is Reason.MALFORMED
    negative = write_int8(np.zeros(len(VECTOR), np.int8), np.full(5, -1, np.float32))
    rounded = replace(again, sequence=6, kind=Kind.INT8, payload=negative)
    assert reason_of(box, encode(rounded, ALICE)) is Reason.MALFORMED


def test_small_messages_carry_scalars_intentions_and_retractions() -> None:
    box = inbox()
    scalars = Scalars(2, 77, 10, np.arange(6.0).reshape(3, 2))
    for number, (kind, payload) in enumerate(
        (
            (Kind.SCALARS, write_scalars(scalars)),
            (Kind.INTENT, write_intent(Intent(1, 2, -3, 4))),
            (Kind.RETRACT, write_retraction(Retraction(b"h" * 32, b"s" * 16, 9))),
            (Kind.REQUEST, BOB.public),
        )
    ):
        _, body = box.receive(encode(full(sequence=number, kind=kind, payload=payload), ALICE), NOW, 32)
        if isinstance(body, Scalars):
            assert (body.topic, body.tag, body.start) == (2, 77, 10)
            assert np.array_equal(body.values, scalars.values)
        else:
            assert body in (Intent(1, 2, -3, 4), Retraction(b"h" * 32, b"s" * 16, 9), BOB.public)


def test_a_message_beyond_the_layout_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="its sender only"):
        encode(full(), BOB)
    with pytest.raises(ValueError, match="over the limit"):
        encode(full(parents=(b"p" * 16,) * 9), ALICE)


def test_a_hundred_thousand_mangled_messages_do_no_harm() -> None:
    report = fuzz(100_000, seed=1)

    assert report.crashes == 0
    assert report.adopted_wrong == 0
    assert sum(report.refused.values()) + report.taken == 100_000
    for reason in (
        Reason.OVERSIZED, Reason.MALFORMED, Reason.PROTOCOL, Reason.EXPIRED, Reason.NOT_ADMITTED, Reason.WRONG_CLASS,
        Reason.BAD_SIGNATURE, Reason.REPLAYED, Reason.OUT_OF_ORDER, Reason.EQUIVOCATION, Reason.STALE,
        Reason.NON_FINITE, Reason.OUT_OF_RANGE, Reason.UNKNOWN_BASE, Reason.WRONG_HASH, Reason.QUARANTINED,
    ):  # fmt: skip
        assert report.refused[reason] > 0, reason
