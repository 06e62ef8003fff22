"""Which parameters a calibration searches, and over what: spaces as data.

A dimension is a list of values (a grid) or a closed range (searched). Names are fields of `SymbaParameters`; every
limit is checked against the field's own range here, so that a search cannot fail on its thousandth point.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.domain.errors import ConfigError, NotFound
from mycelial.domain.seeds import generator

Value = float | int | str | bool
Point = dict[str, Value]
_FIELDS = {field.name: field for field in dataclasses.fields(SymbaParameters)}


@dataclass(frozen=True)
class Dimension:
    """One parameter: either `values`, or a range `low`..`high` (both ends included), searched in logs if `log`."""

    name: str
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    values: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        if self.name not in _FIELDS:
            near = difflib.get_close_matches(self.name, _FIELDS, n=1)
            hint = f"did you mean {near[0]}?" if near else "see `mycelial.agents.symba.parameters`"
            raise ConfigError(f"space: {self.name} is not a parameter; {hint}")
        if self.values:
            for value in self.values:
                SymbaParameters(learning_days=0).replace(**{self.name: value})
            return
        if not self.is_numeric:
            raise ConfigError(f"space: {self.name} is a switch; give it `values = [...]` to choose from")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ConfigError(f"space: {self.name} ranges over [{self.low}, {self.high}]; give low below high")
        if self.log and self.low <= 0:
            raise ConfigError(f"space: {self.name} has log = true and low = {self.low:g}; low must be above 0")
        limits = _FIELDS[self.name].metadata
        if self.low < limits["low"] or self.high > limits["high"]:
            raise ConfigError(
                f"space: {self.name} ranges over [{self.low:g}, {self.high:g}]; the parameter allows "
                f"[{limits['low']:g}, {limits['high']:g}]"
            )

    @property
    def is_numeric(self) -> bool:
        """Whether the parameter is a number (not a switch or a flag)."""
        return "low" in _FIELDS[self.name].metadata

    @property
    def is_whole(self) -> bool:
        """Whether the parameter is a whole number."""
        return type(_FIELDS[self.name].default) is int

    def at(self, u: float) -> Value:
        """Return the value at position `u` of [0, 1)."""
        if self.values:
            return self.values[min(int(u * len(self.values)), len(self.values) - 1)]
        if self.log:
            number = math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low)))
        else:
            number = self.low + u * (self.high - self.low)
        number = min(max(number, self.low), self.high)
        return round(number) if self.is_whole else number

    def holds(self, value: Value) -> bool:
        """Return whether `value` belongs to the dimension."""
        if self.values:
            return value in self.values
        return not isinstance(value, str) and self.low <= value <= self.high


@dataclass(frozen=True)
class Space:
    """A named set of dimensions, and parameters fixed beside them."""

    name: str
    dimensions: tuple[Dimension, ...]
    fixed: Mapping[str, Value] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.dimensions:
            raise ConfigError(f"space {self.name!r} searches nothing; add a [parameters.NAME] table")
        names = [one.name for one in self.dimensions]
        twice = {name for name in names if names.count(name) > 1} | (set(names) & set(self.fixed))
        if twice:
            raise ConfigError(f"space {self.name!r}: {', '.join(sorted(twice))} is given twice; keep one")
        SymbaParameters(learning_days=0).replace(**self.fixed)

    @property
    def is_grid(self) -> bool:
        """Whether every dimension is a list of values."""
        return all(one.values for one in self.dimensions)

    def grid(self, *, points: int | None = None, stride: int = 1, seed: int = 0) -> list[Point]:
        """Return the points of the grid, the last dimension fastest.

        Parameters
        ----------
        points : take this many, chosen by a seeded shuffle and kept in grid order; all when left out.
        stride : take every stride-th point of the grid (before `points`).
        """
        if not self.is_grid:
            ranges = ", ".join(one.name for one in self.dimensions if not one.values)
            raise ConfigError(
                f"space {self.name!r} is no grid: {ranges} ranges; give values, or search with --search tpe"
            )
        names = [one.name for one in self.dimensions]
        every = itertools.product(*(one.values for one in self.dimensions))
        found = [dict(zip(names, values, strict=True)) for values in every][::stride]
        if points is None or points >= len(found):
            return found
        order = generator(seed, "calibrate", "grid", self.name).permutation(len(found))
        return [found[int(i)] for i in sorted(order[:points])]

    def point_of(self, params: SymbaParameters) -> Point | None:
        """Return where `params` lies in this space; None when outside of it."""
        point: Point = {one.name: getattr(params, one.name) for one in self.dimensions}
        return point if all(one.holds(point[one.name]) for one in self.dimensions) else None

    def apply(self, base: SymbaParameters, point: Mapping[str, Value]) -> SymbaParameters:
        """Return `base` with the fixed parameters and the point put in."""
        return base.replace(**(dict(self.fixed) | dict(point)))

    def to_dict(self) -> dict[str, Any]:
        """Return the space as a document that `from_dict` reads."""
        tables: dict[str, Any] = {}
        for one in self.dimensions:
            if one.values:
                tables[one.name] = {"values": list(one.values)}
            else:
                tables[one.name] = {"low": one.low, "high": one.high, "log": one.log}
        return {"name": self.name, "fixed": dict(self.fixed), "parameters": tables}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], origin: str = "space") -> Space:
        """Build a space from a document; see `parse_space` for the form."""
        unknown = set(document) - {"name", "fixed", "parameters"}
        tables, fixed = document.get("parameters", {}), document.get("fixed", {})
        if unknown or not isinstance(tables, Mapping) or not isinstance(fixed, Mapping):
            raise ConfigError(f"{origin}: knows `name`, [fixed] and [parameters.NAME] only; found {sorted(document)}")
        dimensions = tuple(_dimension(str(name), table, origin) for name, table in tables.items())
        return cls(str(document.get("name", origin)), dimensions, dict(fixed))


def _dimension(name: str, table: Any, origin: str) -> Dimension:
    if not isinstance(table, Mapping) or set(table) - {"low", "high", "log", "values"}:
        raise ConfigError(f"{origin}: [parameters.{name}] takes low, high and log, or values; found {table!r}")
    if "values" in table:
        values = table["values"]
        if not isinstance(values, list) or not values or len(table) > 1:
            raise ConfigError(f"{origin}: [parameters.{name}] values must be a list, without low, high or log")
        return Dimension(name, values=tuple(values))
    try:
        return Dimension(name, float(table["low"]), float(table["high"]), bool(table.get("log", False)))
    except KeyError as missing:
        raise ConfigError(f"{origin}: [parameters.{name}] lacks {missing}; give low and high, or values") from None
    except (TypeError, ValueError):
        raise ConfigError(f"{origin}: [parameters.{name}] low and high must be numbers; found {dict(table)}") from None


def parse_space(text: str, origin: str) -> Space:
    """Read a space from TOML.

    >>> parse_space("[parameters.quoting]\\nlow = 0.0\\nhigh = 1.0", "mine.toml").dimensions[0].name
    'quoting'
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is not TOML ({error}); see `mycelial calibrate run --help`") from None
    return Space.from_dict({"name": origin} | document, origin)


def _steps(first: float, last: float, step: float) -> tuple[Value, ...]:
    count = round((last - first) / step) + 1
    found = [round(first + n * step, 10) for n in range(count)]
    return tuple(int(x) if isinstance(first, int) and isinstance(step, int) else x for x in found)


_AGENTS = Dimension("agents", values=_steps(500, 5500, 1000))
_GESTURE = Dimension("gesture_scalar", values=_steps(1.0, 3.0, 0.5))
_DRAWDOWN = Dimension("drawdown", values=_steps(10, 90, 20))

# Table 1 of the paper: 600 points.
PAPER = Space("paper", (_AGENTS, _GESTURE, Dimension("accuracy", values=_steps(9.0, 12.0, 1.0)), _DRAWDOWN))
# The grid found in the authors' simulator: 1200 points, mu_H in place of the accuracy.
CODE = Space("code", (_AGENTS, _GESTURE, Dimension("jump_spacing", values=_steps(0.1, 1.5, 0.2)), _DRAWDOWN))
# The extended model: what moves value, how agents err and quote, how they size and wake.
EXTENDED = Space(
    "extended",
    (
        Dimension("fundamental_sigma", 0.008, 0.035, log=True),
        Dimension("volatility_own", 0.1, 0.8),
        Dimension("volatility_market", 0.05, 0.8),
        Dimension("market_sigma", 0.005, 0.04, log=True),
        Dimension("jump_rate", 0.01, 0.2, log=True),
        Dimension("jump_size", 1.0, 6.0),
        Dimension("signal_error", 0.4, 5.0, log=True),
        Dimension("quoting", 0.3, 1.0),
        Dimension("gesture_volatility", 0.03, 0.6, log=True),
        Dimension("reflexivity_power", 1.0, 12.0, log=True),
        Dimension("fraction", 0.03, 0.5, log=True),
        Dimension("attention_sd", 0.2, 1.5),
        Dimension("attention_volume", 0.05, 1.0, log=True),
    ),
)
SPACES = {space.name: space for space in (PAPER, CODE, EXTENDED)}


def named_space(name: str) -> Space:
    """Return the space that ships under `name`, or raise `NotFound` with the names there are."""
    if name not in SPACES:
        raise NotFound(f"there is no space {name!r}; choose {', '.join(SPACES)}, or give a TOML file that exists")
    return SPACES[name]
