"""What is known of every own order, whatever gets lost, doubled or out of order on the way.

The rule of the house: **an order whose state is unknown is exposure until proven otherwise.** From before it is sent
an order counts with all its lots; it stops counting only when the exchange said it is done, refused it in so many
words, or does not know it after the deadline that it carried (after which it can no longer enter a book).

Facts come from four sides that overlap in time: replies to requests, the executions channel, its snapshots, and
look-ups over REST. So every fact may come twice, late or before its cause; none is lost by coming late, and none is
counted twice. Fills are told apart by their execution id; what is filled only ever grows; done stays done.

Source of the order of reports: Kraken's WebSocket v2 documentation, channel ``executions`` (read 2026-11); a ``trade``
may say ``partially_filled`` though it completed the order, so nothing is ever derived from that word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from mycelial.domain.errors import DataError, OrderRejected
from mycelial.domain.orders import Amendment, Fill, NewOrder, OrderReport, OrderStatus, Remembered, Side

NEVER_ARRIVED = "never reached the exchange"
NOT_IN_RECORDS = "not in the exchange's records"
PRESUMED = (NEVER_ARRIVED, NOT_IN_RECORDS)  # ends that a later word of the exchange takes back
MISSES, MISSED_NS = 3, 10 * 10**9  # look-ups, and the time they span, before a known order counts as gone


class ExecType(StrEnum):
    """What a report of the executions channel tells."""

    PENDING_NEW = "pending_new"
    NEW = "new"
    TRADE = "trade"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    AMENDED = "amended"
    RESTATED = "restated"
    REFILL = "iceberg_refill"
    STATUS = "status"


_ENDS = {
    ExecType.FILLED: OrderStatus.FILLED,
    ExecType.CANCELED: OrderStatus.CANCELED,
    ExecType.EXPIRED: OrderStatus.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Execution:
    """One report of an order in integers; what it did not say is None or empty.

    Parameters
    ----------
    cum_lots : filled so far.
    fill : the execution itself, in a trade report.
    """

    exec_type: ExecType
    order_id: str
    time_ns: int
    client_id: str = ""
    symbol: str = ""
    side: Side | None = None
    lots: int | None = None
    price_ticks: int | None = None
    cum_lots: int | None = None
    reason: str = ""
    fill: Fill | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """The most lots that may still be bought and sold on a pair by orders whose end is not proven."""

    buy_lots: int = 0
    sell_lots: int = 0


@dataclass(slots=True)
class Tracked:
    """One order; see `OrderTracker`."""

    client_id: str
    symbol: str
    side: Side
    lots: int
    price_ticks: int | None
    status: OrderStatus
    order_id: str = ""
    deadline_ns: int = 0  # after it the exchange takes the order no more
    reason: str = ""
    cum_lots: int = 0  # as the exchange counts
    filled_lots: int = 0  # in fills that were told
    fills: set[str] = field(default_factory=set)
    changes: list[tuple[Amendment, int]] = field(default_factory=list)  # sent, fate not known; and their deadlines
    amended_ns: int = 0  # when the present values were made, by the exchange's clock
    touched_ns: int = 0  # when we learned of its making or last amendment: its age in the rate counter, or younger
    is_ours: bool = True
    is_seen: bool = False  # the exchange spoke of it
    cancel_sent: bool = False
    misses: int = 0  # look-ups in a row that did not know it
    missed_ns: int = 0  # when the first of them was made

    @property
    def done_lots(self) -> int:
        """Lots traded, by the larger of both counts."""
        return max(self.cum_lots, self.filled_lots)

    @property
    def worst_lots(self) -> int:
        """Lots that may still trade in the worst case: changes under way count with the larger size."""
        if not self.status.is_live:
            return 0
        sizes = [self.lots, *(change.lots for change, _ in self.changes if change.lots is not None)]
        return max(0, max(sizes) - self.done_lots)

    def report(self) -> OrderReport:
        """Return what is known."""
        return OrderReport(
            self.client_id,
            self.symbol,
            self.side,
            self.status,
            self.lots,
            self.price_ticks,
            self.done_lots,
            self.order_id,
            self.reason,
        )


class OrderTracker:
    """Every order of one account; feed it facts, read reports and fills from `drain`."""

    def __init__(self) -> None:
        self._orders: dict[str, Tracked] = {}
        self._by_order_id: dict[str, Tracked] = {}
        self._changed: dict[str, None] = {}  # an ordered set
        self._fills: list[Fill] = []
        self.strangers: set[str] = set()  # order ids that were spoken of and are not known: look them up

    # ---- what we do ------------------------------------------------------------------------------------------------

    def sending(self, order: NewOrder, *, deadline_ns: int) -> None:
        """Note an order before it is sent.

        Raises
        ------
        DataError
            If the client id was used before.
        """
        if order.client_id in self._orders:
            raise DataError(f"client id {order.client_id!r} was used before; every order needs a fresh one")
        self._put(
            Tracked(
                order.client_id,
                order.symbol,
                order.side,
                order.lots,
                order.price_ticks,
                OrderStatus.SENDING,
                deadline_ns=deadline_ns,
            )
        )

    def remember(self, memory: Remembered) -> None:
        """Take up an order of a former life, in doubt until the exchange has spoken of it."""
        said = memory.report
        order = Tracked(
            said.client_id,
            said.symbol,
            said.side,
            said.lots,
            said.price_ticks,
            OrderStatus.UNKNOWN,
            deadline_ns=memory.deadline_ns,
            filled_lots=memory.filled_lots,
            fills=set(memory.exec_ids),
            is_seen=bool(said.order_id),
        )
        self._put(order)
        self._name(order, said.order_id)

    def accepted(self, client_id: str, order_id: str, now_ns: int) -> None:
        """The exchange answered that it has the order."""
        order = self._orders[client_id]
        self._name(order, order_id)
        order.is_seen = True
        order.touched_ns = max(order.touched_ns, now_ns)
        if order.status in (OrderStatus.SENDING, OrderStatus.UNKNOWN) or order.reason in PRESUMED:
            self._set(order, OrderStatus.OPEN, "")

    def refused(self, client_id: str, reason: str) -> None:
        """The exchange answered that it does not take the order; reports of the order itself weigh more."""
        order = self._orders[client_id]
        if not order.is_seen and order.status.is_live:
            self._set(order, OrderStatus.REFUSED, reason)

    def lost(self, client_id: str) -> None:
        """No answer came, or none that says what happened."""
        order = self._orders[client_id]
        if order.status is OrderStatus.SENDING:
            self._set(order, OrderStatus.UNKNOWN, "")

    def changing(self, change: Amendment, *, deadline_ns: int) -> None:
        """Note an amendment before it is sent.

        Raises
        ------
        OrderRejected
            If the order is not open, or another change of it is under way: answers would be told apart no more.
        """
        order = self._orders[change.client_id]
        if order.status is not OrderStatus.OPEN or order.changes or order.cancel_sent:
            raise OrderRejected(
                f"order {change.client_id} is {order.status.value}"
                f"{' with a change under way' if order.changes or order.cancel_sent else ''}; wait for its next report"
            )
        order.changes.append((change, deadline_ns))

    def change_accepted(self, change: Amendment, now_ns: int) -> None:
        """The exchange answered that it carried the amendment out."""
        order = self._orders[change.client_id]
        if self._settle(order, change):
            order.touched_ns = max(order.touched_ns, now_ns)
            self._values(order, change.lots, change.price_ticks)

    def change_refused(self, change: Amendment) -> None:
        """The exchange answered that the order stays as it was."""
        self._settle(self._orders[change.client_id], change)

    def cancelling(self, client_id: str) -> None:
        """Note a cancel before it is sent."""
        self._orders[client_id].cancel_sent = True

    def cancel_refused(self, client_id: str) -> None:
        """The exchange answered that it does not take the order back now."""
        self._orders[client_id].cancel_sent = False

    # ---- what the exchange says ------------------------------------------------------------------------------------

    def execution(self, told: Execution, now_ns: int) -> None:
        """Take one report of the executions channel that arrived at `now_ns`."""
        order = self._of(told)
        if order is None:
            if told.symbol and told.side is not None and told.lots is not None:
                order = self._adopt(told, now_ns)
            else:
                self.strangers.add(told.order_id)
                return
        self._name(order, told.order_id)
        order.is_seen, order.misses = True, 0
        if told.fill is not None:
            self._fill(order, told.fill)
        if told.cum_lots is not None and told.cum_lots > order.cum_lots:
            order.cum_lots = told.cum_lots
            self._changed[order.client_id] = None
        if told.exec_type in (ExecType.AMENDED, ExecType.RESTATED):
            if told.time_ns >= order.amended_ns:
                order.amended_ns = told.time_ns
                order.touched_ns = max(order.touched_ns, now_ns)
                self._values(order, told.lots, told.price_ticks)
            for change, _ in order.changes:
                if change.lots in (None, told.lots) and change.price_ticks in (None, told.price_ticks):
                    self._settle(order, change)
                    break
        end = _ENDS.get(told.exec_type)
        if end is not None:
            self._finish(order, end, told.reason)
        elif order.status in (OrderStatus.SENDING, OrderStatus.UNKNOWN) or order.reason in PRESUMED:
            self._set(order, OrderStatus.OPEN, "")
            order.touched_ns = max(order.touched_ns, now_ns)

    def snapshot(self, open_orders: Iterable[Execution], *, asked_ns: int, now_ns: int) -> None:
        """Take the list of all open orders: what is missing from it and was known before becomes UNKNOWN.

        Parameters
        ----------
        asked_ns : when the list was asked for; orders sent later need not be in it.
        """
        listed: set[str] = set()
        for told in open_orders:
            self.found(told, asked_ns=asked_ns, now_ns=now_ns)
            order = self._of(told)
            if order is not None:
                listed.add(order.client_id)
        for order in self._orders.values():
            missing = order.status is OrderStatus.OPEN and order.client_id not in listed
            if missing and order.touched_ns <= asked_ns:
                self._set(order, OrderStatus.UNKNOWN, "")

    def found(self, told: Execution, *, asked_ns: int, now_ns: int) -> None:
        """Take what a list or look-up says of an order: it is open (``new``) or has ended, with all it traded.

        Parameters
        ----------
        asked_ns : when the question left; values that were changed since are newer than the answer.
        """
        known = self._of(told)
        fresh = known is None or known.touched_ns <= asked_ns
        self.execution(told, now_ns)
        order = self._of(told)
        if order is None:
            return
        self.strangers.discard(told.order_id)
        if order.status.is_live and fresh:
            self._values(order, told.lots, told.price_ticks)
        order.changes = [(change, deadline) for change, deadline in order.changes if asked_ns <= deadline]

    def not_found(self, client_id: str, *, asked_ns: int) -> None:
        """A look-up that began at `asked_ns` does not know the order.

        That proves something of an order that the exchange never spoke of, once its deadline has passed. One that it
        had spoken of and does not know any more, again and again, was lost by the exchange itself: it counts as gone,
        and whoever compares balances will notice what it may have taken along.
        """
        order = self._orders[client_id]
        if not order.status.is_live:
            return
        if not order.is_seen:
            if asked_ns > order.deadline_ns:
                self._set(order, OrderStatus.REFUSED, NEVER_ARRIVED)
            return
        order.missed_ns = asked_ns if order.misses == 0 else order.missed_ns
        order.misses += 1
        if order.misses >= MISSES and asked_ns - order.missed_ns >= MISSED_NS:
            self._set(order, OrderStatus.CANCELED, NOT_IN_RECORDS)

    def doubt(self, client_id: str) -> None:
        """The exchange does not know the order by this name any more, or an answer about it is lost: look it up."""
        order = self._orders[client_id]
        order.cancel_sent = False
        if order.status in (OrderStatus.SENDING, OrderStatus.OPEN):
            self._set(order, OrderStatus.UNKNOWN, "")

    def doubt_all(self) -> None:
        """The connection is gone: nothing that is open is certain, and what is under way has lost its answer."""
        for client_id in self._orders:
            self.doubt(client_id)

    # ---- what follows ----------------------------------------------------------------------------------------------

    def drain(self) -> list[Fill | OrderReport]:
        """Return what changed since the last call: fills first, then one report of every order that changed."""
        news: list[Fill | OrderReport] = [*self._fills, *(self._orders[name].report() for name in self._changed)]
        self._fills.clear()
        self._changed.clear()
        return news

    def exposure(self, symbol: str) -> Exposure:
        """Return the most that may still be bought and sold on a pair."""
        lots = {Side.BUY: 0, Side.SELL: 0}
        for order in self._orders.values():
            if order.symbol == symbol:
                lots[order.side] += order.worst_lots
        return Exposure(lots[Side.BUY], lots[Side.SELL])

    def traded_lots(self, symbol: str) -> int:
        """Return lots bought less lots sold on a pair by the orders tracked here."""
        return sum(order.side.sign * order.done_lots for order in self._orders.values() if order.symbol == symbol)

    def unresolved(self, now_ns: int) -> list[str]:
        """Return the client ids of orders that must be looked up: unknown, or changed with no answer in time."""
        return [
            order.client_id
            for order in self._orders.values()
            if order.status is OrderStatus.UNKNOWN
            or (order.status.is_live and any(deadline < now_ns for _, deadline in order.changes))
        ]

    def with_missing_fills(self) -> list[str]:
        """Return the client ids of orders that traded more than the fills told of."""
        return [order.client_id for order in self._orders.values() if order.cum_lots > order.filled_lots]

    def live(self) -> list[Tracked]:
        """Return the orders that may still trade."""
        return [order for order in self._orders.values() if order.status.is_live]

    def __getitem__(self, client_id: str) -> Tracked:
        return self._orders[client_id]

    def __contains__(self, client_id: str) -> bool:
        return client_id in self._orders

    def __len__(self) -> int:
        return len(self._orders)

    def named(self, order_id: str) -> Tracked | None:
        """Return the order that the exchange calls so."""
        return self._by_order_id.get(order_id)

    def forget_done(self, keep: int = 4_096) -> None:
        """Drop the oldest orders that have ended, so that memory stays bounded; their fills all came."""
        done = [
            name
            for name, order in self._orders.items()
            if not order.status.is_live and order.cum_lots <= order.filled_lots and name not in self._changed
        ]
        for name in done[: max(0, len(done) - keep)]:
            order = self._orders.pop(name)
            self._by_order_id.pop(order.order_id, None)

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _put(self, order: Tracked) -> None:
        self._orders[order.client_id] = order
        self._changed[order.client_id] = None

    def _of(self, told: Execution) -> Tracked | None:
        by_id = self._by_order_id.get(told.order_id)
        return by_id if by_id is not None else self._orders.get(told.client_id)

    def _adopt(self, told: Execution, now_ns: int) -> Tracked:
        """Take up an order that somebody else placed on this account, or we did in a former life."""
        assert told.side is not None
        assert told.lots is not None
        order = Tracked(
            told.client_id or told.order_id,
            told.symbol,
            told.side,
            told.lots,
            told.price_ticks,
            OrderStatus.OPEN,
            touched_ns=now_ns,
            is_ours=False,
        )
        self._put(order)
        return order

    def _name(self, order: Tracked, order_id: str) -> None:
        if order_id and order.order_id != order_id:
            order.order_id = order_id
            self._by_order_id[order_id] = order
            self.strangers.discard(order_id)
            self._changed[order.client_id] = None

    def _fill(self, order: Tracked, fill: Fill) -> None:
        if fill.exec_id in order.fills:
            return
        order.fills.add(fill.exec_id)
        order.filled_lots += fill.lots
        self._fills.append(fill)
        self._changed[order.client_id] = None

    @staticmethod
    def _settle(order: Tracked, change: Amendment) -> bool:
        """Take a change off the list of those under way; say whether it was there."""
        for place, (known, _) in enumerate(order.changes):
            if known == change:
                del order.changes[place]
                return True
        return False

    def _values(self, order: Tracked, lots: int | None, price_ticks: int | None) -> None:
        new_lots = order.lots if lots is None else lots
        new_price = order.price_ticks if price_ticks is None else price_ticks
        if (new_lots, new_price) != (order.lots, order.price_ticks) and order.status.is_live:
            order.lots, order.price_ticks = new_lots, new_price
            self._changed[order.client_id] = None

    def _finish(self, order: Tracked, end: OrderStatus, reason: str) -> None:
        if order.status.is_live or order.status is OrderStatus.REFUSED or order.reason in PRESUMED:
            self._set(order, end, reason)
            order.changes.clear()

    def _set(self, order: Tracked, status: OrderStatus, reason: str) -> None:
        if (order.status, order.reason) != (status, reason):
            order.status, order.reason = status, reason
            self._changed[order.client_id] = None
