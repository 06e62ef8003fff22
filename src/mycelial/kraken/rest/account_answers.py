"""Answers of the private methods, as structs that read and write what travels; see `market_answers` for the rules."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from msgspec import Struct

ZERO = Decimal("0.00000")


class ExtendedBalance(Struct, frozen=True, kw_only=True):
    """One asset of `BalanceEx`; what may be spent is balance + credit - credit_used - hold_trade."""

    balance: Decimal
    hold_trade: Decimal
    credit: Decimal | None = None
    credit_used: Decimal | None = None

    @property
    def available(self) -> Decimal:
        """What new orders may spend."""
        zero = Decimal(0)
        return self.balance + (self.credit or zero) - (self.credit_used or zero) - self.hold_trade


class TradeBalanceRow(Struct, frozen=True, kw_only=True):
    """`TradeBalance`: equivalent and trade balance, margin used, unrealised profit, cost, valuation, equity, free."""

    eb: Decimal
    tb: Decimal
    m: Decimal
    uv: Decimal | None = None
    n: Decimal
    c: Decimal
    v: Decimal
    e: Decimal
    mf: Decimal
    ml: Decimal | None = None


class OrderDescription(Struct, frozen=True, kw_only=True):
    """`descr` of an order; `pair` is the altname."""

    pair: str
    type: str
    ordertype: str
    price: str = "0"
    price2: str = "0"
    leverage: str = "none"
    order: str = ""
    close: str = ""


class OrderRow(Struct, frozen=True, kw_only=True):
    """One order of `OpenOrders`, `ClosedOrders` and `QueryOrders`.

    Attributes
    ----------
    opentm, starttm, expiretm, closetm : seconds since 1970.
    price : the average price of its fills; the limit stands in `descr`.
    """

    WRITES_NULL: ClassVar = frozenset({"refid"})
    BARE: ClassVar = frozenset({"opentm", "starttm", "expiretm", "closetm"})
    refid: str | None = None
    userref: int | None = None
    cl_ord_id: str | None = None
    status: str
    opentm: Decimal
    starttm: Decimal = Decimal(0)
    expiretm: Decimal = Decimal(0)
    descr: OrderDescription
    vol: Decimal
    vol_exec: Decimal
    cost: Decimal
    fee: Decimal
    price: Decimal
    stopprice: Decimal = ZERO
    limitprice: Decimal = ZERO
    trigger: str | None = None
    margin: bool | None = None
    misc: str = ""
    oflags: str = ""
    time_in_force: str | None = None
    trades: tuple[str, ...] | None = None
    closetm: Decimal | None = None
    reason: str | None = None


class OwnTradeRow(Struct, frozen=True, kw_only=True):
    """One trade of `TradesHistory` and `QueryTrades`; `pair` is the id."""

    BARE: ClassVar = frozenset({"time"})
    ordertxid: str
    postxid: str = ""
    pair: str
    aclass: str | None = None
    time: Decimal
    type: str
    ordertype: str
    price: Decimal
    cost: Decimal
    fee: Decimal
    vol: Decimal
    margin: Decimal = ZERO
    leverage: str | None = None
    misc: str = ""
    trade_id: int | None = None
    maker: bool | None = None
    ledgers: tuple[str, ...] | None = None


class LedgerRow(Struct, frozen=True, kw_only=True):
    """One entry of `Ledgers`; `amount` is signed, `balance` what it left."""

    BARE: ClassVar = frozenset({"time"})
    refid: str
    time: Decimal
    type: str
    subtype: str = ""
    aclass: str = "currency"
    asset: str
    wallet: str | None = None
    amount: Decimal
    fee: Decimal
    balance: Decimal


class OpenOrdersAnswer(Struct, frozen=True):
    """`OpenOrders`."""

    open: dict[str, OrderRow]


class ClosedOrdersAnswer(Struct, frozen=True):
    """`ClosedOrders`; `count` is of all pages."""

    closed: dict[str, OrderRow]
    count: int | None = None


class TradesAnswer(Struct, frozen=True):
    """`TradesHistory`."""

    trades: dict[str, OwnTradeRow]
    count: int | None = None


class LedgersAnswer(Struct, frozen=True):
    """`Ledgers`."""

    ledger: dict[str, LedgerRow]
    count: int | None = None


class PlacedDescription(Struct, frozen=True):
    """Sentences that describe what was placed."""

    order: str
    close: str | None = None


class PlacedOrder(Struct, frozen=True, kw_only=True):
    """`AddOrder`; no `txid` when only validated."""

    descr: PlacedDescription
    txid: tuple[str, ...] | None = None
    cl_ord_id: str | None = None


class BatchRow(Struct, frozen=True, kw_only=True):
    """One order of `AddOrderBatch`: `txid` is plain text here; a refused one has `error`."""

    txid: str | None = None
    descr: PlacedDescription | None = None
    error: str | None = None
    cl_ord_id: str | None = None


class PlacedBatch(Struct, frozen=True):
    """`AddOrderBatch`, rows in the order of the request."""

    orders: tuple[BatchRow, ...]


class Amended(Struct, frozen=True):
    """`AmendOrder`."""

    amend_id: str


class EditedOrder(Struct, frozen=True, kw_only=True):
    """`EditOrder`."""

    status: str = "ok"
    txid: str
    originaltxid: str
    volume: Decimal
    price: str
    price2: str = "0"
    orders_cancelled: int = 1
    descr: PlacedDescription
    newuserref: str | None = None
    olduserref: str | None = None


class AmendRow(Struct, frozen=True, kw_only=True):
    """One entry of `OrderAmends`."""

    BARE: ClassVar = frozenset({"timestamp"})
    amend_id: str
    amend_type: str
    order_qty: Decimal | None = None
    display_qty: Decimal | None = None
    remaining_qty: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    reason: str | None = None
    post_only: bool | None = None
    timestamp: int


class AmendsAnswer(Struct, frozen=True):
    """`OrderAmends`."""

    amends: tuple[AmendRow, ...]
    count: int


class Cancelled(Struct, frozen=True, kw_only=True):
    """`CancelOrder`, `CancelOrderBatch`, `CancelAll`."""

    count: int
    pending: bool | None = None


class SwitchArmed(Struct, frozen=True):
    """`CancelAllOrdersAfter`; `triggerTime` is ``"0"`` when disarmed."""

    currentTime: str
    triggerTime: str


class Token(Struct, frozen=True):
    """`GetWebSocketsToken`; to be used within `expires` seconds."""

    token: str
    expires: int


class FeeRow(Struct, frozen=True, kw_only=True):
    """One pair of `TradeVolume`, percent; the next tier is null on the last."""

    WRITES_NULL: ClassVar = frozenset({"nextfee", "nextvolume", "tiervolume"})
    fee: Decimal
    minfee: Decimal
    maxfee: Decimal
    nextfee: Decimal | None = None
    tiervolume: Decimal | None = None
    nextvolume: Decimal | None = None


class VolumeAnswer(Struct, frozen=True, kw_only=True):
    """`TradeVolume`; the fees only if pairs were asked for."""

    currency: str
    volume: Decimal
    fees: dict[str, FeeRow] | None = None
    fees_maker: dict[str, FeeRow] | None = None
