"""Algorithm F: each agent estimates the value, forecasts the price tau days ahead and learns from the error.

27 states (two volatility states and the mean gap |P - B|), 27 actions (tool, look-back, weight of the forecast). One
call lives one day of one asset for all agents; see specification sections 4 and 7 in `docs/concepts/symba.md`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.agents.symba.memory import code, count_below, push_heap, reward_for
from mycelial.agents.symba.policy import greedy, reinforce, row_of
from mycelial.agents.symba.population import KEY_CHANCE, KEY_ESTIMATE, KEY_TIES, Minds, Purse, Traits
from mycelial.agents.symba.rules import FROZEN, NEGATIVITY, POSITIVITY, UNTRAINED, ZERO_INTELLIGENCE, Rules
from mycelial.agents.symba.signals import Signals
from mycelial.domain.draws import normal, uniform

_NEWS_ERROR = 0.10  # relative error of an estimate that snaps back to the fundamental


@njit(inline="always", error_model="numpy")
def leash_estimate(
    previous: float, value: float, leash: float, volatility: float, news: float, z: float, u: float
) -> float:
    """Return B(t) by the cointegration rule (specification 4)."""
    y = previous * (1.0 + volatility * z)
    if value - y > leash * value:
        y = previous * (1.0 + volatility * abs(z))
    if y - value > leash * value:
        y = previous * (1.0 - volatility * abs(z))
    if u < news:
        y = value * (1.0 + _NEWS_ERROR * z)
    return y


@njit(inline="always", error_model="numpy")
def weight(rho: float, a2: int) -> float:
    """Return alpha, the weight of the forecast against the agent's own estimate (specification 7.2)."""
    if a2 == 1:
        return rho
    if rho <= 0.5:
        return 0.0 if a2 == 0 else 2.0 * rho
    return 2.0 * rho - 1.0 if a2 == 0 else 1.0


@njit(nogil=True, cache=True, error_model="numpy")
def forecast_day(
    rules: Rules,
    traits: Traits,
    minds: Minds,
    purse: Purse,
    signals: Signals,
    keys: NDArray[np.uint64],
    fundamental: NDArray[np.float64],
    uncertainty: NDArray[np.float64],
    j: int,
    t: int,
) -> float:
    """Estimate, forecast and learn for every agent of asset j on day t; return the mean of 100 |B - P| / P.

    `fundamental` and `uncertainty` are float64[J, T]; `minds` is changed in place.
    """
    agents = rules.agents
    price, before = signals.price[j, t], signals.price[j, t - 1]
    value, spread_of_value = fundamental[j, t], uncertainty[j, t]
    key_estimate, key_ties, key_chance = keys[j, KEY_ESTIMATE], keys[j, KEY_TIES], keys[j, KEY_CHANCE]
    learns = not (rules.minds == UNTRAINED or (rules.minds >= FROZEN and t >= rules.learning_days))
    chance = rules.minds >= ZERO_INTELLIGENCE and t >= rules.learning_days
    common, own = math.sqrt(rules.signal_common), math.sqrt(1.0 - rules.signal_common)
    shared = common * normal(key_estimate, np.uint64((t * (agents + 1) + agents) * 4)) if rules.signal else 0.0
    bias_sum = 0.0
    for i in range(agents):
        tau = traits.tau[i]
        # ---- own estimate of value -------------------------------------------------------------------------------
        draw = np.uint64((t * (agents + 1) + (0 if rules.common_noise else i)) * 4)
        previous = minds.estimate[j, i]
        z = normal(key_estimate, draw)
        if rules.signal:
            estimate = value * math.exp(traits.error[j, i] * spread_of_value * (shared + own * z))
        else:
            volatility = traits.leash_volatility[j, i]
            leash = minds.elastic[j, i] * (1.0 + volatility * normal(key_estimate, draw + np.uint64(1)))
            minds.elastic[j, i] = leash
            u = uniform(key_estimate, draw + np.uint64(2))
            estimate = leash_estimate(previous, value, leash, volatility, traits.news[j, i], z, u)
        minds.estimate[j, i] = estimate
        # ---- mean gap between price and estimate over 3 tau days ---------------------------------------------------
        ring = 3 * tau
        at = 3 * minds.moment_at[i] + (t - 1) % ring
        closed_gap = np.float32(100.0 * abs(before - previous) / before)
        minds.gap_sum[j, i] += float(closed_gap) - float(minds.gap[j, at])
        minds.gap[j, at] = closed_gap
        gap_now = 100.0 * abs(price - estimate) / price
        bias_sum += gap_now
        if purse.bankrupt[i]:
            continue
        mean_gap = (minds.gap_sum[j, i] + gap_now) / (min(t, ring) + 1)
        s2 = 0 if mean_gap < 10.0 else (1 if mean_gap < 30.0 else 2)
        state = int(signals.f_volatility[j, i]) * 3 + s2
        # ---- choose a forecast ---------------------------------------------------------------------------------------
        row = minds.f_row[j, i, state]
        tie = np.uint64((t * agents + i) * 4)
        if chance or row == 0:
            action = int(uniform(key_chance if chance else key_ties, tie) * 27.0)
        else:
            action = greedy(minds.f_policy, j, row - 1, key_ties, tie)
        if not rules.learned_weight:
            action = action - action % 3 + 1
        k = traits.horizon_of[i]
        alpha = weight(traits.rho[i], action % 3)
        forecast = alpha * signals.raw[j, k, action // 9 * 3 + action // 3 % 3] + (1.0 - alpha) * estimate
        minds.forecast[j, i] = forecast
        # ---- remember today, look back tau days -------------------------------------------------------------------
        active = minds.active_days[j, i] + 1 if rules.active_clock else t
        minds.active_days[j, i] = active
        slot = minds.moment_at[i] + active % tau
        minds.slot[j, i] = slot
        moment = minds.moment[j, slot]
        due = active > tau and moment.known == 1
        then_state, then_action, then_reward = int(moment.f_state), int(moment.f_action), int(moment.f_reward)
        then_estimate = moment.estimate
        reward = 0
        if due:
            error = max(100.0 * abs(price - moment.forecast) / price, 0.001)
            start = minds.memory_at[i]
            reward, minds.memory_count[j, i, 0] = _error_reward(
                minds.errors,
                j,
                start,
                minds.memory_at[i + 1] - start,
                minds.memory_count[j, i, 0],
                rules.largest,
                error,
            )
            if traits.biased[i] and rules.bias == POSITIVITY:
                reward += 1
            elif traits.biased[i] and rules.bias == NEGATIVITY:
                reward -= 1
        moment.forecast, moment.estimate = forecast, estimate
        moment.f_state, moment.f_action, moment.f_reward = state, action, reward
        if not due or not learns:
            continue
        if rules.delayed_reward:
            if active == tau + 1:
                minds.first_reward[j, i, 0] = reward
            reward = then_reward if active > 2 * tau + 1 else int(minds.first_reward[j, i, 0])
        off_policy = t % (2 + tau // rules.days_month) == 0
        best = -1
        if off_policy:
            best = _best_in_hindsight(signals.hindsight, j, k, traits.rho[i], then_estimate, price)
        learn_row = row_of(minds.f_row, j, i, then_state, minds.rows_used, 0)
        if learn_row < 0:
            learn_row = ~learn_row
            for a in range(27):
                minds.f_policy[j, learn_row, a] = np.float32(1.0 / 27.0)
        kappa, kappa_best = traits.beta[i], traits.beta[i]
        if rules.counted_step:
            minds.f_count[j, learn_row, then_action] += 1
            if off_policy:
                minds.f_count[j, learn_row, best] += 1
                kappa_best /= minds.f_count[j, learn_row, best]
            kappa /= minds.f_count[j, learn_row, then_action]
        if reward != 0:
            reinforce(minds.f_policy, j, learn_row, then_action, reward, kappa)
        if off_policy:
            reinforce(minds.f_policy, j, learn_row, best, 4, kappa_best)
    return bias_sum / agents


@njit(error_model="numpy")
def _error_reward(
    errors: NDArray[np.int16], j: int, start: int, cap: int, stored: int, largest: bool, error: float
) -> tuple[int, int]:
    """Rank a forecast error among those remembered and remember it; return its reward and the new count."""
    x = code(error)
    kept = min(stored, cap)
    reward = reward_for(count_below(errors[j], start, start + kept, x) / kept, False)
    if stored == 1 or (error < 5.0 and reward < 0):
        reward = 1
    if largest:
        return reward, push_heap(errors[j], start, stored, cap, x)
    errors[j, start + stored % cap] = x
    return reward, stored + 1


@njit(error_model="numpy")
def _best_in_hindsight(
    hindsight: NDArray[np.float64], j: int, k: int, rho: float, estimate: float, price: float
) -> int:
    """Return the action whose forecast of tau days ago would have been nearest to today's price."""
    best, least = 0, np.inf
    for tool in range(9):
        raw = hindsight[j, k, tool]
        for a2 in range(3):
            alpha = weight(rho, a2)
            miss = abs(price - (alpha * raw + (1.0 - alpha) * estimate))
            if miss <= least:
                least, best = miss, tool * 3 + a2
    return best
