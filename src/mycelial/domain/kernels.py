"""`helper`: compile the inner functions of a kernel once each, and only for use inside kernels.

Numba compiles a function again for every combination of argument types it meets, and a constant counts as a type of its
own: a writer called with twenty reasons is compiled twenty times. `helper` widens whole numbers to int64 first.
It also leaves out the wrappers for calls from Python, which take a fifth of the time; `py_func` is there for tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit, types


def _widened(kind: Any) -> Any:
    kind = types.unliteral(kind)
    if isinstance(kind, types.Integer) and kind is not types.uint64:
        return types.int64
    return kind


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that only kernels call; whole numbers arrive as int64 (uint64 stays what it is)."""
    dispatcher = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")(function)
    find = getattr(dispatcher, "get_call_template", None)
    if find is None:  # compilation is switched off
        return function

    def find_widened(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        return find(tuple(map(_widened, args)), {name: _widened(kind) for name, kind in kws.items()})

    dispatcher.get_call_template = find_widened
    return dispatcher
