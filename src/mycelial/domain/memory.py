"""One record that owns many arrays: how kernels reach a struct of arrays through a single argument.

Handing a kernel twenty arrays costs Numba a hundred machine arguments in every helper, and minutes of compilation. Here
a *header* (a one-row structured array) holds the address of each array as a field, and a *reach* made by `reach` turns
(header, index) into the row of one of them: an addition and nothing else. Whoever makes the header keeps the arrays
alive and does not let them move.

>>> import numpy as np
>>> POINT = np.dtype([("x", "<i8"), ("y", "<i8")])
>>> HEADER = np.dtype([("points_at", "<i8")])
>>> point = reach(HEADER, "points_at", POINT)
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, from_dtype, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from mycelial.domain.plain import record_class

_LARGE = 1 << 18  # bytes


def address(array: NDArray[Any]) -> int:
    """Return where an array begins in memory."""
    if not array.flags.c_contiguous:
        raise ValueError("only a contiguous array has rows at equal distances")
    return int(array.ctypes.data)


def blank(rows: int, row: np.dtype[np.void]) -> NDArray[np.void]:
    """Return zeros whose memory is taken from the system only where it is written.

    `numpy.zeros` promises less: memory that was freed before is cleared, hence touched, from one end to the other, and
    large arrays come in pages of two megabytes. A ladder of which a thousandth is used wants neither.
    """
    size = rows * row.itemsize
    if size < _LARGE or not hasattr(mmap, "MAP_ANONYMOUS"):
        return np.zeros(rows, row)
    room = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        room.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(room, row)


def reach(header: np.dtype[np.void], field: str, row: np.dtype[np.void]) -> Any:
    """Return a function for kernels: (header record, index) to the record at that index.

    Parameters
    ----------
    header : dtype of the header record
    field : str
        The int64 field of it that holds an address.
    row : dtype of the rows found there

    Notes
    -----
    No bounds are checked, as in all kernels; the row may be read and written.
    """
    if config.DISABLE_JIT:
        return _plain_reach(field, row)
    record = from_dtype(row)
    whole = from_dtype(header)
    offset = header.fields[field][1]  # type: ignore[index]
    size = row.itemsize

    @intrinsic
    def row_at(typing_context: Any, owner: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> ir.Value:
            word = ir.IntType(64)
            start = builder.add(builder.ptrtoint(arguments[0], word), word(offset))
            base = builder.load(builder.inttoptr(start, word.as_pointer()))
            # Arrays do not move while a kernel runs, so one load serves a whole loop whatever is written meanwhile.
            base.set_metadata("invariant.load", builder.module.add_metadata([]))
            place = builder.add(base, builder.mul(arguments[1], word(size)))
            return builder.inttoptr(place, context.get_value_type(record))

        return record(whole, types.int64), generate

    return row_at


def _plain_reach(field: str, row: np.dtype[np.void]) -> Any:
    record, size = record_class(row), row.itemsize

    def row_at(owner: Any, index: int) -> Any:
        return record.from_address(int(getattr(owner, field)) + int(index) * size)

    return row_at
