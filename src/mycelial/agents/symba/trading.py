"""Algorithm T: each agent decides to buy, hold or sell, at what price and how much, and learns from the profit.

108 states (expected move, volatility, cash, holdings, volume), 9 actions (side, gesture). A filter V decides when to
send an order. One call lives one day of one asset for all agents; specification section 8 in `docs/concepts/symba.md`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.agents.symba.memory import (
    MARGIN_FLOOR,
    bin_of,
    code,
    count_below,
    largest_in,
    push_heap,
    put,
    rank_in,
    reward_for,
    smallest_in,
)
from mycelial.agents.symba.policy import greedy, reinforce, row_of
from mycelial.agents.symba.population import (
    GREEN,
    KEY_AWAKE,
    KEY_CHANCE,
    KEY_TIES,
    KNOWN,
    LOTS,
    PRICE,
    T_ACTION,
    T_REWARD,
    T_STATE,
    Minds,
    Purse,
    Traits,
)
from mycelial.agents.symba.rules import (
    EAGER,
    FEAR,
    FROZEN,
    GODE_SUNDER,
    GREED,
    LOSS_AVERSION,
    NEGATIVITY,
    NO_FILTER,
    NO_LEADER,
    NOISE,
    POSITIVITY,
    UNTRAINED,
    ZERO_INTELLIGENCE,
    Rules,
)
from mycelial.agents.symba.signals import Signals
from mycelial.domain.draws import uniform

SELL, HOLD, BUY = 0, 1, 2
EAGERLY, NEUTRALLY, TOUGHLY = 0, 1, 2
_MAX_LOTS = 2.0**52  # whole numbers stay exact in float64 up to here


@njit(inline="always", error_model="numpy")
def quotes(price: float, forecast: float, phi: float) -> tuple[float, float]:
    """Return bid and ask around an expected price; phi = 0 is min/max(P, H) of the specification, phi = 1 quotes H."""
    # Written so that phi = 0 gives exactly P: neutral orders of both sides must meet there.
    bid = min(price, forecast) + phi * max(forecast - price, 0.0)
    ask = max(price, forecast) - phi * max(price - forecast, 0.0)
    return bid, ask


@njit(nogil=True, cache=True, error_model="numpy")
def trade_day(
    rules: Rules,
    traits: Traits,
    minds: Minds,
    purse: Purse,
    signals: Signals,
    keys: NDArray[np.uint64],
    order_lots: NDArray[np.int64],
    order_price: NDArray[np.float64],
    spread: float,
    volatility: float,
    activity: float,
    leader: int,
    j: int,
    t: int,
) -> None:
    """Write one order (signed lots, limit price) for every agent of asset j, and learn from tau days ago.

    `spread` is W(t-1); `volatility` the smoothed |r| behind gestures; `activity` the attention a of the extended model;
    `leader` the agent whom the herd copies, or -1. `minds` and the two order arrays [J, I] are changed in place.
    """
    agents, price = rules.agents, signals.price[j, t]
    key_ties, key_awake, key_chance = keys[j, KEY_TIES], keys[j, KEY_AWAKE], keys[j, KEY_CHANCE]
    learns = not (rules.minds == UNTRAINED or (rules.minds >= FROZEN and t >= rules.learning_days))
    after = t >= rules.learning_days
    chance = rules.minds >= ZERO_INTELLIGENCE and after
    herding = rules.herd_leader != NO_LEADER and after
    awake_share = min(0.95, rules.attention_base * activity) if rules.attention else 1.0
    carry = rules.dividend_rate / rules.days_year
    effort = activity**rules.fraction_attention
    leader_action = HOLD * 3
    # Arrays are taken out of their tuples once: inside the loop each access would count a reference.
    its_beta = traits.beta
    its_bias_chance = traits.bias_chance
    its_biased = traits.biased
    its_fraction = traits.fraction
    its_gesture = traits.gesture
    its_patience = traits.patience
    its_tau = traits.tau
    mind_active_days = minds.active_days
    mind_ask = minds.ask
    mind_best = minds.best
    mind_clock = minds.clock
    mind_deed = minds.deed
    mind_first_reward = minds.first_reward
    mind_forecast = minds.forecast
    mind_margin_coarse = minds.margin_coarse
    mind_margin_fine = minds.margin_fine
    mind_margin_size = minds.margin_size
    mind_memory_at = minds.memory_at
    mind_memory_count = minds.memory_count
    mind_moment = minds.moment
    mind_profits = minds.profits
    mind_ranked = minds.ranked
    mind_ranked_count = minds.ranked_count
    mind_recent_margins = minds.recent_margins
    mind_rows_used = minds.rows_used
    mind_slot = minds.slot
    mind_t_count = minds.t_count
    mind_t_policy = minds.t_policy
    mind_t_row = minds.t_row
    mind_t_value = minds.t_value
    own_bankrupt = purse.bankrupt
    own_cash = purse.cash
    own_cash_reference = purse.cash_reference
    own_lots = purse.lots
    own_stake_reference = purse.stake_reference
    seen_price = signals.price
    seen_t_volatility = signals.t_volatility
    seen_t_volume = signals.t_volume
    for n in range(agents):
        # The leader decides first, so that followers can copy it.
        i = n if leader < 0 else (leader if n == 0 else (n - 1 if n <= leader else n))
        order_lots[j, i] = 0
        if own_bankrupt[i]:
            continue
        tau, forecast = its_tau[i], mind_forecast[j, i]
        bid, ask = quotes(price, forecast, rules.quoting)
        lots = own_lots[j, i]
        draw = np.uint64((t * agents + i) * 4)
        # ---- state ---------------------------------------------------------------------------------------------------
        margin = 100.0 * (forecast - price) / price
        start, stored = mind_memory_at[i], mind_memory_count[j, i, 1]
        cap = mind_memory_at[i + 1] - start  # tau + h + 1 where the smallest is forgotten
        s0 = _expected_move(
            mind_margin_fine,
            mind_margin_coarse,
            mind_margin_size,
            mind_recent_margins,
            j,
            i,
            start,
            cap - int(rules.largest),
            stored,
            rules.largest,
            margin,
        )
        mind_memory_count[j, i, 1] = stored + 1
        if t == 1:
            s0 = 1
        stake = lots * rules.lot * (max(price, forecast) if rules.own_ask_valuation else price)
        if t == 1 or (t >= 2 * rules.days_week and own_stake_reference[j, i] == 0.0):
            own_stake_reference[j, i] = stake
        s2 = 0 if own_cash[i] < 0.6 * own_cash_reference[i] else 1
        s3 = 0 if stake < 0.6 * own_stake_reference[j, i] else 1
        s1, s4 = int(seen_t_volatility[j, i]), int(seen_t_volume[j, i])
        state = (((s0 * 3 + s1) * 2 + s2) * 2 + s3) * 3 + s4
        # ---- action --------------------------------------------------------------------------------------------------
        random_mind = chance or (herding and rules.herd_leader == NOISE and i < rules.herd)
        row = mind_t_row[j, i, state]
        if random_mind:
            action = int(uniform(key_chance, draw + np.uint64(1)) * 9.0)
        elif row == 0:
            action = int(uniform(key_ties, draw + np.uint64(1)) * 9.0)
        else:
            action = greedy(mind_t_policy, j, row - 1, key_ties, draw + np.uint64(1))
        if its_biased[i] and uniform(key_chance, draw + np.uint64(2)) < its_bias_chance[i]:
            if rules.bias == LOSS_AVERSION:
                action = action - action % 3 + min(2, action % 3 + 1)
            elif rules.bias == FEAR and (s1 == 2 or s2 == 0 or s4 == 0):
                action = SELL * 3 + action % 3
            elif rules.bias == GREED and s0 == 2:
                action = BUY * 3 + action % 3
        follows = herding and rules.herd_leader != NOISE and i < rules.herd and i != leader
        if follows:
            action = leader_action
        # ---- is it time? -----------------------------------------------------------------------------------------------
        active = mind_active_days[j, i] if rules.active_clock else t
        awake = awake_share >= 1.0 or uniform(key_awake, draw) < awake_share
        green = awake
        if awake and active > tau and rules.filter_rule != NO_FILTER and not (random_mind or follows):
            clock = mind_clock[j, i] + 1
            if clock == 1:
                mind_ranked_count[j, i] = _start_filter(mind_best, mind_ranked, j, i)
            known = mind_ranked_count[j, i]
            if known > 0 and clock < its_patience[i]:
                percentile = 100.0 * _values_at_most(mind_ranked, j, i, mind_best[j, i, state]) / known
                waited = 100.0 * clock / its_patience[i]
                green = percentile >= 100.0 - waited if rules.filter_rule == EAGER else waited >= percentile
            mind_clock[j, i] = 0 if green else clock
        if not green:
            action = HOLD * 3 + action % 3
        if i == leader:
            leader_action = action
        # ---- order -----------------------------------------------------------------------------------------------------
        side, gesture = action // 3, action % 3
        if rules.minds == GODE_SUNDER and chance:
            bid, ask = price * (0.9 + 0.2 * uniform(key_chance, draw + np.uint64(3))), 0.0
            ask = bid
        else:
            shift = its_gesture[i] * (
                rules.gesture_volatility * volatility * price if rules.volatility_gesture else spread
            )
            if gesture == EAGERLY:
                bid, ask = bid + shift, ask - shift
            elif gesture == TOUGHLY:
                bid, ask = bid - shift, ask + shift
            bid, ask = max(bid, 0.0), max(ask, 0.0)
        mind_ask[j, i] = ask
        share = min(1.0, its_fraction[i] * effort)
        signed, limit = 0, price
        if side == SELL:
            limit = ask
            signed = -min(lots, int(math.floor(share * lots + 0.5))) if rules.fractional else -lots
        elif side == BUY:
            limit = bid
            cost = max(bid, ask) * rules.assets / (0.98 * share) if rules.fractional else (rules.assets + 1) * ask
            if cost > 0.0 and own_cash[i] > 0.0:
                signed = int(min(math.floor(own_cash[i] / (cost * rules.lot)), _MAX_LOTS))
        order_lots[j, i], order_price[j, i] = signed, limit
        # ---- remember today, learn about tau days ago ---------------------------------------------------------------
        slot = mind_slot[j, i]
        due = active > tau and mind_deed[j, slot, KNOWN] == 1
        then_state, then_action = int(mind_deed[j, slot, T_STATE]), int(mind_deed[j, slot, T_ACTION])
        then_reward, was_green = int(mind_deed[j, slot, T_REWARD]) - 8, mind_deed[j, slot, GREEN] == 1
        then_lots, then_price = int(mind_moment[j, slot, LOTS]), mind_moment[j, slot, PRICE]
        if rules.forced_exit and due and then_lots > 0:
            signed, limit = -min(lots, then_lots), max(price, forecast)
            order_lots[j, i], order_price[j, i] = signed, limit
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
                stored = mind_memory_count[j, i, 2]
                reward, stored = _rank_profit(mind_profits, j, start, cap, stored, rules.largest, profit)
                mind_memory_count[j, i, 2] = stored
            if profit > 0.0 and reward < 0:
                reward = 1
            if its_biased[i] and rules.bias == POSITIVITY:
                reward += 1
            elif its_biased[i] and rules.bias == NEGATIVITY:
                reward -= 1
        recorded = HOLD * 3 + EAGERLY if rules.first_action_idle and t == 1 else action
        mind_deed[j, slot, T_STATE], mind_deed[j, slot, T_ACTION], mind_deed[j, slot, T_REWARD] = (
            state,
            recorded,
            reward + 8,
        )
        mind_deed[j, slot, GREEN], mind_deed[j, slot, KNOWN] = 1 if green else 0, 1
        mind_moment[j, slot, LOTS], mind_moment[j, slot, PRICE] = (
            (signed, limit) if rules.intended_fills else (0, price)
        )
        if not due or not learns:
            continue
        if rules.delayed_reward:
            if active == tau + 1:
                mind_first_reward[j, i, 1] = reward
            reward = then_reward if active > 2 * tau + 1 else int(mind_first_reward[j, i, 1])
        off_policy = t % (2 + tau // rules.days_month) == 0
        if not (exit_day or off_policy):
            continue
        learn_row = row_of(mind_t_row, j, i, then_state, mind_rows_used, 1)
        if learn_row < 0:
            learn_row = ~learn_row
            for a in range(9):
                mind_t_policy[j, learn_row, a] = np.float32(1.0 / 9.0)
        best, best_profit = 0, 0.0
        if off_policy:
            then_close = seen_price[j, t - tau]
            best = _best_in_hindsight(price, then_close, seen_price[j, t - tau + 1])
            coins = math.ceil(own_cash_reference[i] / ((rules.assets + 1) * price))
            sign = 1.0 if rules.purchase_hindsight else float(best // 3 - HOLD)
            best_profit = sign * coins * (price - then_close + then_close * carry * tau)
            best_profit -= 2.0 * abs(sign) * coins * then_close * rules.fee
        if exit_day:
            _average(mind_t_value, mind_t_count, j, learn_row, then_action, profit)
        if off_policy:
            _average(mind_t_value, mind_t_count, j, learn_row, best, best_profit)
        top = mind_t_value[j, learn_row, 0]
        for a in range(1, 9):
            top = max(top, mind_t_value[j, learn_row, a])
        mind_best[j, i, then_state] = top
        beta = its_beta[i]
        if exit_day and reward != 0:
            kappa = beta / mind_t_count[j, learn_row, then_action] if rules.counted_step else beta
            reinforce(mind_t_policy, j, learn_row, then_action, reward, kappa)
        if off_policy:
            kappa = beta / mind_t_count[j, learn_row, best] if rules.counted_step else beta
            reinforce(mind_t_policy, j, learn_row, best, 4, kappa)


@njit(error_model="numpy")
def _expected_move(
    fine: NDArray[np.int16],
    coarse: NDArray[np.int16],
    size: NDArray[np.int32],
    ring: NDArray[np.int16],
    j: int,
    i: int,
    start: int,
    cap: int,
    stored: int,
    largest: bool,
    margin: float,
) -> int:
    """Return s0 (0 fall, 1 flat, 2 rise) from the rank of m = 100 (H - P) / P among those of its sign; remember m.

    Rows 2 i and 2 i + 1 of the histograms hold |m| for m < 0 and m >= 0. The authors' simulator forgets the smallest
    value of each (Q2), which among negative ones is the largest in magnitude.
    """
    rising = 1 if margin >= 0.0 else 0
    row = 2 * i + rising
    where = bin_of(abs(margin), MARGIN_FLOOR)
    held = size[j, row]
    below = rank_in(fine, coarse, j, row, where)
    if rising == 1:
        s0 = 1 if held > 0 and below < 0.05 * held else 2
    else:
        s0 = 0 if held == 0 or held - below <= 0.95 * held else 1
    put(fine, coarse, j, row, where, 1)
    if largest and held >= cap:
        out = smallest_in(fine, coarse, j, row) if rising == 1 else largest_in(fine, coarse, j, row)
        put(fine, coarse, j, row, out, -1)
    else:
        size[j, row] = held + 1
    if not largest:
        at = start + stored % cap
        if stored >= cap:
            old = int(ring[j, at])
            old_row = 2 * i + (1 if old > 0 else 0)
            put(fine, coarse, j, old_row, abs(old) - 1, -1)
            size[j, old_row] -= 1
        ring[j, at] = where + 1 if rising == 1 else -(where + 1)
    return s0


@njit(error_model="numpy")
def _start_filter(best: NDArray[np.float32], ranked: NDArray[np.float32], j: int, i: int) -> int:
    """Freeze the non-zero state values the filter V compares with; return how many there are."""
    count = 0
    for s in range(108):
        value = best[j, i, s]
        known = value != np.float32(0.0)
        ranked[j, i, s] = value if known else np.float32(np.inf)
        count += int(known)
    return count


@njit(error_model="numpy")
def _values_at_most(ranked: NDArray[np.float32], j: int, i: int, value: np.float32) -> int:
    total = np.int32(0)
    for s in range(108):
        total = np.int32(total + np.int32(ranked[j, i, s] <= value))
    return total


@njit(error_model="numpy")
def _rank_profit(
    profits: NDArray[np.int16], j: int, start: int, cap: int, stored: int, largest: bool, profit: float
) -> tuple[int, int]:
    """Rank a profit among those of earlier exit days and remember it; return its reward and the new count."""
    x = code(profit)
    kept = min(stored, cap)
    at_most = count_below(profits, j, start, start + kept, np.int16(x + np.int16(1)))
    reward = 1 if stored == 1 else reward_for(at_most / kept, True)
    if largest:
        return reward, push_heap(profits, j, start, stored, cap, x)
    profits[j, start + stored % cap] = x
    return reward, stored + 1


@njit(error_model="numpy")
def _average(
    value: NDArray[np.float32], count: NDArray[np.uint16], j: int, row: int, action: int, profit: float
) -> None:
    """Fold a profit into the running mean Q_T(s, a)."""
    count[j, row, action] += 1
    value[j, row, action] += np.float32((profit - value[j, row, action]) / count[j, row, action])


@njit(error_model="numpy")
def _best_in_hindsight(now: float, then: float, next_day: float) -> int:
    """Return the action that would have been best tau days ago (specification 8.6)."""
    moved = 0 if next_day == then else (1 if next_day > then else -1)
    if now > then:
        return BUY * 3 + 1 - moved
    if now < then:
        return SELL * 3 + 1 + moved
    return HOLD * 3 + NEUTRALLY
