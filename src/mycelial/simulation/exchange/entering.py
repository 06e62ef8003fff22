"""New orders: charged, checked, paid for, and sent to the engine or set to wait."""

from __future__ import annotations

from mycelial.market.book import Flag, Side, Tif
from mycelial.market.book import Reject as BookReject
from mycelial.market.rate_counters import Transaction
from mycelial.simulation.exchange.checking import market_hold, mode_allows, terms_of, walk, would_take
from mycelial.simulation.exchange.commands import (
    AddBatch,
    Added,
    AddedBatch,
    AddOrder,
    OrderType,
    Refused,
    Reject,
    TimeInForce,
)
from mycelial.simulation.exchange.fees import reserve_of
from mycelial.simulation.exchange.house import House, Order
from mycelial.simulation.exchange.reports import ExecType, OrderStatus, Terms
from mycelial.simulation.exchange.settling import absorb, was_rejected
from mycelial.simulation.exchange.triggering import await_trigger

_TIFS = {TimeInForce.GTC: Tif.GTC, TimeInForce.IOC: Tif.IOC, TimeInForce.GTD: Tif.GTD, TimeInForce.FOK: Tif.FOK}
_MARKET, _POST_ONLY, _ICEBERG = int(Flag.MARKET), int(Flag.POST_ONLY), int(Flag.ICEBERG)
_MILLION = 1_000_000
_REFUSALS = {
    BookReject.BAD_TICK: Reject.INVALID_PRICE,
    BookReject.OUT_OF_LADDER: Reject.INVALID_PRICE,
    BookReject.MIN_LOTS: Reject.ORDER_MINIMUM,
    BookReject.MIN_NOTIONAL: Reject.COST_MINIMUM,
    BookReject.NO_FUNDS: Reject.INSUFFICIENT_FUNDS,
    BookReject.POST_ONLY_AMEND: Reject.POST_ONLY,
    BookReject.UNKNOWN_ORDER: Reject.UNKNOWN_ORDER,
    BookReject.NO_CHANGE: Reject.NO_CHANGE,
    BookReject.MODE: Reject.UNAVAILABLE,
}
NO_LIQUIDITY = "No liquidity"


def add(house: House, account: int, command: AddOrder) -> Added | Refused:
    """Place one order."""
    if command.symbol not in house.floors:
        return Refused(Reject.UNKNOWN_PAIR)
    if not command.validate:
        opens = 0 if command.type is OrderType.MARKET and not command.starts_ns else 1
        over = house.charge(account, command.symbol, Transaction.ADD, opens=opens)
        if over is Reject.ORDERS_LIMIT and command.starts_ns > house.now:
            over = Reject.SCHEDULED_LIMIT
        if over is not None:
            return Refused(over)
    terms = terms_of(house, account, command)
    if isinstance(terms, Refused):
        return terms
    return _place(house, account, command, terms)


def add_batch(house: House, account: int, command: AddBatch) -> AddedBatch | Refused:
    """Place several orders of one pair; one that is malformed refuses all."""
    rules, orders = house.venue.batches, command.orders
    if not rules.add_least <= len(orders) <= rules.add_most:
        return Refused(Reject.INVALID_ARGUMENTS, "orders")
    symbol = orders[0].symbol
    if symbol not in house.floors or any(one.symbol != symbol for one in orders):
        return Refused(Reject.UNKNOWN_PAIR)
    if not command.validate:
        over = house.charge(account, symbol, Transaction.BATCH_ADD, orders=len(orders), opens=len(orders))
        if over is not None:
            return Refused(over)
    drafts = []
    clients: set[str] = set()
    for one in orders:
        terms = terms_of(house, account, one)
        if isinstance(terms, Refused):
            return terms
        refused = mode_allows(house, terms)
        if refused is not None:
            return refused
        if one.cl_ord_id and one.cl_ord_id in clients:
            return Refused(Reject.DUPLICATE_CLIENT_ID)
        clients.add(one.cl_ord_id)
        drafts.append((one, terms))
    if command.validate:
        return AddedBatch(tuple(Added("", one, terms.limit, terms.trigger) for one, terms in drafts))
    return AddedBatch(tuple(_place(house, account, one, terms) for one, terms in drafts))


def _place(house: House, account: int, command: AddOrder, terms: Terms) -> Added | Refused:
    """Admit an order whose terms are sound, if market and wallet allow it."""
    refused = mode_allows(house, terms)
    if refused is not None:
        return refused
    if terms.post_only and not terms.starts_ns and would_take(house, terms, terms.limit):
        return Refused(Reject.POST_ONLY)
    if command.validate:
        return Added("", command, terms.limit, terms.trigger)
    return admit(house, account, command, terms)


def admit(house: House, account: int, command: AddOrder, terms: Terms, parent_id: str = "") -> Added | Refused:
    """Make an order of sound terms and send it on its way."""
    serial = house.next_serial()
    order = Order(serial, account, house.ids.next("O"), command.cl_ord_id, command.userref, terms, house.now)
    order.parent_id = parent_id
    if terms.starts_ns or terms.type.waits:
        if not house.hold(order, waiting_hold(house, account, order)):
            return Refused(Reject.INSUFFICIENT_FUNDS)
        house.admit(order)
        house.report(order, ExecType.PENDING_NEW, house.now)
        if terms.expires_ns:
            house.at(terms.expires_ns, "expire", serial)
        if terms.starts_ns:
            order.waits_to_start = True
            house.at(terms.starts_ns, "start", serial)
        else:
            await_trigger(house, order)
        return Added(order.id, command, terms.limit, terms.trigger)
    refused = enter(house, order, fresh=True)
    return refused or Added(order.id, command, terms.limit, terms.trigger)


def waiting_hold(house: House, account: int, order: Order) -> int:
    """Return what an order must set aside while it waits to enter the book."""
    terms = order.terms
    listed = house.listings[terms.symbol]
    last = house.floors[terms.symbol].last_price * listed.tick_step
    if terms.cash_qty:
        _, taker = house.rates_of(account, terms.symbol, house.now)
        return terms.cash_qty + (0 if terms.fee_in_base else reserve_of(terms.cash_qty, taker, listed.fee_step))
    price = terms.limit
    if price == 0:
        price = terms.trigger or last
        if terms.side is Side.BUY:
            step = listed.tick_step
            price = -(-price * (_MILLION + listed.instrument.protection_ppm) // (_MILLION * step)) * step
    return house.needed(order, terms.qty - order.qty_filled, price)


def enter(house: House, order: Order, *, fresh: bool) -> Refused | None:
    """Send an order to the engine now and take note of what becomes of it; return why it cannot enter.

    A fresh order is admitted and reported as new if the engine takes it.
    """
    terms = order.terms
    floor, listed = house.floors[terms.symbol], house.listings[terms.symbol]
    flags = price = 0
    if house.is_market(terms):
        flags = _MARKET
        if terms.cash_qty:
            qty, _ = walk(house, order.account, terms, cash=terms.cash_qty)
            terms = order.terms = terms._replace(qty=max(qty, listed.lot_step))
        if floor.best(1 - terms.side) == 0:
            _leave_unfilled(house, order, fresh=fresh)
            return None
        if terms.side is Side.BUY:
            hold = market_hold(house, order.account, terms, terms.qty)
        else:
            hold = house.needed(order, terms.qty, 0)
    else:
        price = terms.limit // listed.tick_step
        hold = house.needed(order, terms.qty, terms.limit)
        if terms.post_only:
            flags |= _POST_ONLY
        if terms.display:
            flags |= _ICEBERG
    before = order.held
    if not house.hold(order, hold):
        return Refused(Reject.INSUFFICIENT_FUNDS)
    if terms.qty // listed.lot_step > listed.instrument.max_lots:
        house.hold(order, before)
        return Refused(Reject.INVALID_ARGUMENTS, "volume")
    tif, expire = _TIFS[terms.time_in_force], 0
    if tif is Tif.GTD:
        expire = terms.expires_ns - house.epoch_ns
        if flags & _MARKET:
            tif, expire = Tif.GTC, 0  # it has waited; a market order cannot
    relevant = floor.new(
        order.account,
        order.serial,
        side=int(terms.side),
        tif=int(tif),
        flags=flags,
        stp=int(terms.stp),
        price=price,
        lots=terms.qty // listed.lot_step,
        display=terms.display // listed.lot_step,
        expire=expire,
    )
    why = was_rejected(relevant)
    if why:
        house.hold(order, before)
        return refusal_of(why)
    if fresh:
        house.admit(order)
        house.report(order, ExecType.PENDING_NEW, house.now)
        order.status = OrderStatus.NEW
        house.report(order, ExecType.NEW, house.now)
    absorb(house, floor, relevant)
    return None


def _leave_unfilled(house: House, order: Order, *, fresh: bool) -> None:
    """Let a market order go that nobody can fill."""
    if fresh:
        house.admit(order)
        house.report(order, ExecType.PENDING_NEW, house.now)
        order.status = OrderStatus.NEW
        house.report(order, ExecType.NEW, house.now)
    house.finish(order, OrderStatus.CANCELED, house.now, NO_LIQUIDITY)


def refusal_of(reason: int) -> Refused:
    """Return the refusal behind a reject of the engine."""
    return Refused(_REFUSALS.get(BookReject(reason), Reject.INTERNAL), BookReject(reason).name)
