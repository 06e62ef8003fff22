"""What algorithm T remembers of its profits: codes on pages that are handed out as they fill.

Only exit days leave a profit, so most agents fill a part of what they could. A page holds 128 codes of one agent; the
pages of all agents of an asset come from one pool, in the order in which they are needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.memory import BLOCK, code, reward_for
from mycelial.domain.kernels import inlined_kernel, kernel
from mycelial.domain.lanes import at_most, bits_set

PAGE = 2 * BLOCK  # codes
_PAGE_BITS, _PLACE = 7, PAGE - 1


@inlined_kernel
def rank_profit(
    profits: NDArray[np.int16],
    page_of: NDArray[np.int32],
    pages_used: NDArray[np.int64],
    j: int,
    i: int,
    cap: int,
    stored: int,
    largest: bool,
    profit: float,
) -> tuple[int, int]:
    """Rank a profit among those of earlier exit days and remember it; return its reward and the new count.

    Beyond `cap` profits the smallest is forgotten (Q2), or the oldest: then `stored` goes on counting.
    """
    x = code(profit)
    kept = min(stored, cap)
    reward = 1 if stored == 1 else reward_for(profits_at_most(profits, page_of, j, i, kept, x) / kept, True)
    at = stored
    if stored >= cap:
        if largest:
            at = _smallest_profit(profits, page_of, j, i, kept)
            if x <= profits[j, page_of[j, i, at >> _PAGE_BITS] - 1, at & _PLACE]:
                return reward, stored
        else:
            at = stored % cap
    page = page_of[j, i, at >> _PAGE_BITS]
    if page == 0:
        page = pages_used[j] + 1
        pages_used[j], page_of[j, i, at >> _PAGE_BITS] = page, page
    profits[j, page - 1, at & _PLACE] = x
    return reward, (stored if largest and stored >= cap else stored + 1)


@kernel
def profits_at_most(
    profits: NDArray[np.int16], page_of: NDArray[np.int32], j: int, i: int, kept: int, x: np.int16
) -> int:
    """Return how many of an agent's `kept` profits are not larger than x."""
    total = 0
    for start in range(0, kept, BLOCK):
        page = page_of[j, i, start >> _PAGE_BITS] - 1
        found = at_most(profits, (j, page, start & _PLACE), BLOCK, x)
        if kept - start < BLOCK:
            found &= (np.uint64(1) << np.uint64(kept - start)) - np.uint64(1)
        total += bits_set(found)
    return total


@kernel
def _smallest_profit(profits: NDArray[np.int16], page_of: NDArray[np.int32], j: int, i: int, kept: int) -> int:
    """Return the place of the smallest of an agent's profits."""
    place = 0
    smallest = profits[j, page_of[j, i, 0] - 1, 0]
    for k in range(1, kept):
        x = profits[j, page_of[j, i, k >> _PAGE_BITS] - 1, k & _PLACE]
        if x < smallest:
            smallest, place = x, k
    return place
