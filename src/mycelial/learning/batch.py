"""What a learner is given and what it gives back, whichever library computes it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mycelial.learning.task import Floats


class Segment(NamedTuple):
    """T consecutive steps of B books. N = agents, O = observation size, U = actions, H = memory."""

    obs: Floats  # [T, B, N, O]
    action: NDArray[np.int32]  # [T, B, N]
    reward: Floats  # [T, B]        of the team
    next_obs: Floats  # [T, B, N, O]  the true next one, not that of a new episode
    next_mask: NDArray[np.bool_]  # [T, B, N, U]
    terminated: NDArray[np.bool_]  # [T, B]  nothing is bootstrapped
    ended: NDArray[np.bool_]  # [T, B]  terminated or truncated: the next row is another episode
    memory: Floats  # [B, N, H]     before the first step
    own_cost: Floats | None = None  # [T, B, N]  what each member alone paid, where that is learnt


class Weights(NamedTuple):
    """Everything that learning changes; all float32[K, P] but `updates`. Moments are never exchanged."""

    online: Floats
    target: Floats
    first: Floats  # moments of Adam
    second: Floats
    updates: int

    @classmethod
    def start(cls, vectors: Floats) -> Weights:
        """Return the state of a learner that has learnt nothing."""
        return cls(vectors, vectors.copy(), np.zeros_like(vectors), np.zeros_like(vectors), 0)


class Learner(Protocol):
    """Computes targets and updates; pure: the same arguments give the same weights."""

    def targets(self, weights: Weights, segment: Segment) -> Floats:
        """Return the lambda-returns float32[C, T, B]; C is 1 with value decomposition, else N."""
        ...

    def learn(
        self, weights: Weights, segment: Segment, order: NDArray[np.int32], rate: float
    ) -> tuple[Weights, dict[str, Any]]:
        """Take one step of Adam for each row of `order`.

        Parameters
        ----------
        order : int32[updates, size]
            What each update learns from: ``t B + b`` without memory, books ``b`` with it.
        rate : float
            Learning rate.
        """
        ...


def adam(
    xp: Any, weights: tuple[Any, Any, Any, Any], slope: Any, rate: Any, clip: float, epsilon: float
) -> tuple[tuple[Any, Any, Any, Any], Any]:
    """Clip each agent's gradient at norm `clip` and take one step of Adam (Kingma and Ba 2015); `xp` is the library.

    Returns the new (vectors, first moments, second moments, count) and the norms before clipping, [K].
    """
    vectors, first, second, count = weights
    norm = xp.sqrt((slope * slope).sum(-1))
    slope = slope * xp.minimum(1.0, clip / (norm + 1e-6))[:, None]
    count = count + 1
    first = 0.9 * first + 0.1 * slope
    second = 0.999 * second + 0.001 * slope * slope
    step = (first / (1.0 - 0.9**count)) / (xp.sqrt(second / (1.0 - 0.999**count)) + epsilon)
    return (vectors - rate * step, first, second, count), norm
