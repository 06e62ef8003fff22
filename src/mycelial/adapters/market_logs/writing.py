"""Write a log chunk by chunk; it gets its name only when it is complete."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mycelial.adapters.data.atomic import discard, publish
from mycelial.domain.copying import copied, joined
from mycelial.domain.errors import DataError, StorageError
from mycelial.market.log import CHUNK_RECORDS, LogHeader, encode_chunk, encode_header


class LogWriter:
    """Appends records to a new log; use it as a context manager.

    Records are gathered into chunks of 65,536, so memory is bounded whatever comes. Leaving the block publishes the
    file under its name; leaving it through an exception leaves nothing behind.

    Raises
    ------
    StorageError
        If the disk refuses, here or at any write.
    """

    def __init__(self, path: Path, header: LogHeader) -> None:
        self.path, self.header = path, header
        self.digest = 0
        self.written = 0
        self._waiting: list[NDArray[Any]] = []
        self._count = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        except OSError as error:
            raise _refused(path, error) from error
        self._staged = Path(name)
        self._file = os.fdopen(descriptor, "wb")
        self._put(encode_header(header))

    def append(self, records: NDArray[Any]) -> None:
        """Add records, whose numbers follow those before.

        Raises
        ------
        DataError
            If they are not of the dtype of the log.
        """
        if records.dtype != self.header.dtype:
            raise DataError(f"{self.path}: a log of {self.header.holds} takes no records of dtype {records.dtype}")
        self._waiting.append(copied(np.ascontiguousarray(records)))
        self._count += len(records)
        while self._count >= CHUNK_RECORDS:
            self._write(CHUNK_RECORDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._give_up()
            return
        if self._count:
            self._write(self._count)
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._staged.chmod(0o644)
        except OSError as refusal:
            self._give_up()
            raise _refused(self.path, refusal) from refusal
        publish(self._staged, self.path)

    def _write(self, count: int) -> None:
        whole = joined(self._waiting)
        data, self.digest = encode_chunk(whole[:count], self.header.first + self.written, self.digest)
        self._waiting, self._count = [whole[count:]], len(whole) - count
        self.written += count
        self._put(data)

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            self._give_up()
            raise _refused(self.path, error) from error

    def _give_up(self) -> None:
        self._file.close()
        discard(self._staged)


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path}: cannot be written ({error.strerror or error}); nothing was left behind; free space or choose another "
        "folder"
    )
