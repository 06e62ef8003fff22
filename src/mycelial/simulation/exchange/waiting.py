"""Orders that wait: for a trigger, for their time, for another's fill; and what happens at set times."""

from __future__ import annotations

import heapq

from mycelial.market.book import Side
from mycelial.market.rate_counters import Transaction
from mycelial.simulation.exchange import changing, entering
from mycelial.simulation.exchange.checking import mode_allows, terms_of
from mycelial.simulation.exchange.commands import AddOrder, Refused
from mycelial.simulation.exchange.house import House, Order
from mycelial.simulation.exchange.reports import ExecType, OrderStatus
from mycelial.simulation.exchange.triggering import INDEX, await_trigger, index_ticks, show_trail, stop_waiting


def follow_up(house: House) -> None:
    """Fire all triggers that trades have passed, place conditional closes, and so on until nothing follows."""
    while True:
        while house.closes:
            order, qty, price = house.closes.popleft()
            _close(house, order, qty, price)
        fired = False
        for symbol, floor in house.floors.items():
            triggers = house.triggers[symbol]
            moves = floor.moves
            if not moves and not len(triggers):
                continue
            floor.moves = []
            if not len(triggers):
                continue
            for price in moves:
                triggers.move(price)
            triggers.move(index_ticks(floor), INDEX)
            released = triggers.release(floor.now)
            for row in released:
                _fire(house, int(row["client_id"]), int(row["price"]))
                fired = True
            if moves:
                for order in [one for one in house.orders.values() if one.waiting >= 0 and one.terms.symbol == symbol]:
                    show_trail(house, order)
        if not fired and not house.closes:
            return


def _fire(house: House, serial: int, limit_ticks: int) -> None:
    """Let a triggered order enter the book."""
    order = house.orders[serial]
    order.waiting, order.fired = -1, True
    terms = order.terms
    if terms.type.trails and terms.type.has_limit:
        order.terms = terms._replace(limit=limit_ticks * house.listings[terms.symbol].tick_step)
    house.report(order, ExecType.STATUS, house.now, reason="triggered")
    _enter_late(house, order)


def _enter_late(house: House, order: Order) -> None:
    refused = mode_allows(house, order.terms) or entering.enter(house, order, fresh=False)
    if refused is not None:
        house.finish(order, OrderStatus.CANCELED, house.now, _reason(refused))


def _reason(refused: Refused) -> str:
    return refused.reason.value.capitalize()


def _close(house: House, primary: Order, qty: int, price: int) -> None:
    """Place the conditional close of one fill: the same size on the opposite side."""
    close, terms = primary.terms.close, primary.terms
    assert close is not None
    command = AddOrder(
        symbol=terms.symbol,
        side=Side.SELL if terms.side is Side.BUY else Side.BUY,
        type=close.type,
        qty=qty,
        limit=close.limit,
        trigger=close.trigger,
        userref=primary.userref,
    )
    made = terms_of(house, primary.account, command)
    if not isinstance(made, Refused):
        entering.admit(house, primary.account, command, made, parent_id=primary.id)


def next_due(house: House) -> int:
    """Return when the next thing on the agenda is due, 0 if there is nothing."""
    return house.agenda[0][0] if house.agenda else 0


def do_due(house: House) -> None:
    """Do everything on the agenda up to now."""
    while house.agenda and house.agenda[0][0] <= house.now:
        time_ns, _, what, number = heapq.heappop(house.agenda)
        if what == "switch":
            if house.switches[number] == time_ns:
                house.switches[number] = 0
                for symbol in {order.terms.symbol: None for order in house.open[number].values()}:
                    house.charge(number, symbol, Transaction.CANCEL_ALL)
                changing.cancel_everything(house, number, "Cancel all orders after timeout")
            continue
        order = house.orders.get(number)
        if order is None:
            continue
        if what == "start" and order.waits_to_start:
            order.waits_to_start = False
            if order.terms.type.waits:
                await_trigger(house, order)
            else:
                order.status = OrderStatus.NEW
                house.report(order, ExecType.NEW, house.now)
                _enter_late(house, order)
        elif what == "expire" and (order.waiting >= 0 or order.waits_to_start):
            stop_waiting(house, order)
            house.finish(order, OrderStatus.EXPIRED, house.now, "Order expired")
    follow_up(house)
