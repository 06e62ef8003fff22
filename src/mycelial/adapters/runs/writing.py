"""Record a run: in a folder beside its place, which takes the run's name once every file is whole.

Whatever stops the recording (an error, a full disk, Ctrl-C) removes that folder. A killed process leaves it, with a
manifest that says "running", which every reader refuses.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mycelial.adapters.data.atomic import write_atomically
from mycelial.adapters.runs.layout import COUNTED, CURVES, DAYS, LEARNING, LOCK, MANIFEST, SCHEMA, SERIES, TABLES
from mycelial.adapters.runs.manifest import is_run
from mycelial.domain.errors import ConfigError, StorageError
from mycelial.simulation.run import WorldRun


@contextlib.contextmanager
def new_run(directory: Path, *, overwrite: bool = False) -> Iterator[RunWriter]:
    """Give a writer; when its block ends without an error, the run appears as `directory`, complete.

    Parameters
    ----------
    overwrite : replace a run that is there; it stays until the new one is complete.

    Raises
    ------
    ConfigError
        If the directory is taken: by a run without `overwrite`, or by anything else.
    StorageError
        If the disk refuses; nothing is left behind.
    """
    with new_folder(directory, overwrite=overwrite) as partial:
        writer = RunWriter(partial, directory)
        try:
            writer.open()
            yield writer
        finally:
            writer.abandon()
        if not writer.is_finished:
            raise RuntimeError(f"{directory}: the writer's block ended before `finish`")


@contextlib.contextmanager
def new_folder(directory: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a folder to write a run into; when its block ends without an error, it appears as `directory`.

    See `new_run` for what is raised. The block writes a manifest with `write_manifest`.
    """
    _refuse_taken(directory, overwrite=overwrite)
    place = directory.resolve()  # a link keeps pointing at the run
    new_parents = [folder for folder in place.parents if not folder.exists()]
    partial: Path | None = None
    try:
        with _storing(directory):
            place.parent.mkdir(parents=True, exist_ok=True)
            partial = _new_folder(place)
        yield partial
        _refuse_taken(directory, overwrite=overwrite)  # somebody may have come meanwhile
        with _storing(directory):
            _publish(partial, place)
    except BaseException:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
        for folder in new_parents:
            with contextlib.suppress(OSError):  # somebody uses it by now
                folder.rmdir()
        raise


def write_manifest(folder: Path, manifest: Mapping[str, Any], *, schema: str = SCHEMA) -> None:
    """Write the manifest that makes a folder a run."""
    text = json.dumps({"schema": schema, **manifest}, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / MANIFEST, (text + "\n").encode())


class RunWriter:
    """Writes the files of a run; made by `new_run`."""

    def __init__(self, folder: Path, directory: Path) -> None:
        self.folder = folder
        self.is_finished = False
        self._directory = directory
        self._runs = 0
        self._files: dict[str, pq.ParquetWriter] = {}

    def open(self) -> None:
        """Open the files; until `finish`, the manifest says that the run is under way."""
        write_manifest(self.folder, {"status": "running"})
        with _storing(self._directory):
            for name, schema in TABLES.items():
                counted = [column for column in schema.names if column in COUNTED]
                path = self.folder / name
                self._files[name] = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=counted)

    def add(self, world: WorldRun) -> None:
        """Append a world as the next run; `StorageError` if the disk refuses."""
        days = world.price.shape[1]
        start = world.params.learning_days
        self._append(SERIES, _series(world, start, days))
        self._append(LEARNING, _series(world, 0, start))
        self._append(DAYS, [np.arange(days), world.bankrupt_pct, world.nav_ratio_pct, world.bias_pct.mean(axis=0)])
        year_and_agent = np.indices(world.year_nav_pct.shape)
        self._append(CURVES, [*year_and_agent, world.year_nav_pct])
        self._runs += 1

    def finish(self, manifest: Mapping[str, Any], lock: str) -> None:
        """Complete the files: `manifest` is what else it says, `lock` the configuration as TOML."""
        with _storing(self._directory):
            for name, file in self._files.items():
                file.close()
                _flush(self.folder / name)
        self._files.clear()
        write_atomically(self.folder / LOCK, lock.encode())
        write_manifest(self.folder, {**manifest, "status": "complete"})
        self.is_finished = True

    def abandon(self) -> None:
        """Let go of files that `finish` has not closed; nobody will read them."""
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()
        self._files.clear()

    def _append(self, name: str, columns: list[NDArray[Any]]) -> None:
        """Append rows of the current run: all its columns but the first."""
        schema = TABLES[name]
        run = np.full(columns[0].size, self._runs)
        arrays = [pa.array(one.ravel(), kind) for one, kind in zip([run, *columns], schema.types, strict=True)]
        with _storing(self._directory):
            self._files[name].write_table(pa.table(arrays, schema=schema))


def _series(world: WorldRun, first: int, stop: int) -> list[NDArray[Any]]:
    """Return the columns of the series from day `first` to before `stop`, an asset after the other."""
    asset, step = np.indices((world.price.shape[0], stop - first))
    series = (world.price, world.volume, world.spread, world.fundamental)
    return [step + first, asset, *(one[:, first:stop] for one in series)]


def _refuse_taken(directory: Path, *, overwrite: bool) -> None:
    if not directory.exists():
        return
    try:
        is_taken = not directory.is_dir() or any(directory.iterdir())
    except OSError as error:
        raise StorageError(f"{directory}: cannot be read ({error.strerror}); choose another --out") from error
    if is_taken and not is_run(directory):
        raise ConfigError(
            f"{directory}: is not a run, and --overwrite replaces nothing else; "
            "move what is there or choose another --out"
        )
    if is_taken and not overwrite:
        raise ConfigError(f"{directory}: is a run already; replace it with --overwrite or choose another --out")


def _new_folder(place: Path) -> Path:
    """Make a folder beside `place` that no other process has; a killed one may have had our process id."""
    for number in itertools.count(1):
        again = "" if number == 1 else f"-{number}"
        folder = place.with_name(f"{place.name}.partial-{os.getpid()}{again}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("numbers do not end")


def _publish(partial: Path, place: Path) -> None:
    """Give the folder its name; a run that had it is put back if that fails, and removed if it does not."""
    replaced: Path | None = None
    if place.exists():
        if any(place.iterdir()):
            replaced = place.with_name(partial.name.replace(".partial-", ".replaced-"))
            place.rename(replaced)
        else:
            place.rmdir()  # not every system renames onto an empty folder
    try:
        partial.rename(place)
    except BaseException:
        if replaced is not None:
            replaced.rename(place)
        raise
    if replaced is not None:
        shutil.rmtree(replaced, ignore_errors=True)
    _flush(place.parent)


def _flush(path: Path) -> None:
    """Put a file or folder on the disk; some file systems cannot do that with a folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        if path.is_dir():
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _storing(directory: Path) -> Iterator[None]:
    """Turn the refusals of a disk into one `StorageError`."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).splitlines()[0]
        raise StorageError(
            f"{directory}: cannot be written ({reason}); nothing was left behind; free space or choose another folder"
        ) from error
