"""Peers: they converge, keep what is personal, and lost, repeated and mixed-up messages do no harm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.swarm.blocks import Block, BlockTable
from mycelial.swarm.gate import Gate, GateSettings, Trial, Verdict
from mycelial.swarm.gossip import Peer
from mycelial.swarm.identity import Identity
from mycelial.swarm.membership import Membership
from mycelial.swarm.messages import Evidence, Kind, decode
from mycelial.swarm.payloads import Intent, Retraction, Scalars
from mycelial.swarm.refusals import Reason
from mycelial.swarm.settings import GossipSettings
from mycelial.swarm.topology import Topology, neighbours

TABLE = BlockTable((Block("encoder", 5, 6), Block("peer_model", 3, 3, federated=False), Block("head", 2, 4)))
CLASS = TABLE.compatibility(features="f", actions="a")
SECOND = 10**9
PLAIN = GossipSettings(rule="mean", compression="none", use_trust=False, use_caps=False, step=1.0)


def swarm(count: int, rules: GossipSettings = PLAIN, seed: int = 0, gate: Gate | None = None) -> list[Peer]:
    """Return peers with random vectors on a random regular graph."""
    identities = [Identity(bytes([seed, k]) * 16) for k in range(count)]
    keys = [identity.public for identity in identities]
    rng = np.random.default_rng(seed)
    peers = [
        Peer(identity, Membership(keys), TABLE, CLASS, rng.normal(size=TABLE.size).astype(np.float32), rules, gate=gate)
        for identity in identities
    ]
    graph = Topology(degree=min(4, count - 1)).graph(count, seed)
    for k, peer in enumerate(peers):
        peer.meet({keys[j]: int(graph[j].sum()) for j in neighbours(graph, k)})
    return peers


def exchange(peers: list[Peer], round_number: int, loss: float = 0.0, rng: np.random.Generator | None = None) -> None:
    """Let everybody offer, deliver to neighbours (some packets are lost), and everybody gossip."""
    now = round_number * SECOND
    by_key = {peer.public: peer for peer in peers}
    for peer in peers:
        peer.learned(peer.vector, 32 * round_number)
    offers = {peer.public: peer.offer(now) for peer in peers}
    for peer in peers:
        for sender in peer.membership.neighbours:
            for data in offers[by_key[sender].public]:
                if rng is None or rng.random() >= loss:
                    peer.receive(data, now)
    for peer in peers:
        peer.gossip()


def spread(peers: list[Peer]) -> float:
    """Return the mean squared distance to the mean federated vector."""
    vectors = federated(peers)
    return float(((vectors - vectors.mean(axis=0)) ** 2).sum(axis=1).mean())


def federated(peers: list[Peer]) -> NDArray[np.float64]:
    return np.stack([TABLE.gather(peer.vector) for peer in peers]).astype(np.float64)


def test_plain_gossip_keeps_the_mean_and_reaches_it() -> None:
    peers = swarm(8)
    mean = federated(peers).mean(axis=0)

    for number in range(1, 60):
        exchange(peers, number)

    assert spread(peers) < 1e-8
    assert federated(peers)[0] == pytest.approx(mean, abs=1e-4)


@pytest.mark.parametrize(
    ("compression", "step", "rounds"), [("delta", 1.0, 60), ("int8", 1.0, 60), ("top-k", 0.1, 250)]
)
def test_compressed_gossip_agrees_too(compression: str, step: float, rounds: int) -> None:
    rules = replace(PLAIN, compression=compression, step=step, top_share=0.1)  # type: ignore[arg-type]
    peers = swarm(6, rules)
    before = spread(peers)

    for number in range(1, rounds):
        exchange(peers, number)

    assert spread(peers) < 1e-3 * before
    if compression != "delta":
        payloads = [len(decode(peer.offer((rounds + 1) * SECOND)[0]).message.payload) for peer in peers]
        assert min(payloads) < 0.6 * 4 * TABLE.federated_size


def test_lost_messages_leave_their_mass_on_the_own_vector() -> None:
    peers = swarm(6)
    before = [np.abs(peer.vector).max() for peer in peers]

    exchange(peers, 1, loss=1.0, rng=np.random.default_rng(0))
    assert [np.abs(peer.vector).max() for peer in peers] == before
    for number in range(2, 80):
        exchange(peers, number, loss=0.4, rng=np.random.default_rng(number))

    assert spread(peers) < 1e-4
    assert np.abs(federated(peers)).max() <= max(before)


def test_repeated_and_late_messages_change_nothing() -> None:
    once, often = swarm(4), swarm(4)
    offers = [peer.offer(SECOND) for peer in swarm(4)]

    for peers, copies in ((once, 1), (often, 5)):
        for peer in peers:
            for _ in range(copies):
                for messages in offers:
                    for data in messages:
                        peer.receive(data, SECOND)
            peer.gossip()

    assert np.array_equal(federated(once), federated(often))
    assert often[0].refused[Reason.REPLAYED] == 12
    assert often[0].refused[Reason.OWN] == 5


@given(personal=st.lists(st.floats(-5, 5, width=32), min_size=9, max_size=9), seed=st.integers(0, 50))
@settings(max_examples=25)
def test_personal_blocks_never_leave_and_are_never_overwritten(personal: list[float], seed: int) -> None:
    plain, private = swarm(4, seed=seed), swarm(4, seed=seed)
    inside = slice(30, 39)
    private[0].vector[inside] = personal

    for number in range(1, 4):
        now = number * SECOND
        for peers in (plain, private):
            for peer in peers:
                peer.learned(peer.vector, 32 * number)
        ours, theirs = ([peer.offer(now) for peer in peers] for peers in (private, plain))
        assert ours == theirs  # byte for byte: what is personal has no influence on what is sent
        for peers, offers in ((private, ours), (plain, theirs)):
            for peer in peers:
                for messages in offers:
                    for data in messages:
                        peer.receive(data, now)
                peer.gossip()

    assert private[0].vector[inside].tolist() == [np.float32(x) for x in personal]


def test_a_difference_without_its_base_asks_for_the_whole_vector_and_gets_it() -> None:
    rules = replace(PLAIN, compression="int8")
    alice, bob = swarm(2, rules)
    first = alice.offer(SECOND)
    del first  # lost
    alice.learned(alice.vector + 1, 32)
    (second,) = alice.offer(2 * SECOND)

    assert decode(second).message.kind is Kind.INT8
    assert bob.receive(second, 2 * SECOND) is Reason.UNKNOWN_BASE
    _, request = bob.offer(2 * SECOND)
    assert alice.receive(request, 2 * SECOND) is None
    (third,) = alice.offer(3 * SECOND)
    assert decode(third).message.kind is Kind.FULL
    assert bob.receive(third, 3 * SECOND) is None


def test_only_one_compatibility_class_mixes() -> None:
    alice, _ = swarm(2)
    other = BlockTable((*TABLE.blocks[:2], Block("head", 2, 5)))

    assert other.compatibility(features="f", actions="a") != CLASS
    assert TABLE.compatibility(features="g", actions="a") != CLASS
    assert TABLE.compatibility(features="f", actions="a", role="maker") != CLASS
    renamed = BlockTable((TABLE.blocks[0], Block("mine", 7, 7, federated=False), TABLE.blocks[2]))
    assert renamed.compatibility(features="f", actions="a") == CLASS  # personal blocks do not matter
    stranger = Peer(
        Identity(b"\1" * 32), Membership([alice.public]), other, other.compatibility(features="f", actions="a"),
        np.zeros(other.size, np.float32),
    )  # fmt: skip
    assert stranger.receive(alice.offer(SECOND)[0], SECOND) is Reason.WRONG_CLASS


def test_old_estimates_count_less_and_then_not_at_all() -> None:
    alice, bob = swarm(2, replace(PLAIN, max_age=10))
    bob.receive(alice.offer(SECOND)[0], SECOND)
    alone = []
    for steps in (0, 32, 5 * 32, 11 * 32):
        bob.learned(bob.vector, steps)
        candidate = bob.candidate()
        alone.append(0.0 if candidate is None else float(candidate.shares[0]))

    assert alone == pytest.approx([0.5, 0.5 * 2**-0.5, 0.5 * 6**-0.5, 0.0])


def test_the_gate_decides_and_tries_half_a_step() -> None:
    def trial(vector: NDArray[np.float32], number: int, full: bool) -> Trial:
        return Trial(np.full(8, -float(np.abs(vector[:1] - target).max())), np.zeros(8, np.bool_))

    peers = swarm(3, gate=Gate(trial, GateSettings(normal_margin=0.0, tail_margin=0.0)))
    target = peers[0].vector[0]  # every move away from it is worse
    for peer in peers[1:]:
        peers[0].receive(peer.offer(SECOND)[0], SECOND)
    before = peers[0].vector.copy()

    outcome = peers[0].gossip()

    assert not outcome.adopted
    assert set(outcome.verdicts) == {Verdict.WORSE}
    assert len(outcome.verdicts) == 3  # the merge, the best neighbour alone, half a step
    assert np.array_equal(peers[0].vector, before)
    target = float((peers[1].vector[0] + peers[2].vector[0]) / 2)
    assert peers[0].gossip().adopted


def test_scalars_intentions_and_evidence_arrive() -> None:
    alice, bob = swarm(2)
    alice.learned(alice.vector, 32, Evidence(episodes=3, lower=0.5))

    bob.receive(alice.offer(SECOND)[0], SECOND)
    bob.receive(alice.say(Scalars(1, 2, 3, np.ones((2, 2))), SECOND), SECOND)
    bob.receive(alice.say(Intent(1, 2, 3, 4), SECOND), SECOND)

    assert bob.inbox.known[alice.public].evidence.lower == 0.5
    assert bob.scalars[alice.public, 1].tag == 2
    assert bob.intents[alice.public] == Intent(1, 2, 3, 4)


def test_a_proven_retraction_quarantines_and_rolls_back_and_an_unproven_one_does_not() -> None:
    peers = swarm(3)
    alice, bob, carol = peers
    clean = bob.vector.copy()
    bob.offer(SECOND)  # a snapshot before anything was merged
    bob.receive(alice.offer(SECOND)[0], SECOND)
    toxic = alice.outbox.public_hash
    bob.gossip()
    bob.offer(2 * SECOND)
    assert not np.array_equal(bob.vector, clean)
    retraction = Retraction(toxic, bytes(16), 7)

    assert bob.receive(carol.say(retraction, 2 * SECOND), 2 * SECOND) is Reason.UNPROVEN
    bob._prove = lambda said, vector: said.seed == 7 and vector is not None
    assert bob.receive(carol.say(retraction, 2 * SECOND), 2 * SECOND) is None

    assert alice.public in bob.membership.quarantined
    assert np.array_equal(bob.vector, clean)
    assert bob.rolled_back == 1
    assert bob.receive(alice.offer(3 * SECOND)[0], 3 * SECOND) is Reason.QUARANTINED


def test_settings_that_make_no_sense_are_named() -> None:
    with pytest.raises(ConfigError, match="robust-gossip"):
        GossipSettings(rule="average")
    with pytest.raises(ConfigError, match="step"):
        GossipSettings(step=1.5)
    with pytest.raises(ConfigError, match="top-k"):
        GossipSettings(compression="zip")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="block table"):
        Peer(Identity(b"\1" * 32), Membership([]), TABLE, CLASS, np.zeros(3, np.float32))
