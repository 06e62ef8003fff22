"""Own orders in a market that is being watched: the queue-position model of `Replay`, fed message by message.

The rules are those of `market.replay` (see its page): own orders join behind what is shown, trade through only for what
traded or was shown, and lots taken stay taken until the level shows no more than them. What is different: nothing is
known beforehand, so prices live in a window of ticks around the market that moves with it, and memory does not grow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mycelial.domain.depth import BEST, COUNT, WORST
from mycelial.domain.errors import DataError, OrderRejected
from mycelial.domain.recording import SNAPSHOT, UPDATE
from mycelial.market.book.records import EVENT, INPUT
from mycelial.market.replay import kernel, layout
from mycelial.market.replay.session import CANCELS, ReplayRules
from mycelial.market.session import Records

WINDOW = 1 << 16  # ticks; a quarter of it from the edge the window is moved
Levels = Sequence[tuple[int, int]]  # ticks, lots


class LiveReplay:
    """One watched market with own orders in it."""

    def __init__(self, rules: ReplayRules | None = None, *, window: int = WINDOW) -> None:
        self.rules = rules or ReplayRules()
        self._kernel_rules = layout.Rules(
            CANCELS[self.rules.cancels_ahead],
            self.rules.up_ns,
            self.rules.maker_ppm,
            self.rules.taker_ppm,
            self.rules.cash_per_tick_lot,
            self.rules.protection_ppm,
        )
        self._window = window
        self._low = 0  # price of rank 0
        self._is_placed = False
        self._prices = np.arange(window, dtype=np.int64)
        self.state = layout.new_state(window, self.rules.max_orders)
        self._pending = np.zeros((0, len(layout.INPUT_FIELDS)), np.int64)
        self._events = np.zeros((1 << 12, len(layout.EVENT_FIELDS)), np.int64)
        self.time_ns = 0

    def submit(self, record: Records) -> None:
        """Send one record of INPUT; it reaches the market one latency after its ``ts``."""
        one = np.atleast_1d(np.asarray(record, INPUT))
        last = int(self._pending[-1, layout.I_TS]) if len(self._pending) else self.time_ns
        if int(one["ts"][0]) < last:
            raise OrderRejected(f"a record is sent at {int(one['ts'][0])} ns, but time is {last} ns already")
        row = np.array([[int(one[name][0]) for name in layout.INPUT_FIELDS]], np.int64)
        self._pending = np.concatenate([self._pending, row])

    def advance(self, to_ns: int) -> Records:
        """Let time pass without news; return the events of own orders, ``EVENT[n]``."""
        return self._run(_NOTHING, _NO_LEVELS, _NO_TRADES, to_ns)

    def levels(self, time_ns: int, bids: Levels, asks: Levels, *, is_snapshot: bool) -> Records:
        """Take changed levels (new totals, 0 removes) or a whole book; return the events of own orders."""
        self._place(bids, asks)
        rows = [
            (price - self._low, lots, side)
            for side, told in enumerate((bids, asks))
            for price, lots in told
            if 0 <= price - self._low < self._window
        ]
        table = np.array(rows, np.int64).reshape(-1, 3)
        batches = np.array([[time_ns, SNAPSHOT if is_snapshot else UPDATE, 0], [layout.NEVER, 0, len(rows)]], np.int64)
        return self._run(batches, table, _NO_TRADES, time_ns)

    def trade(self, time_ns: int, price: int, lots: int, side: int) -> Records:
        """Take a trade; `side` is the taker's, 0 buys. Return the events of own orders."""
        rank = price - self._low
        row = np.array([[time_ns, price, rank if 0 <= rank < self._window else -1, lots, side]], np.int64)
        return self._run(_NOTHING, _NO_LEVELS, row, time_ns)

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _run(self, batches: layout.Ints, levels: layout.Ints, trades: layout.Ints, until: int) -> Records:
        if until < self.time_ns:
            raise DataError(f"time is {self.time_ns} ns and cannot go back to {until} ns")
        state = self.state
        for counter in (layout.BATCH, layout.TRADE, layout.INPUTS, layout.N_EVENTS):
            state.at[counter] = 0
        feed = layout.Feed(self._prices, batches, levels, trades)
        while kernel.advance(feed, state, self._kernel_rules, self._pending, self._events, until) == layout.EVENTS_FULL:
            self._events = np.concatenate([self._events, np.zeros_like(self._events)])
        self.time_ns = until
        self._pending = self._pending[state.at[layout.INPUTS] :].copy()
        known = self._events[: state.at[layout.N_EVENTS]]
        found = np.zeros(len(known), EVENT)
        for column, name in enumerate(layout.EVENT_FIELDS):
            found[name] = known[:, column]
        return found

    def _place(self, bids: Levels, asks: Levels) -> None:
        """Move the window so that the market is well inside it."""
        told = [price for side in (bids, asks) for price, lots in side if lots > 0]
        if not told:
            return
        middle = (min(told) + max(told)) // 2
        edge = self._window // 4
        if not self._is_placed:
            self._low, self._is_placed = middle - self._window // 2, True
        elif not self._low + edge <= middle < self._low + self._window - edge:
            self._shift(middle - self._window // 2 - self._low)
        else:
            return
        self._prices = self._low + np.arange(self._window, dtype=np.int64)

    def _shift(self, by: int) -> None:
        """Count ranks from a price `by` ticks higher; levels that fall out of the window are forgotten."""
        state, width = self.state, self._window
        old = state.ladder.copy()
        state.ladder[:] = 0
        first, last = max(0, by), min(width, width + by)
        if first < last:
            state.ladder[:, :, first - by : last - by] = old[:, :, first:last]
        own = state.own[: state.at[layout.N_OWN]]
        ranks = own[:, layout.O_PRICE] - self._low - by
        own[:, layout.O_RANK] = np.where((ranks >= 0) & (ranks < width), ranks, -1)
        for side in range(2):
            shown = np.flatnonzero(state.ladder[layout.SHOWN, side])
            best, worst = ((-1, width), (width, -1))[side]
            if shown.size:
                best, worst = (int(shown[-1]), int(shown[0]))[:: 1 if side == 0 else -1]
            state.ends[BEST, side], state.ends[WORST, side], state.ends[COUNT, side] = best, worst, shown.size
        self._low += by


def warm_up() -> None:
    """Compile or load the kernels, which takes seconds: before a market is watched, not while its messages wait."""
    scratch = LiveReplay(window=64)
    scratch.levels(0, [(31, 5)], [(33, 5)], is_snapshot=True)
    scratch.trade(1, 33, 1, 0)
    scratch.advance(2)


_NOTHING = np.array([[layout.NEVER, 0, 0]], np.int64)
_NO_LEVELS = np.zeros((0, 3), np.int64)
_NO_TRADES = np.zeros((0, 5), np.int64)
