"""Between the words of Kraken's protocol and those of the simulated exchange: commands in, refusals out.

Decimals become whole units of the pair's last decimals here, exactly or with Kraken's error string.
"""

from __future__ import annotations

from decimal import Decimal

from mycelial.kraken import errors, orders
from mycelial.kraken.errors import ProtocolError, Refused, invalid_argument, price_too_fine
from mycelial.kraken.numbers import forgiving_units
from mycelial.market.venues.rules import Pair
from mycelial.simulation.exchange import commands as own
from mycelial.simulation.exchange.commands import Reject

_SIDES = {"buy": own.Side.BUY, "sell": own.Side.SELL}
_TYPES = {kind.value: kind for kind in own.OrderType}
_TIFS = {kind.value.lower(): kind for kind in own.TimeInForce}
_STPS = {
    "cancel-newest": own.Stp.CANCEL_NEWEST,
    "cancel-oldest": own.Stp.CANCEL_OLDEST,
    "cancel-both": own.Stp.CANCEL_BOTH,
}
_REFERENCES = {"last": own.Reference.LAST, "index": own.Reference.INDEX}
_FEES = {None: None, "base": True, "quote": False}

_TEXTS = {
    Reject.UNKNOWN_PAIR: errors.UNKNOWN_PAIR,
    Reject.UNAVAILABLE: errors.UNAVAILABLE,
    Reject.MARKET_CANCEL_ONLY: errors.CANCEL_ONLY,
    Reject.MARKET_POST_ONLY: errors.POST_ONLY_MODE,
    Reject.MARKET_LIMIT_ONLY: errors.LIMIT_ONLY,
    Reject.MARKET_REDUCE_ONLY: errors.REDUCE_ONLY,
    Reject.DEADLINE_ELAPSED: errors.DEADLINE_ELAPSED,
    Reject.INSUFFICIENT_FUNDS: errors.INSUFFICIENT_FUNDS,
    Reject.MARGIN_ALLOWANCE: errors.MARGIN_ALLOWANCE,
    Reject.NO_POSITION: errors.NO_POSITION,
    Reject.ORDER_MINIMUM: errors.ORDER_MINIMUM,
    Reject.COST_MINIMUM: errors.COST_MINIMUM,
    Reject.TICK_SIZE: errors.TICK_SIZE,
    Reject.INVALID_PRICE: errors.INVALID_PRICE,
    Reject.POST_ONLY: errors.POST_ONLY,
    Reject.UNKNOWN_ORDER: errors.UNKNOWN_ORDER,
    Reject.INVALID_ORDER: errors.INVALID_ORDER,
    Reject.DUPLICATE_CLIENT_ID: errors.DUPLICATE_CLIENT_ID,
    Reject.NO_CHANGE: errors.NO_CHANGE,
    Reject.ALREADY_TRIGGERED: errors.INVALID_ORDER,
    Reject.RATE_LIMIT: errors.ORDER_RATE_LIMIT,
    Reject.DOMAIN_RATE_LIMIT: errors.DOMAIN_RATE_LIMIT,
    Reject.ORDERS_LIMIT: errors.ORDERS_LIMIT,
    Reject.SCHEDULED_LIMIT: errors.SCHEDULED_LIMIT,
    Reject.INTERNAL: errors.INTERNAL_ERROR,
}


def error_text(refused: own.Refused) -> str:
    """Return the error string of a refusal."""
    if refused.reason is Reject.INVALID_ARGUMENTS:
        return f"{errors.INVALID_ARGUMENTS}:{refused.detail}" if refused.detail else errors.INVALID_ARGUMENTS
    return _TEXTS[refused.reason]


def add_order(order: orders.NewOrder, pair: Pair, now_ns: int, *, validate: bool = False) -> own.AddOrder:
    """Translate a new order.

    Parameters
    ----------
    now_ns : time of the exchange, to which times "from receipt" are added.

    Raises
    ------
    Refused
        If a number has more decimals than its pair.
    """
    in_quote = order.volume_in_quote
    return own.AddOrder(
        symbol=pair.symbol,
        side=_SIDES[order.side],
        type=_TYPES[order.order_type],
        qty=0 if in_quote else quantity(order.volume, pair),
        cash_qty=_units(order.volume, own.MONEY_DECIMALS, "volume") if in_quote else 0,
        limit=price(order.limit_price, pair),
        trigger=price(order.trigger_price, pair),
        reference=_REFERENCES[order.reference],
        display=0 if order.display_volume is None else quantity(order.display_volume, pair, "displayvol"),
        time_in_force=_TIFS[order.time_in_force],
        post_only=order.post_only,
        reduce_only=order.reduce_only,
        margin=order.leverage is not None,
        fee_in_base=_FEES[order.fee_in],
        starts_ns=_moment(order.starts, now_ns),
        expires_ns=_moment(order.expires, now_ns),
        cl_ord_id=order.cl_ord_id or "",
        userref=order.userref,
        stp=_STPS[order.self_trade],
        close=None if order.close is None else _close(order.close, pair),
        validate=validate,
    )


def amend(command: orders.AmendOrder, pair: Pair) -> own.Amend:
    """Translate an amendment of an order of this pair; see `add_order`."""
    return own.Amend(
        order_id=command.order_id or "",
        cl_ord_id=command.cl_ord_id or "",
        qty=None if command.volume is None else quantity(command.volume, pair, "order_qty"),
        display=None if command.display_volume is None else quantity(command.display_volume, pair, "display_qty"),
        limit=price(command.limit_price, pair),
        trigger=price(command.trigger_price, pair),
        post_only=command.post_only,
        symbol=pair.symbol,
    )


def edit(command: orders.EditOrder, pair: Pair, order_type: str) -> own.Edit:
    """Translate an edit of an order of this type; see `add_order`."""
    limit, trigger = command.prices(order_type)
    return own.Edit(
        order_id=command.order_id,
        symbol=pair.symbol,
        qty=None if command.volume is None else quantity(command.volume, pair),
        display=None if command.display_volume is None else quantity(command.display_volume, pair, "displayvol"),
        limit=price(limit, pair),
        trigger=price(trigger, pair),
        post_only=command.post_only,
        userref=command.userref,
        validate=command.validate,
    )


def cancels(command: orders.CancelOrders) -> list[own.Cancel]:
    """Return one cancel for each name."""
    return [
        *(own.Cancel(order_id=one) for one in command.order_ids),
        *(own.Cancel(cl_ord_id=one) for one in command.cl_ord_ids),
        *(own.Cancel(userref=one) for one in command.userrefs),
    ]


def price(value: orders.Price | None, pair: Pair) -> own.Price | None:
    """Translate a price or an offset."""
    if value is None:
        return None
    if value.kind == "pct":
        amount, kind = _units(value.value, 4, "price"), own.PriceKind.PERCENT
    else:
        try:
            amount = forgiving_units(value.value, pair.price_decimals)
        except ProtocolError:
            raise price_too_fine(pair.altname, pair.price_decimals) from None
        kind = own.PriceKind.STATIC if value.kind == "static" else own.PriceKind.QUOTE
    return own.Price(-amount if value.towards == "-" else amount, kind, value.towards == "#")


def quantity(value: Decimal, pair: Pair, field: str = "volume") -> int:
    """Return a quantity in units of its last decimal."""
    return _units(value, pair.lot_decimals, field)


def _units(value: Decimal, decimals: int, field: str) -> int:
    try:
        return forgiving_units(value, decimals)
    except ProtocolError:
        raise invalid_argument(field) from None


def _close(close: orders.Close, pair: Pair) -> own.Close:
    return own.Close(_TYPES[close.order_type], price(close.limit_price, pair), price(close.trigger_price, pair))


def _moment(moment: orders.Moment | None, now_ns: int) -> int:
    if moment is None:
        return 0
    return now_ns + moment.ns if moment.from_receipt else moment.ns


def refuse_if_late(deadline_ns: int | None, wall_ns: int, most_ns: int) -> None:
    """Refuse a request whose deadline has passed, or lies farther away than is allowed.

    Deadlines are about the way to the exchange, so the clock on the wall counts, whatever the market's speed.

    Raises
    ------
    Refused
        ``EService:Deadline elapsed`` or ``EGeneral:Invalid arguments:deadline``.
    """
    if deadline_ns is None:
        return
    if deadline_ns < wall_ns:
        raise Refused(errors.DEADLINE_ELAPSED)
    if deadline_ns > wall_ns + most_ns:
        raise invalid_argument("deadline")
