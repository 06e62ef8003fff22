"""What a customer may ask of the exchange, in whole numbers and enums; the words of a protocol are left to its codec.

Prices are whole units of the pair's last price decimal, quantities of its last quantity decimal, as they are printed
without the point. Amounts of money are in `UNITS` of an asset. Times are unix nanoseconds; 0 means "not given".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mycelial.market.book import Side as Side
from mycelial.market.book import Stp as Stp
from mycelial.market.triggers import Reference as Reference

MONEY_DECIMALS = 14  # of every amount of money or asset in a wallet, whatever the asset prints
UNITS = 10**MONEY_DECIMALS


class OrderType(Enum):
    """Kinds of orders, by the names Kraken's REST interface gives them."""

    MARKET = "market"
    LIMIT = "limit"
    ICEBERG = "iceberg"
    STOP_LOSS = "stop-loss"
    TAKE_PROFIT = "take-profit"
    STOP_LOSS_LIMIT = "stop-loss-limit"
    TAKE_PROFIT_LIMIT = "take-profit-limit"
    TRAILING_STOP = "trailing-stop"
    TRAILING_STOP_LIMIT = "trailing-stop-limit"
    SETTLE_POSITION = "settle-position"

    @property
    def has_limit(self) -> bool:
        """Whether it trades at a limit price."""
        return self in _WITH_LIMIT

    @property
    def waits(self) -> bool:
        """Whether it waits for a trigger before it enters the book."""
        return self in _WAITING

    @property
    def trails(self) -> bool:
        """Whether its trigger follows the market."""
        return self in (OrderType.TRAILING_STOP, OrderType.TRAILING_STOP_LIMIT)

    @property
    def takes_profit(self) -> bool:
        """Whether it fires when the price moves in favour of its owner."""
        return self in (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)


_WITH_LIMIT = frozenset(
    {
        OrderType.LIMIT,
        OrderType.ICEBERG,
        OrderType.STOP_LOSS_LIMIT,
        OrderType.TAKE_PROFIT_LIMIT,
        OrderType.TRAILING_STOP_LIMIT,
    }
)
_WAITING = frozenset(
    {
        OrderType.STOP_LOSS,
        OrderType.TAKE_PROFIT,
        OrderType.STOP_LOSS_LIMIT,
        OrderType.TAKE_PROFIT_LIMIT,
        OrderType.TRAILING_STOP,
        OrderType.TRAILING_STOP_LIMIT,
    }
)


class TimeInForce(Enum):
    """How long an order may live."""

    GTC = "GTC"
    IOC = "IOC"
    GTD = "GTD"
    FOK = "FOK"


class PriceKind(Enum):
    """How a price is meant."""

    STATIC = "static"  # units of the last decimal
    QUOTE = "quote"  # an offset in the same units
    PERCENT = "pct"  # an offset in parts per million


@dataclass(frozen=True, slots=True)
class Price:
    """A price, absolute or as an offset from a reference price (the last trade, or of a trailing limit its trigger).

    Parameters
    ----------
    value : units of the last price decimal, or parts per million of PERCENT; an offset carries its sign.
    kind : PriceKind
    by_side : the offset's sign is left to the exchange (Kraken's ``#``): away from the reference, as the order needs.
    """

    value: int
    kind: PriceKind = PriceKind.STATIC
    by_side: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    """Terms of the order that each fill of another creates on the opposite side."""

    type: OrderType
    limit: Price | None = None
    trigger: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOrder:
    """Place one order.

    Parameters
    ----------
    qty : base quantity; 0 with `cash_qty`.
    cash_qty : of a market buy, what to spend (Kraken's ``viqc`` and ``cash_order_qty``): units of the quote asset.
    limit, trigger : of the types that have them. Of a trailing stop `trigger` is the offset; `limit` of a trailing
        limit order is an offset from the trigger price.
    display : of an iceberg, the quantity to show.
    fee_in_base : where the fee is taken; None leaves it to the exchange (quote).
    starts_ns, expires_ns : the order waits until, and leaves at; `expires_ns` needs GTD.
    deadline_ns : refuse the order if the engine would get it later.
    margin : leverage was asked for.
    validate : check only.
    """

    symbol: str
    side: Side
    type: OrderType
    qty: int = 0
    cash_qty: int = 0
    limit: Price | None = None
    trigger: Price | None = None
    reference: Reference = Reference.LAST
    display: int = 0
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    margin: bool = False
    fee_in_base: bool | None = None
    starts_ns: int = 0
    expires_ns: int = 0
    deadline_ns: int = 0
    cl_ord_id: str = ""
    userref: int | None = None
    stp: Stp = Stp.CANCEL_NEWEST
    close: Close | None = None
    validate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AddBatch:
    """Place several orders of one pair. One that is malformed refuses all; one that is not affordable only itself."""

    orders: tuple[AddOrder, ...]
    validate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Amend:
    """Change an order in place; what is None stays. Named by `order_id` or `cl_ord_id`."""

    order_id: str = ""
    cl_ord_id: str = ""
    qty: int | None = None
    display: int | None = None
    limit: Price | None = None
    trigger: Price | None = None
    post_only: bool = False
    deadline_ns: int = 0
    symbol: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Cancel an order and place a like one (the older way): new id, place in the queue and client id lost."""

    order_id: str
    symbol: str
    qty: int | None = None
    display: int | None = None
    limit: Price | None = None
    trigger: Price | None = None
    post_only: bool = False
    fee_in_base: bool | None = None
    userref: int | None = None
    deadline_ns: int = 0
    validate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Cancel by order id, client id, or all orders that carry a userref; exactly one is given."""

    order_id: str = ""
    cl_ord_id: str = ""
    userref: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelBatch:
    """Cancel several at once; those that are not open are passed over."""

    orders: tuple[Cancel, ...]


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Cancel all open orders of the account."""


@dataclass(frozen=True, slots=True)
class CancelAllAfter:
    """Set the dead man's switch `timeout_s` seconds from now; 0 disarms it."""

    timeout_s: int


Command = AddOrder | AddBatch | Amend | Edit | Cancel | CancelBatch | CancelAll | CancelAllAfter


class Reject(Enum):
    """Why a command was refused; one to one with the error strings of the protocol."""

    INVALID_ARGUMENTS = "invalid arguments"  # the detail names the field
    UNKNOWN_PAIR = "unknown asset pair"
    UNAVAILABLE = "service unavailable"
    MARKET_CANCEL_ONLY = "market in cancel_only mode"
    MARKET_POST_ONLY = "market in post_only mode"
    MARKET_LIMIT_ONLY = "market in limit_only mode"
    MARKET_REDUCE_ONLY = "market in reduce_only mode"
    DEADLINE_ELAPSED = "deadline elapsed"
    INSUFFICIENT_FUNDS = "insufficient funds"
    MARGIN_ALLOWANCE = "margin allowance exceeded"  # there is no margin trading here
    NO_POSITION = "no open position"  # nothing to settle or to reduce
    ORDER_MINIMUM = "order minimum not met"
    COST_MINIMUM = "cost minimum not met"
    TICK_SIZE = "tick size check failed"
    INVALID_PRICE = "invalid price"
    POST_ONLY = "post only order"
    UNKNOWN_ORDER = "unknown order"
    INVALID_ORDER = "invalid order"
    DUPLICATE_CLIENT_ID = "duplicate client order id"
    NO_CHANGE = "nothing to amend"
    ALREADY_TRIGGERED = "trigger has fired"
    RATE_LIMIT = "rate limit exceeded"
    DOMAIN_RATE_LIMIT = "domain rate limit exceeded"
    ORDERS_LIMIT = "orders limit exceeded"
    SCHEDULED_LIMIT = "scheduled orders limit exceeded"
    INTERNAL = "internal error"


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer to a command that changed nothing."""

    reason: Reject
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Added:
    """An order was accepted; `order_id` is empty after validation only. Prices are as the exchange understood them."""

    order_id: str
    command: AddOrder
    limit: int = 0
    trigger: int = 0


@dataclass(frozen=True, slots=True)
class AddedBatch:
    """Answers in the order of the batch."""

    rows: tuple[Added | Refused, ...]


@dataclass(frozen=True, slots=True)
class Amended:
    """An order was changed in place."""

    amend_id: str
    order_id: str
    cl_ord_id: str = ""


@dataclass(frozen=True, slots=True)
class Edited:
    """An order was replaced."""

    order_id: str
    original_id: str
    command: AddOrder
    limit: int = 0
    trigger: int = 0
    original_userref: int | None = None


@dataclass(frozen=True, slots=True)
class Canceled:
    """These orders left."""

    order_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SwitchSet:
    """The dead man's switch as it stands now; `triggers_ns` 0: disarmed."""

    now_ns: int
    triggers_ns: int


Outcome = Refused | Added | AddedBatch | Amended | Edited | Canceled | SwitchSet
