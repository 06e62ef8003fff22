"""Snapshots: the state of a book as bytes, and back.

Slots that were never handed out and ticks that are empty are left out, so a snapshot is as large as what lives. Layout: magic,
length of a JSON header, the header (version, instrument, rules, array shapes), the arrays, CRC-32 of all before.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError, DataError
from mycelial.domain.instrument import Instrument
from mycelial.market.book.ladder import exists, mark, worse
from mycelial.market.book.matching import best
from mycelial.market.book.pool import remember_id
from mycelial.market.book.state import BEST_ASK, BEST_BID, EXPIRIES, HIGH, LIVE, Book, allocate

MAGIC = b"MYCBOOK1"
LEVEL_ROW = np.dtype([("side", "<i8"), ("tick", "<i8"), ("head", "<i8"), ("tail", "<i8"), ("shown", "<i8"), ("hidden", "<i8")])
_DAMAGED = "this is not an order-book snapshot of this version, or it is damaged; take a new one"


@njit(cache=True)
def _gather_levels(book: Book, rows: NDArray[np.void]) -> int:
    count = 0
    for side in range(2):
        tick = best(book, side)
        while exists(book, side, tick):
            row, level = rows[count], book.levels[side, np.uint64(tick)]
            row.side, row.tick, row.head, row.tail = side, tick, level.head, level.tail
            row.shown, row.hidden = level.shown, book.hidden[side, np.uint64(tick)]
            count += 1
            tick = worse(book, side, tick)
    return count


@njit(cache=True)
def _rebuild(book: Book, rows: NDArray[np.void]) -> None:
    """Fill ladder, bitmaps and client ids from the rows and the pool."""
    book.scalars[BEST_BID], book.scalars[BEST_ASK] = 0, book.rules.ladder
    for n in range(len(rows)):
        row = rows[n]
        level = book.levels[row.side, np.uint64(row.tick)]
        level.head, level.tail, level.shown = np.uint32(row.head), np.uint32(row.tail), row.shown
        book.hidden[row.side, np.uint64(row.tick)] = row.hidden
        mark(book, row.side, row.tick)
    for n in range(1, book.scalars[HIGH] + 1):
        slot = np.uint32(n)
        if book.terms[slot].serial >= 0 and book.terms[slot].client_id != 0:
            remember_id(book, slot)


def dump(book: Book, instrument: Instrument) -> bytes:
    """Return the snapshot of a book."""
    used = int(book.scalars[HIGH]) + 1
    rows = np.zeros(int(book.scalars[LIVE]), LEVEL_ROW)
    rows = rows[: _gather_levels(book, rows)]
    has_volumes = book.rules.tiers > 1
    arrays: dict[str, NDArray[Any]] = {
        "scalars": book.scalars,
        "orders": book.orders[:used],
        "terms": book.terms[:used],
        "levels": rows,
        "accounts": book.accounts,
        "volumes": book.volumes if has_volumes else book.volumes[:0],
        "thresholds": book.thresholds,
        "rates": book.rates,
        "expiries": book.expiries[: int(book.scalars[EXPIRIES])],
    }
    header = json.dumps(
        {
            "instrument": {
                name: str(value) if isinstance(value, Decimal) else value for name, value in asdict(instrument).items()
            },
            "arrays": {name: list(array.shape) for name, array in arrays.items()},
        }
    ).encode()
    body = b"".join([MAGIC, len(header).to_bytes(8, "little"), header, *(a.tobytes() for a in arrays.values())])
    return body + zlib.crc32(body).to_bytes(4, "little")


def load(data: bytes) -> tuple[Book, Instrument]:
    """Return the book of a snapshot.

    Raises
    ------
    DataError
        If `data` is no snapshot of this version, or damaged.
    """
    if len(data) < 20 or not data.startswith(MAGIC) or zlib.crc32(data[:-4]).to_bytes(4, "little") != data[-4:]:
        raise DataError(_DAMAGED)
    length = int.from_bytes(data[8:16], "little")
    try:
        header = json.loads(data[16 : 16 + length])
        exact = {name: Decimal(header["instrument"].pop(name)) for name in ("tick_size", "lot_size")}
        instrument = Instrument(**header["instrument"], **exact)
        shapes = header["arrays"]
        tiers = shapes["thresholds"][0]
        book = allocate(instrument, shapes["accounts"][0] - 2, [(n, 0, 0) for n in range(tiers)], np.array(False))
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise DataError(_DAMAGED) from error
    at, rows = 16 + length, np.zeros(0, LEVEL_ROW)
    for name, shape in shapes.items():
        target = rows if name == "levels" else getattr(book, name)
        count = int(np.prod(shape))
        array = np.frombuffer(data, target.dtype, count, at).reshape(shape)
        at += array.nbytes
        if name == "levels":
            rows = array.copy()
        else:
            target[: shape[0]] = array
    _rebuild(book, rows)
    return book, instrument
