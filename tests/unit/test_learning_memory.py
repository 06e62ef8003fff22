"""Agents with a GRU remember what they have seen; without memory the same task cannot be solved."""

from __future__ import annotations

import numpy as np
import pytest

from mycelial.learning.evaluation import greedy_returns
from mycelial.learning.hyper import Hyper
from mycelial.learning.loop import Trainer
from mycelial.learning.task import Observation, TeamStep


class Recall:
    """Each of two agents sees a cue once and is paid for repeating it two steps later."""

    agents, actions, observation_size, lasts = 2, 2, 3, 3

    def __init__(self, books: int) -> None:
        self.books = books
        self._mask = np.ones((books, 2, 2), np.bool_)

    def reset(self, seed: int) -> Observation:
        self._rng = np.random.default_rng(seed)
        self._turn = 0
        return Observation(self._shown(), self._mask)

    def step(self, actions: np.ndarray) -> TeamStep:
        self._turn = (self._turn + 1) % self.lasts
        over = np.full(self.books, self._turn == 0)
        right = (actions == self._cue).sum(1) / 2.0 if over[0] else np.zeros(self.books)
        shown = self._shown()
        none = np.zeros(self.books, np.bool_)
        return TeamStep(shown, self._mask, right.astype(np.float32), over, none, shown, np.zeros((self.books, 2)))

    def _shown(self) -> np.ndarray:
        obs = np.zeros((self.books, 2, 3), np.float32)
        if self._turn == 0:
            self._cue = self._rng.integers(0, 2, (self.books, 2))
            obs[:, :, :2] = np.eye(2, dtype=np.float32)[self._cue]
        else:
            obs[:, :, 2] = 1.0
        return obs


def score(hyper: Hyper) -> float:
    trainer = Trainer(Recall(64), hyper, seed=2)
    trainer.advance(hyper.steps)
    return float(greedy_returns(trainer.team(), Recall(300), 99).mean())


def test_a_gru_remembers_a_cue_it_was_shown() -> None:
    pytest.importorskip("jax")
    hyper = Hyper(
        steps=60_000, memory="gru", segment=12, minibatches=4, hidden=12, normalise=False, rate=5e-3, explore=0.5
    )

    assert score(hyper) > 0.95


def test_stacked_frames_remember_as_far_as_they_reach() -> None:
    hyper = Hyper(
        steps=60_000, segment=12, minibatches=4, hidden=12, normalise=False, rate=5e-3, explore=0.5, backend="numpy"
    )

    assert score(hyper) < 0.65
    assert score(Hyper(**{**hyper.to_dict(), "frames": 3})) > 0.95
