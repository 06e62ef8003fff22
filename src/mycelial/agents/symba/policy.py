"""Direct policy search on tables: greedy choice and the reward-sized step (specification 7.4).

The |r| repetitions of one step have the closed form used here: with c = (1 - kappa)^|r| every probability shrinks by c,
and the freed mass goes to the chosen action (r > 0) or in equal parts to all the others (r < 0).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.domain.draws import uniform
from mycelial.domain.lanes import bits_set, lowest

# Below this a probability is as good as zero; it keeps float32 out of its slow denormal range.
_LEAST = np.float32(1e-30)


@njit(error_model="numpy", forceinline=True, no_cfunc_wrapper=True)
def greedy(best: np.uint64, key: np.uint64, counter: np.uint64) -> int:
    """Return one of the most probable actions, given as bits by `largest_of`; ties are broken uniformly."""
    ties = bits_set(best)
    if ties > 1:
        for _ in range(int(uniform(key, counter) * ties)):
            best &= best - np.uint64(1)
    return int(lowest(best))


@njit(error_model="numpy", forceinline=True, no_cfunc_wrapper=True)
def reinforce(policy: NDArray[np.float32], j: int, row: int, size: int, action: int, reward: int, kappa: float) -> None:
    """Move the first `size` entries of a row towards (reward > 0) or away from `action`, |reward| steps of kappa."""
    actions = np.uint64(size)
    keep = 1.0
    for _ in range(abs(reward)):
        keep *= 1.0 - kappa
    c = np.float32(keep)
    chosen = policy[j, row, action]
    if reward > 0:
        for a in range(actions):
            policy[j, row, a] = max(policy[j, row, a] * c, _LEAST)
        policy[j, row, action] = np.float32(1.0) - (np.float32(1.0) - chosen) * c
    else:
        share = np.float32((1.0 - keep) / (size - 1))
        for a in range(actions):
            policy[j, row, a] = policy[j, row, a] * c + share
        policy[j, row, action] = max(chosen * c, _LEAST)
