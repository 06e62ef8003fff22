"""Small environments whose every rule a test may bend."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from mycelial.agents.intraday.config import PopulationConfig
from mycelial.domain.instrument import Instrument
from mycelial.environment import EnvConfig, Episode, Every, Observed

POPULATION = PopulationConfig().scaled(120).replace(noise={"rate_hz": 0.5}, price_ticks=10_000.0)
INSTRUMENT = Instrument("TEST/USD", Decimal("0.01"), Decimal("0.01"), ladder_ticks=2**15, max_orders=2**12)
FEES = ((0, 2_500, 4_000),)


def small(**changes: Any) -> EnvConfig:
    """Return a market of 120 agents with fees, steps of 100 ms and episodes of 20 steps."""
    settings: dict[str, Any] = {
        "instrument": INSTRUMENT,
        "population": POPULATION,
        "fee_tiers": FEES,
        "pace": Every(0.1),
        "episode": Episode(seconds=2.0, warm_up_s=1.0),
        "observed": Observed(depth=5, orders=3, trades=4),
    }
    return EnvConfig(**{**settings, **changes})


def choose(step: int, count: int, start: int = 0) -> int:
    """Return a choice that runs through all of them in a scrambled order."""
    return int((start + 7 * step + step * step) % count)


def total_money(market: Any) -> tuple[int, int]:
    """Return all cash and all assets of a market, the exchange's and the world's rows included."""
    accounts = market.book.accounts()
    return (
        int(accounts["cash_free"].sum() + accounts["cash_held"].sum()),
        int(accounts["asset_free"].sum() + accounts["asset_held"].sum()),
    )


def same(one: Any, other: Any) -> bool:
    """Tell whether two observations are the same bytes."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return bool(np.asarray(one).tobytes() == np.asarray(other).tobytes())
