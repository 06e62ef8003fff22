"""Calling a compiled function by its address: two kernels that need not be compiled, or optimised, together.

Numba merges everything a kernel calls into one module and optimises it whole. Where a big kernel is called from
several others, a C entry point compiled once and reached through its address saves all but the first compilation, for
two nanoseconds a call. Addresses of functions and records travel in header fields (see `mycelial.domain.memory`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype, types
from numba.extending import intrinsic

_WORD = ir.IntType(64)


def record_at(row: np.dtype[np.void]) -> Any:
    """Return a function for kernels: address to the record of dtype `row` that lies there."""
    record = from_dtype(row)

    @intrinsic
    def at(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> ir.Value:
            return builder.inttoptr(arguments[0], context.get_value_type(record))

        return record(types.int64), generate

    return at


@intrinsic
def call_at(typing_context: Any, function: Any, argument: Any) -> Any:
    """Call the C function ``void(int64)`` at an address with one argument."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> ir.Value:
        kind = ir.FunctionType(ir.VoidType(), [_WORD])
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), [arguments[1]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate
