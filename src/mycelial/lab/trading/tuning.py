"""The baselines as strong as they can be made: their parameters are chosen in tuning worlds, at each fee tier."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mycelial.environment.trading.config import TradingConfig
from mycelial.environment.trading.task import TradingTask
from mycelial.lab.trading.evaluation import TUNING, best_of, world_seed
from mycelial.lab.trading.policies import (
    AvellanedaStoikov,
    BuyAndHold,
    DoNothing,
    FixedSpread,
    Intensity,
    Policy,
    Random,
    SkewedQuotes,
    quote_pair,
)

OFFSETS = (0.5, 0.65, 0.8, 0.95, 1.2, 1.8)
CLOCKS = ((30.0, 60.0), (10.0, 10.0))  # seconds to a refresh, and after a fill: Hummingbot's own, and eager
GAMMAS = (0.003, 0.01, 0.03, 0.1, 0.3)  # times 1 / half spread, per typical order
PROBES = (0.4, 0.7, 1.0, 1.4)


def calibrate(config: TradingConfig, seed: int = 0, worlds: int = 16) -> Intensity:
    """Fit fill rates and volatility as Avellaneda and Stoikov want them, from quotes at four distances.

    The rate of fills of a quote at distance d is fitted as ``a exp(-k d)`` by least squares on its logarithm.
    """
    task = TradingTask(config, worlds, stagger=False)
    unit = task.rules.unit_ticks
    rates, moves = [], []
    for probe in PROBES:
        task.reset(world_seed(TUNING, seed))
        offsets = np.full((worlds, task.agents), probe * unit)
        former = None
        for _ in range(config.steps - 1):
            task.step_wishes(quote_pair(offsets, offsets))
            mids = 0.5 * task.floor.books["best"].sum(axis=1)
            if former is not None:
                moves.append(mids - former)
            former = mids
        task.step_wishes(quote_pair(offsets, offsets))
        lots = task.results()["maker_lots"].mean() / task.rules.typical_lots
        rates.append(max(1e-6, lots / (2 * task.agents * config.steps)))
    task.close()
    slope, level = np.polyfit(np.array(PROBES) * unit, np.log(rates), 1)
    return Intensity(float(math.exp(level)), float(max(1e-6, -slope)), float(np.std(moves)))


def baselines(config: TradingConfig, seeds: Sequence[int] = (0,), worlds: int = 16) -> list[Policy]:
    """Return every hand-made baseline, the tunable ones with the parameters that earn most in tuning worlds."""
    unit = config.regime.half_spread_ticks
    intensity = calibrate(config, worlds=worlds)
    stoikov: list[Policy] = [
        AvellanedaStoikov(gamma / unit, intensity, fees=fees, horizon=horizon)
        for gamma in GAMMAS
        for fees in (False, True)
        for horizon in (None, 20)
    ]
    fixed: list[Policy] = [
        FixedSpread(offset, *clock, skewed=skewed) for offset in OFFSETS for clock in CLOCKS for skewed in (True, False)
    ]
    skewed: list[Policy] = [SkewedQuotes(offset, skew) for offset in OFFSETS for skew in (0.25, 0.5, 1.0)]
    chosen = [best_of(config, family, seeds, worlds) for family in (stoikov, fixed, skewed)]
    return [*chosen, BuyAndHold(), Random(), DoNothing()]
