"""The default way to merge: norm check, distance gate, nearest-neighbour mixing, self-centred clipping.

Class and finiteness are checked when a message comes in (`mycelial.swarm.gossip`), performance before the result is
adopted (`mycelial.swarm.gate`). Here lies what depends on distances only. The radius adapts: it is the typical
distance of the last rounds, so that honest peers who drift apart are not cut off and a liar gets no farther than they
do.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from mycelial.swarm.aggregate.inputs import Inputs, Merge, Settings, combination
from mycelial.swarm.aggregate.rules import clip_factor, mixing_of_nearest


class Radius:
    """The clipping radius tau_i: the median of the last rounds' typical distances.

    A round's typical distance is the lower median over neighbours, which fewer than half of them cannot raise.
    """

    def __init__(self, window: int = 10) -> None:
        self._typical: deque[float] = deque(maxlen=window)

    def observe(self, norms: NDArray[np.float64]) -> float:
        """Take the distances of a round and return the radius to clip with."""
        if len(norms):
            self._typical.append(float(np.sort(norms)[(len(norms) - 1) // 2]))
        return self.value

    @property
    def value(self) -> float:
        """The present radius; infinite before the first round."""
        return float(np.median(self._typical)) if self._typical else np.inf


def default_pipeline(inputs: Inputs, settings: Settings) -> Merge:
    """Gate by distance, mix nearest neighbours, clip around the own vector, mix by weights.

    `inputs.radius` is the adaptive radius (see `Radius`).
    """
    if len(inputs.received) == 0:
        return Merge(np.zeros_like(inputs.own), np.zeros(0))
    passed = inputs.norms <= gate_radius(inputs, settings)
    shares = np.zeros(len(inputs.received))
    if passed.any():
        gram = inputs.gram[np.ix_(passed, passed)]
        mixing = mixing_of_nearest(gram, min(settings.byzantine, len(gram) // 2))
        norms = np.sqrt(np.maximum(np.einsum("jk,kl,jl->j", mixing, gram, mixing), 0.0))
        radius = min(inputs.radius, settings.clip_share * inputs.own_norm)
        shares[passed] = (inputs.weights[passed] * clip_factor(norms, radius)) @ mixing
    return combination(inputs, shares)


def gate_radius(inputs: Inputs, settings: Settings) -> float:
    """Return how far a neighbour may be to be listened to: a few radii, and a shrinking share of the own norm."""
    ball = settings.gate_share * np.exp(-settings.gate_decay * inputs.progress) * inputs.own_norm
    return float(min(settings.gate_spread * inputs.radius, ball))
