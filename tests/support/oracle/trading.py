"""Specification 8: whether an agent buys, sells or waits, at what price, how much, and what it learns from it."""

from __future__ import annotations

import math

import numpy as np
from tests.support.oracle.forecasting import Keys, biased_reward, learns_on, moment_of, reward_used, u64
from tests.support.oracle.memory import reward_of, series_code
from tests.support.oracle.people import Agent, Asset, Day, Mind, Order, greedy, reinforce

from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.domain.draws import uniform

SELL, HOLD, BUY = range(3)
EAGER, NEUTRAL, TOUGH = range(3)


def trading_state(
    p: SymbaParameters, agent: Agent, mind: Mind, asset: Asset, j: int, s1: int, s4: int, t: int
) -> tuple[int, int, int, int, int]:
    """Return (s0, ..., s4) of algorithm T (specification 8.1)."""
    price = asset.price[t]
    s0 = mind.moves.expected(100.0 * (mind.forecast - price) / price)
    if t == 1:
        s0 = 1
    value = max(price, mind.forecast) if p.own_ask_valuation else price  # Q8
    stake = agent.lots[j] * p.lot * value
    if t == 1 or (t >= 2 * p.days_week and mind.stake_reference == 0.0):
        mind.stake_reference = stake
    s2 = 0 if agent.cash < 0.6 * agent.cash_reference else 1
    s3 = 0 if stake < 0.6 * mind.stake_reference else 1
    return s0, s1, s2, s3, s4


def volume_state(p: SymbaParameters, agent: Agent, asset: Asset, t: int) -> int:
    """Return s4: how yesterday's volume ranks among the non-zero ones before."""
    yesterday = asset.volume[t - 1] if t > 1 else 0.0
    if yesterday <= 0.0:
        return 0
    code, earlier = series_code(yesterday), asset.volume_codes
    if not earlier:
        return 2
    largest = p.memory_rule == "largest"
    kept = sorted(earlier)[-(agent.tau + agent.span) :] if largest else earlier[-agent.span :]
    return 1 if sum(c < code for c in kept) / len(kept) < 0.33 else 2


def choose(
    p: SymbaParameters, agent: Agent, mind: Mind, keys: Keys, state: tuple[int, ...], leader: Leader, t: int
) -> tuple[int, bool]:
    """Return the action wanted, and whether it was copied or drawn instead of chosen."""
    s0, s1, s2, _, s4 = state
    at = (t * p.agents + agent.number) * 4
    after = t >= p.learning_days
    herded = after and p.herd_leader != "none" and agent.number < leader.followers
    random_mind = (after and p.minds in ("zero_intelligence", "gode_sunder")) or (herded and p.herd_leader == "noise")
    if random_mind:
        action = int(uniform(keys["chance"], u64(at + 1)) * 9.0)
    else:
        action = greedy(mind.t_policy[index_of(state)], uniform(keys["ties"], u64(at + 1)))
    if agent.biased and uniform(keys["chance"], u64(at + 2)) < agent.bias_chance:
        side, gesture = divmod(action, 3)
        if p.bias == "loss_aversion":
            gesture = min(gesture + 1, TOUGH)
        elif p.bias == "fear" and (s1 == 2 or s2 == 0 or s4 == 0):
            side = SELL
        elif p.bias == "greed" and s0 == 2:
            side = BUY
        action = side * 3 + gesture
    follows = herded and p.herd_leader != "noise" and agent.number != leader.number
    return (leader.action if follows else action), random_mind or follows


class Leader:
    """Whom the herd copies today, and what it did; number -1 when there is nobody to copy."""

    def __init__(self, number: int, followers: int) -> None:
        self.number = number
        self.followers = followers
        self.action = HOLD * 3


def index_of(state: tuple[int, ...]) -> int:
    s0, s1, s2, s3, s4 = state
    return (((s0 * 3 + s1) * 2 + s2) * 2 + s3) * 3 + s4


def filter_lets_through(p: SymbaParameters, agent: Agent, mind: Mind, state: int) -> bool:
    """Return the green light of the filter V (specification 8.3); its clock moves on."""
    best_now = mind.t_value.max(axis=1)
    mind.clock += 1
    if mind.clock == 1:
        mind.frozen_best = [value for value in best_now if value != 0.0]
    green = True
    if mind.frozen_best and mind.clock < agent.patience:
        better = 100.0 * sum(value <= best_now[state] for value in mind.frozen_best) / len(mind.frozen_best)
        waited = 100.0 * mind.clock / agent.patience
        green = better >= 100.0 - waited if p.filter_rule == "eager_when_good" else waited >= better
    if green:
        mind.clock = 0
    return green


def quote(
    p: SymbaParameters, agent: Agent, mind: Mind, asset: Asset, keys: Keys, gesture: int, t: int
) -> tuple[float, float]:
    """Return bid and ask after the gesture (specification 8.2)."""
    price = asset.price[t]
    if p.minds == "gode_sunder" and t >= p.learning_days:
        u = uniform(keys["chance"], u64((t * p.agents + agent.number) * 4 + 3))
        return price * (0.9 + 0.2 * u), price * (0.9 + 0.2 * u)
    bid = min(price, mind.forecast) + p.quoting * max(mind.forecast - price, 0.0)
    ask = max(price, mind.forecast) - p.quoting * max(price - mind.forecast, 0.0)
    unit = p.gesture_volatility * asset.move * price if p.gesture_unit == "volatility" else asset.spread[t - 1]
    shift = agent.gesture * unit * (1.0, 0.0, -1.0)[gesture]
    return max(bid + shift, 0.0), max(ask - shift, 0.0)


def size(p: SymbaParameters, agent: Agent, asset: Asset, j: int, assets: int, side: int, bid: float, ask: float) -> int:
    """Return the signed lots of an order: everything, or a share of the portfolio."""
    share = min(1.0, agent.fraction * asset.activity**p.fraction_attention)
    fractional = p.sizing == "fraction"
    if side == SELL:
        return -min(agent.lots[j], math.floor(share * agent.lots[j] + 0.5)) if fractional else -agent.lots[j]
    if side == HOLD or agent.cash <= 0.0:
        return 0
    cost = max(bid, ask) * assets / (0.98 * share) if fractional else (assets + 1) * ask
    return math.floor(agent.cash / (cost * p.lot)) if cost > 0.0 else 0


def profit_of(p: SymbaParameters, agent: Agent, then: Day, price: float) -> float:
    """Return G(t) of what was bought or sold tau days ago (specification 8.4)."""
    coins = then.lots * p.lot
    dividends = coins * then.price * (p.dividend_rate / p.days_year) * agent.tau
    return coins * (price - then.price) + dividends - 2.0 * abs(coins) * then.price * p.fee


def rank_profit(mind: Mind, profit: float) -> int:
    """Return r of a profit on an exit day and remember it."""
    code = series_code(profit)
    reward = -reward_of(mind.profits.share_at_most(code))
    if len(mind.profits.codes) == 1:
        reward = 1
    mind.profits.remember(code)
    return reward


def hindsight(p: SymbaParameters, agent: Agent, asset: Asset, assets: int, t: int) -> tuple[int, float]:
    """Return the action that would have been best tau days ago and its profit (specification 8.6)."""
    now, then, next_day = asset.price[t], asset.price[t - agent.tau], asset.price[t - agent.tau + 1]
    moved = (next_day > then) - (next_day < then)
    if now > then:
        best = BUY * 3 + (TOUGH, NEUTRAL, EAGER)[moved + 1]
    elif now < then:
        best = SELL * 3 + (EAGER, NEUTRAL, TOUGH)[moved + 1]
    else:
        best = HOLD * 3 + NEUTRAL
    coins = math.ceil(agent.cash_reference / ((assets + 1) * now))
    if not p.purchase_hindsight:
        coins *= best // 3 - HOLD  # Q11
    dividends = coins * then * (p.dividend_rate / p.days_year) * agent.tau
    return best, coins * (now - then) + dividends - 2.0 * abs(coins) * then * p.fee


def trade(
    p: SymbaParameters,
    agent: Agent,
    mind: Mind,
    asset: Asset,
    assets: int,
    j: int,
    keys: Keys,
    s1: int,
    leader: Leader,
    t: int,
) -> None:
    """Live one day of algorithm T for one agent and asset: decide, order, look back, learn."""
    state = trading_state(p, agent, mind, asset, j, s1, volume_state(p, agent, asset, t), t)
    action, not_chosen = choose(p, agent, mind, keys, state, leader, t)
    now = moment_of(p, mind, t)
    awake_share = min(0.95, p.attention_base * asset.activity) if p.attention else 1.0
    awake = uniform(keys["awake"], u64((t * p.agents + agent.number) * 4)) < awake_share
    green = awake
    if awake and now > agent.tau and p.filter_rule != "off" and not not_chosen:
        green = filter_lets_through(p, agent, mind, index_of(state))
    if not green:
        action = HOLD * 3 + action % 3
    if agent.number == leader.number:
        leader.action = action

    side, gesture = divmod(action, 3)
    bid, ask = quote(p, agent, mind, asset, keys, gesture, t)
    mind.ask = ask
    lots = size(p, agent, asset, j, assets, side, bid, ask)
    limit = (ask, asset.price[t], bid)[side]
    then = mind.past.get(now - agent.tau)
    if p.forced_exit and then is not None and then.lots > 0:  # Q14
        lots, limit = -min(agent.lots[j], then.lots), max(asset.price[t], mind.forecast)
    asset.orders[agent.number] = Order(agent.number, lots, limit)

    today = mind.past[now]
    today.t_state = index_of(state)
    today.t_action = HOLD * 3 + EAGER if p.first_action_idle and t == 1 else action  # Q21
    today.green = green
    today.lots, today.price = (lots, limit) if p.intended_fills else (0, asset.price[t])  # Q10
    if then is None:
        return
    profit = profit_of(p, agent, then, asset.price[t])
    exit_day = then.green and (then.lots != 0 or not p.learn_from_fills)
    reward = rank_profit(mind, profit) if exit_day else -4
    if profit > 0.0 and reward < 0:
        reward = 1
    today.t_reward = biased_reward(p, agent, reward)
    if learns_on(p, t):
        used = reward_used(p, agent, mind, now, "t_reward")
        learn_trading(p, agent, mind, asset, assets, then, profit if exit_day else None, used, t)


def learn_trading(
    p: SymbaParameters,
    agent: Agent,
    mind: Mind,
    asset: Asset,
    assets: int,
    then: Day,
    profit: float | None,
    reward: int,
    t: int,
) -> None:
    """Update action values and policy of algorithm T (specification 8.5 and 8.6); profit is None off exit days."""
    off_policy = t % (2 + agent.tau // p.days_month) == 0
    value, count, policy = mind.t_value[then.t_state], mind.t_count[then.t_state], mind.t_policy[then.t_state]

    def average(action: int, outcome: float) -> None:
        count[action] += 1
        value[action] += np.float32((outcome - float(value[action])) / int(count[action]))

    best = -1
    if profit is not None:
        average(then.t_action, profit)
    if off_policy:
        best, best_profit = hindsight(p, agent, asset, assets, t)
        average(best, best_profit)
    if profit is not None:
        reinforce(policy, then.t_action, reward, agent.beta / count[then.t_action] if p.counted_step else agent.beta)
    if off_policy:
        reinforce(policy, best, 4, agent.beta / count[best] if p.counted_step else agent.beta)
