"""The upper level: windows, intrinsic rewards that sum to the advantage, better macro-actions, exact resume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mycelial.domain.errors import ConfigError
from mycelial.learning.batch import Segment
from mycelial.learning.evaluation import greedy_returns
from mycelial.learning.haven import Upper
from mycelial.learning.hyper import Hyper
from mycelial.learning.loop import Trainer
from mycelial.learning.task import Observation, TeamStep

HYPER = Hyper(
    steps=40_000, coordination="haven", horizon=4, macros=3, segment=8, minibatches=2, hidden=16, normalise=False,
    backend="numpy", rate=3e-3, explore=0.5,
)  # fmt: skip


class Held:
    """Two agents are paid when both repeat, for four steps, the action they began with, and it fits what they saw."""

    agents, actions, observation_size, lasts = 2, 3, 4, 4

    def __init__(self, books: int) -> None:
        self.books = books
        self._mask = np.ones((books, 2, 3), np.bool_)

    def reset(self, seed: int) -> Observation:
        self._rng, self._turn = np.random.default_rng(seed), 0
        return Observation(self._shown(), self._mask)

    def step(self, actions: np.ndarray) -> TeamStep:
        reward = (actions == self._cue[:, None]).all(1) / self.lasts
        self._turn = (self._turn + 1) % self.lasts
        over, none = np.full(self.books, self._turn == 0), np.zeros(self.books, np.bool_)
        shown = self._shown()
        return TeamStep(shown, self._mask, reward.astype(np.float32), over, none, shown, np.zeros((self.books, 2)))

    def _shown(self) -> np.ndarray:
        obs = np.zeros((self.books, 2, 4), np.float32)
        if self._turn == 0:  # only the upper level sees the cue, at the start of its window
            self._cue = self._rng.integers(0, 3, self.books)
            obs[:, :, :3] = np.eye(3, dtype=np.float32)[self._cue][:, None]
        else:
            obs[:, :, 3] = 1.0
        return obs


def test_the_upper_level_learns_which_macro_action_pays() -> None:
    rng, upper = np.random.default_rng(5), Upper(3, 2, HYPER, 1, 0)
    every = np.ones(40, np.bool_)
    for turn in range(150):
        cue = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 40)]
        seen = np.repeat(cue[:, None], 2, 1)  # [B, N, 3]
        upper.begin(seen, 1.0, turn)
        paid = (upper.macro == cue.argmax(1)[:, None]).mean(1) / 8.0
        obs = np.repeat(upper.told(seen)[None], 8, 0)
        ended = np.zeros((8, 40), np.bool_)
        ended[[3, 7]] = True
        lived = Segment(
            obs, np.zeros((8, 40, 2), np.int32), np.repeat(paid[None], 8, 0).astype(np.float32), obs,
            np.ones((8, 40, 2, 3), np.bool_), ended, ended, np.zeros((40, 2, 0), np.float32),
        )  # fmt: skip
        upper.learn(lived, 1.0, 3e-3)

    upper.choose(seen, every, 0.0, 999)

    assert (upper.macro == cue.argmax(1)[:, None]).mean() > 0.95
    value = upper._values(seen)
    assert np.abs(value - 1.0 / 6.0).max() < 0.08  # four steps of 1/8, a third of which random choices earn


def test_two_levels_live_learn_and_decide_together() -> None:
    trainer = Trainer(Held(64), HYPER, seed=1)
    trainer.advance(HYPER.steps)

    assert greedy_returns(trainer.decider(), Held(200), 9).mean() > 0.4
    assert trainer.metrics["upper_error"] < 0.2


def segment(rng: np.random.Generator) -> Segment:
    obs = rng.standard_normal((8, 5, 2, 7)).astype(np.float32)
    obs[..., 4:] = np.eye(3, dtype=np.float32)[rng.integers(0, 3, (8, 5, 2))]
    ended = rng.random((8, 5)) < 0.2
    return Segment(
        obs, np.zeros((8, 5, 2), np.int32), rng.standard_normal((8, 5)).astype(np.float32), obs,
        np.ones((8, 5, 2, 3), np.bool_), ended, ended, np.zeros((5, 2, 0), np.float32),
    )  # fmt: skip


def test_windows_begin_at_every_kth_step_and_with_every_episode() -> None:
    one = segment(np.random.default_rng(1))
    windows, number, length = Upper(4, 2, HYPER, 1, 0)._windows(one)

    assert length.sum() == one.reward.size
    assert length.max() <= 4
    np.testing.assert_allclose(windows.reward.sum(), one.reward.sum(), rtol=1e-5)
    for b in range(5):
        for t in range(8):
            fresh = t % 4 == 0 or one.ended[t - 1, b]
            assert fresh == (t == 0 or number[t, b] != number[t - 1, b])
            if fresh:
                np.testing.assert_array_equal(windows.obs[0, number[t, b]], one.obs[t, b, :, :4])


def test_intrinsic_rewards_are_nothing_at_first_and_sum_to_zero_over_a_batch() -> None:
    one = segment(np.random.default_rng(2))
    first, _ = Upper(4, 2, HYPER, 1, 0).learn(one, 0.0, 1e-3)
    later, told = Upper(4, 2, HYPER, 1, 0).learn(one, 1.0, 1e-3)

    np.testing.assert_array_equal(first.reward, one.reward)
    assert told["intrinsic"] > 0.0
    assert abs((later.reward - one.reward).sum()) < 0.2 * np.abs(later.reward - one.reward).sum()


def test_two_levels_resume_to_the_same_last_bit(tmp_path: Path) -> None:
    hyper = Hyper(**{**HYPER.to_dict(), "checkpoint": 1_024})
    whole, first, second = (Trainer(Held(32), hyper, seed=4) for _ in range(3))
    whole.advance(3_072)
    first.advance(1_024)
    first.checkpoint(tmp_path / "one.npz")
    second.resume(tmp_path / "one.npz")
    second.advance(2_048)
    whole.checkpoint(tmp_path / "whole.npz")
    second.checkpoint(tmp_path / "second.npz")

    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()


def test_windows_that_do_not_fit_a_segment_are_refused() -> None:
    with pytest.raises(ConfigError, match="whole windows"):
        Trainer(Held(4), Hyper(**{**HYPER.to_dict(), "horizon": 3}), seed=1)
