"""Segments of a recording on disk: a plain log while it grows; gzip, parquet and a line of the manifest when it ends.

A line is one frame with the time it came, so `feeds.read_kraken_v2` reads a segment, whole or growing. Lines reach the
system as soon as they are written: after ``kill -9`` at most the last line is torn, and `recover` cuts it off. Each
segment begins with the acknowledgements and snapshots of the books as they are, marked ``made``, so it stands alone.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mycelial.adapters.data import atomic
from mycelial.adapters.data.catalogue import file_checksum
from mycelial.adapters.data.feeds import read_kraken_v2
from mycelial.domain.errors import DataError
from mycelial.domain.recording import MarketRecording

MANIFEST = "recordings.json"
GROWING = ".jsonl"
NO_BOOK = "holds no message of the book channel"  # what a log without one is refused with
_SIDES = np.array(["buy", "sell"])
_KINDS = np.array(["update", "snapshot"])


class Segment:
    """The log that grows.

    Raises
    ------
    StorageError
        If the disk refuses, here or at a write; what was written before stays readable.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}{GROWING}"
        self.size = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = self.path.open("xb", buffering=0)
        except OSError as error:
            raise atomic.refused(self.path, error) from error

    def write(self, lines: Iterable[str]) -> None:
        """Append lines in one write."""
        data = "".join(f"{line}\n" for line in lines).encode()
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise atomic.refused(self.path, error) from error
        self.size += len(data)

    def close(self) -> Path:
        """Flush to the disk and return where the log is."""
        try:
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise atomic.refused(self.path, error) from error
        return self.path


@dataclass(frozen=True)
class Finished:
    """One file of a finished segment, as the manifest has it."""

    path: str
    sha256: str
    rows: int
    symbol: str  # "" for the log
    kind: str  # log, book or trades


def finish(log: Path) -> list[Finished]:
    """Prove a closed log by reading it, and leave it compressed, with a book and a trades parquet for each symbol.

    Raises
    ------
    DataError
        If a checksum does not come out; the log stays as it is.
    StorageError
        If the disk refuses.
    """
    folder, files = log.parent, []
    with log.open("rb") as file:
        n_lines = sum(1 for _ in file)
    try:
        recordings = read_kraken_v2(log)
    except DataError as error:
        if NO_BOOK not in str(error):
            raise
        recordings = {}
    stem = log.name.removesuffix(GROWING)
    for symbol, recording in recordings.items():
        for kind, table in (("book", book_table(recording)), ("trades", trades_table(recording))):
            path = folder / f"{stem}.{symbol.replace('/', '-')}.{kind}.parquet"
            _publish_table(path, table)
            files.append(Finished(path.name, file_checksum(path), table.num_rows, symbol, kind))
    packed = folder / f"{log.name}.gz"
    staged = atomic.stage(packed, b"")
    try:
        with log.open("rb") as source, gzip.open(staged, "wb", compresslevel=6) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        atomic.sync(staged)
    except OSError as error:
        atomic.discard(staged)
        raise atomic.refused(packed, error) from error
    atomic.publish(staged, packed)
    files.insert(0, Finished(packed.name, file_checksum(packed), n_lines, "", "log"))
    _note(folder, files)
    log.unlink()
    return files


def wrong_files(folder: Path) -> list[str]:
    """Check every finished file of a folder: there, unchanged, and each log readable with all its checksums."""
    found = []
    for one in manifest(folder):
        path = folder / one.path
        if not path.is_file():
            found.append(f"{path}: is in {MANIFEST} but not on disk")
        elif file_checksum(path) != one.sha256:
            found.append(f"{path}: is not the file that was recorded")
        elif one.kind == "log":
            try:
                read_kraken_v2(path)
            except DataError as error:
                if NO_BOOK not in str(error):
                    found.append(str(error))
    return found


def recover(folder: Path) -> list[Path]:
    """Finish the logs that a killed recorder left in the folder; return them."""
    atomic.discard_leftovers(folder)
    found = sorted(folder.glob(f"*{GROWING}"))
    for log in found:
        with log.open("rb+") as file:
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)  # a torn last line
        if log.stat().st_size:
            finish(log)
        else:
            log.unlink()
    return found


def manifest(folder: Path) -> list[Finished]:
    """Return the finished files of a folder.

    Raises
    ------
    DataError
        If the manifest is damaged.
    """
    path = folder / MANIFEST
    try:
        return [Finished(**one) for one in json.loads(path.read_text(encoding="utf-8"))["files"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is damaged ({error}); remove it, the logs themselves can still be read") from error


def book_table(recording: MarketRecording) -> pa.Table:
    """Return level updates as rows: when we knew, when the exchange wrote, what the level became."""
    of = recording.batch_of_level()
    batches, levels = recording.batches, recording.levels
    return pa.table(
        {
            "time": pa.array(batches["ts"][of], pa.timestamp("ns", tz="UTC")),
            "exchange_time": pa.array(batches["exchange_ts"][of], pa.timestamp("ns", tz="UTC")),
            "message": pa.array(of),
            "kind": pa.array(_KINDS[batches["kind"][of]]).dictionary_encode(),
            "side": pa.array(_SIDES[levels["side"]]).dictionary_encode(),
            "price": _decimals(levels["price"], recording.tick_size),
            "volume": _decimals(levels["lots"], recording.lot_size),
            "checksum": pa.array(batches["checksum"][of]),
        }
    )


def trades_table(recording: MarketRecording) -> pa.Table:
    """Return trades as rows."""
    trades = recording.trades
    return pa.table(
        {
            "time": pa.array(trades["ts"].copy(), pa.timestamp("ns", tz="UTC")),
            "exchange_time": pa.array(trades["exchange_ts"].copy(), pa.timestamp("ns", tz="UTC")),
            "price": _decimals(trades["price"], recording.tick_size),
            "volume": _decimals(trades["lots"], recording.lot_size),
            "side": pa.array(_SIDES[trades["side"]]).dictionary_encode(),
            "trade_id": pa.array(trades["trade_id"].copy()),
        }
    )


def _decimals(counts: NDArray[np.int64], step: Decimal) -> pa.Array:
    """Return counts of a step as exact decimals."""
    scale = max(0, -int(step.as_tuple().exponent))
    words = np.zeros((len(counts), 2), np.int64)
    words[:, 0] = counts * int(step.scaleb(scale))
    return pa.Array.from_buffers(pa.decimal128(28, scale), len(counts), [None, pa.py_buffer(words.tobytes())])


def _publish_table(path: Path, table: pa.Table) -> None:
    staged = atomic.stage(path, b"")
    try:
        pq.write_table(table, staged, compression="zstd")
        atomic.sync(staged)
    except OSError as error:
        atomic.discard(staged)
        raise atomic.refused(path, error) from error
    atomic.publish(staged, path)


def _note(folder: Path, files: list[Finished]) -> None:
    known = [one for one in manifest(folder) if one.path not in {new.path for new in files}]
    document = {"version": 1, "files": [vars(one) for one in [*known, *files]]}
    atomic.write_atomically(folder / MANIFEST, (json.dumps(document, indent=1) + "\n").encode())
