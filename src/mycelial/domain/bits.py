"""Counting zeros of 64-bit words: one machine instruction in kernels, the obvious thing in plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload


def trailing_zeros(word: np.uint64) -> int:
    """Return the position of the lowest set bit; `word` must not be 0."""
    value = int(word)
    return (value & -value).bit_length() - 1


def highest_bit(word: np.uint64) -> int:
    """Return the position of the highest set bit; `word` must not be 0."""
    return int(word).bit_length() - 1


@intrinsic
def _cttz(typing_context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> ir.Value:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@intrinsic
def _ctlz(typing_context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> ir.Value:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@overload(trailing_zeros, inline="always")
def _trailing_zeros(word: Any) -> Any:
    def count(word: Any) -> Any:
        return _cttz(word)

    return count


@overload(highest_bit, inline="always")
def _highest_bit(word: Any) -> Any:
    def find(word: Any) -> Any:
        return 63 - _ctlz(word)

    return find
