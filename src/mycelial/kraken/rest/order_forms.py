"""Order methods of REST, read: from the fields that travel to `mycelial.kraken.orders`; `order_writing` goes back."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, TypeVar

from msgspec import Struct, field

from mycelial.kraken import numbers, times
from mycelial.kraken.errors import ProtocolError, invalid_argument
from mycelial.kraken.orders import (
    LIMIT_PRICED,
    REFERENCES,
    SELF_TRADES,
    TIMES_IN_FORCE,
    TRIGGERED,
    AddBatch,
    AddOrder,
    AmendOrder,
    CancelAll,
    CancelAllAfter,
    CancelOrders,
    Close,
    EditOrder,
    Moment,
    NewOrder,
    OrderType,
    Price,
    Side,
    checked,
    checked_amend,
    checked_batch,
    one_of,
)
from mycelial.kraken.rest.bodies import Fields
from mycelial.kraken.rest.converting import converted

MOST_TIMEOUT_S = 86_400  # of the dead man's switch, exclusive
LEAST_LIFE_S = 5  # of an order that expires so long after its receipt
FLAGS = frozenset({"post", "fcib", "fciq", "nompp", "viqc"})

_PRICE = re.compile(r"([+\-#]?)(\d{1,30}(?:\.\d{1,30})?|\.\d{1,30})(%?)", re.ASCII)
_ORDER_ID = re.compile(r"O[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", re.ASCII)

T = TypeVar("T", bound=Struct)


class CloseForm(Struct, frozen=True, kw_only=True):
    """Fields of ``close[...]``."""

    ordertype: OrderType
    price: str | None = None
    price2: str | None = None


class OrderForm(Struct, frozen=True, kw_only=True):
    """Fields of one order, in `AddOrder` and in a batch."""

    side: Side = field(name="type")
    ordertype: OrderType
    volume: Decimal
    pair: str | None = None
    price: str | None = None
    price2: str | None = None
    trigger: str | None = None
    displayvol: Decimal | None = None
    oflags: str | None = None
    timeinforce: str | None = None
    starttm: str | None = None
    expiretm: str | None = None
    userref: int | None = None
    cl_ord_id: str | None = None
    stptype: str | None = None
    leverage: str | None = None
    reduce_only: bool = False
    close: CloseForm | None = None
    deadline: str | None = None
    validate: bool = False


class BatchForm(Struct, frozen=True, kw_only=True):
    """Fields of `AddOrderBatch`."""

    pair: str
    orders: tuple[dict[str, Any], ...]
    deadline: str | None = None
    validate: bool = False


class AmendForm(Struct, frozen=True, kw_only=True):
    """Fields of `AmendOrder`."""

    txid: str | None = None
    cl_ord_id: str | None = None
    order_qty: Decimal | None = None
    display_qty: Decimal | None = None
    limit_price: str | None = None
    trigger_price: str | None = None
    post_only: bool = False
    pair: str | None = None
    deadline: str | None = None


class EditForm(Struct, frozen=True, kw_only=True):
    """Fields of `EditOrder`."""

    txid: str
    pair: str
    volume: Decimal | None = None
    displayvol: Decimal | None = None
    price: str | None = None
    price2: str | None = None
    oflags: str | None = None
    userref: int | None = None
    deadline: str | None = None
    validate: bool = False


class CancelForm(Struct, frozen=True, kw_only=True):
    """Fields of `CancelOrder`."""

    txid: str | int | None = None
    cl_ord_id: str | None = None


class CancelBatchForm(Struct, frozen=True, kw_only=True):
    """Fields of `CancelOrderBatch`."""

    orders: tuple[Any, ...] = ()
    cl_ord_ids: tuple[str, ...] = ()


class TimeoutForm(Struct, frozen=True, kw_only=True):
    """Fields of `CancelAllOrdersAfter`."""

    timeout: int


def add_order(fields: Fields) -> AddOrder:
    """Read `AddOrder`; all functions of this kind raise `Refused` with what the exchange answers."""
    form = converted(fields, OrderForm)
    if form.pair is None:
        raise invalid_argument("pair")
    return AddOrder(order=_order(form, form.pair), deadline_ns=_deadline(form.deadline), validate=form.validate)


def add_batch(fields: Fields) -> AddBatch:
    """Read `AddOrderBatch`."""
    form = converted(fields, BatchForm)
    orders = tuple(_order(converted(one, OrderForm), form.pair) for one in form.orders)
    return checked_batch(
        AddBatch(pair=form.pair, orders=orders, deadline_ns=_deadline(form.deadline), validate=form.validate)
    )


def amend_order(fields: Fields) -> AmendOrder:
    """Read `AmendOrder`."""
    form = converted(fields, AmendForm)
    return checked_amend(
        AmendOrder(
            order_id=form.txid,
            cl_ord_id=form.cl_ord_id,
            volume=_number(form.order_qty, "order_qty"),
            display_volume=_number(form.display_qty, "display_qty"),
            limit_price=_price(form.limit_price, "limit_price"),
            trigger_price=_price(form.trigger_price, "trigger_price"),
            post_only=form.post_only,
            pair=form.pair,
            deadline_ns=_deadline(form.deadline),
        )
    )


def edit_order(fields: Fields) -> EditOrder:
    """Read `EditOrder`."""
    form = converted(fields, EditForm)
    return EditOrder(
        order_id=form.txid,
        pair=form.pair,
        volume=_number(form.volume, "volume"),
        display_volume=_number(form.displayvol, "displayvol"),
        price=_price(form.price, "price"),
        price2=_price(form.price2, "price2"),
        post_only="post" in _flags(form.oflags),
        userref=form.userref,
        deadline_ns=_deadline(form.deadline),
        validate=form.validate,
    )


def cancel_order(fields: Fields) -> CancelOrders:
    """Read `CancelOrder`; `txid` is an order's id or a userref."""
    form = converted(fields, CancelForm)
    if form.cl_ord_id is not None:
        return CancelOrders(cl_ord_ids=(form.cl_ord_id,))
    if form.txid is None:
        raise invalid_argument("txid")
    ids, userrefs = _ids_and_userrefs(str(form.txid).split(","))
    return CancelOrders(order_ids=ids, userrefs=userrefs)


def cancel_batch(fields: Fields) -> CancelOrders:
    """Read `CancelOrderBatch`: at most 50 names."""
    form = converted(fields, CancelBatchForm)
    names = [str(one["txid"]) if isinstance(one, dict) and "txid" in one else one for one in form.orders]
    if not all(isinstance(one, str | int) and not isinstance(one, bool) for one in names):
        raise invalid_argument("orders")
    ids, userrefs = _ids_and_userrefs([str(one) for one in names])
    command = CancelOrders(order_ids=ids, userrefs=userrefs, cl_ord_ids=form.cl_ord_ids, batch=True)
    if not 1 <= command.count <= 50:
        raise invalid_argument("orders")
    return command


def cancel_all(fields: Fields) -> CancelAll:
    """Read `CancelAll`."""
    return CancelAll()


def cancel_all_after(fields: Fields) -> CancelAllAfter:
    """Read `CancelAllOrdersAfter`."""
    timeout = converted(fields, TimeoutForm).timeout
    if not 0 <= timeout < MOST_TIMEOUT_S:
        raise invalid_argument("timeout")
    return CancelAllAfter(timeout_s=timeout)


def price_of(text: str) -> Price | None:
    """Read a REST price: plain, or an offset like ``+1.5``, ``-2%`` or ``#0.5%``; None if it is none."""
    parts = _PRICE.fullmatch(text)
    if parts is None:
        return None
    towards, value, percent = parts.groups()
    if percent and not towards:
        return None
    return Price(
        Decimal(value),
        "pct" if percent else "quote" if towards else "static",
        towards,  # type: ignore[arg-type]  # one of the four, says the pattern
    )


def is_order_id(text: str) -> bool:
    """Whether a text has the form of an order's id."""
    return _ORDER_ID.fullmatch(text) is not None


def _order(form: OrderForm, pair: str) -> NewOrder:
    kind = form.ordertype
    first, second = _price(form.price, "price"), _price(form.price2, "price2")
    flags = _flags(form.oflags)
    if {"fcib", "fciq"} <= flags:
        raise invalid_argument("oflags")
    if kind == "market":
        first = second = None
    expires = _moment(form.expiretm, "expiretm")
    if expires is not None and expires.from_receipt and expires.ns < LEAST_LIFE_S * times.SECOND:
        raise invalid_argument("expiretm")
    time_in_force = one_of(TIMES_IN_FORCE, form.timeinforce or ("gtc" if expires is None else "gtd"), "timeinforce")
    return checked(
        NewOrder(
            pair=pair,
            side=form.side,
            order_type=kind,
            volume=_needed(form.volume, "volume"),
            limit_price=(second if kind in TRIGGERED else first) if kind in LIMIT_PRICED else None,
            trigger_price=first if kind in TRIGGERED else None,
            reference=one_of(REFERENCES, form.trigger or "last", "trigger"),
            display_volume=_number(form.displayvol, "displayvol"),
            time_in_force=time_in_force,
            starts=_moment(form.starttm, "starttm"),
            expires=expires,
            cl_ord_id=form.cl_ord_id,
            userref=form.userref,
            post_only="post" in flags,
            reduce_only=form.reduce_only,
            leverage=None if form.leverage in (None, "none", "0") else form.leverage,
            fee_in="base" if "fcib" in flags else "quote" if "fciq" in flags else None,
            volume_in_quote="viqc" in flags,
            self_trade=one_of(SELF_TRADES, form.stptype or "cancel-newest", "stptype"),
            close=_close(form.close),
        )
    )


def _close(form: CloseForm | None) -> Close | None:
    if form is None:
        return None
    first, second = _price(form.price, "close[price]"), _price(form.price2, "close[price2]")
    return Close(
        order_type=form.ordertype,
        limit_price=(second if form.ordertype in TRIGGERED else first) if form.ordertype in LIMIT_PRICED else None,
        trigger_price=first if form.ordertype in TRIGGERED else None,
    )


def _flags(text: str | None) -> set[str]:
    flags = {one.strip().lower() for one in (text or "").split(",") if one.strip()}
    if not flags <= FLAGS:
        raise invalid_argument("oflags")
    return flags


def _price(text: str | None, name: str) -> Price | None:
    if text is None:
        return None
    price = price_of(text)
    if price is None:
        raise invalid_argument(name)
    return price if price.value or price.towards else None  # "0" stands for no price


def _number(value: Decimal | None, name: str) -> Decimal | None:
    return None if value is None else _needed(value, name)


def _needed(value: Decimal, name: str) -> Decimal:
    if not numbers.is_sane(value):
        raise invalid_argument(name)
    return value


def _moment(text: str | None, name: str) -> Moment | None:
    if text is None or text == "0":
        return None
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        raise invalid_argument(name)
    return Moment(int(digits) * times.SECOND, text.startswith("+"))


def _deadline(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return times.from_rfc3339(text)
    except ProtocolError:
        raise invalid_argument("deadline") from None


def _ids_and_userrefs(names: list[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Part names into order ids and userrefs; what is neither counts as the id of no order."""
    userrefs = [name for name in names if re.fullmatch(r"-?\d{1,10}", name, re.ASCII)]
    return tuple(name.strip() for name in names if name not in userrefs), tuple(map(int, userrefs))
