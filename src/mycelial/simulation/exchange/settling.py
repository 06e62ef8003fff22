"""What the engine answered: fills become money, orders move on, and their owners are told, in the engine's order."""

from __future__ import annotations

from mycelial.market.book import Done, EventKind, Side
from mycelial.simulation.exchange.fees import fee_of
from mycelial.simulation.exchange.floor import (
    CLIENT,
    HANDLE,
    KIND,
    LOTS,
    MAKER,
    MAKER_OWNER,
    OWNER,
    PRICE,
    REASON,
    TS,
    EventRow,
    Floor,
    Relevant,
)
from mycelial.simulation.exchange.house import House, Order
from mycelial.simulation.exchange.reports import ExecType, OrderStatus, OwnTrade

_ACCEPTED, _REJECTED, _TRADE, _RESTED, _DONE, _AMENDED, _REPLENISHED = (
    int(kind)
    for kind in (
        EventKind.ACCEPTED,
        EventKind.REJECTED,
        EventKind.TRADE,
        EventKind.RESTED,
        EventKind.DONE,
        EventKind.AMENDED,
        EventKind.REPLENISHED,
    )
)
_FILLED, _EXPIRED, _USER = int(Done.FILLED), int(Done.EXPIRED), int(Done.USER)
USER_REQUESTED = "User requested"
REASONS = {  # Kraken publishes few of these texts; those that are not are ours
    int(Done.USER): USER_REQUESTED,
    int(Done.IOC_REST): "Immediate or cancel order was not filled completely",
    int(Done.FOK_KILL): "Fill or kill order could not be filled completely",
    int(Done.STP): "Self trade prevention",
    int(Done.POST_ONLY): "Post only order",
    int(Done.MASS): USER_REQUESTED,
    int(Done.PROTECTION): "Market price protection",
    int(Done.CLOSED): "Market closed",
}


def absorb(house: House, floor: Floor, relevant: list[Relevant]) -> None:
    """Take note of what the engine said about customers' orders."""
    orders, first, operator = house.orders, floor.first_customer, floor.operator
    for number, row in relevant:
        kind = row[KIND]
        if kind == _TRADE:
            if first <= row[OWNER] < operator:
                _fill(house, floor, orders[row[CLIENT]], number, row, maker=False)
            if first <= row[MAKER_OWNER] < operator:
                _fill(house, floor, _resting(house, floor, row), number, row, maker=True)
            continue
        order = orders.get(row[CLIENT]) if row[CLIENT] else None
        if order is None:
            continue
        if kind == _DONE:
            floor.by_handle.pop(order.handle, None)
            _done(house, order, row)
        elif kind in (_RESTED, _ACCEPTED):
            if order.handle != row[HANDLE]:
                order.handle = row[HANDLE]
                floor.by_handle[order.handle] = order.serial
        elif kind == _REPLENISHED:
            house.report(order, ExecType.ICEBERG_REFILL, house.epoch_ns + row[TS])
        elif kind == _AMENDED:
            house.report(order, ExecType.AMENDED, house.epoch_ns + row[TS], reason=USER_REQUESTED)


def was_rejected(relevant: list[Relevant]) -> int:
    """Return why the engine refused an input outright, 0 if it did not."""
    row = relevant[0][1]
    return row[REASON] if row[KIND] == _REJECTED else 0


def _resting(house: House, floor: Floor, row: EventRow) -> Order:
    return house.orders[floor.by_handle[row[MAKER]]]


def _done(house: House, order: Order, row: EventRow) -> None:
    reason, time_ns = row[REASON], house.epoch_ns + row[TS]
    if reason == _FILLED:
        house.finish(order, OrderStatus.FILLED, time_ns)
    elif reason == _EXPIRED:
        house.finish(order, OrderStatus.EXPIRED, time_ns, "Order expired")
    else:
        text = house.cancel_reason if reason == _USER and house.cancel_reason else REASONS[reason]
        house.finish(order, OrderStatus.CANCELED, time_ns, text)


def _fill(house: House, floor: Floor, order: Order, number: int, row: EventRow, *, maker: bool) -> None:
    """Move the money of one fill of one side, and report it."""
    listed, terms, account = floor.listed, order.terms, order.account
    pair, wallet = listed.pair, house.wallets[account]
    lots, time_ns = row[LOTS], house.epoch_ns + row[TS]
    qty = lots * listed.lot_step
    cost, base = row[PRICE] * lots * listed.cash_units, lots * listed.lot_units
    rate = house.rates_of(account, terms.symbol, time_ns)[0 if maker else 1]
    fee = fee_of(base, rate, listed.qty_units) if terms.fee_in_base else fee_of(cost, rate, listed.fee_step)
    order.qty_filled += qty
    left = terms.qty - order.qty_filled
    if house.is_market(terms):
        held = max(0, order.held - cost - fee) if terms.side is Side.BUY else max(0, order.held - base)
        held = held if left else 0
    else:
        held = house.needed(order, left, terms.limit) if left else 0
        held = min(held, order.held)
    house.hold(order, held)
    buys = terms.side is Side.BUY
    if terms.fee_in_base and not buys:
        fee = min(fee, wallet.free(pair.base) - base)
    elif not terms.fee_in_base and buys:
        fee = min(fee, wallet.free(pair.quote) - cost)  # rounding of many small fills never overdraws
    order.cum_cost += cost
    order.cum_fee += fee
    trade_id = house.ids.next("T")
    spent = house.ledger(
        account, time_ns, "trade", trade_id, pair.quote, -cost if buys else cost, 0 if terms.fee_in_base else fee
    )
    got = house.ledger(
        account, time_ns, "trade", trade_id, pair.base, base if buys else -base, fee if terms.fee_in_base else 0
    )
    house.meters[account].add(time_ns, house.volume_of(listed, cost))
    trade = OwnTrade(
        trade_id,
        number,
        order.id,
        order.cl_ord_id,
        order.userref,
        account,
        terms.symbol,
        terms.side,
        terms.type,
        time_ns,
        row[PRICE] * listed.tick_step,
        qty,
        cost,
        fee,
        house.fee_asset(terms),
        maker,
        (spent, got),
    )
    order.trade_ids.append(trade_id)
    history = house.histories[account]
    history.trades.append(trade)
    history.trade_count += 1
    order.status = OrderStatus.PARTIALLY_FILLED
    house.report(order, ExecType.TRADE, time_ns, trade)
    if terms.close is not None:
        house.closes.append((order, qty, row[PRICE] * listed.tick_step))
