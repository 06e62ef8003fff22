"""Direct policy search on tables: greedy choice and the reward-sized step (specification 7.4).

A row of probabilities is created when its state is first learnt about; until then the policy there is uniform. The |r|
repetitions of one step have the closed form used here: with c = (1 - kappa)^|r| every probability shrinks by c, and the
freed mass goes to the chosen action (r > 0) or in equal parts to all the others (r < 0).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.domain.draws import uniform

# Below this a probability is as good as zero; it keeps float32 out of its slow denormal range.
_LEAST = np.float32(1e-30)


@njit(error_model="numpy")
def row_of(table: NDArray[np.int32], j: int, i: int, state: int, used: NDArray[np.int64], which: int) -> int:
    """Return the pool row of a state, taking a fresh one (negative result: ~row) if there is none yet."""
    row = table[j, i, state]
    if row > 0:
        return int(row - 1)
    fresh = used[j, which]
    used[j, which] = fresh + 1
    table[j, i, state] = fresh + 1
    return int(~fresh)


@njit(fastmath={"nnan", "nsz"})
def greedy(policy: NDArray[np.float32], j: int, row: int, key: np.uint64, counter: np.uint64) -> int:
    """Return the most probable action of a row, ties broken uniformly."""
    size = policy.shape[2]
    top = policy[j, row, 0]
    for a in range(1, size):
        top = max(top, policy[j, row, a])
    ties, choice = 0, 0
    for a in range(size):
        if policy[j, row, a] == top:
            ties += 1
            choice = a
    if ties == 1:
        return choice
    pick = int(uniform(key, counter) * ties)
    for a in range(size):
        if policy[j, row, a] == top:
            if pick == 0:
                return a
            pick -= 1
    return choice


@njit(error_model="numpy")
def reinforce(policy: NDArray[np.float32], j: int, row: int, action: int, reward: int, kappa: float) -> None:
    """Move a row towards (reward > 0) or away from `action`, |reward| steps of size kappa; in place."""
    size = policy.shape[2]
    keep = 1.0
    for _ in range(abs(reward)):
        keep *= 1.0 - kappa
    c = np.float32(keep)
    chosen = policy[j, row, action]
    if reward > 0:
        for a in range(size):
            policy[j, row, a] = max(policy[j, row, a] * c, _LEAST)
        policy[j, row, action] = np.float32(1.0) - (np.float32(1.0) - chosen) * c
    else:
        share = np.float32((1.0 - keep) / (size - 1))
        for a in range(size):
            policy[j, row, a] = policy[j, row, a] * c + share
        policy[j, row, action] = max(chosen * c, _LEAST)
