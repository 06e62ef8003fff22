"""Order requests as both transports mean them: what REST forms and WebSocket frames are read into and written from.

The two transports spell the same order differently (`price` and `price2` here, `limit_price` and `triggers` there); the
exchange and the client only ever see this vocabulary. Numbers are exact decimals as sent; whether they fit a pair's
ticks and lots is for `order_units` to say.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeVar, get_args

from msgspec import Struct

from mycelial.kraken.errors import NO_CHANGE, Refused, invalid_argument

Side = Literal["buy", "sell"]
OrderType = Literal[
    "market",
    "limit",
    "iceberg",
    "stop-loss",
    "take-profit",
    "stop-loss-limit",
    "take-profit-limit",
    "trailing-stop",
    "trailing-stop-limit",
    "settle-position",
]
TimeInForce = Literal["gtc", "ioc", "gtd", "fok"]
SelfTrade = Literal["cancel-newest", "cancel-oldest", "cancel-both"]
Reference = Literal["last", "index"]
PriceKind = Literal["static", "quote", "pct"]

TIMES_IN_FORCE: tuple[TimeInForce, ...] = get_args(TimeInForce)
SELF_TRADES: tuple[SelfTrade, ...] = get_args(SelfTrade)
REFERENCES: tuple[Reference, ...] = get_args(Reference)
PRICE_KINDS: tuple[PriceKind, ...] = get_args(PriceKind)
ORDER_TYPES: tuple[OrderType, ...] = get_args(OrderType)
LIMIT_PRICED = frozenset({"limit", "iceberg", "stop-loss-limit", "take-profit-limit", "trailing-stop-limit"})
TRIGGERED = frozenset(
    {"stop-loss", "take-profit", "stop-loss-limit", "take-profit-limit", "trailing-stop", "trailing-stop-limit"}
)
TRAILING = frozenset({"trailing-stop", "trailing-stop-limit"})
Word = TypeVar("Word", bound=str)
MOST_CLIENT_ID = 18  # characters of a free-form cl_ord_id


class Price(Struct, frozen=True):
    """A price, or an offset from the reference price.

    Attributes
    ----------
    value : in the quote asset, or percent.
    kind : ``static`` a price; ``quote`` an offset in the quote asset; ``pct`` an offset in percent.
    towards : ``+`` above the reference, ``-`` below, ``#`` on the side that the order's side and type make sensible.
        Empty for a price.
    """

    value: Decimal
    kind: PriceKind = "static"
    towards: Literal["", "+", "-", "#"] = ""


class Moment(Struct, frozen=True):
    """When an order begins or ends: a moment in ns since 1970, or so many ns from its receipt."""

    ns: int
    from_receipt: bool = False


class Close(Struct, frozen=True, kw_only=True):
    """The order that each fill of its parent opens on the other side."""

    order_type: OrderType
    limit_price: Price | None = None
    trigger_price: Price | None = None


class NewOrder(Struct, frozen=True, kw_only=True):
    """An order to place.

    Attributes
    ----------
    pair : any name of the pair that the transport allows.
    volume : base quantity, or with `volume_in_quote` the quote amount to spend.
    fee_in : asset the fee is preferred in; None leaves it to the exchange.
    leverage : as sent, ``5`` or ``5:1``; None trades own funds.
    """

    pair: str
    side: Side
    order_type: OrderType
    volume: Decimal
    limit_price: Price | None = None
    trigger_price: Price | None = None
    reference: Reference = "last"
    display_volume: Decimal | None = None
    time_in_force: TimeInForce = "gtc"
    starts: Moment | None = None
    expires: Moment | None = None
    cl_ord_id: str | None = None
    userref: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    leverage: str | None = None
    fee_in: Literal["base", "quote"] | None = None
    volume_in_quote: bool = False
    self_trade: SelfTrade = "cancel-newest"
    close: Close | None = None


class AddOrder(Struct, frozen=True, kw_only=True):
    """Place one order; `deadline_ns` is the moment after which it must not be placed any more."""

    order: NewOrder
    deadline_ns: int | None = None
    validate: bool = False


class AddBatch(Struct, frozen=True, kw_only=True):
    """Place 2 to 15 orders of one pair at once."""

    pair: str
    orders: tuple[NewOrder, ...]
    deadline_ns: int | None = None
    validate: bool = False


class AmendOrder(Struct, frozen=True, kw_only=True):
    """Change an order in place; what is None stays."""

    order_id: str | None = None
    cl_ord_id: str | None = None
    volume: Decimal | None = None
    display_volume: Decimal | None = None
    limit_price: Price | None = None
    trigger_price: Price | None = None
    post_only: bool = False
    pair: str | None = None
    deadline_ns: int | None = None


class EditOrder(Struct, frozen=True, kw_only=True):
    """Cancel an order and place a changed one: new id, queue place lost; what is None stays.

    Attributes
    ----------
    price, price2 : as REST names them; what they mean depends on the type of the order, see `prices`.
    limit_price, trigger_price : as the WebSocket names them.
    """

    order_id: str
    pair: str
    volume: Decimal | None = None
    display_volume: Decimal | None = None
    price: Price | None = None
    price2: Price | None = None
    limit_price: Price | None = None
    trigger_price: Price | None = None
    post_only: bool = False
    userref: int | None = None
    deadline_ns: int | None = None
    validate: bool = False

    def prices(self, order_type: str) -> tuple[Price | None, Price | None]:
        """Return the new limit and trigger price of an order of this type, whichever transport named them."""
        if order_type in TRIGGERED:
            return self.limit_price or self.price2, self.trigger_price or self.price
        return self.limit_price or self.price, self.trigger_price


class CancelOrders(Struct, frozen=True, kw_only=True):
    """Cancel by any of three names; `batch` tells that one answer counts them all."""

    order_ids: tuple[str, ...] = ()
    cl_ord_ids: tuple[str, ...] = ()
    userrefs: tuple[int, ...] = ()
    batch: bool = False

    @property
    def count(self) -> int:
        """How many names it carries."""
        return len(self.order_ids) + len(self.cl_ord_ids) + len(self.userrefs)


class CancelAll(Struct, frozen=True):
    """Cancel everything of the account."""


class CancelAllAfter(Struct, frozen=True, kw_only=True):
    """Set the dead man's switch to `timeout_s`; 0 disarms it."""

    timeout_s: int


Command = AddOrder | AddBatch | AmendOrder | EditOrder | CancelOrders | CancelAll | CancelAllAfter


def checked(order: NewOrder) -> NewOrder:
    """Check what can be said of an order without knowing its market, and return it.

    Raises
    ------
    Refused
        ``EGeneral:Invalid arguments:<field>``, with the field's name in REST.
    """

    def need(ok: bool, field: str) -> None:
        if not ok:
            raise invalid_argument(field)

    kind = order.order_type
    need(order.volume > 0 or (order.volume == 0 and order.leverage is not None), "volume")
    need((order.limit_price is not None) == (kind in LIMIT_PRICED), "price2" if kind in TRIGGERED else "price")
    need((order.trigger_price is not None) == (kind in TRIGGERED), "price")
    if kind in TRAILING:
        assert order.trigger_price is not None
        need(order.trigger_price.kind != "static" and order.trigger_price.towards == "+", "price")
    for price in (order.limit_price, order.trigger_price):
        need(price is None or price.value > 0 or price.kind != "static", "price")
    need(order.display_volume is None or (kind == "iceberg" and order.display_volume > 0), "displayvol")
    need(kind != "iceberg" or order.display_volume is not None, "displayvol")
    need(not order.post_only or kind in ("limit", "iceberg"), "oflags")
    need(not (order.post_only and order.time_in_force in ("ioc", "fok")), "timeinforce")
    need(order.time_in_force != "fok" or kind in LIMIT_PRICED, "timeinforce")
    need((order.time_in_force == "gtd") == (order.expires is not None), "expiretm")
    if order.volume_in_quote:
        need(kind == "market" and order.side == "buy" and order.leverage is None, "oflags")
    need(order.cl_ord_id is None or order.userref is None, "cl_ord_id")
    if order.cl_ord_id is not None:
        need(is_client_id(order.cl_ord_id), "cl_ord_id")
        need(order.close is None, "cl_ord_id")
    if order.userref is not None:
        need(-(2**31) <= order.userref < 2**31, "userref")
    if order.close is not None:
        close = order.close.order_type
        need(close != "settle-position", "close[ordertype]")
        need((order.close.limit_price is not None) == (close in LIMIT_PRICED), "close[price]")
        need((order.close.trigger_price is not None) == (close in TRIGGERED), "close[price]")
    return order


def one_of(words: tuple[Word, ...], text: str, field: str) -> Word:
    """Return the word that is meant, in any case and with dashes or underscores, or refuse the field."""
    wanted = text.lower().replace("_", "-")
    for word in words:
        if word == wanted:
            return word
    raise invalid_argument(field)


def is_client_id(text: str) -> bool:
    """Whether a cl_ord_id has an allowed form: UUID with or without dashes, or up to 18 printable ASCII characters."""
    if not text.isascii() or not text.isprintable():
        return False
    if 0 < len(text) <= MOST_CLIENT_ID:
        return True
    dashed = len(text) == 36 and all(text[at] == "-" for at in (8, 13, 18, 23))
    plain = text.replace("-", "") if dashed else text
    return len(plain) == 32 and all(one in "0123456789abcdefABCDEF" for one in plain)


def checked_batch(batch: AddBatch, *, least: int = 2, most: int = 15) -> AddBatch:
    """Check the size of a batch and that its client ids differ."""
    if not least <= len(batch.orders) <= most:
        raise invalid_argument("orders")
    ids = [order.cl_ord_id for order in batch.orders if order.cl_ord_id is not None]
    if len(ids) != len(set(ids)):
        raise invalid_argument("cl_ord_id")
    return batch


def checked_amend(amend: AmendOrder) -> AmendOrder:
    """Check that an amendment names one order and changes something."""
    if (amend.order_id is None) == (amend.cl_ord_id is None):
        raise invalid_argument("txid")
    changes = (amend.volume, amend.display_volume, amend.limit_price, amend.trigger_price)
    if all(one is None for one in changes):
        raise Refused(NO_CHANGE)
    if amend.volume is not None and amend.volume <= 0:
        raise invalid_argument("order_qty")
    if amend.display_volume is not None and amend.display_volume <= 0:
        raise invalid_argument("display_qty")
    return amend
