"""The other side of a federated run: peers on the admission list that lie.

They know what every honest peer sends (the strongest attacker of the literature). Those that attack by data train in
a poisoned world, starting each round from the average around them, and send what they learnt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.toxic.protocol import LyingSender
from mycelial.agents.toxic.updates import DATA_ATTACKS, AttackState, HonestView, attack_called
from mycelial.domain.seeds import generator
from mycelial.lab.federated.node import Node, identity_of
from mycelial.lab.federated.plan import Plan
from mycelial.lab.federated.poisoned import PoisonedTask
from mycelial.swarm.blocks import BlockTable
from mycelial.swarm.topology import Graph, metropolis_weights

Vector = NDArray[np.float32]


def head_positions(table: BlockTable) -> NDArray[np.int64]:
    """Return where the last layers lie in the federated vector."""
    parts, start = [np.zeros(0, np.int64)], 0
    for block in table.blocks:
        if block.federated:
            if ".head." in f".{block.name}":
                parts.append(np.arange(start, start + block.size))
            start += block.size
    return np.concatenate(parts)


class Attackers:
    """All attackers of a run.

    Parameters
    ----------
    plan : Plan
    seed : int
    table : BlockTable
    class_hash : bytes
    keys : sequence of bytes
    """

    def __init__(self, plan: Plan, seed: int, table: BlockTable, class_hash: bytes, keys: Sequence[bytes]) -> None:
        self.plan, self.seed = plan, seed
        self._table, self._class_hash = table, class_hash
        self._attack = attack_called(plan.attack)
        self._head = head_positions(table)
        self._numbers = range(plan.teams, plan.peers)
        self._states = {number: AttackState(0, generator(seed, "attack", number)) for number in self._numbers}
        self._nodes = {
            number: Node(plan, number, seed, keys, PoisonedTask(plan.world(number), plan.books, plan.attack))
            for number in (self._numbers if plan.attack in DATA_ATTACKS else ())
        }
        self._senders: dict[tuple[int, int], LyingSender] = {}
        self._own: dict[int, Vector] = {}
        self._vectors = np.zeros((0, table.federated_size), np.float32)
        self._before: Vector | None = None
        self._graph: Graph = np.zeros((0, 0), np.bool_)
        self._weights = np.zeros((0, 0))

    def prepare(self, honest: NDArray[np.float32], graph: Graph, round_number: int) -> None:
        """See what the honest peers send this round, float32[h, F], and learn the wrong thing."""
        self._before = honest.mean(axis=0) if self._before is None else self._vectors.mean(axis=0)
        self._vectors, self._graph, self._weights = honest, graph, metropolis_weights(graph)
        for number in self._numbers:
            state = self._states[number]
            state.round = round_number
            near = np.flatnonzero(graph[number][: self.plan.teams])
            own = honest[near].mean(axis=0) if len(near) else honest.mean(axis=0)
            if number in self._nodes:
                node = self._nodes[number]
                vector = node.vector
                mixed = own if not state.past else 0.5 * (state.past[-1] + own)
                node.trainer.set_parameters(self._table.scatter(vector, mixed).reshape(node.trainer.parameters().shape))
                node.trainer.advance(self.plan.round_steps)
                own = self._table.gather(node.vector)
            self._own[number] = np.asarray(own, np.float32)
            state.past.append(self._own[number])
            del state.past[:-64]

    def messages(self, attacker: int, victim: int, steps: int, now_ns: int) -> list[bytes]:
        """Return what an attacker sends to a victim."""
        teams, scale = self.plan.teams, self.plan.settings.step
        weights = self._weights[victim] * self._graph[victim] * scale
        assert self._before is not None
        view = HonestView(
            self._vectors,
            self._before,
            victim,
            weights[:teams],
            float(weights[teams:].sum()),
            self.plan.peers,
            self.plan.attackers,
            self._head,
        )
        own, state = self._own[attacker], self._states[attacker]
        sender = self._senders.get((attacker, victim))
        if sender is None:
            sender = self._senders[attacker, victim] = LyingSender(
                identity_of(self.seed, attacker), self._table, self._class_hash, self.plan.settings, self.plan.attack
            )
        return sender.messages(self._attack.craft(own, view, state), own, state.round, steps, now_ns)
