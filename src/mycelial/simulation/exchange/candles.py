"""Candles of every interval from one stream of trades, empty intervals included, and the day behind the ticker.

Trades are first gathered by the minute; every interval is a fold of its minutes. An interval in which nothing traded
is a flat candle at the former close with no volume (Kraken's REST answers have no holes; whether the live venue
leaves some out is not known).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from mycelial.simulation.exchange.reports import Candle

MINUTE_NS = 60 * 10**9
DAY_NS = 86_400 * 10**9
INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)  # minutes
ROWS = 720  # shown of each interval, the forming one included
_DAY_MINUTES = 1440


class Candles:
    """The candles of one pair.

    Parameters
    ----------
    past : mapping of interval to candles, oldest first: at least one of each, all but the last finished.
    now_ns : unix time of the present; the last candles of the past reach up to it or end there.
    """

    def __init__(self, past: dict[int, list[Candle]], now_ns: int) -> None:
        self._finished: dict[int, deque[Candle]] = {
            interval: deque(past[interval][:-1], _DAY_MINUTES + 1 if interval == 1 else ROWS) for interval in INTERVALS
        }
        self._forming: dict[int, Candle] = {interval: past[interval][-1] for interval in INTERVALS}
        self._closed_for = -1
        self._earlier: tuple[tuple[Candle, ...], tuple[Candle, ...]] = ((), ())
        self.roll(now_ns)

    def roll(self, now_ns: int) -> None:
        """Finish all candles that ended by `now_ns`, and fill the empty ones."""
        for interval, forming in self._forming.items():
            length = interval * MINUTE_NS
            if now_ns < forming.start_ns + length:
                continue
            rows = self._finished[interval]
            rows.append(forming)
            start = max(forming.start_ns + length, now_ns // length * length - (rows.maxlen or 0) * length)
            while now_ns >= start + length:
                rows.append(Candle(start, *(forming.close,) * 4, 0, 0, 0))
                start += length
            self._forming[interval] = Candle(start, *(forming.close,) * 4, 0, 0, 0)

    def trade(self, gathered: Candle) -> None:
        """Count trades of one minute, gathered as a candle that starts with it."""
        self.roll(gathered.start_ns)
        for interval, forming in self._forming.items():
            if forming.trades == 0:
                self._forming[interval] = gathered._replace(start_ns=forming.start_ns)
            else:
                self._forming[interval] = Candle(
                    forming.start_ns,
                    forming.open,
                    max(forming.high, gathered.high),
                    min(forming.low, gathered.low),
                    gathered.close,
                    forming.volume + gathered.volume,
                    forming.turnover + gathered.turnover,
                    forming.trades + gathered.trades,
                )

    def rows(self, interval: int, most: int = ROWS) -> list[Candle]:
        """Return the latest candles, oldest first, the forming one last."""
        finished = self._finished[interval]
        return [*(finished[n] for n in range(max(0, len(finished) - most + 1), len(finished))), self._forming[interval]]

    def forming(self, interval: int) -> Candle:
        """Return the candle that still changes."""
        return self._forming[interval]

    def day(self, now_ns: int) -> tuple[Candle, Candle]:
        """Return everything since 00:00 UTC, and in the last 24 hours (by whole minutes), each as one candle."""
        minute = self._forming[1]
        if self._closed_for != minute.start_ns:
            self._closed_for = minute.start_ns
            midnight, yesterday = now_ns // DAY_NS * DAY_NS, minute.start_ns - DAY_NS
            rows = [row for row in self._finished[1] if row.start_ns >= min(midnight, yesterday)]
            self._earlier = (
                tuple(_folded(row for row in rows if row.start_ns >= midnight)),
                tuple(_folded(row for row in rows if row.start_ns > yesterday)),
            )
        today, day = self._earlier
        return merged((*today, minute)), merged((*day, minute))


def _folded(rows: Iterable[Candle]) -> list[Candle]:
    """Return candles as one, or none if there are none."""
    every = list(rows)
    return [merged(every)] if every else []


def merged(rows: Iterable[Candle]) -> Candle:
    """Return adjoining candles as one; prices of empty ones do not count, unless all are empty."""
    every = list(rows)
    traded = [row for row in every if row.trades] or every
    return Candle(
        every[0].start_ns,
        traded[0].open,
        max(row.high for row in traded),
        min(row.low for row in traded),
        traded[-1].close,
        sum(row.volume for row in traded),
        sum(row.turnover for row in traded),
        sum(row.trades for row in traded),
    )
