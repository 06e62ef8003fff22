"""One SYMBA day after another: open, let everybody act, close the books.

Agents read only what earlier days left, so assets can act in any order or at the same time; books close one asset after
another because agents pay for all of them from one purse. `live` is the only compiled way in: it lives whole days, or
one part of a day for some of the assets, so that threads can share a day.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.decision import HOLD, decide
from mycelial.agents.symba.estimate import estimate_value, mean_bias_pct
from mycelial.agents.symba.forecast import choose_forecast
from mycelial.agents.symba.learning_to_forecast import learn_forecasting
from mycelial.agents.symba.learning_to_trade import learn_trading
from mycelial.agents.symba.orders import order
from mycelial.agents.symba.perception import expect_moves, perceive, recall
from mycelial.agents.symba.population import (
    KEY_BOOK,
    KEY_META,
    LOTS,
    PRICE,
    Forecaster,
    Past,
    Purse,
    Trader,
    Traits,
)
from mycelial.agents.symba.rules import (
    Rules,
)
from mycelial.agents.symba.signals import Signals, set_price, update_index, update_signals
from mycelial.domain.kernels import entry, kernel
from mycelial.market.call_auction import Fills, agent_of, clear, fills_of, quoted_spread, sort_book
from mycelial.simulation.attention import feel, remember_mood
from mycelial.simulation.meta_orders import endow, is_meta_day, swell
from mycelial.simulation.wealth import bankruptcies, leader_of, open_day, renew
from mycelial.simulation.world import CROWD, Books, Crowd, Mood, Record, World

OPEN, ACT, CLOSE = 1, 2, 4  # parts of a day, added up
WHOLE_DAY = OPEN + ACT + CLOSE


def live(world: World, first_day: int, stop_day: int, parts: int, first_asset: int, stop_asset: int) -> None:
    """Live `parts` of days first_day..stop_day-1 of a world, in place; only assets first_asset..stop_asset-1 act."""
    live_compiled(*world, first_day, stop_day, parts, first_asset, stop_asset)


@entry
def live_compiled(
    rules: Rules,
    traits: Traits,
    forecaster: Forecaster,
    trader: Trader,
    past: Past,
    purse: Purse,
    signals: Signals,
    mood: Mood,
    record: Record,
    books: Books,
    fills: Fills,
    crowd: Crowd,
    keys: NDArray[np.uint64],
    world_key: NDArray[np.uint64],
    fundamental: NDArray[np.float64],
    uncertainty: NDArray[np.float64],
    first_day: int,
    stop_day: int,
    parts: int,
    first_asset: int,
    stop_asset: int,
) -> None:
    """See `live`; a world comes in pieces, because compiling takes a copy of all of it wherever one piece is named."""
    for t in range(first_day, stop_day):
        if parts & OPEN:
            open_day(rules, traits.cash0, traits.lots0, purse, signals, t)
            if rules.market_view > 0.0:
                update_index(signals, rules, traits, t)
            if rules.attention or rules.volatility_gesture:
                feel(rules, mood, keys, world_key, t)
        if parts & ACT:
            leader = leader_of(rules, purse, signals.price, t)
            for j in range(first_asset, stop_asset):
                update_signals(signals, rules, traits, j, t)
                act(
                    rules,
                    traits,
                    forecaster,
                    trader,
                    past,
                    purse,
                    signals,
                    books,
                    crowd,
                    keys,
                    fundamental[j, t],
                    uncertainty[j, t],
                    record.spread[j, t - 1],
                    mood.move[j],
                    mood.activity[j],
                    leader,
                    j,
                    t,
                )
                record.bias_pct[j, t] = mean_bias_pct(forecaster.estimate, signals.price[j, t], j)
                if is_meta_day(rules, t):
                    swell(rules, purse, books.lots[j], keys[j, KEY_META], j, t)
                collect_orders(books, fills, record, keys[j, KEY_BOOK], rules.matched_spread, j, t)
        if parts & CLOSE:
            bankruptcies(rules, purse, record, signals.price, traits.floor_pct, t)
            for j in range(rules.assets):
                previous = signals.price[j, t]
                if is_meta_day(rules, t):
                    endow(rules, purse, books.lots[j], books.price[j], keys[j, KEY_META], j, t)
                close_book(rules, purse, past, signals, books, fills, j, t)
                if rules.attention or rules.volatility_gesture:
                    remember_mood(rules, mood, signals.volume[j, t], previous, signals.price[j, t], j)
            if rules.turnover > 0.0 or rules.reentry > 0.0:
                renew(rules, purse, signals.price, keys, t)


@kernel
def act(
    rules: Rules,
    traits: Traits,
    forecaster: Forecaster,
    trader: Trader,
    past: Past,
    purse: Purse,
    signals: Signals,
    books: Books,
    crowd: Crowd,
    keys: NDArray[np.uint64],
    value: float,
    uncertainty: float,
    spread: float,
    volatility: float,
    activity: float,
    leader: int,
    j: int,
    t: int,
) -> None:
    """Let all agents forecast and order in asset j, a crowd at a time; the leader, if any, alone and first."""
    price, before = signals.price[j, t], signals.price[j, t - 1]
    forecast, bankrupt = forecaster.forecast, purse.bankrupt
    row, state, action, green = crowd.row[j], crowd.state[j], crowd.action[j], crowd.green[j]
    where, deed, estimate = crowd.where[j], crowd.deed[j], crowd.estimate[j]
    leader_action, done = HOLD * 3, 0
    lead = leader >= 0
    while done < rules.agents:
        if lead:
            first, stop = leader, leader + 1
        else:
            if done == leader:  # has acted already
                done += 1
                continue
            first, stop = done, min(done + CROWD, rules.agents)
            if first < leader:
                stop = min(stop, leader)
            done = stop
        estimate_value(
            rules, traits, forecaster, past, signals.f_volatility, keys, value, uncertainty, before, price, j, t,
            first, stop, row,
        )  # fmt: skip
        choose_forecast(
            rules, traits, forecaster, past, bankrupt, signals.raw, keys, price, j, t, first, stop, row, where,
            deed, estimate,
        )  # fmt: skip
        learn_forecasting(
            rules, traits, forecaster, past, bankrupt, signals.hindsight, price, j, t, first, stop, where, deed,
            estimate,
        )  # fmt: skip
        expect_moves(trader, past, forecast, price, j, first, stop, where)
        perceive(
            rules, trader, past, purse, signals.t_volatility, signals.t_volume, forecast, price, j, t, first, stop,
            where, state,
        )  # fmt: skip
        recall(trader, past, bankrupt, j, first, stop, state, row)
        decide(
            rules, traits, trader, past, bankrupt, keys, activity, leader, leader_action, j, t, first, stop, state,
            row, action, green,
        )  # fmt: skip
        order(
            rules, traits, purse, keys, forecast, price, spread, volatility, activity, j, t, first, stop, action,
            books.lots, books.price,
        )  # fmt: skip
        learn_trading(
            rules, traits, trader, past, purse, signals.price, forecast, j, t, first, stop, state, action, green,
            books.lots, books.price,
        )  # fmt: skip
        if lead:
            leader_action, lead = action[0] if not bankrupt[leader] else leader_action, False


@kernel
def collect_orders(
    books: Books, every: Fills, record: Record, key: np.uint64, matched_spread: bool, j: int, t: int
) -> None:
    """Sort the book of asset j and record its quotes and spread."""
    fills, prices = fills_of(every, j), books.price[j]
    bids, asks = sort_book(books.lots[j], prices, key, t, fills)
    record.spread[j, t] = quoted_spread(prices, fills, bids, asks, matched_spread, books.averages[j])
    if bids > 0:
        record.best_bid[j, t] = prices[agent_of(fills.bids[0])]
    if asks > 0:
        record.best_ask[j, t] = prices[agent_of(fills.asks[0])]
    books.size[j, 0], books.size[j, 1] = bids, asks


@kernel
def close_book(
    rules: Rules, purse: Purse, past: Past, signals: Signals, books: Books, every: Fills, j: int, t: int
) -> None:
    """Clear the book of asset j, write its close and volume, and let agents remember what they traded."""
    fills, moment, slots = fills_of(every, j), past.moment, past.slot
    touched, filled, value = fills.touched, fills.lots, fills.value
    last_lots, last_price = fills.last_lots, fills.last_price
    close, volume = clear(
        books.lots[j],
        books.price[j],
        purse.cash,
        purse.lots[j],
        fills,
        books.size[j, 0],
        books.size[j, 1],
        rules.lot,
        rules.fee,
        rules.cash_fee,
        rules.keep_matched,
        rules.price_rule,
        books.averages[j],
    )
    previous = signals.price[j, t]
    if math.isnan(close):
        close = previous
    if rules.tick > 0.0:
        step = rules.tick * 100.0
        close = max(step, math.floor(close / step + 0.5) * step)
    if close < 1e-6:
        close = previous / 2.0
    set_price(signals.price, signals.price_sum, signals.square_sum, j, t, close)
    signals.volume[j, t] = volume * rules.lot
    for k in range(fills.touched_count[0]):
        i = touched[k]
        slot = slots[j, i]
        if rules.intended_fills:
            moment[j, slot, LOTS], moment[j, slot, PRICE] = last_lots[i], last_price[i]
        else:
            moment[j, slot, LOTS] = filled[i]
            moment[j, slot, PRICE] = value[i] / max(1, abs(filled[i]))
