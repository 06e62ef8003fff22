"""One training of a swarm as a folder, so that it can be stopped, resumed, judged and exported.

``swarm-run.json`` says what is trained (plan, seed, command), ``checkpoint/`` holds everything the future depends on,
``events/`` TensorBoard files where tensorboardX is installed, ``teams/`` the exported policies with their manifest.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from dataclasses import fields, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from mycelial.domain.errors import ConfigError, DataError, NotFound
from mycelial.environment.trading import schema
from mycelial.environment.trading.config import Charges, Choices, TradingConfig
from mycelial.lab.trading.training import Group, Plan, SwarmTraining
from mycelial.lab.training import event_files
from mycelial.learning.hyper import Hyper
from mycelial.learning.policy import Team, content_hash, write_whole
from mycelial.swarm import GossipSettings, Topology

RUN, CHECKPOINT, TEAMS, MANIFEST = "swarm-run.json", "checkpoint", "teams", "manifest.json"
PACKAGE = "mycelial.lab.trading.teams"
BOOK_MIB = 3.0  # of memory a market of this size takes

Progress = Callable[[SwarmTraining], None]


def begin(folder: Path, plan: Plan, seed: int, command: str) -> None:
    """Write down what is to be trained.

    Raises
    ------
    ConfigError
        If another training lives there.
    """
    path = folder / RUN
    said = {"plan": plan.describe(), "seed": seed, "command": command}
    if path.is_file():
        found = json.loads(path.read_text())
        if (found["plan"], found["seed"]) != (said["plan"], seed):
            raise ConfigError(f"{folder} holds another training; choose another --out, or delete it")
        return
    write_whole(path, (json.dumps(said, indent=2) + "\n").encode())


def opened(folder: Path) -> tuple[Plan, int, str]:
    """Return plan, seed and command of a training.

    Raises
    ------
    NotFound, DataError
        If there is none, or it cannot be read.
    """
    path = folder / RUN
    if not path.is_file():
        raise NotFound(f"{folder} holds no training of a swarm; begin one with: mycelial learn run --out {folder}")
    try:
        said = json.loads(path.read_text())
        return plan_of(said["plan"]), int(said["seed"]), str(said["command"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read ({error!r}); it was changed by hand or is of another version"
        ) from error


def plan_of(said: dict[str, Any]) -> Plan:
    """Return the plan that `Plan.describe` described."""
    plain = {one.name: said[one.name] for one in fields(Plan) if one.name in said}
    plain["groups"] = tuple(Group(one["regime"], tuple(one["volumes_usd"])) for one in said["groups"])
    plain["hyper"] = Hyper(**said["hyper"])
    plain["topology"] = Topology(**said["topology"])
    plain["settings"] = GossipSettings(**{k: v for k, v in said["settings"].items() if k != "rule_settings"})
    choices: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in said["choices"].items()}
    plain["trading"] = replace(TradingConfig(), charges=Charges(**said["charges"]), choices=Choices(**choices))
    return Plan(**plain)


def needed_mib(plan: Plan) -> float:
    """Return about how much memory a training takes: markets, and what a segment of all groups holds."""
    books, seats = plan.books * (1 if plan.central else len(plan.groups)), plan.seats
    row = 4 * (2 * (schema.SIZE + seats) + 4) * 6  # observations, and what a pass over them keeps
    return 250.0 + BOOK_MIB * books + plan.books * plan.hyper.segment * seats * row / 2**20


def used_mib() -> float:
    """Return the most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def train_in(
    folder: Path,
    progress: Progress | None = None,
    *,
    evaluate_every: int = 4,
    memory_mib: float | None = None,
    stop_after: int | None = None,
) -> SwarmTraining:
    """Train what `folder` describes, from its last checkpoint, and write the teams when it is done.

    Parameters
    ----------
    evaluate_every : rounds between two points of the learning curve.
    memory_mib : refuse to begin, and stop at a checkpoint, beyond this.
    stop_after : rounds after which to stop, for tests.
    """
    plan, seed, _ = opened(folder)
    if memory_mib is not None and needed_mib(plan) > memory_mib:
        raise ConfigError(
            f"this training needs about {needed_mib(plan):,.0f} MiB and --memory allows {memory_mib:,.0f}; "
            f"take fewer --books than {plan.books}"
        )
    training = SwarmTraining(plan, seed)
    place = folder / CHECKPOINT
    if (place / "swarm.json").is_file():
        training.resume(place)
    with event_files(folder, training.steps) as write:
        while not training.done:
            training.advance()
            figures = {f"{m.name}/{key}": value for m in training.members for key, value in m.trainer.metrics.items()}
            if training.round % evaluate_every == 0 or training.done:
                point = training.evaluate()
                training.curve.append({"steps": training.steps, **point})
                figures |= {f"{name}/profit": value for name, value in point.items()}
            write(training.steps, figures)
            training.checkpoint(place)
            if progress is not None:
                progress(training)
            if memory_mib is not None and used_mib() > memory_mib:
                raise ConfigError(f"memory has grown to {used_mib():,.0f} MiB; resume with fewer books or more memory")
            if stop_after is not None and training.round >= stop_after:
                break
    if training.done:
        export(folder, folder / TEAMS, training)
    return training


def export(folder: Path, out: Path, training: SwarmTraining | None = None) -> dict[str, Any]:
    """Write every group's team and the manifest that says where it comes from; return the manifest."""
    plan, seed, command = opened(folder)
    if training is None:
        training = SwarmTraining(plan, seed)
        training.resume(folder / CHECKPOINT)
    manifest: dict[str, Any] = {
        "seed": seed,
        "steps": training.steps,
        "budget": plan.steps,
        "command": command,
        "features": schema.digest(),
        "teams": {},
        "curve": training.curve,
        "gossip": dict(training.verdicts),
        "plan": plan.describe(),
    }
    for name, team in training.teams().items():
        manifest["teams"][name] = {"file": f"{name}.npz", "hash": team.save(out / f"{name}.npz")}
    write_whole(out / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    return manifest


def load_team(place: Path | None, name: str) -> Team:
    """Return a group's team from an exported folder, or from those that ship with the package.

    Raises
    ------
    NotFound, DataError
        If there is none, or it sees or does other things than this version's task.
    """
    if place is None:
        with as_file(files(PACKAGE)) as packaged:
            return load_team(packaged, name)
    folder = place / TEAMS if (place / TEAMS).is_dir() else place
    path = folder / f"{name}.npz"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in folder.glob("*.npz"))) or "none"
        raise NotFound(f"there is no team {name!r} in {folder}; there are: {known}")
    team = Team.load(path)
    if team.provenance.get("features") != schema.digest():
        raise DataError(f"team {path} was trained on other figures than this version shows; train again")
    return team


def group_of(team: Team) -> Group:
    """Return the group a team was trained as: its regime and volumes.

    Raises
    ------
    DataError
        If the team does not say.
    """
    try:
        plan = plan_of(team.provenance["plan"])
        return next(group for group in plan.groups if group.name == team.provenance["group"])
    except (KeyError, StopIteration) as error:
        raise DataError("the team does not say in which market it was trained; export it again") from error


def team_hash(team: Team) -> str:
    """Return the fingerprint of a team's weights."""
    return content_hash(team.vectors)
