"""Direct policy search on tables: greedy choice and the reward-sized step (specification 7.4).

The |r| repetitions of one step have the closed form used here: with c = (1 - kappa)^|r| every probability shrinks by c,
and the freed mass goes to the chosen action (r > 0) or in equal parts to all the others (r < 0).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.draws import uniform
from mycelial.domain.kernels import inlined_kernel
from mycelial.domain.lanes import bits_set, lowest, scale

# Below this a probability is as good as zero; it keeps float32 out of its slow denormal range.
_LEAST = np.float32(1e-30)
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


@inlined_kernel
def greedy(best: np.uint64, key: np.uint64, counter: np.uint64) -> int:
    """Return one of the most probable actions, given as bits by `largest_of`; ties are broken uniformly."""
    ties = bits_set(best)
    if ties > 1:
        for _ in range(int(uniform(key, counter) * ties)):
            best &= best - np.uint64(1)
    return int(lowest(best))


def reinforcing(size: int) -> Any:
    """Return the kernel `reinforce` for rows of `size` actions."""

    @inlined_kernel
    def reinforce(policy: NDArray[np.float32], j: int, row: int, action: int, reward: int, kappa: float) -> None:
        """Move a row towards (reward > 0) or away from `action`, |reward| steps of kappa."""
        keep = 1.0
        for _ in range(abs(reward)):
            keep *= 1.0 - kappa
        c = np.float32(keep)
        chosen = policy[j, row, action]
        if reward > 0:
            scale(policy, (j, row, 0), size, c, _ZERO, _LEAST)
            policy[j, row, action] = _ONE - (_ONE - chosen) * c
        else:
            share = np.float32((1.0 - keep) / (size - 1))
            scale(policy, (j, row, 0), size, c, share, _ZERO)
            policy[j, row, action] = max(chosen * c, _LEAST)

    return reinforce
