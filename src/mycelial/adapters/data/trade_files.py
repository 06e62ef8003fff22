"""Trades in the catalogue: one parquet per pair and quarter, exact decimals, written in blocks however many there are.

A file is ``venue/trades/SYMBOL/2024-Q1.parquet`` and has an entry of the manifest whose interval is ``trades``. Rows
ascend in time, to the second where the source tells no more. Where the venue numbers its trades, the number tells rows
apart; published archives have no numbers, so there the same (second, price, volume) is one trade as often as the
richer of two sources has it. Storing the same rows twice therefore changes nothing, and an archive may come after the
same trades were fetched one by one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mycelial.adapters.data import atomic
from mycelial.adapters.data.catalogue import (
    Entry,
    canonical_symbol,
    commit,
    file_checksum,
    is_catalogue,
    read_entries,
    refuse_odd_venue,
)
from mycelial.domain.errors import DataError

TRADES = "trades"  # in place of an interval
DECIMAL = pa.decimal128(28, 10)
SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("ns", tz="UTC")),
        ("price", DECIMAL),  # quote units
        ("volume", DECIMAL),  # base units
        ("side", pa.string()),  # of the taker, null when unknown
        ("order_type", pa.string()),  # of the taker, null when unknown
        ("trade_id", pa.int64()),  # null when the source numbers none
    ]
)
ROW_GROUP = 65_536
_NS = 10**9


def store_trades(
    folder: Path, symbol: str, quote: str, blocks: Iterable[pa.Table], *, venue: str, source: str, imported_at: str
) -> int:
    """Merge ascending blocks of `SCHEMA` into the catalogue, all of them or none; return how many rows were new.

    Memory is that of a few blocks. When `blocks` raises, or the disk refuses, nothing was changed.

    Raises
    ------
    DataError
        If time goes back.
    StorageError
        If the disk refuses.
    """
    refuse_odd_venue(venue)
    name = canonical_symbol(symbol)
    with atomic.locked(folder):
        before = {entry.path: entry for entry in read_entries(folder)} if is_catalogue(folder) else {}
        after, staged, added = dict(before), {}, 0
        try:
            for quarter, rows in _by_quarter(blocks, source):
                path = f"{venue}/{TRADES}/{name}/{quarter}.parquet"
                stored = folder / path if path in before else None
                file = _Growing(folder / path)
                staged[folder / path] = file.staged
                n_before = before[path].rows if path in before else 0
                with file:
                    for block in rows if stored is None else _merged(_stored_blocks(stored), rows):
                        file.write(block)
                if file.rows == n_before:
                    atomic.discard(staged.pop(folder / path))
                    continue
                added += file.rows - n_before
                after[path] = Entry(
                    path=path,
                    symbol=name,
                    quote=quote,
                    venue=venue,
                    interval=TRADES,
                    first=ns_text(file.first_ns),
                    last=ns_text(file.last_ns),
                    rows=file.rows,
                    sha256=file_checksum(file.staged),
                    source=source,
                    imported_at=imported_at,
                )
            commit(folder, before, after, staged)
        finally:
            for temporary in staged.values():
                atomic.discard(temporary)
    return added


def trade_entries(folder: Path, symbol: str, *, venue: str) -> list[Entry]:
    """Return the files of one pair's trades, oldest first."""
    name = canonical_symbol(symbol)
    entries = read_entries(folder) if is_catalogue(folder) else ()
    return [one for one in entries if (one.venue, one.interval, one.symbol) == (venue, TRADES, name)]


def iter_trades(folder: Path, symbol: str, *, venue: str) -> Iterator[pa.Table]:
    """Yield one pair's trades in ascending blocks."""
    for entry in trade_entries(folder, symbol, venue=venue):
        yield from _stored_blocks(folder / entry.path)


def trade_errors(path: Path, entry: Entry) -> list[str]:
    """Look for what cannot be right in one file: its rows, their order, prices and numbers; say what is wrong."""
    rows, last_ns, last_id = 0, -1, -1
    try:
        for block in _stored_blocks(path):
            time, numbers = times_ns(block), block["trade_id"].drop_null().to_numpy()
            if (np.diff(time, prepend=last_ns) < 0).any():
                return [f"time goes back between rows {rows} and {rows + block.num_rows}; import it again"]
            if (np.diff(numbers, prepend=last_id) <= 0).any():
                return [f"trade numbers go back between rows {rows} and {rows + block.num_rows}; fetch it again"]
            for column in ("price", "volume"):
                if not pc.all(pc.greater(block[column], pa.scalar(0, DECIMAL))).as_py():
                    return [f"a {column} is not positive; import it again"]
            rows, last_ns = rows + block.num_rows, int(time[-1])
            last_id = int(numbers[-1]) if len(numbers) else last_id
    except DataError as error:
        return [str(error)]
    return [] if rows == entry.rows else [f"holds {rows} rows, the manifest says {entry.rows}; import it again"]


def trade_table(
    time_ns: NDArray[np.int64],
    price: pa.Array,
    volume: pa.Array,
    side: list[str | None] | None = None,
    order_type: list[str | None] | None = None,
    trade_id: list[int | None] | None = None,
) -> pa.Table:
    """Return a block; price and volume are arrays of `DECIMAL`."""
    n = len(time_ns)
    return pa.table(
        [
            pa.array(time_ns, pa.timestamp("ns", tz="UTC")),
            price,
            volume,
            pa.array(side if side is not None else [None] * n, pa.string()),
            pa.array(order_type if order_type is not None else [None] * n, pa.string()),
            pa.array(trade_id if trade_id is not None else [None] * n, pa.int64()),
        ],
        schema=SCHEMA,
    )


def times_ns(table: pa.Table) -> NDArray[np.int64]:
    """Return the times of a block."""
    return table["time"].cast(pa.int64()).to_numpy()


def ns_text(time_ns: int) -> str:
    """Write a time with as many decimals as it has."""
    whole, fraction = divmod(time_ns, _NS)
    moment = dt.datetime.fromtimestamp(whole, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{moment}.{fraction:09d}".rstrip("0").rstrip(".")


def quarter_of(time_ns: int) -> str:
    """Name the quarter of a year in which a moment lies, as the published archives do: 2024-Q1."""
    moment = dt.datetime.fromtimestamp(time_ns // _NS, dt.UTC)
    return f"{moment.year}-Q{(moment.month + 2) // 3}"


def _quarter_end_ns(time_ns: int) -> int:
    moment = dt.datetime.fromtimestamp(time_ns // _NS, dt.UTC)
    month = (moment.month + 2) // 3 * 3 + 1
    end = dt.datetime(moment.year + month // 12, (month - 1) % 12 + 1, 1, tzinfo=dt.UTC)
    return int(end.timestamp()) * _NS


class _Growing:
    """A parquet file written row group by row group into a staged file beside its place."""

    def __init__(self, path: Path) -> None:
        self.staged = atomic.stage(path, b"")
        self.rows, self.first_ns, self.last_ns = 0, 0, 0
        self._waiting: list[pa.Table] = []
        self._writer = pq.ParquetWriter(self.staged, SCHEMA, compression="zstd")

    def write(self, block: pa.Table) -> None:
        if not block.num_rows:
            return
        time = times_ns(block)
        self.first_ns = self.first_ns or int(time[0])
        self.last_ns = int(time[-1])
        self.rows += block.num_rows
        self._waiting.append(block)
        if sum(one.num_rows for one in self._waiting) >= ROW_GROUP:
            whole = pa.concat_tables(self._waiting)
            full = whole.num_rows // ROW_GROUP * ROW_GROUP
            self._put(whole.slice(0, full))
            self._waiting = [whole.slice(full)]

    def __enter__(self) -> _Growing:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None and self._waiting:
            self._put(pa.concat_tables(self._waiting))
        try:
            self._writer.close()
            atomic.sync(self.staged)
        except OSError as refusal:
            if kind is None:
                raise atomic.refused(self.staged, refusal) from refusal

    def _put(self, table: pa.Table) -> None:
        try:
            self._writer.write_table(table, row_group_size=ROW_GROUP)
        except OSError as error:
            raise atomic.refused(self.staged, error) from error


def _by_quarter(blocks: Iterable[pa.Table], source: str) -> Iterator[tuple[str, Iterator[pa.Table]]]:
    """Cut ascending blocks at the ends of quarters; each quarter's blocks must be used before the next is asked for."""
    waiting = _ascending(blocks, source)
    block = next(waiting, None)
    while block is not None:
        first = int(times_ns(block)[0])

        def rows(end: int = _quarter_end_ns(first)) -> Iterator[pa.Table]:
            nonlocal block
            while block is not None:
                cut = int(np.searchsorted(times_ns(block), end))
                if cut:
                    yield block.slice(0, cut)
                if cut < block.num_rows:
                    block = block.slice(cut)
                    return
                block = next(waiting, None)

        yield quarter_of(first), rows()


def _ascending(blocks: Iterable[pa.Table], source: str) -> Iterator[pa.Table]:
    last, seen = -1, 0
    for block in blocks:
        if not block.num_rows:
            continue
        time = times_ns(block)
        steps = np.diff(time, prepend=last)
        if (steps < 0).any():
            row = seen + int(np.argmax(steps < 0)) + 1
            raise DataError(f"{source}: row {row}: its time is before that of the row above; sort it by time")
        last, seen = int(time[-1]), seen + block.num_rows
        yield block


def _stored_blocks(path: Path) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROW_GROUP):
                yield pa.Table.from_batches([batch]).cast(SCHEMA)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read ({error}); remove it and import it again") from error


def _merged(stored: Iterator[pa.Table], offered: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Merge two ascending sources, window by window: up to the earlier of the two last known times."""
    sides = [_Side(stored), _Side(offered)]
    while True:
        for side in sides:
            side.refill()
        live = [side for side in sides if side.block is not None]
        if not live:
            return
        # Rows of the last time in a block may go on in the next one, so they wait, unless nothing follows.
        until = min((side.known_until() for side in live if not side.is_last), default=None)
        ours, theirs = (side.take(until) for side in sides)
        if until is not None and not ours.num_rows and not theirs.num_rows:
            for side in live:
                side.extend()
            continue
        yield _union(ours, theirs)


class _Side:
    def __init__(self, blocks: Iterator[pa.Table]) -> None:
        self._blocks = blocks
        self._next = next(blocks, None)
        self.block: pa.Table | None = None

    @property
    def is_last(self) -> bool:
        return self._next is None

    def refill(self) -> None:
        if self.block is None and self._next is not None:
            self.block, self._next = self._next, next(self._blocks, None)

    def extend(self) -> None:
        """Add the next block, because a single moment fills this one."""
        if self.block is not None and self._next is not None:
            self.block, self._next = pa.concat_tables([self.block, self._next]), next(self._blocks, None)

    def known_until(self) -> int:
        """Return the whole second before which everything is in `block`."""
        assert self.block is not None
        return int(times_ns(self.block)[-1]) // _NS * _NS

    def take(self, until: int | None) -> pa.Table:
        """Take the rows before `until`, or all."""
        if self.block is None:
            return SCHEMA.empty_table()
        cut = self.block.num_rows if until is None else int(np.searchsorted(times_ns(self.block), until))
        rows, rest = self.block.slice(0, cut), self.block.slice(cut)
        self.block = rest if rest.num_rows else None
        return rows


def _union(ours: pa.Table, theirs: pa.Table) -> pa.Table:
    """Return all rows of both, each trade once, in order of time and number."""
    if not ours.num_rows or not theirs.num_rows:
        return ours if ours.num_rows else theirs
    both = pa.concat_tables([ours, theirs]).combine_chunks()
    numbers = both["trade_id"].fill_null(-1).to_numpy()
    is_theirs = np.arange(both.num_rows) >= ours.num_rows
    # Archives round times to seconds, so that is how rows without a number are compared.
    keys = np.stack([times_ns(both) // _NS, *_words(both["price"]), *_words(both["volume"])], axis=1)
    numbered = np.flatnonzero(numbers >= 0)
    numbered = np.sort(numbered[np.unique(numbers[numbered], return_index=True)[1]])
    plain = [np.flatnonzero((numbers < 0) & (is_theirs == side)) for side in (False, True)]
    known = _told_apart(keys[numbered])
    kept = [numbered]
    for rows in plain:
        apart = _told_apart(keys[rows])
        fresh = ~np.isin(apart, known)
        kept.append(rows[fresh])
        known = np.concatenate([known, apart[fresh]])
    keep = np.concatenate(kept)
    order = np.lexsort((keep, numbers[keep], times_ns(both)[keep]))
    return both.take(pa.array(keep[order]))


def _told_apart(keys: NDArray[np.int64]) -> NDArray[np.void]:
    """Return each row of `keys` with how many equal rows are before it, as one comparable value."""
    order = np.lexsort(keys.T[::-1])
    begins = np.r_[True, (np.diff(keys[order], axis=0) != 0).any(axis=1)] if len(keys) else np.zeros(0, bool)
    place = np.arange(len(keys))
    nth = np.empty(len(keys), np.int64)
    nth[order] = place - np.maximum.accumulate(np.where(begins, place, 0))
    return np.ascontiguousarray(np.column_stack([keys, nth])).view(np.dtype((np.void, 8 * 6))).ravel()


def _words(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the two 64-bit halves of each decimal: equal halves, equal numbers."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    words = np.frombuffer(array.buffers()[1], np.int64).reshape(-1, 2)[array.offset : array.offset + len(array)]
    return words[:, 0], words[:, 1]
