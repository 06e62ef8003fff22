"""Merge candles of one symbol into the catalogue block by block: memory is that of a few blocks, however many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mycelial.adapters.data import atomic
from mycelial.adapters.data.candles import Candles, refuse_impossible, time_text
from mycelial.adapters.data.catalogue import (
    Entry,
    candle_table,
    canonical_symbol,
    commit,
    file_checksum,
    is_catalogue,
    read_entries,
    refuse_odd_venue,
)
from mycelial.adapters.data.intervals import interval_ms, refuse_misaligned
from mycelial.adapters.data.merging import OnConflict, joined, merge
from mycelial.adapters.data.reading import candles_of_table
from mycelial.domain.errors import DataError

ROW_GROUP = 65_536


def store_blocks(
    folder: Path,
    blocks: Iterator[Candles],
    *,
    symbol: str,
    quote: str,
    venue: str,
    interval: str,
    source: str,
    imported_at: str,
    on_conflict: OnConflict = "refuse",
) -> int:
    """Merge ascending blocks of one symbol into the catalogue, all or none; return how many candles were new.

    Like `catalogue.store`, but neither the stored nor the offered candles are ever in memory whole.

    Raises
    ------
    DataError
        If a candle is impossible or contradicts a stored one, or `blocks` raises it; nothing was changed.
    StorageError
        If the disk refuses.
    """
    refuse_odd_venue(venue)
    interval_ms(interval)
    name = canonical_symbol(symbol)
    path = f"{venue}/{interval}/{name}.parquet"
    with atomic.locked(folder):
        before = {entry.path: entry for entry in read_entries(folder)} if is_catalogue(folder) else {}
        stored = _stored(folder / path) if path in before else iter(())
        staged = atomic.stage(folder / path, b"")
        try:
            out = _Written(staged)
            added, changed = 0, path not in before
            for kept, offered in _windows(stored, _checked(blocks, interval, source)):
                if offered is None:
                    assert kept is not None
                    out.write(kept)
                    continue
                merged = merge(kept, offered, source, on_conflict=on_conflict)
                added += merged.n_added
                changed |= merged.n_added > 0 or (bool(merged.conflicts) and on_conflict == "replace")
                out.write(merged.candles)
            out.close()
            if out.rows and changed:
                entry = Entry(
                    path=path,
                    symbol=name,
                    quote=quote,
                    venue=venue,
                    interval=interval,
                    first=time_text(out.first_ms),
                    last=time_text(out.last_ms),
                    rows=out.rows,
                    sha256=file_checksum(staged),
                    source=source,
                    imported_at=imported_at,
                )
                commit(folder, before, {**before, path: entry}, {folder / path: staged})
        finally:
            atomic.discard(staged)
    return added


class _Written:
    """The staged file, in row groups of one size so that the same candles give the same bytes."""

    def __init__(self, staged: Path) -> None:
        self._staged = staged
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        self.rows, self.first_ms, self.last_ms = 0, 0, 0

    def write(self, candles: Candles) -> None:
        if not len(candles):
            return
        if not self.rows:
            self.first_ms = int(candles.time_ms[0])
        self.last_ms = int(candles.time_ms[-1])
        self.rows += len(candles)
        self._waiting.append(candle_table(candles))
        if sum(table.num_rows for table in self._waiting) >= ROW_GROUP:
            whole = pa.concat_tables(self._waiting)
            full = whole.num_rows // ROW_GROUP * ROW_GROUP
            self._put(whole.slice(0, full))
            self._waiting = [whole.slice(full)]

    def close(self) -> None:
        rest = [table for table in self._waiting if table.num_rows]
        if rest:
            self._put(pa.concat_tables(rest))
        if self._writer is not None:
            try:
                self._writer.close()
                atomic.sync(self._staged)
            except OSError as error:
                raise atomic.refused(self._staged, error) from error

    def _put(self, table: pa.Table) -> None:
        try:
            if self._writer is None:
                self._writer = pq.ParquetWriter(self._staged, table.schema, compression="zstd")
            self._writer.write_table(table, row_group_size=ROW_GROUP)
        except OSError as error:
            raise atomic.refused(self._staged, error) from error


def _checked(blocks: Iterator[Candles], interval: str, source: str) -> Iterator[Candles]:
    for block in blocks:
        if len(block):
            refuse_impossible(block, source)
            refuse_misaligned(block, interval, source)
            yield block


def _stored(path: Path) -> Iterator[Candles]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROW_GROUP):
                yield candles_of_table(pa.Table.from_batches([batch]), path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read ({error}); remove it and import it again") from error


def _windows(stored: Iterator[Candles], offered: Iterator[Candles]) -> Iterator[tuple[Candles | None, Candles | None]]:
    """Pair what is stored with what is offered for the same stretch of time, in order of time."""
    kept = next(stored, None)
    block = next(offered, None)
    while kept is not None or block is not None:
        if block is None or (kept is not None and kept.time_ms[-1] < block.time_ms[0]):
            yield kept, None
            kept = next(stored, None)
            continue
        while kept is not None and kept.time_ms[-1] < block.time_ms[-1] and (more := next(stored, None)) is not None:
            kept = joined([kept, more])
        if kept is None:
            yield None, block
        else:
            cut = int(np.searchsorted(kept.time_ms, block.time_ms[-1], side="right"))
            yield (kept.take(np.arange(cut)) if cut else None), block
            kept = kept.take(np.arange(cut, len(kept))) if cut < len(kept) else next(stored, None)
        block = next(offered, None)
