"""Trading methods of WebSocket v2, written: from `mycelial.kraken.orders` to the parameters that travel."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from mycelial.kraken import times
from mycelial.kraken.errors import ProtocolError
from mycelial.kraken.orders import (
    AddBatch,
    AddOrder,
    AmendOrder,
    CancelAll,
    CancelAllAfter,
    CancelOrders,
    Close,
    Command,
    EditOrder,
    NewOrder,
    Price,
)
from mycelial.kraken.ws.order_fields import MARGIN


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
