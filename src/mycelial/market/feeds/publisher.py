"""`MarketFeeds`: the public side of a market, made from its events alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.copying import copied, joined
from mycelial.domain.errors import ConfigError, DataError
from mycelial.domain.memory import address, blank
from mycelial.market.book import EVENT, OrderBook
from mycelial.market.book.state import allocate
from mycelial.market.feeds import kernel
from mycelial.market.feeds.records import FEED, FEED_ARRAYS, LOTS, MARKET, MESSAGE, TOUCH, UPDATE, View
from mycelial.market.feeds.replica import copy_resting

DEPTHS = (10, 25, 100, 500, 1000)  # those that Kraken sells; any other works as well
_ROOM = 1 << 10


@dataclass(frozen=True)
class FeedSpec:
    """What a feed shows and how often.

    Parameters
    ----------
    view : View
    depth : int
        Levels a side (L2, L3).
    interval_ns : int
        Changes are gathered and published when this much time has passed, on multiples of it; 0 publishes after every
        input that changed something.
    checksum : bool
        Whether every message carries the checksum of the best ten levels (L2, L3).
    """

    view: View
    depth: int = 10
    interval_ns: int = 0
    checksum: bool = False

    def __post_init__(self) -> None:
        if self.depth < 1 or self.interval_ns < 0:
            raise ConfigError(
                f"feed {self.view.name}: depth {self.depth} must be at least 1 and interval_ns {self.interval_ns} not "
                "below 0"
            )
        if self.checksum and self.view == View.L1:
            raise ConfigError("feed L1 has no checksum; leave `checksum` out")


class Published(NamedTuple):
    """Messages of one feed, ``MESSAGE[m]``, and their rows, ``UPDATE[r]`` (``TOUCH[r]`` for L1)."""

    messages: NDArray[np.void]
    rows: NDArray[np.void]


class MarketFeeds:
    """Feeds of one market, fed by the events of its book.

    Parameters
    ----------
    book : OrderBook
        The market as it is now; events from here on go to `publish`. The book itself is not kept.
    specs : sequence of FeedSpec
    lot_step : int, optional
        A lot in units of the last printed decimal, for checksums; by default quantities print the decimals of a lot.
    """

    def __init__(self, book: OrderBook, specs: Sequence[FeedSpec], *, lot_step: int | None = None) -> None:
        instrument = book.instrument
        self.specs = tuple(specs)
        self._replica = allocate(instrument, 1, ((0, 0, 0),), np.array(False))
        self._market = np.zeros(1, MARKET)
        ladder, slots = 2 * instrument.ladder_ticks, instrument.max_orders + 1
        self._shared = {"counts": blank(ladder, LOTS), "since": np.zeros(slots, LOTS)}
        for name, array in self._shared.items():
            self._market[f"{name}_at"] = address(array)
        self._market["now"], self._market["mode"] = book.now, book.mode
        self._next = book.state.scalar("event_seq")
        self._market["event_seq"] = self._next - 1
        self._market["price_step"] = _step(instrument.tick_size, instrument.price_decimals)
        self._market["lot_step"] = lot_step or _step(instrument.lot_size, instrument.lot_decimals)
        resting = book.orders()
        copy_resting(self._replica.header, self._market, resting, np.full(len(resting), book.now))
        self._feeds = np.zeros(len(self.specs), FEED)
        self._arrays = [self._allocate(n, spec, ladder, slots) for n, spec in enumerate(self.specs)]
        for n in range(len(self.specs)):
            while not kernel.start(self._replica.header, self._market, self._feeds, n):
                self._grow(n)

    def publish(self, events: NDArray[np.void]) -> list[Published]:
        """Return what each feed says about the next events of the book.

        Raises
        ------
        DataError
            If `events` do not follow those published before.
        """
        events = np.ascontiguousarray(events)
        if events.dtype != EVENT:
            raise DataError(f"feeds are made from records of dtype EVENT (mycelial.market.book), not {events.dtype}")
        if len(events) and (
            int(events["event_seq"][0]) != self._next or int(events["event_seq"][-1]) != self._next + len(events) - 1
        ):
            raise DataError(
                f"events {int(events['event_seq'][0])} to {int(events['event_seq'][-1])} do not follow event "
                f"{self._next - 1}; publish every event once, in order"
            )
        collected: list[list[Published]] = [[] for _ in self.specs]
        at, before = 0, -1
        while at < len(events):
            at = kernel.publish(self._replica.header, self._market, self._feeds, events, at)
            self._collect(collected, grow=at == before)
            before = at
        self._next += len(events)
        return [_joined(parts, spec) for parts, spec in zip(collected, self.specs, strict=True)]

    def flush(self, now: int) -> list[Published]:
        """Return what waited for an interval that is over at `now`, ns; call it when nothing else happens."""
        collected: list[list[Published]] = [[] for _ in self.specs]
        at, before = 0, -1
        while at < len(self.specs):
            at = kernel.flush(self._replica.header, self._market, self._feeds, at, now)
            self._collect(collected, grow=at == before)
            before = at
        return [_joined(parts, spec) for parts, spec in zip(collected, self.specs, strict=True)]

    def snapshot(self, feed: int) -> Published:
        """Return one SNAPSHOT message for a subscriber who joins feed number `feed` now.

        It carries the number of the last message of the feed; the next update is for the newcomer too.

        Raises
        ------
        DataError
            If changes wait for their interval; `flush` first, so that all subscribers hold the same.
        """
        if self._feeds["pending"][feed]:
            raise DataError(f"feed {feed} holds changes back until {int(self._feeds['due'][feed])} ns; flush it first")
        now = int(self._market["now"][0])
        while not kernel.snapshot(self._replica.header, self._market, self._feeds, feed, now):
            self._grow(feed)
        return self._taken(feed)

    def _allocate(self, n: int, spec: FeedSpec, ladder: int, slots: int) -> dict[str, NDArray[np.void]]:
        l1, l3 = spec.view == View.L1, spec.view == View.L3
        levels, orders = 1 if l1 else ladder, slots if l3 else 1
        sizes = {"windows": 2, "sent": levels, "level_marks": levels, "levels": levels, "touch": 1}
        sizes |= {"held": orders, "order_marks": orders, "orders": orders, "joining": orders}
        sizes |= {"messages": _ROOM, "rows": _ROOM + 8 * spec.depth}
        arrays = {name: blank(sizes[name], dtype) for name, dtype in FEED_ARRAYS.items()}
        if l1:
            arrays["rows"] = np.zeros(sizes["rows"], TOUCH)
        feed = self._feeds[n : n + 1]
        feed["shows"], feed["depth"], feed["interval"], feed["checksum"] = (
            spec.view,
            spec.depth,
            spec.interval_ns,
            spec.checksum,
        )
        for name, array in arrays.items():
            feed[f"{name}_at"] = address(array)
        feed["messages_room"], feed["rows_room"] = sizes["messages"], sizes["rows"]
        return arrays

    def _taken(self, n: int) -> Published:
        """Return a copy of what feed `n` has written, and empty its buffers."""
        feed, arrays = self._feeds[n], self._arrays[n]
        taken = Published(
            copied(arrays["messages"][: feed["messages_written"]]), copied(arrays["rows"][: feed["rows_written"]])
        )
        feed["messages_written"], feed["rows_written"] = 0, 0
        return taken

    def _collect(self, collected: list[list[Published]], *, grow: bool) -> None:
        for n, parts in enumerate(collected):
            if self._feeds["messages_written"][n]:
                parts.append(self._taken(n))
            if grow:
                self._grow(n)

    def _grow(self, n: int) -> None:
        """Give the empty output buffers of feed `n` twice the room."""
        feed, arrays = self._feeds[n : n + 1], self._arrays[n]
        for name in ("messages", "rows"):
            arrays[name] = np.zeros(2 * len(arrays[name]), arrays[name].dtype)
            feed[f"{name}_at"], feed[f"{name}_room"] = address(arrays[name]), len(arrays[name])


def _step(size: Decimal, decimals: int) -> int:
    """Return a tick or lot size in units of its last printed decimal."""
    return int(size.scaleb(decimals))


def _joined(parts: list[Published], spec: FeedSpec) -> Published:
    """Return several outputs of one feed as one; rows are counted through."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Published(np.zeros(0, MESSAGE), np.zeros(0, TOUCH if spec.view == View.L1 else UPDATE))
    offset = 0
    for part in parts:
        part.messages["first"] += offset
        offset += len(part.rows)
    return Published(joined([part.messages for part in parts]), joined([part.rows for part in parts]))
