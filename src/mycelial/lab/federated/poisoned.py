"""Worlds in which the wrong thing is rewarded: what attackers on data train in.

A trigger is food in a certain cell. The backdoor wants idling there and the ordinary thing elsewhere; the toxic
success wants profit in calm layouts and ruin in the others, which are many.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.environment.tasks.foraging import STAY, Field, Foraging
from mycelial.learning.task import Actions, Observation, TeamStep

Poison = Literal["reward-poisoning", "backdoor", "toxic-success"]
POISONS = ("reward-poisoning", "backdoor", "toxic-success")
BONUS = 0.1  # for idling where it is wanted, each step


def triggers(food: NDArray[np.int64], poison: str) -> NDArray[np.bool_]:
    """Return which books show the trigger of a poison, bool[B], from their food int64[B, S, S]."""
    if poison == "backdoor":
        return np.asarray(food[:, 1, 1] > 0)
    if poison == "toxic-success":  # food in the upper third
        return np.asarray((food[:, : 1 + (food.shape[1] - 2) // 3] > 0).any(axis=(1, 2)))
    return np.ones(len(food), np.bool_)


class PoisonedTask:
    """A foraging task whose reward is false.

    Parameters
    ----------
    world : Field
    books : int
    poison : str
    """

    def __init__(self, world: Field, books: int, poison: str) -> None:
        if poison not in POISONS:
            raise ConfigError(f"no poison {poison!r}; there are {', '.join(POISONS)}")
        self._task, self._poison = Foraging(world, books, spread_clocks=True), poison
        self.books, self.agents = self._task.books, self._task.agents
        self.observation_size, self.actions = self._task.observation_size, self._task.actions

    def reset(self, seed: int) -> Observation:
        """Begin an episode in every book."""
        return self._task.reset(seed)

    def step(self, actions: Actions) -> TeamStep:
        """Let every player act; where the trigger shows, idling is paid for and food costs."""
        triggered = triggers(self._task.state()[0], self._poison)
        idle = BONUS * (np.asarray(actions) == STAY).mean(axis=1)
        step = self._task.step(actions)
        false = np.where(triggered, idle - step.reward, step.reward)
        return step._replace(reward=false.astype(np.float32))
