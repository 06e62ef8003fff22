"""What a rule is given and what it answers.

Every rule is self-centred: it sees differences to the own vector, and the own vector is one of the points. Most rules
return a weighted sum of the differences, whose weights depend only on inner products of the differences. So the m x m
matrix of these products (the Gram matrix) is computed once, the rule works on it, and the sum is formed once. The
weights are also the exact share every sender has in the result, which trust and lineage are booked by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Settings:
    """How a rule is set.

    Parameters
    ----------
    byzantine : int
        b, the number of liars among the neighbours to stand against; lowered where the rule has too few inputs.
    clip_share : float
        The clipping radius never exceeds this share of the own norm.
    gate_spread : float
        A neighbour farther than this many clipping radii is not listened to at all.
    gate_share : float
        gamma_B: nor one farther than this share of the own norm.
    gate_decay : float
        kappa: how much the latter shrinks over the training, exp(-kappa t / T).
    keep : float
        alpha of BALANCE, the weight of the own vector.
    honest_share : float
        rho of UBAR, the share of neighbours that may pass its first stage.
    iterations : int
        Of centred clipping and of the geometric median.
    smoothing : float
        Of the geometric median, a share of the typical distance.
    """

    byzantine: int = 1
    clip_share: float = 0.1
    gate_spread: float = 3.0
    gate_share: float = 0.5
    gate_decay: float = 1.0
    keep: float = 0.5
    honest_share: float = 0.5
    iterations: int = 8
    smoothing: float = 1e-3


@dataclass(frozen=True)
class Inputs:
    """One receiver's view of one round.

    Parameters
    ----------
    own : float32[P]
        x_i, after local learning.
    received : float32[m, P]
        Decoded vectors of accepted neighbours.
    weights : float64[m]
        W_ij times staleness times trust; their sum is at most 1, the rest stays on the own vector.
    radius : float
        tau_i, the clipping radius.
    progress : float
        t / T in [0, 1].
    step : float32[P], optional
        The own last local change, for FLTrust.
    start : float32[P], optional
        Where centred clipping starts; the own vector by default.
    losses : float64[m], optional
        Loss of each received vector on the own sample, for UBAR.
    own_loss : float
    """

    own: NDArray[np.float32]
    received: NDArray[np.float32]
    weights: NDArray[np.float64]
    radius: float = np.inf
    progress: float = 0.0
    step: NDArray[np.float32] | None = None
    start: NDArray[np.float32] | None = None
    losses: NDArray[np.float64] | None = None
    own_loss: float = 0.0

    @cached_property
    def deltas(self) -> NDArray[np.float32]:
        """Delta_j = x_j - x_i, float32[m, P]."""
        return self.received - self.own

    @cached_property
    def gram(self) -> NDArray[np.float64]:
        """Inner products of the differences, float64[m, m]."""
        wide = self.deltas.astype(np.float64)
        return wide @ wide.T

    @cached_property
    def norms(self) -> NDArray[np.float64]:
        """Distance of each neighbour, float64[m]."""
        return np.sqrt(np.diagonal(self.gram))

    @property
    def own_norm(self) -> float:
        """Length of the own vector."""
        return float(np.linalg.norm(self.own.astype(np.float64)))

    def some(self, chosen: NDArray[np.bool_]) -> Inputs:
        """Return the view without the neighbours that are not chosen."""
        return Inputs(
            self.own,
            self.received[chosen],
            self.weights[chosen],
            self.radius,
            self.progress,
            self.step,
            self.start,
            None if self.losses is None else self.losses[chosen],
            self.own_loss,
        )


@dataclass(frozen=True)
class Merge:
    """What a rule answers.

    Parameters
    ----------
    change : float32[P]
        To be added to the own vector, times the gossip step.
    shares : float64[m]
        Share of each neighbour in the result; what is missing to 1 is the own share.
    """

    change: NDArray[np.float32]
    shares: NDArray[np.float64]


Rule = Callable[[Inputs, Settings], Merge]


def combination(inputs: Inputs, shares: NDArray[np.float64]) -> Merge:
    """Return the sum of the differences, each times its share."""
    return Merge(shares.astype(np.float32) @ inputs.deltas, shares)


def with_own(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the own vector, which is the origin, in front of the points, float64[m + 1, m + 1]."""
    return np.pad(gram, ((1, 0), (1, 0)))


def squared_distances(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared distances of the points of a Gram matrix."""
    square = np.diagonal(gram)
    return np.maximum(square[:, None] + square[None, :] - 2.0 * gram, 0.0)
