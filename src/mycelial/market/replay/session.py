"""Trade against a recorded market: a `MarketSession` over a `MarketRecording`.

The market's clock is the exchange's time where the recording has it. Realistic by default: orders join behind what is
shown, cancels ahead are a proportional share, fees apply. The rules:

The recorded market does not know our orders; the rules keep that from being turned into gains.

Taking. What is shown at a level, less what traded there since it was last told, less what we took of it before, can be
taken. Lots once taken stay taken (`taken`): they come off everything the level shows until it shows no more than them,
when the lots we took have left the recorded book as well. So no resting lot fills two orders.

Resting. An order joins behind all lots shown at its price (`ahead`). A recorded trade at its price fills first what is
ahead, then own orders in their order. A recorded trade at a worse price fills own orders at better prices first: that
taker would have met them. Each traded lot counts once. Lots that leave a level without a trade were cancelled:
of these, none (PESSIMISTIC), a share equal to the share of the queue that is ahead (PROPORTIONAL), or as many as there
are (OPTIMISTIC) were ahead. When recorded lots appear on the other side at or beyond an own order's price, they trade
with it, and count as taken.

Lots that own fills spare from a recorded trade stay in the queue, before whoever joins later, until the level empties.

What is not modelled: recorded traders do not react to our orders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mycelial.domain.depth import BEST, COUNT, price_index
from mycelial.domain.errors import ConfigError, DataError, OrderRejected
from mycelial.domain.recording import MarketRecording, clocks
from mycelial.market.book.records import EVENT, INPUT
from mycelial.market.replay import kernel, layout
from mycelial.market.session import Ints, Records, Top

CANCELS = {"none": layout.PESSIMISTIC, "proportional": layout.PROPORTIONAL, "all": layout.OPTIMISTIC}


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
        if self.cancels_ahead not in CANCELS:
            raise ConfigError(f"cancels_ahead {self.cancels_ahead!r} is unknown; choose from {', '.join(CANCELS)}")
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
        self.state = layout.new_state(self.feed.prices.size, self.rules.max_orders)
        self._kernel_rules = layout.Rules(
            CANCELS[self.rules.cancels_ahead],
            self.rules.up_ns,
            self.rules.maker_ppm,
            self.rules.taker_ppm,
            self.rules.cash_per_tick_lot,
            self.rules.protection_ppm,
        )
        self._inputs = np.zeros((256, len(layout.INPUT_FIELDS)), np.int64)
        self._n_inputs = 0
        self._events = np.zeros((1024, len(layout.EVENT_FIELDS)), np.int64)
        self._read = 0
        self._view: layout.State | None = None
        self._time = int(min(self.feed.batches[0, 0], *self.feed.trades[:1, 0], layout.NEVER))
        self.state.at[layout.TIME] = self._time

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
        for column, name in enumerate(layout.INPUT_FIELDS):
            self._inputs[self._n_inputs : end, column] = inputs[name]
        self._n_inputs = end

    def advance(self, to_ns: int) -> None:
        """Let everything up to `to_ns` happen; see `MarketSession`."""
        if to_ns < self._time:
            raise OrderRejected(f"time is {self._time} ns and cannot go back to {to_ns} ns")
        inputs = self._inputs[: self._n_inputs]
        while (
            kernel.advance(self.feed, self.state, self._kernel_rules, inputs, self._events, to_ns) == layout.EVENTS_FULL
        ):
            more = np.zeros_like(self._events)
            self._events = np.concatenate([self._events, more])
        self._time = to_ns

    def events(self) -> Records:
        """Return the events that reached the trader since the last call; see `MarketSession`."""
        known = self._events[: self.state.at[layout.N_EVENTS]]
        end = int(np.searchsorted(known[:, layout.E_TS], self._time - self.rules.down_ns, side="right"))
        fresh = np.zeros(end - self._read, EVENT)
        for column, name in enumerate(layout.EVENT_FIELDS):
            fresh[name] = known[self._read : end, column]
        self._read = end
        return fresh

    def top(self, levels: int) -> Top:
        """Return the best levels as the trader sees them; see `MarketSession`.

        Recorded lots of one latency ago, less what own orders took of them, and own resting orders.
        """
        state = self.state if self.rules.down_ns == 0 else self._delayed()
        own = self.state.own[: self.state.at[layout.N_OWN]]
        sides = []
        for side in range(2):
            step = -1 if side == 0 else 1
            found: dict[int, int] = {}
            for order in own[own[:, layout.O_SIDE] == side]:
                price, lots = int(order[layout.O_PRICE]), int(order[layout.O_LEFT])
                found[price] = found.get(price, 0) + lots
            rank, seen, left = int(state.ends[BEST, side]), 0, int(state.ends[COUNT, side])
            taken = self.state.ladder[layout.TAKEN, side]
            while left > 0 and seen < levels:
                if state.ladder[layout.SHOWN, side, rank] > 0:
                    left -= 1
                    lots = state.ladder[layout.SHOWN, side, rank] - state.ladder[layout.TRADED, side, rank]
                    if lots > taken[rank]:
                        price = int(self.feed.prices[rank])
                        found[price] = found.get(price, 0) + int(lots - taken[rank])
                        seen += 1
                rank += step
            ladder = sorted(found.items(), reverse=side == 0)[:levels]
            sides += [np.array([p for p, _ in ladder], np.int64), np.array([q for _, q in ladder], np.int64)]
        return Top(*sides)

    def _delayed(self) -> layout.State:
        """Return the recorded book one latency ago, with no own orders in it."""
        if self._view is None:
            self._view = layout.new_state(self.feed.prices.size, 1)
        nothing, silence = self._inputs[:0], self._events[:0]
        kernel.advance(self.feed, self._view, self._kernel_rules, nothing, silence, self._time - self.rules.down_ns)
        return self._view


def feed_of(recording: MarketRecording) -> layout.Feed:
    """Lay out a recording for the kernels, on the exchange's clock where it has one."""
    index = price_index(recording)
    batch_time, trade_time = clocks(recording)
    sided = recording.trades["side"] >= 0
    trades, trade_time = recording.trades[sided], trade_time[sided]
    at = np.minimum(np.searchsorted(index.prices, trades["price"]), index.prices.size - 1)
    rank: Ints = np.where(index.prices[at] == trades["price"], at, -1)
    batches = np.zeros((recording.batches.size + 1, 3), np.int64)
    batches[:-1] = np.column_stack([batch_time, recording.batches["kind"], recording.batches["first"]])
    batches[-1] = layout.NEVER, 0, recording.levels.size
    levels = _table([index.rank, recording.levels["lots"], recording.levels["side"]])
    trade_table = _table([trade_time, trades["price"], rank, trades["lots"], trades["side"]])
    return layout.Feed(index.prices, batches, levels, trade_table)


def _table(columns: list[Ints]) -> Ints:
    """Return columns side by side, rows contiguous whatever their number: one layout is one compilation."""
    out = np.zeros((columns[0].size, len(columns)), np.int64)
    for number, column in enumerate(columns):
        out[:, number] = column
    return out
