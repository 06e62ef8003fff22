"""Snapshots: the state of a book as bytes, and back.

Slots that were never handed out and ticks that are empty are left out, so a snapshot is as large as what lives.
Layout: magic, length of a JSON header, the header, non-empty levels, the arrays, CRC-32 of all before.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError, DataError
from mycelial.domain.instrument import Instrument
from mycelial.domain.kernels import allocating_entry
from mycelial.market.book.ladder import exists, mark, worse
from mycelial.market.book.matching import best
from mycelial.market.book.pool import remember_id
from mycelial.market.book.state import ARRAYS, SCALARS, State, allocate, hidden_of, level_of, terms_of

MAGIC = b"MYCBOOK1"
KEPT = ("orders", "terms", "accounts", "volumes", "schedule", "expiries")
LEVEL_ROW = np.dtype([(name, "<i8") for name in ("side", "tick", "head", "tail", "shown", "hidden")])
_DAMAGED = "this is not an order-book snapshot of this version, or it is damaged; take a new one"


@allocating_entry
def _gather_levels(header: NDArray[np.void], rows: NDArray[np.void]) -> int:
    book, count = header[0], 0
    for side in range(2):
        tick = best(book, side)
        while exists(book, side, tick):
            row, level = rows[count], level_of(book, 2 * tick + side)
            row.side, row.tick, row.head, row.tail = side, tick, level.head, level.tail
            row.shown, row.hidden = level.shown, hidden_of(book, 2 * tick + side).lots
            count += 1
            tick = worse(book, side, tick)
    return count


@allocating_entry
def _rebuild(header: NDArray[np.void], rows: NDArray[np.void]) -> None:
    """Fill ladder, bitmaps and client ids from the rows and the pool."""
    book = header[0]
    book.best_bid, book.best_ask = 0, book.ladder
    for n in range(len(rows)):
        row = rows[n]
        level = level_of(book, 2 * row.tick + row.side)
        level.head, level.tail, level.shown = row.head, row.tail, row.shown
        hidden_of(book, 2 * row.tick + row.side).lots = row.hidden
        mark(book, row.side, row.tick)
    for slot in range(1, book.high + 1):
        if terms_of(book, slot).serial >= 0 and terms_of(book, slot).client_id != 0:
            remember_id(book, slot)


def dump(state: State, instrument: Instrument) -> bytes:
    """Return the snapshot of a book."""
    used = state.scalar("high") + 1
    rows = np.zeros(state.scalar("live"), LEVEL_ROW)
    rows = rows[: _gather_levels(state.header, rows)]
    counts = {"orders": used, "terms": used, "expiries": state.scalar("expiry_count")}
    if state.scalar("tiers") == 1:
        counts["volumes"] = 0  # nobody counts them
    arrays = {name: state.arrays[name][: counts.get(name)] for name in KEPT}
    header = json.dumps(
        {
            "instrument": {
                name: str(value) if isinstance(value, Decimal) else value for name, value in asdict(instrument).items()
            },
            "scalars": {name: state.scalar(name) for name in SCALARS},
            "rows": {name: len(array) for name, array in arrays.items()},
            "levels": len(rows),
        }
    ).encode()
    body = b"".join(
        [MAGIC, len(header).to_bytes(8, "little"), header, rows.tobytes(), *(a.tobytes() for a in arrays.values())]
    )
    return body + zlib.crc32(body).to_bytes(4, "little")


def load(data: bytes) -> tuple[State, Instrument]:
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
        fields: dict[str, Any] = header["instrument"]
        for name in ("tick_size", "lot_size"):
            fields[name] = Decimal(fields[name])
        instrument = Instrument(**fields)
        counts = header["rows"]
        tiers = [(n, 0, 0) for n in range(counts["schedule"])]
        state = allocate(instrument, counts["accounts"] - 2, tiers, np.array(False))
        for name in SCALARS:
            state.header[name] = header["scalars"][name]
        rows = np.frombuffer(data, LEVEL_ROW, header["levels"], 16 + length).copy()
        at = 16 + length + rows.nbytes
        for name, count in counts.items():
            array = np.frombuffer(data, ARRAYS[name], count, at)
            state.arrays[name][:count] = array
            at += array.nbytes
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise DataError(_DAMAGED) from error
    _rebuild(state.header, rows)
    return state, instrument
