"""Orders among the triggers: how they get there, how their prices follow the market, and how they leave."""

from __future__ import annotations

import numpy as np

from mycelial.market.book import INPUT, Flag, Kind
from mycelial.market.triggers import Reference, Trigger, stop_loss, take_profit, trailing_stop
from mycelial.simulation.exchange.floor import Floor
from mycelial.simulation.exchange.house import House, Order
from mycelial.simulation.exchange.reports import ExecType, OrderStatus

INDEX = Reference.INDEX


def index_ticks(floor: Floor) -> int:
    """Return the index price of a pair: what its residents' fundamental is worth, in whole ticks."""
    return max(1, round(floor.market.worth))


def await_trigger(house: House, order: Order) -> None:
    """Let an order wait for its trigger; one that is passed already fires with the next `follow_up`."""
    terms = order.terms
    floor, triggers = house.floors[terms.symbol], house.triggers[terms.symbol]
    order.status = OrderStatus.NEW
    house.report(order, ExecType.NEW, house.now)
    if terms.reference is INDEX:
        triggers.move(index_ticks(floor), INDEX)
    elif floor.last_price:
        triggers.move(floor.last_price)
    order.waiting = triggers.place(_trigger(house, order))
    show_trail(house, order)


def _trigger(house: House, order: Order) -> Trigger:
    terms = order.terms
    step = house.listings[terms.symbol].tick_step
    record = np.zeros(1, INPUT)
    record["kind"], record["side"], record["group"], record["handle"] = Kind.NEW, terms.side, -1, -1
    record["client_id"], record["lots"] = order.serial, 1
    record["flags"] = 0 if terms.type.has_limit else Flag.MARKET
    record["price"] = terms.limit // step
    if terms.type.trails:
        offset = terms.limit_offset // step if terms.type.has_limit else None
        return trailing_stop(
            record, terms.offset // step, offset_ppm=terms.offset_ppm, limit_offset=offset, reference=terms.reference
        )
    make = take_profit if terms.type.takes_profit else stop_loss
    return make(record, terms.trigger // step, reference=terms.reference)


def show_trail(house: House, order: Order) -> None:
    """Tell when the trigger price of a trailing stop has moved."""
    terms = order.terms
    if not terms.type.trails or order.waiting < 0:
        return
    at = house.triggers[terms.symbol][order.waiting].price * house.listings[terms.symbol].tick_step
    if at != terms.trigger:
        order.terms = terms._replace(trigger=at)
        house.report(order, ExecType.STATUS, house.now, reason="trigger price moved")


def stop_waiting(house: House, order: Order) -> None:
    """Take an order away from the triggers."""
    if order.waiting >= 0:
        house.triggers[order.terms.symbol].cancel(order.waiting)
        order.waiting = -1
