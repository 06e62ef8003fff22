"""Records as kernels see them where compilation is switched off (NUMBA_DISABLE_JIT=1): fields by name, in plain Python.

Compiled kernels reach a field of a record as an attribute, at an address. NumPy's own records know neither, so here a
class is made of every dtype: an overlay of the memory, written through. Numbers come out in the widths that compiled
code computes with (whole numbers as int64, uint64 and floats as they are), so that plain and compiled kernels agree to
the last bit. It is hundreds of times slower and meant for debuggers and for comparison.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

_C_TYPES: dict[str, Any] = {
    "u1": ctypes.c_uint8,
    "u2": ctypes.c_uint16,
    "u4": ctypes.c_uint32,
    "u8": ctypes.c_uint64,
    "i1": ctypes.c_int8,
    "i2": ctypes.c_int16,
    "i4": ctypes.c_int32,
    "i8": ctypes.c_int64,
    "f4": ctypes.c_float,
    "f8": ctypes.c_double,
}


@cache
def record_class(dtype: np.dtype[np.void]) -> Any:
    """Return a class whose instances lie over memory of a dtype: ``record_class(dtype).from_address(address)``.

    Fields that are arrays come as NumPy arrays over the same memory, fields that are records as records.
    """
    stored: list[tuple[str, Any]] = []
    shown: dict[str, Any] = {}
    at = 0
    for name in dtype.names or ():
        field, offset = dtype.fields[name][:2]  # type: ignore[index]
        if offset > at:
            stored.append((f"_gap{at}", ctypes.c_char * (offset - at)))
        at = offset + field.itemsize
        if field.names:
            stored.append((name, record_class(field)))
        elif field.subdtype is not None:
            stored.append((f"_{name}", ctypes.c_char * field.itemsize))
            shown[name] = _array(field.subdtype, offset)
        else:
            stored.append((f"_{name}", _C_TYPES[field.str[1:]]))
            shown[name] = _number(f"_{name}", field)
    if dtype.itemsize > at:
        stored.append((f"_gap{at}", ctypes.c_char * (dtype.itemsize - at)))
    return type("Record", (ctypes.LittleEndianStructure,), {"_pack_": 1, "_fields_": stored, **shown})


def _number(name: str, field: np.dtype[Any]) -> property:
    plain = float if field.kind == "f" else int
    wide: Any = field.type if field.kind == "f" or field == np.uint64 else np.int64

    def read(record: Any) -> Any:
        return wide(getattr(record, name))

    def write(record: Any, value: Any) -> None:
        setattr(record, name, plain(value))

    return property(read, write)


def _array(subdtype: tuple[np.dtype[Any], tuple[int, ...]], offset: int) -> property:
    item, shape = subdtype

    def read(record: Any) -> NDArray[Any]:
        return np.frombuffer(record, item, int(np.prod(shape)), offset).reshape(shape)

    return property(read)


class Rows:
    """An array of records as an entry point of plain kernels sees it."""

    def __init__(self, array: NDArray[np.void]) -> None:
        self._array = array  # kept alive
        self._first = int(array.ctypes.data)
        self._step = int(array.strides[0]) if array.ndim else 0
        self._record = record_class(array.dtype)

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self._array):
            raise IndexError(f"row {index} of {len(self._array)}")
        return self._record.from_address(self._first + int(index) * self._step)


def entered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a plain kernel that takes arrays of records as they are, and computes as compiled code does: silently."""

    @wraps(function)
    def enter(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*map(_seen, arguments))

    return enter


def _seen(argument: Any) -> Any:
    return Rows(argument) if isinstance(argument, np.ndarray) and argument.dtype.names else argument
