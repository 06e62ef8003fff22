"""What a scenario means for one market at one moment: the settings in force, whatever then applies them.

A simulation turns these dials (`mycelial.simulation.stress`), the gateway of an exchange answers by them, a feed is
spoilt by them. Instants (a sweep, a fat finger) and flows (a seller, forced liquidation) are not conditions; whoever
applies a scenario carries them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mycelial.simulation.scenarios.injections import (
    EVERYTHING,
    ONE,
    Depeg,
    Drought,
    FeedFault,
    Injection,
    LatencyStorm,
    LimitExhaustion,
    Outage,
    RegimeSwitch,
)
from mycelial.simulation.scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is going on; None and empty where nothing is.

    Parameters
    ----------
    quote_value, base_value : float
        What the pair's assets are worth against their peg; 1 is usual. `here` are those of this venue alone.
    """

    drought: Drought | None = None
    outage: Outage | None = None
    latency: LatencyStorm | None = None
    limits: LimitExhaustion | None = None
    regime: RegimeSwitch | None = None
    faults: tuple[FeedFault, ...] = ()
    quote_value: float = 1.0
    base_value: float = 1.0
    quote_value_here: float = 1.0
    base_value_here: float = 1.0


def concerns(injection: Injection, pair: str) -> bool:
    """Tell whether an injection does anything to a pair (``BTC/USD``); a depeg of ``*`` is that of the quote asset."""
    if isinstance(injection, Depeg):
        return injection.target in (EVERYTHING, *pair.split("/"))
    return injection.target in (EVERYTHING, pair)


def conditions(scenario: Scenario, now_ns: int, pair: str) -> Conditions:
    """Return the conditions of a pair at `now_ns` from the start of the scenario."""
    active = [one for one in scenario.active(now_ns) if concerns(one, pair)]
    single = {
        name: next((one for one in active if isinstance(one, kind)), None)
        for name, kind in (
            ("drought", Drought),
            ("outage", Outage),
            ("latency", LatencyStorm),
            ("limits", LimitExhaustion),
            ("regime", RegimeSwitch),
        )
    }
    base, quote = pair.split("/") if "/" in pair else (pair, "")
    values = {"base_value": 1.0, "quote_value": 1.0, "base_value_here": 1.0, "quote_value_here": 1.0}
    for one in active:
        if isinstance(one, Depeg):
            which = "base_value" if one.target == base and base != quote else "quote_value"
            values[f"{which}_here" if one.scope == "venue" else which] *= peg_value(one, now_ns)
    faults = tuple(one for one in active if isinstance(one, FeedFault))
    return Conditions(**single, faults=faults, **values)  # type: ignore[arg-type]


def peg_value(depeg: Depeg, now_ns: int) -> float:
    """Return what the asset is worth while it has lost its peg: down the ramp, then where the ramp ends."""
    whole = depeg.price_ppm / ONE - 1.0
    passed = now_ns - depeg.start_ns
    return 1.0 + whole * (min(1.0, passed / depeg.ramp_ns) if depeg.ramp_ns else 1.0)


def boundaries(scenario: Scenario, pair: str) -> tuple[int, ...]:
    """Return the moments at which something begins or ends for a pair, in order, ns from the start."""
    return tuple(sorted(set(_ends(scenario, pair))))


def _ends(scenario: Scenario, pair: str) -> Iterator[int]:
    for one in scenario.injections:
        if concerns(one, pair):
            yield from (one.start_ns, one.end_ns)
