"""What a federated run consists of: teams and their worlds, how they learn and gossip, who attacks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mycelial.domain.errors import ConfigError
from mycelial.environment.tasks.foraging import Field, field_named
from mycelial.learning.hyper import Hyper
from mycelial.swarm.gate import GateSettings
from mycelial.swarm.settings import GossipSettings
from mycelial.swarm.topology import Topology


@dataclass(frozen=True)
class Plan:
    """One federated run.

    Parameters
    ----------
    teams : int
        Honest teams.
    attackers : int
        More teams, which attack.
    attack : str
        Name of the attack, see `mycelial.agents.toxic.updates`; empty for none.
    gossip : bool
        False: teams learn alone.
    gate : bool
        Whether receivers test before they adopt.
    task : str
        Name of the foraging world, such as ``lbf-8x8-2p-2f-coop``.
    steps : int
        Environment steps of each team.
    round_steps : int
        Environment steps of a team between two gossip rounds.
    books : int
        Worlds of a team side by side.
    topology : Topology
    settings : GossipSettings
    gate_settings : GateSettings
    hyper : Hyper
    every : int
        Rounds between two evaluations on held-out layouts.
    episodes : int
        Held-out layouts of each evaluation.
    warm_up : int
        Rounds without attack at the start.
    learning : bool
        False: teams only gossip.
    one_world : bool
        All teams live in the world that `task` names, instead of each in its own.
    """

    teams: int = 8
    attackers: int = 0
    attack: str = ""
    gossip: bool = True
    gate: bool = True
    task: str = "lbf-8x8-2p-2f-coop"
    steps: int = 500_000
    round_steps: int = 4_096
    books: int = 16
    topology: Topology = field(default_factory=lambda: Topology("random-regular", 4, rewire_every=10))
    settings: GossipSettings = field(default_factory=GossipSettings)
    gate_settings: GateSettings = field(default_factory=GateSettings)
    hyper: Hyper = field(default_factory=Hyper)
    every: int = 4
    episodes: int = 100
    warm_up: int = 0
    learning: bool = True
    one_world: bool = False

    def __post_init__(self) -> None:
        if self.teams < 1 or self.attackers < 0 or bool(self.attackers) != bool(self.attack):
            raise ConfigError(
                f"a federated run needs teams, and an attack exactly when there are attackers; got {self.teams} teams, "
                f"{self.attackers} attackers, attack {self.attack!r}"
            )

    @property
    def peers(self) -> int:
        """Honest and attacking teams."""
        return self.teams + self.attackers

    @property
    def rounds(self) -> int:
        """Gossip rounds of a run."""
        return -(-self.steps // self.round_steps)

    def world(self, team: int) -> Field:
        """Return the world of a team: from players of level 1 only to players of level 2 only.

        Foods need the levels of all players together, so every team has its own distribution of food levels.
        """
        if self.one_world:
            return field_named(self.task)
        high = team % self.teams / max(1, self.teams - 1)
        return replace(field_named(self.task), levels=(1.0 - high, high))

    def to_dict(self) -> dict[str, Any]:
        """Return every number by name."""
        return asdict(self)
