"""Running scales: of inputs (part of an agent's vector) and of rewards (the trainer's own)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.learning.task import Arrays, Bools, Floats

MOST = 1e6  # observations counted at most, so that scales follow a world that changes
REWARD_CLIP = 10.0


def merge_moments(mean: Floats, variance: Floats, count: Floats, fresh: Floats) -> None:
    """Count fresh rows into running moments, **in place** (Chan, Golub and LeVeque 1979).

    Takes ``mean, variance [K, O]``, ``count [K, 1]`` and ``fresh [K, R, O]``.
    """
    rows = np.float64(fresh.shape[1])
    new_mean, new_variance = fresh.mean(1, dtype=np.float64), fresh.var(1, dtype=np.float64)
    before = count.astype(np.float64)
    total = before + rows
    shift = new_mean - mean
    variance[...] = (before * variance + rows * new_variance + shift**2 * before * rows / total) / total
    mean[...] = mean + shift * rows / total
    count[...] = np.minimum(total, MOST)


class RewardScale:
    """Divides rewards by the running deviation of the discounted return; never shifts them."""

    def __init__(self, books: int, gamma: float) -> None:
        self.gamma = gamma
        self._discounted: NDArray[np.float64] = np.zeros(books)
        self._moments: NDArray[np.float64] = np.array([0.0, 1.0, 1e-4])  # mean, variance, count

    def scaled(self, reward: Floats, ended: Bools) -> Floats:
        """Return the reward of one step, scaled and clipped at +-10."""
        self._discounted = self.gamma * self._discounted + reward
        mean, variance, count = self._moments
        rows = float(len(reward))
        total = count + rows
        shift = float(self._discounted.mean()) - mean
        variance = (count * variance + rows * float(self._discounted.var()) + shift**2 * count * rows / total) / total
        self._moments = np.array([mean + shift * rows / total, variance, min(total, MOST)])
        self._discounted[ended] = 0.0
        return np.clip(reward / np.sqrt(variance + 1e-8), -REWARD_CLIP, REWARD_CLIP).astype(np.float32)

    def snapshot(self) -> Arrays:
        """Return the running figures."""
        return {"discounted": self._discounted, "moments": self._moments}

    def restore(self, state: Arrays) -> None:
        """Take up what `snapshot` gave."""
        self._discounted, self._moments = state["discounted"], state["moments"]
