"""Trades as a tape, and candles made from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.domain.kernels import entry
from mycelial.market.book import EventKind

PRINT = np.dtype(
    [
        ("seq", "<i8"),  # dense from 0
        ("ts", "<i8"),
        ("event_seq", "<i8"),
        ("price", "<i8"),
        ("lots", "<i8"),
        ("side", "<i8"),  # of the taker
        ("taker_handle", "<i8"),
        ("maker_handle", "<i8"),
    ]
)

CANDLE = np.dtype(
    [
        ("seq", "<i8"),  # of the feed, dense from 0
        ("start", "<i8"),  # ns, a multiple of the interval
        ("open", "<i8"),
        ("high", "<i8"),
        ("low", "<i8"),
        ("close", "<i8"),
        ("lots", "<i8"),
        ("tick_lots", "<i8"),  # sum of price x lots; over `lots` it is the average price
        ("trades", "<i8"),
    ]
)


class TradeTape:
    """Numbers the trades among the events of a book."""

    def __init__(self) -> None:
        self.seq = 0

    def publish(self, events: NDArray[np.void]) -> NDArray[np.void]:
        """Return the trades among the next events, ``PRINT[n]``."""
        trades = events[events["kind"] == EventKind.TRADE]
        prints = np.zeros(len(trades), PRINT)
        prints["seq"] = np.arange(self.seq, self.seq + len(trades))
        for name in ("ts", "event_seq", "price", "lots", "side", "maker_handle"):
            prints[name] = trades[name]
        prints["taker_handle"] = trades["handle"]
        self.seq += len(trades)
        return prints


class Candles:
    """Open, high, low, close and volume per interval.

    Intervals without a trade have no candle.

    Parameters
    ----------
    interval_ns : int
    """

    def __init__(self, interval_ns: int) -> None:
        if interval_ns < 1:
            raise ConfigError(f"candle interval {interval_ns} ns must be at least 1")
        self.interval_ns = interval_ns
        self._open = np.zeros(1, CANDLE)  # the candle that may still change; no trades before the first
        self._seq = 0

    def publish(self, prints: NDArray[np.void]) -> NDArray[np.void]:
        """Return the candles that the next trades changed, each once with its values after them, ``CANDLE[n]``."""
        if len(prints) == 0:
            return np.zeros(0, CANDLE)
        out = np.zeros(len(prints) + 1, CANDLE)
        count = _gather(prints, self.interval_ns, self._open, out)
        changed = out[:count]
        self._open[0] = changed[-1]
        changed["seq"] = np.arange(self._seq, self._seq + count)
        self._seq += count
        return changed.copy()


@entry
def _gather(prints: NDArray[np.void], interval: int, open_: NDArray[np.void], out: NDArray[np.void]) -> int:
    """Write the changed candles; return their number. `out` has room for one per trade and one more."""
    count = 0
    current = open_[0]
    for n in range(len(prints)):
        trade = prints[n]
        start = trade.ts // interval * interval
        if current.trades == 0 or current.start != start or count == 0:
            row = out[count]
            count += 1
            if current.trades != 0 and current.start == start:
                row.open, row.high, row.low = current.open, current.high, current.low
                row.lots, row.tick_lots, row.trades = current.lots, current.tick_lots, current.trades
            else:
                row.open, row.high, row.low = trade.price, trade.price, trade.price
            row.start = start
            current = row
        current.high, current.low = max(current.high, trade.price), min(current.low, trade.price)
        current.close = trade.price
        current.lots += trade.lots
        current.tick_lots += trade.lots * trade.price
        current.trades += 1
    return count
