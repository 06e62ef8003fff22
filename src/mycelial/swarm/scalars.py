"""Scalars of value decomposition that team members tell each other: outliers are pulled in, frequent ones are liars.

A member's q and p enter everybody's temporal difference error, so one absurd number would move the whole team. Values
are winsorised at the median plus or minus five median absolute deviations over the group, and at the largest value
possible.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

DEVIATIONS = 5.0
QUARANTINE_SHARE = 0.2


def winsorised(
    values: NDArray[np.float64], bound: float, deviations: float = DEVIATIONS
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Pull every member's scalars into what the group makes plausible.

    Parameters
    ----------
    values : float64[n, k]
        One row a member.
    bound : float
        Largest magnitude possible, R_max / (1 - gamma).
    deviations : float
        Median absolute deviations that are allowed.

    Returns
    -------
    values : float64[n, k]
    clipped : bool[n]
        Members of which anything was changed.
    """
    middle = np.median(values, axis=0)
    spread = np.median(np.abs(values - middle), axis=0)
    low = np.maximum(middle - deviations * spread, -bound)
    high = np.minimum(middle + deviations * spread, bound)
    pulled = np.clip(values, low, high)
    return pulled, (pulled != values).any(axis=1)


class ScalarWatch:
    """Counts whose scalars were pulled in.

    Parameters
    ----------
    rounds : int
        Rounds looked back.
    share : float
        Whoever is clipped in more of them is quarantined.
    """

    def __init__(self, rounds: int = 20, share: float = QUARANTINE_SHARE) -> None:
        self._share = share
        self._rounds: deque[dict[bytes, bool]] = deque(maxlen=rounds)

    def note(self, clipped: Mapping[bytes, bool]) -> None:
        """Book a round."""
        self._rounds.append({name: bool(value) for name, value in clipped.items()})

    def liars(self, least_rounds: int = 5) -> set[bytes]:
        """Return the members to be quarantined; nobody before `least_rounds` rounds."""
        if len(self._rounds) < least_rounds:
            return set()
        names = {name for past in self._rounds for name in past}
        return {
            name
            for name in names
            if sum(past.get(name, False) for past in self._rounds) > self._share * len(self._rounds)
        }
