"""What the public channels carry, as structs that read and write what travels.

Numbers print with the full precision of their pair; the decimals here remember theirs. Fields that older or newer
servers leave out are optional, unknown ones are ignored.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

Kind = Literal["snapshot", "update"]


class Level(Struct, frozen=True):
    """One price level; in an update `qty` is the new total and 0 removes it."""

    price: Decimal
    qty: Decimal


class Book(Struct, frozen=True, kw_only=True):
    """`book`: the levels that changed, both sides always present."""

    symbol: str
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    checksum: int
    timestamp: str | None = None


class Level3Order(Struct, frozen=True, kw_only=True):
    """One order of `level3`; `event` only in updates: add, modify or delete."""

    event: str | None = None
    order_id: str
    limit_price: Decimal
    order_qty: Decimal
    timestamp: str


class Level3(Struct, frozen=True, kw_only=True):
    """`level3`: orders in queue order."""

    symbol: str
    bids: tuple[Level3Order, ...] = ()
    asks: tuple[Level3Order, ...] = ()
    checksum: int
    timestamp: str | None = None


class Trade(Struct, frozen=True, kw_only=True):
    """`trade`: side and order type are the taker's."""

    symbol: str
    side: Literal["buy", "sell"]
    price: Decimal
    qty: Decimal
    ord_type: str
    trade_id: int
    timestamp: str


class Ticker(Struct, frozen=True, kw_only=True):
    """`ticker`: best prices, last trade and the last 24 hours."""

    symbol: str
    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal
    last: Decimal
    volume: Decimal
    vwap: Decimal
    low: Decimal
    high: Decimal
    change: Decimal
    change_pct: Decimal
    trades: int | None = None
    timestamp: str | None = None


class Candle(Struct, frozen=True, kw_only=True):
    """`ohlc`: the candle that is forming; it is final when the next `interval_begin` arrives."""

    symbol: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    trades: int
    volume: Decimal
    vwap: Decimal
    interval_begin: str
    interval: int
    timestamp: str | None = None


class InstrumentAsset(Struct, frozen=True, kw_only=True):
    """One asset of `instrument`."""

    id: str
    status: str
    precision: int
    precision_display: int
    borrowable: bool = False
    collateral_value: Decimal | None = None
    margin_rate: Decimal | None = None
    multiplier: Decimal | None = None


class InstrumentPair(Struct, frozen=True, kw_only=True):
    """One pair of `instrument`."""

    symbol: str
    base: str
    quote: str
    status: str
    qty_precision: int
    qty_increment: Decimal
    price_precision: int
    price_increment: Decimal
    cost_precision: int
    cost_min: Decimal
    qty_min: Decimal
    marginable: bool = False
    has_index: bool = False
    margin_initial: Decimal | None = None
    position_limit_long: Decimal | None = None
    position_limit_short: Decimal | None = None
    tick_size: Decimal | None = None


class Instruments(Struct, frozen=True, kw_only=True):
    """`instrument`: its data is an object, not a list."""

    assets: tuple[InstrumentAsset, ...] = ()
    pairs: tuple[InstrumentPair, ...] = ()


class SystemState(Struct, frozen=True, kw_only=True):
    """`status`; `connection_id` is an unsigned 64-bit number."""

    version: str
    system: str
    api_version: str = "v2"
    connection_id: int
    upcoming_maintenance: tuple[object, ...] | None = None
    emergency: tuple[object, ...] | None = None
