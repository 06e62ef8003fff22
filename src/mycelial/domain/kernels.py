"""How kernels are compiled: without reference counts, with NumPy's arithmetic, and only the wrappers that are called.

Numba counts references to every array that a function touches or hands on, with an atomic instruction each, and spends
much of its time on compiling that. Kernels own nothing: they are handed arrays, change them in place and return
numbers, and whoever called the outermost one keeps the arrays alive. So `_nrt=False` leaves the counting out. It also
means that a kernel cannot allocate; its scratch memory is handed in with the rest. A kernel that has to allocate uses
plain `njit`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit, types

_OWNS_NOTHING: dict[str, Any] = {"error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False}

kernel: Any = njit(no_cpython_wrapper=True, **_OWNS_NOTHING)  # called by kernels only
inlined_kernel: Any = njit(no_cpython_wrapper=True, forceinline=True, **_OWNS_NOTHING)  # becomes part of its callers
shared_kernel: Any = njit(**_OWNS_NOTHING)  # called from Python too
entry: Any = njit(nogil=True, cache=True, **_OWNS_NOTHING)  # where Python enters; kept on disk with all it calls


def _widened(kind: Any) -> Any:
    kind = types.unliteral(kind)
    if isinstance(kind, types.Integer) and kind is not types.uint64:
        return types.int64
    return kind


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile, once, a function that only kernels call: whole numbers arrive as int64 (uint64 stays what it is).

    Numba compiles a function again for every combination of argument types it meets, and a constant counts as a type
    of its own: a writer called with twenty reasons is compiled twenty times. Here arguments are widened first.
    """
    dispatcher = kernel(function)
    find = getattr(dispatcher, "get_call_template", None)
    if find is None:  # compilation is switched off
        return function

    def find_widened(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        return find(tuple(map(_widened, args)), {name: _widened(kind) for name, kind in kws.items()})

    dispatcher.get_call_template = find_widened
    return dispatcher
