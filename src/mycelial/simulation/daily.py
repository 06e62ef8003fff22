"""One SYMBA day after another: open, let everybody act, close the books.

Agents read only what earlier days left, so assets can act in any order or at the same time; books close one asset after
another because agents pay for all of them from one purse. `live` is the only compiled way in: it lives whole days, or
one part of a day for some of the assets, so that threads can share a day.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.forecast import choose_forecast, estimate_value, learn_forecasting, mean_bias_pct
from mycelial.agents.symba.population import (
    KEY_ACTIVITY,
    KEY_BOOK,
    KEY_TURNOVER,
    LOTS,
    PRICE,
    Forecaster,
    Past,
    Purse,
    Trader,
    Traits,
)
from mycelial.agents.symba.rules import BEST, FIXED, NO_LEADER, NOISE, WORST, Rules
from mycelial.agents.symba.signals import Signals, set_price, update_index, update_signals
from mycelial.agents.symba.trading import HOLD, decide, expect_moves, learn_trading, order, perceive, recall
from mycelial.domain.draws import normal, uniform
from mycelial.domain.kernels import entry, stage
from mycelial.market.call_auction import Fills, agent_of, clear, fills_of, quoted_spread, sort_book
from mycelial.simulation.world import CROWD, Books, Crowd, Mood, Record, World

OPEN, ACT, CLOSE = 1, 2, 4  # parts of a day, added up
WHOLE_DAY = OPEN + ACT + CLOSE

_ACCOUNTING_START = 10  # day of the first bankruptcy yardstick
_GRACE_DAYS = 5  # days after each yardstick without bankruptcies
_HALF_NORMAL_MEAN = 1.2533141373155001  # 1 / E|N(0, 1)|


@entry
def live(world: World, first_day: int, stop_day: int, parts: int, first_asset: int, stop_asset: int) -> None:
    """Live `parts` of days first_day..stop_day-1 of a world, in place; only assets first_asset..stop_asset-1 act."""
    rules, traits, forecaster, trader = world.rules, world.traits, world.forecaster, world.trader
    past, purse, signals, mood, record = world.past, world.purse, world.signals, world.mood, world.record
    books, fills, keys, world_key = world.books, world.fills, world.keys, world.world_key
    fundamental, uncertainty = world.fundamental, world.uncertainty
    for t in range(first_day, stop_day):
        if parts & OPEN:
            open_day(rules, traits.cash0, traits.lots0, purse, signals, t)
            if rules.market_view > 0.0:
                update_index(signals, rules, traits, t)
            if rules.attention or rules.volatility_gesture:
                feel(rules, mood, keys, world_key, t)
        if parts & ACT:
            leader = leader_of(rules, purse, signals.price)
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
                    world.crowd,
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
                collect_orders(books, fills, record, keys[j, KEY_BOOK], rules.matched_spread, j, t)
        if parts & CLOSE:
            bankruptcies(rules, purse, record, signals.price, traits.floor_pct, t)
            for j in range(rules.assets):
                previous = signals.price[j, t]
                close_book(rules, purse, past, signals, books, fills, j, t)
                if rules.attention or rules.volatility_gesture:
                    remember_mood(rules, mood, signals.volume[j, t], previous, signals.price[j, t], j)
            if rules.turnover > 0.0 or rules.reentry > 0.0:
                renew(rules, purse, signals.price, keys, t)


@stage
def open_day(
    rules: Rules,
    cash0: NDArray[np.float64],
    lots0: NDArray[np.int64],
    purse: Purse,
    signals: Signals,
    t: int,
) -> None:
    """Carry prices over, pay interest and dividends, revive everybody at the end of the learning phase."""
    prices, cash, lots, reference = signals.price, purse.cash, purse.lots, purse.cash_reference
    bankrupt, own_ask = purse.bankrupt, purse.ask
    growth, carry = 1.0 + rules.risk_free_rate / rules.days_year, rules.lot * rules.dividend_rate / rules.days_year
    for i in range(rules.agents):
        cash[i] *= growth
    for j in range(rules.assets):
        last = prices[j, t - 1]
        set_price(prices, signals.price_sum, signals.square_sum, j, t, last)
        for i in range(rules.agents):
            # Q8: the authors' code values coins at the agent's own last ask.
            price = own_ask[j, i] if rules.own_ask_valuation else last
            cash[i] += lots[j, i] * price * carry
    if t == rules.learning_days:
        for i in range(rules.agents):
            bankrupt[i], cash[i] = False, cash0[i]
            for j in range(rules.assets):
                lots[j, i] = lots0[j, i]
    for i in range(rules.agents):
        if t == 1 or (t >= 2 * rules.days_week and reference[i] == 0.0):
            reference[i] = cash[i]


@stage
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


@stage
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


@stage
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


@stage
def leader_of(rules: Rules, purse: Purse, price: NDArray[np.float64]) -> int:
    """Return the agent whom the herd copies: the richest or poorest one outside the herd, a fixed one, or -1."""
    cash, lots, bankrupt = purse.cash, purse.lots, purse.bankrupt
    if rules.herd_leader == NO_LEADER or rules.herd_leader == NOISE or rules.herd >= rules.agents:
        return -1
    if rules.herd_leader == FIXED:
        return rules.agents - 1
    leader, top = -1, 0.0
    for i in range(rules.herd, rules.agents):
        if bankrupt[i]:
            continue
        nav = cash[i]
        for j in range(rules.assets):
            nav += lots[j, i] * rules.lot * price[j, 0]
        if leader < 0 or (rules.herd_leader == BEST and nav > top) or (rules.herd_leader == WORST and nav < top):
            leader, top = i, nav
    return leader


@stage
def bankruptcies(
    rules: Rules,
    purse: Purse,
    record: Record,
    prices: NDArray[np.float64],
    floor_pct: NDArray[np.int64],
    t: int,
) -> None:
    """Reset yearly yardsticks and ruin agents who fell below their floor relative to the market (section 10)."""
    cash, lots, bankrupt, nav0, ratios = purse.cash, purse.lots, purse.bankrupt, purse.nav0, record.year_nav_pct
    own_ask = purse.ask
    if t < _ACCOUNTING_START:
        return
    phase = (t - _ACCOUNTING_START) % rules.days_accounting
    year = (t - _ACCOUNTING_START) // rules.days_accounting
    ratio_sum, alive = 0.0, 0
    for i in range(rules.agents):
        if bankrupt[i]:
            continue
        nav = cash[i]
        for j in range(rules.assets):
            price = prices[j, t]
            if rules.own_ask_valuation:
                price = own_ask[j, i]
            nav += lots[j, i] * rules.lot * price
        if phase == 0:
            nav0[i] = nav
        ratio = 100.0 * nav / nav0[i] if nav0[i] > 0.0 else 100.0
        ratios[year, i] = ratio
        ratio_sum += ratio
        alive += 1
    mean_ratio = ratio_sum / alive if alive > 0 else 100.0
    record.nav_ratio_pct[t] = mean_ratio
    if phase > _GRACE_DAYS:
        discount = max(0, 100 - int(mean_ratio))
        for i in range(rules.agents):
            if not bankrupt[i] and ratios[year, i] + discount <= floor_pct[i]:
                bankrupt[i] = True
                cash[i] = 0.0
                for j in range(rules.assets):
                    lots[j, i] = 0
    ruined = 0
    for i in range(rules.agents):
        ruined += int(bankrupt[i])
    record.bankrupt_pct[t] = 100.0 * ruined / rules.agents


@stage
def feel(rules: Rules, mood: Mood, keys: NDArray[np.uint64], world_key: NDArray[np.uint64], t: int) -> None:
    """Set today's attention of every asset from past surprises and news of its own and of the market."""
    assets, phi = rules.assets, rules.attention_persistence
    scale = rules.attention_sd * math.sqrt(1.0 - phi * phi)
    common = 0.0
    for j in range(assets):
        common += 0.5 * (mood.quick[j] + mood.slow[j]) / assets
    mood.news[assets] = phi * mood.news[assets] + scale * normal(world_key[0], np.uint64(4 * t))
    share = rules.attention_market
    for j in range(assets):
        mood.news[j] = phi * mood.news[j] + scale * normal(keys[j, KEY_ACTIVITY], np.uint64(t))
        stirred = (1.0 - share) * 0.5 * (mood.quick[j] + mood.slow[j]) + share * common
        news = math.sqrt(1.0 - share) * mood.news[j] + math.sqrt(share) * mood.news[assets]
        mood.activity[j] = math.exp(max(stirred, -1.0) - 1.0 + news)


@stage
def remember_mood(rules: Rules, mood: Mood, volume: float, previous: float, close: float, j: int) -> None:
    """Fold today's move and volume into the moving averages of asset j."""
    move = abs(math.log(close / previous))
    surprise = min(6.0, move / max(mood.usual_move[j], 1e-6))
    if mood.usual_volume[j] > 0.0:
        surprise += rules.attention_volume * (min(8.0, volume / mood.usual_volume[j]) - 1.0)
        mood.usual_volume[j] += 0.01 * (volume - mood.usual_volume[j])
    else:
        mood.usual_volume[j] = volume
    mood.quick[j] += 0.3 * (surprise - mood.quick[j])
    mood.slow[j] += 0.03 * (surprise - mood.slow[j])
    mood.move[j] = max(0.002, mood.move[j] + 0.03 * (move - mood.move[j]))
    mood.usual_move[j] += 0.005 * (move - mood.usual_move[j])


@stage
def renew(rules: Rules, purse: Purse, price: NDArray[np.float64], keys: NDArray[np.uint64], t: int) -> None:
    """Replace a few agents, and let some bankrupt ones return, with a portfolio drawn around the population's mean."""
    cash, lots, bankrupt, nav0 = purse.cash, purse.lots, purse.bankrupt, purse.nav0
    agents, key = rules.agents, keys[0, KEY_TURNOVER]
    mean_cash, alive = 0.0, 0
    for i in range(agents):
        if not bankrupt[i]:
            mean_cash += cash[i]
            alive += 1
    if alive == 0:
        return
    mean_cash /= alive
    mean_wealth = mean_cash
    for j in range(rules.assets):
        for i in range(agents):
            mean_wealth += lots[j, i] * rules.lot * price[j, t] / alive
    for i in range(agents):
        at = np.uint64((t * agents + i) * 2)
        if uniform(key, at) >= (rules.reentry if bankrupt[i] else rules.turnover):
            continue
        entry_cash = 0.5 * mean_wealth if rules.balanced_entry else mean_cash
        cash[i] = entry_cash * _HALF_NORMAL_MEAN * abs(normal(key, at + np.uint64(1)))
        for j in range(rules.assets):
            if rules.balanced_entry:
                mean_held = 0.5 * mean_wealth / (rules.assets * rules.lot * price[j, t])
            else:
                held = 0
                for k in range(agents):
                    held += lots[j, k]
                mean_held = held / alive
            draw = abs(normal(keys[j, KEY_TURNOVER], at + np.uint64(2**40)))
            lots[j, i] = int(mean_held * _HALF_NORMAL_MEAN * draw)
        nav = cash[i]
        for j in range(rules.assets):
            nav += lots[j, i] * rules.lot * price[j, t]
        nav0[i] = nav
        bankrupt[i] = False
