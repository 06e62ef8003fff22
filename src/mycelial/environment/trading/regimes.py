"""The markets that teams of makers are trained in: a few regimes of spread and information, each a distribution.

A regime borrows tick, minimums and fees of one of the exchange's pairs and has a population of its own. What matters to
a maker is how wide others quote and how much of that informed takers leave: both are set here, in ticks and basis
points, and the spread of two of them is anchored on recordings (docs/results/maker-economics.md):

======== ===================================================================================================
liquid   3 bp wide, of which nearly nothing is left after informed flow; rules of SOL/USD.
middle   16 bp wide, as WAVES/EUR, XMR/USD, OMG/USD, SC/EUR were on Kraken on 2021-04-17; rules of LTC/USD.
thin     65 bp wide, as MINA/GBP was on Kraken on 2026-08-16; rules of ACA/EUR.
======== ===================================================================================================

Every episode draws a world of its own from the regime: volatility, noise, informed flow, spread and the quality of the
reference price are multiplied by log-uniform factors. `wide` draws lie outside of what training draws from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mycelial.agents.intraday.config import PopulationConfig
from mycelial.domain.errors import NotFound
from mycelial.environment.config import EnvConfig
from mycelial.environment.presets import preset

ORDINARY = (0.6, 1.7)  # factors of a world's parameters
WIDE = (1.7, 2.6)  # ... and, inverted for half of them, of worlds nobody was trained in
SPREADS = (0.8, 1.25)


@dataclass(frozen=True)
class Regime:
    """One kind of market.

    Parameters
    ----------
    name : str
    pair : environment whose tick, minimums and fee ladder apply.
    half_spread_ticks : float
        Where the resident makers quote; the unit of prices in observations and actions.
    step_s : seconds between two decisions of a team.
    population : PopulationConfig
    """

    name: str
    pair: str
    half_spread_ticks: float
    step_s: float
    population: PopulationConfig

    def market(self) -> EnvConfig:
        """Return instrument, fees and population as environments take them."""
        return preset(self.pair, population=self.population)

    def world(self, rng: np.random.Generator, *, wide: bool = False) -> PopulationConfig:
        """Draw the population of one episode; fields that `preset` sets (price, order size) are left to the caller."""
        low, high = WIDE if wide else ORDINARY

        def factor() -> float:
            drawn = math.exp(rng.uniform(math.log(low), math.log(high)))
            return 1.0 / drawn if wide and rng.uniform() < 0.5 else drawn

        people = self.population
        spread = math.exp(rng.uniform(math.log(SPREADS[0]), math.log(SPREADS[1])))
        maker = people.maker
        return people.replace(
            drift_bps=people.drift_bps * factor(),
            reference_bps=people.reference_bps * factor(),
            noise={"rate_hz": people.noise.rate_hz * factor()},
            value={"rate_hz": people.value.rate_hz * factor()},
            executor={"rate_hz": people.executor.rate_hz * factor()},
            maker={
                "half_spread_ticks": maker.half_spread_ticks * spread,
                "spacing_ticks": maker.spacing_ticks * spread,
                "close_ticks": maker.close_ticks * spread,
            },
        )


def _population(
    agents: int,
    half_spread: float,
    tick_bps: float,
    *,
    drift: float,
    fundamental: float,
    noise_hz: float,
    inside: float,
    stray: tuple[float, float],
    informed: tuple[int, float, float, float],
    maker_hz: float,
    cost: float,
) -> PopulationConfig:
    """Return residents who quote `half_spread` ticks from a fair price that informed takers know better.

    `stray` is how far (bp) and long (s) the reference price errs; `informed` number, rate, error and threshold (bp) of
    those who know what the asset is worth.
    """
    count, rate, error, threshold = informed
    wide_bps = half_spread * tick_bps
    people = PopulationConfig().scaled(agents)
    return people.replace(
        drift_bps=drift,
        fundamental_bps=fundamental,
        reference_bps=stray[0],
        reference_s=stray[1],
        noise={
            "rate_hz": noise_hz,
            "depth_ticks": 1.5 * half_spread,
            "inside_share": inside,
            "touch_share": 0.15,
            "lean": 1.0,
            "follow": 0.3,
        },
        maker={
            "rate_hz": maker_hz,
            "half_spread_ticks": half_spread,
            "spacing_ticks": 0.6 * half_spread,
            "skew_ticks": 0.8 * half_spread,
            "lean_ticks": 0.3 * half_spread,
            "fear_ticks": 0.4 * half_spread,
            "patience_ticks": 0.15 * half_spread,
            "close_ticks": 3.0 * half_spread,
            "view_sd_bps": 0.1 * wide_bps,
            "anchor": 0.5,
            "size": 2.0,
            "most_inventory": 60.0,
        },
        value={
            "count": count,
            "rate_hz": rate,
            "view_sd_bps": error,
            "noise_sd_bps": 0.5 * error,
            "threshold_bps": threshold,
            "margin_bps": 1.2 * wide_bps,
        },
        chartist={"threshold_bps": 0.3 * wide_bps},
        arbitrageur={"cost_bps": cost},
        stop_holder={"nearest_bps": 0.5 * drift, "scale_bps": drift},
    )


def _regimes() -> tuple[Regime, ...]:
    liquid = _population(
        150, 3.0, 0.556, drift=120.0, fundamental=15.0, noise_hz=0.03, inside=0.05, stray=(1.0, 10.0),
        informed=(30, 0.2, 1.0, 0.5), maker_hz=0.5, cost=0.5,
    )  # fmt: skip
    middle = _population(
        150, 12.0, 1.0, drift=200.0, fundamental=25.0, noise_hz=0.006, inside=0.03, stray=(10.0, 60.0),
        informed=(60, 0.3, 3.0, 2.0), maker_hz=0.15, cost=4.0,
    )  # fmt: skip
    thin = _population(
        150, 25.0, 2.0, drift=400.0, fundamental=50.0, noise_hz=0.002, inside=0.0, stray=(30.0, 120.0),
        informed=(60, 0.3, 5.0, 3.0), maker_hz=0.05, cost=4.0,
    )  # fmt: skip
    return (
        Regime("liquid", "kraken-solusd", 3.0, 1.0, liquid),
        Regime("middle", "kraken-ltcusd", 8.0, 2.0, middle),
        Regime("thin", "kraken-acaeur", 16.0, 5.0, thin),
    )


REGIMES = {one.name: one for one in _regimes()}


def regime(name: str) -> Regime:
    """Return a packaged regime.

    Raises
    ------
    NotFound
        If there is none of that name.
    """
    if name not in REGIMES:
        raise NotFound(f"there is no trading regime {name!r}; choose one of: {', '.join(REGIMES)}")
    return REGIMES[name]
