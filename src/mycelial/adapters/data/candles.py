"""Candles in memory: one row per symbol and interval, as columns.

Nothing here reads a file. A `Candles` may hold nonsense (a negative price, a day twice), because `verify` must be able
to look at it; `refuse_impossible` is the gate for everybody who wants to compute with it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import DataError

DAY_MS = 86_400_000
PRICE_COLUMNS = ("open", "high", "low", "close")
VALUE_COLUMNS = (*PRICE_COLUMNS, "volume")

# Longest first, so that BTCUSDT is quoted in USDT and not in a shorter suffix.
QUOTES = (
    *("FDUSD", "USDT", "USDC", "BUSD", "TUSD"),
    *("USD", "EUR", "GBP", "JPY", "CHF", "CAD", "AUD", "KRW", "BRL", "TRY"),
    *("BTC", "XBT", "ETH", "BNB", "DAI"),
)


@dataclass(frozen=True)
class Candles:
    """Candles of one or more symbols; rows in the order of the file they came from.

    Attributes
    ----------
    symbols, quotes : tuple of str
        Distinct symbols and the currency each is priced in ("" when unknown).
    symbol : int32[n]
        Index into `symbols`.
    time_ms : int64[n]
        Opening time of the candle, milliseconds since 1970, UTC.
    open, high, low, close : float64[n]
        Quote units.
    volume : float64[n]
        Base units.
    source : object[n] or None
        Where each row came from, when the file says so.
    """

    symbols: tuple[str, ...]
    quotes: tuple[str, ...]
    symbol: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    source: NDArray[np.object_] | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.time_ms)

    def value(self, column: str) -> NDArray[np.float64]:
        """Return one of the five numeric columns by name."""
        values: NDArray[np.float64] = getattr(self, column)
        return values

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Candles:
        """Return the chosen rows (a mask or row indices); the list of symbols stays whole."""
        return replace(
            self,
            symbol=self.symbol[rows],
            time_ms=self.time_ms[rows],
            open=self.open[rows],
            high=self.high[rows],
            low=self.low[rows],
            close=self.close[rows],
            volume=self.volume[rows],
            source=None if self.source is None else self.source[rows],
        )

    def describe_row(self, row: int) -> str:
        """Name a row for a person: its number counting from 1, its symbol and its time."""
        return f"row {row + 1} ({self.symbols[self.symbol[row]]} {time_text(int(self.time_ms[row]))})"


def time_text(time_ms: int) -> str:
    """Write a time as a day, or as day and minute when it is not midnight UTC."""
    try:
        moment = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=time_ms)
    except OverflowError:
        return f"{time_ms} ms since 1970"
    if time_ms % DAY_MS == 0:
        return moment.date().isoformat()
    return moment.isoformat(sep=" ", timespec="minutes" if time_ms % 60_000 == 0 else "milliseconds")


def quote_of(symbol: str) -> str:
    """Infer the quote currency from a symbol ("BTC/USD", "BTC-USD", "BTCUSDT"); "" when it cannot be told."""
    spelled = symbol.upper().split(":")[0]
    for separator in "/-_":
        if separator in spelled:
            return spelled.rsplit(separator, 1)[1]
    return next((quote for quote in QUOTES if spelled.endswith(quote) and spelled != quote), "")


def refuse_impossible(candles: Candles, origin: str) -> None:
    """Raise when a price is not positive and finite, or a volume is negative or not finite.

    Parameters
    ----------
    candles : Candles
    origin : str
        The file, for the message.

    Raises
    ------
    DataError
        Naming the file, the column, the row and the fix.
    """
    for column in VALUE_COLUMNS:
        values = candles.value(column)
        lowest_ok = values >= 0 if column == "volume" else values > 0
        wrong = ~(np.isfinite(values) & lowest_ok)
        if wrong.any():
            row = int(np.argmax(wrong))
            allowed = "finite and not negative" if column == "volume" else "finite and positive"
            raise DataError(
                f"{origin}: column {column}, {candles.describe_row(row)} is {values[row]:g}; it must be {allowed}"
                f" ({int(wrong.sum())} such row(s)); correct or remove them (mycelial data verify lists all)"
            )
