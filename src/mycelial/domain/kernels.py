"""How kernels are compiled: without reference counts, with NumPy's arithmetic, and only the wrappers that are called.

Numba counts references to every array that a function touches or hands on, with an atomic instruction each, and spends
much of its time on compiling that. Kernels own nothing: they are handed arrays, change them in place and return
numbers, and whoever called the outermost one keeps the arrays alive. So `_nrt=False` leaves the counting out. It also
means that a kernel cannot allocate; its scratch memory is handed in with the rest. A kernel that has to allocate uses
plain `njit`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import config, njit, types

from mycelial.domain.parts import PartCompiler
from mycelial.domain.plain import entered

_OWNS_NOTHING: dict[str, Any] = {"error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False}

NOWHERE_TO_KEEP = "no locator available"  # what Numba says where neither installation nor home can be written to
_PART: dict[str, Any] = {"no_cpython_wrapper": True, "pipeline_class": PartCompiler}
kernel: Any = njit(**_PART, **_OWNS_NOTHING)  # called by kernels only
inlined_kernel: Any = njit(forceinline=True, **_PART, **_OWNS_NOTHING)  # becomes part of its callers
shared_kernel: Any = njit(**_OWNS_NOTHING)  # called from Python too

# `from mycelial.x import y` and `import mycelial.x`, wherever they stand in a source.
_IMPORTS = re.compile(
    r"^[ \t]*(?:from[ \t]+(mycelial[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)|import[ \t]+(mycelial[\w.]*))", re.M
)


def entry(function: Callable[..., Any]) -> Any:
    """Compile a function that Python enters kernels by; it is kept on disk with all it calls, and gives up the lock."""
    return _on_disk(function, _OWNS_NOTHING)


def allocating_entry(function: Callable[..., Any]) -> Any:
    """Compile an `entry` that makes arrays of its own, or calls kernels that do."""
    return _on_disk(function, {"error_model": "numpy"})


def _on_disk(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    if config.DISABLE_JIT:
        return entered(function)
    try:
        return kept(njit(nogil=True, cache=True, **options)(function))
    except RuntimeError as error:
        if NOWHERE_TO_KEEP not in str(error):
            raise
        return njit(nogil=True, **options)(function)  # compiled once a process


def kept(dispatcher: Any, module: str = "") -> Any:
    """Let a kernel kept on disk be compiled again when any file of the package it may call into has changed.

    Numba looks only at the file of the kernel itself, so an edited or upgraded helper would go on in its old form.
    """
    files = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    name = module or str(dispatcher.__module__)
    if files is not None and _source(name) is not None:
        files._source_stamp = (files._source_stamp, _stamp(name))
    return dispatcher


@cache
def _stamp(module: str) -> int:
    """Return a checksum of the names, sizes and times of the sources of a module and of all it imports."""
    seen: dict[str, None] = {module: None}
    waiting = [module]
    while waiting:
        for name in _imported(waiting.pop()):
            if name not in seen:
                seen[name] = None
                waiting.append(name)
    stamp = 0
    for name in sorted(seen):
        about = _found(name).stat()
        stamp = zlib.crc32(f"{name} {about.st_size} {about.st_mtime_ns}".encode(), stamp)
    return stamp


@cache
def _imported(module: str) -> tuple[str, ...]:
    """Return the modules of the package that a module names in its imports."""
    names: dict[str, None] = {}
    for origin, wanted, whole in _IMPORTS.findall(_found(module).read_text(encoding="utf-8")):
        asked = [whole] if whole else [origin, *(f"{origin}.{name}" for name in re.findall(r"\w+", wanted))]
        names |= dict.fromkeys(name for name in asked if _source(name) is not None)
    return tuple(names)


def _source(module: str) -> Path | None:
    """Return the file of a module of the package; None if there is none of that name."""
    first, *rest = module.split(".")
    place = Path(__file__).parent.parent.joinpath(*rest)
    found = (place / "__init__.py", place.with_suffix(".py"))
    return next((file for file in found if first == "mycelial" and file.is_file()), None)


def _found(module: str) -> Path:
    file = _source(module)
    assert file is not None, module
    return file


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
