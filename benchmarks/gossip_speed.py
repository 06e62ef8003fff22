"""How long does a gossip round of 256 agents with 27,000 parameters each take, with clipping?

Timed is distances along all edges, radii, clipping and mixing, from one array to another. The peer is the same round in
NumPy (one `einsum` and one matrix product an agent), whose answer must agree. The physical limit is the time that
reading the parameters twice and writing them once takes at the copying speed of this machine, measured in the same run.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import heading, measured
from mycelial.swarm.aggregate import Inputs, Radius, Settings, clipped_round, default_pipeline
from mycelial.swarm.fuzzing import fuzz
from mycelial.swarm.topology import Graph, Topology, metropolis_weights

AGENTS, PARAMETERS, DEGREE = 256, 27_000, 6
GOAL_MS = 50.0


def in_numpy(vectors: NDArray[np.float32], graph: Graph) -> NDArray[np.float32]:
    """Do the same round agent by agent."""
    weights, mixed = metropolis_weights(graph), np.empty_like(vectors)
    for i in range(len(vectors)):
        near = np.flatnonzero(graph[i])
        deltas = vectors[near] - vectors[i]
        norms = np.sqrt(np.einsum("jc,jc->j", deltas, deltas))
        radius = min(np.sort(norms)[(len(near) - 1) // 2], 0.1 * np.linalg.norm(vectors[i]))
        pull = 0.5 * weights[i, near] * np.minimum(1.0, radius / norms)
        mixed[i] = vectors[i] + pull.astype(np.float32) @ deltas
    return mixed


def copying_gigabytes(vectors: NDArray[np.float32]) -> float:
    """Return the bytes read and written in a second by a plain copy."""
    into = np.empty_like(vectors)
    timing, _ = measured(lambda _: np.copyto(into, vectors), lambda: None, 9)
    return 2 * vectors.nbytes / timing.cpu_s / 1e9


def main(*, quick: bool = False, arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gossip_speed", description=__doc__)
    parser.add_argument("--fuzz", type=int, default=0, metavar="N", help="also throw N mangled messages at a peer")
    asked = parser.parse_args([] if arguments is None else arguments)
    heading(f"gossip round: {AGENTS} agents x {PARAMETERS:,} parameters, degree {DEGREE}")
    graph = Topology("random-regular", DEGREE).graph(AGENTS, 0)
    vectors = np.random.default_rng(0).normal(size=(AGENTS, PARAMETERS)).astype(np.float32)
    out = np.empty_like(vectors)
    expected = in_numpy(vectors, graph)
    error = float(np.abs(clipped_round(vectors, graph, out=out) - expected).max())
    if error > 1e-4:
        raise SystemExit(f"the kernel and NumPy differ by {error:g}")
    runs = 5 if quick else 25
    ours, _ = measured(lambda _: clipped_round(vectors, graph, out=out), lambda: None, runs)
    theirs, _ = measured(lambda _: in_numpy(vectors, graph), lambda: None, max(3, runs // 5))
    speed = copying_gigabytes(vectors)
    limit_ms = 3 * vectors.nbytes / speed / 1e6
    best = min(ours.cpu)
    print(
        f"   clipped round   {1e3 * ours.cpu_s:6.1f} ms CPU (best {1e3 * best:.1f}), {1e3 * ours.wall_s:.1f} ms wall; "
        f"goal {GOAL_MS:.0f} ms"
    )
    print(
        f"   the same, NumPy {1e3 * theirs.cpu_s:6.1f} ms CPU; the kernel is {theirs.cpu_s / ours.cpu_s:.1f} x as fast"
    )
    print(
        f"   physical limit  {limit_ms:6.1f} ms: three passes over {vectors.nbytes / 2**20:.0f} MiB at {speed:.1f} GB/s"
    )
    one_peer(vectors, graph, runs)
    if asked.fuzz:
        began = time.process_time()
        report = fuzz(asked.fuzz, seed=2)
        print(
            f"   fuzz            {asked.fuzz:,} mangled messages in {time.process_time() - began:.0f} CPU-s: "
            f"{report.crashes} crashes, {report.adopted_wrong} wrongly adopted, {report.taken:,} well-formed taken"
        )
        for reason, count in report.refused.most_common():
            print(f"      {reason:<14} {count:>10,}")


def one_peer(vectors: NDArray[np.float32], graph: Graph, runs: int) -> None:
    """Print the time of one peer's default pipeline."""
    near, weights = np.flatnonzero(graph[0]), metropolis_weights(graph)
    settings = Settings(gate_share=10.0)

    def merged(_: None) -> NDArray[np.float32]:
        view = Inputs(vectors[0], vectors[near], weights[0, near])
        return default_pipeline(
            Inputs(view.own, view.received, view.weights, radius=Radius().observe(view.norms)), settings
        ).change

    timing, _ = measured(merged, lambda: None, runs)
    print(print(f"   one peer        {1e3 * timing.cpu_s:6.2f} ms CPU: the default pipeline, {len(near)} inputs"))


if __name__ == "__main__":
    import sys

    main(arguments=sys.argv[1:])
