"""A scenario: a list of timed injections that can be put together, and checked for contradictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TypeVar

from mycelial.domain.errors import ConfigError
from mycelial.simulation.scenarios.injections import FatFinger, Injection, Outage, Sweep

_Kind = TypeVar("_Kind", bound=Injection)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens to a market, in order of time.

    ``a | b`` is both together, ``a.shifted(ns)`` the same later.

    Raises
    ------
    ConfigError
        If two injections cannot both happen: two settings of one dial at once on one target, or an order into a market
        that is out.
    """

    name: str
    injections: tuple[Injection, ...] = field(default=())

    def __post_init__(self) -> None:
        ordered = sorted(set(self.injections), key=lambda one: (one.start_ns, one.kind, one.target, repr(one)))
        object.__setattr__(self, "injections", tuple(ordered))
        for first, second in combinations(ordered, 2):
            if first.meets(second):
                _compatible(self.name, first, second)

    def __or__(self, other: Scenario) -> Scenario:
        return Scenario(f"{self.name}+{other.name}", self.injections + other.injections)

    def shifted(self, by_ns: int) -> Scenario:
        """Return the same scenario, everything `by_ns` later."""
        return Scenario(self.name, tuple(replace(one, start_ns=one.start_ns + by_ns) for one in self.injections))

    @property
    def end_ns(self) -> int:
        """Moment at which the last injection is over."""
        return max((one.end_ns for one in self.injections), default=0)

    def active(self, now_ns: int) -> tuple[Injection, ...]:
        """Return what is going on at a moment."""
        return tuple(one for one in self.injections if one.is_active(now_ns))

    def of(self, kind: type[_Kind]) -> tuple[_Kind, ...]:
        """Return the injections of one kind."""
        return tuple(one for one in self.injections if isinstance(one, kind))


@dataclass(frozen=True, slots=True)
class StressTest:
    """One entry of the stress catalogue: what it imitates, and its scenarios from the mildest to the most severe."""

    id: str
    title: str
    anchor: str
    source: str
    levels: Mapping[str, Scenario]


def _compatible(name: str, first: Injection, second: Injection) -> None:
    where = f"{first.kind} on {first.target} and {second.kind} on {second.target}"
    at = f"{max(first.start_ns, second.start_ns) / 10**9:g} s"
    if first.exclusive and type(first) is type(second):
        raise ConfigError(
            f"scenario {name}: {where} overlap at {at}; only one can hold at a time, move one or join them into one"
        )
    order = next((one for one in (first, second) if isinstance(one, Sweep | FatFinger)), None)
    if order is not None and (isinstance(first, Outage) or isinstance(second, Outage)):
        raise ConfigError(
            f"scenario {name}: {where} overlap at {at}; no order arrives during an outage, move the {order.kind}"
        )
