"""Graphs, mixing weights and push-sum: what convergence needs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.domain.errors import ConfigError
from mycelial.swarm.membership import Membership
from mycelial.swarm.push_sum import PushSum, RunningSums
from mycelial.swarm.topology import (
    Topology,
    is_connected,
    is_jointly_connected,
    metropolis_weights,
    neighbours,
    ring,
    spectral_gap,
)

shapes = st.sampled_from(["random-regular", "ring", "small-world", "complete"])


@given(shape=shapes, peers=st.integers(6, 40), degree=st.sampled_from([4, 6]), seed=st.integers(0, 99))
def test_every_graph_is_connected_symmetric_and_everybodys(shape: str, peers: int, degree: int, seed: int) -> None:
    topology = Topology(shape, min(degree, 4 if peers < 8 else degree))  # type: ignore[arg-type]

    graph = topology.graph(peers, seed)

    assert np.array_equal(graph, graph.T)
    assert not graph.diagonal().any()
    assert is_connected(graph)
    assert np.array_equal(graph, topology.graph(peers, seed))
    if shape in ("random-regular", "ring"):
        assert (graph.sum(axis=1) == topology.degree).all()


@given(shape=shapes, peers=st.integers(6, 30), seed=st.integers(0, 99))
def test_mixing_keeps_the_sum_and_closes_the_gap(shape: str, peers: int, seed: int) -> None:
    weights = metropolis_weights(Topology(shape, 4).graph(peers, seed))  # type: ignore[arg-type]

    assert np.allclose(weights, weights.T)
    assert np.allclose(weights.sum(axis=1), 1)
    assert (weights >= 0).all()
    gap = spectral_gap(weights)
    assert 0 < gap <= 1 + 1e-12
    x = np.random.default_rng(seed).normal(size=peers)
    before, after = x - x.mean(), weights @ x - x.mean()
    assert np.linalg.norm(after) <= (1 - gap) * np.linalg.norm(before) + 1e-9


def test_a_denser_graph_mixes_faster_and_a_cut_one_never() -> None:
    gaps = [spectral_gap(metropolis_weights(graph)) for graph in (ring(16), ring(16, 4), ~np.eye(16, dtype=bool))]
    assert gaps == sorted(gaps)
    assert gaps[2] == pytest.approx(1.0)
    cut = np.zeros((6, 6), np.bool_)
    cut[:3, :3] = cut[3:, 3:] = ~np.eye(3, dtype=bool)

    assert spectral_gap(metropolis_weights(cut)) == pytest.approx(0.0, abs=1e-12)
    bridge = np.zeros((6, 6), np.bool_)
    bridge[2, 3] = bridge[3, 2] = True
    assert not is_connected(cut)
    assert is_jointly_connected([cut, bridge])


def test_peer_sampling_draws_a_new_graph_every_so_many_rounds() -> None:
    topology = Topology("random-regular", 4, rewire_every=10)
    graphs = [topology.graph(20, 3, number) for number in (0, 9, 10, 19, 20)]

    assert np.array_equal(graphs[0], graphs[1])
    assert np.array_equal(graphs[2], graphs[3])
    assert not np.array_equal(graphs[0], graphs[2])
    assert not np.array_equal(graphs[2], graphs[4])


def test_graphs_that_do_not_exist_are_named() -> None:
    with pytest.raises(ConfigError, match="even"):
        Topology("random-regular", 3).graph(7, 0)
    with pytest.raises(ConfigError, match="even degree"):
        Topology("ring", 3).graph(7, 0)


def test_members_weigh_neighbours_by_degree_and_forget_the_quarantined() -> None:
    keys = [bytes([k]) * 32 for k in range(4)]
    members = Membership(keys[:3])
    members.meet({keys[1]: 5, keys[2]: 1})
    members.hear(keys[1], 10)

    assert members.weight(keys[1]) == pytest.approx(1 / 6)
    assert members.weight(keys[2]) == pytest.approx(1 / 3)
    assert members.weight(keys[3]) == 0.0
    assert members.silent(25, 10) == [keys[1], keys[2]]
    assert members.silent(15, 10) == [keys[2]]
    members.quarantine(keys[1], "first")
    members.quarantine(keys[1], "second")
    assert members.quarantined[keys[1]] == "first"
    assert members.weight(keys[1]) == 0.0
    members.release(keys[1])
    assert members.weight(keys[1]) > 0
    with pytest.raises(ConfigError, match="admission list"):
        members.meet({keys[3]: 2})


@given(peers=st.integers(3, 10), loss=st.sampled_from([0.0, 0.3, 0.6]), seed=st.integers(0, 99))
def test_push_sum_finds_the_mean_though_packets_are_lost_doubled_and_late(peers: int, loss: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(peers, 3))
    states = [PushSum(row, peers) for row in values]
    names = [bytes([k]) for k in range(peers)]
    late: list[tuple[int, bytes, RunningSums]] = []

    for _ in range(400):
        for i, state in enumerate(states):  # a directed ring with one chord each
            for name, sums in state.share({names[(i + 1) % peers], names[(i + 2) % peers]}).items():
                packet = (names.index(name), names[i], sums)
                if rng.random() < loss:
                    continue
                if rng.random() < 0.2:
                    late.append(packet)
                    continue
                for _ in range(1 + (rng.random() < 0.2)):
                    states[packet[0]].receive(packet[1], packet[2])
        if len(late) > 5:
            receiver, sender, sums = late.pop(int(rng.integers(len(late))))
            states[receiver].receive(sender, sums)

    for state in states:
        assert state.mean == pytest.approx(values.mean(axis=0), abs=2e-2 if loss else 1e-6)
        assert state.total == pytest.approx(values.sum(axis=0), abs=0.2 if loss else 1e-5)


def test_push_sum_drops_absurd_shares() -> None:
    state = PushSum(np.ones(1))

    assert not state.receive(b"a", RunningSums(np.ones(1), 100.0, 1))
    assert not state.receive(b"a", RunningSums(np.ones(1), -1.0, 1))
    assert not state.receive(b"a", RunningSums(np.array([np.nan]), 1.0, 1))
    assert state.dropped == 3
    assert state.receive(b"a", RunningSums(np.full(1, 3.0), 1.0, 1))
    assert not state.receive(b"a", RunningSums(np.full(1, 9.0), 2.0, 1))  # no newer than what is known
    assert state.mean == pytest.approx([2.0])
    assert state.is_credible


def test_neighbours_are_listed() -> None:
    assert neighbours(ring(5), 0).tolist() == [1, 4]
