"""`BookMirror`: a subscriber who knows a book from a snapshot and updates alone."""

from __future__ import annotations

from bisect import bisect_left, insort

import numpy as np

from mycelial.domain.errors import DataError
from mycelial.market.checksum import l2_checksum, l3_checksum
from mycelial.market.feeds.publisher import Published
from mycelial.market.feeds.records import MessageKind, View

Orders = dict[int, tuple[int, int]]  # handle to (lots, ts), in queue order


class BookMirror:
    """Rebuilds one side of the story: the best levels (L2) or their orders (L3) of a feed.

    Parameters
    ----------
    view : View
        L2 or L3; L1 needs no rebuilding.
    depth : int
        Levels a side; what falls below is dropped after each message.
    price_step, lot_step : int
        Tick and lot size in units of the last printed decimal, for checksums.
    """

    def __init__(self, view: View, depth: int, *, price_step: int = 1, lot_step: int = 1) -> None:
        self.view, self.depth = view, depth
        self.seq = -1
        self._steps = price_step, lot_step
        self._clear()

    def apply(self, published: Published) -> None:
        """Apply messages in order.

        Raises
        ------
        DataError
            If a message is missing, comes before a snapshot, or carries another checksum than the mirror's. The mirror
            is of no use then; subscribe again.
        """
        rows = published.rows.tolist()
        for message in published.messages:
            self._number(int(message["seq"]), snapshot=int(message["kind"]) == MessageKind.SNAPSHOT)
            first = int(message["first"])
            for row in rows[first : first + int(message["count"])]:
                self._change(*row)
            for side in (0, 1):
                self._cut(side)
            expected = int(message["checksum"])
            if expected >= 0 and self.checksum() != expected:
                raise DataError(
                    f"after message {self.seq} the checksum is {self.checksum()}, the feed says {expected}; subscribe "
                    "again"
                )

    def levels(self, side: int) -> list[tuple[int, int]]:
        """Return (price in ticks, shown lots) of each level, best first."""
        return [(price, sum(lots for lots, _ in self._queues[side][price].values())) for price in self._walk(side)]

    def orders(self, side: int) -> list[tuple[int, int, int, int]]:
        """Return (handle, price, lots, ts) of each order, best level first, in queue order (L3)."""
        return [
            (handle, price, lots, ts)
            for price in self._walk(side)
            for handle, (lots, ts) in self._queues[side][price].items()
        ]

    def checksum(self) -> int:
        """Return the checksum of the best ten levels (L2) or of their orders (L3)."""
        sides = []
        for side in (1, 0):
            rows = [row[1:3] for row in self.orders(side)] if self.view == View.L3 else self.levels(side)
            entries = np.array(rows, np.int64).reshape(-1, 2)
            sides += [np.ascontiguousarray(entries[:, 0]), np.ascontiguousarray(entries[:, 1])]
        of = l3_checksum if self.view == View.L3 else l2_checksum
        return int(of(*sides, *self._steps))

    def _number(self, seq: int, *, snapshot: bool) -> None:
        if snapshot:
            self._clear()
        elif self.seq < 0:
            raise DataError(f"message {seq} came before any snapshot; ask for one")
        elif seq != self.seq + 1:
            raise DataError(f"message {self.seq + 1} is missing, {seq} came; subscribe again")
        self.seq = seq

    def _clear(self) -> None:
        self._prices: tuple[list[int], list[int]] = ([], [])  # worst first
        self._queues: tuple[dict[int, Orders], dict[int, Orders]] = ({}, {})
        self._places: dict[int, tuple[int, int]] = {}  # handle to (side, price)

    def _walk(self, side: int) -> list[int]:
        return [price if side == 0 else -price for price in reversed(self._prices[side])]

    def _change(self, handle: int, price: int, lots: int, ts: int, side: int) -> None:
        known = handle in self._places if self.view == View.L3 else price in self._queues[side]
        queues = self._queues[side]
        if lots > 0:
            if price not in queues:
                queues[price] = {}
                insort(self._prices[side], price if side == 0 else -price)
            queues[price][handle] = (lots, ts)  # a known handle keeps its place
            if self.view == View.L3:
                self._places[handle] = side, price
        elif known:
            del queues[price][handle]
            self._places.pop(handle, None)
            if not queues[price]:
                self._drop(side, price)

    def _drop(self, side: int, price: int) -> None:
        prices, key = self._prices[side], price if side == 0 else -price
        del prices[bisect_left(prices, key)]
        for handle in self._queues[side].pop(price):
            self._places.pop(handle, None)

    def _cut(self, side: int) -> None:
        while len(self._prices[side]) > self.depth:
            worst = self._prices[side][0]
            self._drop(side, worst if side == 0 else -worst)
