"""Where a policy came from: ancestry by content hash, whose influence is in it, and the way back.

Every message names its policy and the policies merged into it since the last one, so that all peers keep the same
graph of descent. From it follow, without trusting anybody's numbers: who descends from a policy found toxic, how much
of a policy each origin has put in (its mass), and the newest own snapshot that is free of it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Policy = bytes  # the first 16 bytes of a content hash


@dataclass(frozen=True)
class Descent:
    """One policy: who published it, what was merged into it, and the share of each origin in it (adds up to 1)."""

    origin: bytes
    parents: tuple[Policy, ...]
    mass: dict[bytes, float]


class Lineage:
    """The graph of descent as one peer knows it, bounded; the oldest policies are forgotten first.

    Parameters
    ----------
    own_share : float
        How much of a published policy is taken to be its publisher's own learning; the parents have the rest evenly.
    capacity : int
        Policies remembered.
    """

    def __init__(self, own_share: float = 0.5, capacity: int = 65_536) -> None:
        self._own_share, self._capacity = own_share, capacity
        self._known: OrderedDict[Policy, Descent] = OrderedDict()
        self._latest: dict[bytes, Policy] = {}

    def __contains__(self, policy: Policy) -> bool:
        return policy in self._known

    def __getitem__(self, policy: Policy) -> Descent:
        return self._known[policy]

    def add(self, policy: Policy, origin: bytes, parents: Iterable[Policy]) -> Descent:
        """Record what a message says of itself; its sender's last policy is a parent without being named."""
        if policy in self._known:  # the same parameters again; the first account of them stands
            self._latest[origin] = policy
            return self._known[policy]
        named = tuple(dict.fromkeys(parents))
        before = self._latest.get(origin)
        sources = [self._known[parent].mass for parent in named if parent in self._known]
        mass: dict[bytes, float] = {origin: self._own_share if sources else 1.0}
        for source in sources:
            for name, share in source.items():
                mass[name] = mass.get(name, 0.0) + (1.0 - self._own_share) * share / len(sources)
        if before is not None and before not in named:
            named = (*named, before)
        self._known[policy] = Descent(origin, named, mass)
        self._latest[origin] = policy
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
        return self._known[policy]

    def mass(self, policy: Policy, origin: bytes) -> float:
        """Return the share of an origin in a policy; 0 if nothing is known."""
        descent = self._known.get(policy)
        return descent.mass.get(origin, 0.0) if descent else 0.0

    def ancestors(self, policy: Policy) -> set[Policy]:
        """Return all known policies this one descends from, itself included."""
        seen, waiting = {policy}, [policy]
        while waiting:
            descent = self._known.get(waiting.pop())
            for parent in descent.parents if descent else ():
                if parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        return seen

    def descends_from(self, policy: Policy, toxic: Iterable[Policy]) -> bool:
        """Return whether any of the toxic policies is among the ancestors."""
        return not self.ancestors(policy).isdisjoint(toxic)

    def descendants(self, policy: Policy) -> set[Policy]:
        """Return all known policies that descend from this one, itself included."""
        children: dict[Policy, list[Policy]] = {}
        for name, descent in self._known.items():
            for parent in descent.parents:
                children.setdefault(parent, []).append(name)
        seen, waiting = {policy}, [policy]
        while waiting:
            for child in children.get(waiting.pop(), ()):
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
        return seen


class Snapshots:
    """The last own policies, to go back to.

    Parameters
    ----------
    capacity : int
        How many are kept; the first ever is always kept, it owes nothing to anybody.
    """

    def __init__(self, capacity: int = 32) -> None:
        self._first: tuple[Policy, NDArray[np.float32]] | None = None
        self._kept: deque[tuple[Policy, NDArray[np.float32]]] = deque(maxlen=capacity)

    def keep(self, policy: Policy, vector: NDArray[np.float32]) -> None:
        """Keep a copy of an own vector."""
        entry = (policy, np.array(vector, np.float32))
        if self._first is None:
            self._first = entry
        self._kept.append(entry)

    def last_free_of(self, toxic: Iterable[Policy], lineage: Lineage) -> tuple[Policy, NDArray[np.float32]] | None:
        """Return the newest snapshot that descends from none of the toxic policies; nothing if there never was one."""
        bad = set(toxic)
        for policy, vector in reversed(self._kept):
            if not lineage.descends_from(policy, bad):
                return policy, vector.copy()
        if self._first is not None and not lineage.descends_from(self._first[0], bad):
            return self._first[0], self._first[1].copy()
        return None
