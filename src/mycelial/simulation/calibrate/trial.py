"""A finished trial: one point of the space, what it was worth, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mycelial.domain.errors import DataError
from mycelial.simulation.calibrate.space import Point

State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """One line of the journal.

    Parameters
    ----------
    number : position in the study, from 0.
    point : the parameters tried.
    state : complete; pruned (gave up after a cheap rung); failed (the model broke down, see `reason`).
    value : the objective at the last rung reached; lower is better, always finite.
    rungs : per rung reached, the objective of each seed.
    terms : parts of the objective at the last rung, means over seeds: `distance`, `penalty`, single figures.
    reason : why it failed; empty otherwise.
    """

    number: int
    point: Point
    state: State
    value: float
    rungs: tuple[tuple[float, ...], ...]
    terms: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the line of the journal."""
        return {
            "trial": self.number,
            "state": self.state,
            "value": self.value,
            "point": dict(self.point),
            "rungs": [list(values) for values in self.rungs],
            "terms": dict(self.terms),
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, line: Mapping[str, Any]) -> Trial:
        """Read a line of the journal; `DataError` if it is none."""
        try:
            return cls(
                number=int(line["trial"]),
                point=dict(line["point"]),
                state=line["state"],
                value=float(line["value"]),
                rungs=tuple(tuple(float(x) for x in values) for values in line["rungs"]),
                terms=dict(line["terms"]),
                reason=str(line["reason"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a finished trial ({error!r})") from None


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Return the complete trials, best first; the earlier of two equals wins."""
    return sorted((one for one in trials if one.state == "complete"), key=lambda one: (one.value, one.number))
