"""How algorithm T learns: from the profit of the order of tau days ago, and from what would have been best."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.decision import BUY, EAGERLY, HOLD, NEUTRALLY, SELL
from mycelial.agents.symba.learning_to_forecast import learns_on
from mycelial.agents.symba.policy import reinforcing
from mycelial.agents.symba.population import (
    GREEN,
    KNOWN,
    LOTS,
    PRICE,
    T_ACTION,
    T_ACTIONS,
    T_COUNT,
    T_REWARD,
    T_STATE,
    T_VALUE,
    Past,
    Purse,
    Trader,
    Traits,
)
from mycelial.agents.symba.profits import rank_profit
from mycelial.agents.symba.rules import (
    NEGATIVITY,
    POSITIVITY,
    Rules,
)
from mycelial.domain.kernels import inlined_kernel, kernel

_UNIFORM = np.float32(1.0 / T_ACTIONS)
_reinforce = reinforcing(T_ACTIONS)


@kernel
def learn_trading(
    rules: Rules,
    traits: Traits,
    trader: Trader,
    past: Past,
    purse: Purse,
    closes: NDArray[np.float64],
    forecast: NDArray[np.float64],
    j: int,
    t: int,
    first: int,
    stop: int,
    state: NDArray[np.int64],
    action_of: NDArray[np.int64],
    green_of: NDArray[np.bool_],
    order_lots: NDArray[np.int64],
    order_price: NDArray[np.float64],
) -> None:
    """Remember today, look back tau active days, and learn from the profit of that day's order.

    `closes` float64[J, T] are prices, P(t-1) at t. Where exits are forced, what is left of a purchase replaces today's
    order.
    """
    learns, price = learns_on(rules, t), closes[j, t]
    carry = rules.dividend_rate / rules.days_year
    tau_of, biased, beta = traits.tau, traits.biased, traits.beta
    profits, profit_page, pages_used = trader.profits, trader.profit_page, trader.profit_pages_used
    profit_count = trader.profit_count
    moment, deed, slots, active_days = past.moment, past.deed, past.slot, past.active_days
    memory_at, first_reward = past.memory_at, past.first_reward
    rows, policy, visits, best_value, rows_used = (
        trader.row,
        trader.policy,
        trader.visits,
        trader.best,
        trader.rows_used,
    )
    bankrupt, lots, cash_reference = purse.bankrupt, purse.lots, purse.cash_reference
    for i in range(first, stop):
        if bankrupt[i]:
            continue
        n, slot, tau = i - first, slots[j, i], tau_of[i]
        active = active_days[j, i] if rules.active_clock else t
        due = active > tau and deed[j, slot, KNOWN] == 1
        then_state, then_action = int(deed[j, slot, T_STATE]), int(deed[j, slot, T_ACTION])
        then_reward, was_green = int(deed[j, slot, T_REWARD]) - 8, deed[j, slot, GREEN] == 1
        then_lots, then_price = int(moment[j, slot, LOTS]), moment[j, slot, PRICE]
        if rules.forced_exit and due and then_lots > 0:
            order_lots[j, i], order_price[j, i] = -min(lots[j, i], then_lots), max(price, forecast[j, i])
        # ---- reward ----------------------------------------------------------------------------------------------
        exit_day = due and was_green and (then_lots != 0 or not rules.learn_from_fills)
        profit, reward = 0.0, 0
        if due:
            coins = then_lots * rules.lot
            profit = (
                coins * (price - then_price)
                + coins * then_price * carry * tau
                - 2.0 * abs(coins) * then_price * rules.fee
            )
            reward = -4  # off exit days the authors' code leaves the percentile at 0
            if exit_day:
                cap = memory_at[i + 1] - memory_at[i]
                reward, profit_count[j, i] = rank_profit(
                    profits, profit_page, pages_used, j, i, cap, profit_count[j, i], rules.largest, profit
                )
            if profit > 0.0 and reward < 0:
                reward = 1
            if biased[i] and rules.bias == POSITIVITY:
                reward += 1
            elif biased[i] and rules.bias == NEGATIVITY:
                reward -= 1
        # ---- remember today --------------------------------------------------------------------------------------
        idle = rules.first_action_idle and t == 1
        deed[j, slot, T_STATE], deed[j, slot, T_REWARD] = state[n], reward + 8
        deed[j, slot, T_ACTION] = HOLD * 3 + EAGERLY if idle else action_of[n]
        deed[j, slot, GREEN], deed[j, slot, KNOWN] = int(green_of[n]), 1
        moment[j, slot, LOTS] = order_lots[j, i] if rules.intended_fills else 0
        moment[j, slot, PRICE] = order_price[j, i] if rules.intended_fills else price
        if not due or not learns:
            continue
        if rules.delayed_reward:
            if active == tau + 1:
                first_reward[j, i, 1] = reward
            reward = then_reward if active > 2 * tau + 1 else int(first_reward[j, i, 1])
        # ---- learn -----------------------------------------------------------------------------------------------
        off_policy = t % (2 + tau // rules.days_month) == 0
        if not (exit_day or off_policy):
            continue
        row = rows[j, i, then_state] - 1
        if row < 0:
            row = rows_used[j]
            rows_used[j] = row + 1
            rows[j, i, then_state] = row + 1
            for a in range(T_ACTIONS):
                policy[j, row, a] = _UNIFORM
        best, best_profit = 0, 0.0
        if off_policy:
            then_close = closes[j, t - tau]
            best = _best_in_hindsight(price, then_close, closes[j, t - tau + 1])
            coins = math.ceil(cash_reference[i] / ((rules.assets + 1) * price))
            sign = 1.0 if rules.purchase_hindsight else float(best // 3 - HOLD)
            best_profit = sign * coins * (price - then_close + then_close * carry * tau)
            best_profit -= 2.0 * abs(sign) * coins * then_close * rules.fee
        if exit_day:
            _average(policy, visits, j, row, then_action, profit)
        if off_policy:
            _average(policy, visits, j, row, best, best_profit)
        top = policy[j, row, T_VALUE]
        for a in range(T_VALUE + 1, T_VALUE + T_ACTIONS):
            top = max(top, policy[j, row, a])
        best_value[j, i, then_state] = top
        if exit_day and reward != 0:
            kappa = beta[i] / visits[j, row, T_COUNT + then_action] if rules.counted_step else beta[i]
            _reinforce(policy, j, row, then_action, reward, kappa)
        if off_policy:
            kappa = beta[i] / visits[j, row, T_COUNT + best] if rules.counted_step else beta[i]
            _reinforce(policy, j, row, best, 4, kappa)


@inlined_kernel
def _average(
    policy: NDArray[np.float32], visits: NDArray[np.uint16], j: int, row: int, action: int, profit: float
) -> None:
    """Fold a profit into the running mean Q_T(s, a)."""
    visits[j, row, T_COUNT + action] += 1
    policy[j, row, T_VALUE + action] += np.float32(
        (profit - policy[j, row, T_VALUE + action]) / visits[j, row, T_COUNT + action]
    )


@kernel
def _best_in_hindsight(now: float, then: float, next_day: float) -> int:
    """Return the action that would have been best tau days ago (specification 8.6)."""
    moved = 0 if next_day == then else (1 if next_day > then else -1)
    if now > then:
        return BUY * 3 + 1 - moved
    if now < then:
        return SELL * 3 + 1 + moved
    return HOLD * 3 + NEUTRALLY
