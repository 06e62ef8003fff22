"""Percentile memories: where does a number stand among those an agent remembers?

A memory holds 16-bit logarithmic codes (0.1 % apart) instead of numbers. Only ranks are ever asked for, so the order of
storage is free: `latest` memories are rings that forget the oldest value, `largest` memories are min-heaps that forget
the smallest one (what the authors' simulator does). A rank is one pass of comparisons, 8 codes or more an instruction.

Equal values count as not smaller: the reference stores every value a hair above itself (x 1..1.0001), with that effect.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_SHIFT = np.int32(13)  # keeps 10 of float32's 23 mantissa bits: steps of 0.1 %
_LOWEST = np.int32((127 - 12) << 10)  # codes start at 2^-12
_HIGHEST = 32766


@njit(inline="always", error_model="numpy")
def code(x: float) -> np.int16:
    """Return a monotone int16 code of x: 0 below 2^-12 in magnitude, resolution 0.1 % up to 2^20."""
    magnitude = (np.float32(abs(x)).view(np.int32) >> _SHIFT) - _LOWEST
    if magnitude < 0:
        return np.int16(0)
    magnitude = min(magnitude, _HIGHEST) + 1
    return np.int16(magnitude) if x >= 0 else np.int16(-magnitude)


@njit(inline="always", error_model="numpy")
def count_below(codes: NDArray[np.int16], start: int, stop: int, x: np.int16) -> int:
    """Return how many of codes[start:stop] are smaller than x."""
    total = np.int32(0)
    for k in range(start, stop):
        total = np.int32(total + np.int32(codes[k] < x))
    return total


@njit(error_model="numpy")
def push_heap(codes: NDArray[np.int16], start: int, size: int, cap: int, x: np.int16) -> int:
    """Insert x into the min-heap codes[start:start + size]; beyond `cap` drop the smallest. Return the new size."""
    if size < cap:
        k = size
        while k > 0:
            parent = (k - 1) >> 1
            if codes[start + parent] <= x:
                break
            codes[start + k] = codes[start + parent]
            k = parent
        codes[start + k] = x
        return size + 1
    if x <= codes[start]:
        return size
    k = 0
    while True:
        child = 2 * k + 1
        if child >= size:
            break
        if child + 1 < size and codes[start + child + 1] < codes[start + child]:
            child += 1
        if codes[start + child] >= x:
            break
        codes[start + k] = codes[start + child]
        k = child
    codes[start + k] = x
    return size


@njit(inline="always", error_model="numpy")
def reward_for(percentile: float, large_is_good: bool) -> int:
    """Return the reward +4, +2, +1, -1, -2, -4 of a percentile; small is good unless `large_is_good`."""
    if percentile < 0.05:
        r = 4
    elif percentile < 0.25:
        r = 2
    elif percentile < 0.5:
        r = 1
    elif percentile < 0.75:
        r = -1
    elif percentile < 0.95:
        r = -2
    else:
        r = -4
    return -r if large_is_good else r
