"""The nonce of a key never repeats or goes back, whatever the clock does between two runs.

The floor on disk is ahead of the nonces in use by `AHEAD_NS`, so that it is written every few seconds and not with
every request; a new run begins above it. A clock that was set back a year costs nothing but a jump.
"""

from __future__ import annotations

from pathlib import Path

from mycelial.adapters.data.atomic import write_atomically
from mycelial.domain.errors import DataError
from mycelial.kraken.nonces import NonceSource

AHEAD_NS = 10 * 10**9


class StoredNonces:
    """Nonces of one key, with their floor in a file.

    Raises
    ------
    DataError
        If the file holds no number: guessing could lock the key out.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stored = 0
        if path is not None and path.is_file():
            text = path.read_text().strip()
            if not text.isdigit():
                raise DataError(f"{path}: is no nonce; delete it if no other client used this key since")
            self._stored = int(text)
        self._source = NonceSource(self._stored)

    def next(self, now_ns: int) -> int:
        """Return the next nonce, with its floor safely on disk.

        Raises
        ------
        StorageError
            If the disk refuses; the nonce must not be used then.
        """
        nonce = self._source.next(now_ns)
        if self._path is not None and nonce >= self._stored:
            write_atomically(self._path, str(nonce + AHEAD_NS).encode())
            self._stored = nonce + AHEAD_NS
        return nonce
