"""How algorithm F learns: from the error of the forecast of tau days ago, and from what would have been nearest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.forecast import LARGE, weight
from mycelial.agents.symba.memory import (
    ERRORS_IN_A_WORD,
    put,
    rank_in,
    recalled,
    remember,
    reward_for,
    smallest_in,
)
from mycelial.agents.symba.policy import reinforcing
from mycelial.agents.symba.population import (
    F_ACTIONS,
    F_REWARD,
    F_STATES,
    Forecaster,
    Past,
    Traits,
)
from mycelial.agents.symba.rules import (
    FROZEN,
    NEGATIVITY,
    POSITIVITY,
    UNTRAINED,
    Rules,
)
from mycelial.domain.kernels import inlined_kernel, kernel
from mycelial.domain.prefetch import prefetch

_AHEAD = 8  # agents between asking for memory and using it, within a stage
_UNIFORM = np.float32(1.0 / F_ACTIONS)
_reinforce = reinforcing(F_ACTIONS)


@kernel
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
            reward, stored[j, i] = _error_reward(
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
            best = _best_in_hindsight(hindsight, j, horizon_of[i], rho[i], estimate_then[n], price)
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
def _error_reward(
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
    small, where = where < LARGE, where & (LARGE - 1)
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


@kernel
def learns_on(rules: Rules, t: int) -> bool:
    """Return whether policies change on day t."""
    return not (rules.minds == UNTRAINED or (rules.minds >= FROZEN and t >= rules.learning_days))
