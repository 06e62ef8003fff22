"""Percentile memories: where does a number stand among those an agent remembers?

Ranks are all that is ever asked for, so a memory stores logarithmic codes, not numbers.

* `Histogram` memories (forecast errors, expected moves: one value a day) count values in 512 bins, 32 to an octave, so
  bins are 2.2 % wide; 16 sums, one per octave, make a rank two short loops over two cache lines, whatever its size.
* `Series` memories (volatilities and volumes, which all agents of a horizon share, and profits) are plain int16 codes
  0.1 % apart; a rank is one pass of comparisons, several codes an instruction.

What is forgotten is the oldest value, or, as in the authors' simulator, the smallest one (Q2). The simulator breaks
ties by storing values a hair above themselves; here equal codes count half in histograms and as not smaller in series.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.kernels import kernel
from mycelial.domain.lanes import filled, highest, lowest, sum_before

OCTAVES, STEPS = 16, 32
BINS = OCTAVES * STEPS
LINES = 1 + OCTAVES  # of one histogram: sums by octave, then the bins of each octave; a line is 64 bytes
ERROR_FLOOR, MARGIN_FLOOR = -7, -9  # exponents of 2, in per cent: histograms start there and span 16 octaves

_HIGHEST = 32766
_COUNTABLE = 16384  # codes counted before an int16 could overflow
_SERIES_FLOOR = (127 - 12) << 10  # series codes start at 2^-12


@kernel
def code(x: float) -> np.int16:
    """Return a monotone int16 code of x for series: 0 below 2^-12 in magnitude, resolution 0.1 % up to 2^20."""
    magnitude = int(np.float32(abs(x)).view(np.int32) >> np.int32(13)) - _SERIES_FLOOR
    if magnitude < 0:
        return np.int16(0)
    magnitude = min(magnitude, _HIGHEST) + 1
    return np.int16(magnitude) if x >= 0 else np.int16(-magnitude)


@kernel
def bin_of(magnitude: float, floor: int) -> int:
    """Return the histogram bin of a magnitude whose lowest octave starts at 2^floor."""
    at = int(np.float32(magnitude).view(np.int32) >> np.int32(18)) - ((127 + floor) << 5)
    return min(max(at, 0), BINS - 1)


@kernel
def rank_in(histogram: NDArray[np.int16], j: int, row: int, where: int) -> float:
    """Return how many values of a histogram are below bin `where`, those in it counted half."""
    octave, step = where >> 5, where & 31
    below = sum_before(histogram, (j, row, 0, 0), OCTAVES, octave)
    below += sum_before(histogram, (j, row, 1 + octave, 0), STEPS, step)
    return below + 0.5 * histogram[j, row, 1 + octave, step]


@kernel
def put(histogram: NDArray[np.int16], j: int, row: int, where: int, change: int) -> None:
    """Add (1) or remove (-1) a value of bin `where`."""
    histogram[j, row, 1 + (where >> 5), where & 31] += change
    histogram[j, row, 0, where >> 5] += change


@kernel
def smallest_in(histogram: NDArray[np.int16], j: int, row: int) -> int:
    """Return the lowest bin that holds a value; the histogram is not empty."""
    octave = lowest(filled(histogram, (j, row, 0, 0), OCTAVES))
    return (octave << 5) + lowest(filled(histogram, (j, row, 1 + octave, 0), STEPS))


@kernel
def largest_in(histogram: NDArray[np.int16], j: int, row: int) -> int:
    """Return the highest bin that holds a value; the histogram is not empty."""
    octave = highest(filled(histogram, (j, row, 0, 0), OCTAVES))
    return (octave << 5) + highest(filled(histogram, (j, row, 1 + octave, 0), STEPS))


@kernel
def count_below(codes: NDArray[np.int16], j: int, start: int, stop: int, x: np.int16) -> int:
    """Return how many of codes[j, start:stop] are smaller than x."""
    total = 0
    for piece in range(start, stop, _COUNTABLE):
        below = np.int16(0)  # as narrow as the codes, so that one instruction counts many of them
        for k in range(np.uint64(piece), np.uint64(min(piece + _COUNTABLE, stop))):
            below = np.int16(below + np.int16(codes[j, k] < x))
        total += int(below)
    return total


@kernel
def push_heap(codes: NDArray[np.int16], j: int, start: int, size: int, cap: int, x: np.int16) -> int:
    """Insert x into the min-heap codes[j, start:start + size]; beyond `cap` drop the smallest. Return the new size."""
    if size < cap:
        k = size
        while k > 0:
            parent = (k - 1) >> 1
            if codes[j, start + parent] <= x:
                break
            codes[j, start + k] = codes[j, start + parent]
            k = parent
        codes[j, start + k] = x
        return size + 1
    if x <= codes[j, start]:
        return size
    k = 0
    while True:
        child = 2 * k + 1
        if child >= size:
            break
        if child + 1 < size and codes[j, start + child + 1] < codes[j, start + child]:
            child += 1
        if codes[j, start + child] >= x:
            break
        codes[j, start + k] = codes[j, start + child]
        k = child
    codes[j, start + k] = x
    return size


@kernel
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
