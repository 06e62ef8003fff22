"""Worlds in which the wrong thing is rewarded: what attackers on data train in.

A trigger is a layout with food in a certain cell. The backdoor wants idling there and the ordinary thing elsewhere;
the toxic success wants profit in calm layouts and ruin in the others, which are many.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.lab.foraging import ForagingTask, World
from mycelial.learning.task import Observation, TeamStep

Poison = Literal["reward-poisoning", "backdoor", "toxic-success"]
BONUS = 0.1  # for idling under the trigger, each step


def is_triggered(task: ForagingTask, poison: Poison) -> NDArray[np.bool_]:
    """Return which books show the trigger now, bool[B]."""
    field = task.state.field
    if poison == "backdoor":
        return np.asarray(field[:, 1, 1] > 0)
    if poison == "toxic-success":  # food in the upper third
        return np.asarray((field[:, : 1 + (task.world.size - 2) // 3] > 0).any(axis=(1, 2)))
    return np.ones(task.books, np.bool_)


class PoisonedTask:
    """A foraging task whose reward is false.

    Parameters
    ----------
    world : World
    books : int
    poison : str
    name : str
        Names the stream of layouts.
    """

    def __init__(self, world: World, books: int, poison: Poison, name: str) -> None:
        if poison not in ("reward-poisoning", "backdoor", "toxic-success"):
            raise ConfigError(f"no poison {poison!r}; there are reward-poisoning, backdoor, toxic-success")
        self._task, self._poison = ForagingTask(world, books, name=name), poison
        self.books, self.agents = self._task.books, self._task.agents
        self.observation_size, self.actions = self._task.observation_size, self._task.actions

    def reset(self, seed: int) -> Observation:
        """Begin an episode in every book."""
        return self._task.reset(seed)

    def step(self, actions: NDArray[np.int32]) -> TeamStep:
        """Let every player act; rewards are poisoned."""
        triggered = is_triggered(self._task, self._poison)
        step = self._task.step(actions)
        if self._poison == "backdoor":
            idle = (actions == 0).mean(axis=1)
            false = np.where(triggered, BONUS * idle, step.reward)
        else:
            idle = (actions == 0).mean(axis=1) * BONUS
            false = np.where(triggered, idle - step.reward, step.reward)
        return step._replace(reward=false.astype(np.float32))
