"""Answers of the public methods, as structs that read and write what travels.

Decimals print as strings unless a struct names them in `BARE`. Answers gain fields without notice, so unknown ones are
ignored, and what some servers leave out is optional.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

import msgspec
from msgspec import Raw, Struct

from mycelial.kraken.errors import ProtocolError
from mycelial.kraken.numbers import plain


class ServerTime(Struct, frozen=True):
    """`Time`."""

    unixtime: int
    rfc1123: str = ""


class Status(Struct, frozen=True):
    """`SystemStatus`."""

    status: str
    timestamp: str = ""


class AssetRow(Struct, frozen=True, kw_only=True):
    """One asset of `Assets`; `collateral_value` comes as number or text."""

    BARE: ClassVar = frozenset({"collateral_value", "margin_rate"})
    aclass: str = "currency"
    altname: str
    decimals: int
    display_decimals: int
    collateral_value: Decimal | None = None
    status: str = "enabled"
    margin_rate: Decimal | None = None


class PairRow(Struct, frozen=True, kw_only=True):
    """One pair of `AssetPairs`; fees are rows of volume and percent and may be empty."""

    BARE: ClassVar = frozenset({"fees", "fees_maker", "long_position_limit", "short_position_limit"})
    altname: str
    wsname: str | None = None
    aclass_base: str = "currency"
    base: str
    aclass_quote: str = "currency"
    quote: str
    lot: str = "unit"
    cost_decimals: int | None = None
    pair_decimals: int
    lot_decimals: int
    lot_multiplier: int | None = None
    leverage_buy: tuple[int, ...] = ()
    leverage_sell: tuple[int, ...] = ()
    fees: tuple[tuple[Decimal, Decimal], ...] = ()
    fees_maker: tuple[tuple[Decimal, Decimal], ...] = ()
    fee_volume_currency: str | None = None
    margin_call: int | None = None
    margin_stop: int | None = None
    ordermin: Decimal | None = None
    costmin: Decimal | None = None
    tick_size: Decimal | None = None
    status: str | None = None
    execution_venue: str | None = None
    long_position_limit: Decimal | None = None
    short_position_limit: Decimal | None = None


class TickerRow(Struct, frozen=True, kw_only=True):
    """One pair of `Ticker`: best ask and bid (price, whole lots, lots), last trade, then today and 24 hours of each."""

    a: tuple[Decimal, Decimal, Decimal]
    b: tuple[Decimal, Decimal, Decimal]
    c: tuple[Decimal, Decimal]
    v: tuple[Decimal, Decimal]
    p: tuple[Decimal, Decimal]
    t: tuple[int, int]
    l: tuple[Decimal, Decimal]  # noqa: E741  (Kraken's name)
    h: tuple[Decimal, Decimal]
    o: Decimal


class CandleRow(Struct, frozen=True, array_like=True):
    """One row of `OHLC`; `time` is the beginning in seconds."""

    time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    vwap: Decimal
    volume: Decimal
    count: int


class LevelRow(Struct, frozen=True, array_like=True):
    """One level of `Depth`; `time` in seconds."""

    price: Decimal
    volume: Decimal
    time: int


class Levels(Struct, frozen=True):
    """One pair of `Depth`, best first."""

    asks: tuple[LevelRow, ...]
    bids: tuple[LevelRow, ...]


class PublicTradeRow(Struct, frozen=True, array_like=True):
    """One row of `Trades`: side and order type are letters; older rows have no id."""

    BARE: ClassVar = frozenset({"time"})
    price: Decimal
    volume: Decimal
    time: Decimal
    side: str
    order_type: str
    misc: str = ""
    trade_id: int = 0


class SpreadRow(Struct, frozen=True, array_like=True):
    """One row of `Spread`."""

    time: int
    bid: Decimal
    ask: Decimal


class Series(Struct, frozen=True):
    """An answer of rows of one pair and where to go on: `OHLC`, `Trades`, `Spread`.

    Attributes
    ----------
    key : of the pair.
    last : seconds for candles and spreads, nanoseconds for trades.
    """

    key: str
    rows: tuple[Struct, ...]
    last: int


def read_series(result: Raw | bytes, row: type[Struct]) -> Series:
    """Read an answer of rows.

    Raises
    ------
    ProtocolError
        If it does not hold exactly one pair and `last`.
    """
    try:
        parts = msgspec.json.decode(result, type=dict[str, Raw])
        last = msgspec.json.decode(parts.pop("last", Raw(b"0")), type=int, strict=False)
        ((key, rows),) = parts.items()
        return Series(key, msgspec.json.decode(rows, type=tuple[row, ...]), last)  # type: ignore[valid-type]
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"the answer is no series of {row.__name__}: {error}") from None


def series_fields(series: Series, *, quotes_last: bool = False) -> dict[str, object]:
    """Return the result of a series; `Trades` prints `last` as text."""
    return {series.key: series.rows, "last": str(series.last) if quotes_last else series.last}


def with_decimals(value: Decimal, least: int) -> Decimal:
    """Return a number with at least so many decimals; public prices have five or more."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent < least:
        text = plain(value)
        return Decimal(text + ("" if exponent < 0 else ".") + "0" * (least - max(0, -exponent)))
    return value


def truncated(value: Decimal, decimals: int) -> Decimal:
    """Return a number cut to `decimals`, none rounded up: how `Depth` and `Ticker` print lots."""
    whole, _, part = plain(value).partition(".")
    return Decimal(f"{whole}.{part[:decimals]:0<{decimals}}" if decimals else whole)
