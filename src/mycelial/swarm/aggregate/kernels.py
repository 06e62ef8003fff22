"""Compiled parts of the rules that look at every coordinate by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.kernels import entry


@entry
def trimmed_columns(
    deltas: NDArray[np.float32],
    drop: int,
    order: NDArray[np.int64],
    change: NDArray[np.float32],
    counts: NDArray[np.int64],
) -> None:
    """Average each coordinate over the points without its `drop` smallest and largest; 0 is the own point.

    Parameters
    ----------
    deltas : float32[m, P]
    drop : int
        2 drop < m + 1. With the most that is allowed this is the median.
    order : int64[m + 1]
        Scratch.
    change : float32[P]
        Result. **Mutated in place.**
    counts : int64[m]
        How often each neighbour was averaged. **Mutated in place.**
    """
    m, size = deltas.shape
    for column in range(size):
        for point in range(m + 1):  # insertion sort of -1 (own) .. m - 1
            value = deltas[point - 1, column] if point else np.float32(0.0)
            at = point
            while at > 0:
                before = order[at - 1]
                if (deltas[before, column] if before >= 0 else np.float32(0.0)) <= value:
                    break
                order[at] = before
                at -= 1
            order[at] = point - 1
        total = 0.0
        for at in range(drop, m + 1 - drop):
            if order[at] >= 0:
                total += deltas[order[at], column]
                counts[order[at]] += 1
        change[column] = total / (m + 1 - 2 * drop)


@entry
def around_median(
    deltas: NDArray[np.float32],
    chosen: NDArray[np.int64],
    keep: int,
    order: NDArray[np.int64],
    change: NDArray[np.float32],
    counts: NDArray[np.int64],
) -> None:
    """Average each coordinate over the `keep` chosen points nearest to their median (the second stage of Bulyan).

    Parameters
    ----------
    deltas : float32[m, P]
    chosen : int64[k]
        Points that count: indices of neighbours, -1 for the own point.
    keep : int
        At most k.
    order : int64[k]
        Scratch.
    change : float32[P]
        Result. **Mutated in place.**
    counts : int64[m]
        How often each neighbour was averaged. **Mutated in place.**
    """
    k = len(chosen)
    for column in range(deltas.shape[1]):
        for place in range(k):
            point = chosen[place]
            value = deltas[point, column] if point >= 0 else np.float32(0.0)
            at = place
            while at > 0:
                before = order[at - 1]
                if (deltas[before, column] if before >= 0 else np.float32(0.0)) <= value:
                    break
                order[at] = before
                at -= 1
            order[at] = point
        middle = order[(k - 1) // 2]
        centre = deltas[middle, column] if middle >= 0 else np.float32(0.0)
        first, last = (k - 1) // 2, (k - 1) // 2 + 1  # the window [first, last) grows towards the nearer side
        while last - first < keep:
            below = order[first - 1] if first > 0 else -2
            above = order[last] if last < k else -2
            gap_below = centre - (deltas[below, column] if below >= 0 else np.float32(0.0))
            gap_above = (deltas[above, column] if above >= 0 else np.float32(0.0)) - centre
            if above == -2 or (below != -2 and gap_below <= gap_above):
                first -= 1
            else:
                last += 1
        total = 0.0
        for at in range(first, last):
            if order[at] >= 0:
                total += deltas[order[at], column]
                counts[order[at]] += 1
        change[column] = total / keep
