"""Who is rich, who is ruined and who is new: what happens to portfolios outside the book (specification section 10)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.population import (
    KEY_TURNOVER,
    Purse,
)
from mycelial.agents.symba.rules import (
    BEST,
    FIXED,
    NO_LEADER,
    NOISE,
    WORST,
    Rules,
)
from mycelial.agents.symba.signals import Signals, set_price
from mycelial.domain.draws import normal, uniform
from mycelial.domain.kernels import kernel
from mycelial.simulation.world import Record

_ACCOUNTING_START = 10  # day of the first bankruptcy yardstick
_GRACE_DAYS = 5  # days after each yardstick without bankruptcies
_HALF_NORMAL_MEAN = 1.2533141373155001  # 1 / E|N(0, 1)|


@kernel
def open_day(
    rules: Rules,
    cash0: NDArray[np.float64],
    lots0: NDArray[np.int64],
    purse: Purse,
    signals: Signals,
    t: int,
) -> None:
    """Carry prices over, pay interest and dividends, revive everybody at the end of the learning phase."""
    prices, cash, lots, reference = signals.price, purse.cash, purse.lots, purse.cash_reference
    bankrupt, own_ask = purse.bankrupt, purse.ask
    growth, carry = 1.0 + rules.risk_free_rate / rules.days_year, rules.lot * rules.dividend_rate / rules.days_year
    for i in range(rules.agents):
        cash[i] *= growth
    for j in range(rules.assets):
        last = prices[j, t - 1]
        set_price(prices, signals.price_sum, signals.square_sum, j, t, last)
        for i in range(rules.agents):
            # Q8: the authors' code values coins at the agent's own last ask.
            price = own_ask[j, i] if rules.own_ask_valuation else last
            cash[i] += lots[j, i] * price * carry
    if t == rules.learning_days:
        for i in range(rules.agents):
            bankrupt[i], cash[i] = False, cash0[i]
            for j in range(rules.assets):
                lots[j, i] = lots0[j, i]
    for i in range(rules.agents):
        if t == 1 or (t >= 2 * rules.days_week and reference[i] == 0.0):
            reference[i] = cash[i]


@kernel
def leader_of(rules: Rules, purse: Purse, price: NDArray[np.float64], t: int) -> int:
    """Return whom the herd copies: the richest or poorest outside it at the last close, a fixed agent, or -1."""
    cash, lots, bankrupt = purse.cash, purse.lots, purse.bankrupt
    if rules.herd_leader == NO_LEADER or rules.herd_leader == NOISE or rules.herd >= rules.agents:
        return -1
    if rules.herd_leader == FIXED:
        return rules.agents - 1
    leader, top = -1, 0.0
    for i in range(rules.herd, rules.agents):
        if bankrupt[i]:
            continue
        nav = cash[i]
        for j in range(rules.assets):
            nav += lots[j, i] * rules.lot * price[j, t]
        if leader < 0 or (rules.herd_leader == BEST and nav > top) or (rules.herd_leader == WORST and nav < top):
            leader, top = i, nav
    return leader


@kernel
def bankruptcies(
    rules: Rules,
    purse: Purse,
    record: Record,
    prices: NDArray[np.float64],
    floor_pct: NDArray[np.int64],
    t: int,
) -> None:
    """Reset yearly yardsticks and ruin agents who fell below their floor relative to the market (section 10)."""
    cash, lots, bankrupt, nav0, ratios = purse.cash, purse.lots, purse.bankrupt, purse.nav0, record.year_nav_pct
    own_ask = purse.ask
    if t < _ACCOUNTING_START:
        return
    phase = (t - _ACCOUNTING_START) % rules.days_accounting
    year = (t - _ACCOUNTING_START) // rules.days_accounting
    ratio_sum, alive = 0.0, 0
    for i in range(rules.agents):
        if bankrupt[i]:
            continue
        nav = cash[i]
        for j in range(rules.assets):
            price = prices[j, t]
            if rules.own_ask_valuation:
                price = own_ask[j, i]
            nav += lots[j, i] * rules.lot * price
        if phase == 0:
            nav0[i] = nav
        ratio = 100.0 * nav / nav0[i] if nav0[i] > 0.0 else 100.0
        ratios[year, i] = ratio
        ratio_sum += ratio
        alive += 1
    mean_ratio = ratio_sum / alive if alive > 0 else 100.0
    record.nav_ratio_pct[t] = mean_ratio
    if phase > _GRACE_DAYS:
        discount = max(0, 100 - int(mean_ratio))
        for i in range(rules.agents):
            if not bankrupt[i] and ratios[year, i] + discount <= floor_pct[i]:
                bankrupt[i] = True
                cash[i] = 0.0
                for j in range(rules.assets):
                    lots[j, i] = 0
    ruined = 0
    for i in range(rules.agents):
        ruined += int(bankrupt[i])
    record.bankrupt_pct[t] = 100.0 * ruined / rules.agents


@kernel
def renew(rules: Rules, purse: Purse, price: NDArray[np.float64], keys: NDArray[np.uint64], t: int) -> None:
    """Replace a few agents, and let some bankrupt ones return, with a portfolio drawn around the population's mean."""
    cash, lots, bankrupt, nav0 = purse.cash, purse.lots, purse.bankrupt, purse.nav0
    agents, key = rules.agents, keys[0, KEY_TURNOVER]
    mean_cash, alive = 0.0, 0
    for i in range(agents):
        if not bankrupt[i]:
            mean_cash += cash[i]
            alive += 1
    if alive == 0:
        return
    mean_cash /= alive
    mean_wealth = mean_cash
    for j in range(rules.assets):
        for i in range(agents):
            mean_wealth += lots[j, i] * rules.lot * price[j, t] / alive
    for i in range(agents):
        at = np.uint64((t * agents + i) * 2)
        if uniform(key, at) >= (rules.reentry if bankrupt[i] else rules.turnover):
            continue
        entry_cash = 0.5 * mean_wealth if rules.balanced_entry else mean_cash
        cash[i] = entry_cash * _HALF_NORMAL_MEAN * abs(normal(key, at + np.uint64(1)))
        for j in range(rules.assets):
            if rules.balanced_entry:
                mean_held = 0.5 * mean_wealth / (rules.assets * rules.lot * price[j, t])
            else:
                held = 0
                for k in range(agents):
                    held += lots[j, k]
                mean_held = held / alive
            draw = abs(normal(keys[j, KEY_TURNOVER], at + np.uint64(2**40)))
            lots[j, i] = int(mean_held * _HALF_NORMAL_MEAN * draw)
        nav = cash[i]
        for j in range(rules.assets):
            nav += lots[j, i] * rules.lot * price[j, t]
        nav0[i] = nav
        bankrupt[i] = False
