"""The manifest of a run: what makes a folder a run, and whether that run is complete."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mycelial.adapters.data.run_series import refuse_unfinished
from mycelial.adapters.runs.layout import MANIFEST, MARKET_SCHEMA, SCHEMA, SCHEMA_FAMILY
from mycelial.domain.errors import DataError, NotFound

LEFTOVERS = (".partial-", ".replaced-")  # in names of folders that a killed process left


@dataclass(frozen=True)
class Run:
    """A complete run."""

    directory: Path
    manifest: dict[str, Any]


def read_run(directory: Path, *, fields: Collection[str] = (), schema: str = SCHEMA) -> Run:
    """Return a complete run.

    Parameters
    ----------
    fields : names the manifest must have.
    schema : what the manifest must say it is.

    Raises
    ------
    NotFound
        If the folder is not a run.
    DataError
        If the run is not complete, or its manifest is corrupt, of another version or lacks one of `fields`.
    """
    file = directory / MANIFEST
    if not file.is_file():
        raise NotFound(f"{directory}: is not a run, it has no {MANIFEST}; see which there are: mycelial runs list")
    refuse_unfinished(directory)
    manifest = json.loads(file.read_text(encoding="utf-8"))
    found = manifest.get("schema")
    if found != schema:
        raise DataError(
            f"{file}: schema is {found!r}, this version reads {schema!r}; run the simulation again, "
            "or use the version of mycelial that recorded it"
        )
    missing = [name for name in fields if name not in manifest]
    if missing:
        raise DataError(f"{file}: lacks {', '.join(missing)}; run the simulation again")
    return Run(directory, manifest)


def is_market(directory: Path) -> bool:
    """Tell whether a folder is the run of an intraday market."""
    return _schema(directory) == MARKET_SCHEMA


def find_runs(root: Path, *, fields: Collection[str] = (), schema: str = SCHEMA) -> list[Run]:
    """Return the complete runs directly under `root`, oldest first; whatever else lies there is passed over.

    Raises
    ------
    NotFound
        If `root` is not a folder.
    """
    if not root.is_dir():
        raise NotFound(f"{root}: no such folder; record a first run there with: mycelial sim run")
    found = []
    for folder in sorted(root.iterdir()):
        if is_run(folder) and not any(mark in folder.name for mark in LEFTOVERS):
            try:
                found.append(read_run(folder, fields=fields, schema=schema))
            except DataError:
                continue
    return sorted(found, key=lambda run: str(run.manifest.get("started", "")))


def is_run(folder: Path) -> bool:
    """Tell whether the folder was made by the recorder, in any version, complete or not."""
    return _schema(folder).startswith(SCHEMA_FAMILY)


def _schema(folder: Path) -> str:
    """Return what a folder's manifest says it is; nothing if there is no readable one."""
    try:
        return str(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["schema"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
