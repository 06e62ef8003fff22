"""Order methods of REST, written: from `mycelial.kraken.orders` to the fields that travel; `order_forms` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mycelial.kraken import times
from mycelial.kraken.orders import (
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
)
from mycelial.kraken.rest.bodies import Fields


def fields_of(command: Command) -> tuple[str, Fields]:
    """Return the method and the fields that ask for a command; text and decimals only, ready for form or JSON."""
    match command:
        case AddOrder():
            ends = {"deadline": _deadline_text(command.deadline_ns), "validate": command.validate or None}
            return "AddOrder", _filled({"pair": command.order.pair, **_order_fields(command.order), **ends})
        case AddBatch():
            rows = [_filled(_order_fields(one)) for one in command.orders]
            ends = {"deadline": _deadline_text(command.deadline_ns), "validate": command.validate or None}
            return "AddOrderBatch", _filled({"pair": command.pair, "orders": rows, **ends})
        case AmendOrder():
            return "AmendOrder", _filled(
                {
                    "txid": command.order_id,
                    "cl_ord_id": command.cl_ord_id,
                    "order_qty": command.volume,
                    "display_qty": command.display_volume,
                    "limit_price": _price_text(command.limit_price),
                    "trigger_price": _price_text(command.trigger_price),
                    "post_only": command.post_only or None,
                    "pair": command.pair,
                    "deadline": _deadline_text(command.deadline_ns),
                }
            )
        case EditOrder():
            return "EditOrder", _filled(
                {
                    "txid": command.order_id,
                    "pair": command.pair,
                    "volume": command.volume,
                    "displayvol": command.display_volume,
                    "price": _price_text(command.price),
                    "price2": _price_text(command.price2),
                    "oflags": "post" if command.post_only else None,
                    "userref": command.userref,
                    "deadline": _deadline_text(command.deadline_ns),
                    "validate": command.validate or None,
                }
            )
        case CancelOrders(batch=True):
            names = [*command.order_ids, *command.userrefs]
            return "CancelOrderBatch", _filled({"orders": names or None, "cl_ord_ids": command.cl_ord_ids or None})
        case CancelOrders(cl_ord_ids=(one,)):
            return "CancelOrder", {"cl_ord_id": one}
        case CancelOrders():
            return "CancelOrder", {"txid": ",".join(map(str, (*command.order_ids, *command.userrefs)))}
        case CancelAll():
            return "CancelAll", {}
        case CancelAllAfter():
            return "CancelAllOrdersAfter", {"timeout": command.timeout_s}
    raise TypeError(f"{type(command).__name__} is no order command")


def _order_fields(order: NewOrder) -> Fields:
    """Return the fields of one order without its pair."""
    triggered = order.order_type in TRIGGERED
    first, second = (order.trigger_price, order.limit_price) if triggered else (order.limit_price, None)
    flags = [
        *(["post"] if order.post_only else []),
        *({"base": ["fcib"], "quote": ["fciq"], None: []}[order.fee_in]),
        *(["viqc"] if order.volume_in_quote else []),
    ]
    return {
        "type": order.side,
        "ordertype": order.order_type,
        "volume": order.volume,
        "price": _price_text(first),
        "price2": _price_text(second),
        "trigger": order.reference if order.reference != "last" else None,
        "displayvol": order.display_volume,
        "oflags": ",".join(flags) or None,
        "timeinforce": order.time_in_force.upper() if order.time_in_force != "gtc" else None,
        "starttm": _moment_text(order.starts),
        "expiretm": _moment_text(order.expires),
        "userref": order.userref,
        "cl_ord_id": order.cl_ord_id,
        "stptype": order.self_trade if order.self_trade != "cancel-newest" else None,
        "leverage": order.leverage,
        "reduce_only": order.reduce_only or None,
        "close": None if order.close is None else _close_fields(order.close),
    }


def _close_fields(close: Close) -> Fields:
    triggered = close.order_type in TRIGGERED
    first, second = (close.trigger_price, close.limit_price) if triggered else (close.limit_price, None)
    return _filled({"ordertype": close.order_type, "price": _price_text(first), "price2": _price_text(second)})


def _price_text(price: Price | None) -> str | None:
    return None if price is None else f"{price.towards}{price.value:f}{'%' if price.kind == 'pct' else ''}"


def _moment_text(moment: Moment | None) -> str | None:
    return None if moment is None else f"{'+' if moment.from_receipt else ''}{moment.ns // times.SECOND}"


def _deadline_text(at_ns: int | None) -> str | None:
    return None if at_ns is None else times.rfc3339(at_ns, 9)


def _filled(fields: Mapping[str, Any]) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}
