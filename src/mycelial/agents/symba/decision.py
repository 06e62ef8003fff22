"""What algorithm T does: buy, hold or sell, eagerly or toughly, and whether today (the filter V).

9 actions (side, gesture). A bias, a leader or chance may take the place of what an agent has learnt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.policy import greedy
from mycelial.agents.symba.population import (
    KEY_AWAKE,
    KEY_CHANCE,
    KEY_TIES,
    T_ACTIONS,
    T_STATES,
    Past,
    Trader,
    Traits,
)
from mycelial.agents.symba.rules import (
    EAGER,
    FEAR,
    GREED,
    LOSS_AVERSION,
    NO_FILTER,
    NO_LEADER,
    NOISE,
    ZERO_INTELLIGENCE,
    Rules,
)
from mycelial.domain.draws import uniform
from mycelial.domain.kernels import inlined_kernel, kernel
from mycelial.domain.lanes import largest_of

SELL, HOLD, BUY = 0, 1, 2
EAGERLY, NEUTRALLY, TOUGHLY = 0, 1, 2


@kernel
def decide(
    rules: Rules,
    traits: Traits,
    trader: Trader,
    past: Past,
    bankrupt: NDArray[np.bool_],
    keys: NDArray[np.uint64],
    activity: float,
    leader: int,
    leader_action: int,
    j: int,
    t: int,
    first: int,
    stop: int,
    state: NDArray[np.int64],
    row: NDArray[np.int64],
    action_of: NDArray[np.int64],
    green_of: NDArray[np.bool_],
) -> None:
    """Choose every agent's side and gesture (`action_of` [stop - first]) and whether to go ahead today (`green_of`)."""
    key_ties, key_chance = keys[j, KEY_TIES], keys[j, KEY_CHANCE]
    key_awake = keys[0 if rules.joint_waking else j, KEY_AWAKE]
    after = t >= rules.learning_days
    chance = rules.minds >= ZERO_INTELLIGENCE and after
    herding = rules.herd_leader != NO_LEADER and after
    awake_share = min(0.95, rules.attention_base * activity) if rules.attention else 1.0
    tau, patience, biased, bias_chance = traits.tau, traits.patience, traits.biased, traits.bias_chance
    policy, clocks, best = trader.policy, trader.clock, trader.best
    ranked, ranked_count, active_days = trader.ranked, trader.ranked_count, past.active_days
    for i in range(first, stop):
        if bankrupt[i]:
            continue
        n, draw = i - first, np.uint64((t * rules.agents + i) * 4)
        s = state[n]
        random_mind = chance or (herding and rules.herd_leader == NOISE and i < rules.herd)
        if random_mind or row[n] < 0:
            action = int(uniform(key_chance if random_mind else key_ties, draw + np.uint64(1)) * 9.0)
        else:
            action = greedy(largest_of(policy, (j, row[n], 0), T_ACTIONS), key_ties, draw + np.uint64(1))
        if biased[i] and uniform(key_chance, draw + np.uint64(2)) < bias_chance[i]:
            action = _biased_action(rules.bias, action, s)
        follows = herding and rules.herd_leader != NOISE and i < rules.herd and i != leader
        if follows:
            action = leader_action
        awake = awake_share >= 1.0 or uniform(key_awake, draw) < awake_share
        green = awake
        if awake and active_days[j, i] > tau[i] and rules.filter_rule != NO_FILTER and not (random_mind or follows):
            clock = clocks[j, i] + 1
            if clock == 1:
                ranked_count[j, i] = _start_filter(best, ranked, j, i)
            known = ranked_count[j, i]
            if known > 0 and clock < patience[i]:
                percentile = 100.0 * _values_at_most(ranked, j, i, known, best[j, i, s]) / known
                waited = 100.0 * clock / patience[i]
                green = percentile >= 100.0 - waited if rules.filter_rule == EAGER else waited >= percentile
            clocks[j, i] = 0 if green else clock
        green_of[n] = green
        action_of[n] = action if green else HOLD * 3 + action % 3


@kernel
def _biased_action(bias: int, action: int, state: int) -> int:
    """Return what a behavioural bias makes of an action."""
    if bias == LOSS_AVERSION:
        return action - action % 3 + min(2, action % 3 + 1)
    if bias == FEAR and (state // 12 % 3 == 2 or state // 6 % 2 == 0 or state % 3 == 0):
        return SELL * 3 + action % 3
    if bias == GREED and state // 36 == 2:
        return BUY * 3 + action % 3
    return action


@inlined_kernel
def _start_filter(best: NDArray[np.float32], ranked: NDArray[np.float32], j: int, i: int) -> int:
    """Freeze the non-zero state values the filter V compares with; return how many there are."""
    count = 0
    for s in range(T_STATES):
        value = best[j, i, s]
        ranked[j, i, count] = value
        count += int(value != np.float32(0.0))
    return count


@inlined_kernel
def _values_at_most(ranked: NDArray[np.float32], j: int, i: int, known: int, value: np.float32) -> int:
    total = np.int32(0)
    for s in range(np.uint64(known)):
        total = np.int32(total + np.int32(ranked[j, i, s] <= value))
    return int(total)
