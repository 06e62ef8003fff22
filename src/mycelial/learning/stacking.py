"""A task whose members see their last few observations side by side, the newest first."""

from __future__ import annotations

import numpy as np

from mycelial.domain.errors import ConfigError
from mycelial.learning.task import Actions, Arrays, Observation, Resumable, TeamStep, TeamTask


class Stacked:
    """`task` with `frames` observations in each; where an episode is younger, its first one is repeated."""

    def __init__(self, task: TeamTask, frames: int) -> None:
        if frames < 2:
            raise ConfigError(f"learning: {frames} frames are none to stack; there must be at least two")
        self.task, self.frames = task, frames
        self.books, self.agents, self.actions = task.books, task.agents, task.actions
        self.observation_size = task.observation_size * frames
        if not isinstance(task, Resumable):
            self.snapshot = self.restore = None  # type: ignore[assignment]  # as little resumable as the task

    def reset(self, seed: int) -> Observation:
        """Begin an episode in every book."""
        seen = self.task.reset(seed)
        self._seen = np.tile(seen.obs, (1, 1, self.frames)).astype(np.float32)
        return Observation(self._seen, seen.mask)

    def step(self, actions: Actions) -> TeamStep:
        """Let every member of every book act."""
        step = self.task.step(actions)
        size = self.task.observation_size
        older = self._seen[:, :, :-size]
        final = np.concatenate([step.final_obs, older], axis=2)
        ended = step.terminated | step.truncated
        self._seen = np.where(
            ended[:, None, None], np.tile(step.obs, (1, 1, self.frames)), np.concatenate([step.obs, older], axis=2)
        ).astype(np.float32)
        return step._replace(obs=self._seen, final_obs=final)

    def snapshot(self) -> Arrays:
        """Return copies of everything the future depends on."""
        assert isinstance(self.task, Resumable)
        return {"frames": self._seen.copy(), **{f"of.{k}": v for k, v in self.task.snapshot().items()}}

    def restore(self, state: Arrays) -> Observation:
        """Take up a snapshot."""
        assert isinstance(self.task, Resumable)
        seen = self.task.restore({k[3:]: v for k, v in state.items() if k.startswith("of.")})
        self._seen = state["frames"]
        return Observation(self._seen, seen.mask)
