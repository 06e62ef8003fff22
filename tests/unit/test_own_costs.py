"""Own costs: what a member alone pays for is left alone by it when the team gains too little, and only then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mycelial.domain.errors import ConfigError
from mycelial.learning.hyper import Hyper
from mycelial.learning.loop import Trainer
from mycelial.learning.policy import Team
from mycelial.learning.task import Observation, TeamStep

pytest.importorskip("jax")


class Toll:
    """Action 1 earns the team 1 and costs its member alone 0.8; action 0 earns 0.6 and costs nothing."""

    agents, actions, observation_size = 2, 2, 1

    def __init__(self, books: int) -> None:
        self.books = books
        self._seen = Observation(np.ones((books, 2, 1), np.float32), np.ones((books, 2, 2), np.bool_))

    def reset(self, seed: int) -> Observation:
        return self._seen

    def step(self, actions: np.ndarray) -> TeamStep:
        reward = np.where(actions == 1, 1.0, 0.6).sum(1).astype(np.float32)
        over, none = np.ones(self.books, np.bool_), np.zeros(self.books, np.bool_)
        return TeamStep(*self._seen, reward, over, none, self._seen.obs, (0.8 * actions).astype(np.float32))


def test_a_member_leaves_what_it_alone_pays_too_much_for() -> None:
    hyper = Hyper(
        steps=6_000, segment=4, minibatches=2, hidden=8, normalise=False, rate=5e-3, explore=0.8, cost_weight=1.0
    )
    trainer = Trainer(Toll(32), hyper, seed=1)
    trainer.advance(hyper.steps)
    seen = Toll(1).reset(0)

    def gain(weight: float) -> tuple[int, float]:
        team = trainer.team()
        weighed = Team(replace(team.architecture, cost_weight=weight), team.vectors, 2)
        score = weighed.utilities(seen.obs)[0, 0]
        return int(weighed.act(seen.obs, seen.mask)[0, 0]), float(score[1] - score[0])

    assert gain(1.0) == (0, pytest.approx(0.4 - 0.8, abs=0.1))
    assert gain(0.1) == (1, pytest.approx(0.4 - 0.08, abs=0.1))


def test_own_costs_are_refused_where_they_are_not_learnt() -> None:
    with pytest.raises(ConfigError, match="own costs"):
        Hyper(cost_weight=1.0, backend="numpy")
