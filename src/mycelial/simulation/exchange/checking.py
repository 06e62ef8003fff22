"""May this order be? From a command to exact terms, or to the reason why not. Nothing is changed here."""

from __future__ import annotations

from mycelial.market.book import Mode, Side
from mycelial.simulation.exchange.commands import (
    AddOrder,
    OrderType,
    Price,
    PriceKind,
    Refused,
    Reject,
    TimeInForce,
)
from mycelial.simulation.exchange.fees import reserve_of
from mycelial.simulation.exchange.house import House
from mycelial.simulation.exchange.listing import Listing
from mycelial.simulation.exchange.reports import Terms

SECOND_NS = 10**9
_MILLION = 1_000_000
_PLAIN = (OrderType.LIMIT, OrderType.ICEBERG)


def terms_of(house: House, account: int, command: AddOrder) -> Terms | Refused:
    """Return what an order asks for with all prices absolute, or why it cannot be."""
    listed = house.listings[command.symbol]
    refused = _kind(command) or _times(house, command) or _ids(house, account, command)
    if refused is not None:
        return refused
    type_, side = command.type, command.side
    qty = command.qty // listed.lot_step * listed.lot_step
    if command.cash_qty == 0:
        refused = _size(listed, qty)
        if refused is not None:
            return refused
    limit = trigger = offset = offset_ppm = limit_offset = 0
    last = house.floors[command.symbol].last_price * listed.tick_step
    if type_.trails:
        assert command.trigger is not None
        distance = abs(command.trigger.value)
        if command.trigger.kind is PriceKind.PERCENT:
            offset_ppm = distance
        else:
            offset = distance
        if distance == 0 or offset_ppm >= _MILLION or offset % listed.tick_step:
            return Refused(Reject.INVALID_PRICE, "trigger")
    elif type_.waits:
        assert command.trigger is not None
        rises = (side is Side.BUY) != type_.takes_profit
        found = _absolute(listed, command.trigger, last, up=rises)
        if isinstance(found, Refused):
            return found
        trigger = found
    if type_ is OrderType.TRAILING_STOP_LIMIT:
        assert command.limit is not None
        limit_offset = command.limit.value
        if command.limit.kind is PriceKind.PERCENT:
            limit_offset = last * limit_offset // _MILLION // listed.tick_step * listed.tick_step
        if limit_offset % listed.tick_step:
            return Refused(Reject.TICK_SIZE, "limit")
    elif type_.has_limit:
        assert command.limit is not None
        found = _absolute(listed, command.limit, trigger or last, up=side is Side.SELL)
        if isinstance(found, Refused):
            return found
        limit = found
    refused = _cost(house, listed, command, qty, limit or trigger) or _display(listed, command, qty)
    if refused is not None:
        return refused
    starts = command.starts_ns if command.starts_ns > house.now else 0
    return Terms(
        command.symbol,
        side,
        type_,
        qty,
        command.cash_qty,
        limit,
        trigger,
        offset,
        offset_ppm,
        limit_offset,
        command.reference,
        command.display // listed.lot_step * listed.lot_step,
        command.time_in_force,
        command.post_only,
        command.reduce_only,
        bool(command.fee_in_base),
        command.stp,
        starts,
        command.expires_ns if command.time_in_force is TimeInForce.GTD else 0,
        command.close,
    )


def mode_allows(house: House, terms: Terms) -> Refused | None:
    """Return why the market's mode does not let an order in, if it does not."""
    mode = house.floors[terms.symbol].mode
    if mode == Mode.ONLINE:
        return None
    if mode in (Mode.MAINTENANCE, Mode.CLOSED):
        return Refused(Reject.UNAVAILABLE)
    if mode == Mode.CANCEL_ONLY:
        return Refused(Reject.MARKET_CANCEL_ONLY)
    if mode == Mode.POST_ONLY:
        return None if terms.post_only else Refused(Reject.MARKET_POST_ONLY)
    if mode == Mode.LIMIT_ONLY:
        return None if terms.type.has_limit else Refused(Reject.MARKET_LIMIT_ONLY)
    return Refused(Reject.MARKET_REDUCE_ONLY)


def would_take(house: House, terms: Terms, limit: int) -> bool:
    """Tell whether a limit order at this price would trade at once."""
    floor, listed = house.floors[terms.symbol], house.listings[terms.symbol]
    other = floor.best(1 - terms.side)
    if other == 0:
        return False
    ticks = limit // listed.tick_step
    return ticks >= other if terms.side is Side.BUY else ticks <= other


def walk(house: House, account: int, terms: Terms, *, qty: int = 0, cash: int = 0) -> tuple[int, int]:
    """Return (quantity, cost) of a market order that takes at most `qty`, or spends at most `cash` of the quote asset.

    It goes as far as price protection lets it. Own orders are passed over: self-trade prevention takes them away.
    Hidden lots are not seen; they can only make the order cheaper.
    """
    floor, listed = house.floors[terms.symbol], house.listings[terms.symbol]
    other = 1 - terms.side
    best = floor.best(other)
    allowed = best * listed.instrument.protection_ppm // _MILLION
    edge = best + allowed if terms.side is Side.BUY else best - allowed
    own: dict[int, int] = {}
    for order in house.open[account].values():
        if order.handle >= 0 and order.terms.symbol == terms.symbol and order.terms.side == other:
            ticks = order.terms.limit // listed.tick_step
            own[ticks] = own.get(ticks, 0) + (order.terms.qty - order.qty_filled) // listed.lot_step
    most, depth = qty // listed.lot_step, 16
    while True:
        levels = floor.market.book.levels(other, depth).tolist()
        taken = spent = 0
        for ticks, lots in levels:
            if (ticks > edge) if terms.side is Side.BUY else (ticks < edge):
                return taken * listed.lot_step, spent
            there = max(0, lots - own.get(ticks, 0)) if own else lots
            per_lot = ticks * listed.cash_units
            wanted = (cash - spent) // per_lot if cash else most - taken
            taken += min(there, wanted)
            spent += min(there, wanted) * per_lot
            if there >= wanted:
                return taken * listed.lot_step, spent
        if len(levels) < depth:
            return taken * listed.lot_step, spent
        depth *= 4


def market_hold(house: House, account: int, terms: Terms, qty: int) -> int:
    """Return what a market buy of `qty` may cost now, the taker's fee included, `UNITS` of the quote asset."""
    listed = house.listings[terms.symbol]
    _, cost = walk(house, account, terms, qty=qty)
    at_best = house.floors[terms.symbol].best(1) * (qty // listed.lot_step) * listed.cash_units
    cost = max(cost, at_best)  # more than there is to buy must be affordable all the same
    if terms.fee_in_base:
        return cost
    _, taker = house.rates_of(account, terms.symbol, house.now)
    return cost + reserve_of(cost, taker, listed.fee_step)


def _kind(command: AddOrder) -> Refused | None:
    """Check which fields come together."""
    type_, tif = command.type, command.time_in_force
    if type_ is OrderType.SETTLE_POSITION:
        return Refused(Reject.NO_POSITION)
    if command.margin:
        return Refused(Reject.MARGIN_ALLOWANCE)
    if command.reduce_only:
        return Refused(Reject.NO_POSITION, "reduce_only")
    if command.side not in (Side.BUY, Side.SELL):
        return _bad("type")
    if command.qty < 0 or command.cash_qty < 0 or (command.qty > 0) == (command.cash_qty > 0):
        return _bad("volume")
    if command.cash_qty and (type_ is not OrderType.MARKET or command.side is not Side.BUY):
        return _bad("oflags")
    if type_.has_limit != (command.limit is not None):
        return _bad("price")
    if type_.waits != (command.trigger is not None):
        return _bad("price")
    if command.post_only and (type_ not in _PLAIN or tif in (TimeInForce.IOC, TimeInForce.FOK)):
        return _bad("oflags")
    if tif is TimeInForce.FOK and (not type_.has_limit or type_ is OrderType.ICEBERG):
        return _bad("timeinforce")
    if tif is TimeInForce.IOC and type_ is OrderType.ICEBERG:
        return _bad("timeinforce")
    if (type_ is OrderType.ICEBERG) != (command.display > 0):
        return _bad("displayvol")
    if command.close is not None:
        close = command.close
        if close.type in (OrderType.MARKET, OrderType.ICEBERG, OrderType.SETTLE_POSITION):
            return _bad("close[ordertype]")
        if close.type.has_limit != (close.limit is not None) or close.type.waits != (close.trigger is not None):
            return _bad("close[price]")
    return None


def _times(house: House, command: AddOrder) -> Refused | None:
    if command.deadline_ns and house.now > command.deadline_ns:
        return Refused(Reject.DEADLINE_ELAPSED)
    gtd = command.time_in_force is TimeInForce.GTD
    if gtd != (command.expires_ns > 0):
        return _bad("expiretm")
    if gtd:
        start = max(house.now, command.starts_ns)
        if command.expires_ns <= start or command.expires_ns > start + house.venue.orders.gtd_most_ns:
            return _bad("expiretm")
    if command.starts_ns > house.now + house.venue.orders.gtd_most_ns:
        return _bad("starttm")
    return None


def _ids(house: House, account: int, command: AddOrder) -> Refused | None:
    if command.cl_ord_id:
        if command.userref is not None or command.close is not None:
            return _bad("cl_ord_id")
        if command.cl_ord_id in house.by_client[account]:
            return Refused(Reject.DUPLICATE_CLIENT_ID)
    if command.userref is not None and not -(2**31) <= command.userref < 2**31:
        return _bad("userref")
    return None


def _size(listed: Listing, qty: int) -> Refused | None:
    if qty // listed.lot_step < listed.instrument.min_lots:
        return Refused(Reject.ORDER_MINIMUM)
    return None


def _absolute(listed: Listing, price: Price, reference: int, *, up: bool) -> int | Refused:
    """Return a price in units, whole ticks."""
    step = listed.tick_step
    value = price.value
    if price.kind is not PriceKind.STATIC:
        if reference == 0:
            return Refused(Reject.INVALID_PRICE, "there is no last price yet")
        if price.by_side:
            value = abs(value) if up else -abs(value)
        moved = value if price.kind is PriceKind.QUOTE else reference * value // _MILLION
        value = (reference + moved) // step * step
    if value <= 0:
        return Refused(Reject.INVALID_PRICE)
    if value % step:
        return Refused(Reject.TICK_SIZE)
    if value // step >= listed.instrument.ladder_ticks:
        return Refused(Reject.INVALID_PRICE)
    return value


def _cost(house: House, listed: Listing, command: AddOrder, qty: int, price: int) -> Refused | None:
    floor = house.floors[listed.symbol]
    least = listed.instrument.min_notional * listed.cash_units
    if command.cash_qty:
        return Refused(Reject.COST_MINIMUM) if command.cash_qty < least else None
    ticks = price // listed.tick_step or floor.best(1 - command.side) or floor.last_price
    if ticks and ticks * (qty // listed.lot_step) * listed.cash_units < least:
        return Refused(Reject.COST_MINIMUM)
    return None


def _display(listed: Listing, command: AddOrder, qty: int) -> Refused | None:
    if command.type is not OrderType.ICEBERG:
        return None
    lots, shown = qty // listed.lot_step, command.display // listed.lot_step
    if shown < 1 or shown > lots or shown * listed.instrument.iceberg_parts < lots:
        return _bad("displayvol")
    return None


def _bad(field: str) -> Refused:
    return Refused(Reject.INVALID_ARGUMENTS, field)
