"""Recursive reasoning on tables of one dyad: what a leader expects of its follower, and what it then does.

A leader i has a dyadic value P[a_i, a_j] (the pairwise correction to value decomposition), a learnt model of its
follower's answers, and an estimate of the follower's own utilities. At depth 0 it looks at its own utilities only; at
depth 1 it expects the answers it has learnt (Stackelberg); from depth 2 on it expects a follower that itself computes
the best answer. Sources: Gabler and Wollherr 2024 (doi:10.3389/frobt.2024.1229026), Wen et al. 2019 (arXiv:1901.09207),
Wen et al. 2020 (arXiv:1901.09216), Camerer, Ho and Chong 2004.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.kernels import helper, shared_kernel

MOST_DEPTH = 3
POISSON_MEAN = 1.5  # of the depths of others, where types are mixed
_HALVINGS = 26


@helper
def softmax(values: Any, temperature: float, out: Any) -> None:
    """Write the softmax of ``values / temperature`` into `out`."""
    highest, total = values[0], 0.0
    for a in range(values.shape[0]):
        highest = max(highest, values[a])
    for a in range(values.shape[0]):
        out[a] = math.exp((values[a] - highest) / temperature)
        total += out[a]
    for a in range(values.shape[0]):
        out[a] /= total


@shared_kernel
def expect_answer(
    depth: int, mixed: bool, dyadic: Any, peer_values: Any, learnt: Any, temperature: float, room: Any, out: Any
) -> None:
    """Write what a leader of `depth` expects its follower to do after one of its own actions.

    Parameters
    ----------
    depth : int
        At least 1. A follower of level 0 answers as it was seen to; from level 1 on it computes its best answer.
    mixed : bool
        Whether followers of all levels below `depth` are expected, Poisson(1.5) of them each.
    dyadic, peer_values, learnt : float[U]
        P[a_i, :], the follower's own utilities, and the learnt chances of its answers to a_i.
    room, out : float[U]
        `room` is scratch.
    """
    for a in range(out.shape[0]):
        room[a] = dyadic[a] + peer_values[a]
    softmax(room, temperature, out)
    share = 1.0 if depth == 1 else 0.0  # of followers that answer as learnt
    if mixed and depth > 1:
        weight, total = 1.0, 0.0
        for level in range(depth):
            total += weight
            weight *= POISSON_MEAN / (level + 1)
        share = 1.0 / total
    for a in range(out.shape[0]):
        out[a] = share * learnt[a] + (1.0 - share) * out[a]


@shared_kernel
def worst_case(chances: Any, values: Any, radius: float, out: Any) -> float:
    """Return the lowest expectation of `values` within a Kullback-Leibler ball; write the distribution to `out`.

    The minimiser of ``E[values]`` under ``KL(p || chances) <= radius`` tilts: ``p ~ chances exp(-values / t)``; the
    temperature t is found by bisection. This is the "game against nature": peers of whom nothing is known may do worse
    than their model says.
    """
    low, high = -12.0, 12.0  # logarithm of the temperature in units of the range of values
    spread = 1e-12
    for a in range(values.shape[0]):
        for b in range(values.shape[0]):
            spread = max(spread, values[a] - values[b])
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if _tilt(chances, values, spread * math.exp(middle), out) > radius:
            low = middle
        else:
            high = middle
    _tilt(chances, values, spread * math.exp(high), out)
    expected = 0.0
    for a in range(values.shape[0]):
        expected += out[a] * values[a]
    return expected


@helper
def _tilt(chances: Any, values: Any, temperature: float, out: Any) -> float:
    """Write ``chances exp(-values / t)``, normalised, into `out`; return its divergence from `chances`."""
    lowest, total, divergence = values[0], 0.0, 0.0
    for a in range(values.shape[0]):
        lowest = min(lowest, values[a])
    for a in range(values.shape[0]):
        out[a] = chances[a] * math.exp(-(values[a] - lowest) / temperature)
        total += out[a]
    for a in range(values.shape[0]):
        out[a] /= total
        if out[a] > 0.0:
            divergence += out[a] * math.log(out[a] / chances[a])
    return divergence


@shared_kernel
def lead(
    depth: int,
    mixed: bool,
    radius: float,
    own: Any,
    dyadic: Any,
    peer_values: Any,
    learnt: Any,
    temperature: float,
    room: Any,
    out: Any,
) -> int:
    """Return a leader's best action and write what each is worth (specification 5.3) into `out`.

    Parameters
    ----------
    depth : int
        0 is plain value decomposition: `own` utilities alone.
    radius : float
        Divergence from the expected answers to guard against; 0 trusts them.
    own, peer_values : float[U]
    dyadic, learnt : float[U, U]
        Row a_i belongs to the leader's action.
    room : float[3, U]
        Scratch.
    """
    choice = 0
    for action in range(own.shape[0]):
        out[action] = own[action]
        if depth > 0:
            expect_answer(depth, mixed, dyadic[action], peer_values, learnt[action], temperature, room[0], room[1])
            for answer in range(peer_values.shape[0]):
                room[0, answer] = dyadic[action, answer] + peer_values[answer]
            if radius > 0.0:
                out[action] += worst_case(room[1], room[0], radius, room[2])
            else:
                for answer in range(peer_values.shape[0]):
                    out[action] += room[1, answer] * room[0, answer]
        if out[action] > out[choice]:
            choice = action
    return choice


@shared_kernel
def follow(own: Any, dyadic: Any, belief: Any) -> int:
    """Return a follower's best answer under a belief over the leader's actions (certain, if it was announced)."""
    choice, highest = 0, -1e300
    for answer in range(own.shape[0]):
        worth = float(own[answer])
        for action in range(belief.shape[0]):
            worth += belief[action] * dyadic[action, answer]
        if worth > highest:
            choice, highest = answer, worth
    return choice


def poisson_shares(depth: int) -> NDArray[np.float64]:
    """Return the shares of levels 0 .. depth - 1 that a leader of `depth` expects when types are mixed."""
    shares = np.array([POISSON_MEAN**k / math.factorial(k) for k in range(depth)])
    return shares / shares.sum()
