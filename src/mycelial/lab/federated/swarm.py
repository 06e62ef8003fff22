"""A federated run: learn, offer, deliver, gossip, round by round, through real messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mycelial.lab.federated.node import Node, identity_of
from mycelial.lab.federated.plan import Plan
from mycelial.swarm.gate import Verdict
from mycelial.swarm.topology import metropolis_weights, neighbours, spectral_gap

ROUND_NS = 1_000_000_000


@dataclass
class Record:
    """What a run came to.

    Parameters
    ----------
    steps : list of int
        Environment steps of each team at each evaluation.
    scores : list of list of float
        Held-out mean return of each honest team at each evaluation.
    distance, gap, adopted : list of float
        Of each round: mean squared distance to the mean vector, spectral gap of the mixing matrix, share of honest
        teams that adopted.
    bytes_sent : int
        By honest teams.
    verdicts, refused : Counter
    """

    steps: list[int] = field(default_factory=list)
    scores: list[list[float]] = field(default_factory=list)
    distance: list[float] = field(default_factory=list)
    gap: list[float] = field(default_factory=list)
    adopted: list[float] = field(default_factory=list)
    bytes_sent: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def steps_to(self, score: float) -> list[float]:
        """Return for each team the environment steps to `score`, twice in a row; infinite if it never got there."""
        table = np.array(self.scores)
        reached = (table[:-1] >= score) & (table[1:] >= score)
        return [float(self.steps[int(np.argmax(column))]) if column.any() else float("inf") for column in reached.T]

    def final(self) -> list[float]:
        """Return each team's mean score over the last tenth of the evaluations."""
        return [float(score) for score in np.array(self.scores[-max(1, len(self.scores) // 10) :]).mean(axis=0)]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "steps": self.steps,
            "scores": [[round(score, 4) for score in row] for row in self.scores],
            "distance": [round(value, 5) for value in self.distance],
            "gap": [round(value, 4) for value in self.gap],
            "adopted": [round(value, 3) for value in self.adopted],
            "bytes_sent": self.bytes_sent,
            "verdicts": dict(self.verdicts),
            "refused": dict(self.refused),
        }


class Swarm:
    """All teams of a run.

    Parameters
    ----------
    plan : Plan
    seed : int
    """

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan, self.seed = plan, seed
        self.keys = [identity_of(seed, number).public for number in range(plan.peers)]
        self.honest = [Node(plan, number, seed, self.keys) for number in range(plan.teams)]
        self.record = Record()
        self.round = 0

    def run(self, progress: Callable[[int, int], None] | None = None) -> Record:
        """Run all rounds."""
        while self.round < self.plan.rounds:
            self.step()
            if progress is not None:
                progress(self.round, self.plan.rounds)
        return self.record

    def step(self) -> None:
        """Run one round."""
        for node in self.honest:
            node.learn()
        self.round += 1
        if self.plan.gossip:
            self._gossip()
        if self.round % self.plan.every == 0 or self.round == self.plan.rounds:
            self.record.steps.append(self.honest[0].trainer.steps)
            self.record.scores.append([node.held_out() for node in self.honest])

    def _gossip(self) -> None:
        plan, now_ns = self.plan, self.round * ROUND_NS
        graph = plan.topology.graph(plan.peers, self.seed, self.round)
        degree = graph.sum(axis=1)
        for node in self.honest:
            node.peer.meet({self.keys[j]: int(degree[j]) for j in neighbours(graph, node.number)})
        offers = [node.peer.offer(now_ns) for node in self.honest]
        for node in self.honest:
            for j in neighbours(graph, node.number):
                for data in offers[j] if j < plan.teams else self.crafted(int(j), node.number, now_ns):
                    node.peer.receive(data, now_ns)
        outcomes = [node.gossip() for node in self.honest]
        vectors = np.stack([node.peer.vector for node in self.honest]).astype(np.float64)
        record = self.record
        record.distance.append(float(np.mean(np.sum((vectors - vectors.mean(axis=0)) ** 2, axis=1))))
        record.gap.append(spectral_gap(metropolis_weights(graph)))
        record.adopted.append(float(np.mean([outcome.adopted for outcome in outcomes])))
        for outcome in outcomes:
            record.verdicts.update(str(verdict) for verdict in outcome.verdicts if verdict is not Verdict.ACCEPTED)
        record.refused = sum((Counter(map(str, node.peer.refused.elements())) for node in self.honest), Counter())
        record.bytes_sent = sum(node.peer.outbox.bytes_sent for node in self.honest)

    def crafted(self, attacker: int, victim: int, now_ns: int) -> list[bytes]:
        """Return what an attacker sends to a victim; a swarm of honest teams has none."""
        return []
