"""How kernels are compiled: without reference counts, with NumPy's arithmetic, and only the wrappers that are called.

Numba counts references to every array that a function touches or hands on, with an atomic instruction each, and spends
much of its time on compiling that. Kernels own nothing: they are handed arrays, change them in place and return
numbers, and whoever called the outermost one keeps the arrays alive. So `_nrt=False` leaves the counting out. It also
means that a kernel cannot allocate; its scratch memory is handed in with the rest. A kernel that has to allocate uses
plain `njit`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit, types

_OWNS_NOTHING: dict[str, Any] = {"error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False}

kernel: Any = njit(no_cpython_wrapper=True, **_OWNS_NOTHING)  # called by kernels only
inlined_kernel: Any = njit(no_cpython_wrapper=True, forceinline=True, **_OWNS_NOTHING)  # becomes part of its callers
shared_kernel: Any = njit(**_OWNS_NOTHING)  # called from Python too

# A kernel may call what lies in its own room of the package or below it.
_ROOMS = ("domain", "market", "facts", "learning", "swarm", "agents", "simulation", "environment")


def entry(function: Callable[..., Any]) -> Any:
    """Compile a function that Python enters kernels by; it is kept on disk with all it calls, and gives up the lock."""
    return kept(njit(nogil=True, cache=True, **_OWNS_NOTHING)(function))


def allocating_entry(function: Callable[..., Any]) -> Any:
    """Compile an `entry` that makes arrays of its own, or calls kernels that do."""
    return kept(njit(nogil=True, cache=True, error_model="numpy")(function))


def kept(dispatcher: Any, module: str = "") -> Any:
    """Let a kernel kept on disk be compiled again when any file of the package it may call into has changed.

    Numba looks only at the file of the kernel itself, so an edited or upgraded helper would go on in its old form.
    """
    files = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    room = (module or str(dispatcher.__module__)).partition(".")[2].partition(".")[0]
    if files is not None and room in _ROOMS:
        files._source_stamp = (files._source_stamp, _stamp(room))
    return dispatcher


@cache
def _stamp(room: str) -> int:
    """Return a checksum of the names, sizes and times of all sources up to a room."""
    home, seen = Path(__file__).parent.parent, 0
    for name in _ROOMS[: _ROOMS.index(room) + 1]:
        for path in sorted((home / name).rglob("*.py")):
            about = path.stat()
            seen = zlib.crc32(f"{path.relative_to(home)} {about.st_size} {about.st_mtime_ns}".encode(), seen)
    return seen


def _widened(kind: Any) -> Any:
    kind = types.unliteral(kind)
    if isinstance(kind, types.Integer) and kind is not types.uint64:
        return types.int64
    return kind


def _once(dispatcher: Any) -> Any:
    """Let a kernel see whole numbers as int64 (uint64 stays what it is), so that it is compiled once."""
    find = getattr(dispatcher, "get_call_template", None)
    if find is None:  # compilation is switched off
        return dispatcher

    def find_widened(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        return find(tuple(map(_widened, args)), {name: _widened(kind) for name, kind in kws.items()})

    dispatcher.get_call_template = find_widened
    return dispatcher


def helper(function: Callable[..., Any]) -> Any:
    """Compile, once, a function that only kernels call: whole numbers arrive as int64 (uint64 stays what it is).

    Numba compiles a function again for every combination of argument types it meets, and a constant counts as a type
    of its own: a writer called with twenty reasons is compiled twenty times. Here arguments are widened first.
    """
    return _once(kernel(function))


def allocating_helper(function: Callable[..., Any]) -> Any:
    """Compile a `helper` that makes arrays of its own."""
    return _once(njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")(function))
