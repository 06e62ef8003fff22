"""A federated run: learn, offer, deliver, gossip, round by round, through real messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mycelial.agents.toxic.updates import DATA_ATTACKS
from mycelial.domain.seeds import stream_key
from mycelial.lab.federated.attackers import Attackers
from mycelial.lab.federated.layouts import picked, returns_on
from mycelial.lab.federated.node import Node, identity_of
from mycelial.lab.federated.plan import Plan
from mycelial.lab.federated.poisoned import triggers
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
    dose : list of float
        Of each round: the attackers' share in the honest policies by lineage, mean over honest teams.
    quarantined : list of float
        Of each round: share of (honest team, attacker) pairs in quarantine.
    false_quarantine : int
        Honest teams that any honest team has in quarantine at the end.
    triggered : list of float
        Mean return of each honest team on layouts with the trigger, at the end of an attack on data.
    bytes_sent : int
        By honest teams.
    verdicts, refused : Counter
    """

    steps: list[int] = field(default_factory=list)
    scores: list[list[float]] = field(default_factory=list)
    distance: list[float] = field(default_factory=list)
    gap: list[float] = field(default_factory=list)
    adopted: list[float] = field(default_factory=list)
    dose: list[float] = field(default_factory=list)
    quarantined: list[float] = field(default_factory=list)
    false_quarantine: int = 0
    triggered: list[float] = field(default_factory=list)
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
            "dose": [round(value, 4) for value in self.dose],
            "quarantined": [round(value, 3) for value in self.quarantined],
            "false_quarantine": self.false_quarantine,
            "triggered": [round(value, 4) for value in self.triggered],
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
        first = self.honest[0].peer
        self._attackers = (
            Attackers(plan, seed, first.table, self.honest[0].class_hash, self.keys) if plan.attackers else None
        )
        self.record = Record()
        self.round = 0

    def run(self, progress: Callable[[int, int], None] | None = None) -> Record:
        """Run all rounds."""
        while self.round < self.plan.rounds:
            self.step()
            if progress is not None:
                progress(self.round, self.plan.rounds)
        if self.plan.attack in DATA_ATTACKS:
            self._try_trigger()
        return self.record

    @property
    def lived(self) -> int:
        """Environment steps of all honest teams."""
        return sum(node.trainer.steps for node in self.honest)

    def step(self) -> None:
        """Run one round."""
        self.round += 1
        for node in self.honest:
            node.learn(self.round)
        if self.plan.gossip:
            self._gossip()
        if self.plan.every and (self.round % self.plan.every == 0 or self.round == self.plan.rounds):
            self.record.steps.append(self.honest[0].trainer.steps)
            self.record.scores.append([node.held_out() for node in self.honest])

    def _gossip(self) -> None:
        plan, now_ns = self.plan, self.round * ROUND_NS
        graph = plan.topology.graph(plan.peers, self.seed, self.round)
        degree = graph.sum(axis=1)
        for node in self.honest:
            node.peer.meet({self.keys[j]: int(degree[j]) for j in neighbours(graph, node.number)})
        offers = [node.peer.offer(now_ns) for node in self.honest]
        attacks = self._attackers is not None and self.round > plan.warm_up
        if self._attackers is not None:
            sent = np.stack([node.peer.table.gather(node.peer.vector) for node in self.honest])
            self._attackers.prepare(sent, graph, self.round)
        for node in self.honest:
            for j in neighbours(graph, node.number):
                if j < plan.teams:
                    messages = offers[j]
                elif self._attackers is not None and attacks:
                    messages = self._attackers.messages(int(j), node.number, node.peer.steps, now_ns)
                else:
                    messages = []
                for data in messages:
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
        self._count_attackers()

    def _count_attackers(self) -> None:
        """Record how far the attackers have come."""
        liars, peers = self.keys[self.plan.teams :], [node.peer for node in self.honest]
        doses = [sum(peer.lineage.mass(peer.outbox.policy, liar) for liar in liars) for peer in peers]
        self.record.dose.append(float(np.mean(doses)))
        caught = [liar in peer.membership.quarantined for peer in peers for liar in liars]
        self.record.quarantined.append(float(np.mean(caught)) if caught else 0.0)
        self.record.false_quarantine = sum(
            any(key in peer.membership.quarantined for peer in peers) for key in self.keys[: self.plan.teams]
        )

    def _try_trigger(self) -> None:
        """Measure what the honest teams do where the trigger shows."""
        for node in self.honest:
            seed = int(stream_key(self.seed, "trigger", node.number) >> np.uint64(2))
            start = picked(node.world, seed, self.plan.episodes, lambda food: triggers(food, self.plan.attack))
            self.record.triggered.append(float(returns_on(node.team(), node.world, start).mean()))
