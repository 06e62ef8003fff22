"""An append-only file of JSON lines that survives a crash: a line is on the disk before the next is written."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from mycelial.domain.errors import DataError, StorageError


class Journal:
    """Appends lines; begins by cutting the file to `whole` bytes: a half-written line goes (see `read_lines`)."""

    def __init__(self, path: Path, whole: int) -> None:
        self._path = path
        try:
            self._file = path.open("ab")
            self._file.truncate(whole)
        except OSError as error:
            raise self._refused(error) from error

    def append(self, line: Mapping[str, Any]) -> None:
        """Write one line and flush it to the disk; `StorageError` if the disk refuses."""
        try:
            self._file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._refused(error) from error

    def __enter__(self) -> Self:
        """Nothing to do: the file is open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()

    def _refused(self, error: OSError) -> StorageError:
        return StorageError(f"{self._path}: cannot be written ({error.strerror}); free space, then resume")


def read_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the whole lines and the bytes they take; a last line cut short is left out, a missing file is empty.

    Raises
    ------
    DataError
        If a whole line is no JSON object.
    """
    content = path.read_bytes() if path.exists() else b""
    whole = content.rfind(b"\n") + 1
    lines = []
    for number, text in enumerate(content[:whole].splitlines()):
        try:
            line = json.loads(text)
        except ValueError as error:
            raise DataError(
                f"{path}, line {number + 1}: not JSON ({error}); cut the file before this line and resume"
            ) from None
        if not isinstance(line, dict):
            raise DataError(f"{path}, line {number + 1}: not an object; cut the file before this line and resume")
        lines.append(line)
    return lines, whole
