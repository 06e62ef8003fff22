"""Kraken's published archives: zips of headerless CSVs, a member a pair (and interval), streamed into the catalogue.

Two kinds of member, as Kraken's support pages describe them ("Downloadable historical OHLCVT data" and "Downloadable
historical market data (time and sales)", read 2026-11): ``XBTUSD_60.csv`` holds candles of 60 minutes, ``time, open,
high, low, close, volume, trades``; ``XBTUSD.csv`` holds trades, ``time, price, volume``. Times are seconds since 1970,
rows ascend, and intervals without a trade are left out. Folders inside the zip do not matter.

A member goes into the catalogue whole or not at all, and `imports.json` notes it by name, length and CRC: after a
``kill -9`` the same command goes on with the member it was in.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from mycelial.adapters.data import atomic
from mycelial.adapters.data.candles import VALUE_COLUMNS, Candles, quote_of
from mycelial.adapters.data.catalogue import canonical_symbol
from mycelial.adapters.data.intervals import INTERVAL_MS
from mycelial.adapters.data.merging import OnConflict
from mycelial.adapters.data.streaming import store_blocks
from mycelial.adapters.data.trade_files import DECIMAL, TRADES, store_trades, trade_table
from mycelial.domain.errors import DataError, NotFound

VENUE = "kraken"
LEDGER = "imports.json"
BLOCK_BYTES = 1 << 20
_INTERVAL_OF_MINUTES = {length // 60_000: name for name, length in INTERVAL_MS.items()}
_NAME = re.compile(r"([A-Z0-9.]{2,24})(?:_(\d{1,5}))?\.csv")
_CANDLE_COLUMNS = ("time", *VALUE_COLUMNS, "trades")
_TRADE_COLUMNS = ("time", "price", "volume")
_SECONDS = pa.decimal128(28, 9)

Progress = Callable[[float, int], None]  # fraction done, rows so far


@dataclass(frozen=True)
class Member:
    """One CSV of an archive."""

    name: str  # inside the archive
    symbol: str  # as the catalogue spells it
    quote: str
    kind: str  # an interval, or "trades"
    n_bytes: int
    crc: int


@dataclass(frozen=True)
class ImportedMember:
    """What importing one member did."""

    member: str
    symbol: str
    kind: str
    rows: int
    added: int
    was_done: bool  # by an earlier call, so nothing was read


def catalogue_symbol(altname: str) -> str:
    """Spell Kraken's short pair name as the catalogue does: XBTUSD is BTCUSD, ETHXBT is ETHBTC, XDGUSD is DOGEUSD."""
    name = re.sub(r"^XBT|XBT$", "BTC", altname)
    return canonical_symbol(re.sub(r"^XDG|XDG$", "DOGE", name))


def members_of(archive: Path) -> tuple[list[Member], list[str]]:
    """Return the members that hold candles or trades, and the names of other CSVs.

    Raises
    ------
    NotFound, DataError
        If there is no such file, or it is no zip.
    """
    if not archive.is_file():
        raise NotFound(f"{archive}: no such file; check the path")
    members, others = [], []
    with _open(archive) as file:
        for info in file.infolist():
            name = info.filename.rsplit("/", 1)[-1]
            if info.is_dir() or name.startswith(".") or "__MACOSX" in info.filename or not name.endswith(".csv"):
                continue
            match = _NAME.fullmatch(name)
            minutes = match and match.group(2)
            if match is None or (minutes and int(minutes) not in _INTERVAL_OF_MINUTES):
                others.append(info.filename)
                continue
            symbol = catalogue_symbol(match.group(1))
            kind = _INTERVAL_OF_MINUTES[int(minutes)] if minutes else TRADES
            members.append(Member(info.filename, symbol, quote_of(symbol), kind, info.file_size, info.CRC))
    if not members:
        raise DataError(f"{archive}: holds no CSV named like XBTUSD_60.csv or XBTUSD.csv; give an archive of Kraken")
    return members, others


def import_archive(
    archive: Path,
    folder: Path,
    *,
    imported_at: str,
    symbols: frozenset[str] = frozenset(),
    kinds: frozenset[str] = frozenset(),
    on_conflict: OnConflict = "refuse",
    progress: Progress = lambda fraction, rows: None,
) -> Iterator[ImportedMember]:
    """Import the members one after another, yielding what each did once it is stored.

    Parameters
    ----------
    archive : Path
    folder : Path
        The catalogue; created when absent.
    imported_at : str
        The time of this, as text.
    symbols, kinds : frozenset of str
        Only these pairs (spelled in any usual way) and intervals ("1m", "trades"); all when empty.
    on_conflict : {"refuse", "keep", "replace"}
        About candles, see `merging.merge`.
    progress : callable
        Fraction of the bytes read, and rows so far.

    Raises
    ------
    NotFound, DataError, StorageError
        Naming archive, member and line. Members before it are stored.
    """
    wanted = {catalogue_symbol(canonical_symbol(symbol)) for symbol in symbols}
    members, _ = members_of(archive)
    chosen = [one for one in members if (not wanted or one.symbol in wanted) and (not kinds or one.kind in kinds)]
    if not chosen:
        raise NotFound(f"{archive}: has none of what was asked for; it holds {_summary(members)}")
    with atomic.locked(folder):
        atomic.discard_leftovers(folder)
    total, before, rows = sum(one.n_bytes for one in chosen) or 1, 0, 0
    for member in chosen:
        if (done := _note_of(folder, member)) is not None:
            yield ImportedMember(member.name, member.symbol, member.kind, done, 0, True)
        else:
            counted = _Counted(lambda n_bytes, n_rows, b=before, r=rows: progress((b + n_bytes) / total, r + n_rows))  # type: ignore[misc]
            added = _import_member(archive, folder, member, counted, imported_at, on_conflict)
            _take_note(folder, archive, member, counted.rows)
            rows += counted.rows
            yield ImportedMember(member.name, member.symbol, member.kind, counted.rows, added, False)
        before += member.n_bytes
        progress(before / total, rows)


class _Counted:
    """Counts what was read of a member, and tells it."""

    def __init__(self, tell: Callable[[int, int], None]) -> None:
        self._tell = tell
        self.n_bytes, self.rows = 0, 0

    def read(self, n_bytes: int) -> None:
        self.n_bytes += n_bytes
        self._tell(self.n_bytes, self.rows)


def _import_member(
    archive: Path, folder: Path, member: Member, counted: _Counted, imported_at: str, on_conflict: OnConflict
) -> int:
    source = f"{archive.name}!{member.name}"
    with _open(archive) as file, file.open(member.name) as stream:
        blocks = _blocks(archive, member, stream, counted)
        if member.kind == TRADES:
            return store_trades(
                folder,
                member.symbol,
                member.quote,
                (_trades(block) for block in blocks),
                venue=VENUE,
                source=source,
                imported_at=imported_at,
            )
        return store_blocks(
            folder,
            (_candles(member, block) for block in blocks),
            symbol=member.symbol,
            quote=member.quote,
            venue=VENUE,
            interval=member.kind,
            source=source,
            imported_at=imported_at,
            on_conflict=on_conflict,
        )


def _blocks(archive: Path, member: Member, stream: IO[bytes], counted: _Counted) -> Iterator[pa.Table]:
    """Yield the rows of a member in blocks whose numbers are numbers, in range, in order."""
    is_trades = member.kind == TRADES
    columns = _TRADE_COLUMNS if is_trades else _CANDLE_COLUMNS
    number = DECIMAL if is_trades else pa.float64()
    types = {"time": _SECONDS, **dict.fromkeys(columns[1:], number)}
    try:
        reader = pacsv.open_csv(
            _Reading(stream, counted),
            read_options=pacsv.ReadOptions(column_names=columns, block_size=BLOCK_BYTES, use_threads=False),
            convert_options=pacsv.ConvertOptions(column_types=types, null_values=[], strings_can_be_null=False),
        )
        last_ns = -1
        for batch in reader:
            block = pa.Table.from_batches([batch])
            _refuse_bad_rows(archive, member, block, counted.rows, last_ns)
            last_ns = int(_nanoseconds(block)[-1])
            counted.rows += block.num_rows
            yield block
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return
        raise _bad_line(archive, member, columns, error) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise _broken(archive, member, error) from error


class _Reading(io.RawIOBase):
    """A member as a file that counts; zipfile checks its CRC when the end is reached."""

    def __init__(self, stream: IO[bytes], counted: _Counted) -> None:
        super().__init__()
        self._stream, self._counted = stream, counted

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._counted.read(len(data))
        return data


def _refuse_bad_rows(archive: Path, member: Member, block: pa.Table, rows_before: int, last_ns: int) -> None:
    time = _nanoseconds(block)
    checks = [("its time is before that of the line above", np.diff(time, prepend=last_ns) < 0)]
    if member.kind != TRADES:
        checks[0] = ("its time is not after that of the line above", np.diff(time, prepend=last_ns) <= 0)
    for column in block.column_names[1:]:
        values = block[column].cast(pa.float64()).to_numpy()
        is_price = column in ("open", "high", "low", "close", "price")
        allowed = (values > 0) if is_price else (values >= 0)
        what = "positive" if is_price else "at or above zero"
        checks.append((f"{column} is not {what}", ~(allowed & (values < np.inf))))
    for what, wrong in checks:
        if wrong.any():
            line = rows_before + int(np.argmax(wrong)) + 1
            raise DataError(
                f"{archive}: {member.name}: line {line}: {what}; fetch the archive again, or leave the pair out"
            )


def _candles(member: Member, block: pa.Table) -> Candles:
    return Candles(
        symbols=(member.symbol,),
        quotes=(member.quote,),
        symbol=np.zeros(block.num_rows, np.int32),
        time_ms=_nanoseconds(block) // 1_000_000,
        **{column: block[column].to_numpy() for column in VALUE_COLUMNS},
    )


def _trades(block: pa.Table) -> pa.Table:
    return trade_table(_nanoseconds(block), block["price"].combine_chunks(), block["volume"].combine_chunks())


def _nanoseconds(block: pa.Table) -> np.ndarray:
    """Return times written as decimal seconds; the unscaled decimal is the count of nanoseconds."""
    array = block["time"].combine_chunks() if block["time"].num_chunks != 1 else block["time"].chunk(0)
    words = np.frombuffer(array.buffers()[1], np.int64)[::2]
    return words[array.offset : array.offset + len(array)]


def _bad_line(archive: Path, member: Member, columns: tuple[str, ...], error: pa.ArrowInvalid) -> DataError:
    """Find the line that pyarrow could not read, by reading it again line by line."""
    try:
        with _open(archive) as file, file.open(member.name) as stream:
            for number, line in enumerate(stream, start=1):
                cells = line.decode("utf-8", "replace").strip().split(",")
                if len(cells) != len(columns):
                    reason = f"has {len(cells)} column(s), not {len(columns)} ({', '.join(columns)})"
                else:
                    odd = next((c for c in cells if not re.fullmatch(r"-?\d+(\.\d*)?([eE][+-]?\d+)?", c.strip())), None)
                    if odd is None:
                        continue
                    reason = f"{odd!r} is no number"
                return DataError(
                    f"{archive}: {member.name}: line {number}: {reason}; fetch the archive again, or leave the pair out"
                )
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as broken:
        return _broken(archive, member, broken)
    return DataError(f"{archive}: {member.name}: cannot be read ({error}); fetch the archive again")


def _broken(archive: Path, member: Member, error: Exception) -> DataError:
    return DataError(f"{archive}: {member.name}: the archive is damaged ({error}); fetch it again")


@contextmanager
def _open(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        file = zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{archive}: is no complete zip ({error}); fetch it again") from error
    with file:
        yield file


def _summary(members: list[Member]) -> str:
    pairs, kinds = sorted({one.symbol for one in members}), sorted({one.kind for one in members})
    return f"{len(pairs)} pair(s) ({', '.join(pairs[:8])}{' …' if len(pairs) > 8 else ''}) as {', '.join(kinds)}"


def _notes(folder: Path) -> list[dict[str, object]]:
    try:
        document = json.loads((folder / LEDGER).read_text(encoding="utf-8"))
        return list(document["members"])
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / LEDGER}: is damaged ({error}); remove it, archives will be read again") from error


def _note_of(folder: Path, member: Member) -> int | None:
    """Return how many rows the member had when it was imported; None when it was not."""
    for note in _notes(folder):
        if {key: note.get(key) for key in ("name", "n_bytes", "crc")} == {
            "name": member.name,
            "n_bytes": member.n_bytes,
            "crc": member.crc,
        }:
            return int(str(note["rows"]))
    return None


def _take_note(folder: Path, archive: Path, member: Member, rows: int) -> None:
    with atomic.locked(folder):
        notes = [*_notes(folder), {**asdict(member), "rows": rows, "archive": archive.name}]
        text = json.dumps({"version": 1, "members": notes}, indent=1) + "\n"
        atomic.write_atomically(folder / LEDGER, text.encode())
