"""What the exchange tells: own orders, own trades, balances, and the public market. Units as in `commands`."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.market.book import Mode as Mode
from mycelial.simulation.exchange.commands import Close, OrderType, Reference, Side, Stp, TimeInForce

Levels = NDArray[np.int64]  # [n, 2] price and quantity, best first; in an update quantity 0 removes


class ExecType(Enum):
    """What happened to an order; names as in Kraken's `executions` channel."""

    PENDING_NEW = "pending_new"
    NEW = "new"
    TRADE = "trade"
    FILLED = "filled"
    ICEBERG_REFILL = "iceberg_refill"
    CANCELED = "canceled"
    EXPIRED = "expired"
    AMENDED = "amended"
    RESTATED = "restated"
    STATUS = "status"


class OrderStatus(Enum):
    """Where an order stands."""

    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def is_open(self) -> bool:
        """Whether it may still trade."""
        return self in (OrderStatus.PENDING_NEW, OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


class Terms(NamedTuple):
    """What an order asks for, as the exchange understood it; an amend replaces it.

    Attributes
    ----------
    limit, trigger : absolute prices, 0 where there is none. Of a trailing stop `trigger` follows the market.
    offset, offset_ppm : distance of a trailing stop, one of them; `limit_offset` of its limit from its trigger.
    """

    symbol: str
    side: Side
    type: OrderType
    qty: int
    cash_qty: int
    limit: int
    trigger: int
    offset: int
    offset_ppm: int
    limit_offset: int
    reference: Reference
    display: int
    time_in_force: TimeInForce
    post_only: bool
    reduce_only: bool
    fee_in_base: bool
    stp: Stp
    starts_ns: int
    expires_ns: int
    close: Close | None


class OwnTrade(NamedTuple):
    """One fill of one's own order. `cost` in `UNITS` of the quote asset, `fee` in those of `fee_asset`."""

    trade_id: str  # T…
    number: int  # of the public trade
    order_id: str
    cl_ord_id: str
    userref: int | None
    account: int
    symbol: str
    side: Side
    type: OrderType
    time_ns: int
    price: int
    qty: int
    cost: int
    fee: int
    fee_asset: str
    maker: bool
    ledger_ids: tuple[str, str]


class OrderReport(NamedTuple):
    """One transition in the life of an order, with its state after it.

    `terms` is always there; which of it a message shows is the protocol's affair. `trade` comes with TRADE, `counter`
    is the pair's trading counter in micro-points, `trigger_fired` tells whether a waiting order was released.
    """

    account: int
    kind: ExecType
    time_ns: int
    order_id: str
    cl_ord_id: str
    userref: int | None
    status: OrderStatus
    terms: Terms
    cum_qty: int
    cum_cost: int  # UNITS of the quote asset
    cum_fee: int  # UNITS of `fee_asset`
    fee_asset: str
    reason: str
    trade: OwnTrade | None
    trigger_fired: bool
    last_price: int
    amended: bool
    counter: int


class LedgerEntry(NamedTuple):
    """One change of one balance, `UNITS`; `fee` was taken besides `amount` and `balance` is what is left."""

    ledger_id: str  # L…
    ref_id: str  # the trade, deposit or withdrawal
    account: int
    time_ns: int
    type: str  # trade, deposit, withdrawal
    asset: str
    amount: int
    fee: int
    balance: int


class PublicTrade(NamedTuple):
    """One match as everybody sees it."""

    number: int
    symbol: str
    time_ns: int
    price: int
    qty: int
    side: Side  # of the taker
    market: bool  # whether the taker was a market order


class PublicTrades(NamedTuple):
    """The trades of one pair since the last message."""

    symbol: str
    trades: tuple[PublicTrade, ...]


class BookUpdate(NamedTuple):
    """Levels that changed: in a snapshot all of them. Apply updates whose `seq` follows that of the snapshot."""

    symbol: str
    depth: int
    seq: int
    time_ns: int
    bids: Levels
    asks: Levels
    checksum: int
    snapshot: bool


class RestingOrder(NamedTuple):
    """An order of the level 3 book; in an update `event` says what happened to it, in a snapshot it is ``""``."""

    event: str  # add, modify, delete
    order_id: str
    price: int
    qty: int
    time_ns: int


class OrdersUpdate(NamedTuple):
    """Orders that changed, best level first, in queue order; numbered like `BookUpdate`."""

    symbol: str
    depth: int
    seq: int
    time_ns: int
    bids: tuple[RestingOrder, ...]
    asks: tuple[RestingOrder, ...]
    checksum: int
    snapshot: bool


class Ticker(NamedTuple):
    """The last day of a pair. Pairs of values are (today since 00:00 UTC, last 24 hours).

    Volumes are quantities; `turnover` sums price x quantity, so that over the volume it is the average price.
    """

    symbol: str
    time_ns: int
    bid: int
    bid_qty: int
    ask: int
    ask_qty: int
    last: int
    last_qty: int
    volume: tuple[int, int]
    turnover: tuple[int, int]
    trades: tuple[int, int]
    low: tuple[int, int]
    high: tuple[int, int]
    open: tuple[int, int]


class TickerChanged(NamedTuple):
    """The ticker of a pair moved: by a trade, by the best bid or ask, or both. Ask `ticker` for it."""

    symbol: str
    traded: bool
    touch: bool


class Candle(NamedTuple):
    """Prices and volume of one interval; `turnover` as in `Ticker`. Empty intervals are flat."""

    start_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int
    trades: int


class CandlesChanged(NamedTuple):
    """Trades changed the forming candles of a pair. Ask `candles` for the ones you show."""

    symbol: str


class ModeChanged(NamedTuple):
    """A pair, or with an empty symbol the whole exchange, trades in another mode."""

    symbol: str
    time_ns: int
    mode: Mode


Event = (
    OrderReport | LedgerEntry | PublicTrades | BookUpdate | OrdersUpdate | TickerChanged | CandlesChanged | ModeChanged
)


class OrderState(NamedTuple):
    """Everything about one order, for queries."""

    account: int
    order_id: str
    cl_ord_id: str
    userref: int | None
    status: OrderStatus
    waits_to_start: bool
    terms: Terms
    cum_qty: int
    cum_cost: int
    cum_fee: int
    fee_asset: str
    opened_ns: int
    closed_ns: int
    reason: str
    trade_ids: tuple[str, ...]
    trigger_fired: bool
    amended: bool
    parent_id: str  # of a conditional close: the order whose fill created it


class AmendRecord(NamedTuple):
    """One version of an order: how it was placed, then what each amend made of it."""

    amend_id: str
    kind: str  # original, user
    time_ns: int
    terms: Terms
    remaining: int
    reason: str
