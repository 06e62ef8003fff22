"""How far a peer is trusted, and how much anybody can ever contribute.

Trust is a beta reputation with forgetting: it follows what a peer's updates were worth here, never what it says. The
caps bound the speed of contagion even for a policy that fools every test: no peer and no origin gets more than a
quarter of what is merged over twenty rounds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

FORGETTING = 0.99
CAP_SHARE = 0.25
CAP_ROUNDS = 20


class Reputation:
    """Beta reputation of every peer.

    Parameters
    ----------
    useful, failed : float
        Counts that an admitted peer starts with.
    """

    def __init__(self, useful: float = 4.0, failed: float = 0.5) -> None:
        self._start = (useful, failed)
        self._counts: dict[bytes, tuple[float, float]] = {}

    def note(self, peer: bytes, *, useful: bool) -> None:
        """Book what an update of this peer was worth."""
        good, bad = self._counts.get(peer, self._start)
        self._counts[peer] = (FORGETTING * good + useful, FORGETTING * bad + (not useful))

    def trust(self, peer: bytes) -> float:
        """Return the share of useful updates, in (0, 1)."""
        good, bad = self._counts.get(peer, self._start)
        return good / (good + bad)


class MergeBudget:
    """Caps on what one peer, or one origin by lineage, contributes over the last rounds.

    Parameters
    ----------
    limit : float
        Largest share of the merged mass (own mass counts as merged), averaged over the rounds so far, at most `rounds`.
    rounds : int
    """

    def __init__(self, limit: float = CAP_SHARE, rounds: int = CAP_ROUNDS) -> None:
        self.limit = limit
        self._history: deque[dict[bytes, float]] = deque(maxlen=rounds - 1)

    def room(self, name: bytes) -> float:
        """Return the share that a peer or origin may still have in this round."""
        used = sum(past.get(name, 0.0) for past in self._history)
        return max(0.0, self.limit * (len(self._history) + 1) - used)

    def cap(
        self, shares: NDArray[np.float64], senders: Sequence[bytes], masses: Sequence[Mapping[bytes, float]]
    ) -> NDArray[np.float64]:
        """Return the shares, lowered until every peer and origin keeps to its room.

        Parameters
        ----------
        shares : float64[m]
            Share of each sender in the merged vector.
        senders : sequence of bytes
        masses : sequence of mapping
            For each sender's policy, the share of every origin in it.
        """
        capped = np.minimum(shares, [self.room(sender) for sender in senders])
        for origin in {name for mass in masses for name in mass}:
            part = np.array([mass.get(origin, 0.0) for mass in masses])
            total, room = float(capped @ part), self.room(origin)
            if total > room:  # lower those who bring it, each by as much as it is in them
                for _ in range(8):
                    capped *= 1.0 - part * (1.0 - room / total)
                    total = float(capped @ part)
                    if total <= room * (1 + 1e-9):
                        break
                else:
                    capped[part > 0] *= room / total
        return np.asarray(capped)

    def book(
        self, shares: NDArray[np.float64], senders: Sequence[bytes], masses: Sequence[Mapping[bytes, float]]
    ) -> None:
        """Book a round that was adopted: of each name the larger of its share as sender and as origin."""
        direct = dict(zip(senders, map(float, shares), strict=True))
        origins: dict[bytes, float] = {}
        for share, mass in zip(shares, masses, strict=True):
            for name, part in mass.items():
                origins[name] = origins.get(name, 0.0) + float(share) * part
        names = direct.keys() | origins.keys()
        self._history.append({name: max(direct.get(name, 0.0), origins.get(name, 0.0)) for name in names})
