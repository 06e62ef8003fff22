"""Submit: from wishes to messages, in the order in which they buy most, each written down before it leaves.

The scheduler says what may leave; here it is carried out, a few messages at a time, and the slot is left alone until
its answer is here. An order whose fate is unknown keeps its slot busy: nothing replaces it until it is known.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from mycelial.domain.errors import OrderRejected
from mycelial.domain.orders import Amendment, NewOrder, OrderReport, OrderStatus, Side
from mycelial.domain.ports import Clock, Exchange, Ledger
from mycelial.kraken.client.keeping import SECOND
from mycelial.kraken.client.scheduler import Action, Move, Scheduler

log = logging.getLogger(__name__)
MOST_UNDER_WAY = 8
DEADLINE_NS = 10 * SECOND  # written down with an order: after it the exchange takes it no more, whatever the adapter's
REST_NS = SECOND  # a slot whose order was refused waits so long

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class ClientIds:
    """Names for orders that no run ever used before: the time of the start and a count, at most 18 characters."""

    def __init__(self, start_ns: int) -> None:
        self._start, self._count = _base36(start_ns // 1_000_000), 0

    def next(self) -> str:
        """Return a fresh name."""
        self._count += 1
        return f"m{self._start}-{_base36(self._count)}"


@dataclass
class Submitter:
    """Carries out what the scheduler chooses.

    Parameters
    ----------
    most_lots : by pair, the largest position either way that all orders together may lead to.
    position : lots held on a pair.
    """

    exchange: Exchange
    ledger: Ledger
    scheduler: Scheduler
    clock: Clock
    ids: ClientIds
    most_lots: dict[str, int]
    position: Callable[[str], int]
    slots: dict[str, str] = field(default_factory=dict)  # by client id
    orders: dict[str, OrderReport] = field(default_factory=dict)  # live ones, by slot
    under_way: set[str] = field(default_factory=set)  # slots
    sent: int = 0
    refused: int = 0
    failure: BaseException | None = None
    _resting_until: dict[str, int] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def wish(self, slot: str, symbol: str, side: Side, price_ticks: int, lots: int) -> None:
        """Wish for a quote, within what the position allows."""
        now = self.clock.now_ns()
        if now < self._resting_until.get(slot, 0):
            lots = 0
        self.scheduler.want(slot, symbol, side, price_ticks, lots, now)

    def wish_nothing(self) -> None:
        """Wish for nothing anywhere."""
        for slot in self.scheduler.slots():
            self.scheduler.want(slot.id, slot.symbol, slot.side, 0, 0, self.clock.now_ns())

    def step(self, *, only_cancels: bool = False) -> None:
        """Send what may leave now; answers come later."""
        while len(self.under_way) < MOST_UNDER_WAY and self.failure is None:
            action = self.scheduler.next(self.clock.now_ns(), only_cancels=only_cancels)
            if action is None:
                return
            self.scheduler.sending(action.slot)
            if action.move is Move.PLACE and not self._within_limit(action):
                self._put_off(action.slot)
                continue
            self.under_way.add(action.slot)
            task = asyncio.create_task(self._carry_out(action), name=f"submit {action.slot}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Return when every answer is here."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _carry_out(self, action: Action) -> None:
        try:
            match action.move:
                case Move.PLACE:
                    await self._place(action)
                case Move.AMEND:
                    known = self.orders[action.slot]
                    lots = known.filled_lots + action.lots
                    await self.exchange.amend(Amendment(known.client_id, lots, action.price_ticks, post_only=True))
                case Move.CANCEL:
                    await self.exchange.cancel(self.orders[action.slot].client_id)
            self.sent += 1
        except OrderRejected as error:
            log.info("slot %s: %s", action.slot, error)
            self._resting_until[action.slot] = self.clock.now_ns() + REST_NS
        except Exception as error:  # a supervisor's edge: the node stops on it
            self.failure = self.failure or error
        finally:
            self.under_way.discard(action.slot)
            self.refresh(action.slot)

    async def _place(self, action: Action) -> None:
        now = self.clock.now_ns()
        order = NewOrder(self.ids.next(), action.symbol, action.side, action.lots, action.price_ticks, post_only=True)
        self.exchange.rules[order.symbol].check(order)
        self.ledger.intend(order, action.slot, now + DEADLINE_NS, now)
        self.slots[order.client_id] = action.slot
        pending = OrderReport(
            order.client_id, order.symbol, order.side, OrderStatus.SENDING, order.lots, order.price_ticks
        )
        self.orders[action.slot] = pending
        try:
            self.took(await self.exchange.submit(order))
        except OrderRejected as error:
            # Nothing was sent, and the ledger shall say so.
            refused = OrderReport(
                *(order.client_id, order.symbol, order.side, OrderStatus.REFUSED, order.lots, order.price_ticks),
                reason=str(error),
            )
            self.ledger.report(refused, self.clock.now_ns())
            self.took(refused)
            raise

    def took(self, report: OrderReport) -> None:
        """Take what is known of an order now."""
        slot = self.slots.get(report.client_id)
        if slot is None:
            return
        current = self.orders.get(slot)
        if report.status.is_live:
            self.orders[slot] = report
        elif current is not None and current.client_id == report.client_id:
            del self.orders[slot]
            if report.status is OrderStatus.REFUSED:
                self.refused += 1
                self._resting_until[slot] = self.clock.now_ns() + REST_NS
        self.refresh(slot)

    def refresh(self, slot: str) -> None:
        """Tell the scheduler what rests in a slot."""
        if slot not in self.scheduler:
            return
        report, known = self.orders.get(slot), self.scheduler[slot]
        if report is None:
            self.scheduler.gone(slot)
            if slot in self.under_way:
                self.scheduler.sending(slot)
            return
        price = report.price_ticks or 0
        moved = (known.price, known.lots > 0) != (price, True) or report.open_lots > known.lots
        touched = self.clock.now_ns() if moved else known.touched_ns
        self.scheduler.rests(slot, price, report.open_lots, touched)
        if slot in self.under_way or report.status is not OrderStatus.OPEN:
            self.scheduler.sending(slot)

    def adopt(self, report: OrderReport, slot: str) -> None:
        """Take up an order of a former run under its slot."""
        if slot and slot not in self.orders:
            self.scheduler.want(slot, report.symbol, report.side, 0, 0, self.clock.now_ns())
            self.slots[report.client_id] = slot
            self.took(report)

    def worst_lots(self, symbol: str, side: Side) -> int:
        """Return the lots that live orders may still trade on a side."""
        return sum(one.open_lots for one in self.orders.values() if one.symbol == symbol and one.side is side)

    def _within_limit(self, action: Action) -> bool:
        most = self.most_lots.get(action.symbol)
        if most is None:
            return False  # no unlimited default
        worst = self.worst_lots(action.symbol, action.side) + action.lots
        return action.side.sign * self.position(action.symbol) + worst <= most

    def _put_off(self, slot: str) -> None:
        self._resting_until[slot] = self.clock.now_ns() + REST_NS
        self.scheduler.failed(slot)
        one = self.scheduler[slot]
        self.scheduler.want(slot, one.symbol, one.side, 0, 0, self.clock.now_ns())


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits
