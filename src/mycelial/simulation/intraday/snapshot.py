"""A running market as bytes, and back: book, population, queue and rings, as they lie in memory.

Layout: magic, length of a JSON header, the header, the book's own snapshot, the arrays it lists, CRC-32 of all before.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.intraday import state as crowd_state
from mycelial.domain.errors import DataError
from mycelial.simulation.intraday import state as loop_state

MAGIC = b"MYCLIVE2"
_LOGS = ("input_log", "event_log")  # what was recorded but not taken is not part of the market
_DAMAGED = "this is not a snapshot of an intraday market of this version, or it is damaged; take a new one"
Arrays = dict[str, NDArray[np.void]]


class Parts(NamedTuple):
    """What a snapshot holds."""

    facts: dict[str, Any]
    book: bytes
    crowd_header: NDArray[np.void]
    crowd: Arrays
    loop_header: NDArray[np.void]
    loop: Arrays


def pack(parts: Parts) -> bytes:
    """Return the snapshot as bytes."""
    blobs = [parts.crowd_header.tobytes(), parts.loop_header.tobytes()]
    rows = {}
    for group, arrays in (("crowd", parts.crowd), ("loop", parts.loop)):
        rows[group] = {name: len(array) for name, array in arrays.items() if name not in _LOGS}
        blobs += [arrays[name].tobytes() for name in rows[group]]
    header = json.dumps({"facts": parts.facts, "rows": rows, "book": len(parts.book)}).encode()
    body = b"".join([MAGIC, len(header).to_bytes(8, "little"), header, parts.book, *blobs])
    return body + zlib.crc32(body).to_bytes(4, "little")


def unpack(data: bytes) -> Parts:
    """Return what `pack` packed.

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
        at = 16 + length + header["book"]
        book = data[16 + length : at]
        found = []
        for dtype, count in ((crowd_state.CROWD, 1), (loop_state.LOOP, 1)):
            found.append(np.frombuffer(data, dtype, count, at).copy())
            at += dtype.itemsize * count
        groups: dict[str, Arrays] = {}
        for group, dtypes in (("crowd", crowd_state.ARRAYS), ("loop", loop_state.ARRAYS)):
            groups[group] = {}
            for name, count in header["rows"][group].items():
                groups[group][name] = np.frombuffer(data, dtypes[name], count, at).copy()
                at += dtypes[name].itemsize * count
        return Parts(header["facts"], book, found[0], groups["crowd"], found[1], groups["loop"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(_DAMAGED) from error
