"""Follow the book of one pair and prove after every message that it is the exchange's.

A snapshot and every update carry a CRC-32 of the ten best levels. As soon as ours differs the book is not shown any
more, the subscription is taken up anew, and what comes before its snapshot is dropped: a wrong book is worse than none.

Levels are integers, ticks and lots. Format and rules: Kraken's guide ``websockets/book-checksum-v2`` (read 2026-11);
`market.checksum` holds the compiled side of the same sum.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from enum import StrEnum

from mycelial.domain.ports import BookView

SUMMED = 10  # levels a side that the checksum covers, whatever the depth

Level = tuple[int, int]  # ticks, lots


class BookState(StrEnum):
    """Where a book stands."""

    WAITING = "waiting"  # for the snapshot
    GOOD = "good"
    BROKEN = "broken"  # subscribe again


class BookFollower:
    """The best `depth` levels of one pair.

    Parameters
    ----------
    depth : levels a side that were subscribed to.
    price_step, lot_step : a tick and a lot in units of the last decimal that the exchange prints.
    """

    def __init__(self, symbol: str, depth: int = 10, price_step: int = 1, lot_step: int = 1) -> None:
        self.symbol, self.depth = symbol, depth
        self.state = BookState.WAITING
        self.mismatches = 0
        self.verified_ns = 0
        self._steps = price_step, lot_step
        self._bids = _Ladder(best_is_high=True)
        self._asks = _Ladder(best_is_high=False)
        self._view: BookView | None = None

    def snapshot(self, bids: Iterable[Level], asks: Iterable[Level], checksum: int, now_ns: int) -> BookState:
        """Begin with a whole book; say whether it is good."""
        self._bids.clear()
        self._asks.clear()
        return self._change(bids, asks, checksum, now_ns)

    def update(self, bids: Iterable[Level], asks: Iterable[Level], checksum: int, now_ns: int) -> BookState:
        """Apply changed levels in order, new totals, 0 removes; dropped unless the book is good."""
        if self.state is BookState.GOOD:
            self._change(bids, asks, checksum, now_ns)
        return self.state

    def reset(self) -> None:
        """Forget the book: a new snapshot will come."""
        self.state, self._view = BookState.WAITING, None

    def seen(self, now_ns: int) -> None:
        """The connection lives and has nothing new: the book still holds."""
        if self.state is BookState.GOOD:
            self.verified_ns, self._view = now_ns, None

    def view(self) -> BookView:
        """Return the book for strategies; without levels when it is not proven."""
        if self._view is None:
            good = self.state is BookState.GOOD
            bids, asks = (self._bids.best(self.depth), self._asks.best(self.depth)) if good else ((), ())
            self._view = BookView(self.symbol, bids, asks, self.verified_ns, good)
        return self._view

    def _change(self, bids: Iterable[Level], asks: Iterable[Level], checksum: int, now_ns: int) -> BookState:
        for ladder, levels in ((self._bids, bids), (self._asks, asks)):
            for ticks, lots in levels:
                ladder.put(ticks, lots)
            ladder.cut(self.depth)
        self._view = None
        ours = book_checksum(self._asks.best(SUMMED), self._bids.best(SUMMED), *self._steps)
        if ours == checksum:
            self.state, self.verified_ns = BookState.GOOD, now_ns
        else:
            self.state = BookState.BROKEN
            self.mismatches += 1
        return self.state


def book_checksum(asks: Sequence[Level], bids: Sequence[Level], price_step: int = 1, lot_step: int = 1) -> int:
    """Return the CRC-32 of the best ten asks, low to high, then the best ten bids, high to low."""
    digits = [f"{ticks * price_step}{lots * lot_step}" for side in (asks, bids) for ticks, lots in side[:SUMMED]]
    return zlib.crc32("".join(digits).encode())


class _Ladder:
    """Levels of one side by price; `_ticks` rises."""

    def __init__(self, *, best_is_high: bool) -> None:
        self._lots: dict[int, int] = {}
        self._ticks: list[int] = []
        self._best_is_high = best_is_high

    def clear(self) -> None:
        self._lots.clear()
        self._ticks.clear()

    def put(self, ticks: int, lots: int) -> None:
        if lots > 0:
            if ticks not in self._lots:
                self._ticks.insert(bisect_left(self._ticks, ticks), ticks)
            self._lots[ticks] = lots
        elif self._lots.pop(ticks, None) is not None:
            del self._ticks[bisect_left(self._ticks, ticks)]

    def cut(self, depth: int) -> None:
        while len(self._ticks) > depth:
            del self._lots[self._ticks.pop(0 if self._best_is_high else -1)]

    def best(self, levels: int) -> tuple[Level, ...]:
        ticks = self._ticks[: -levels - 1 : -1] if self._best_is_high else self._ticks[:levels]
        return tuple((one, self._lots[one]) for one in ticks)
