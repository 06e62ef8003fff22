"""What the search may see and what it may not: coins and seeds, each in disjoint named sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mycelial.domain.errors import DataError
from mycelial.domain.seeds import generator, stream_key
from mycelial.facts.panel import Panel

SeedSet = Literal["search", "validation", "report", "sensitivity"]


@dataclass(frozen=True)
class Split:
    """Names of the coins the search is fitted to, and of those kept from it."""

    seed: int
    fit: tuple[str, ...]
    validation: tuple[str, ...]

    def panels(self, panel: Panel) -> tuple[Panel, Panel]:
        """Return both halves of `panel`.

        Raises
        ------
        DataError
            If the panel lacks a coin of the split.
        """
        row = {name: index for index, name in enumerate(panel.names)}
        missing = [name for name in (*self.fit, *self.validation) if name not in row]
        if missing:
            raise DataError(
                f"panel {panel.label!r} lacks {len(missing)} coin(s) of the split, {missing[0]} first; "
                "give the panel the study was started with"
            )
        return (
            panel.select([row[name] for name in self.fit], f"{panel.label}, fit half"),
            panel.select([row[name] for name in self.validation], f"{panel.label}, validation half"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the split as a document."""
        return {"seed": self.seed, "fit": list(self.fit), "validation": list(self.validation)}


def split_coins(panel: Panel, seed: int) -> Split:
    """Split the coins in two halves by a seeded shuffle; their order in the panel does not matter.

    Raises
    ------
    DataError
        If there are fewer than 4 coins: each half is itself halved to measure real against real.
    """
    if panel.n_series < 4:
        raise DataError(
            f"panel {panel.label!r} has {panel.n_series} coins; calibration needs at least 4 to hold half out"
        )
    names = sorted(panel.names)
    order = generator(seed, "calibrate", "split").permutation(len(names))
    shuffled = [names[int(i)] for i in order]
    middle = (len(names) + 1) // 2
    return Split(seed, tuple(sorted(shuffled[:middle])), tuple(sorted(shuffled[middle:])))


def named_seeds(root: int, name: SeedSet, count: int) -> tuple[int, ...]:
    """Return the first `count` seeds of a set: the same for every point, and another set shares none of them."""
    return tuple(int(stream_key(root, "calibrate", name, n)) >> 11 for n in range(count))
