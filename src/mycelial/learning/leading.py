"""A team of leaders and followers at work: pairs of the round, decisions in pairs, and what is kept for learning."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.learning.batch import Segment, Weights
from mycelial.learning.dyads import Dyads, act_in_pairs, pairs_of, scratch_of_pairs
from mycelial.learning.networks import Architecture
from mycelial.learning.policy import figures_of
from mycelial.learning.task import Actions, Bools, Floats


class Leading:
    """Decisions in pairs for a team of `agents`.

    Parameters
    ----------
    architecture : Architecture
        With room for peers.
    depth : int
    temperature : float
    team : int
        Root of the hash that pairs members.
    """

    def __init__(self, architecture: Architecture, agents: int, depth: int, temperature: float, team: int) -> None:
        self.agents, self.depth, self.temperature, self.team = agents, depth, temperature, team
        self._figures = figures_of(architecture)
        self._scratch = np.zeros(scratch_of_pairs(self._figures), np.float32)
        self._tables = np.zeros((2 * architecture.actions + 1, architecture.actions), np.float32)
        self._room = np.zeros((4, architecture.actions))

    def act(
        self,
        prepared: Floats,
        obs: Floats,
        mask: Bools,
        epsilon: Floats,
        key: np.uint64,
        counter: int,
        q: Floats,
        actions: Actions,
        turn: int,
    ) -> Floats:
        """Write everybody's action in round `turn`; return the importance of each answer, float32[B, D]."""
        pairs = pairs_of(self.agents, self.team, turn)
        weight = np.zeros((len(obs), len(pairs)), np.float32)
        act_in_pairs(
            prepared, self._figures, obs, mask, pairs, self.depth, self.temperature, epsilon, key, counter,
            self._scratch, self._tables, self._room, q, actions, weight,
        )  # fmt: skip
        return weight


class LearningToLead:
    """A `Leading` team that learns; one round is one segment."""

    def __init__(self, leading: Leading, learner: Any) -> None:
        self.leading, self.learner = leading, learner
        self._weights: list[Floats] = []
        self._turn = 0

    def act(
        self,
        prepared: Floats,
        obs: Floats,
        mask: Bools,
        epsilon: Floats,
        key: np.uint64,
        counter: int,
        q: Floats,
        actions: Actions,
        turn: int,
    ) -> None:
        """Write everybody's action and remember how the answers came about."""
        self._turn = turn
        self._weights.append(self.leading.act(prepared, obs, mask, epsilon, key, counter, q, actions, turn))

    def learn(
        self, weights: Weights, segment: Segment, order: NDArray[np.int32], rate: float
    ) -> tuple[Weights, dict[str, Any]]:
        """Learn from the segment just lived."""
        pairs = pairs_of(self.leading.agents, self.leading.team, self._turn)
        dyads = Dyads(pairs, np.stack(self._weights))
        self._weights = []
        return self.learner.learn_dyads(weights, segment, dyads, order, rate)
