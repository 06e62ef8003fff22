"""Trading methods of WebSocket v2: between the parameters that travel and `mycelial.kraken.orders`.

Every set of parameters carries the token. Fields a method does not know are refused by name, as Kraken does; so are
those that only REST has (`leverage`, `userref`, `close`). `trigger` is an older name of `triggers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from mycelial.kraken import times
from mycelial.kraken.errors import ProtocolError, invalid_argument
from mycelial.kraken.orders import (
    LIMIT_PRICED,
    REFERENCES,
    SELF_TRADES,
    TIMES_IN_FORCE,
    TRAILING,
    TRIGGERED,
    AddBatch,
    AddOrder,
    AmendOrder,
    CancelAll,
    CancelAllAfter,
    CancelOrders,
    Close,
    Command,
    EditOrder,
    Moment,
    NewOrder,
    OrderType,
    Price,
    PriceKind,
    Side,
    checked,
    checked_amend,
    checked_batch,
    one_of,
)
from mycelial.kraken.ws.requests import Envelope, read_params, sane

MARGIN = "max"  # leverage of an order with `margin`: whatever the pair allows


class TriggerFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of ``triggers``."""

    reference: str = "last"
    price: Decimal
    price_type: PriceKind = "static"


class ConditionalFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of ``conditional``."""

    order_type: OrderType
    limit_price: Decimal | None = None
    limit_price_type: Literal["static"] = "static"
    trigger_price: Decimal | None = None
    trigger_price_type: Literal["static"] = "static"
    stop_price: Decimal | None = None


class OrderFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of one order, in add_order and in a batch."""

    order_type: OrderType
    side: Side
    order_qty: Decimal | None = None
    symbol: str | None = None
    limit_price: Decimal | None = None
    limit_price_type: PriceKind = "static"
    triggers: TriggerFields | None = None
    trigger: TriggerFields | None = None
    time_in_force: str = "gtc"
    expire_time: str | None = None
    effective_time: str | None = None
    deadline: str | None = None
    cl_ord_id: str | None = None
    order_userref: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    margin: bool = False
    display_qty: Decimal | None = None
    fee_preference: Literal["base", "quote"] | None = None
    stp_type: str = "cancel_newest"
    cash_order_qty: Decimal | None = None
    conditional: ConditionalFields | None = None
    validate: bool = False
    no_mpp: bool | None = None
    sender_sub_id: str | None = None
    token: str | None = None


class BatchFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of batch_add."""

    symbol: str
    orders: tuple[OrderFields, ...]
    deadline: str | None = None
    validate: bool = False
    token: str | None = None


class AmendFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of amend_order."""

    order_id: str | None = None
    cl_ord_id: str | None = None
    order_qty: Decimal | None = None
    display_qty: Decimal | None = None
    limit_price: Decimal | None = None
    limit_price_type: PriceKind = "static"
    trigger_price: Decimal | None = None
    trigger_price_type: PriceKind = "static"
    post_only: bool = False
    symbol: str | None = None
    deadline: str | None = None
    token: str | None = None


class EditFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of edit_order."""

    order_id: str
    symbol: str
    order_qty: Decimal | None = None
    display_qty: Decimal | None = None
    limit_price: Decimal | None = None
    triggers: TriggerFields | None = None
    trigger: TriggerFields | None = None
    post_only: bool = False
    fee_preference: Literal["base", "quote"] | None = None
    order_userref: int | None = None
    deadline: str | None = None
    reduce_only: bool = False
    no_mpp: bool | None = None
    validate: bool = False
    token: str | None = None


class CancelFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of cancel_order."""

    order_id: tuple[str, ...] = ()
    cl_ord_id: tuple[str, ...] = ()
    order_userref: tuple[int, ...] = ()
    token: str | None = None


class BatchCancelFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of batch_cancel."""

    orders: tuple[str | int, ...] = ()
    cl_ord_id: tuple[str, ...] = ()
    token: str | None = None


class TokenFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of cancel_all."""

    token: str | None = None


class TimeoutFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of cancel_all_orders_after."""

    timeout: int
    token: str | None = None


class Trading(Struct, frozen=True):
    """A command and the token it came with."""

    command: Command
    token: str | None


# ------------------------------------------------------------------------------------------------------------ reading


def read_command(envelope: Envelope) -> Trading:
    """Read a trading request.

    Raises
    ------
    Refused
        With the text that the exchange answers.
    """
    return _READERS[envelope.method](envelope)


def _add_order(envelope: Envelope) -> Trading:
    fields = read_params(envelope, OrderFields)
    if fields.symbol is None:
        raise invalid_argument("symbol")
    command = AddOrder(
        order=_order(fields, fields.symbol),
        deadline_ns=_moment_ns(fields.deadline, "deadline"),
        validate=fields.validate,
    )
    return Trading(command, fields.token)


def _batch_add(envelope: Envelope) -> Trading:
    fields = read_params(envelope, BatchFields)
    orders = tuple(_order(one, fields.symbol) for one in fields.orders)
    batch = AddBatch(
        pair=fields.symbol,
        orders=orders,
        deadline_ns=_moment_ns(fields.deadline, "deadline"),
        validate=fields.validate,
    )
    return Trading(checked_batch(batch), fields.token)


def _amend_order(envelope: Envelope) -> Trading:
    fields = read_params(envelope, AmendFields)
    amend = AmendOrder(
        order_id=fields.order_id,
        cl_ord_id=fields.cl_ord_id,
        volume=sane(fields.order_qty, "order_qty"),
        display_volume=sane(fields.display_qty, "display_qty"),
        limit_price=_price(fields.limit_price, fields.limit_price_type, "limit_price"),
        trigger_price=_price(fields.trigger_price, fields.trigger_price_type, "trigger_price"),
        post_only=fields.post_only,
        pair=fields.symbol,
        deadline_ns=_moment_ns(fields.deadline, "deadline"),
    )
    return Trading(checked_amend(amend), fields.token)


def _edit_order(envelope: Envelope) -> Trading:
    fields = read_params(envelope, EditFields)
    trigger = fields.triggers or fields.trigger
    edit = EditOrder(
        order_id=fields.order_id,
        pair=fields.symbol,
        volume=sane(fields.order_qty, "order_qty"),
        display_volume=sane(fields.display_qty, "display_qty"),
        limit_price=_price(fields.limit_price, "static", "limit_price"),
        trigger_price=None if trigger is None else _price(trigger.price, trigger.price_type, "triggers"),
        post_only=fields.post_only,
        userref=fields.order_userref,
        deadline_ns=_moment_ns(fields.deadline, "deadline"),
        validate=fields.validate,
    )
    return Trading(edit, fields.token)


def _cancel_order(envelope: Envelope) -> Trading:
    fields = read_params(envelope, CancelFields)
    command = CancelOrders(order_ids=fields.order_id, cl_ord_ids=fields.cl_ord_id, userrefs=fields.order_userref)
    if not command.count:
        raise invalid_argument("order_id")
    return Trading(command, fields.token)


def _batch_cancel(envelope: Envelope) -> Trading:
    fields = read_params(envelope, BatchCancelFields)
    userrefs = tuple(int(one) for one in fields.orders if _is_userref(one))
    ids = tuple(str(one) for one in fields.orders if not _is_userref(one))
    command = CancelOrders(order_ids=ids, userrefs=userrefs, cl_ord_ids=fields.cl_ord_id, batch=True)
    if not 2 <= command.count <= 50:
        raise invalid_argument("orders")
    return Trading(command, fields.token)


def _cancel_all(envelope: Envelope) -> Trading:
    return Trading(CancelAll(), read_params(envelope, TokenFields).token)


def _cancel_all_after(envelope: Envelope) -> Trading:
    fields = read_params(envelope, TimeoutFields)
    if not 0 <= fields.timeout < 86_400:
        raise invalid_argument("timeout")
    return Trading(CancelAllAfter(timeout_s=fields.timeout), fields.token)


_READERS: Mapping[str, Callable[[Envelope], Trading]] = {
    "add_order": _add_order,
    "batch_add": _batch_add,
    "amend_order": _amend_order,
    "edit_order": _edit_order,
    "cancel_order": _cancel_order,
    "batch_cancel": _batch_cancel,
    "cancel_all": _cancel_all,
    "cancel_all_orders_after": _cancel_all_after,
}
TRADING_METHODS = frozenset(_READERS)


def _order(fields: OrderFields, symbol: str) -> NewOrder:
    trigger = fields.triggers or fields.trigger
    kind = fields.order_type
    in_quote = fields.cash_order_qty is not None
    volume = sane(fields.cash_order_qty if in_quote else fields.order_qty, "order_qty")
    if volume is None:
        raise invalid_argument("order_qty")
    expires = _moment_ns(fields.expire_time, "expire_time")
    starts = _moment_ns(fields.effective_time, "effective_time")
    trigger_price = None if trigger is None else _price(trigger.price, trigger.price_type, "triggers")
    if trigger_price is not None and kind in TRAILING and trigger_price.kind != "static":
        trigger_price = Price(trigger_price.value, trigger_price.kind, "+")  # a distance, whatever its sign
    return checked(
        NewOrder(
            pair=symbol,
            side=fields.side,
            order_type=kind,
            volume=volume,
            limit_price=_price(fields.limit_price, fields.limit_price_type, "limit_price")
            if kind in LIMIT_PRICED
            else None,
            trigger_price=trigger_price if kind in TRIGGERED else None,
            reference=one_of(REFERENCES, trigger.reference, "triggers") if trigger else "last",
            display_volume=sane(fields.display_qty, "display_qty"),
            time_in_force=one_of(TIMES_IN_FORCE, fields.time_in_force, "time_in_force"),
            starts=None if starts is None else Moment(starts),
            expires=None if expires is None else Moment(expires),
            cl_ord_id=fields.cl_ord_id,
            userref=fields.order_userref,
            post_only=fields.post_only,
            reduce_only=fields.reduce_only,
            leverage=MARGIN if fields.margin else None,
            fee_in=fields.fee_preference,
            volume_in_quote=in_quote,
            self_trade=one_of(SELF_TRADES, fields.stp_type, "stp_type"),
            close=_close(fields.conditional),
        )
    )


def _close(fields: ConditionalFields | None) -> Close | None:
    if fields is None:
        return None
    trigger = fields.trigger_price if fields.trigger_price is not None else fields.stop_price
    return Close(
        order_type=fields.order_type,
        limit_price=_price(fields.limit_price, fields.limit_price_type, "conditional"),
        trigger_price=_price(trigger, fields.trigger_price_type, "conditional"),
    )


def _price(value: Decimal | None, kind: PriceKind, field: str) -> Price | None:
    exact = sane(value, field)
    if exact is None:
        return None
    if kind == "static":
        return Price(exact)
    return Price(abs(exact), kind, "-" if exact < 0 else "+")


def _moment_ns(moment: str | None, field: str) -> int | None:
    if moment is None:
        return None
    try:
        return times.from_rfc3339(moment)
    except ProtocolError:
        raise invalid_argument(field) from None


def _is_userref(name: str | int) -> bool:
    return isinstance(name, int) or (name.lstrip("-").isascii() and name.lstrip("-").isdigit() and len(name) <= 11)


# ------------------------------------------------------------------------------------------------------------ writing


def params_of(command: Command, token: str) -> tuple[str, dict[str, Any]]:
    """Return the method and the parameters that ask for a command.

    Raises
    ------
    ProtocolError
        If the command says something that only REST can carry.
    """
    match command:
        case AddOrder():
            fields = {"symbol": command.order.pair, **_order_fields(command.order)}
            return "add_order", _filled(fields | _ends(command), token)
        case AddBatch():
            rows = [_filled(_order_fields(one)) for one in command.orders]
            return "batch_add", _filled({"symbol": command.pair, "orders": rows} | _ends(command), token)
        case AmendOrder():
            fields = {
                "order_id": command.order_id,
                "cl_ord_id": command.cl_ord_id,
                "order_qty": command.volume,
                "display_qty": command.display_volume,
                **_price_fields("limit_price", command.limit_price),
                **_price_fields("trigger_price", command.trigger_price),
                "post_only": command.post_only or None,
                "symbol": command.pair,
                "deadline": _moment_text(command.deadline_ns, 9),
            }
            return "amend_order", _filled(fields, token)
        case EditOrder():
            if command.price or command.price2:
                raise ProtocolError("price and price2 are REST's names; give limit_price and trigger_price")
            fields = {
                "order_id": command.order_id,
                "symbol": command.pair,
                "order_qty": command.volume,
                "display_qty": command.display_volume,
                **_price_fields("limit_price", command.limit_price),
                "triggers": _trigger_fields(command.trigger_price, "last"),
                "post_only": command.post_only or None,
                "order_userref": command.userref,
            }
            return "edit_order", _filled(fields | _ends(command), token)
        case CancelOrders(batch=True):
            names = [*command.order_ids, *command.userrefs]
            return "batch_cancel", _filled({"orders": names, "cl_ord_id": list(command.cl_ord_ids) or None}, token)
        case CancelOrders():
            fields = {
                "order_id": list(command.order_ids) or None,
                "cl_ord_id": list(command.cl_ord_ids) or None,
                "order_userref": list(command.userrefs) or None,
            }
            return "cancel_order", _filled(fields, token)
        case CancelAll():
            return "cancel_all", {"token": token}
        case CancelAllAfter():
            return "cancel_all_orders_after", {"timeout": command.timeout_s, "token": token}
    raise TypeError(f"{type(command).__name__} is no order command")


def _order_fields(order: NewOrder) -> dict[str, Any]:
    if order.leverage not in (None, MARGIN):
        raise ProtocolError("leverage can be chosen over REST only; over the WebSocket it is all or nothing")
    if (order.starts and order.starts.from_receipt) or (order.expires and order.expires.from_receipt):
        raise ProtocolError("times from receipt can be sent over REST only; give a moment")
    return {
        "order_type": order.order_type,
        "side": order.side,
        "cash_order_qty" if order.volume_in_quote else "order_qty": order.volume,
        **_price_fields("limit_price", order.limit_price),
        "triggers": _trigger_fields(order.trigger_price, order.reference),
        "time_in_force": order.time_in_force if order.time_in_force != "gtc" else None,
        "effective_time": _moment_text(order.starts.ns if order.starts else None, 0),
        "expire_time": _moment_text(order.expires.ns if order.expires else None, 0),
        "cl_ord_id": order.cl_ord_id,
        "order_userref": order.userref,
        "post_only": order.post_only or None,
        "reduce_only": order.reduce_only or None,
        "margin": True if order.leverage else None,
        "display_qty": order.display_volume,
        "fee_preference": order.fee_in,
        "stp_type": order.self_trade.replace("-", "_") if order.self_trade != "cancel-newest" else None,
        "conditional": None if order.close is None else _close_fields(order.close),
    }


def _close_fields(close: Close) -> dict[str, Any]:
    for price in (close.limit_price, close.trigger_price):
        if price is not None and price.kind != "static":
            raise ProtocolError("relative prices of a conditional close can be sent over REST only")
    return _filled(
        {
            "order_type": close.order_type,
            **_price_fields("limit_price", close.limit_price),
            **_price_fields("trigger_price", close.trigger_price),
        }
    )


def _price_fields(name: str, price: Price | None) -> dict[str, Any]:
    if price is None:
        return {}
    if price.kind == "static":
        return {name: price.value}
    return {name: _signed(price), f"{name}_type": price.kind}


def _trigger_fields(price: Price | None, reference: str) -> dict[str, Any] | None:
    if price is None:
        return None
    kind = {"price_type": price.kind} if price.kind != "static" else {}
    return {"reference": reference, "price": _signed(price), **kind}


def _signed(price: Price) -> Decimal:
    if price.towards == "#":
        raise ProtocolError("an offset in the order's own direction (#) can be sent over REST only")
    return -price.value if price.towards == "-" else price.value


def _ends(command: AddOrder | AddBatch | EditOrder) -> dict[str, Any]:
    return {"deadline": _moment_text(command.deadline_ns, 9), "validate": command.validate or None}


def _moment_text(at_ns: int | None, decimals: int) -> str | None:
    return None if at_ns is None else times.rfc3339(at_ns, decimals)


def _filled(fields: Mapping[str, Any], token: str | None = None) -> dict[str, Any]:
    filled = {name: value for name, value in fields.items() if value is not None}
    return filled if token is None else {**filled, "token": token}
