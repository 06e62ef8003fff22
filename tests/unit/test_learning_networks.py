"""Networks, vectors, exported policies: kernels, NumPy and JAX compute the same; files come back as they went."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mycelial.domain.errors import DataError, NotFound
from mycelial.learning.batch import Segment, Weights
from mycelial.learning.hyper import Hyper
from mycelial.learning.networks import Architecture, first_weights
from mycelial.learning.numpy_learner import NumpyLearner, forward
from mycelial.learning.policy import Team, with_identity
from mycelial.learning.vectors import Manifest

ALL = [(memory, normalise) for memory in ("none", "gru") for normalise in (False, True)]


def trained_like(architecture: Architecture, agents: int, rng: np.random.Generator) -> np.ndarray:
    """Return vectors that differ between agents, with sensible input statistics."""
    vectors = np.repeat(first_weights(architecture, 3)[None], agents, 0)
    vectors += 0.1 * rng.standard_normal(vectors.shape).astype(np.float32)
    views = architecture.manifest.views(vectors)
    views["normaliser.variance"][...] = rng.uniform(0.5, 2.0, views["normaliser.variance"].shape)
    return vectors


def a_segment(rng: np.random.Generator, steps: int, books: int, agents: int, o: int, u: int, memory: int) -> Segment:
    ended = rng.random((steps, books)) < 0.2
    mask = rng.random((steps, books, agents, u)) < 0.7
    mask[..., 0] = True
    return Segment(
        rng.standard_normal((steps, books, agents, o)).astype(np.float32),
        rng.integers(0, u, (steps, books, agents)).astype(np.int32),
        rng.standard_normal((steps, books)).astype(np.float32),
        rng.standard_normal((steps, books, agents, o)).astype(np.float32),
        mask,
        ended & (rng.random((steps, books)) < 0.5),
        ended,
        rng.standard_normal((books, agents, memory)).astype(np.float32),
    )


@pytest.mark.parametrize(("memory", "normalise"), ALL)
def test_exported_utilities_equal_the_trainers(memory: str, normalise: bool) -> None:
    jax_learner = pytest.importorskip("mycelial.learning.jax_learner")
    rng = np.random.default_rng(5)
    architecture = Architecture(7, 4, 24, memory, normalise)
    vectors = trained_like(architecture, 3, rng)
    team = Team(architecture, vectors, 3)
    obs = (3.0 * rng.standard_normal((1, 6, 3, 7))).astype(np.float32)  # one step, six books
    memory_before = rng.standard_normal((6, 3, architecture.memory_size)).astype(np.float32)

    if memory == "gru":
        by_agent = np.moveaxis(obs, 2, 1)
        state = np.moveaxis(memory_before, 1, 0)
        over = np.zeros((1, 6), np.bool_)
        expected = jax_learner.utilities_in_time(architecture, vectors, by_agent, by_agent, over, state)[0][0]
    else:
        expected = jax_learner.utilities(architecture, vectors, np.moveaxis(obs[0], 1, 0))
    found = team.utilities(obs[0], memory_before.copy())

    np.testing.assert_allclose(found, np.moveaxis(np.asarray(expected), 0, 1), atol=1e-5, rtol=1e-5)


def test_one_agent_decides_as_the_team_does() -> None:
    rng = np.random.default_rng(6)
    architecture = Architecture(5, 4, 16, "gru")
    team = Team(architecture, trained_like(architecture, 2, rng), 2)
    memory, alone = team.memory(1), [team.member(n) for n in range(2)]

    for _ in range(5):
        obs = rng.standard_normal((1, 2, 5)).astype(np.float32)
        mask = rng.random((1, 2, 4)) < 0.6
        mask[..., 3] = True
        together = team.act(obs, mask, memory)[0]
        assert [alone[n].act(obs[0, n], mask[0, n]) for n in range(2)] == together.tolist()
        assert mask[0, np.arange(2), together].all()


@pytest.mark.parametrize(("credit", "sharing"), [("vdn", False), ("none", True)])
def test_gradients_by_hand_equal_those_of_jax(credit: str, sharing: bool) -> None:
    jax_learner = pytest.importorskip("mycelial.learning.jax_learner")
    rng = np.random.default_rng(7)
    hyper = Hyper(credit=credit, hidden=16, target_every=3, rate=1e-3)
    architecture = Architecture(6, 3, 16)
    weights = Weights.start(trained_like(architecture, 1 if sharing else 2, rng))
    weights = weights._replace(target=weights.online + np.float32(0.05))
    segment = a_segment(rng, 5, 8, 2, 6, 3, 0)
    order = rng.permutation(40).reshape(4, 10).astype(np.int32)
    by_hand, by_jax = NumpyLearner(architecture, hyper, 2), jax_learner.JaxLearner(architecture, hyper, 2)

    np.testing.assert_allclose(by_hand.targets(weights, segment), by_jax.targets(weights, segment), atol=1e-5)
    ours, told = by_hand.learn(weights, segment, order, 1e-3)
    theirs, said = by_jax.learn(weights, segment, order, 1e-3)

    np.testing.assert_allclose(ours.online, theirs.online, atol=2e-5)
    np.testing.assert_allclose(ours.first, theirs.first, atol=2e-5)
    np.testing.assert_array_equal(ours.target, ours.online)  # four updates, so the target followed
    assert told["td_error"] == pytest.approx(said["td_error"], rel=1e-4)


def test_gradient_is_the_slope_of_the_loss() -> None:
    rng = np.random.default_rng(8)
    architecture, hyper = Architecture(4, 3, 6), Hyper(hidden=6)
    vectors = trained_like(architecture, 2, rng).astype(np.float64)
    obs, action = rng.standard_normal((2, 9, 4)), rng.integers(0, 3, (2, 9)).astype(np.int32)
    goal = rng.standard_normal((1, 9))

    def loss(at: np.ndarray) -> float:
        q = np.take_along_axis(forward(architecture, at, obs)[0], action[..., None], -1)[..., 0]
        return float(0.5 * ((goal - q.sum(0)) ** 2).mean())

    slope = NumpyLearner(architecture, hyper, 2).gradient(vectors, obs, action, goal)[0]

    first = architecture.manifest.tensor("encoder.weight").start
    for place in rng.integers(first, architecture.manifest.size, 25):
        step = np.zeros_like(vectors)
        step[1, place] = 1e-6
        assert slope[1, place] == pytest.approx((loss(vectors + step) - loss(vectors - step)) / 2e-6, abs=1e-6)


def test_a_truncated_episode_bootstraps_and_a_terminated_one_does_not() -> None:
    architecture, hyper = Architecture(2, 2, 4), Hyper(hidden=4, gamma=0.5, trace=1.0, normalise=False)
    vectors = np.zeros((1, architecture.manifest.size), np.float32)
    architecture.manifest.views(vectors)["head.bias"][...] = [3.0, 8.0]  # worth of every state: 8 each, 16 for two
    zeros = np.zeros((2, 3, 2, 2), np.float32)
    mask = np.ones((2, 3, 2, 2), np.bool_)
    mask[1, 2, :, 1] = False
    terminated = np.array([[True, False, False], [False, False, False]])
    ended = np.array([[True, True, False], [False, False, False]])
    segment = Segment(
        zeros, np.zeros((2, 3, 2), np.int32), np.ones((2, 3), np.float32), zeros, mask, terminated, ended,
        np.zeros((3, 2, 0), np.float32),
    )  # fmt: skip

    found = NumpyLearner(architecture, hyper, 2).targets(Weights.start(vectors), segment)[0]

    assert found.tolist() == [[1.0, 9.0, 1.0 + 0.5 * 4.0], [9.0, 9.0, 4.0]]  # the last: only 3 each is allowed


def test_all_agents_of_a_family_start_alike() -> None:
    one, again = (first_weights(Architecture(6, 4, 16), 1) for _ in range(2))

    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, first_weights(Architecture(6, 4, 16), 2))


def test_manifest_names_every_figure_once_and_comes_back_from_json() -> None:
    manifest = Architecture(6, 4, 16, "gru", peers=2).manifest
    vector = np.arange(manifest.size, dtype=np.float32)

    views = manifest.views(vector)

    assert np.sort(np.concatenate([view.ravel() for view in views.values()])).tolist() == vector.tolist()
    assert Manifest.from_dict(manifest.to_dict()) == manifest
    assert Manifest.from_dict(manifest.to_dict()).family == manifest.family
    assert not manifest.federated[manifest.tensor("peer_model.value").start]
    assert manifest.federated[manifest.tensor("encoder.weight").start]


def test_a_team_comes_back_from_its_file_and_a_changed_file_does_not(tmp_path: Path) -> None:
    architecture = Architecture(5, 3, 8)
    team = Team(architecture, trained_like(architecture, 2, np.random.default_rng(1)), 2, {"task": "climbing"})
    path = tmp_path / "team.npz"
    team.save(path)

    loaded = Team.load(path)
    np.testing.assert_array_equal(loaded.vectors, team.vectors)
    assert (loaded.architecture, loaded.agents, loaded.provenance) == (architecture, 2, {"task": "climbing"})

    content = bytearray(path.read_bytes())
    content[-400] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="export it again"):
        Team.load(path)
    with pytest.raises(NotFound, match="does not exist"):
        Team.load(tmp_path / "none.npz")


def test_members_that_share_weights_are_told_their_number() -> None:
    told = with_identity(np.zeros((1, 3, 2), np.float32))

    assert told[0].tolist() == [[0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]
