"""How kernels are compiled: without reference counts, with NumPy's arithmetic, and only the wrappers that are called.

Numba counts references to every array that a function touches or hands on, with an atomic instruction each, and spends
much of its time on compiling that. Kernels own nothing: they are handed arrays, change them in place and return
numbers, and whoever called the outermost one keeps the arrays alive. So `_nrt=False` leaves the counting out. It also
means that a kernel cannot allocate; its scratch memory is handed in with the rest. A kernel that has to allocate uses
plain `njit`.
"""

from __future__ import annotations

from typing import Any

from numba import njit

_OWNS_NOTHING: dict[str, Any] = {"error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False}

kernel: Any = njit(no_cpython_wrapper=True, **_OWNS_NOTHING)  # called by kernels only
inlined_kernel: Any = njit(no_cpython_wrapper=True, forceinline=True, **_OWNS_NOTHING)  # becomes part of its callers
shared_kernel: Any = njit(**_OWNS_NOTHING)  # called from Python too
entry: Any = njit(nogil=True, cache=True, **_OWNS_NOTHING)  # where Python enters; kept on disk with all it calls
