"""Snapshots of order books as files."""

from __future__ import annotations

from pathlib import Path

from mycelial.adapters.data.atomic import write_atomically
from mycelial.domain.errors import DataError, NotFound
from mycelial.market.book import OrderBook


def write_snapshot(path: Path, book: OrderBook) -> None:
    """Write the snapshot of a book in one step.

    Raises
    ------
    StorageError
        If the disk refuses; a snapshot that was there before is there still.
    """
    write_atomically(path, book.snapshot())


def read_snapshot(path: Path) -> OrderBook:
    """Return the book of a snapshot file.

    Raises
    ------
    NotFound
        If there is no such file.
    DataError
        If it is no snapshot of this version, or damaged.
    """
    try:
        return OrderBook.restore(path.read_bytes())
    except (FileNotFoundError, IsADirectoryError):
        raise NotFound(f"{path}: there is no such snapshot") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the disk") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
