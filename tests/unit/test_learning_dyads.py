"""Networks that lead and follow: kernels and JAX agree, additive values' failures are repaired, training resumes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mycelial.domain.errors import ConfigError
from mycelial.environment.tasks.matrix import GAMES, MatrixTask
from mycelial.learning.dyads import act_in_pairs, pairs_of, scratch_of_pairs
from mycelial.learning.hyper import Hyper
from mycelial.learning.loop import Trainer
from mycelial.learning.networks import Architecture, first_weights
from mycelial.learning.policy import Team, figures_of, prepared

SMALL = Hyper(
    steps=16_000, segment=4, minibatches=2, hidden=16, normalise=False, rate=5e-3, explore=0.8, depth=1
)  # fmt: skip


def greedy_returns(team: Team, game: str) -> list[float]:
    """Return the joint return under several pairings."""
    found, task = [], MatrixTask(GAMES[game], 1)
    for turn in range(6):
        team.turn, seen, total, over = turn, task.reset(0), 0.0, False
        while not over:
            step = task.step(team.act(seen.obs, seen.mask))
            seen, total, over = step, total + float(step.reward[0]), bool(step.terminated[0])
        found.append(total)
    return found


@pytest.mark.parametrize(("game", "best", "trace"), [("climbing", 11.0, 0.65), ("penalty-100", 10.0, 0.65)])
def test_leading_repairs_what_additive_values_cannot_say(game: str, best: float, trace: float) -> None:
    pytest.importorskip("jax")
    trainer = Trainer(MatrixTask(GAMES[game], 32), replace(SMALL, trace=trace), seed=1)

    trainer.advance(16_000)

    assert greedy_returns(trainer.team(), game) == [best] * 6


def test_stopped_training_of_leaders_goes_on_to_the_same_last_bit(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    whole, first, second = (Trainer(MatrixTask(GAMES["climbing"], 32), SMALL, seed=4) for _ in range(3))

    whole.advance(3_072)
    first.advance(1_024)
    first.checkpoint(tmp_path / "one.npz")
    second.resume(tmp_path / "one.npz")
    second.advance(2_048)
    whole.checkpoint(tmp_path / "whole.npz")
    second.checkpoint(tmp_path / "second.npz")

    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
    whole.team().save(tmp_path / "team.npz")
    assert greedy_returns(Team.load(tmp_path / "team.npz"), "climbing") == greedy_returns(whole.team(), "climbing")


def test_what_leaders_expect_is_what_jax_says() -> None:
    dyads = pytest.importorskip("mycelial.learning.jax_dyads")
    rng = np.random.default_rng(3)
    agents, u = 4, 3
    architecture = Architecture(5, u, 12, peers=agents - 1)
    vectors = np.repeat(first_weights(architecture, 1)[None], agents, 0)
    vectors += 0.3 * rng.standard_normal(vectors.shape).astype(np.float32)
    pairs = pairs_of(agents, 7, 2)[:1]  # the tables of the last pair are what the kernel leaves behind
    obs = rng.standard_normal((1, agents, 5)).astype(np.float32)
    figures = figures_of(architecture)
    tables, q = np.zeros((2 * u + 1, u), np.float32), np.zeros((1, agents, u), np.float32)
    actions, weight = np.zeros((1, agents), np.int32), np.zeros((1, 1), np.float32)

    act_in_pairs(
        prepared(architecture, vectors), figures, obs, np.ones((1, agents, u), np.bool_), pairs, 1, 0.5,
        np.zeros((1, agents), np.float32), np.uint64(0), 0, np.zeros(scratch_of_pairs(figures), np.float32), tables,
        np.zeros((4, u)), q, actions, weight,
    )  # fmt: skip
    z, expected_q = dyads.features(architecture, vectors, np.moveaxis(obs, 1, 0))
    expected = np.asarray(dyads.dyadic_values(architecture, vectors, z, pairs))[0, 0]

    np.testing.assert_allclose(q[0], np.asarray(expected_q)[:, 0], atol=1e-5)
    np.testing.assert_allclose(tables[:u], expected, atol=1e-5)
    np.testing.assert_allclose(tables[u : 2 * u].sum(1), 1.0, atol=1e-5)
    leader, follower, _ = pairs[0]
    worth = q[0, leader] + (tables[u : 2 * u] * (expected + tables[2 * u])).sum(1)
    assert actions[0, leader] == worth.argmax()
    assert actions[0, follower] == (q[0, follower] + expected[actions[0, leader]]).argmax()


def test_everybody_is_paired_once_and_leads_in_turn() -> None:
    leads = np.zeros(5)
    for turn in range(400):
        pairs = pairs_of(5, 1, turn)
        assert len(set(pairs[:, :2].ravel().tolist())) == 4
        assert ((pairs[:, 0] + pairs[:, 2] + 1) % 5 == pairs[:, 1]).all()
        leads[pairs[:, 0]] += 1

    assert leads.min() > 0.8 * leads.mean()


def test_reasoning_is_refused_where_it_is_not_known() -> None:
    with pytest.raises(ConfigError, match="best responses need"):
        Hyper(depth=1, memory="gru")
