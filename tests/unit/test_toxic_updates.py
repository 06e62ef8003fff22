"""Attacks on gossip do what their papers say, and look like any other message."""

from __future__ import annotations

import numpy as np
import pytest

from mycelial.agents.toxic.protocol import LyingSender
from mycelial.agents.toxic.updates import (
    ATTACKS,
    BROADCAST,
    AttackState,
    HonestView,
    attack_called,
    worst_policy,
)
from mycelial.domain.errors import ConfigError
from mycelial.swarm.blocks import Block, BlockTable
from mycelial.swarm.gossip import Peer
from mycelial.swarm.identity import Identity
from mycelial.swarm.membership import Membership
from mycelial.swarm.refusals import Reason
from mycelial.swarm.settings import GossipSettings

TABLE = BlockTable((Block("encoder", 4, 5), Block("head", 2, 5)))
HEAD = np.arange(20, 30)
CLASS = TABLE.compatibility(features="f", actions="a")
RNG = np.random.default_rng(0)
BEFORE = RNG.normal(size=30).astype(np.float32)
HONEST = (BEFORE + 0.1 + 0.02 * RNG.normal(size=(8, 30))).astype(np.float32)
OWN = HONEST.mean(axis=0)


def view(victim: int = 0) -> HonestView:
    weights = np.array([0.0, 0.1, 0.1, 0.1, 0, 0, 0, 0])
    return HonestView(HONEST, BEFORE, victim, weights, 0.2, peers=10, liars=2, head=HEAD)


def state() -> AttackState:
    return AttackState(3, np.random.default_rng(1), [BEFORE, OWN])


def lie(name: str) -> np.ndarray:
    return attack_called(name).craft(OWN, view(), state())


@pytest.mark.parametrize("name", [*ATTACKS, BROADCAST])
def test_every_lie_is_a_vector_that_the_protocol_lets_through(name: str) -> None:
    first, again = lie(name), lie(name)

    assert first.dtype == np.float32
    assert first.shape == OWN.shape
    assert np.isfinite(first).all()
    assert np.array_equal(first, again)  # all chance comes from the state


def test_lies_by_hand() -> None:
    progress = OWN - BEFORE

    assert lie("sign-flip") == pytest.approx(BEFORE - 10 * progress, abs=1e-5)
    assert lie("ipm") == pytest.approx(BEFORE - 0.1 * progress, abs=1e-5)
    reversal = BEFORE - 10 * progress
    assert lie("ipm-reversal") == pytest.approx(reversal, abs=1e-5)
    assert (0.8 * progress + 0.2 * (reversal - BEFORE)).mean() < 0  # with two of ten, the mean goes backwards
    victim = HONEST[0]
    assert victim + 0.2 * (lie("model-replacement") - victim) == pytest.approx(worst_policy(OWN, HEAD), abs=1e-4)
    assert np.array_equal(lie("toxic-broadcast"), worst_policy(BEFORE, HEAD))
    assert np.array_equal(lie("backdoor"), OWN)
    assert np.array_equal(lie("stale-replay"), BEFORE)
    pull = 0.1 * (HONEST[1:4] - victim).sum(axis=0)
    assert victim + pull + 0.2 * (lie("dissensus") - victim) == pytest.approx(victim - 2 * pull, abs=1e-5)


def test_lies_that_hide_stay_among_the_honest() -> None:
    gaps = np.linalg.norm(HONEST[:, None] - HONEST[None], axis=2)
    hidden = lie("min-max")

    assert np.linalg.norm(HONEST - hidden, axis=1).max() == pytest.approx(gaps.max(), rel=1e-3)
    assert (hidden - HONEST.mean(axis=0)) @ (OWN - BEFORE) < 0
    beside = np.abs(lie("alie") - HONEST.mean(axis=0)) / HONEST.std(axis=0)
    assert beside == pytest.approx(np.full(30, 1.5), rel=1e-2)
    lengths = np.linalg.norm(HONEST - BEFORE, axis=1)
    assert np.linalg.norm(lie("angle") - BEFORE) == pytest.approx(lengths.max(), rel=1e-4)


@pytest.mark.parametrize(
    ("manner", "refusals"),
    [
        ("sign-flip", {}),
        ("claim-inflation", {}),
        ("sybil", {Reason.NOT_ADMITTED: 16}),
        ("equivocation", {Reason.EQUIVOCATION: 1, Reason.QUARANTINED: 2}),
        ("stale-replay", {Reason.REPLAYED: 1}),
    ],
)
def test_lying_senders_meet_the_checks_of_the_protocol(manner: str, refusals: dict[Reason, int]) -> None:
    liar, victim = Identity(b"l" * 32), Identity(b"v" * 32)
    peer = Peer(victim, Membership([liar.public, victim.public]), TABLE, CLASS, OWN)
    peer.meet({liar.public: 1})
    sender = LyingSender(liar, TABLE, CLASS, GossipSettings(), manner)

    for number in (1, 2):
        for data in sender.messages(lie("sign-flip"), OWN, number, 32 * number, number * 10**9):
            peer.receive(data, number * 10**9)

    assert dict(peer.refused) == refusals
    if manner == "claim-inflation":
        assert peer.inbox.known[liar.public].evidence.lower == 1e6
        assert peer._promise(liar.public)[0] <= 1.0  # what it claims is no part of the first criterion


def test_unknown_attacks_are_named() -> None:
    with pytest.raises(ConfigError, match="min-max"):
        attack_called("charm")
