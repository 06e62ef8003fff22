"""One gossip round of a whole swarm held in one array, for simulations: distances, clipping and mixing, compiled.

Parameters are worked on in blocks of columns that stay in the cache, so that memory is read twice and written once
however many neighbours there are.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.domain.kernels import kept
from mycelial.swarm.topology import Graph, metropolis_weights

_COLUMNS = 1024

# Sums may be formed in any order (several lanes at once); nothing else is relaxed.
_summing = njit(nogil=True, cache=True, error_model="numpy", _nrt=False, fastmath={"reassoc", "contract"})


def clipped_round(
    vectors: NDArray[np.float32],
    graph: Graph,
    radius: NDArray[np.float64] | None = None,
    *,
    step: float = 0.5,
    clip_share: float = 0.1,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return everybody's vector after one round of self-centred clipping with Metropolis-Hastings weights.

    Parameters
    ----------
    vectors : float32[n, P]
    graph : bool[n, n]
    radius : float64[n], optional
        Clipping radius of each peer; the lower median of its own distances by default.
    step : float
        The gossip step eta_g.
    clip_share : float
        The radius never exceeds this share of the own norm.
    out : float32[n, P], optional
        Where to write.

    Returns
    -------
    float32[n, P]
    """
    n = len(vectors)
    edges = np.argwhere(np.triu(graph)).astype(np.int64)
    square = np.zeros(len(edges))
    own = np.zeros(n)
    squared_edges(vectors, edges, square, own)
    norms = np.zeros((n, n))
    norms[edges[:, 0], edges[:, 1]] = norms[edges[:, 1], edges[:, 0]] = np.sqrt(square)
    if radius is None:
        degree = graph.sum(axis=1)
        ordered = np.sort(np.where(graph, norms, np.inf), axis=1)
        radius = ordered[np.arange(n), np.maximum(degree - 1, 0) // 2]
    limit = np.minimum(radius, clip_share * np.sqrt(own))
    pull = step * metropolis_weights(graph) * np.minimum(1.0, limit[:, None] / np.maximum(norms, 1e-30))
    pull[~graph] = 0.0
    starts = np.concatenate([[0], np.cumsum(graph.sum(axis=1))]).astype(np.int64)
    peers = np.nonzero(graph)[1].astype(np.int64)
    mixed = np.empty_like(vectors) if out is None else out
    mix_rows(vectors, starts, peers, pull[graph].astype(np.float32), mixed)
    return mixed


def _squared_edges(
    vectors: NDArray[np.float32], edges: NDArray[np.int64], square: NDArray[np.float64], own: NDArray[np.float64]
) -> None:
    """Add up squared distances along edges and squared lengths of rows. **`square` and `own` are mutated.**

    Parameters
    ----------
    vectors : float32[n, P]
    edges : int64[E, 2]
    square : float64[E]
    own : float64[n]
    """
    n, size = vectors.shape
    for start in range(0, size, _COLUMNS):
        stop = min(start + _COLUMNS, size)
        for i in range(n):
            total = np.float32(0.0)
            for c in range(start, stop):
                total += vectors[i, c] * vectors[i, c]
            own[i] += total
        e = 0
        while e < len(edges):
            i, j = edges[e, 0], edges[e, 1]
            total = np.float32(0.0)
            if e + 1 < len(edges) and edges[e + 1, 0] == i:  # two neighbours of one peer a pass
                k, other = edges[e + 1, 1], np.float32(0.0)
                for c in range(start, stop):
                    gap, far = vectors[i, c] - vectors[j, c], vectors[i, c] - vectors[k, c]
                    total += gap * gap
                    other += far * far
                square[e + 1] += other
                square[e] += total
                e += 2
            else:
                for c in range(start, stop):
                    gap = vectors[i, c] - vectors[j, c]
                    total += gap * gap
                square[e] += total
                e += 1


def _mix_rows(
    vectors: NDArray[np.float32],
    starts: NDArray[np.int64],
    peers: NDArray[np.int64],
    pull: NDArray[np.float32],
    mixed: NDArray[np.float32],
) -> None:
    """Write x_i + sum_j pull_ij (x_j - x_i) for all i. **`mixed` is mutated.**

    Parameters
    ----------
    vectors : float32[n, P]
    starts : int64[n + 1]
        Where the neighbours of i begin in `peers` and `pull`.
    peers : int64[E]
    pull : float32[E]
    mixed : float32[n, P]
    """
    n, size = vectors.shape
    for start in range(0, size, _COLUMNS):
        stop = min(start + _COLUMNS, size)
        for i in range(n):
            keep = np.float32(1.0)
            for k in range(starts[i], starts[i + 1]):
                keep -= pull[k]
            for c in range(start, stop):
                mixed[i, c] = keep * vectors[i, c]
            k = starts[i]
            while k + 2 < starts[i + 1]:  # three neighbours a pass: fewer passes over the row that is written
                first, second, third = pull[k], pull[k + 1], pull[k + 2]
                a, b, d = peers[k], peers[k + 1], peers[k + 2]
                for c in range(start, stop):
                    mixed[i, c] += first * vectors[a, c] + second * vectors[b, c] + third * vectors[d, c]
                k += 3
            while k < starts[i + 1]:
                share, j = pull[k], peers[k]
                for c in range(start, stop):
                    mixed[i, c] += share * vectors[j, c]
                k += 1


squared_edges = kept(_summing(_squared_edges))
mix_rows = kept(_summing(_mix_rows))
