"""One team as a member of the swarm: it learns in its own world, and gossips the vectors of all its members as one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.seeds import stream_key
from mycelial.lab.federated.evaluation import returns_of
from mycelial.lab.federated.plan import Plan
from mycelial.lab.foraging import ForagingTask, layout_keys
from mycelial.learning.loop import Trainer
from mycelial.learning.policy import Team
from mycelial.learning.task import TeamTask
from mycelial.swarm.blocks import BlockTable
from mycelial.swarm.gate import Gate, Trial
from mycelial.swarm.gossip import Outcome, Peer
from mycelial.swarm.identity import Identity
from mycelial.swarm.membership import Membership
from mycelial.swarm.messages import Evidence

Vector = NDArray[np.float32]
CHEAP, FULL = 32, 128  # layouts of the gate's panels


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
        task = task or ForagingTask(self.world, plan.books, name=f"team {number}")
        team_seed = int(stream_key(seed, "team", number) >> np.uint64(2))
        self.trainer = Trainer(task, plan.hyper, team_seed, family_seed=seed)
        self._shape = self.trainer.parameters().shape
        self.peer = Peer(
            identity_of(seed, number),
            Membership(admitted),
            self.table,
            self.table.compatibility(features=f"foraging {plan.size} {plan.foods}", actions="6", role="pair"),
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
    def vector(self) -> Vector:
        """Parameters of all members, float32[N P]."""
        return self.trainer.parameters().ravel()

    def team(self, vector: Vector | None = None) -> Team:
        """Return the team with given parameters, or as it is."""
        rows = (self.vector if vector is None else vector).reshape(self._shape)
        return Team(self.trainer.architecture, np.ascontiguousarray(rows), self.trainer.task.agents)

    def learn(self) -> None:
        """Train for one round and tell the peer."""
        self.trainer.advance(self.plan.round_steps)
        made = self.trainer.steps // self.plan.round_steps * self.plan.settings.local_steps
        self.peer.learned(self.vector, made, Evidence(lower=self.trainer.metrics.get("return", 0.0)))

    def gossip(self) -> Outcome:
        """Merge what came, and learn on from the result."""
        outcome = self.peer.gossip()
        if outcome.adopted:
            self.trainer.set_parameters(self.peer.vector.reshape(self._shape))
        return outcome

    def trial(self, vector: Vector, panel: int, full: bool) -> Trial:
        """Try a vector on the private panel: new layouts, and a sweep of the first food over all cells."""
        count = FULL if full else CHEAP
        keys = layout_keys(self.seed, f"panel {self.number} {panel}", count)
        inner = self.world.size - 2
        cells = (np.arange(count // 2) + panel * (count // 2)) % inner**2
        forced = np.full((count, 2), -1, np.int64)
        forced[: len(cells)] = np.stack([1 + cells // inner, 1 + cells % inner], axis=1)
        returns = returns_of(self.team(vector), self.world, keys, forced)
        return Trial(returns, forced[:, 0] >= 0)

    def held_out(self) -> float:
        """Return the mean return on layouts that no team ever trains on."""
        keys = layout_keys(self.seed, f"held out {self.number}", self.plan.episodes)
        return float(returns_of(self.team(), self.world, keys).mean())
