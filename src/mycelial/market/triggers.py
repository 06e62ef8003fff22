"""Stop-loss, take-profit and trailing orders: they wait outside the book and enter it as ordinary NEW records.

The rules (kraken.md §6, market.md §6.10):

* A stop-loss fires when the reference moves against its owner: a sell at or below its trigger price, a buy at or above.
  A take-profit fires the other way round. A trailing stop is a stop-loss whose trigger price follows the best
  reference since it was placed, at a fixed distance. The reference is the price of the last trade, or an index price
  that somebody tells.
* After every input whose trades moved the reference, all that it passed are released at once, nearest to the former
  reference first, then by order of placing. A released order is an input like any other: it gets a fresh place in the
  log and in the queue, so a replay of the log needs nothing of this. Orders released later queue behind those
  released before, which is how cascades run.
* A trigger that is already passed when it is placed or amended is released at once.

Left to whoever faces the customers: funds of waiting orders (nothing is held here; an order that its owner cannot pay
is rejected by the book when released), caps on their number, and who may cancel what.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import OrderRejected
from mycelial.market.book import INPUT, EventKind, Flag, Kind, OrderBook, Side, Tif

Records = NDArray[Any]
_MILLION = 1_000_000
_SPARE = 64  # entries of orders gone that a ladder may carry along


class Reference(IntEnum):
    """Which price a trigger watches."""

    LAST = 0
    INDEX = 1


@dataclass(frozen=True, eq=False)
class Trigger:
    """One waiting order; made by `stop_loss`, `take_profit` and `trailing_stop`.

    Attributes
    ----------
    record : INPUT[1]
        The NEW record to release; its MARKET flag says whether it is a market or a limit order.
    rises : bool
        Whether it fires at or above its trigger price, or at or below.
    price : int
        Trigger price in ticks; of a trailing stop the present one, 0 before there is a reference.
    offset, offset_ppm : int
        Distance of a trailing stop from the best reference: in ticks, or in parts per million of it (rounded up to a
        tick). Both 0: the trigger price stands still.
    limit_offset : int or None
        Limit price of a trailing limit order, ticks from its trigger price.
    reference : Reference
    """

    record: Records
    rises: bool
    price: int
    offset: int = 0
    offset_ppm: int = 0
    limit_offset: int | None = None
    reference: Reference = Reference.LAST

    @property
    def trails(self) -> bool:
        """Whether the trigger price follows the reference."""
        return self.offset > 0 or self.offset_ppm > 0

    @property
    def owner(self) -> int:
        """Account of the order."""
        return int(self.record["owner"][0])

    def is_passed_by(self, reference: int) -> bool:
        """Tell whether a reference price fires it."""
        if self.price == 0:
            return False
        return reference >= self.price if self.rises else reference <= self.price

    def following(self, reference: int) -> Trigger:
        """Return a trailing trigger after the reference came to this price: nearer to it, never further away."""
        distance = self.offset or max(1, -(-reference * self.offset_ppm // _MILLION))
        price = max(1, reference + distance if self.rises else reference - distance)
        nearer = self.price == 0 or (price < self.price if self.rises else price > self.price)
        return replace(self, price=price) if nearer else self


def stop_loss(record: Any, price: int, *, reference: Reference = Reference.LAST) -> Trigger:
    """Return a stop-loss (market or limit, as the record says) at a trigger price in ticks."""
    made = _new_record(record)
    return Trigger(made, bool(made["side"][0] == Side.BUY), _positive(price, "trigger price"), reference=reference)


def take_profit(record: Any, price: int, *, reference: Reference = Reference.LAST) -> Trigger:
    """Return a take-profit (market or limit, as the record says) at a trigger price in ticks."""
    made = _new_record(record)
    return Trigger(made, bool(made["side"][0] == Side.SELL), _positive(price, "trigger price"), reference=reference)


def trailing_stop(
    record: Any,
    offset: int = 0,
    *,
    offset_ppm: int = 0,
    limit_offset: int | None = None,
    reference: Reference = Reference.LAST,
) -> Trigger:
    """Return a trailing stop, at a distance in ticks or in parts per million of the best price so far.

    A record without the MARKET flag makes a trailing limit order and wants `limit_offset`.
    """
    made = _new_record(record)
    if (offset > 0) == (offset_ppm > 0) or min(offset, offset_ppm) < 0 or offset_ppm >= _MILLION:
        raise OrderRejected(
            f"a trailing stop has either an offset in ticks or one in ppm (below {_MILLION}), above zero; these are "
            f"{offset} and {offset_ppm}"
        )
    market = bool(made["flags"][0] & Flag.MARKET)
    if market == (limit_offset is not None):
        raise OrderRejected("a trailing limit order has a limit_offset and a trailing market order has none")
    rises = bool(made["side"][0] == Side.BUY)
    return Trigger(made, rises, 0, offset, offset_ppm, limit_offset, reference)


class Triggers:
    """All waiting orders of one market.

    A reference move costs the triggers that it passes, and one look at each trailing stop.
    """

    def __init__(self) -> None:
        self.expired: list[int] = []  # numbers of GTD orders whose time ran out while they waited
        self._waiting: dict[int, Trigger] = {}
        self._trailing: set[int] = set()
        self._ladders: dict[tuple[Reference, bool], list[tuple[int, int, int]]] = {}
        self._prices: dict[Reference, int] = {}
        self._due: list[int] = []
        self._next = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def __getitem__(self, number: int) -> Trigger:
        """Return a waiting order; see `cancel` for errors."""
        if number not in self._waiting:
            raise OrderRejected(f"no waiting order has number {number}; it was released, cancelled or never placed")
        return self._waiting[number]

    def reference_price(self, reference: Reference = Reference.LAST) -> int:
        """Return the latest reference price in ticks, 0 before the first."""
        return self._prices.get(reference, 0)

    def place(self, trigger: Trigger) -> int:
        """Let an order wait; return its number, by which it is known here."""
        number = self._next
        self._next += 1
        self._wait(number, trigger)
        return number

    def amend(
        self, number: int, *, price: int | None = None, lots: int | None = None, limit: int | None = None
    ) -> None:
        """Change trigger price, size or limit price; the order keeps its number and so its turn.

        Raises
        ------
        OrderRejected
            If the order waits no more, a value is not above zero, or a trailing stop is given a price.
        """
        trigger = self[number]
        record = trigger.record.copy()
        if lots is not None:
            record["lots"] = _positive(lots, "size")
        if limit is not None:
            record["price"] = _positive(limit, "limit price")
        if price is not None and trigger.trails:
            raise OrderRejected("the price of a trailing stop follows the market; cancel it and place another")
        at = trigger.price if price is None else _positive(price, "trigger price")
        self._due = [due for due in self._due if due != number]
        self._wait(number, replace(trigger, record=record, price=at))

    def cancel(self, number: int) -> Trigger:
        """Take an order away and return it.

        Raises
        ------
        OrderRejected
            If the order waits no more.
        """
        trigger = self[number]
        self._forget(number)
        return trigger

    def cancel_all(self, owner: int) -> list[int]:
        """Take all orders of an owner away; return their numbers."""
        numbers = [number for number, trigger in self._waiting.items() if trigger.owner == owner]
        for number in numbers:
            self._forget(number)
        return numbers

    def move(self, price: int, reference: Reference = Reference.LAST) -> None:
        """Take note of a new reference price in ticks; what it passes is released by the next `release`."""
        former = self._prices.get(reference, price)
        self._prices[reference] = price
        passed = self._passed(price, reference)
        for number in self._trailing:
            trigger = self._waiting[number]
            if trigger.reference == reference:
                if trigger.is_passed_by(price):
                    passed.append(number)
                else:
                    self._waiting[number] = trigger.following(price)
        passed.sort(key=lambda number: (abs(self._waiting[number].price - former), number))
        self._due += passed

    def release(self, ts: int) -> Records:
        """Return what is due as NEW records at time `ts`, ``INPUT[n]``, and forget it."""
        released = []
        for number in self._due:
            trigger = self._waiting.get(number)
            if trigger is None:
                continue
            self._forget(number)
            record = trigger.record.copy()
            if record["tif"][0] == Tif.GTD and record["expire"][0] <= ts:
                self.expired.append(number)
                continue
            record["ts"] = ts
            if record["flags"][0] & Flag.MARKET and record["tif"][0] == Tif.GTD:
                record["tif"], record["expire"] = Tif.GTC, 0  # it has waited; a market order cannot
            if trigger.limit_offset is not None:
                record["price"] = max(1, trigger.price + trigger.limit_offset)
            released.append(record)
        self._due = []
        return np.concatenate(released) if released else np.zeros(0, INPUT)

    def after(self, events: Records) -> Records:
        """Take note of the trades among the events of one input and return what they release, ``INPUT[n]``."""
        trades = np.flatnonzero(events["kind"] == EventKind.TRADE)
        if trades.size:
            self.move(int(events["price"][trades[-1]]))
        return self.release(int(events["ts"][-1])) if len(events) else np.zeros(0, INPUT)

    def _wait(self, number: int, trigger: Trigger) -> None:
        reference = self._prices.get(trigger.reference, 0)
        if trigger.trails:
            self._trailing.add(number)
            if reference and trigger.price == 0:
                trigger = trigger.following(reference)
        self._waiting[number] = trigger
        if reference and trigger.is_passed_by(reference):
            self._due.append(number)
        elif not trigger.trails:
            key = trigger.price if trigger.rises else -trigger.price
            ladder = self._ladders.setdefault((trigger.reference, trigger.rises), [])
            heapq.heappush(ladder, (key, number, trigger.price))
            if len(ladder) > _SPARE + 2 * len(self._waiting):
                self._sweep(ladder)

    def _sweep(self, ladder: list[tuple[int, int, int]]) -> None:
        """Drop from a ladder the orders that were cancelled or moved and would be passed over one day."""
        waiting = self._waiting
        ladder[:] = [one for one in ladder if one[1] in waiting and waiting[one[1]].price == one[2]]
        heapq.heapify(ladder)

    def _passed(self, price: int, reference: Reference) -> list[int]:
        """Take the numbers of standing triggers that a price fires from their ladders."""
        passed: dict[int, None] = {}
        for rises in (True, False):
            ladder = self._ladders.get((reference, rises), [])
            while ladder and ladder[0][0] <= (price if rises else -price):
                _, number, at = heapq.heappop(ladder)
                trigger = self._waiting.get(number)
                if (
                    trigger is not None and trigger.price == at and number not in self._due
                ):  # not cancelled, not amended
                    passed[number] = None
        return list(passed)

    def _forget(self, number: int) -> None:
        del self._waiting[number]
        self._trailing.discard(number)


def run_with_triggers(book: OrderBook, triggers: Triggers, inputs: Iterable[Any]) -> tuple[Records, Records]:
    """Apply inputs one by one and release triggers between them.

    Returns
    -------
    inputs : INPUT[n]
        All that entered the book, released orders included: the log that a replay needs.
    events : EVENT[m]
    """
    entered: list[Records] = []
    caused: list[Records] = []
    for record in inputs:
        queue = deque([np.asarray(record, INPUT).reshape(1)])
        while queue:
            entered.append(queue.popleft())
            caused.append(book.apply(entered[-1]))
            released = triggers.after(caused[-1])
            queue.extend(released[n : n + 1] for n in range(len(released)))
    if not entered:
        return np.zeros(0, INPUT), book.apply(np.zeros(0, INPUT))
    return np.concatenate(entered), np.concatenate(caused)


def _new_record(record: Any) -> Records:
    made = np.asarray(record, INPUT).reshape(1).copy()
    if made["kind"][0] != Kind.NEW:
        raise OrderRejected(f"only a NEW order can wait for a trigger, not kind {int(made['kind'][0])}")
    return made


def _positive(value: int, what: str) -> int:
    if value <= 0:
        raise OrderRejected(f"{what} {value} must be above zero")
    return value
