"""One team as a member of the swarm: it learns in its own world, and gossips the vectors of all its members as one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.seeds import stream_key
from mycelial.environment.tasks.foraging import Foraging
from mycelial.lab.federated.layouts import drawn, panel, returns_on
from mycelial.lab.federated.plan import Plan
from mycelial.learning.loop import Trainer
from mycelial.learning.policy import Team
from mycelial.learning.task import Arrays, TeamTask
from mycelial.swarm.blocks import BlockTable
from mycelial.swarm.gate import Gate, Trial
from mycelial.swarm.gossip import Outcome, Peer
from mycelial.swarm.identity import Identity
from mycelial.swarm.membership import Membership
from mycelial.swarm.messages import Evidence

Vector = NDArray[np.float32]
CHEAP, FULL = 32, 96  # layouts of the gate's panels


def identity_of(seed: int, peer: int) -> Identity:
    """Return the key pair of a peer; laboratory keys are no secret."""
    return Identity(b"".join(int(stream_key(seed, "identity", peer, k)).to_bytes(8, "little") for k in range(4)))


class Node:
    """A team, its trainer and its peer.

    Parameters
    ----------
    plan : Plan
    number : int
        Which team.
    seed : int
        Of the run.
    admitted : iterable of bytes
        Keys of all peers.
    task : TeamTask, optional
        Where it learns, if not in its own world.
    """

    def __init__(
        self, plan: Plan, number: int, seed: int, admitted: Iterable[bytes], task: TeamTask | None = None
    ) -> None:
        self.plan, self.number, self.seed = plan, number, seed
        self.world = plan.world(number)
        task = task or Foraging(self.world, plan.books, spread_clocks=True)
        team_seed = int(stream_key(seed, "team", number) >> np.uint64(2))
        self.trainer = Trainer(task, plan.hyper, team_seed, family_seed=seed)
        self._held_out: Arrays | None = None
        self._panel: tuple[tuple[int, bool], Arrays, NDArray[np.bool_]] | None = None
        self._shape = self.trainer.parameters().shape
        self.peer = Peer(
            identity_of(seed, number),
            Membership(admitted),
            self.table,
            self.class_hash,
            self.vector,
            plan.settings,
            gate=Gate(self.trial, plan.gate_settings) if plan.gate else None,
            loss=lambda vector: -float(self.trial(vector, 0, False).returns.mean()),
        )

    @property
    def table(self) -> BlockTable:
        """The blocks of all members' vectors, one behind the other."""
        federated = self.trainer.architecture.manifest.federated
        return BlockTable.of(
            (f"{n}.{one.key}", one.shape, bool(federated[one.start]))
            for n in range(self._shape[0])
            for one in self.trainer.architecture.manifest.tensors
        )

    @property
    def class_hash(self) -> bytes:
        """The compatibility class; the levels of a team's players do not matter to it."""
        return self.table.compatibility(features=self.plan.task, actions="6", role="pair")

    @property
    def vector(self) -> Vector:
        """Parameters of all members, float32[N P]."""
        return self.trainer.parameters().ravel()

    def team(self, vector: Vector | None = None) -> Team:
        """Return the team with given parameters, or as it is."""
        rows = (self.vector if vector is None else vector).reshape(self._shape)
        return Team(self.trainer.architecture, np.ascontiguousarray(rows), self.trainer.task.agents)

    def learn(self, round_number: int) -> None:
        """Train for one round and tell the peer."""
        if self.plan.learning:
            self.trainer.advance(self.plan.round_steps)
        made = round_number * self.plan.settings.local_steps
        self.peer.learned(self.vector, made, Evidence(lower=self.trainer.metrics.get("return", 0.0)))

    def become(self, vector: Vector) -> None:
        """Start from given parameters."""
        self.trainer.set_parameters(vector.reshape(self._shape))
        self.peer.learned(vector, self.peer.steps)

    def gossip(self) -> Outcome:
        """Merge what came, and learn on from the result."""
        outcome = self.peer.gossip()
        if outcome.adopted:
            self.trainer.set_parameters(self.peer.vector.reshape(self._shape))
        return outcome

    def trial(self, vector: Vector, number: int, full: bool) -> Trial:
        """Try a vector on the private panel of that number: any layouts, and a sweep of food over all cells."""
        if self._panel is None or self._panel[0] != (number, full):
            drawn_now = panel(self.world, self._private("panel", number), FULL if full else CHEAP)
            self._panel = ((number, full), *drawn_now)
        _, start, swept = self._panel
        return Trial(returns_on(self.team(vector), self.world, start), swept)

    def held_out(self) -> float:
        """Return the mean return on layouts that no team ever trains on."""
        if self._held_out is None:
            self._held_out = drawn(self.world, self._private("held out", 0), self.plan.episodes)
        return float(returns_on(self.team(), self.world, self._held_out).mean())

    def _private(self, purpose: str, number: int) -> int:
        return int(stream_key(self.seed, purpose, self.number, number) >> np.uint64(2))
