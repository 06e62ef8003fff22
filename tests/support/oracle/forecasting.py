"""Specification 4 and 7: what an agent thinks an asset is worth, what it forecasts and what it learns from errors."""

from __future__ import annotations

import math

import numpy as np
from tests.support.oracle.memory import bin_code, reward_of, series_code, share_of_series_below
from tests.support.oracle.people import Agent, Asset, Day, Mind, greedy, reinforce

from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.domain.draws import normal, uniform

Keys = dict[str, np.uint64]


def u64(n: int) -> np.uint64:
    return np.uint64(n)


def estimate_value(p: SymbaParameters, agent: Agent, mind: Mind, asset: Asset, keys: Keys, t: int) -> float:
    """Return B(t): the cointegration rule, or the fundamental seen with an error (specification 4)."""
    key, fundamental = keys["estimate"], asset.fundamental[t]
    who = 0 if p.noise == "common" else agent.number
    counter = (t * (p.agents + 1) + who) * 4
    z = normal(key, u64(counter))
    if p.estimate == "signal":
        shared = normal(key, u64((t * (p.agents + 1) + p.agents) * 4))
        mixed = math.sqrt(p.signal_common) * shared + math.sqrt(1.0 - p.signal_common) * z
        return fundamental * math.exp(mind.error * asset.uncertainty[t] * mixed)
    v, before = mind.leash_volatility, mind.estimates[-1]
    mind.elastic *= 1.0 + v * normal(key, u64(counter + 1))
    y = before * (1.0 + v * z)
    if fundamental - y > mind.elastic * fundamental:
        y = before * (1.0 + v * abs(z))
    if y - fundamental > mind.elastic * fundamental:
        y = before * (1.0 - v * abs(z))
    if uniform(key, u64(counter + 2)) < mind.news:
        y = fundamental * (1.0 + 0.10 * z)
    return y


def volatility(p: SymbaParameters, asset: Asset, start: int, stop: int) -> float:
    """Return the dispersion of P over [start, stop) in the sense of Q3."""
    mean, window = asset.mean(start, stop), asset.price[start:stop]
    if p.state_rule == "deviation":
        return max(sum(abs(x - mean) for x in window) / len(window), 0.001)
    variance = sum((x - mean) ** 2 for x in window) / len(window)
    return variance * 1e4 / mean**2 if p.state_rule == "relative" else variance


def show_volatility(p: SymbaParameters, asset: Asset, horizons: set[int], t: int) -> dict[int, tuple[int, int]]:
    """Return today's two volatility codes for every horizon (specification 7.1)."""
    codes = {}
    for tau in horizons:
        long = volatility(p, asset, max(0, t - 3 * tau), t + 1)
        short = volatility(p, asset, max(0, t - tau - 1), t + 1)
        first, second = (short / long, long / (3 * tau)) if p.state_rule == "deviation" else (long, short)
        codes[tau] = series_code(first), series_code(second)
    return codes


def volatility_states(
    p: SymbaParameters, agent: Agent, asset: Asset, codes: tuple[int, int], t: int
) -> tuple[int, int, int]:
    """Return s0 and s1 of algorithm F and s1 of algorithm T."""
    largest = p.memory_rule == "largest"
    cap = agent.tau + agent.span if largest else agent.span
    p0 = share_of_series_below(asset.long_codes[agent.tau], codes[0], cap, largest=largest)
    p1 = share_of_series_below(asset.short_codes[agent.tau], codes[1], cap, largest=largest)

    def quartile(share: float) -> int:
        return 0 if share < 0.25 else 2 if share >= 0.75 else 1

    long_share = p1 if p.state_rule == "deviation" else p0
    third = 0 if long_share < 0.33 else 1 if long_share < 0.67 else 2
    s0, s1 = (quartile(p0), quartile(p1)) if t > 3 else (1, 1)
    return s0, s1, third if t > 1 else 1


def mean_gap_state(agent: Agent, mind: Mind, asset: Asset, t: int) -> int:
    """Return s2 of algorithm F from the mean of 100 |P - B| / P over the last 3 tau days and today."""
    days = range(max(0, t - 3 * agent.tau), t + 1)
    gap = sum(100.0 * abs(asset.price[u] - mind.estimates[u]) / asset.price[u] for u in days) / len(days)
    return 0 if gap < 10.0 else 1 if gap < 30.0 else 2


def project(p: SymbaParameters, asset: Asset, tau: int, a0: int, a1: int, t: int, last: float, *, clip: bool) -> float:
    """Return P^ (specification 7.2); `clip` looks back to day 0 where history is too short, else the mean of all."""
    look_back = (1 + a1) * tau
    half = look_back // 2
    if t < look_back and not clip:
        return max(asset.mean(0, t + 1), 0.001)
    start, middle = max(0, t - look_back), max(0, t - half)
    late = asset.mean(middle, t) if t > middle else last
    early = late
    if middle > start:
        early = asset.mean(start, middle)
        if not p.true_half_mean and t >= look_back:
            early = (asset.totals[middle] - asset.totals[start]) / half  # Q5
    projections = (last - (late - early), (early + late) / 2, last + (late - early))
    cap = p.forecast_cap
    far = max(projections[a0], 0.001)
    return min(max(far, (1 - cap) * last), (1 + cap) * last) if cap > 0 else far


def weight_of(rho: float, a2: int) -> float:
    """Return alpha, the weight of P^ against B."""
    return ((0.0, rho, 2.0 * rho) if rho <= 0.5 else (2.0 * rho - 1.0, rho, 1.0))[a2]


def best_forecast(p: SymbaParameters, agent: Agent, asset: Asset, then: Day, t: int) -> int:
    """Return the action whose forecast of tau days ago would have come nearest to P(t) (specification 7.5)."""
    best, least = 0, math.inf
    past = t - agent.tau
    for tool in range(9):
        raw = project(p, asset, agent.tau, tool // 3, tool % 3, past, asset.price[past - 1], clip=True)
        for a2 in range(3):
            alpha = weight_of(agent.rho, a2)
            miss = abs(asset.price[t] - (alpha * raw + (1.0 - alpha) * then.estimate))
            if miss <= least:
                best, least = tool * 3 + a2, miss
    return best


def rank_error(mind: Mind, error_pct: float) -> int:
    """Return r of a forecast error and remember it (specification 7.3)."""
    code = bin_code(error_pct, -7)
    reward = reward_of(mind.errors.share_below(code))
    if len(mind.errors.codes) == 1 or (error_pct < 5.0 and reward < 0):
        reward = 1
    mind.errors.remember(code)
    return reward


def biased_reward(p: SymbaParameters, agent: Agent, reward: int) -> int:
    if agent.biased:
        reward += {"positivity": 1, "negativity": -1}.get(p.bias, 0)
    return reward


def learns_on(p: SymbaParameters, t: int) -> bool:
    return p.minds == "learning" or (p.minds != "untrained" and t < p.learning_days)


def moment_of(p: SymbaParameters, mind: Mind, t: int) -> int:
    """Return the day as the agent counts: only active ones (Q23), or all."""
    return mind.active_days if p.active_clock else t


def reward_used(p: SymbaParameters, agent: Agent, mind: Mind, now: int, which: str) -> int:
    """Return r(t), or the reward one horizon late (Q7)."""
    day = max(agent.tau + 1, now - agent.tau) if p.delayed_reward else now
    return int(getattr(mind.past[day], which)) if day in mind.past else 0


def forecast(
    p: SymbaParameters, agent: Agent, mind: Mind, asset: Asset, keys: Keys, states: tuple[int, int, int], t: int
) -> None:
    """Live one day of algorithm F for one agent and asset."""
    s0, s1, _ = states
    state = 9 * s0 + 3 * s1 + mean_gap_state(agent, mind, asset, t)
    random_mind = p.minds in ("zero_intelligence", "gode_sunder") and t >= p.learning_days
    tie = u64((t * p.agents + agent.number) * 4)
    if random_mind:
        action = int(uniform(keys["chance"], tie) * 27.0)
    else:
        action = greedy(mind.f_policy[state], uniform(keys["ties"], tie))
    if not p.learned_weight:
        action = action - action % 3 + 1  # Q4
    alpha = weight_of(agent.rho, action % 3)
    projection = project(p, asset, agent.tau, action // 9, action // 3 % 3, t, asset.price[t], clip=False)
    mind.forecast = alpha * projection + (1.0 - alpha) * mind.estimates[t]

    mind.active_days += 1
    now = moment_of(p, mind, t)
    then = mind.past.get(now - agent.tau)
    today = mind.past[now] = Day(mind.forecast, mind.estimates[t], state, action)
    if then is None:
        return
    error = max(100.0 * abs(asset.price[t] - then.forecast) / asset.price[t], 0.001)
    today.f_reward = biased_reward(p, agent, rank_error(mind, error))
    if learns_on(p, t):
        learn_forecasting(p, agent, mind, asset, then, reward_used(p, agent, mind, now, "f_reward"), t)


def learn_forecasting(
    p: SymbaParameters, agent: Agent, mind: Mind, asset: Asset, then: Day, reward: int, t: int
) -> None:
    """Update the policy of algorithm F by the reward and by hindsight (specification 7.4 and 7.5)."""
    off_policy = t % (2 + agent.tau // p.days_month) == 0
    policy, count = mind.f_policy[then.f_state], mind.f_count[then.f_state]
    best = best_forecast(p, agent, asset, then, t) if off_policy else -1
    count[then.f_action] += 1
    if off_policy:
        count[best] += 1
    reinforce(policy, then.f_action, reward, agent.beta / count[then.f_action] if p.counted_step else agent.beta)
    if off_policy:
        reinforce(policy, best, 4, agent.beta / count[best] if p.counted_step else agent.beta)
