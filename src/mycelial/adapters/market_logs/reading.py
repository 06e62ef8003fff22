"""Read a log chunk by chunk, checking each against the running digest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mycelial.domain.errors import DataError, NotFound
from mycelial.market.log import CHUNK, PREFIX, check_chunk_head, decode_chunk, decode_header, header_length

_FIX = "record the run again, or replay the part before it from a copy cut there"


class LogReader:
    """A log on disk.

    Raises
    ------
    NotFound
        If there is no such file.
    DataError
        If the file is no log of this version; the message names file and offset.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.digest = 0  # of what `chunks` has read so far
        try:
            with path.open("rb") as file:
                prefix = file.read(PREFIX.size)
                length = header_length(prefix)
                self.header = decode_header(prefix, file.read(length))
        except (FileNotFoundError, IsADirectoryError):
            raise NotFound(f"{path}: there is no such log; see `mycelial sim replay --help`") from None
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the disk") from error
        except DataError as error:
            raise DataError(f"{path}: {error} (offset 0); choose a log that this version has written") from None
        self._start = PREFIX.size + length

    def chunks(self) -> Iterator[NDArray[Any]]:
        """Return the records, chunk by chunk, from the beginning; one chunk is in memory at a time.

        Raises
        ------
        DataError
            At the first chunk that is damaged or cut short; the message names file, offset and what to do.
        """
        dtype, at, first, digest = self.header.dtype, self._start, self.header.first, 0
        try:
            with self.path.open("rb") as file:
                file.seek(at)
                while head := file.read(CHUNK.itemsize):
                    count = check_chunk_head(head, first)
                    body = file.read(count * dtype.itemsize)
                    records, digest = decode_chunk(head, body, dtype, digest)
                    self.digest = digest
                    yield records
                    at += len(head) + len(body)
                    first += count
        except DataError as error:
            raise DataError(f"{self.path}: {error} at offset {at} (record {first}); {_FIX}") from None
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be read at offset {at} ({error.strerror or error}); {_FIX}"
            ) from error
