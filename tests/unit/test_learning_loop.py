"""Training: value decomposition learns what it can and fails where it must; stopped training goes on unchanged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mycelial.domain.errors import DataError
from mycelial.environment.tasks.matrix import GAMES, MatrixTask
from mycelial.learning.hyper import Hyper
from mycelial.learning.loop import Trainer
from mycelial.learning.task import TeamTask

SMALL = Hyper(
    steps=8_000, segment=4, minibatches=2, hidden=16, normalise=False, rate=5e-3, explore=0.8, backend="numpy"
)  # fmt: skip


def greedy_return(trainer: Trainer) -> float:
    task, team, total = MatrixTask(trainer.task.game, 1), trainer.team(), 0.0
    seen = task.reset(0)
    while True:
        step = task.step(team.act(seen.obs, seen.mask))
        total += float(step.reward[0])
        if step.terminated[0]:
            return total
        seen = step


@pytest.mark.parametrize(
    ("game", "expected"), [("climbing", 5.0), ("penalty-0", 10.0), ("penalty-50", 2.0), ("two-step", 7.0)]
)
def test_plain_value_decomposition_fails_where_it_is_known_to(game: str, expected: float) -> None:
    trainer = Trainer(MatrixTask(GAMES[game], 32), SMALL, seed=1)

    trainer.advance(8_000)

    assert greedy_return(trainer) == expected


class Unresumable:
    """A matrix game that cannot be put away."""

    def __init__(self, task: MatrixTask) -> None:
        self.books, self.agents, self.observation_size, self.actions = task.books, 2, 3, task.actions
        self.reset, self.step = task.reset, task.step


@pytest.mark.parametrize("variant", ["plain", "replay", "frames", "unresumable", "shared"])
def test_stopped_training_goes_on_to_the_same_last_bit(variant: str, tmp_path: Path) -> None:
    hyper = {
        "plain": replace(SMALL, scale_rewards=True, normalise=True),
        "replay": replace(SMALL, replay=64, replayed=16, lucky=0.5, target_every=5),
        "frames": replace(SMALL, frames=2),
        "unresumable": replace(SMALL, checkpoint=1_024),
        "shared": replace(SMALL, sharing="group"),
    }[variant]

    def fresh() -> Trainer:
        task: TeamTask = MatrixTask(GAMES["two-step"], 32)
        return Trainer(Unresumable(task) if variant == "unresumable" else task, hyper, seed=4)  # type: ignore[arg-type]

    whole, first, second = fresh(), fresh(), fresh()
    whole.advance(3_072)
    first.advance(1_024)
    first.checkpoint(tmp_path / "one.npz")
    second.resume(tmp_path / "one.npz")
    second.advance(2_048)
    whole.checkpoint(tmp_path / "whole.npz")
    second.checkpoint(tmp_path / "second.npz")

    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()


def test_a_checkpoint_of_other_numbers_is_refused(tmp_path: Path) -> None:
    Trainer(MatrixTask(GAMES["climbing"], 8), SMALL, seed=1).checkpoint(tmp_path / "one.npz")

    with pytest.raises(DataError, match="other numbers"):
        Trainer(MatrixTask(GAMES["climbing"], 8), SMALL, seed=2).resume(tmp_path / "one.npz")


def test_mixed_parameters_move_the_target_along_and_forget_first_moments_only_after_a_jump() -> None:
    trainer = Trainer(MatrixTask(GAMES["climbing"], 8), replace(SMALL, target_every=1_000), seed=1)
    trainer.advance(256)
    before = trainer._weights
    mixed = trainer.parameters()
    mixed[0] *= 1.5  # a jump
    mixed[1] *= 1.01

    trainer.set_parameters(mixed)

    after = trainer._weights
    np.testing.assert_allclose(after.target - before.target, after.online - before.online, atol=1e-6)
    assert not after.first[0].any()
    np.testing.assert_array_equal(after.first[1], before.first[1])
    np.testing.assert_array_equal(after.second, before.second)
    with pytest.raises(DataError, match="not finite"):
        trainer.set_parameters(np.full_like(mixed, np.nan))
