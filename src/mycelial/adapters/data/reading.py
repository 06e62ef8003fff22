"""Read candles from CSV or parquet, whatever the columns are called.

Knows the spellings exchanges and download sites use, and how they write time; says nothing about whether the numbers
make sense. Files without a header are read as Binance and Kraken publish them: time, open, high, low, close, volume, ….
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mycelial.adapters.data.candles import DAY_MS, VALUE_COLUMNS, Candles, quote_of
from mycelial.domain.errors import DataError, NotFound

SPELLINGS = {
    "time": ("date", "time", "timestamp", "datetime", "open_time", "opentime", "time_open", "unix", "start", "t"),
    "symbol": ("symbol", "pair", "ticker", "market", "instrument"),
    "open": ("open", "open_price", "o"),
    "high": ("high", "high_price", "h"),
    "low": ("low", "low_price", "l"),
    "close": ("close", "close_price", "c"),
    "volume": ("volume", "base_volume", "volume_base", "vol", "v"),
    "quote": ("quote", "quote_currency", "quote_asset"),
    "source": ("source",),
}
HEADERLESS = ("time", "open", "high", "low", "close", "volume")
PREAMBLE_LINES = 5  # some sites put their address above the header


def read_candles(path: Path, *, symbol: str | None = None) -> Candles:
    """Read a candle file of one or many symbols.

    Parameters
    ----------
    path : Path
        `.parquet`, or CSV (optionally compressed).
    symbol : str, optional
        The symbol of a file that has no symbol column; its name up to the first "-", "." or space otherwise.

    Raises
    ------
    NotFound
        If there is no such file.
    DataError
        If the file is corrupt, empty, lacks a column or holds text where a number or a time must be.
    """
    table = read_table(path)
    return candles_of_table(table, path, symbol=symbol)


def read_table(path: Path) -> pa.Table:
    """Read a parquet or CSV file as an Arrow table, turning every way it can be broken into a `DataError`."""
    if not path.is_file():
        raise NotFound(f"{path}: no such file; check the path (mycelial data list shows what is in the catalogue)")
    try:
        if path.suffix == ".parquet":
            # Not read_table, which adds columns for folders named like key=value.
            with pq.ParquetFile(path) as file:
                return file.read()
        return _read_csv(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: cannot be read ({reason}); fetch or export it again") from error


def candles_of_table(table: pa.Table, path: Path, *, symbol: str | None = None) -> Candles:
    """Recognise the columns of a table and return them as candles; see `read_candles`."""
    position = columns_by_role(table.column_names)
    missing = [role for role in ("time", *VALUE_COLUMNS) if role not in position]
    if missing:
        raise DataError(
            f"{path}: no column for {', '.join(missing)} among {', '.join(table.column_names)}; "
            f"name them {', '.join(SPELLINGS[missing[0]][:3])} … or export the file with them"
        )
    if table.num_rows == 0:
        raise DataError(f"{path}: holds no candles; export it again")
    name_of = {role: table.column_names[index] for role, index in position.items()}

    if "symbol" in position:
        codes, symbols = _encoded(table.column(position["symbol"]), path, name_of["symbol"])
    else:
        codes = np.zeros(table.num_rows, np.int32)
        symbols = (symbol or path.name.split(".")[0].split("-")[0].split(" ")[0].upper(),)
    quotes = tuple(quote_of(name) for name in symbols)
    if "quote" in position:
        quotes = _quote_per_symbol(table.column(position["quote"]), codes, symbols, path)
    return Candles(
        symbols=symbols,
        quotes=quotes,
        symbol=codes,
        time_ms=_time_ms(table.column(position["time"]), path, name_of["time"]),
        **{role: numbers(table.column(position[role]), path, name_of[role]) for role in VALUE_COLUMNS},
        source=_sources(table.column(position["source"]), path) if "source" in position else None,
    )


def columns_by_role(names: Sequence[str]) -> dict[str, int]:
    """Return the position of each role's column; of several spellings the first in `SPELLINGS` wins."""
    plain = [name.strip().lower().replace(" ", "_") for name in names]
    found = {
        role: plain.index(spelling)
        for role, spellings in SPELLINGS.items()
        if (spelling := next((s for s in spellings if s in plain), None)) is not None
    }
    if "volume" not in found:
        # "Volume BTC", "Volume USDT": the base currency comes first.
        per_currency = [index for index, name in enumerate(plain) if name.startswith("volume_")]
        if per_currency:
            found["volume"] = per_currency[0]
    return found


def numbers(column: pa.ChunkedArray, path: Path, name: str) -> NDArray[np.float64]:
    """Return a column as float64, null as NaN; text that is no number is a `DataError` with its row."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array([_number(text, path, name, row) for row, text in enumerate(column.to_pylist())], np.float64)
    try:
        values: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy()
    except pa.ArrowException as error:
        raise DataError(f"{path}: column {name} holds {column.type}, not numbers; export it as numbers") from error
    return np.ascontiguousarray(values, np.float64)


def _number(text: str | None, path: Path, name: str, row: int) -> float:
    try:
        return float("nan") if text is None else float(text)
    except ValueError:
        raise DataError(f"{path}: column {name}, row {row + 1} is {text!r}, not a number; correct it") from None


def _read_csv(path: Path) -> pa.Table:
    with pa.input_stream(str(path), compression="detect") as stream:
        head = stream.read(65_536).decode("utf-8-sig", errors="replace").splitlines()[: PREAMBLE_LINES + 1]
    if not any(line.strip() for line in head):
        raise DataError(f"{path}: is empty; export it again")
    for skipped, line in enumerate(head):
        fields = next(csv.reader([line]), [])
        roles = columns_by_role(fields)
        if "time" in roles and "close" in roles:
            return pyarrow.csv.read_csv(str(path), pyarrow.csv.ReadOptions(skip_rows=skipped))
        if len(fields) >= len(HEADERLESS) and all(_is_number(field) for field in fields[: len(HEADERLESS)]):
            extra = [f"column_{index}" for index in range(len(HEADERLESS), len(fields))]
            names = pyarrow.csv.ReadOptions(skip_rows=skipped, column_names=[*HEADERLESS, *extra])
            return pyarrow.csv.read_csv(str(path), names)
    # Let the caller say which columns it misses.
    return pyarrow.csv.read_csv(str(path))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _encoded(column: pa.ChunkedArray, path: Path, name: str) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise DataError(f"{path}: column {name}, row {row + 1} is empty; every candle needs a symbol")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy().astype(np.int32), tuple(encoded.dictionary.to_pylist())


def _sources(column: pa.ChunkedArray, path: Path) -> NDArray[np.object_]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    codes, sources = _encoded(column.cast(pa.string()).fill_null(""), path, "source")
    return np.array(sources, object)[codes]


def _quote_per_symbol(
    column: pa.ChunkedArray, codes: NDArray[np.int32], symbols: tuple[str, ...], path: Path
) -> tuple[str, ...]:
    quote_codes, quotes = _encoded(column, path, "quote")
    first_row = np.unique(codes, return_index=True)[1]
    expected = quote_codes[first_row]
    differs = quote_codes != expected[codes]
    if differs.any():
        row = int(np.argmax(differs))
        raise DataError(
            f"{path}: column quote, row {row + 1}: {symbols[codes[row]]} is quoted in {quotes[quote_codes[row]]} here "
            f"and in {quotes[expected[codes[row]]]} before; one symbol has one quote"
        )
    return tuple(quotes[code] for code in expected)


def _time_ms(column: pa.ChunkedArray, path: Path, name: str) -> NDArray[np.int64]:
    kind = column.type
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise DataError(f"{path}: column {name}, row {row + 1} is empty; every candle needs a time")
    if pa.types.is_date(kind):
        days: NDArray[np.int64] = column.cast(pa.date32()).cast(pa.int32()).to_numpy().astype(np.int64)
        return days * DAY_MS
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("ms", tz=kind.tz), safe=False).cast(pa.int64()).to_numpy().astype(np.int64)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _epoch_ms(numbers(column, path, name), path, name)
    return np.array([_parsed_ms(text, path, name, row) for row, text in enumerate(column.to_pylist())], np.int64)


def _epoch_ms(epoch: NDArray[np.float64], path: Path, name: str) -> NDArray[np.int64]:
    """Convert seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size.

    Each value on its own: Binance's archive went from milliseconds to microseconds on 2025-01-01.
    """
    wrong = ~np.isfinite(epoch) | (epoch < 0) | ((epoch > 19_000_000) & (epoch < 22_000_000))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{path}: column {name}, row {row + 1} is {epoch[row]:.0f}, which is no time; "
            "write ISO dates (2020-01-31) or seconds, milliseconds or microseconds since 1970"
        )
    per_ms = np.select([epoch < 1e11, epoch < 1e14, epoch < 1e17], [1e-3, 1.0, 1e3], 1e6)
    return np.rint(epoch / per_ms).astype(np.int64)


def _parsed_ms(text: object, path: Path, name: str, row: int) -> int:
    try:
        moment = dt.datetime.fromisoformat(str(text).strip())
    except ValueError:
        raise DataError(
            f"{path}: column {name}, row {row + 1} is {text!r}, which is no time; write ISO dates (2020-01-31)"
        ) from None
    # A time without a zone is UTC, as every venue publishes it.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
