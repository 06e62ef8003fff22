"""Leaders and followers inside a team: who leads whom in a round, and how both decide (specification 5.1, 5.3).

A round pairs members at random, by a hash that all know; in each pair the first announces its action together with what
it expects of every answer (a row of its dyadic value), and the second answers. Who is left over decides alone. At depth
0 nobody leads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.draws import bits, uniform
from mycelial.domain.kernels import entry, helper
from mycelial.domain.seeds import generator
from mycelial.learning.forward import (
    H_SIZE,
    O_SIZE,
    U_SIZE,
    any_of,
    best,
    linear,
    utilities,
)
from mycelial.learning.networks import RANK
from mycelial.learning.recursion import lead
from mycelial.learning.task import Floats

_LOWEST = np.float32(-3e38)
_MOST_WEIGHT = 4.0  # of an answer that was meant though exploring was likely


class Dyads(NamedTuple):
    """The pairs of one round and what came of them. D = pairs."""

    pairs: NDArray[np.int32]  # [D, 3]     leader, follower, the leader's slot for that follower
    weight: Floats  # [T, B, D]  importance of each answer: 0 if it was explored


def pairs_of(agents: int, team: int, turn: int) -> NDArray[np.int32]:
    """Return the pairs of a round, int32[D, 3]; a shared hash of team and round decides, so leadership rotates."""
    order = generator(team, "learning", "dyads", turn).permutation(agents)
    leaders, followers = order[0 : 2 * (agents // 2) : 2], order[1 : 2 * (agents // 2) : 2]
    return np.stack([leaders, followers, (followers - leaders - 1) % agents], axis=1).astype(np.int32)


@helper
def _expectations(vector: Any, figures: Any, slots: int, slot: int, z: Any, room: Any, tables: Any) -> None:
    """Write a leader's dyadic value, learnt answers (as chances) and follower utilities into `tables [2 U + 1, U]`."""
    o, h, u = figures[O_SIZE], figures[H_SIZE], figures[U_SIZE]
    rank = RANK * u
    at = 2 * o + 1 + o * h + 3 * h + h * h + 3 * h + h * u + u
    own, peer = room[:rank], room[rank : 2 * rank]
    _with_bias(vector, at + slot * h * rank, at + slots * h * rank + slot * rank, h, rank, z, own)
    at += slots * (h * rank + rank)
    _with_bias(vector, at + slot * h * rank, at + slots * h * rank + slot * rank, h, rank, z, peer)
    at += slots * (h * rank + rank)
    for a in range(u):
        for j in range(u):
            total = np.float32(0)
            for c in range(RANK):
                total += own[c * u + a] * peer[c * u + j]
            tables[a, j] = total
    logits = room[: u * u]
    _with_bias(vector, at + slot * h * u * u, at + slots * h * u * u + slot * u * u, h, u * u, z, logits)
    at += slots * (h * u * u + u * u)
    for a in range(u):
        highest, total = logits[a * u], np.float32(0)
        for j in range(u):
            highest = max(highest, logits[a * u + j])
        for j in range(u):
            tables[u + a, j] = np.exp(logits[a * u + j] - highest)
            total += tables[u + a, j]
        for j in range(u):
            tables[u + a, j] /= total
    _with_bias(vector, at + slot * h * u, at + slots * h * u + slot * u, h, u, z, tables[2 * u])


@helper
def _with_bias(vector: Any, at: int, bias: int, n_in: int, n_out: int, x: Any, out: Any) -> None:
    for j in range(n_out):
        out[j] = vector[bias + j]
    linear(vector, at, n_in, n_out, x, out)


@entry
def act_in_pairs(
    vectors: Any,
    figures: Any,
    obs: Any,
    mask: Any,
    pairs: Any,
    depth: int,
    temperature: float,
    epsilon: Any,
    key: np.uint64,
    counter: int,
    scratch: Any,
    tables: Any,
    room: Any,
    q: Any,
    actions: Any,
    weight: Any,
) -> None:
    """Let every member of every book choose: leaders first, their followers in answer, the others alone.

    Parameters
    ----------
    vectors, figures, obs, mask, epsilon, key, counter, scratch, q, actions
        As `forward.act_many` takes them; networks without memory.
    pairs : int32[D, 3]
    depth : int
        At least 1.
    temperature : float
        Of the answers a leader works out itself.
    tables, room : float32[2 U + 1, U], float64[4, U]
        Scratch.
    weight : float32[B, D]
        **Written**: importance of each answer.
    """
    agents, count = obs.shape[1], figures[U_SIZE]
    o, h = figures[O_SIZE], figures[H_SIZE]
    for b in range(obs.shape[0]):
        for n in range(agents):
            vector = vectors[n if vectors.shape[0] > 1 else 0]
            utilities(vector, figures, obs[b, n], obs[b, n, :0], scratch, q[b, n])
            actions[b, n] = best(q[b, n], mask[b, n])
            draw = np.uint64(counter + 2 * (b * agents + n))
            if uniform(key, draw) < epsilon[b, n]:
                actions[b, n] = any_of(mask[b, n], bits(key, draw + np.uint64(1)))
        for d in range(pairs.shape[0]):
            leader, follower = pairs[d, 0], pairs[d, 1]
            vector = vectors[leader if vectors.shape[0] > 1 else 0]
            utilities(vector, figures, obs[b, leader], obs[b, leader, :0], scratch, q[b, leader])
            z = scratch[o + h : o + 2 * h]
            _expectations(vector, figures, agents - 1, pairs[d, 2], z, scratch[o + 2 * h :], tables)
            draw = np.uint64(counter + 2 * (b * agents + leader))
            if uniform(key, draw) >= epsilon[b, leader]:
                for a in range(count):
                    room[3, a] = q[b, leader, a] if mask[b, leader, a] else _LOWEST
                actions[b, leader] = lead(
                    depth, False, 0.0, room[3], tables[:count], tables[2 * count], tables[count : 2 * count],
                    temperature, room[:3], scratch[o : o + count],
                )  # fmt: skip
            row, answer, highest = tables[actions[b, leader]], 0, _LOWEST
            for a in range(count):
                if mask[b, follower, a] and q[b, follower, a] + row[a] > highest:
                    answer, highest = a, q[b, follower, a] + row[a]
            draw = np.uint64(counter + 2 * (b * agents + follower))
            explores = uniform(key, draw) < epsilon[b, follower]
            if not explores:
                actions[b, follower] = answer
            meant = actions[b, follower] == answer
            chance = 1.0 - epsilon[b, follower] + epsilon[b, follower] / count
            weight[b, d] = min(_MOST_WEIGHT, 1.0 / chance) if meant else 0.0


def scratch_of_pairs(figures: NDArray[np.int64]) -> int:
    """Return the float32 figures of scratch that `act_in_pairs` needs."""
    u = int(figures[U_SIZE])
    return int(figures[O_SIZE] + 2 * figures[H_SIZE]) + max(2 * RANK * u, u * u)
