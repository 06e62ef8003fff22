"""The state of one world between two days, and what is recorded of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.fundamental import Fundamental, draw_fundamental
from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.agents.symba.population import (
    Forecaster,
    Past,
    Purse,
    Trader,
    Traits,
    asset_keys,
    draw_traits,
    empty_forecaster,
    empty_past,
    empty_trader,
    opening_purse,
)
from mycelial.agents.symba.rules import Rules, rules_of
from mycelial.agents.symba.signals import Signals, empty_signals
from mycelial.domain.seeds import generator, stream_key
from mycelial.market.call_auction import Fills, empty_fills

CROWD = 256  # agents who pass through the stages together: what they touch fits into the second-level cache


class Mood(NamedTuple):
    """Smoothed moves and volumes behind gestures and attention, per asset; changed in place."""

    move: NDArray[np.float64]  # [J] EMA .03 of |r|
    usual_move: NDArray[np.float64]  # [J] EMA .005 of |r|
    usual_volume: NDArray[np.float64]  # [J] EMA .01 of V
    quick: NDArray[np.float64]  # [J] EMA .3 of surprise
    slow: NDArray[np.float64]  # [J] EMA .03 of surprise
    news: NDArray[np.float64]  # [J + 1] exogenous log-attention; last: of the whole market
    activity: NDArray[np.float64]  # [J] attention a of today
    surprise: NDArray[np.float64]  # [J] scratch


class Record(NamedTuple):
    """What a run leaves behind."""

    spread: NDArray[np.float64]  # [J, T] W(t)
    best_bid: NDArray[np.float64]  # [J, T] before clearing; nan without one
    best_ask: NDArray[np.float64]  # [J, T]
    bias_pct: NDArray[np.float64]  # [J, T] mean of 100 |B - P| / P over agents
    bankrupt_pct: NDArray[np.float64]  # [T]
    nav_ratio_pct: NDArray[np.float64]  # [T] mean of 100 NAV / NAV0 over live agents
    year_nav_pct: NDArray[np.float64]  # [years, I] 100 NAV / NAV0 at the end of each accounting year


class Books(NamedTuple):
    """Today's orders of every asset; changed in place."""

    lots: NDArray[np.int64]  # [J, I] signed: positive buys; 0 without an order
    price: NDArray[np.float64]  # [J, I] limit
    size: NDArray[np.int64]  # [J, 2] numbers of bids and asks
    averages: NDArray[np.float64]  # [J, 2] last mean bid and ask


class Crowd(NamedTuple):
    """What one stage of the day leaves to the next about the agents who pass through together; scratch."""

    row: NDArray[np.int64]  # [J, CROWD] policy row of F, then of T
    state: NDArray[np.int64]  # [J, CROWD] state of T
    action: NDArray[np.int64]  # [J, CROWD] action of T
    green: NDArray[np.bool_]  # [J, CROWD] whether to go ahead today
    where: NDArray[np.int64]  # [J, CROWD] bin of the error of F, then of the expected move of T
    deed: NDArray[np.int64]  # [J, CROWD] what F did tau days ago
    estimate: NDArray[np.float64]  # [J, CROWD] B of that day


class World(NamedTuple):
    """Everything a day needs. Arrays are changed in place; J assets, I agents, T days."""

    rules: Rules
    traits: Traits
    forecaster: Forecaster
    trader: Trader
    past: Past
    purse: Purse
    signals: Signals
    mood: Mood
    record: Record
    books: Books
    fills: Fills
    crowd: Crowd
    keys: NDArray[np.uint64]  # [J, streams]
    world_key: NDArray[np.uint64]  # [1] stream of world-wide events
    fundamental: NDArray[np.float64]  # [J, T]
    uncertainty: NDArray[np.float64]  # [J, T]


def new_world(params: SymbaParameters, assets: int, seed: int, fundamental: Fundamental | None = None) -> World:
    """Draw a population and its fundamentals and open the books on day 0."""
    rules = rules_of(params, assets)
    traits = draw_traits(params, assets, seed)
    paths = draw_fundamental(params, assets, seed) if fundamental is None else fundamental
    forecaster = empty_forecaster(params, traits, assets)
    signals = empty_signals(rules, traits.horizon.size)
    forecaster.estimate[:] = paths.value[:, :1]
    opening_bids = paths.value[:, :1] + np.abs(generator(seed, "symba", "opening").normal(size=(assets, rules.agents)))
    signals.price[:, 0] = opening_bids.mean(axis=1)
    signals.price_sum[:, 1] = signals.price[:, 0]
    purse = opening_purse(traits, float(paths.value[:, 0].mean()) / 100.0)
    purse.ask[:] = signals.price[:, :1]
    years = max(1, (rules.days - 10) // rules.days_accounting + 1)
    return World(
        rules=rules,
        traits=traits,
        forecaster=forecaster,
        trader=empty_trader(params, traits, assets),
        past=empty_past(params, traits, assets),
        purse=purse,
        signals=signals,
        mood=Mood(
            move=np.full(assets, 0.01),
            usual_move=np.full(assets, 0.02),
            usual_volume=np.zeros(assets),
            quick=np.ones(assets),
            slow=np.ones(assets),
            news=np.zeros(assets + 1),
            activity=np.ones(assets),
            surprise=np.ones(assets),
        ),
        record=Record(
            spread=np.zeros((assets, rules.days)),
            best_bid=np.full((assets, rules.days), np.nan),
            best_ask=np.full((assets, rules.days), np.nan),
            bias_pct=np.zeros((assets, rules.days)),
            bankrupt_pct=np.zeros(rules.days),
            nav_ratio_pct=np.full(rules.days, 100.0),
            year_nav_pct=np.full((years, rules.agents), np.nan),
        ),
        books=Books(
            lots=np.zeros((assets, rules.agents), np.int64),
            price=np.zeros((assets, rules.agents)),
            size=np.zeros((assets, 2), np.int64),
            averages=np.repeat(signals.price[:, :1], 2, axis=1),
        ),
        fills=empty_fills(assets, rules.agents),
        crowd=Crowd(
            row=np.zeros((assets, CROWD), np.int64),
            state=np.zeros((assets, CROWD), np.int64),
            action=np.zeros((assets, CROWD), np.int64),
            green=np.zeros((assets, CROWD), np.bool_),
            where=np.zeros((assets, CROWD), np.int64),
            deed=np.zeros((assets, CROWD), np.int64),
            estimate=np.zeros((assets, CROWD)),
        ),
        keys=asset_keys(seed, assets),
        world_key=np.array([stream_key(seed, "symba", "world")], np.uint64),
        fundamental=paths.value,
        uncertainty=paths.uncertainty,
    )
