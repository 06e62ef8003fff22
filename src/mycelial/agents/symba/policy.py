"""Direct policy search on tables: greedy choice and the reward-sized step (specification 7.4).

The |r| repetitions of one step have the closed form used here: with c = (1 - kappa)^|r| every probability shrinks by c,
and the freed mass goes to the chosen action (r > 0) or in equal parts to all the others (r < 0).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.domain.draws import uniform

# Below this a probability is as good as zero; it keeps float32 out of its slow denormal range.
_LEAST = np.float32(1e-30)


@njit(fastmath={"nnan", "nsz"}, forceinline=True)
def greedy(policy: NDArray[np.float32], j: int, row: int, size: int, key: np.uint64, counter: np.uint64) -> np.int64:
    """Return the most probable of the first `size` actions of a row, ties broken uniformly."""
    actions = np.uint64(size)
    top = policy[j, row, 0]
    for a in range(actions):
        top = max(top, policy[j, row, a])
    ties, choice = np.int32(0), np.int32(0)
    for a in range(actions):
        best = policy[j, row, a] == top
        ties = np.int32(ties + np.int32(best))
        choice = max(choice, np.int32(a) if best else np.int32(0))
    if ties == 1:
        return np.int64(choice)
    pick = int(uniform(key, counter) * ties)
    for a in range(actions):
        if policy[j, row, a] == top:
            if pick == 0:
                return np.int64(a)
            pick -= 1
    return np.int64(choice)


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
