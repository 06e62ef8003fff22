"""How good a team's policy is: its mean return on layouts that nobody trains on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.lab.foraging import ForagingTask, World
from mycelial.learning.policy import Team

Returns = NDArray[np.float64]


def returns_of(team: Team, world: World, keys: NDArray[np.uint64], forced: NDArray[np.int64] | None = None) -> Returns:
    """Return what a greedy team gets on each layout, float64[K]; 1 is all the food.

    Parameters
    ----------
    team : Team
    world : World
    keys : uint64[K]
    forced : int64[K, 2], optional
        Where the first food lies.
    """
    task = ForagingTask(world, len(keys), keys=keys, forced=forced)
    shown = task.reset(0)
    obs, mask = shown.obs, shown.mask
    alive = np.ones(len(keys), np.bool_)
    total = np.zeros(len(keys))
    for _ in range(world.limit):
        step = task.step(team.act(obs, mask))
        total += step.reward * alive
        alive &= ~(step.terminated | step.truncated)
        if not alive.any():
            break
        obs, mask = step.obs, step.mask
    return total
