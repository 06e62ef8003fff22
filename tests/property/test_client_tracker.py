"""Whatever is lost, doubled or late on the way, the tracker never believes in less risk than there is.

A small exchange is the truth. Between it and the tracker stands an adversary who keeps every message as long as he
likes, delivers it in any order, twice or never. After every step the worst case of the tracker covers the truth; and
after one list of open orders and the look-ups that follow from it, the tracker equals the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mycelial.domain.errors import DataError, OrderRejected
from mycelial.domain.orders import Amendment, Fill, NewOrder, OrderReport, OrderStatus, Side
from mycelial.kraken.client.tracker import ExecType, Execution, OrderTracker

SYMBOL = "BTC/USD"
DEADLINE = 5  # steps after which a message can no longer reach the exchange


@dataclass
class TrueOrder:
    """An order as the exchange knows it."""

    order: NewOrder
    order_id: str
    lots: int
    price: int
    cum: int = 0
    status: OrderStatus = OrderStatus.OPEN
    fills: list[Fill] = field(default_factory=list)


@dataclass
class Lossy:
    """The exchange, the tracker and the adversary between them."""

    rng: Random
    tracker: OrderTracker = field(default_factory=OrderTracker)
    now: int = 0
    true: dict[str, TrueOrder] = field(default_factory=dict)
    to_exchange: list[tuple[int, Callable[[], None]]] = field(default_factory=list)  # (deadline, arrival)
    to_client: list[Callable[[], None]] = field(default_factory=list)
    placed: dict[str, NewOrder] = field(default_factory=dict)
    in_transit: dict[str, NewOrder] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    numbers: int = 0

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    # ---- the client ----

    def place(self) -> None:
        order = NewOrder(
            f"c{self.number()}", SYMBOL, self.rng.choice([Side.BUY, Side.SELL]), self.rng.randint(1, 9), 100
        )
        self.placed[order.client_id] = order
        self.in_transit[order.client_id] = order
        self.tracker.sending(order, deadline_ns=self.now + DEADLINE)
        self.to_exchange.append((self.now + DEADLINE, lambda: self._arrives(order)))

    def amend(self) -> None:
        open_ones = [one for one in self.tracker.live() if one.status is OrderStatus.OPEN and not one.changes]
        if not open_ones:
            return
        one = self.rng.choice(open_ones)
        change = Amendment(one.client_id, lots=self.rng.randint(1, 12), price_ticks=self.rng.randint(90, 110))
        self.tracker.changing(change, deadline_ns=self.now + DEADLINE)
        self.to_exchange.append((self.now + DEADLINE, lambda: self._amends(change)))

    def give_up(self) -> None:
        """Some answer did not come in time."""
        waiting = [one.client_id for one in self.tracker.live() if one.status is OrderStatus.SENDING]
        if waiting:
            self.tracker.lost(self.rng.choice(waiting))

    # ---- the exchange ----

    def _arrives(self, order: NewOrder) -> None:
        del self.in_transit[order.client_id]
        if self.rng.random() < 0.2:
            self.refused.add(order.client_id)
            self.to_client.append(lambda: self.tracker.refused(order.client_id, "EOrder:Insufficient funds"))
            return
        assert order.price_ticks is not None
        one = TrueOrder(order, f"O{self.number()}", order.lots, order.price_ticks)
        self.true[order.client_id] = one
        self.to_client.append(lambda: self.tracker.accepted(order.client_id, one.order_id, self.now))
        self._tell(one, ExecType.PENDING_NEW)
        self._tell(one, ExecType.NEW, sparse=True)

    def _amends(self, change: Amendment) -> None:
        one = self.true[change.client_id]
        assert change.lots is not None
        assert change.price_ticks is not None
        if one.status is not OrderStatus.OPEN or self.rng.random() < 0.2:
            self.to_client.append(lambda: self.tracker.change_refused(change))
            return
        if change.lots <= one.cum:
            one.status = OrderStatus.CANCELED
            self.to_client.append(lambda: self.tracker.change_accepted(change, self.now))
            self._tell(one, ExecType.CANCELED)
            return
        one.lots, one.price = change.lots, change.price_ticks
        self.to_client.append(lambda: self.tracker.change_accepted(change, self.now))
        self._tell(one, ExecType.AMENDED)

    def trade(self) -> None:
        open_ones = [one for one in self.true.values() if one.status is OrderStatus.OPEN]
        if not open_ones:
            return
        one = self.rng.choice(open_ones)
        lots = self.rng.randint(1, one.lots - one.cum)
        one.cum += lots
        fill = Fill(
            f"T{self.number()}",
            *(one.order.client_id, one.order_id, SYMBOL, one.order.side),
            *(lots, one.price, lots * one.price, 0, "USD", True, self.now),
        )
        one.fills.append(fill)
        self._tell(one, ExecType.TRADE, fill=fill)
        if one.cum == one.lots:
            one.status = OrderStatus.FILLED
            self._tell(one, ExecType.FILLED)

    def ends(self) -> None:
        open_ones = [one for one in self.true.values() if one.status is OrderStatus.OPEN]
        if open_ones:
            one = self.rng.choice(open_ones)
            one.status, kind = self.rng.choice(
                [(OrderStatus.CANCELED, ExecType.CANCELED), (OrderStatus.EXPIRED, ExecType.EXPIRED)]
            )
            self._tell(one, kind)

    def described(self, one: TrueOrder, kind: ExecType, *, sparse: bool = False, fill: Fill | None = None) -> Execution:
        whole = not sparse and kind not in (ExecType.FILLED, ExecType.CANCELED, ExecType.EXPIRED)
        return Execution(
            kind,
            one.order_id,
            self.now,
            client_id=one.order.client_id,
            symbol=SYMBOL if whole else "",
            side=one.order.side if whole else None,
            lots=one.lots if whole and kind is not ExecType.TRADE else None,
            price_ticks=one.price if whole and kind is not ExecType.TRADE else None,
            cum_lots=None if sparse else one.cum,
            fill=fill,
        )

    def _tell(self, one: TrueOrder, kind: ExecType, *, sparse: bool = False, fill: Fill | None = None) -> None:
        told = self.described(one, kind, sparse=sparse, fill=fill)
        self.to_client.append(lambda: self.tracker.execution(told, self.now))

    # ---- the adversary ----

    def step(self) -> None:
        self.now += 1
        self.to_exchange = [one for one in self.to_exchange if one[0] >= self.now]
        action = self.rng.random()
        if action < 0.15:
            self.place()
        elif action < 0.25:
            self.amend()
        elif action < 0.45 and self.to_exchange:
            self.to_exchange.pop(self.rng.randrange(len(self.to_exchange)))[1]()
        elif action < 0.55:
            self.trade()
        elif action < 0.6:
            self.ends()
        elif action < 0.65:
            self.give_up()
        elif action < 0.68:
            self.tracker.doubt_all()
        elif action < 0.72 and self.to_client:
            self.to_client.pop(self.rng.randrange(len(self.to_client)))  # lost
        elif self.to_client:
            message = self.to_client[self.rng.randrange(len(self.to_client))]
            message()
            if self.rng.random() < 0.7:  # otherwise it may come again
                self.to_client.remove(message)

    def check_worst_case(self) -> None:
        worst = self.tracker.exposure(SYMBOL)
        position = self.tracker.traded_lots(SYMBOL)
        true_position = sum(one.order.side.sign * one.cum for one in self.true.values())
        true_open = {Side.BUY: 0, Side.SELL: 0}
        for one in self.true.values():
            if one.status is OrderStatus.OPEN:
                true_open[one.order.side] += one.lots - one.cum
        for order in self.in_transit.values():
            if self.tracker[order.client_id].deadline_ns >= self.now:
                true_open[order.side] += order.lots
        assert position + worst.buy_lots >= true_position + true_open[Side.BUY]
        assert position - worst.sell_lots <= true_position - true_open[Side.SELL]

    def resolve(self) -> None:
        """Take the list of open orders, then look up what is still in doubt, then ask for missing fills."""
        self.now += DEADLINE + 1
        self.to_exchange.clear()
        asked = self.now
        open_ones = [one for one in self.true.values() if one.status is OrderStatus.OPEN]
        self.tracker.doubt_all()
        self.tracker.snapshot([self.described(one, ExecType.NEW) for one in open_ones], asked_ns=asked, now_ns=self.now)
        for client_id in self.tracker.unresolved(self.now):
            one = self.true.get(client_id)
            if one is None:
                self.tracker.not_found(client_id, asked_ns=asked)
            else:
                kind = {
                    OrderStatus.OPEN: ExecType.NEW,
                    OrderStatus.FILLED: ExecType.FILLED,
                    OrderStatus.CANCELED: ExecType.CANCELED,
                    OrderStatus.EXPIRED: ExecType.EXPIRED,
                }[one.status]
                self.tracker.found(self.described(one, kind), asked_ns=asked, now_ns=self.now)
        for client_id in self.tracker.with_missing_fills():
            for fill in self.true[client_id].fills:
                self.tracker.execution(
                    Execution(ExecType.TRADE, fill.order_id, self.now, fill.client_id, fill=fill), self.now
                )


@settings(max_examples=150)
@given(st.randoms(use_true_random=False), st.integers(1, 120))
def test_the_worst_case_always_covers_the_truth_and_look_ups_restore_it(rng: Random, steps: int) -> None:
    world = Lossy(rng)
    told: list[Fill] = []

    for _ in range(steps):
        world.step()
        world.check_worst_case()
        told += [one for one in world.tracker.drain() if isinstance(one, Fill)]
    world.resolve()
    told += [one for one in world.tracker.drain() if isinstance(one, Fill)]

    for client_id, order in world.placed.items():
        known, one = world.tracker[client_id], world.true.get(client_id)
        if one is None:
            assert known.status is OrderStatus.REFUSED
            assert known.worst_lots == 0
            continue
        assert known.status is one.status
        assert (known.done_lots, known.order_id) == (one.cum, one.order_id)
        if one.status is OrderStatus.OPEN:
            assert (known.lots, known.price_ticks) == (one.lots, one.price)
            assert known.worst_lots == one.lots - one.cum
        assert order.side is one.order.side
    assert sorted(fill.exec_id for fill in told) == sorted(
        fill.exec_id for one in world.true.values() for fill in one.fills
    )


def _tracker_with_open_order() -> OrderTracker:
    tracker = OrderTracker()
    tracker.sending(NewOrder("a", SYMBOL, Side.BUY, 5, 100), deadline_ns=10)
    tracker.accepted("a", "O1", 1)
    tracker.drain()
    return tracker


def test_a_client_id_is_never_used_twice() -> None:
    tracker = _tracker_with_open_order()

    with pytest.raises(DataError, match="used before"):
        tracker.sending(NewOrder("a", SYMBOL, Side.BUY, 5, 100), deadline_ns=10)


def test_an_order_counts_from_before_it_is_sent_until_its_absence_after_the_deadline() -> None:
    tracker = OrderTracker()
    tracker.sending(NewOrder("a", SYMBOL, Side.SELL, 5, 100), deadline_ns=10)
    assert tracker.exposure(SYMBOL).sell_lots == 5
    tracker.lost("a")
    assert tracker.exposure(SYMBOL).sell_lots == 5

    tracker.not_found("a", asked_ns=10)  # it could still arrive
    assert tracker.exposure(SYMBOL).sell_lots == 5
    assert tracker.unresolved(11) == ["a"]

    tracker.not_found("a", asked_ns=11)
    assert tracker.exposure(SYMBOL).sell_lots == 0
    assert tracker["a"].status is OrderStatus.REFUSED


def test_a_late_report_revives_an_order_that_was_thought_lost() -> None:
    tracker = OrderTracker()
    tracker.sending(NewOrder("a", SYMBOL, Side.SELL, 5, 100), deadline_ns=10)
    tracker.lost("a")
    tracker.not_found("a", asked_ns=11)

    tracker.execution(Execution(ExecType.NEW, "O1", 12, client_id="a"), 12)

    assert tracker["a"].status is OrderStatus.OPEN
    assert tracker.exposure(SYMBOL).sell_lots == 5


def test_partially_filled_then_filled_counts_each_execution_once() -> None:
    tracker = _tracker_with_open_order()
    fills = [
        Fill(f"T{i}", "a", "O1", SYMBOL, Side.BUY, lots, 100, lots * 100, 0, "USD", True, i)
        for i, lots in ((1, 2), (2, 3))
    ]
    for fill, cum in zip(fills, (2, 5), strict=True):
        trade = Execution(ExecType.TRADE, "O1", fill.time_ns, "a", cum_lots=cum, fill=fill)
        tracker.execution(trade, 3)
        tracker.execution(trade, 4)
    assert tracker["a"].status is OrderStatus.OPEN  # a trade never says that the order is done

    tracker.execution(Execution(ExecType.FILLED, "O1", 5, "a", cum_lots=5), 5)

    news = tracker.drain()
    assert [one.exec_id for one in news if isinstance(one, Fill)] == ["T1", "T2"]
    assert [(one.status, one.filled_lots) for one in news if isinstance(one, OrderReport)] == [(OrderStatus.FILLED, 5)]
    assert tracker.traded_lots(SYMBOL) == 5


def test_an_order_under_change_counts_with_the_larger_size_and_takes_no_second_change() -> None:
    tracker = _tracker_with_open_order()
    tracker.changing(Amendment("a", lots=9), deadline_ns=20)

    assert tracker.exposure(SYMBOL).buy_lots == 9
    with pytest.raises(OrderRejected, match="under way"):
        tracker.changing(Amendment("a", lots=1), deadline_ns=20)
    assert tracker.unresolved(21) == ["a"]

    tracker.change_refused(Amendment("a", lots=9))
    assert tracker.exposure(SYMBOL).buy_lots == 5


def test_a_stranger_s_order_is_taken_up_from_the_list_and_counts() -> None:
    tracker = OrderTracker()

    tracker.execution(Execution(ExecType.CANCELED, "O9", 1), 1)
    listed = Execution(ExecType.NEW, "O8", 1, symbol=SYMBOL, side=Side.BUY, lots=4, price_ticks=99, cum_lots=1)
    tracker.snapshot([listed], asked_ns=1, now_ns=2)

    assert tracker.strangers == {"O9"}
    assert tracker.exposure(SYMBOL).buy_lots == 3
    assert not tracker["O8"].is_ours


def test_a_list_asked_for_before_an_order_was_sent_says_nothing_about_it() -> None:
    tracker = _tracker_with_open_order()

    tracker.snapshot([], asked_ns=0, now_ns=5)
    assert tracker["a"].status is OrderStatus.OPEN

    tracker.snapshot([], asked_ns=2, now_ns=5)
    assert tracker["a"].status is OrderStatus.UNKNOWN
    assert tracker.exposure(SYMBOL).buy_lots == 5


def test_memory_of_done_orders_is_bounded() -> None:
    tracker = OrderTracker()
    for number in range(50):
        tracker.sending(NewOrder(f"c{number}", SYMBOL, Side.BUY, 1, 100), deadline_ns=1)
        tracker.refused(f"c{number}", "EOrder:Insufficient funds")
    tracker.drain()

    tracker.forget_done(keep=10)

    assert [f"c{number}" in tracker for number in (39, 40)] == [False, True]
