"""What a market showed to the public: the recording of a run as level updates, quotes and trades, ready for facts.

The form is that of recorded feeds (`mycelial.domain.recording`), so one code measures both. Level updates come in
batches of a fixed interval, as exchanges send them.
"""

from __future__ import annotations

import numpy as np

from mycelial.domain.instrument import Instrument
from mycelial.domain.recording import BATCH, LEVEL, QUOTE, SNAPSHOT, TRADE, UPDATE, MarketRecording
from mycelial.market.book import EventFlag, EventKind
from mycelial.simulation.intraday.market import Recording

_TRADE, _RESTED, _DONE = int(EventKind.TRADE), int(EventKind.RESTED), int(EventKind.DONE)
_AMENDED, _REPLENISHED = int(EventKind.AMENDED), int(EventKind.REPLENISHED)
_KEPT, _RESTING = int(EventFlag.KEPT), int(EventFlag.RESTING)


class _Shown:
    """The book as events tell it: orders by handle, levels by side, and which levels changed since the last batch."""

    def __init__(self) -> None:
        self.orders: dict[int, tuple[int, int, int]] = {}  # side, price, shown lots
        self.levels: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.changed: dict[tuple[int, int], None] = {}
        self.best = [0, 0]

    def _add(self, side: int, price: int, lots: int) -> None:
        levels = self.levels[side]
        left = levels.get(price, 0) + lots
        if left:
            levels[price] = left
        else:
            levels.pop(price, None)
        self.changed[side, price] = None
        best = self.best[side]
        if left and (best == 0 or (price > best if side == 0 else price < best)):
            self.best[side] = price
        elif not left and price == best:
            self.best[side] = (max(levels) if side == 0 else min(levels)) if levels else 0

    def rest(self, handle: int, side: int, price: int, lots: int) -> None:
        self.orders[handle] = (side, price, lots)
        self._add(side, price, lots)

    def leave(self, handle: int) -> None:
        order = self.orders.pop(handle, None)
        if order is not None and order[2]:
            self._add(order[0], order[1], -order[2])

    def cut(self, handle: int, lots: int) -> None:
        side, price, shown = self.orders[handle]
        self.orders[handle] = (side, price, shown - lots)
        self._add(side, price, -lots)

    def apply(self, event: tuple[int, ...]) -> None:
        kind, flags, side, handle, price, lots, maker = event
        if kind == _RESTED:
            self.rest(handle, side, price, lots)
        elif kind == _TRADE:
            self.cut(maker, lots)
        elif kind == _DONE and flags & _RESTING:
            self.leave(handle)
        elif kind == _AMENDED:
            self.leave(handle)
            if flags & _KEPT:
                self.rest(handle, side, price, lots)
        elif kind == _REPLENISHED:
            self.leave(handle)
            self.rest(handle, side, price, lots)


def shown(
    recording: Recording, instrument: Instrument, *, start_ns: int = 0, batch_ns: int = 100_000_000, label: str = ""
) -> MarketRecording:
    """Return what the public saw from `start_ns` on; the recording must begin with the opening of the market.

    Parameters
    ----------
    batch_ns : int
        Interval of level updates; quotes and trades keep their own times.
    """
    events, book = recording.events, _Shown()
    columns = ("kind", "flags", "side", "handle", "price", "lots", "maker_handle")
    rows = zip(*(events[name].tolist() for name in columns), strict=True)
    times, causes = events["ts"].tolist(), events["cause"].tolist()
    batches: list[tuple[int, ...]] = []
    levels: list[tuple[int, int, int]] = []
    quotes: list[tuple[int, ...]] = []
    due, touch = start_ns, (0, 0, 0, 0)
    for n, row in enumerate(rows):
        time = times[n]
        if time >= due:
            if not batches:  # everything that is there
                book.changed = {(side, price): None for side in range(2) for price in book.levels[side]}
            batches.append((due, due, len(levels), -1, -1, 0, UPDATE if batches else SNAPSHOT))
            levels += [(price, book.levels[side].get(price, 0), side) for side, price in book.changed]
            book.changed = {}
            due = time - time % batch_ns + batch_ns
        book.apply(row)
        if time >= start_ns and (n + 1 == len(times) or causes[n + 1] != causes[n]):
            bid, ask = book.best
            now = (bid, book.levels[0].get(bid, 0), ask, book.levels[1].get(ask, 0))
            if now != touch and bid and ask:
                quotes.append((time, time, *now, -1))
                touch = now
    trades = events[(events["kind"] == _TRADE) & (events["ts"] >= start_ns)]
    tape = np.zeros(len(trades), TRADE)
    tape["ts"] = tape["exchange_ts"] = trades["ts"]
    tape["price"], tape["lots"], tape["side"] = trades["price"], trades["lots"], trades["side"]
    tape["trade_id"] = np.arange(len(trades))
    return MarketRecording(
        label or f"simulated {instrument.symbol}",
        instrument.tick_size,
        instrument.lot_size,
        np.array(batches, BATCH),
        np.array(levels, LEVEL),
        np.array(quotes, QUOTE),
        tape,
    )
