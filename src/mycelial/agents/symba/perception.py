"""What algorithm T sees: each agent's expected move among those it remembers, and the state that follows from it.

108 states: expected move, volatility, cash, holdings, volume; see specification section 8 in `docs/concepts/symba.md`.
As in algorithm F, a few hundred agents at a time pass through stages that ask for the memory the next one will touch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
from mycelial.agents.symba.population import (
    GREEN,
    T_ACTIONS,
    T_STATE,
    Past,
    Purse,
    Trader,
)
from mycelial.agents.symba.profits import PAGE
from mycelial.agents.symba.rules import (
    Rules,
)
from mycelial.domain.kernels import inlined_kernel, kernel
from mycelial.domain.prefetch import prefetch

_AHEAD = 8  # agents between asking for memory and using it, within a stage


@kernel
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


@kernel
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


@kernel
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
