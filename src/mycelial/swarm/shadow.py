"""Shadow mode: an adopted candidate decides on paper for a while before its decisions count.

Its results are compared with what the gate's own scenarios let one expect. A drawdown beyond the predicted 99 % band
means that the world is not like the scenarios, or that the candidate knew them: back to the last good policy.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.seeds import generator


class Standing(StrEnum):
    """Where a candidate stands."""

    SHADOW = "shadow"
    TRUSTED = "trusted"
    ROLL_BACK = "roll back"


def drawdown_band(
    returns: NDArray[np.float64], steps: int, *, level: float = 0.99, seed: int = 0, resamples: int = 2_000
) -> float:
    """Return the `level` quantile of the largest drawdown of `steps` returns drawn from those of the gate's trial."""
    draws = generator(seed, "shadow").choice(np.asarray(returns, np.float64), (resamples, steps))
    return float(np.quantile(largest_drawdown(draws), level))


def largest_drawdown(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far the running sum ever lies below its highest point so far (the start counts); last axis is time."""
    total = np.cumsum(returns, axis=-1)
    peak = np.maximum.accumulate(np.maximum(total, 0.0), axis=-1)
    return np.asarray((peak - total).max(axis=-1))


class Shadow:
    """Watches one candidate.

    Parameters
    ----------
    band : float
        Largest drawdown that is expected, see `drawdown_band`.
    steps : int
        How long it is watched.
    """

    def __init__(self, band: float, steps: int) -> None:
        self.band, self.steps = band, steps
        self.seen = 0
        self._total = self._peak = self.drawdown = 0.0
        self.standing = Standing.SHADOW if steps else Standing.TRUSTED

    def observe(self, result: float) -> Standing:
        """Take one return; the answer to a candidate that fell once is final."""
        if self.standing is Standing.SHADOW:
            self.seen += 1
            self._total += result
            self._peak = max(self._peak, self._total)
            self.drawdown = max(self.drawdown, self._peak - self._total)
            if not np.isfinite(result) or self.drawdown > self.band:
                self.standing = Standing.ROLL_BACK
            elif self.seen >= self.steps:
                self.standing = Standing.TRUSTED
        return self.standing
