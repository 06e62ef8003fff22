"""Train a swarm: groups of makers in markets of different regimes, who gossip what they learn.

A group is a team that shares a reward and learns by value decomposition; between groups only signed messages with
parameters travel. What is exported is the running average of a group's weights over the last part of training: the
greedy choice between nearly equal actions flickers from update to update, its average does not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError, DataError, NotFound
from mycelial.domain.seeds import stream_key
from mycelial.environment.trading import TradingConfig, TradingTask, regime
from mycelial.environment.trading.pooled import Pooled
from mycelial.environment.trading.schema import digest
from mycelial.lab.trading.evaluation import TUNING, play
from mycelial.lab.trading.policies import Trained
from mycelial.learning.hyper import Hyper
from mycelial.learning.loop import Trainer
from mycelial.learning.policy import Team, write_whole
from mycelial.learning.task import TeamTask
from mycelial.swarm import BlockTable, Gate, GateSettings, GossipSettings, Identity, Membership, Peer, Topology, Trial
from mycelial.swarm.topology import neighbours

ROUND_NS = 1_000_000_000
CENTRAL = "central"
STRESSED = 6  # worlds outside of the ordinary range on a full panel of the gate; three times as many inside
LEARNER = Hyper(
    steps=393_216,
    backend="numpy",
    gamma=0.9,
    trace=0.3,
    rate=1.5e-3,
    last_rate=0.05,
    segment=32,
    epochs=2,
    minibatches=4,
    normalise=False,
    scale_rewards=True,
    sharing="group",
)


@dataclass(frozen=True)
class Group:
    """One team: its regime and the 30-day volumes (USD) its seats may begin with."""

    regime: str
    volumes_usd: tuple[int, ...]

    @property
    def name(self) -> str:
        """What its team is called: regime and least volume, such as ``thin-50k``."""
        least = min(self.volumes_usd)
        return (
            f"{self.regime}-{least // 1_000:,}k".replace(",", "")
            if least % 1_000_000
            else f"{self.regime}-{least // 10**6}m"
        )


# Where something can be earned (docs/results/maker-economics.md): a large account, a middling one, a small one.
GROUPS = (
    Group("middle", (10_000_000,)),
    Group("middle", (2_500_000,)),
    Group("thin", (50_000,)),
)


@dataclass(frozen=True)
class Plan:
    """What is trained.

    Parameters
    ----------
    groups : tuple of Group
    seats : members of a group.
    books : markets of a group lived in side by side.
    steps : environment steps of each group.
    hyper : Hyper
    gossip : whether groups exchange parameters; `topology`, `settings` and `gate` say how.
    every : steps between two rounds of gossip.
    gate : whether a merge is tried on private worlds before it is adopted.
    central : one learner for the markets of all groups instead (a baseline).
    average : share of the running average that a round of learning keeps; 0 exports the last weights.
    trading : what else a seat trades under; regime, seats and volumes are set by the group.
    """

    groups: tuple[Group, ...] = GROUPS
    seats: int = 4
    books: int = 64
    steps: int = 393_216
    hyper: Hyper = LEARNER
    gossip: bool = True
    topology: Topology = field(default_factory=lambda: Topology("complete"))
    settings: GossipSettings = field(default_factory=lambda: GossipSettings(step=0.3, max_age=1e9))
    every: int = 65_536
    gate: bool = False
    central: bool = False
    average: float = 0.97
    trading: TradingConfig = field(default_factory=TradingConfig)

    def __post_init__(self) -> None:
        if not self.groups or len({group.name for group in self.groups}) < len(self.groups):
            raise ConfigError("a swarm needs at least one group, and no two of the same regime and volume")
        if self.steps < 1 or self.every < 1 or not 0.0 <= self.average < 1.0:
            raise ConfigError("swarm: steps and every must be at least 1, average from 0 to below 1")

    @property
    def round_steps(self) -> int:
        """Steps between two rounds of gossip: `every`, in whole segments of all books."""
        segment = self.books * self.hyper.segment
        return -(-self.every // segment) * segment

    def config(self, group: Group) -> TradingConfig:
        """Return the task of a group."""
        return replace(
            self.trading, regime=regime(group.regime), seats=self.seats, volumes_usd=tuple(group.volumes_usd)
        )

    def describe(self) -> dict[str, Any]:
        """Return everything that decides the result, for manifests."""
        said = asdict(replace(self, trading=TradingConfig()))
        del said["trading"]
        said["hyper"] = self.hyper.to_dict()
        said["charges"], said["choices"] = asdict(self.trading.charges), asdict(self.trading.choices)
        return dict(json.loads(json.dumps(said, default=str)))


class Member:
    """A group, its trainer, its running average and, where the swarm gossips, its peer."""

    def __init__(self, plan: Plan, number: int, seed: int) -> None:
        self.plan, self.number, self.seed = plan, number, seed
        group_seed = int(stream_key(seed, "trading", "group", number) >> np.uint64(2))
        hyper = replace(plan.hyper, steps=plan.steps, checkpoint=plan.round_steps)
        self.trainer = Trainer(self._task(), hyper, group_seed, family_seed=seed)
        self.average = self.trainer.parameters().astype(np.float64)
        self.peer: Peer | None = None

    @property
    def name(self) -> str:
        """What its team is called."""
        return CENTRAL if self.plan.central else self.plan.groups[self.number].name

    def _task(self) -> TeamTask:
        plan = self.plan
        if not plan.central:
            return TradingTask(plan.config(plan.groups[self.number]), plan.books)
        share = max(1, plan.books // len(plan.groups))
        return Pooled([TradingTask(plan.config(group), share) for group in plan.groups])

    def learn(self, steps: int) -> None:
        """Live and learn for at least `steps` environment steps."""
        until = self.trainer.steps + steps
        while self.trainer.steps < until:
            self.trainer.advance(1)
            keep = min(self.plan.average, self.trainer.rounds / (10.0 + self.trainer.rounds))
            self.average *= keep
            self.average += (1.0 - keep) * self.trainer.parameters()

    def team(self, **provenance: Any) -> Team:
        """Return the averaged team."""
        vectors = np.ascontiguousarray(self.average, np.float32)
        return Team(self.trainer.architecture, vectors, self.trainer.task.agents, provenance)

    def join(self, keys: list[bytes]) -> None:
        """Become a peer of the others."""
        plan, shape = self.plan, self.trainer.parameters().shape
        manifest = self.trainer.architecture.manifest
        table = BlockTable.of(
            (f"{n}.{one.key}", one.shape, bool(manifest.federated[one.start]))
            for n in range(shape[0])
            for one in manifest.tensors
        )
        self.peer = Peer(
            identity_of(self.seed, self.number),
            Membership(keys),
            table,
            table.compatibility(features=digest(), actions=str(self.trainer.task.actions), role="maker"),
            self.trainer.parameters().ravel(),
            plan.settings,
            gate=Gate(self._trial, GateSettings(normal_margin=5.0, stress_margin=20.0, tail_margin=50.0))
            if plan.gate
            else None,
        )

    def _trial(self, vector: NDArray[np.float32], number: int, full: bool) -> Trial:
        """Try a vector in private worlds; a quarter of them lie outside of the ordinary range."""
        plan = self.plan
        rows = vector.reshape(self.trainer.parameters().shape)
        policy = Trained(Team(self.trainer.architecture, np.ascontiguousarray(rows), plan.seats))
        config = plan.config(plan.groups[self.number])
        seed = int(stream_key(self.seed, "trading", "panel", self.number, number) >> np.uint64(2))
        stressed = STRESSED if full else STRESSED // 2
        calm = play(config, policy, [seed], 3 * stressed, purpose=TUNING).profit[0]
        stress = play(replace(config, wide=True), policy, [seed], stressed, purpose=TUNING).profit[0]
        return Trial(np.concatenate([calm, stress]), np.arange(4 * stressed) >= 3 * stressed)


class SwarmTraining:
    """All groups of a swarm; `advance` until `done`.

    Parameters
    ----------
    plan : Plan
    seed : int
    """

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan, self.seed = plan, seed
        count = 1 if plan.central else len(plan.groups)
        self.members = [Member(plan, number, seed) for number in range(count)]
        self.round = 0
        self.curve: list[dict[str, Any]] = []
        self.verdicts: Counter[str] = Counter()
        self.bytes_sent = 0

    @property
    def steps(self) -> int:
        """Environment steps of a group so far."""
        return min(member.trainer.steps for member in self.members)

    @property
    def done(self) -> bool:
        """Whether the budget is spent."""
        return self.steps >= self.plan.steps

    def advance(self) -> None:
        """Learn for one round in every group, then gossip."""
        for member in self.members:
            member.learn(self.plan.round_steps)
        self.round += 1
        if self.plan.gossip and len(self.members) > 1:
            self._gossip()

    def teams(self) -> dict[str, Team]:
        """Return the averaged team of each group by its name."""
        about = {"seed": self.seed, "steps": self.steps, "features": digest(), "plan": self.plan.describe()}
        return {member.name: member.team(group=member.name, **about) for member in self.members}

    def evaluate(self, worlds: int = 16, seed: int = 0) -> dict[str, float]:
        """Return each group's mean profit in tuning worlds of its own, by its name."""
        found = {}
        for number, group in enumerate(self.plan.groups):
            team = self.members[0 if self.plan.central else number].team()
            outcome = play(self.plan.config(group), Trained(team), [seed], worlds, purpose=TUNING)
            found[group.name] = float(outcome.profit.mean())
        return found

    def _gossip(self) -> None:
        """Exchange parameters once. Peers are made anew each time, so that nothing but weights has to be kept."""
        keys = [identity_of(self.seed, n).public for n in range(len(self.members))]
        graph = self.plan.topology.graph(len(self.members), self.seed, self.round)
        degree = graph.sum(axis=1)
        now_ns = self.round * ROUND_NS
        offers = []
        for n, member in enumerate(self.members):
            member.join(keys)
            assert member.peer is not None
            member.peer.meet({keys[j]: int(degree[j]) for j in neighbours(graph, n)})
            if member.peer.gate is not None:
                member.peer.gate.tests = self.round - 1
            offers.append(member.peer.offer(now_ns))
        for n, member in enumerate(self.members):
            assert member.peer is not None
            for j in neighbours(graph, n):
                for data in offers[j]:
                    member.peer.receive(data, now_ns)
            outcome = member.peer.gossip()
            self.verdicts.update(str(verdict) for verdict in outcome.verdicts)
            if outcome.adopted:
                member.trainer.set_parameters(member.peer.vector.reshape(member.trainer.parameters().shape))
                self.verdicts["adopted"] += 1
            self.bytes_sent += member.peer.outbox.bytes_sent

    def checkpoint(self, folder: Path) -> None:
        """Write everything the future depends on; the last file written makes it valid.

        Markets are not put away: every group begins new episodes here, whether it stops or goes on.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for n, member in enumerate(self.members):
            member.trainer.checkpoint(folder / f"group-{n}-{self.round}.npz", average=member.average.tolist())
        about = {
            "round": self.round,
            "seed": self.seed,
            "plan": self.plan.describe(),
            "curve": self.curve,
            "verdicts": dict(self.verdicts),
            "bytes_sent": self.bytes_sent,
        }
        write_whole(folder / "swarm.json", (json.dumps(about) + "\n").encode())
        for path in folder.glob("group-*.npz"):
            if not path.name.endswith(f"-{self.round}.npz"):
                path.unlink()

    def resume(self, folder: Path) -> None:
        """Take up a checkpoint of the same plan and seed."""
        path = folder / "swarm.json"
        if not path.is_file():
            raise NotFound(f"there is no checkpoint of a swarm in {folder}")
        about = json.loads(path.read_text())
        if (about["plan"], about["seed"]) != (self.plan.describe(), self.seed):
            raise DataError(f"the checkpoint in {folder} belongs to another plan or seed; delete it or use its own")
        self.round, self.curve = about["round"], about["curve"]
        self.verdicts, self.bytes_sent = Counter(about["verdicts"]), about["bytes_sent"]
        for n, member in enumerate(self.members):
            notes = member.trainer.resume(folder / f"group-{n}-{self.round}.npz")
            member.average = np.array(notes["average"], np.float64)


def identity_of(seed: int, group: int) -> Identity:
    """Return the key pair of a group; laboratory keys are no secret."""
    words = (int(stream_key(seed, "trading", "identity", group, k)) for k in range(4))
    return Identity(b"".join(word.to_bytes(8, "little") for word in words))


def train(
    plan: Plan,
    seed: int,
    folder: Path | None = None,
    progress: Callable[[SwarmTraining], None] | None = None,
    *,
    evaluate_every: int = 0,
) -> SwarmTraining:
    """Train a swarm to the end, from the last checkpoint in `folder` if there is one.

    Parameters
    ----------
    evaluate_every : rounds between two entries of the learning curve; 0 keeps none.
    """
    training = SwarmTraining(plan, seed)
    if folder is not None and (folder / "swarm.json").is_file():
        training.resume(folder)
    while not training.done:
        training.advance()
        if evaluate_every and training.round % evaluate_every == 0:
            training.curve.append({"steps": training.steps, **training.evaluate()})
        if folder is not None:
            training.checkpoint(folder)
        if progress is not None:
            progress(training)
    return training
