"""Trade against a recorded market: a `MarketSession` over a `MarketRecording`.

The market's clock is the exchange's time where the recording has it. Realistic by default: orders join behind what is
shown, cancels ahead are a proportional share, fees apply. What the rules are is told in `replay_kernel`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mycelial.domain.depth import BEST, COUNT, price_index
from mycelial.domain.errors import ConfigError, DataError, OrderRejected
from mycelial.domain.recording import MarketRecording, clocks
from mycelial.market import replay_kernel as kernel
from mycelial.market.book.records import EVENT, INPUT
from mycelial.market.session import Ints, Records, Top

_CANCELS = {"none": kernel.PESSIMISTIC, "proportional": kernel.PROPORTIONAL, "all": kernel.OPTIMISTIC}


@dataclass(frozen=True)
class ReplayRules:
    """How own orders meet the recorded market.

    Parameters
    ----------
    cancels_ahead : "proportional", "none" or "all"
        Which of the lots cancelled at a level stood before an own order: a share equal to the share of the queue that
        is ahead; none of them (pessimistic); or as many as possible (optimistic).
    up_ns, down_ns : int
        Latency from the trader to the market and back, nanoseconds.
    maker_ppm, taker_ppm : int
        Fee rates, parts per million of the notional; below zero for a rebate.
    cash_per_tick_lot : int
        Cash units that one tick times one lot is worth.
    protection_ppm : int
        How far from the best price a market order may walk.
    max_orders : int
        Own orders that can be alive at once.

    Raises
    ------
    ConfigError
        If a value is impossible.
    """

    cancels_ahead: Literal["proportional", "none", "all"] = "proportional"
    up_ns: int = 0
    down_ns: int = 0
    maker_ppm: int = 0
    taker_ppm: int = 0
    cash_per_tick_lot: int = 1
    protection_ppm: int = 10_000
    max_orders: int = 256

    def __post_init__(self) -> None:
        if self.cancels_ahead not in _CANCELS:
            raise ConfigError(f"cancels_ahead {self.cancels_ahead!r} is unknown; choose from {', '.join(_CANCELS)}")
        for name, least in (
            *(("up_ns", 0), ("down_ns", 0), ("cash_per_tick_lot", 1), ("protection_ppm", 0), ("max_orders", 1)),
            *(("maker_ppm", -1_000_000), ("taker_ppm", -1_000_000)),
        ):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} {getattr(self, name)} must be at least {least}")


class Replay:
    """A recorded market with own orders in it; see `MarketSession` for what its methods promise.

    Raises
    ------
    DataError
        If the recording holds no book.
    """

    def __init__(self, recording: MarketRecording, rules: ReplayRules | None = None) -> None:
        self.rules = rules or ReplayRules()
        if not recording.batches.size:
            raise DataError(f"{recording.source}: holds no book to trade in; give a recording with levels")
        self.feed = feed_of(recording)
        self.state = kernel.new_state(self.feed.prices.size, self.rules.max_orders)
        self._kernel_rules = kernel.Rules(
            _CANCELS[self.rules.cancels_ahead],
            self.rules.up_ns,
            self.rules.maker_ppm,
            self.rules.taker_ppm,
            self.rules.cash_per_tick_lot,
            self.rules.protection_ppm,
        )
        self._inputs = np.zeros((256, len(kernel.INPUT_FIELDS)), np.int64)
        self._n_inputs = 0
        self._events = np.zeros((1024, len(kernel.EVENT_FIELDS)), np.int64)
        self._read = 0
        self._view: kernel.State | None = None
        self._time = int(min(self.feed.batches[0, 0], *self.feed.trades[:1, 0], kernel.NEVER))
        self.state.at[kernel.TIME] = self._time

    @property
    def time_ns(self) -> int:
        """The trader's present."""
        return self._time

    @property
    def end_ns(self) -> int:
        """When the recording ends."""
        return int(max(self.feed.batches[-2, 0], *self.feed.trades[-1:, 0], 0))

    def submit(self, inputs: Records) -> None:
        """Send records of INPUT; see `MarketSession`."""
        inputs = np.atleast_1d(np.asarray(inputs, INPUT))
        if not inputs.size:
            return
        ts = inputs["ts"]
        last = max(self._time, int(self._inputs[self._n_inputs - 1, 0]) if self._n_inputs else self._time)
        if int(ts[0]) < last or (np.diff(ts) < 0).any():
            raise OrderRejected(
                f"a record is sent at {int(ts.min())} ns, but time is {last} ns already; send in order, from now on"
            )
        end = self._n_inputs + inputs.size
        if end > len(self._inputs):
            self._inputs = np.concatenate([self._inputs, np.zeros((end, self._inputs.shape[1]), np.int64)])
        for column, name in enumerate(kernel.INPUT_FIELDS):
            self._inputs[self._n_inputs : end, column] = inputs[name]
        self._n_inputs = end

    def advance(self, to_ns: int) -> None:
        """Let everything up to `to_ns` happen; see `MarketSession`."""
        if to_ns < self._time:
            raise OrderRejected(f"time is {self._time} ns and cannot go back to {to_ns} ns")
        inputs = self._inputs[: self._n_inputs]
        while (
            kernel.advance(self.feed, self.state, self._kernel_rules, inputs, self._events, to_ns) == kernel.EVENTS_FULL
        ):
            more = np.zeros_like(self._events)
            self._events = np.concatenate([self._events, more])
        self._time = to_ns

    def events(self) -> Records:
        """Return the events that reached the trader since the last call; see `MarketSession`."""
        known = self._events[: self.state.at[kernel.N_EVENTS]]
        end = int(np.searchsorted(known[:, kernel.E_TS], self._time - self.rules.down_ns, side="right"))
        fresh = np.zeros(end - self._read, EVENT)
        for column, name in enumerate(kernel.EVENT_FIELDS):
            fresh[name] = known[self._read : end, column]
        self._read = end
        return fresh

    def top(self, levels: int) -> Top:
        """Return the best levels as the trader sees them; see `MarketSession`.

        Recorded lots of one latency ago, less what own orders took of them, and own resting orders.
        """
        state = self.state if self.rules.down_ns == 0 else self._delayed()
        own = self.state.own[: self.state.at[kernel.N_OWN]]
        sides = []
        for side in range(2):
            step = -1 if side == 0 else 1
            found: dict[int, int] = {}
            for order in own[own[:, kernel.O_SIDE] == side]:
                price, lots = int(order[kernel.O_PRICE]), int(order[kernel.O_LEFT])
                found[price] = found.get(price, 0) + lots
            rank, seen, left = int(state.ends[BEST, side]), 0, int(state.ends[COUNT, side])
            taken = self.state.ladder[kernel.TAKEN, side]
            while left > 0 and seen < levels:
                if state.ladder[kernel.SHOWN, side, rank] > 0:
                    left -= 1
                    lots = state.ladder[kernel.SHOWN, side, rank] - state.ladder[kernel.TRADED, side, rank]
                    if lots > taken[rank]:
                        price = int(self.feed.prices[rank])
                        found[price] = found.get(price, 0) + int(lots - taken[rank])
                        seen += 1
                rank += step
            ladder = sorted(found.items(), reverse=side == 0)[:levels]
            sides += [np.array([p for p, _ in ladder], np.int64), np.array([q for _, q in ladder], np.int64)]
        return Top(*sides)

    def _delayed(self) -> kernel.State:
        """Return the recorded book one latency ago, with no own orders in it."""
        if self._view is None:
            self._view = kernel.new_state(self.feed.prices.size, 1)
        nothing, silence = self._inputs[:0], self._events[:0]
        kernel.advance(self.feed, self._view, self._kernel_rules, nothing, silence, self._time - self.rules.down_ns)
        return self._view


def feed_of(recording: MarketRecording) -> kernel.Feed:
    """Lay out a recording for the kernels, on the exchange's clock where it has one."""
    index = price_index(recording)
    batch_time, trade_time = clocks(recording)
    sided = recording.trades["side"] >= 0
    trades, trade_time = recording.trades[sided], trade_time[sided]
    at = np.minimum(np.searchsorted(index.prices, trades["price"]), index.prices.size - 1)
    rank: Ints = np.where(index.prices[at] == trades["price"], at, -1)
    batches = np.zeros((recording.batches.size + 1, 3), np.int64)
    batches[:-1] = np.column_stack([batch_time, recording.batches["kind"], recording.batches["first"]])
    batches[-1] = kernel.NEVER, 0, recording.levels.size
    levels = _table([index.rank, recording.levels["lots"], recording.levels["side"]])
    trade_table = _table([trade_time, trades["price"], rank, trades["lots"], trades["side"]])
    return kernel.Feed(index.prices, batches, levels, trade_table)


def _table(columns: list[Ints]) -> Ints:
    """Return columns side by side, rows contiguous whatever their number: one layout is one compilation."""
    out = np.zeros((columns[0].size, len(columns)), np.int64)
    for number, column in enumerate(columns):
        out[:, number] = column
    return out
