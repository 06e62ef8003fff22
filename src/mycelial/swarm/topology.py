"""Who talks to whom: graphs, their mixing weights, how fast they mix, and how they change.

A graph is a symmetric boolean matrix without loops, bool[n, n]; swarms have tens to hundreds of peers. Everybody can
compute the same graph from (seed, epoch), so that nobody has to hand it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.domain.seeds import generator

Graph = NDArray[np.bool_]
Shape = Literal["random-regular", "ring", "small-world", "complete"]


@dataclass(frozen=True)
class Topology:
    """A rule for the graph of every epoch.

    Parameters
    ----------
    shape : {"random-regular", "ring", "small-world", "complete"}
    degree : int
        Neighbours of each peer where the shape leaves the choice; even for a ring and a small world.
    rewire : float
        Share of a small world's edges that lead anywhere (Watts and Strogatz 1998).
    rewire_every : int
        Rounds after which the graph is drawn anew; 0 keeps it.
    """

    shape: Shape = "random-regular"
    degree: int = 4
    rewire: float = 0.1
    rewire_every: int = 0

    def graph(self, peers: int, seed: int, round_number: int = 0) -> Graph:
        """Return the graph of a round; the same for everybody who knows the seed.

        Raises
        ------
        ConfigError
            If there is no such graph.
        """
        epoch = round_number // self.rewire_every if self.rewire_every else 0
        draws = generator(seed, "topology", self.shape, epoch)
        degree = min(self.degree, peers - 1)
        if self.shape == "complete":
            return complete(peers)
        if self.shape == "ring":
            return ring(peers, degree)
        if self.shape == "small-world":
            return small_world(peers, degree, self.rewire, draws)
        return random_regular(peers, degree, draws)


def complete(peers: int) -> Graph:
    """Return the graph in which everybody talks to everybody."""
    return ~np.eye(peers, dtype=np.bool_)


def ring(peers: int, degree: int = 2) -> Graph:
    """Return a ring in which each peer talks to its `degree` nearest, `degree` even."""
    if degree % 2 or not 0 < degree < peers:
        raise ConfigError(f"a ring of {peers} peers needs an even degree below {peers}, got {degree}")
    graph = np.zeros((peers, peers), np.bool_)
    here = np.arange(peers)
    for step in range(1, degree // 2 + 1):
        graph[here, (here + step) % peers] = graph[(here + step) % peers, here] = True
    return graph


def small_world(peers: int, degree: int, rewire: float, draws: np.random.Generator) -> Graph:
    """Return a ring whose edges are moved with probability `rewire`; connected by trying again."""
    if not 0 <= rewire <= 1:
        raise ConfigError(f"the share of rewired edges must be in [0, 1], got {rewire}")
    for _ in range(200):
        graph = ring(peers, degree)
        for step in range(1, degree // 2 + 1):
            for here in np.flatnonzero(draws.random(peers) < rewire):
                there = (here + step) % peers
                free = np.flatnonzero(~graph[here])
                free = free[free != here]
                if len(free) and graph[here, there]:
                    graph[here, there] = graph[there, here] = False
                    far = draws.choice(free)
                    graph[here, far] = graph[far, here] = True
        if is_connected(graph):
            return graph
    raise ConfigError(f"no connected small world of {peers} peers with degree {degree} was found; raise the degree")


def random_regular(peers: int, degree: int, draws: np.random.Generator) -> Graph:
    """Return a connected graph in which everybody has `degree` neighbours.

    Edges of a regular ring lattice are swapped in pairs, (a-b, c-d) to (a-d, c-b), ten times as often as there are
    edges; that is the usual Markov chain over regular graphs.
    """
    if not 0 < degree < peers or peers * degree % 2:
        raise ConfigError(f"no graph of {peers} peers gives each {degree} neighbours; the product must be even")
    start = ring(peers, degree - degree % 2) if degree > 1 else np.zeros((peers, peers), np.bool_)
    if degree % 2:  # the peers opposite each other, of which there is an even number
        here = np.arange(peers // 2)
        start[here, here + peers // 2] = start[here + peers // 2, here] = True
    for _ in range(200):
        graph = start.copy()
        edges = np.argwhere(np.triu(graph))
        for _ in range(10 * len(edges)):
            first, second = draws.integers(len(edges), size=2)
            a, b = edges[first]
            c, d = edges[second] if draws.random() < 0.5 else edges[second][::-1]
            if len({int(a), int(b), int(c), int(d)}) < 4 or graph[a, d] or graph[c, b]:
                continue
            graph[a, b] = graph[b, a] = graph[c, d] = graph[d, c] = False
            graph[a, d] = graph[d, a] = graph[c, b] = graph[b, c] = True
            edges[first], edges[second] = (a, d), (c, b)
        if degree == 1 or is_connected(graph):
            return graph
    raise ConfigError(f"no connected graph of {peers} peers with degree {degree} was found; raise the degree")


def metropolis_weights(graph: Graph) -> NDArray[np.float64]:
    """Return the Metropolis-Hastings mixing matrix W, symmetric and doubly stochastic.

    W_ij = 1 / (1 + max(d_i, d_j)) for neighbours, the rest on the diagonal (Xiao, Boyd and Lall 2005, section II). Each
    peer needs only its own degree and those of its neighbours.
    """
    degree = graph.sum(axis=1)
    weights = graph / (1.0 + np.maximum.outer(degree, degree))
    weights[np.diag_indices_from(weights)] = 1.0 - weights.sum(axis=1)
    return weights


def spectral_gap(weights: NDArray[np.float64]) -> float:
    """Return 1 - sigma_2(W): how much of a disagreement one round removes; 0 if W never mixes."""
    if len(weights) < 2:
        return 1.0
    return float(1.0 - np.linalg.svd(weights, compute_uv=False)[1])


def is_connected(graph: Graph) -> bool:
    """Return whether everybody can hear of everybody."""
    reached = np.zeros(len(graph), np.bool_)
    reached[:1] = True
    while True:
        wider = reached | graph[reached].any(axis=0)
        if (wider == reached).all():
            return bool(reached.all())
        reached = wider


def is_jointly_connected(graphs: Sequence[Graph]) -> bool:
    """Return whether the union of some rounds' graphs is connected: what convergence over time needs."""
    return is_connected(np.logical_or.reduce(graphs))


def neighbours(graph: Graph, peer: int) -> NDArray[np.int64]:
    """Return the ascending indices of a peer's neighbours."""
    return np.flatnonzero(graph[peer])
