"""Load daily series as a rectangular `Panel`, from candles or from a simulated run.

Whatever cannot be a market (a price of zero, a hole in the days, a run that never finished) is refused here, once, so
that the facts may trust every number they are given.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mycelial.adapters.data.candles import DAY_MS, Candles, refuse_impossible, time_text
from mycelial.adapters.data.catalogue import is_catalogue, load_interval
from mycelial.adapters.data.reading import candles_of_table, read_table
from mycelial.adapters.data.run_series import RUN_SERIES, panel_of_run, refuse_unfinished
from mycelial.adapters.data.windows import Window, window_named
from mycelial.domain.errors import DataError, NotFound
from mycelial.facts.panel import Panel

GENUINE = ("pair", "")  # sources of rows that are prices of the market itself


def load_panel(
    path: Path, set_name: str | None = None, quote: str | None = None, *, symbols: Sequence[str] | None = None
) -> Panel:
    """Load a panel of daily prices and volumes.

    Parameters
    ----------
    path : Path
        A run directory or its `series.parquet`; a daily candle file (CSV or parquet); or a catalogue folder.
    set_name : str, optional
        A window of `windows.WINDOWS`; members are the symbols that have each of its days. Candles only.
    quote : str, optional
        Keep symbols priced in this currency. Needed without `set_name` when the file holds several.
    symbols : sequence of str, optional
        Keep these only, in this order: symbols of candles, assets (or "run/asset") of a run.

    Returns
    -------
    Panel
        Close in quote units and volume in base units. For a run, `group` is the run of each series.

    Raises
    ------
    NotFound
        If the path, the set, the quote or a symbol does not exist.
    DataError
        If the content is corrupt, impossible, or not rectangular; the message names the file, the place and the fix.
    """
    path = Path(path)
    if path.is_dir() and is_catalogue(path):
        return panel_of_candles(load_interval(path, "1d"), str(path), set_name, quote, symbols=symbols)
    if path.is_dir() and not (path / RUN_SERIES).is_file():
        raise NotFound(
            f"{path}: holds no {RUN_SERIES} (a run) and no catalogue.json; give a run, a candle file or a catalogue"
        )
    file = path / RUN_SERIES if path.is_dir() else path
    table = read_table(file)
    if {"run", "t", "asset"} <= set(table.column_names) or file.name == RUN_SERIES:
        if set_name is not None or quote is not None:
            raise DataError(
                f"{path}: is a simulated run, which has no calendar and no quote; omit --set-name and --quote"
            )
        refuse_unfinished(file.parent)
        return panel_of_run(table, file, symbols)
    return panel_of_candles(candles_of_table(table, file), str(path), set_name, quote, symbols=symbols)


def panel_of_candles(
    candles: Candles,
    origin: str,
    set_name: str | None = None,
    quote: str | None = None,
    *,
    symbols: Sequence[str] | None = None,
) -> Panel:
    """Cut a rectangular panel out of daily candles; `origin` names the file in messages. See `load_panel`."""
    window = None if set_name is None else window_named(set_name)
    refuse_impossible(candles, origin)
    if window is not None and window.genuine_only and candles.source is not None:
        candles = candles.take(np.isin(candles.source.astype(str), GENUINE))
    quote = _chosen_quote(candles, origin, window, quote, symbols)
    chosen = _chosen_symbols(candles, origin, quote, symbols)
    day = _days(candles, origin)

    rows = [_rows_by_day(candles, origin, code, day) for code in chosen]
    if window is not None:
        first, last = _day_number(window.first), _day_number(window.last)
    else:
        first, last = max(int(day[r[0]]) for r in rows), min(int(day[r[-1]]) for r in rows)
        if first >= last:
            raise DataError(
                f"{origin}: its {len(rows)} {quote} symbols have no common days (one begins {_day_text(first)}, "
                f"one ends {_day_text(last)}); choose a window with --set-name, or name the symbols"
            )
    span = f"{_day_text(first)}..{_day_text(last)}"
    series = {}
    for code, r in zip(chosen, rows, strict=True):
        inside = r[(day[r] >= first) & (day[r] <= last)]
        missing = np.setdiff1d(np.arange(first, last + 1), day[inside])
        if len(missing) == 0:
            series[candles.symbols[code]] = inside
        elif window is None or symbols is not None:
            raise DataError(
                f"{origin}: {candles.symbols[code]} lacks {len(missing)} of the {last - first + 1} days {span}, "
                f"the first {_day_text(int(missing[0]))}; choose complete symbols with --set-name"
            )
    if not series:
        raise DataError(
            f"{origin}: no {quote} symbol has every day of {span} (set {set_name}); "
            "choose another --set-name or --quote"
        )
    taken = np.stack(list(series.values()))  # [n_series, n_days] rows
    set_text = f"set {set_name}, " if set_name else ""
    return Panel(
        names=tuple(series),
        price=np.ascontiguousarray(candles.close[taken]),
        volume=np.ascontiguousarray(candles.volume[taken]),
        label=f"{Path(origin).name or origin} ({set_text}{len(series)} {quote} series, {span})",
    )


def _rows_by_day(candles: Candles, origin: str, code: int, day: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the rows of a symbol, its days ascending, each once."""
    rows = np.flatnonzero(candles.symbol == code)
    rows = rows[np.argsort(day[rows], kind="stable")]
    again = np.flatnonzero(np.diff(day[rows]) == 0)
    if len(again):
        raise DataError(f"{origin}: {candles.describe_row(int(rows[again[0] + 1]))} is there twice; remove one")
    return rows


def _chosen_quote(
    candles: Candles, origin: str, window: Window | None, quote: str | None, symbols: Sequence[str] | None
) -> str:
    offered = sorted({candles.quotes[code] for code in np.unique(candles.symbol)})
    if quote is not None:
        if quote not in offered:
            raise NotFound(f"{origin}: no symbol is quoted in {quote}; choose --quote from {', '.join(offered)}")
        return quote
    if symbols is not None:
        named = {q for name, q in zip(candles.symbols, candles.quotes, strict=True) if name in set(symbols)}
        offered = sorted(named) or offered
    if len(offered) == 1:
        return offered[0]
    if window is not None and window.default_quote in offered:
        return window.default_quote
    raise DataError(
        f"{origin}: holds prices in {', '.join(q or 'an unknown currency' for q in offered)}; choose one with --quote, "
        "or a window and its quote with --set-name"
    )


def _chosen_symbols(candles: Candles, origin: str, quote: str, symbols: Sequence[str] | None) -> list[int]:
    present = set(np.unique(candles.symbol).tolist())
    code_of = {
        name: code for code, name in enumerate(candles.symbols) if code in present and candles.quotes[code] == quote
    }
    if symbols is None:
        if not code_of:
            raise DataError(f"{origin}: no candles are left to choose from; choose another --set-name or --quote")
        return [code_of[name] for name in sorted(code_of)]
    if not symbols:
        raise DataError(f"{origin}: an empty list of symbols selects nothing; name some or leave it out")
    for name in symbols:
        if name not in code_of:
            near = get_close_matches(name.upper(), code_of, n=3) or sorted(code_of)[:3]
            raise NotFound(f"{origin}: no symbol {name!r} quoted in {quote}; there is {', '.join(near)}, …")
    return [code_of[name] for name in dict.fromkeys(symbols)]


def _days(candles: Candles, origin: str) -> NDArray[np.int64]:
    off_midnight = candles.time_ms % DAY_MS != 0
    if off_midnight.any():
        row = int(np.argmax(off_midnight))
        raise DataError(f"{origin}: {candles.describe_row(row)} is not at midnight UTC; a panel needs daily candles")
    return candles.time_ms // DAY_MS


def _day_number(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days


def _day_text(day: int) -> str:
    return time_text(day * DAY_MS)
