"""Calling a compiled function by its address: two kernels that need not be compiled, or optimised, together.

Numba merges everything a kernel calls into one module and optimises it whole. Where a big kernel is called from
several others, a C entry point compiled once and reached through its address saves all but the first compilation, for
two nanoseconds a call. Addresses of functions and records travel in header fields (see `mycelial.domain.memory`).
With compilation switched off, a `unit` is a number in a table and calling it looks the function up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, from_dtype, types
from numba.core.ccallback import CFunc
from numba.extending import intrinsic

from mycelial.domain.kernels import NOWHERE_TO_KEEP, kept
from mycelial.domain.plain import record_class

_WORD = ir.IntType(64)
_PLAIN: list[Callable[[int], None]] = []


class Unit:
    """A compiled ``void(int64)``; keep it alive while its address is used."""

    def __init__(self, function: Callable[[int], None]) -> None:
        self._kept: Any = None
        if config.DISABLE_JIT:
            _PLAIN.append(function)
            self.address = len(_PLAIN) - 1
        else:
            # As `numba.cfunc` does it, but looking at all sources it is compiled from before it reads from disk.
            self._kept = CFunc(function, ((types.int64,), types.void), locals={}, options={})
            try:
                self._kept.enable_caching()
                kept(self._kept, function.__module__)
            except RuntimeError as error:
                if NOWHERE_TO_KEEP not in str(error):
                    raise
            self._kept.compile()
            self.address = int(self._kept.address)


def record_at(row: np.dtype[np.void]) -> Any:
    """Return a function for kernels: address to the record of dtype `row` that lies there."""
    if config.DISABLE_JIT:
        overlay = record_class(row)
        return lambda address: overlay.from_address(int(address))
    record = from_dtype(row)

    @intrinsic
    def at(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> ir.Value:
            return builder.inttoptr(arguments[0], context.get_value_type(record))

        return record(types.int64), generate

    return at


def _emit_call(typing_context: Any, function: Any, argument: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [_WORD])
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), [arguments[1]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


def _call_plain(function: int, argument: int) -> None:
    _PLAIN[int(function)](int(argument))


# Call the function at an address with one argument.
call_at: Any = _call_plain if config.DISABLE_JIT else intrinsic(_emit_call)
