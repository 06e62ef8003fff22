"""One SYMBA day after another: open, let everybody act, close the books.

Agents read only what earlier days left, so assets can act in any order or at the same time; books close one asset after
another because agents pay for all of them from one purse. `live` runs many days in one compiled call; `open_day`, `act` and
`close_day` are the same day in three, for threads that share it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mycelial.agents.symba.forecast import forecast_day
from mycelial.agents.symba.population import KEY_ACTIVITY, KEY_BOOK, KEY_TURNOVER, LOTS, PRICE
from mycelial.agents.symba.rules import BEST, FIXED, NO_LEADER, NOISE, WORST
from mycelial.agents.symba.signals import set_price, update_signals
from mycelial.agents.symba.trading import trade_day
from mycelial.domain.draws import normal, uniform
from mycelial.market.call_auction import agent_of, clear, fills_of, quoted_spread, sort_book
from mycelial.simulation.world import World

_ACCOUNTING_START = 10  # day of the first bankruptcy yardstick
_GRACE_DAYS = 5  # days after each yardstick without bankruptcies
_HALF_NORMAL_MEAN = 1.2533141373155001  # 1 / E|N(0, 1)|


@njit(nogil=True, cache=True, error_model="numpy")
def live(world: World, first: int, stop: int) -> None:
    """Live days first..stop-1 of a world, in place."""
    for t in range(first, stop):
        open_day(world, t)
        act(world, t, 0, world.rules.assets)
        close_day(world, t)


@njit(nogil=True, cache=True, error_model="numpy")
def open_day(world: World, t: int) -> None:
    """Carry prices over, pay interest, revive everybody at the end of the learning phase, set today's attention."""
    rules, purse, signals = world.rules, world.purse, world.signals
    for j in range(rules.assets):
        set_price(signals.price, signals.price_sum, signals.square_sum, j, t, signals.price[j, t - 1])
    growth, carry = 1.0 + rules.risk_free_rate / rules.days_year, rules.lot * rules.dividend_rate / rules.days_year
    for i in range(rules.agents):
        purse.cash[i] *= growth
    for j in range(rules.assets):
        last = signals.price[j, t - 1]
        for i in range(rules.agents):
            # Q8: the authors' code values coins at the agent's own last ask.
            price = world.minds.ask[j, i] if rules.own_ask_valuation else last
            purse.cash[i] += purse.lots[j, i] * price * carry
    if t == rules.learning_days:
        for i in range(rules.agents):
            purse.bankrupt[i] = False
            purse.cash[i] = world.traits.cash0[i]
            for j in range(rules.assets):
                purse.lots[j, i] = world.traits.lots0[j, i]
    for i in range(rules.agents):
        if t == 1 or (t >= 2 * rules.days_week and purse.cash_reference[i] == 0.0):
            purse.cash_reference[i] = purse.cash[i]
    if rules.attention or rules.volatility_gesture:
        _feel(world, t)


@njit(nogil=True, cache=True, error_model="numpy")
def act(world: World, t: int, first: int, stop: int) -> None:
    """Let all agents forecast and order in assets first..stop-1, and sort those books."""
    rules, minds, record = world.rules, world.minds, world.record
    leader = _leader(world)
    for j in range(first, stop):
        update_signals(world.signals, rules, world.traits, j, t)
        record.bias_pct[j, t] = forecast_day(
            rules,
            world.traits,
            minds,
            world.purse,
            world.signals,
            world.keys,
            world.fundamental,
            world.uncertainty,
            j,
            t,
        )
        trade_day(
            rules,
            world.traits,
            minds,
            world.purse,
            world.signals,
            world.keys,
            world.order_lots,
            world.order_price,
            record.spread[j, t - 1],
            world.mood.move[j],
            world.mood.activity[j],
            leader,
            j,
            t,
        )
        fills = fills_of(world.fills, j)
        prices = world.order_price[j]
        bids, asks = sort_book(world.order_lots[j], prices, world.keys[j, KEY_BOOK], t, fills)
        record.spread[j, t] = quoted_spread(prices, fills, bids, asks, rules.matched_spread, world.averages[j])
        if bids > 0:
            record.best_bid[j, t] = prices[agent_of(fills.bids[0])]
        if asks > 0:
            record.best_ask[j, t] = prices[agent_of(fills.asks[0])]
        world.book_size[j, 0], world.book_size[j, 1] = bids, asks


@njit(nogil=True, cache=True, error_model="numpy")
def close_day(world: World, t: int) -> None:
    """Declare bankruptcies, clear every book, write prices and volumes, renew part of the population."""
    rules, purse, signals, minds = world.rules, world.purse, world.signals, world.minds
    _bankruptcies(world, t)
    for j in range(rules.assets):
        fills = fills_of(world.fills, j)
        close, volume = clear(
            world.order_lots[j],
            world.order_price[j],
            purse.cash,
            purse.lots[j],
            fills,
            world.book_size[j, 0],
            world.book_size[j, 1],
            rules.lot,
            rules.fee,
            rules.cash_fee,
            rules.keep_matched,
            rules.price_rule,
            world.averages[j],
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
        for k in range(fills.count[0]):
            i = fills.touched[k]
            slot = minds.slot[j, i]
            if rules.intended_fills:
                minds.moment[j, slot, LOTS], minds.moment[j, slot, PRICE] = fills.last_lots[i], fills.last_price[i]
            else:
                minds.moment[j, slot, LOTS] = fills.lots[i]
                minds.moment[j, slot, PRICE] = fills.value[i] / max(1, abs(fills.lots[i]))
        if rules.attention or rules.volatility_gesture:
            _remember_mood(world, j, t, previous, close)
    if rules.turnover > 0.0 or rules.reentry > 0.0:
        _renew(world, t)


@njit(error_model="numpy")
def _leader(world: World) -> int:
    """Return the agent whom the herd copies: the richest or poorest one outside the herd, a fixed one, or -1."""
    rules = world.rules
    if rules.herd_leader == NO_LEADER or rules.herd_leader == NOISE or rules.herd >= rules.agents:
        return -1
    if rules.herd_leader == FIXED:
        return rules.agents - 1
    leader, top = -1, 0.0
    for i in range(rules.herd, rules.agents):
        if world.purse.bankrupt[i]:
            continue
        nav = world.purse.cash[i]
        for j in range(rules.assets):
            nav += world.purse.lots[j, i] * rules.lot * world.signals.price[j, 0]
        if leader < 0 or (rules.herd_leader == BEST and nav > top) or (rules.herd_leader == WORST and nav < top):
            leader, top = i, nav
    return leader


@njit(error_model="numpy")
def _bankruptcies(world: World, t: int) -> None:
    """Reset yearly yardsticks and ruin agents who fell below their floor relative to the market (section 10)."""
    rules, purse, record = world.rules, world.purse, world.record
    if t < _ACCOUNTING_START:
        return
    phase = (t - _ACCOUNTING_START) % rules.days_accounting
    year = (t - _ACCOUNTING_START) // rules.days_accounting
    ratio_sum, alive = 0.0, 0
    for i in range(rules.agents):
        if purse.bankrupt[i]:
            continue
        nav = purse.cash[i]
        for j in range(rules.assets):
            price = world.signals.price[j, t]
            if rules.own_ask_valuation:
                price = world.minds.ask[j, i]
            nav += purse.lots[j, i] * rules.lot * price
        if phase == 0:
            purse.nav0[i] = nav
        ratio = 100.0 * nav / purse.nav0[i] if purse.nav0[i] > 0.0 else 100.0
        record.year_nav_pct[year, i] = ratio
        ratio_sum += ratio
        alive += 1
    mean_ratio = ratio_sum / alive if alive > 0 else 100.0
    record.nav_ratio_pct[t] = mean_ratio
    if phase > _GRACE_DAYS:
        discount = max(0, 100 - int(mean_ratio))
        for i in range(rules.agents):
            if not purse.bankrupt[i] and record.year_nav_pct[year, i] + discount <= world.traits.floor_pct[i]:
                purse.bankrupt[i] = True
                purse.cash[i] = 0.0
                for j in range(rules.assets):
                    purse.lots[j, i] = 0
    ruined = 0
    for i in range(rules.agents):
        ruined += int(purse.bankrupt[i])
    record.bankrupt_pct[t] = 100.0 * ruined / rules.agents


@njit(error_model="numpy")
def _feel(world: World, t: int) -> None:
    """Set today's attention of every asset from past surprises and news of its own and of the market."""
    rules, mood = world.rules, world.mood
    assets, phi = rules.assets, rules.attention_persistence
    scale = rules.attention_sd * math.sqrt(1.0 - phi * phi)
    common = 0.0
    for j in range(assets):
        common += 0.5 * (mood.quick[j] + mood.slow[j]) / assets
    mood.news[assets] = phi * mood.news[assets] + scale * normal(world.world_key[0], np.uint64(4 * t))
    share = rules.attention_market
    for j in range(assets):
        mood.news[j] = phi * mood.news[j] + scale * normal(world.keys[j, KEY_ACTIVITY], np.uint64(t))
        stirred = (1.0 - share) * 0.5 * (mood.quick[j] + mood.slow[j]) + share * common
        news = math.sqrt(1.0 - share) * mood.news[j] + math.sqrt(share) * mood.news[assets]
        mood.activity[j] = math.exp(max(stirred, -1.0) - 1.0 + news)


@njit(error_model="numpy")
def _remember_mood(world: World, j: int, t: int, previous: float, close: float) -> None:
    """Fold today's move and volume into the moving averages of asset j."""
    rules, mood = world.rules, world.mood
    move, volume = abs(math.log(close / previous)), world.signals.volume[j, t]
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


@njit(error_model="numpy")
def _renew(world: World, t: int) -> None:
    """Replace a few agents, and let some bankrupt ones return, with a portfolio drawn around the population's mean."""
    rules, purse = world.rules, world.purse
    agents, key = rules.agents, world.keys[0, KEY_TURNOVER]
    mean_cash, alive = 0.0, 0
    for i in range(agents):
        if not purse.bankrupt[i]:
            mean_cash += purse.cash[i]
            alive += 1
    if alive == 0:
        return
    mean_cash /= alive
    for i in range(agents):
        at = np.uint64((t * agents + i) * 2)
        if uniform(key, at) >= (rules.reentry if purse.bankrupt[i] else rules.turnover):
            continue
        purse.cash[i] = mean_cash * _HALF_NORMAL_MEAN * abs(normal(key, at + np.uint64(1)))
        for j in range(rules.assets):
            held = 0
            for k in range(agents):
                held += purse.lots[j, k]
            purse.lots[j, i] = int(
                held / alive * _HALF_NORMAL_MEAN * abs(normal(world.keys[j, KEY_TURNOVER], at + np.uint64(2**40)))
            )
        nav = purse.cash[i]
        for j in range(rules.assets):
            nav += purse.lots[j, i] * rules.lot * world.signals.price[j, t]
        purse.nav0[i] = nav
        purse.bankrupt[i] = False
