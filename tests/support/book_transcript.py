"""What an order book did, input by input, and a subscriber who knows only what its events tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tests.support.book_inputs import Inputs, Setup

from mycelial.market.book.records import EventFlag, EventKind, Side


class OrderRow(NamedTuple):
    """A resting order as a book lists it."""

    handle: int
    side: int
    owner: int
    client_id: int
    price: int
    leaves: int
    shown: int
    display: int
    filled: int
    tif: int
    flags: int
    expire: int
    group: int


class AccountRow(NamedTuple):
    """An account as a book lists it."""

    cash_free: int
    cash_held: int
    asset_free: int
    asset_held: int
    maker_ppm: int
    taker_ppm: int
    volume_30d: int


@dataclass(frozen=True)
class State:
    """Everything a book shows of itself."""

    mode: int
    now: int
    best_bid: int
    best_ask: int
    orders: list[OrderRow]
    accounts: list[AccountRow]
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


def look(book: Any) -> State:
    """Return what a book shows of itself."""
    orders, accounts = book.orders(), book.accounts()
    return State(
        mode=int(book.mode),
        now=int(book.now),
        best_bid=int(book.best_bid),
        best_ask=int(book.best_ask),
        orders=[OrderRow(*row) for row in orders[list(OrderRow._fields)].tolist()],
        accounts=[AccountRow(*row) for row in accounts[list(AccountRow._fields)].tolist()],
        bids=[(price, lots) for price, lots in book.levels(Side.BUY, 1_000).tolist()],
        asks=[(price, lots) for price, lots in book.levels(Side.SELL, 1_000).tolist()],
    )


class Record:
    """One input or event as plain integers, by name."""

    def __init__(self, row: Any) -> None:
        for name, value in zip(row.dtype.names, row.item(), strict=True):
            setattr(self, name, value)

    def __getattr__(self, name: str) -> int:  # only for the type checker: every field is an attribute
        raise AttributeError(name)

    def __repr__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in vars(self).items() if name != "_pad")


@dataclass(frozen=True)
class Step:
    """One input, what it caused, and the book before and after."""

    seq: int
    record: Record
    events: list[Record]
    before: State
    after: State

    @property
    def rejected(self) -> bool:
        return any(event.kind == EventKind.REJECTED for event in self.events)


@dataclass(frozen=True)
class Transcript:
    """A whole stream on one book."""

    setup: Setup
    steps: list[Step]
    log: NDArray[Any]
    book: Any

    def events(self) -> Iterator[tuple[Step, Record]]:
        """Yield every event with the step it belongs to."""
        for step in self.steps:
            for event in step.events:
                yield step, event


def transcribe(make: Any, setup: Setup, inputs: Inputs) -> Transcript:
    """Apply a stream one by one, looking at the book after each input."""
    book = setup.open(make)
    steps, logs, before = [], [], look(book)
    for seq in range(len(inputs)):
        log = book.apply_one(inputs[seq]).copy()
        after = look(book)
        steps.append(Step(seq, Record(inputs[seq]), [Record(event) for event in log], before, after))
        logs.append(log)
        before = after
    return Transcript(setup, steps, np.concatenate(logs), book)


@dataclass(eq=False)
class Known:
    """What a subscriber knows of an order."""

    handle: int
    side: int
    owner: int
    client_id: int
    price: int
    total: int
    leaves: int
    shown: int = 0
    filled: int = 0


@dataclass
class Subscriber:
    """Rebuilds orders and queues from events alone; raises KeyError for an order that should not be spoken of."""

    orders: dict[int, Known] = field(default_factory=dict)
    queue: dict[tuple[int, int], list[Known]] = field(default_factory=dict)  # by (side, price)

    def head(self, side: int) -> Known:
        """Return the order that is next to trade on a side."""
        prices = [price for at, price in self.queue if at == side]
        return self.queue[side, max(prices) if side == Side.BUY else min(prices)][0]

    def book(self) -> list[tuple[int, ...]]:
        """Return (handle, side, owner, client id, price, leaves, shown, filled) of resting orders, bids first."""
        rows = []
        for side, price in sorted(self.queue, key=lambda key: (key[0], -key[1] if key[0] == Side.BUY else key[1])):
            for o in self.queue[side, price]:
                rows.append((o.handle, o.side, o.owner, o.client_id, o.price, o.leaves, o.shown, o.filled))
        return rows

    def hear(self, event: Record) -> None:
        """Take one event in."""
        if event.kind == EventKind.ACCEPTED:
            assert event.handle not in self.orders, "a handle is given twice"
            self.orders[event.handle] = Known(
                event.handle, event.side, event.owner, event.client_id, event.price, event.lots, event.leaves
            )
        elif event.kind == EventKind.TRADE:
            taker, maker = self.orders[event.handle], self.orders[event.maker_handle]
            for order in (taker, maker):
                order.leaves -= event.lots
                order.filled += event.lots
            maker.shown -= event.lots
        elif event.kind == EventKind.RESTED:
            self._join(self.orders[event.handle], event)
        elif event.kind == EventKind.REPLENISHED:
            order = self.orders[event.handle]
            self._leave(order)
            self._join(order, event)
        elif event.kind == EventKind.AMENDED:
            order = self.orders[event.handle]
            if event.flags & EventFlag.KEPT:
                order.shown = event.lots
            else:
                self._leave(order)
            order.price, order.leaves, order.total = event.price, event.leaves, order.filled + event.leaves
        elif event.kind == EventKind.DONE:
            order = self.orders.pop(event.handle)
            if event.flags & EventFlag.RESTING:
                self._leave(order)

    def _join(self, order: Known, event: Record) -> None:
        order.shown = event.lots
        self.queue.setdefault((order.side, order.price), []).append(order)

    def _leave(self, order: Known) -> None:
        level = self.queue[order.side, order.price]
        level.remove(order)
        if not level:
            del self.queue[order.side, order.price]
