"""Intraday figures of real markets, kept without any of their prices, and the comparison with a simulated one.

The target of a figure is the range over the recorded markets, each with its bootstrap interval: from the lowest lower
end to the highest upper end. A simulated market either lies inside or it does not; nothing is averaged away.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from mycelial.domain.errors import DataError
from mycelial.facts.intraday import FIGURES, REQUIRED, IntradaySummary
from mycelial.facts.json_figures import rounded, with_nan
from mycelial.facts.minutes import MINUTE_FIGURES, MinuteSummary

FORMAT = "mycelial-intraday-figures/1"
MEANINGS: Mapping[str, str] = {**FIGURES, **MINUTE_FIGURES}
Summary = TypeVar("Summary", IntradaySummary, MinuteSummary)


@dataclass(frozen=True)
class IntradayReference:
    """Figures of recorded markets: order books of some minutes, and one-minute bars of some months."""

    label: str
    provenance: str
    markets: tuple[IntradaySummary, ...]
    minutes: tuple[MinuteSummary, ...] = ()


@dataclass(frozen=True)
class RangeCheck:
    """Whether one figure lies in the range of real markets.

    `low` and `high` bound the target; `real_low` and `real_high` the figures themselves, without their intervals;
    `interval` is the simulated figure's own, when it was bootstrapped. NaN never passes. `required` marks what a
    simulated market is asked for first.
    """

    name: str
    value: float
    interval: tuple[float, float] | None
    low: float
    high: float
    real_low: float
    real_high: float
    passed: bool
    required: bool
    meaning: str

    @property
    def overlaps(self) -> bool:
        """Whether the simulated interval reaches into the target."""
        return self.passed or (
            self.interval is not None and self.interval[0] <= self.high and self.interval[1] >= self.low
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the check as a JSON object."""
        return asdict(self) | {"overlaps": self.overlaps}


def compare_intraday(simulated: Summary, real: Sequence[Summary]) -> list[RangeCheck]:
    """Judge every figure of a simulated market against the range of the real ones.

    Raises
    ------
    DataError
        If there is no real market to compare with.
    """
    if not real:
        raise DataError("no real market to compare with; give reference figures that hold some")
    checks = []
    for name, value in simulated.figures.items():
        figures = [one.figures[name] for one in real if math.isfinite(one.figures.get(name, math.nan))]
        if not figures:
            continue
        ends = [end for one in real for end in one.intervals.get(name, ()) if math.isfinite(end)]
        low, high = min(*figures, *ends, math.inf), max(*figures, *ends, -math.inf)
        checks.append(
            RangeCheck(
                name=name,
                value=value,
                interval=simulated.intervals.get(name),
                low=low,
                high=high,
                real_low=min(figures),
                real_high=max(figures),
                passed=low <= value <= high,
                required=name in REQUIRED,
                meaning=MEANINGS[name],
            )
        )
    return checks


def to_json(reference: IntradayReference) -> str:
    """Return the reference as JSON, five significant digits, one line per figure or curve for review."""
    document = {
        "format": FORMAT,
        "label": reference.label,
        "provenance": reference.provenance,
        "markets": [asdict(one) for one in reference.markets],
        "minutes": [asdict(one) for one in reference.minutes],
    }
    return _lines(rounded(document, 5)) + "\n"


def from_json(text: str, origin: str = "intraday figures") -> IntradayReference:
    """Read and validate reference figures; `origin` names the file in messages.

    Raises
    ------
    DataError
        If the text is not JSON, of another format, or a field is missing or of the wrong type.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{origin} is not JSON ({error}); make the file anew") from None
    found = document.get("format") if isinstance(document, Mapping) else None
    if found != FORMAT:
        raise DataError(f"{origin} has format {found!r}, not {FORMAT!r}; make the file anew")
    del document["format"]
    try:
        return TypeAdapter(IntradayReference).validate_python(with_nan(document))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{origin}: field {field}: {first['msg']}; make the file anew") from None


def _lines(value: Any, depth: int = 0) -> str:
    """Return JSON with a line for every entry, and curves and intervals on one line each."""
    is_flat = depth >= 4 or not isinstance(value, dict | list) or not value
    if is_flat or (isinstance(value, list) and not isinstance(value[0], dict)):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if isinstance(value, list):
        return "[\n" + ",\n".join(_lines(item, depth + 1) for item in value) + "\n]"
    items = (f"{json.dumps(key)}: {_lines(item, depth + 1)}" for key, item in value.items())
    return "{\n" + ",\n".join(items) + "\n}"
