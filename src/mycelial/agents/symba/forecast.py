"""Algorithm F: each agent estimates the value, forecasts the price tau days ahead and learns from the error.

27 states (two volatility states and the mean gap |P - B|), 27 actions (tool, look-back, weight of the forecast). One
call lives one day of one asset for all agents; see specification sections 4 and 7 in `docs/concepts/symba.md`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.agents.symba.memory import ERROR_FLOOR, bin_of, put, rank_in, reward_for, smallest_in
from mycelial.agents.symba.policy import greedy, reinforce, row_of
from mycelial.agents.symba.population import (
    ESTIMATE,
    F_ACTION,
    F_REWARD,
    F_STATE,
    FORECAST,
    KEY_CHANCE,
    KEY_ESTIMATE,
    KEY_TIES,
    KNOWN,
    Minds,
    Purse,
    Traits,
)
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
    # Arrays are taken out of their tuples once: inside the loop each access would count a reference.
    its_beta = traits.beta
    its_biased = traits.biased
    its_error = traits.error
    its_horizon_of = traits.horizon_of
    its_leash_volatility = traits.leash_volatility
    its_news = traits.news
    its_rho = traits.rho
    its_tau = traits.tau
    mind_active_days = minds.active_days
    mind_deed = minds.deed
    mind_elastic = minds.elastic
    mind_error_coarse = minds.error_coarse
    mind_error_fine = minds.error_fine
    mind_estimate = minds.estimate
    mind_f_count = minds.f_count
    mind_f_policy = minds.f_policy
    mind_f_row = minds.f_row
    mind_first_reward = minds.first_reward
    mind_forecast = minds.forecast
    mind_gap = minds.gap
    mind_gap_sum = minds.gap_sum
    mind_memory_at = minds.memory_at
    mind_memory_count = minds.memory_count
    mind_moment = minds.moment
    mind_moment_at = minds.moment_at
    mind_recent_errors = minds.recent_errors
    mind_rows_used = minds.rows_used
    mind_slot = minds.slot
    own_bankrupt = purse.bankrupt
    seen_f_volatility = signals.f_volatility
    seen_hindsight = signals.hindsight
    seen_raw = signals.raw
    for i in range(agents):
        tau = its_tau[i]
        # ---- own estimate of value -------------------------------------------------------------------------------
        draw = np.uint64((t * (agents + 1) + (0 if rules.common_noise else i)) * 4)
        previous = mind_estimate[j, i]
        z = normal(key_estimate, draw)
        if rules.signal:
            estimate = value * math.exp(its_error[j, i] * spread_of_value * (shared + own * z))
        else:
            volatility = its_leash_volatility[j, i]
            leash = mind_elastic[j, i] * (1.0 + volatility * normal(key_estimate, draw + np.uint64(1)))
            mind_elastic[j, i] = leash
            u = uniform(key_estimate, draw + np.uint64(2))
            estimate = leash_estimate(previous, value, leash, volatility, its_news[j, i], z, u)
        mind_estimate[j, i] = estimate
        # ---- mean gap between price and estimate over 3 tau days ---------------------------------------------------
        ring = 3 * tau
        at = 3 * mind_moment_at[i] + (t - 1) % ring
        closed_gap = np.float32(100.0 * abs(before - previous) / before)
        mind_gap_sum[j, i] += float(closed_gap) - float(mind_gap[j, at])
        mind_gap[j, at] = closed_gap
        gap_now = 100.0 * abs(price - estimate) / price
        bias_sum += gap_now
        if own_bankrupt[i]:
            if not rules.active_clock:  # a day not lived must not be taken for an older one tau days on (Q23)
                mind_deed[j, mind_moment_at[i] + t % tau, KNOWN] = 0
            continue
        mean_gap = (mind_gap_sum[j, i] + gap_now) / (min(t, ring) + 1)
        s2 = 0 if mean_gap < 10.0 else (1 if mean_gap < 30.0 else 2)
        state = int(seen_f_volatility[j, i]) * 3 + s2
        # ---- choose a forecast ---------------------------------------------------------------------------------------
        row = mind_f_row[j, i, state]
        tie = np.uint64((t * agents + i) * 4)
        if chance or row == 0:
            action = int(uniform(key_chance if chance else key_ties, tie) * 27.0)
        else:
            action = greedy(mind_f_policy, j, row - 1, key_ties, tie)
        if not rules.learned_weight:
            action = action - action % 3 + 1
        k = its_horizon_of[i]
        alpha = weight(its_rho[i], action % 3)
        forecast = alpha * seen_raw[j, k, action // 9 * 3 + action // 3 % 3] + (1.0 - alpha) * estimate
        mind_forecast[j, i] = forecast
        # ---- remember today, look back tau days -------------------------------------------------------------------
        active = mind_active_days[j, i] + 1 if rules.active_clock else t
        mind_active_days[j, i] = active
        slot = mind_moment_at[i] + active % tau
        mind_slot[j, i] = slot
        due = active > tau and mind_deed[j, slot, KNOWN] == 1
        then_state, then_action = int(mind_deed[j, slot, F_STATE]), int(mind_deed[j, slot, F_ACTION])
        then_reward, then_estimate = int(mind_deed[j, slot, F_REWARD]) - 8, mind_moment[j, slot, ESTIMATE]
        reward = 0
        if due:
            error = max(100.0 * abs(price - mind_moment[j, slot, FORECAST]) / price, 0.001)
            start, stored = mind_memory_at[i], mind_memory_count[j, i, 0]
            cap = mind_memory_at[i + 1] - start
            reward, stored = _error_reward(
                mind_error_fine,
                mind_error_coarse,
                mind_recent_errors,
                j,
                i,
                start,
                cap,
                stored,
                rules.largest,
                error,
            )
            mind_memory_count[j, i, 0] = stored
            if its_biased[i] and rules.bias == POSITIVITY:
                reward += 1
            elif its_biased[i] and rules.bias == NEGATIVITY:
                reward -= 1
        mind_moment[j, slot, FORECAST], mind_moment[j, slot, ESTIMATE] = forecast, estimate
        mind_deed[j, slot, F_STATE], mind_deed[j, slot, F_ACTION], mind_deed[j, slot, F_REWARD] = (
            state,
            action,
            reward + 8,
        )
        if not due or not learns:
            continue
        if rules.delayed_reward:
            if active == tau + 1:
                mind_first_reward[j, i, 0] = reward
            reward = then_reward if active > 2 * tau + 1 else int(mind_first_reward[j, i, 0])
        off_policy = t % (2 + tau // rules.days_month) == 0
        best = -1
        if off_policy:
            best = _best_in_hindsight(seen_hindsight, j, k, its_rho[i], then_estimate, price)
        learn_row = row_of(mind_f_row, j, i, then_state, mind_rows_used, 0)
        if learn_row < 0:
            learn_row = ~learn_row
            for a in range(27):
                mind_f_policy[j, learn_row, a] = np.float32(1.0 / 27.0)
        kappa, kappa_best = its_beta[i], its_beta[i]
        if rules.counted_step:
            mind_f_count[j, learn_row, then_action] += 1
            if off_policy:
                mind_f_count[j, learn_row, best] += 1
                kappa_best /= mind_f_count[j, learn_row, best]
            kappa /= mind_f_count[j, learn_row, then_action]
        if reward != 0:
            reinforce(mind_f_policy, j, learn_row, then_action, reward, kappa)
        if off_policy:
            reinforce(mind_f_policy, j, learn_row, best, 4, kappa_best)
    return bias_sum / agents


@njit(error_model="numpy")
def _error_reward(
    fine: NDArray[np.int16],
    coarse: NDArray[np.int16],
    ring: NDArray[np.int16],
    j: int,
    i: int,
    start: int,
    cap: int,
    stored: int,
    largest: bool,
    error: float,
) -> tuple[int, int]:
    """Rank a forecast error among those remembered and remember it; return its reward and the new count."""
    where = bin_of(error, ERROR_FLOOR)
    reward = reward_for(rank_in(fine, coarse, j, i, where) / min(stored, cap), False)
    if stored == 1 or (error < 5.0 and reward < 0):
        reward = 1
    put(fine, coarse, j, i, where, 1)
    if largest:
        if stored < cap:
            return reward, stored + 1
        put(fine, coarse, j, i, smallest_in(fine, coarse, j, i), -1)
        return reward, stored
    at = start + stored % cap
    if stored >= cap:
        put(fine, coarse, j, i, int(ring[j, at]), -1)
    ring[j, at] = where
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
