"""The folder of a calibration: documents replaced in one step, and journals that survive a crash.

What documents and journals say is `mycelial.lab.calibration`'s business.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from mycelial.adapters.data.atomic import locked, write_atomically
from mycelial.domain.errors import DataError, NotFound, StorageError


class StudyFolder:
    """The files of one calibration; the folder need not exist before the first write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def holds(self, name: str) -> bool:
        """Tell whether there is a file of that name."""
        return (self.path / name).exists()

    def read(self, name: str) -> Any:
        """Return a document; `NotFound` if there is none, `DataError` if it is not JSON."""
        path = self.path / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except OSError:
            raise NotFound(
                f"{self.path} holds no {name}; begin one with `mycelial calibrate run --out {self.path}`"
            ) from None
        except ValueError as error:
            raise DataError(f"{path} is not JSON ({error}); begin the study anew") from None

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Replace a document in one step; `StorageError` if the disk refuses."""
        text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        write_atomically(self.path / name, (text + "\n").encode())

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the whole lines of a journal; a missing one is empty."""
        return read_lines(self.path / name)[0]

    @contextmanager
    def appending(self, name: str) -> Iterator[Journal]:
        """Open a journal to append to, alone: other processes wait until the block ends."""
        with locked(self.path):
            _, whole = read_lines(self.path / name)
            with Journal(self.path / name, whole) as journal:
                yield journal


class Journal:
    """Appends JSON lines, each on the disk before the next is written.

    Begins by cutting the file to `whole` bytes: a half-written line goes (see `read_lines`).
    """

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
