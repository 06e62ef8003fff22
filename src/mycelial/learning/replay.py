"""Book segments worth learning from again: a ring of the latest ones, with those that were rewarded kept in sight."""

from __future__ import annotations

import numpy as np

from mycelial.learning.batch import Segment
from mycelial.learning.task import Arrays


class Replay:
    """The latest `capacity` book segments (T steps of one book).

    Where rewards are rare, drawing part of each batch from the segments that had some makes each of them count.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = self.next = 0
        self._kept: dict[str, np.ndarray] = {}

    def add(self, segment: Segment) -> None:
        """Keep the segments of all books."""
        books = segment.reward.shape[1]
        rows = (self.next + np.arange(books)) % self.capacity
        for name, array in segment._replace(own_cost=None)._asdict().items():
            if array is None:
                continue
            by_book = array if name == "memory" else np.moveaxis(array, 1, 0)
            if name not in self._kept:
                self._kept[name] = np.zeros((self.capacity, *by_book.shape[1:]), array.dtype)
            self._kept[name][rows] = by_book
        self.next = int((self.next + books) % self.capacity)
        self.size = min(self.capacity, self.size + books)

    def sample(self, count: int, lucky: float, rng: np.random.Generator) -> Segment:
        """Return `count` segments; the share `lucky` of them from those with a reward, if there are any."""
        rows = rng.integers(0, self.size, count)
        rewarded = np.flatnonzero((self._kept["reward"][: self.size] != 0.0).any(1))
        favoured = round(count * lucky)
        if favoured and len(rewarded):
            rows[:favoured] = rewarded[rng.integers(0, len(rewarded), favoured)]
        taken = {
            name: kept[rows] if name == "memory" else np.moveaxis(kept[rows], 0, 1) for name, kept in self._kept.items()
        }
        return Segment(**taken)

    def snapshot(self) -> Arrays:
        """Return everything kept."""
        about = np.array([self.size, self.next], np.int64)
        return {"about": about, **{name: kept[: self.size] for name, kept in self._kept.items()}}

    def restore(self, state: Arrays) -> None:
        """Take up what `snapshot` gave."""
        self.size, self.next = (int(n) for n in state["about"])
        self._kept = {}
        for name, kept in state.items():
            if name != "about":
                self._kept[name] = np.zeros((self.capacity, *kept.shape[1:]), kept.dtype)
                self._kept[name][: self.size] = kept


def joined(fresh: Segment, old: Segment) -> Segment:
    """Return both side by side, as more books."""
    return Segment(
        *(
            np.concatenate([a, b], axis=0 if name == "memory" else 1)
            for name, a, b in zip(Segment._fields[:-1], fresh, old, strict=False)  # own costs are not kept
        )
    )
