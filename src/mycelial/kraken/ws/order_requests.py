"""Trading methods of WebSocket v2, read: from the parameters that travel to `mycelial.kraken.orders`.

Every set of parameters carries the token. Fields a method does not know are refused by name, as Kraken does; so are
those that only REST has (`leverage`, `userref`, `close`). `trigger` is an older name of `triggers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

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
    Price,
    PriceKind,
    checked,
    checked_amend,
    checked_batch,
    one_of,
)
from mycelial.kraken.ws.order_fields import (
    MARGIN,
    AmendFields,
    BatchCancelFields,
    BatchFields,
    CancelFields,
    ConditionalFields,
    EditFields,
    OrderFields,
    TimeoutFields,
    TokenFields,
)
from mycelial.kraken.ws.requests import Envelope, read_params, sane


class Trading(Struct, frozen=True):
    """A command and the token it came with."""

    command: Command
    token: str | None


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
