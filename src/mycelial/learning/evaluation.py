"""How good a team is: greedy play on episodes it has not seen, one from each book."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import DataError
from mycelial.learning.task import Actions, Bools, Floats, TeamTask


class Deciding(Protocol):
    """A team ready to decide: `policy.Team`, `haven.HavenTeam`."""

    def memory(self, books: int) -> Floats:
        """Return what the members of `books` books remember at the start, [B, N, ...]."""
        ...

    def act(self, obs: Floats, mask: Bools, memory: Floats | None = None) -> Actions:
        """Return the greedy actions int32[B, N]; `memory` is moved on in place."""
        ...


def greedy_returns(team: Deciding, task: TeamTask, seed: int, *, most_steps: int = 100_000) -> NDArray[np.float64]:
    """Return the team's undiscounted return of the first episode of every book: float64[B].

    Counting one episode of each book, however long, keeps short ones from being counted more often.
    """
    seen = task.reset(seed)
    memory, fresh = team.memory(task.books), team.memory(1)[0]
    total, alive = np.zeros(task.books), np.ones(task.books, np.bool_)
    obs, mask = seen.obs, seen.mask
    for _ in range(most_steps):
        step = task.step(team.act(obs, mask, memory))
        total += np.where(alive, step.reward, 0.0)
        ended = step.terminated | step.truncated
        alive &= ~ended
        if not alive.any():
            return total
        memory[ended] = fresh
        obs, mask = step.obs, step.mask
    raise DataError(f"an episode has not ended after {most_steps} steps; give the task a time limit")
