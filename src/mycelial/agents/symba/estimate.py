"""The value of a coin in each agent's eyes: B(t) on its leash to F(t), or F(t) with a daily error (specification 4).

The first stage of a day; it also finds the state of algorithm F and asks for the memory that the next stage will touch.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.population import (
    F_ACTIONS,
    F_STATES,
    KEY_ESTIMATE,
    KEY_JOINT,
    Forecaster,
    Past,
    Traits,
)
from mycelial.agents.symba.rules import (
    Rules,
)
from mycelial.domain.draws import normal, uniform
from mycelial.domain.kernels import kernel
from mycelial.domain.prefetch import prefetch

_NEWS_ERROR = 0.10  # relative error of an estimate that snaps back to the fundamental
_AHEAD = 8  # agents between asking for memory and using it, within a stage


@kernel
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
def mean_bias_pct(estimate: NDArray[np.float64], price: float, j: int) -> float:
    """Return the mean of 100 |B - P| / P over the agents of asset j."""
    total, agents = 0.0, estimate.shape[1]
    for i in range(agents):
        total += 100.0 * abs(price - estimate[j, i]) / price
    return total / agents
