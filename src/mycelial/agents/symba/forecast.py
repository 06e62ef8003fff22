"""Algorithm F: each agent forecasts the price tau days ahead, by a tool, a look-back and a weight of the forecast.

27 states (two volatility states and the mean gap |P - B|), 27 actions; see specification sections 4 and 7 in
`docs/concepts/symba.md`. A few hundred agents at a time pass through three stages: estimate, forecast, learn; each
stage asks for the memory that the next one will touch, so that agents wait for memory together, not in turn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.memory import (
    ERROR_FLOOR,
    ERRORS_IN_A_WORD,
    bin_of,
)
from mycelial.agents.symba.policy import greedy
from mycelial.agents.symba.population import (
    ESTIMATE,
    F_ACTION,
    F_ACTIONS,
    F_REWARD,
    F_STATE,
    F_STATES,
    FORECAST,
    KEY_CHANCE,
    KEY_TIES,
    KNOWN,
    Forecaster,
    Past,
    Traits,
)
from mycelial.agents.symba.rules import (
    ZERO_INTELLIGENCE,
    Rules,
)
from mycelial.domain.draws import uniform
from mycelial.domain.kernels import kernel
from mycelial.domain.lanes import largest_of
from mycelial.domain.prefetch import prefetch

LARGE = 1 << 16  # added to the bin of an error of 5 % or more


@kernel
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
            error_bin[n] = where if error < 5.0 else where + LARGE
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


@kernel
def weight(rho: float, a2: int) -> float:
    """Return alpha, the weight of the forecast against the agent's own estimate (specification 7.2)."""
    if a2 == 1:
        return rho
    if rho <= 0.5:
        return 0.0 if a2 == 0 else 2.0 * rho
    return 2.0 * rho - 1.0 if a2 == 0 else 1.0
