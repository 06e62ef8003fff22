"""Percentile memories: where does a number stand among those an agent remembers?

Ranks are all that is ever asked for, so a memory stores logarithmic codes, not numbers.

* `Histogram` memories (forecast errors, expected moves: one value a day) count values in 512 bins, 32 to an octave, so
  bins are 2.2 % wide; 16 sums, one per octave, make a rank two short loops over two cache lines, whatever its size.
* `Series` memories (volatilities and volumes, which all agents of a horizon share, and profits) are plain int16 codes
  0.1 % apart; a rank is one pass of comparisons, 64 codes at a time.
* Where the oldest value of a histogram is forgotten, a ring says which: bins of 9 or 10 bits, 7 or 6 to a word.

What is forgotten is the oldest value, or, as in the authors' simulator, the smallest one (Q2). The simulator breaks
ties by storing values a hair above themselves; here equal codes count half in histograms and as not smaller in series.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.kernels import inlined_kernel, kernel, shared_kernel
from mycelial.domain.lanes import below, bits_set, filled, highest, lowest, sum_before

OCTAVES, STEPS = 16, 32
BINS = OCTAVES * STEPS
LINES = 1 + OCTAVES  # of one histogram: sums by octave, then the bins of each octave; a line is 64 bytes
ERRORS_IN_A_WORD, MARGINS_IN_A_WORD = 7, 6  # entries of a ring in 63 bits: a bin; a bin and a sign
ERROR_FLOOR, MARGIN_FLOOR = -7, -9  # exponents of 2, in per cent: histograms start there and span 16 octaves

BLOCK = 64  # codes compared at once
_HIGHEST = 32766
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


@shared_kernel
def rank_in(histogram: NDArray[np.int16], j: int, row: int, where: int) -> float:
    """Return how many values of a histogram are below bin `where`, those in it counted half."""
    octave, step = where >> 5, where & 31
    below = sum_before(histogram, (j, row, 0, 0), OCTAVES, octave)
    below += sum_before(histogram, (j, row, 1 + octave, 0), STEPS, step)
    return below + 0.5 * histogram[j, row, 1 + octave, step]


@shared_kernel
def put(histogram: NDArray[np.int16], j: int, row: int, where: int, change: int) -> None:
    """Add (1) or remove (-1) a value of bin `where`."""
    histogram[j, row, 1 + (where >> 5), where & 31] += change
    histogram[j, row, 0, where >> 5] += change


@shared_kernel
def smallest_in(histogram: NDArray[np.int16], j: int, row: int) -> int:
    """Return the lowest bin that holds a value; the histogram is not empty."""
    octave = lowest(filled(histogram, (j, row, 0, 0), OCTAVES))
    return (octave << 5) + lowest(filled(histogram, (j, row, 1 + octave, 0), STEPS))


@shared_kernel
def largest_in(histogram: NDArray[np.int16], j: int, row: int) -> int:
    """Return the highest bin that holds a value; the histogram is not empty."""
    octave = highest(filled(histogram, (j, row, 0, 0), OCTAVES))
    return (octave << 5) + highest(filled(histogram, (j, row, 1 + octave, 0), STEPS))


@inlined_kernel
def recalled(ring: NDArray[np.int64], j: int, at: int, in_a_word: int) -> int:
    """Return entry `at` of a ring of bins."""
    width = 63 // in_a_word
    return ring[j, at // in_a_word] >> (width * (at % in_a_word)) & ((1 << width) - 1)


@inlined_kernel
def remember(ring: NDArray[np.int64], j: int, at: int, in_a_word: int, entry: int) -> None:
    """Replace entry `at` of a ring of bins."""
    width = 63 // in_a_word
    shift = width * (at % in_a_word)
    kept = ring[j, at // in_a_word] & ~(((1 << width) - 1) << shift)
    ring[j, at // in_a_word] = kept | entry << shift


@kernel
def count_below(codes: NDArray[np.int16], j: int, stop: int, count: int, x: np.int16) -> int:
    """Return how many of the `count` codes before `stop` are smaller than x; a line begins with 64 unused codes."""
    total, at = 0, stop
    for _ in range(count >> 6):
        at -= 64
        total += bits_set(below(codes, (j, at), BLOCK, x))
    rest = count & 63
    if rest > 0:
        total += bits_set(below(codes, (j, at - 64), BLOCK, x) >> np.uint64(64 - rest))
    return total


@shared_kernel
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
