"""How much memory a training takes, before it takes it."""

from __future__ import annotations

from mycelial.domain.errors import ConfigError
from mycelial.learning.hyper import Hyper
from mycelial.learning.task import TeamTask

LIBRARIES_MIB = {"jax": 650.0, "numpy": 250.0}  # of a process that has done nothing yet, kernels included
_PASSES = 3.0  # copies of a batch that are alive at once: gathered, by agent, and one of the next observations


def needed_mib(task: TeamTask, hyper: Hyper) -> float:
    """Return about how many MiB a training takes: libraries, the batch it learns from, activations, replay."""
    shared = task.agents if hyper.sharing == "group" else 0
    seen = task.observation_size * hyper.frames + shared + (hyper.macros if hyper.coordination == "haven" else 0)
    row = task.agents * (8.0 * seen + 4.0 + task.actions) + 8.0  # bytes of one step of one book
    batch = (task.books + hyper.replayed) * hyper.segment * row
    activations = 4.0 * 6.0 * hyper.hidden * task.agents * (task.books + hyper.replayed) * hyper.segment
    return LIBRARIES_MIB[hyper.backend] + (_PASSES * batch + activations + hyper.replay * hyper.segment * row) / 2**20


def keep_within(task: TeamTask, hyper: Hyper, most_mib: float) -> float:
    """Return `needed_mib`.

    Raises
    ------
    ConfigError
        If it is more than `most_mib`.
    """
    needed = needed_mib(task, hyper)
    if needed > most_mib:
        raise ConfigError(
            f"learning: this training needs about {needed:,.0f} MiB, the budget is {most_mib:,.0f}; lower replay or "
            f"segment, or raise --memory"
        )
    return needed
