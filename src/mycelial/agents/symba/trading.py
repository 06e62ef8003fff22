"""Algorithm T: each agent decides to buy, hold or sell, at what price and how much, and learns from the profit.

108 states (expected move, volatility, cash, holdings, volume), 9 actions (side, gesture). A filter V decides when to
send an order; see specification section 8 in `docs/concepts/symba.md`. As in algorithm F, a few hundred agents at a
time pass through stages, each of which asks for the memory that the next one will touch.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.forecast import learns_on
from mycelial.agents.symba.memory import (
    BINS,
    MARGIN_FLOOR,
    MARGINS_IN_A_WORD,
    bin_of,
    largest_in,
    put,
    rank_in,
    recalled,
    remember,
    smallest_in,
)
from mycelial.agents.symba.policy import greedy, reinforcing
from mycelial.agents.symba.population import (
    GREEN,
    KEY_AWAKE,
    KEY_CHANCE,
    KEY_TIES,
    KNOWN,
    LOTS,
    PRICE,
    T_ACTION,
    T_ACTIONS,
    T_COUNT,
    T_REWARD,
    T_STATE,
    T_STATES,
    T_VALUE,
    Past,
    Purse,
    Trader,
    Traits,
)
from mycelial.agents.symba.profits import PAGE, rank_profit
from mycelial.agents.symba.rules import (
    EAGER,
    FEAR,
    GODE_SUNDER,
    GREED,
    LOSS_AVERSION,
    NEGATIVITY,
    NO_FILTER,
    NO_LEADER,
    NOISE,
    POSITIVITY,
    ZERO_INTELLIGENCE,
    Rules,
)
from mycelial.domain.draws import uniform
from mycelial.domain.kernels import inlined_kernel, kernel, stage
from mycelial.domain.lanes import largest_of
from mycelial.domain.prefetch import prefetch

SELL, HOLD, BUY = 0, 1, 2
EAGERLY, NEUTRALLY, TOUGHLY = 0, 1, 2
_AHEAD = 8  # agents between asking for memory and using it, within a stage
_MAX_LOTS = 2.0**52  # whole numbers stay exact in float64 up to here
_UNIFORM = np.float32(1.0 / T_ACTIONS)
_reinforce = reinforcing(T_ACTIONS)


@kernel
def quotes(price: float, forecast: float, phi: float) -> tuple[float, float]:
    """Return bid and ask around an expected price; phi = 0 is min/max(P, H) of the specification, phi = 1 quotes H."""
    # Written so that phi = 0 gives exactly P: neutral orders of both sides must meet there.
    bid = min(price, forecast) + phi * max(forecast - price, 0.0)
    ask = max(price, forecast) - phi * max(price - forecast, 0.0)
    return bid, ask


@stage
def expect_moves(
    trader: Trader,
    past: Past,
    forecast: NDArray[np.float64],
    price: float,
    j: int,
    first: int,
    stop: int,
    margin_bin: NDArray[np.int64],
) -> None:
    """Write the histogram bin of each expected move, + 512 for a rise, to `margin_bin` [stop - first]."""
    margins, recent, stored, memory_at = trader.margins, trader.recent, trader.stored, past.memory_at
    last = recent.shape[1] - 1
    for i in range(first, stop):
        margin = 100.0 * (forecast[j, i] - price) / price
        where = bin_of(abs(margin), MARGIN_FLOOR)
        rising = margin >= 0.0
        margin_bin[i - first] = where + BINS * int(rising)
        row = 2 * i + int(rising)
        prefetch(margins, (j, row, 0, 0))
        prefetch(margins, (j, row, 1 + (where >> 5), 0))
        start = memory_at[i]
        oldest = start + stored[j, i] % (memory_at[i + 1] - start)
        word = min(oldest // MARGINS_IN_A_WORD, last)
        prefetch(recent, (j, word))


@stage
def perceive(
    rules: Rules,
    trader: Trader,
    past: Past,
    purse: Purse,
    volatility_state: NDArray[np.uint8],
    volume_state: NDArray[np.uint8],
    forecast: NDArray[np.float64],
    price: float,
    j: int,
    t: int,
    first: int,
    stop: int,
    margin_bin: NDArray[np.int64],
    state: NDArray[np.int64],
) -> None:
    """Rank the expected moves, remember them, and write the state of each agent to `state` [stop - first]."""
    margins, size, recent, stored = trader.margins, trader.margin_size, trader.recent, trader.stored
    rows, best, ranked = trader.row, trader.best, trader.ranked
    memory_at, deed, slots = past.memory_at, past.deed, past.slot
    cash, lots, bankrupt = purse.cash, purse.lots, purse.bankrupt
    cash_reference, stake_reference = purse.cash_reference, purse.stake_reference
    for i in range(first, stop):
        if bankrupt[i]:
            continue
        start = memory_at[i]
        if not rules.largest:
            later = min(i + _AHEAD, stop - 1)
            oldest = memory_at[later] + stored[j, later] % (memory_at[later + 1] - memory_at[later])
            leaving = recalled(recent, j, oldest, MARGINS_IN_A_WORD)
            prefetch(margins, (j, 2 * later + leaving // BINS, 1 + (leaving % BINS >> 5), 0))
            prefetch(margins, (j, 2 * later + leaving // BINS, 0, 0))
        s0 = _expected_move(
            margins,
            size,
            recent,
            j,
            i,
            start,
            memory_at[i + 1] - start - int(rules.largest),  # tau + h; other memories hold one more (section 6)
            stored[j, i],
            rules.largest,
            margin_bin[i - first],
        )
        stored[j, i] += 1
        if t == 1:
            s0 = 1
        stake = lots[j, i] * rules.lot * (max(price, forecast[j, i]) if rules.own_ask_valuation else price)
        if t == 1 or (t >= 2 * rules.days_week and stake_reference[j, i] == 0.0):
            stake_reference[j, i] = stake
        s2 = 0 if cash[i] < 0.6 * cash_reference[i] else 1
        s3 = 0 if stake < 0.6 * stake_reference[j, i] else 1
        s = (((s0 * 3 + int(volatility_state[j, i])) * 2 + s2) * 2 + s3) * 3 + int(volume_state[j, i])
        state[i - first] = s
        prefetch(rows, (j, i, s))
        prefetch(rows, (j, i, int(deed[j, slots[j, i], T_STATE])))
        prefetch(best, (j, i, s))
        for k in range(0, 64, 16):
            prefetch(ranked, (j, i, k))


@stage
def recall(
    trader: Trader,
    past: Past,
    bankrupt: NDArray[np.bool_],
    j: int,
    first: int,
    stop: int,
    state: NDArray[np.int64],
    row: NDArray[np.int64],
) -> None:
    """Write the policy row of each state, -1 where there is none, to `row` [stop - first]."""
    rows, policy, deed, slots = trader.row, trader.policy, past.deed, past.slot
    profits, profit_page = trader.profits, trader.profit_page
    for i in range(first, stop):
        if bankrupt[i]:
            continue
        now, then = rows[j, i, state[i - first]] - 1, rows[j, i, int(deed[j, slots[j, i], T_STATE])] - 1
        row[i - first] = now
        now, then = max(now, 0), max(then, 0)
        prefetch(policy, (j, now, 0))
        prefetch(policy, (j, now, T_ACTIONS - 1))
        prefetch(policy, (j, then, 0))
        prefetch(policy, (j, then, 16))
        if deed[j, slots[j, i], GREEN] == 1:
            prefetch(profit_page, (j, i, 0))
            for k in range(0, PAGE, 32):
                prefetch(profits, (j, i, k))  # everybody's first page comes in the order of agents


@stage
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


@stage
def order(
    rules: Rules,
    traits: Traits,
    purse: Purse,
    keys: NDArray[np.uint64],
    forecast: NDArray[np.float64],
    price: float,
    spread: float,
    volatility: float,
    activity: float,
    j: int,
    t: int,
    first: int,
    stop: int,
    action_of: NDArray[np.int64],
    order_lots: NDArray[np.int64],
    order_price: NDArray[np.float64],
) -> None:
    """Turn actions into signed lots and limit prices, written to the two order arrays [J, I]; 0 lots mean no order."""
    key_chance = keys[j, KEY_CHANCE]
    random_quotes = rules.minds == GODE_SUNDER and t >= rules.learning_days
    effort = activity**rules.fraction_attention
    step = rules.gesture_volatility * volatility * price if rules.volatility_gesture else spread
    gesture_size, fraction, bankrupt = traits.gesture, traits.fraction, purse.bankrupt
    cash, lots, own_ask = purse.cash, purse.lots, purse.ask
    for i in range(first, stop):
        order_lots[j, i] = 0
        if bankrupt[i]:
            continue
        bid, ask = quotes(price, forecast[j, i], rules.quoting)
        side, gesture = action_of[i - first] // 3, action_of[i - first] % 3
        if random_quotes:
            draw = np.uint64((t * rules.agents + i) * 4)
            bid = price * (0.9 + 0.2 * uniform(key_chance, draw + np.uint64(3)))
            ask = bid
        else:
            shift = gesture_size[i] * step
            if gesture == EAGERLY:
                bid, ask = bid + shift, ask - shift
            elif gesture == TOUGHLY:
                bid, ask = bid - shift, ask + shift
            bid, ask = max(bid, 0.0), max(ask, 0.0)
        own_ask[j, i] = ask
        share = min(1.0, fraction[i] * effort)
        held = lots[j, i]
        signed, limit = 0, price
        if side == SELL:
            limit = ask
            signed = -min(held, int(math.floor(share * held + 0.5))) if rules.fractional else -held  # noqa: RUF046
        elif side == BUY:
            limit = bid
            cost = max(bid, ask) * rules.assets / (0.98 * share) if rules.fractional else (rules.assets + 1) * ask
            if cost > 0.0 and cash[i] > 0.0:
                signed = int(min(math.floor(cash[i] / (cost * rules.lot)), _MAX_LOTS))
        order_lots[j, i], order_price[j, i] = signed, limit


@stage
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
def _expected_move(
    margins: NDArray[np.int16],
    size: NDArray[np.int32],
    recent: NDArray[np.int64],
    j: int,
    i: int,
    start: int,
    cap: int,
    stored: int,
    largest: bool,
    margin_bin: int,
) -> int:
    """Return s0 (0 fall, 1 flat, 2 rise) from the rank of m = 100 (H - P) / P among those of its sign; remember m.

    Rows 2 i and 2 i + 1 of the histograms hold |m| for m < 0 and m >= 0. The authors' simulator forgets the smallest
    value of each (Q2), which among negative ones is the largest in magnitude.
    """
    rising, where = margin_bin // BINS, margin_bin % BINS
    row = 2 * i + rising
    held = size[j, row]
    below = rank_in(margins, j, row, where)
    if rising == 1:
        s0 = 1 if held > 0 and below < 0.05 * held else 2
    else:
        s0 = 0 if held == 0 or held - below <= 0.95 * held else 1
    put(margins, j, row, where, 1)
    if largest and held >= cap:
        out = smallest_in(margins, j, row) if rising == 1 else largest_in(margins, j, row)
        put(margins, j, row, out, -1)
    else:
        size[j, row] = held + 1
    if not largest:
        at = start + stored % cap
        if stored >= cap:
            old = recalled(recent, j, at, MARGINS_IN_A_WORD)
            old_row = 2 * i + old // BINS
            put(margins, j, old_row, old % BINS, -1)
            size[j, old_row] -= 1
        remember(recent, j, at, MARGINS_IN_A_WORD, margin_bin)
    return s0


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
