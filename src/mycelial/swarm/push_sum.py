"""Push-sum: sums and means of a few numbers over directed or lossy links, exact in the limit.

Mass (x, w) is split among out-neighbours, and x / w tends to the mean (Kempe et al. 2003). Over links that lose
packets, each sender sends running sums of all it ever sent, so that a later packet makes good for a lost one
(Spiridonoff, Olshevsky and Paschalidis 2020, section 3). Only for small vectors: whoever lies about w can claim mass,
so shares with an absurd weight are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST_WEIGHT, LARGEST_WEIGHT = 1 / 8, 8.0


@dataclass(frozen=True)
class RunningSums:
    """All that one peer ever sent along one link.

    Parameters
    ----------
    values : float64[n]
        Running sum of the shares of x.
    weight : float
        Running sum of the shares of w.
    count : int
        Number of shares summed; tells a newer packet from an older one.
    """

    values: NDArray[np.float64]
    weight: float
    count: int


class PushSum:
    """One peer's part in computing a mean.

    Parameters
    ----------
    values : array_like, float64[n]
        This peer's numbers.
    peers : int, optional
        Size of the group, for `total`.
    """

    def __init__(self, values: NDArray[np.float64], peers: int = 1) -> None:
        self.values = np.array(values, np.float64)
        self.weight = 1.0
        self.peers = peers
        self.dropped = 0
        self._sent: dict[bytes, RunningSums] = {}
        self._received: dict[bytes, RunningSums] = {}

    def share(self, receivers: Iterable[bytes]) -> dict[bytes, RunningSums]:
        """Keep one part of the mass, owe one to each receiver, and return what to send to whom. Call once a round."""
        names = list(receivers)
        part = 1.0 / (len(names) + 1)
        self.values, self.weight = self.values * part, self.weight * part
        for name in names:
            before = self._sent.get(name) or RunningSums(np.zeros_like(self.values), 0.0, 0)
            self._sent[name] = RunningSums(before.values + self.values, before.weight + self.weight, before.count + 1)
        return {name: self._sent[name] for name in names}

    def receive(self, sender: bytes, sums: RunningSums) -> bool:
        """Take what is new in a sender's running sums; old, repeated and absurd packets change nothing.

        Returns
        -------
        bool
            Whether it was taken.
        """
        known = self._received.get(sender)
        if sums.values.shape != self.values.shape or sums.count <= (known.count if known else 0):
            return False
        shares = sums.count - (known.count if known else 0)
        weight = sums.weight - (known.weight if known else 0.0)
        values = sums.values - known.values if known else sums.values
        if not 0.0 <= weight <= LARGEST_WEIGHT * shares or not np.isfinite(values).all():
            self.dropped += 1
            return False
        self._received[sender] = sums
        self.values, self.weight = self.values + values, self.weight + weight
        return True

    @property
    def mean(self) -> NDArray[np.float64]:
        """Estimate of the mean over the group."""
        return self.values / self.weight

    @property
    def total(self) -> NDArray[np.float64]:
        """Estimate of the sum over the group."""
        return self.mean * self.peers

    @property
    def is_credible(self) -> bool:
        """Whether the own weight is inside [1/8, 8]; outside, somebody claims mass."""
        return SMALLEST_WEIGHT <= self.weight <= LARGEST_WEIGHT
