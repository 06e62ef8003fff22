"""Algorithm F: each agent estimates the value, forecasts the price tau days ahead and learns from the error.

27 states (two volatility states and the mean gap |P - B|), 27 actions (tool, look-back, weight of the forecast); see
specification sections 4 and 7 in `docs/concepts/symba.md`. A few hundred agents at a time pass through three stages;
each stage asks for the memory that the next one will touch, so that agents wait for memory together, not in turn.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.memory import (
    ERROR_FLOOR,
    ERRORS_IN_A_WORD,
    bin_of,
    put,
    rank_in,
    recalled,
    remember,
    reward_for,
    smallest_in,
)
from mycelial.agents.symba.policy import greedy, reinforcing
from mycelial.agents.symba.population import (
    ESTIMATE,
    F_ACTION,
    F_ACTIONS,
    F_REWARD,
    F_STATE,
    F_STATES,
    FORECAST,
    KEY_CHANCE,
    KEY_ESTIMATE,
    KEY_JOINT,
    KEY_TIES,
    KNOWN,
    Forecaster,
    Past,
    Traits,
)
from mycelial.agents.symba.rules import FROZEN, NEGATIVITY, POSITIVITY, UNTRAINED, ZERO_INTELLIGENCE, Rules
from mycelial.domain.draws import normal, uniform
from mycelial.domain.kernels import inlined_kernel, kernel, stage
from mycelial.domain.lanes import largest_of
from mycelial.domain.prefetch import prefetch

_NEWS_ERROR = 0.10  # relative error of an estimate that snaps back to the fundamental
_AHEAD = 8  # agents between asking for memory and using it, within a stage
_LARGE = 1 << 16  # added to the bin of an error of 5 % or more
_UNIFORM = np.float32(1.0 / F_ACTIONS)
_reinforce = reinforcing(F_ACTIONS)


@kernel
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


@kernel
def weight(rho: float, a2: int) -> float:
    """Return alpha, the weight of the forecast against the agent's own estimate (specification 7.2)."""
    if a2 == 1:
        return rho
    if rho <= 0.5:
        return 0.0 if a2 == 0 else 2.0 * rho
    return 2.0 * rho - 1.0 if a2 == 0 else 1.0


@kernel
def learns_on(rules: Rules, t: int) -> bool:
    """Return whether policies change on day t."""
    return not (rules.minds == UNTRAINED or (rules.minds >= FROZEN and t >= rules.learning_days))


@stage
def estimate_value(
    rules: Rules,
    traits: Traits,
    forecaster: Forecaster,
    past: Past,
    volatility_states: NDArray[np.uint8],
    keys: NDArray[np.uint64],
    value: float,
    uncertainty: float,
    before: float,
    price: float,
    j: int,
    t: int,
    first: int,
    stop: int,
    policy_row: NDArray[np.int64],
) -> None:
    """Estimate the value, fold in yesterday's gap and find the state of agents first..stop-1 of asset j.

    `before` and `price` are P(t-2) and P(t-1), the closes known yesterday and today. Rows of the policy are written to
    `policy_row` [stop - first], today's place in the ring of days to `past.slot`; `forecaster` is changed in place.
    """
    key, agents = keys[j, KEY_ESTIMATE], rules.agents
    tau_of, leash_volatility, news, error = traits.tau, traits.leash_volatility, traits.news, traits.error
    estimates, elastic, gap, gap_sum = forecaster.estimate, forecaster.elastic, forecaster.gap, forecaster.gap_sum
    policy, errors = forecaster.policy, forecaster.errors
    moment, moment_at, slots, active_days = past.moment, past.moment_at, past.slot, past.active_days
    common, joint = math.sqrt(rules.signal_common), math.sqrt(rules.signal_joint)
    own, key_joint = math.sqrt(max(0.0, 1.0 - rules.signal_common - rules.signal_joint)), keys[0, KEY_JOINT]
    shared = common * normal(key, np.uint64((t * (agents + 1) + agents) * 4)) if rules.signal else 0.0
    for i in range(first, stop):
        later = min(i + _AHEAD, stop - 1)
        soon = 3 * moment_at[later] + (t - 1) % (3 * tau_of[later])
        prefetch(gap, (j, soon))
        # ---- own estimate ----------------------------------------------------------------------------------------
        draw = np.uint64((t * (agents + 1) + (0 if rules.common_noise else i)) * 4)
        previous = estimates[j, i]
        z = normal(key, draw)
        if rules.signal:
            view = joint * normal(key_joint, np.uint64(t * agents + i)) if joint > 0.0 else 0.0
            estimate = value * math.exp(error[j, i] * uncertainty * (shared + view + own * z))
        else:
            volatility = leash_volatility[j, i]
            leash = elastic[j, i] * (1.0 + volatility * normal(key, draw + np.uint64(1)))
            elastic[j, i] = leash
            u = uniform(key, draw + np.uint64(2))
            estimate = leash_estimate(previous, value, leash, volatility, news[j, i], z, u)
        estimates[j, i] = estimate
        # ---- mean gap between price and estimate over 3 tau days -------------------------------------------------
        tau = tau_of[i]
        ring = 3 * tau
        at = 3 * moment_at[i] + (t - 1) % ring
        closed_gap = np.float32(100.0 * abs(before - previous) / before)
        total = gap_sum[j, i] + (float(closed_gap) - float(gap[j, at]))
        gap_sum[j, i], gap[j, at] = total, closed_gap
        mean_gap = (total + 100.0 * abs(price - estimate) / price) / (min(t, ring) + 1)
        s2 = 0 if mean_gap < 10.0 else (1 if mean_gap < 30.0 else 2)
        # ---- where the next stage will look ----------------------------------------------------------------------
        row = i * F_STATES + int(volatility_states[j, i]) * 3 + s2
        slot = moment_at[i] + (active_days[j, i] + 1 if rules.active_clock else t) % tau
        policy_row[i - first], slots[j, i] = row, slot
        prefetch(policy, (j, row, 0))
        prefetch(policy, (j, row, 16))
        prefetch(policy, (j, row, F_ACTIONS - 1))
        prefetch(moment, (j, slot, 0))
        prefetch(moment, (j, slot, 4))
        prefetch(errors, (j, i, 0, 0))


@stage
def choose_forecast(
    rules: Rules,
    traits: Traits,
    forecaster: Forecaster,
    past: Past,
    bankrupt: NDArray[np.bool_],
    raw: NDArray[np.float64],
    keys: NDArray[np.uint64],
    price: float,
    j: int,
    t: int,
    first: int,
    stop: int,
    policy_row: NDArray[np.int64],
    error_bin: NDArray[np.int64],
    deed_then: NDArray[np.int64],
    estimate_then: NDArray[np.float64],
) -> None:
    """Forecast, remember that, and look up what was forecast tau active days ago.

    Written for the next stage, [stop - first] each: `error_bin`, -1 where nothing is due; `deed_then`, state, action
    and reward of that day in its lowest three bytes; `estimate_then`, B of that day.
    """
    key_ties, key_chance = keys[j, KEY_TIES], keys[j, KEY_CHANCE]
    chance = rules.minds >= ZERO_INTELLIGENCE and t >= rules.learning_days
    tau, horizon_of, rho, memory_at = traits.tau, traits.horizon_of, traits.rho, past.memory_at
    policy, estimates, forecasts = forecaster.policy, forecaster.estimate, forecaster.forecast
    errors, recent, stored = forecaster.errors, forecaster.recent, forecaster.stored
    moment, deed, slots, active_days = past.moment, past.deed, past.slot, past.active_days
    for i in range(first, stop):
        if bankrupt[i]:
            if not rules.active_clock:  # a day not lived must not be taken for an older one tau days on (Q23)
                deed[j, slots[j, i], KNOWN] = 0
            continue
        n = i - first
        row, tie = policy_row[n], np.uint64((t * rules.agents + i) * 4)
        if chance:
            action = int(uniform(key_chance, tie) * 27.0)
        else:
            action = greedy(largest_of(policy, (j, row, 0), F_ACTIONS), key_ties, tie)
        if not rules.learned_weight:
            action = action - action % 3 + 1
        alpha, estimate = weight(rho[i], action % 3), estimates[j, i]
        tool = action // 9 * 3 + action // 3 % 3
        forecast = alpha * raw[j, horizon_of[i], tool] + (1.0 - alpha) * estimate
        forecasts[j, i] = forecast
        active = active_days[j, i] + 1 if rules.active_clock else t
        active_days[j, i] = active
        slot = slots[j, i]
        state_then = int(deed[j, slot, F_STATE])
        deed_then[n] = state_then | int(deed[j, slot, F_ACTION]) << 8 | int(deed[j, slot, F_REWARD]) << 16
        estimate_then[n] = moment[j, slot, ESTIMATE]
        error_bin[n] = -1
        if active > tau[i] and deed[j, slot, KNOWN] == 1:
            error = max(100.0 * abs(price - moment[j, slot, FORECAST]) / price, 0.001)
            where = bin_of(error, ERROR_FLOOR)
            error_bin[n] = where if error < 5.0 else where + _LARGE
            prefetch(errors, (j, i, 1 + (where >> 5), 0))
            row_then = i * F_STATES + state_then
            prefetch(policy, (j, row_then, 0))
            prefetch(policy, (j, row_then, 16))
            prefetch(policy, (j, row_then, F_ACTIONS - 1))
            if not rules.largest:
                cap = memory_at[i + 1] - memory_at[i]
                oldest = memory_at[i] + stored[j, i] % cap
                prefetch(recent, (j, oldest // ERRORS_IN_A_WORD))
        moment[j, slot, FORECAST], moment[j, slot, ESTIMATE] = forecast, estimate
        deed[j, slot, F_STATE], deed[j, slot, F_ACTION] = row - i * F_STATES, action


@stage
def learn_forecasting(
    rules: Rules,
    traits: Traits,
    forecaster: Forecaster,
    past: Past,
    bankrupt: NDArray[np.bool_],
    hindsight: NDArray[np.float64],
    price: float,
    j: int,
    t: int,
    first: int,
    stop: int,
    error_bin: NDArray[np.int64],
    deed_then: NDArray[np.int64],
    estimate_then: NDArray[np.float64],
) -> None:
    """Rank the errors now known, reward the actions of tau days ago and move their policies."""
    learns = learns_on(rules, t)
    tau_of, horizon_of, rho, biased, beta = traits.tau, traits.horizon_of, traits.rho, traits.biased, traits.beta
    policy, visits, stored = forecaster.policy, forecaster.visits, forecaster.stored
    errors, recent = forecaster.errors, forecaster.recent
    deed, slots, active_days, memory_at = past.deed, past.slot, past.active_days, past.memory_at
    first_reward = past.first_reward
    for i in range(first, stop):
        if bankrupt[i]:
            continue
        n, slot, tau = i - first, slots[j, i], tau_of[i]
        if not rules.largest:
            later = min(i + _AHEAD, stop - 1)
            oldest = memory_at[later] + stored[j, later] % (memory_at[later + 1] - memory_at[later])
            prefetch(errors, (j, later, 1 + (recalled(recent, j, oldest, ERRORS_IN_A_WORD) >> 5), 0))
        where, reward = error_bin[n], 0
        if where >= 0:
            start = memory_at[i]
            reward, stored[j, i] = error_reward(
                errors, recent, j, i, start, memory_at[i + 1] - start, stored[j, i], rules.largest, where
            )
            if biased[i] and rules.bias == POSITIVITY:
                reward += 1
            elif biased[i] and rules.bias == NEGATIVITY:
                reward -= 1
        deed[j, slot, F_REWARD] = reward + 8
        if where < 0 or not learns:
            continue
        if rules.delayed_reward:
            active = active_days[j, i]
            if active == tau + 1:
                first_reward[j, i, 0] = reward
            reward = (deed_then[n] >> 16) - 8 if active > 2 * tau + 1 else int(first_reward[j, i, 0])
        row, action = i * F_STATES + (deed_then[n] & 255), deed_then[n] >> 8 & 255
        off_policy = t % (2 + tau // rules.days_month) == 0
        best = -1
        if off_policy:
            best = best_in_hindsight(hindsight, j, horizon_of[i], rho[i], estimate_then[n], price)
        if policy[j, row, 0] == np.float32(0.0):
            for a in range(F_ACTIONS):
                policy[j, row, a] = _UNIFORM
        kappa, kappa_best = beta[i], beta[i]
        if rules.counted_step:
            visits[j, row, action] += 1
            if off_policy:
                visits[j, row, best] += 1
                kappa_best /= visits[j, row, best]
            kappa /= visits[j, row, action]
        if reward != 0:
            _reinforce(policy, j, row, action, reward, kappa)
        if off_policy:
            _reinforce(policy, j, row, best, 4, kappa_best)


@inlined_kernel
def error_reward(
    errors: NDArray[np.int16],
    recent: NDArray[np.int64],
    j: int,
    i: int,
    start: int,
    cap: int,
    stored: int,
    largest: bool,
    where: int,
) -> tuple[int, int]:
    """Rank a forecast error among those remembered and remember it; return its reward and the new count."""
    small, where = where < _LARGE, where & (_LARGE - 1)
    reward = reward_for(rank_in(errors, j, i, where) / min(stored, cap), False)
    if stored == 1 or (small and reward < 0):
        reward = 1
    put(errors, j, i, where, 1)
    if largest:
        if stored < cap:
            return reward, stored + 1
        put(errors, j, i, smallest_in(errors, j, i), -1)
        return reward, stored
    at = start + stored % cap
    if stored >= cap:
        put(errors, j, i, recalled(recent, j, at, ERRORS_IN_A_WORD), -1)
    remember(recent, j, at, ERRORS_IN_A_WORD, where)
    return reward, stored + 1


@inlined_kernel
def best_in_hindsight(hindsight: NDArray[np.float64], j: int, k: int, rho: float, estimate: float, price: float) -> int:
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


@stage
def mean_bias_pct(estimate: NDArray[np.float64], price: float, j: int) -> float:
    """Return the mean of 100 |B - P| / P over the agents of asset j."""
    total, agents = 0.0, estimate.shape[1]
    for i in range(agents):
        total += 100.0 * abs(price - estimate[j, i]) / price
    return total / agents
