"""Parameters of the trading methods of WebSocket v2, as structs; a field that a struct does not know is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from mycelial.kraken.orders import OrderType, PriceKind, Side

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
