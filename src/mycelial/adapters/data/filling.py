"""Find what the catalogue lacks of one pair and fetch it: candles inside their series, trades between their numbers.

Kraken's candles reach back 720 intervals and no further, so older ones are made from trades, whose history is whole:
``Trades`` from a time on, a page after a page, at the rate the venue allows. An interval in which nobody traded has no
candle; that it was looked at is noted in `quiet.json`, so it is asked for once. What was fetched is stored in
batches, and whatever ends the work, the same command goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mycelial.adapters.data import atomic
from mycelial.adapters.data.candles import Candles, time_text
from mycelial.adapters.data.catalogue import Entry, canonical_symbol, is_catalogue, load, read_entries, store
from mycelial.adapters.data.downloading import CandleSource, Shell, patiently
from mycelial.adapters.data.intervals import interval_ms
from mycelial.adapters.data.merging import joined
from mycelial.adapters.data.trade_files import TRADES, iter_trades, store_trades, times_ns
from mycelial.adapters.data.venue import Market
from mycelial.domain.errors import DataError, ExchangeError, Interrupted, NotFound

QUIET = "quiet.json"
ROWS_PER_WRITE = 50_000
PAGE_CANDLES = 720  # how far back the venue's own candles reach
_MS, _NS = 1_000_000, 10**9

Span = tuple[int, int]  # [first, last)


class TradeSource(CandleSource, Protocol):
    """What filling needs from a venue."""

    def trades_page(self, market: Market, since_ns: int) -> tuple[pa.Table, int]:
        """Fetch trades after `since_ns`, oldest first, and the moment from which to go on."""
        ...


@dataclass(frozen=True)
class Filled:
    """What filling did."""

    symbol: str
    kind: str  # an interval, or "trades"
    n_gaps: int
    n_added: int
    n_quiet: int  # intervals in which nobody traded, or 0


def missing_spans(time_ms: NDArray[np.int64], length: int, end_ms: int) -> list[Span]:
    """Return the stretches between ascending candles, and after the last, that have none."""
    opens = np.append(time_ms, max(end_ms - end_ms % length, int(time_ms[-1]) + length))
    holes = np.flatnonzero(np.diff(opens) > length)
    return [(int(opens[at]) + length, int(opens[at + 1])) for at in holes]


def fill_candles(
    source: TradeSource, symbol: str, interval: str, folder: Path, *, until_ms: int | None, shell: Shell
) -> Filled:
    """Fetch the closed candles that are missing inside the stored series of a pair and after it.

    Raises
    ------
    NotFound
        If nothing of the pair is stored: there is no gap without ends.
    Interrupted, ExchangeError
        As `downloading.download`; what was fetched is stored.
    """
    market = patiently(lambda: source.market(symbol), shell)
    name, length = canonical_symbol(market.symbol), interval_ms(interval)
    entry = _entry(folder, f"{source.name}/{interval}/{name}.parquet")
    now = shell.now_ms()
    end = min(now, until_ms) if until_ms is not None else now
    quiet = _Quiet(folder, entry.path)
    spans = quiet.without(missing_spans(load(folder, entry).time_ms, length, end - end % length), length)
    if not spans:
        return Filled(name, interval, 0, 0, 0)
    inbox = _CandleInbox(folder, source.name, interval, quiet, shell)
    recent = now - PAGE_CANDLES * length
    with _kept(inbox.flush, lambda: f"{name}: {inbox.n_added} candle(s) are stored"):
        total, done = sum(last - first for first, last in spans), 0
        for first, last in spans:
            if first > recent:
                found = _listed(source, market, interval, first, last, shell)
            else:
                found = _from_trades(source, market, first, last, length, shell)
            for candles, upto in found:
                inbox.add(candles, upto)
                shell.progress(min(1.0, (done + upto[1] - first) / total), inbox.n_fetched)
            done += last - first
    return Filled(name, interval, len(spans), inbox.n_added, inbox.n_quiet)


def fill_trades(
    source: TradeSource, symbol: str, folder: Path, *, since_ms: int | None, until_ms: int | None, shell: Shell
) -> Filled:
    """Fetch trades whose numbers are missing between stored ones, and those after the last (or from `since_ms` on).

    Raises
    ------
    NotFound
        If nothing of the pair is stored and no beginning is given.
    Interrupted, ExchangeError
        As `fill_candles`.
    """
    market = patiently(lambda: source.market(symbol), shell)
    name = canonical_symbol(market.symbol)
    until_ns = (shell.now_ms() if until_ms is None else min(until_ms, shell.now_ms())) * _MS
    spans, last_ns = _missing_trades(folder, name, source.name)
    if last_ns is None:
        if since_ms is None:
            raise NotFound(f"{folder}: holds no trades of {name}; say where to begin with --since")
        last_ns = since_ms * _MS - 1
    if last_ns + 1 < until_ns:
        spans.append((last_ns, until_ns))
    inbox = _TradeInbox(folder, name, market.quote, source.name, shell)
    total, done = sum(last - first for first, last in spans) or 1, 0
    with _kept(inbox.flush, lambda: f"{name}: {inbox.n_added} trade(s) are stored"):
        for first, last in spans:
            for rows, upto in _trade_pages(source, market, first, last, shell):
                inbox.add(rows)
                shell.progress(min(1.0, (done + upto - first) / total), inbox.n_fetched)
            inbox.flush()  # a later stretch may be an earlier one
            done += last - first
    return Filled(name, TRADES, len(spans), inbox.n_added, 0)


class _kept:
    """Store what was fetched, whatever ends the block; Ctrl-C says how to go on."""

    def __init__(self, flush: Callable[[], None], say: Callable[[], str]) -> None:
        self._flush, self._say = flush, say

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None or issubclass(kind, ExchangeError | KeyboardInterrupt):
            self._flush()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            raise Interrupted(f"{self._say()}, the same command goes on") from None


def _listed(
    source: TradeSource, market: Market, interval: str, first: int, last: int, shell: Shell
) -> Iterator[tuple[Candles, Span]]:
    """Yield the venue's own candles of [first, last)."""
    length, cursor = interval_ms(interval), first
    while cursor < last:
        page = patiently(lambda since=cursor: source.page(market, interval, since - 1), shell)  # type: ignore[misc]
        later = page.take(page.time_ms >= cursor)
        upto = int(later.time_ms.max()) + length if len(later) else last
        yield later.take(later.time_ms < last), (cursor, min(upto, last))
        cursor = upto


def _from_trades(
    source: TradeSource, market: Market, first: int, last: int, length: int, shell: Shell
) -> Iterator[tuple[Candles, Span]]:
    """Yield candles of [first, last) made from trades, each when its interval is known to be complete."""
    cursor, waiting = first, []
    for rows, upto_ns in _trade_pages(source, market, first * _MS - 1, last * _MS - 1, shell):
        waiting.append(rows)
        complete = last if upto_ns >= last * _MS - 1 else upto_ns // _MS // length * length
        if complete <= cursor:
            continue
        trades = pa.concat_tables(waiting)
        cut = int(np.searchsorted(times_ns(trades), complete * _MS))
        yield candles_of_trades(trades.slice(0, cut), market, length), (cursor, complete)
        cursor, waiting = complete, [trades.slice(cut)]


def _trade_pages(
    source: TradeSource, market: Market, since_ns: int, until_ns: int, shell: Shell
) -> Iterator[tuple[pa.Table, int]]:
    """Yield trades of (since, until] and the moment up to which everything is known."""
    cursor = since_ns
    while True:
        rows, following = patiently(lambda since=cursor: source.trades_page(market, since), shell)  # type: ignore[misc]
        time = times_ns(rows)
        is_end = following <= cursor or not rows.num_rows
        cut = int(np.searchsorted(time, until_ns, side="right"))
        if is_end or cut < rows.num_rows or following >= until_ns:
            yield rows.slice(0, cut), until_ns
            return
        yield rows, following
        cursor = following


def candles_of_trades(trades: pa.Table, market: Market, length: int) -> Candles:
    """Return the candles of ascending trades; intervals without one have none."""
    opens = times_ns(trades) // _MS // length * length
    begins = np.flatnonzero(np.diff(opens, prepend=-1))
    ends = np.append(begins, len(opens))[1:]
    price, volume = trades["price"].to_pylist(), trades["volume"].to_pylist()
    rows = [
        (price[a], max(price[a:b]), min(price[a:b]), price[b - 1], sum(volume[a:b], Decimal()))
        for a, b in zip(begins, ends, strict=True)
    ]
    table = np.array([[float(value) for value in row] for row in rows], np.float64).reshape(-1, 5)
    return Candles((market.symbol,), (market.quote,), np.zeros(len(rows), np.int32), opens[begins], *table.T.copy())


class _CandleInbox:
    def __init__(self, folder: Path, venue: str, interval: str, quiet: _Quiet, shell: Shell) -> None:
        self._folder, self._venue, self._interval, self._quiet, self._shell = folder, venue, interval, quiet, shell
        self._length = interval_ms(interval)
        self._waiting: list[Candles] = []
        self._spans: list[Span] = []
        self.n_fetched = self.n_added = self.n_quiet = 0

    def add(self, candles: Candles, span: Span) -> None:
        if len(candles):
            self._waiting.append(candles)
        self._spans.append(span)
        self.n_fetched += len(candles)
        if sum(len(one) for one in self._waiting) >= ROWS_PER_WRITE:
            self.flush()

    def flush(self) -> None:
        opened = np.concatenate([one.time_ms for one in self._waiting]) if self._waiting else np.zeros(0, np.int64)
        if self._waiting:
            stored = store(
                self._folder,
                joined(self._waiting),
                venue=self._venue,
                interval=self._interval,
                source=f"{self._venue} public API",
                imported_at=time_text(self._shell.now_ms() // 60_000 * 60_000),
            )
            self.n_added += sum(one.n_added for one in stored)
        silent = [
            hole
            for first, last in self._spans
            for hole in _holes(opened[(opened >= first) & (opened < last)], first, last, self._length)
        ]
        self.n_quiet += sum(last - first for first, last in silent) // self._length
        self._quiet.note(silent)
        self._waiting, self._spans = [], []


class _TradeInbox:
    def __init__(self, folder: Path, symbol: str, quote: str, venue: str, shell: Shell) -> None:
        self._folder, self._symbol, self._quote, self._venue, self._shell = folder, symbol, quote, venue, shell
        self._waiting: list[pa.Table] = []
        self.n_fetched = self.n_added = 0

    def add(self, rows: pa.Table) -> None:
        if rows.num_rows:
            self._waiting.append(rows)
            self.n_fetched += rows.num_rows
        if sum(one.num_rows for one in self._waiting) >= ROWS_PER_WRITE:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            self.n_added += store_trades(
                self._folder,
                self._symbol,
                self._quote,
                self._waiting,
                venue=self._venue,
                source=f"{self._venue} public API",
                imported_at=time_text(self._shell.now_ms() // 60_000 * 60_000),
            )
        self._waiting = []


class _Quiet:
    """Stretches of one file in which the venue said that nobody traded."""

    def __init__(self, folder: Path, path: str) -> None:
        self._file, self._path = folder / QUIET, path

    def without(self, spans: list[Span], length: int) -> list[Span]:
        """Take the quiet stretches out of `spans`."""
        known = sorted(tuple(span) for span in self._read().get(self._path, []))
        left = []
        for first, last in spans:
            for quiet_first, quiet_last in known:
                if quiet_last <= first or quiet_first >= last:
                    continue
                if first < quiet_first:
                    left.append((first, quiet_first))
                first = max(first, quiet_last)
            if first < last:
                left.append((first, last))
        return left

    def note(self, spans: list[Span]) -> None:
        if not spans:
            return
        document = self._read()
        merged: list[list[int]] = []
        for first, last in sorted([*map(tuple, document.get(self._path, [])), *spans]):
            if merged and first <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], last)
            else:
                merged.append([first, last])
        document[self._path] = merged
        atomic.write_atomically(self._file, (json.dumps(document, indent=0) + "\n").encode())

    def _read(self) -> dict[str, list[list[int]]]:
        try:
            document: dict[str, list[list[int]]] = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise DataError(
                f"{self._file}: is damaged ({error}); remove it, quiet times will be asked again"
            ) from error
        return document


def _holes(opened: NDArray[np.int64], first: int, last: int, length: int) -> list[Span]:
    marks = np.concatenate([[first - length], np.sort(opened), [last]])
    at = np.flatnonzero(np.diff(marks) > length)
    return [(int(marks[i]) + length, int(marks[i + 1])) for i in at]


def _missing_trades(folder: Path, symbol: str, venue: str) -> tuple[list[Span], int | None]:
    """Return the stretches (after, until] in which numbers are missing, and the last known moment."""
    spans: list[Span] = []
    last_ns: int | None = None
    last_id: int | None = None
    for block in iter_trades(folder, symbol, venue=venue):
        time = times_ns(block)
        numbers = block["trade_id"].fill_null(-1).to_numpy()
        rows = np.flatnonzero(numbers >= 0)
        ids, moments = numbers[rows], time[rows]
        if last_id is not None and last_ns is not None:
            ids, moments = np.insert(ids, 0, last_id), np.insert(moments, 0, last_ns)
        for at in np.flatnonzero(np.diff(ids) > 1):
            spans.append((int(moments[at]) - 1, int(moments[at + 1])))
        last_ns = int(time[-1])
        if len(rows) and rows[-1] == len(time) - 1:
            last_id = int(numbers[-1])
        else:  # archives tell seconds only: everything of the last one is there
            last_id, last_ns = None, last_ns // _NS * _NS + _NS - 1
    return spans, last_ns


def _entry(folder: Path, path: str) -> Entry:
    entries = read_entries(folder) if is_catalogue(folder) else ()
    for entry in entries:
        if entry.path == path:
            return entry
    raise NotFound(f"{folder}: holds no {path}; import an archive or download candles first (mycelial data list)")
