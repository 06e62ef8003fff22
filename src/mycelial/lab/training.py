"""One training as a folder: checkpoints, learning curve, policies; stopped at any moment it goes on where it was.

A folder holds ``checkpoint.npz`` (everything the future depends on, with the curve so far), ``events/`` (TensorBoard,
where tensorboardX is installed) and, when it is done, ``policy.npz`` and ``result.json``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mycelial.learning.evaluation import Deciding
from mycelial.learning.hyper import Hyper
from mycelial.learning.loop import Trainer
from mycelial.learning.policy import Team, write_whole
from mycelial.learning.task import TeamTask

CHECKPOINT, RESULT, POLICY, EVENTS = "checkpoint.npz", "result.json", "policy.npz", "events"
EVALUATIONS = 20

Evaluate = Callable[[Deciding, int], float]  # team, number of the evaluation -> score
Progress = Callable[[float, int], None]  # share done, steps so far


@dataclass(frozen=True)
class Training:
    """What is to be trained.

    Parameters
    ----------
    name : str
        Of the task, for provenance.
    make : callable
        Makes the task.
    hyper : Hyper
    seed, family_seed : int
    evaluate : callable
        Scores a team on episodes it has not seen; called `EVALUATIONS` times along the way.
    """

    name: str
    make: Callable[[], TeamTask]
    hyper: Hyper
    seed: int
    evaluate: Evaluate
    family_seed: int = 0


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Parameters
    ----------
    curve : list of (steps, score)
    steps : int
    cpu_seconds : float
        Spent on learning and living, evaluations and compilation left out.
    team : Team
    """

    curve: list[tuple[int, float]]
    steps: int
    cpu_seconds: float
    team: Team


def train(training: Training, folder: Path, progress: Progress | None = None) -> Trained:
    """Train to the end, from the last checkpoint if there is one."""
    every = -(-training.hyper.steps // EVALUATIONS)
    hyper = replace(training.hyper, checkpoint=every)
    trainer = Trainer(training.make(), hyper, training.seed, family_seed=training.family_seed)
    curve: list[tuple[int, float]] = []
    spent = 0.0
    place = folder / CHECKPOINT
    if place.is_file():
        notes = trainer.resume(place)
        curve, spent = [(int(n), float(x)) for n, x in notes["curve"]], float(notes["cpu_seconds"])
    with event_files(folder, trainer.steps) as write:
        while len(curve) < EVALUATIONS:
            goal = min(hyper.steps, every * (len(curve) + 1))
            while trainer.steps < goal:
                began = time.process_time()
                first = trainer.rounds == 0
                trainer.advance(1)
                spent += 0.0 if first else time.process_time() - began  # the first round compiles
                if progress is not None:
                    progress(min(1.0, trainer.steps / hyper.steps), trainer.steps)
            curve.append((trainer.steps, training.evaluate(trainer.decider(), len(curve))))
            write(trainer.steps, {**trainer.metrics, "score": curve[-1][1]})
            trainer.checkpoint(place, curve=curve, cpu_seconds=spent)
    provenance = {"task": training.name, "seed": training.seed, "steps": trainer.steps, "hyper": hyper.to_dict()}
    team = trainer.team(**provenance)
    digest = team.save(folder / POLICY)
    result = {**provenance, "policy": digest, "curve": curve, "cpu_seconds": spent}
    write_whole(folder / RESULT, (json.dumps(result, indent=2) + "\n").encode())
    return Trained(curve, trainer.steps, spent, team)


class event_files:
    """Gives a function that writes scalars as TensorBoard event files, or does nothing without tensorboardX."""

    def __init__(self, folder: Path, steps: int) -> None:
        self._folder, self._steps, self._writer = folder / EVENTS, steps, None

    def __enter__(self) -> Callable[[int, dict[str, float]], None]:
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError:
            return lambda steps, metrics: None
        self._folder.mkdir(parents=True, exist_ok=True)
        self._writer = SummaryWriter(str(self._folder), purge_step=self._steps)
        return self._write

    def __exit__(self, *_: Any) -> None:
        if self._writer is not None:
            self._writer.close()

    def _write(self, steps: int, metrics: dict[str, float]) -> None:
        assert self._writer is not None
        for name, value in metrics.items():
            self._writer.add_scalar(f"learning/{name}", value, steps)
