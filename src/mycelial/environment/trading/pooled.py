"""Several trading tasks as one: what a single centralised learner sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.domain.seeds import stream_key
from mycelial.learning.task import Observation, TeamStep, TeamTask


class Pooled:
    """The books of several tasks with equal seats, observations and actions, one behind the other."""

    def __init__(self, tasks: Sequence[TeamTask]) -> None:
        shapes = {(task.agents, task.observation_size, task.actions) for task in tasks}
        if len(shapes) != 1:
            raise ConfigError(f"pooled tasks must have equal seats, observations and actions; they have {shapes}")
        self.tasks = list(tasks)
        self.books = sum(task.books for task in tasks)
        self.agents, self.observation_size, self.actions = shapes.pop()
        self._edges = np.cumsum([0, *(task.books for task in tasks)])

    def reset(self, seed: int) -> Observation:
        """Begin an episode in every book of every task."""
        seen = [task.reset(int(stream_key(seed, "pooled", n) >> np.uint64(2))) for n, task in enumerate(self.tasks)]
        return Observation(*(np.concatenate(part) for part in zip(*seen, strict=True)))

    def step(self, actions: NDArray[np.int32]) -> TeamStep:
        """Let every seat of every book act."""
        parts = [
            task.step(actions[first:last])
            for task, first, last in zip(self.tasks, self._edges[:-1], self._edges[1:], strict=True)
        ]
        return TeamStep(*(np.concatenate(part) for part in zip(*parts, strict=True)))
