"""Requests of REST that only ask: one struct per method, under the names that travel.

The structs are read from forms, query strings and JSON alike, so text stands for numbers, booleans and comma lists.
Fields that a method does not know are ignored, as Kraken does.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

List = tuple[str, ...]


class Query(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every request of this module is."""


class Time(Query, frozen=True, kw_only=True):
    """Server time."""


class SystemStatus(Query, frozen=True, kw_only=True):
    """Mode of the whole exchange."""


class Assets(Query, frozen=True, kw_only=True):
    """Assets, all or some."""

    asset: List | None = None
    aclass: str | None = None


class AssetPairs(Query, frozen=True, kw_only=True):
    """Pairs, all or some."""

    pair: List | None = None
    info: Literal["info", "leverage", "fees", "margin"] = "info"
    country_code: str | None = None


class Ticker(Query, frozen=True, kw_only=True):
    """Tickers, all or some."""

    pair: List | None = None


class OHLC(Query, frozen=True, kw_only=True):
    """Candles of `interval` minutes; `since` is a candle's beginning in seconds."""

    pair: str
    interval: Literal[1, 5, 15, 30, 60, 240, 1440, 10080, 21600] = 1
    since: Decimal | None = None


class Depth(Query, frozen=True, kw_only=True):
    """Order book by price level."""

    pair: str
    count: int = 100


class Trades(Query, frozen=True, kw_only=True):
    """Public trades after `since`, ns or s."""

    pair: str
    since: Decimal | None = None
    count: int = 1000


class Spread(Query, frozen=True, kw_only=True):
    """Recent best bids and asks."""

    pair: str
    since: Decimal | None = None


class Balance(Query, frozen=True, kw_only=True):
    """Total of each asset."""


class BalanceEx(Query, frozen=True, kw_only=True):
    """Total and held part of each asset."""


class TradeBalance(Query, frozen=True, kw_only=True):
    """Worth of the account."""

    asset: str = "ZUSD"


class OpenOrders(Query, frozen=True, kw_only=True):
    """Orders that are open."""

    trades: bool = False
    userref: int | None = None
    cl_ord_id: str | None = None


class ClosedOrders(Query, frozen=True, kw_only=True):
    """Orders that ended, 50 a page, newest first; `start` and `end` are seconds or order ids."""

    trades: bool = False
    userref: int | None = None
    cl_ord_id: str | None = None
    start: str | None = None
    end: str | None = None
    ofs: int = 0
    closetime: Literal["open", "close", "both"] = "both"
    consolidate_taker: bool = True
    without_count: bool = False


class QueryOrders(Query, frozen=True, kw_only=True):
    """Orders by id."""

    txid: List
    trades: bool = False
    userref: int | None = None
    consolidate_taker: bool = True


class OrderAmends(Query, frozen=True, kw_only=True):
    """What was amended on one order."""

    order_id: str


class TradesHistory(Query, frozen=True, kw_only=True):
    """Own trades, 50 a page, newest first."""

    type: str = "all"
    trades: bool = False
    start: str | None = None
    end: str | None = None
    ofs: int = 0
    without_count: bool = False
    consolidate_taker: bool = True
    ledgers: bool = False


class QueryTrades(Query, frozen=True, kw_only=True):
    """Own trades by trade id; an order id asks for that order's trades."""

    txid: List
    trades: bool = False


class Ledgers(Query, frozen=True, kw_only=True):
    """Ledger entries, 50 a page, newest first."""

    asset: List | None = None
    aclass: str | None = None
    type: str = "all"
    start: str | None = None
    end: str | None = None
    ofs: int = 0
    without_count: bool = False


class QueryLedgers(Query, frozen=True, kw_only=True):
    """Ledger entries by id."""

    id: List
    trades: bool = False


class OpenPositions(Query, frozen=True, kw_only=True):
    """Margin positions; a spot account has none."""

    txid: List | None = None
    docalcs: bool = False


class TradeVolume(Query, frozen=True, kw_only=True):
    """30-day volume and the fees it gives."""

    pair: List | None = None
    fee_schedule: bool = False


class GetWebSocketsToken(Query, frozen=True, kw_only=True):
    """A token for the private WebSocket."""
