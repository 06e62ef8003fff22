"""The catalogue: a folder of candles, one parquet per venue, interval and symbol, and a manifest with checksums.

A write is complete or it did not happen, even if the process is killed: new files are staged beside the old ones, the
manifest names old and new version, the files are renamed, and the manifest forgets the old version. Whoever reads in
between believes the version whose checksum the file on disk has.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mycelial.adapters.data import atomic
from mycelial.adapters.data.candles import VALUE_COLUMNS, Candles, refuse_impossible, time_text
from mycelial.adapters.data.intervals import interval_ms, refuse_misaligned
from mycelial.adapters.data.merging import Conflict, OnConflict, joined, merge, only_symbol
from mycelial.adapters.data.reading import candles_of_table
from mycelial.domain.errors import DataError, NotFound

MANIFEST = "catalogue.json"
VERSION = 1


@dataclass(frozen=True)
class Entry:
    """One file of the catalogue."""

    path: str  # relative to the catalogue: venue/interval/symbol.parquet
    symbol: str
    quote: str
    venue: str
    interval: str
    first: str  # UTC, opening of the first candle
    last: str
    rows: int
    sha256: str
    source: str
    imported_at: str


@dataclass(frozen=True)
class Stored:
    """What storing one symbol changed."""

    entry: Entry
    n_added: int
    conflicts: tuple[Conflict, ...]  # resolved as the caller asked


def is_catalogue(folder: Path) -> bool:
    """Tell whether the folder holds a catalogue."""
    return (folder / MANIFEST).is_file()


def read_entries(folder: Path) -> tuple[Entry, ...]:
    """Return the files of a catalogue, by path.

    Raises
    ------
    NotFound
        If there is no catalogue.
    DataError
        If its manifest is not readable.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise NotFound(f"{folder}: holds no {MANIFEST}; fill it with: mycelial data import FILE --out {folder}")
    try:
        document = json.loads(manifest.read_text(encoding="utf-8"))
        version = document["version"]
        entries = [Entry(**entry) for entry in document["files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{manifest}: is damaged ({error}); restore it, or import the files again") from error
    if version != VERSION:
        raise DataError(f"{manifest}: has version {version}, this program reads {VERSION}; upgrade mycelial")
    for entry in entries:
        if Path(entry.path).is_absolute() or ".." in Path(entry.path).parts:
            raise DataError(f"{manifest}: {entry.path!r} leaves the catalogue; correct the path")
    return _settled(folder, entries)


def load(folder: Path, entry: Entry) -> Candles:
    """Load one file, refusing it when it is not the file the manifest describes."""
    path = folder / entry.path
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"{path}: is in {MANIFEST} but not on disk; import or download it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); import or download it again") from error
    if (found := checksum(content)) != entry.sha256:
        raise DataError(
            f"{path}: checksum is {found[:12]}…, the manifest says {entry.sha256[:12]}…; it was changed or damaged, "
            "import or download it again"
        )
    try:
        table = pq.ParquetFile(io.BytesIO(content)).read()
    except pa.ArrowException as error:
        raise DataError(f"{path}: cannot be read ({error}); import or download it again") from error
    return candles_of_table(table, path)


def load_interval(folder: Path, interval: str) -> Candles:
    """Load every symbol of one interval; symbols found at several venues are named "venue:symbol"."""
    entries = [entry for entry in read_entries(folder) if entry.interval == interval]
    if not entries:
        raise NotFound(f"{folder}: holds no {interval} candles; import or download some (mycelial data list)")
    count = {entry.symbol: 0 for entry in entries}
    for entry in entries:
        count[entry.symbol] += 1
    return joined(
        [
            only_symbol(
                load(folder, entry), 0, name=f"{entry.venue}:{entry.symbol}" if count[entry.symbol] > 1 else None
            )
            for entry in entries
        ]
    )


def store(
    folder: Path,
    candles: Candles,
    *,
    venue: str,
    interval: str,
    source: str,
    imported_at: str,
    on_conflict: OnConflict = "refuse",
) -> list[Stored]:
    """Merge candles of any number of symbols into the catalogue, all of them or none.

    Parameters
    ----------
    folder : Path
        Created when absent.
    candles : Candles
    venue : str
        Lower-case name of the exchange.
    interval : str
        A key of `intervals.INTERVAL_MS`.
    source : str
        Where the candles come from (a file name, an address), for the manifest.
    imported_at : str
        The time of this, as text; the catalogue keeps no clock.
    on_conflict : {"refuse", "keep", "replace"}
        See `merging.merge`.

    Raises
    ------
    DataError
        If a candle is impossible or contradicts a stored one; nothing was changed.
    StorageError
        If the disk refuses; nothing is half-written.
    """
    interval_ms(interval)
    refuse_odd_venue(venue)
    refuse_impossible(candles, source)
    refuse_misaligned(candles, interval, source)
    with atomic.locked(folder):
        before = {entry.path: entry for entry in read_entries(folder)} if is_catalogue(folder) else {}
        staged: dict[Path, Path] = {}
        after = dict(before)
        results = []
        try:
            for name, rows in _by_canonical_symbol(candles):
                path = f"{venue}/{interval}/{name}.parquet"
                stored = load(folder, before[path]) if path in before else None
                merged = merge(stored, rows, source, on_conflict=on_conflict)
                changed = merged.n_added > 0 or (bool(merged.conflicts) and on_conflict == "replace")
                if changed:
                    content = _parquet(merged.candles)
                    staged[folder / path] = atomic.stage(folder / path, content)
                    after[path] = Entry(
                        path=path,
                        symbol=name,
                        quote=merged.candles.quotes[0],
                        venue=venue,
                        interval=interval,
                        first=time_text(int(merged.candles.time_ms[0])),
                        last=time_text(int(merged.candles.time_ms[-1])),
                        rows=len(merged.candles),
                        sha256=checksum(content),
                        source=source,
                        imported_at=imported_at,
                    )
                results.append(Stored(after[path], merged.n_added, merged.conflicts))
            commit(folder, before, after, staged)
        finally:
            for temporary in staged.values():
                atomic.discard(temporary)
    return results


def commit(folder: Path, before: Mapping[str, Entry], after: Mapping[str, Entry], staged: Mapping[Path, Path]) -> None:
    """Make staged files part of the catalogue, all of them; `staged` maps their place to where they wait.

    The caller holds the lock of the folder.
    """
    if not staged:
        return
    _write_manifest(folder, [*before.values(), *(entry for path, entry in after.items() if entry != before.get(path))])
    for path_on_disk, temporary in staged.items():
        atomic.publish(temporary, path_on_disk)
    _write_manifest(folder, list(after.values()))


def canonical_symbol(symbol: str) -> str:
    """Spell a symbol as the catalogue does: "BTC/USDT", "btc-usdt" and "BTCUSDT" are BTCUSDT."""
    name = re.sub(r"[/_\- :]", "", symbol).upper()
    _refuse_odd_name("symbol", name, r"[A-Z0-9][A-Z0-9.]{0,39}")
    return name


def checksum(content: bytes) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file of any size, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_odd_venue(venue: str) -> None:
    """Raise `DataError` when a venue cannot be the name of a folder."""
    _refuse_odd_name("venue", venue, r"[a-z0-9_]+")


def _by_canonical_symbol(candles: Candles) -> list[tuple[str, Candles]]:
    parts: dict[str, list[Candles]] = {}
    for code, symbol in enumerate(candles.symbols):
        name = canonical_symbol(symbol)
        rows = only_symbol(candles, code, name=name)
        if len(rows):
            parts.setdefault(name, []).append(rows)
    return [(name, joined(parts[name])) for name in sorted(parts)]


def _refuse_odd_name(what: str, name: str, pattern: str) -> None:
    # Names become file names: nothing that could climb out of the folder.
    if not re.fullmatch(pattern, name):
        raise DataError(f"{what} {name!r} cannot be a file name; allowed is {pattern}")


def _settled(folder: Path, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Of two versions left by an interrupted write, keep the one that is on disk."""
    versions: dict[str, list[Entry]] = {}
    for entry in entries:
        versions.setdefault(entry.path, []).append(entry)
    settled = []
    for path, candidates in sorted(versions.items()):
        on_disk = (folder / path).is_file()
        if len(candidates) > 1 and on_disk:
            found = file_checksum(folder / path)
            settled.append(next((entry for entry in candidates if entry.sha256 == found), candidates[0]))
        else:
            settled.append(candidates[0])
    return tuple(settled)


def _write_manifest(folder: Path, entries: Sequence[Entry]) -> None:
    files = [asdict(entry) for entry in sorted(entries, key=lambda entry: entry.path)]
    text = json.dumps({"version": VERSION, "files": files}, indent=2) + "\n"
    atomic.write_atomically(folder / MANIFEST, text.encode())


def candle_table(candles: Candles) -> pa.Table:
    """Return one symbol as the table the catalogue stores."""
    columns = {
        "time": pa.array(candles.time_ms, pa.timestamp("ms", tz="UTC")),
        "symbol": pa.array([candles.symbols[0]] * len(candles)).dictionary_encode(),
        "quote": pa.array([candles.quotes[0]] * len(candles)).dictionary_encode(),
        **{column: pa.array(candles.value(column)) for column in VALUE_COLUMNS},
    }
    if candles.source is not None:
        columns["source"] = pa.array(candles.source.tolist(), pa.string()).dictionary_encode()
    return pa.table(columns)


def _parquet(candles: Candles) -> bytes:
    """Encode one symbol; the same candles give the same bytes."""
    sink = io.BytesIO()
    pq.write_table(candle_table(candles), sink, compression="zstd")
    return sink.getvalue()
