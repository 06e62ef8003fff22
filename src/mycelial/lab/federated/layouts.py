"""Layouts to test teams on: drawn from a world, swept over all cells, or picked by what they show."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mycelial.environment.tasks.foraging import Field, Foraging
from mycelial.learning.policy import Team
from mycelial.learning.task import Arrays, Observation

Returns = NDArray[np.float64]
_POOL = 4  # layouts drawn for each that is picked by a property


def drawn(world: Field, seed: int, count: int) -> Arrays:
    """Return the starting state of `count` layouts."""
    task = Foraging(world, count)
    task.reset(seed)
    return task.snapshot()


def panel(world: Field, seed: int, count: int) -> tuple[Arrays, NDArray[np.bool_]]:
    """Return the starting state of `count` layouts, and which of them belong to the sweep.

    The first half has food in every cell where food can lie, one cell after the other; the second half is as drawn.
    """
    pool = drawn(world, seed, _POOL * count)
    inner, half = world.size - 2, count // 2
    picked: list[int] = []
    for k in range(half):
        cell = (seed + k) % inner**2
        shows = np.flatnonzero(pool["food"][:, 1 + cell // inner, 1 + cell % inner] > 0)
        picked.append(int(shows[k % len(shows)]) if len(shows) else k)
    rows = np.array(picked + list(range(_POOL * count - (count - half), _POOL * count)))
    return _rows(pool, rows), np.arange(count) < half


def picked(world: Field, seed: int, count: int, shows: Callable[[NDArray[np.int64]], NDArray[np.bool_]]) -> Arrays:
    """Return the starting state of up to `count` layouts whose food int64[B, S, S] `shows` something."""
    pool = drawn(world, seed, 4 * _POOL * count)
    return _rows(pool, np.flatnonzero(shows(pool["food"]))[:count])


def returns_on(team: Team, world: Field, start: Arrays) -> Returns:
    """Return what a greedy team gets on each layout, float64[K]; 1 is all the food."""
    task = Foraging(world, len(start["clock"]))
    seen = task.restore(start)
    total, books = np.zeros(task.books), np.arange(task.books)
    alive = np.ones(task.books, np.bool_)
    while alive.any():
        step = task.step(team.act(seen.obs, seen.mask))
        total[books] += np.where(alive, step.reward, 0.0)
        alive &= ~(step.terminated | step.truncated)
        seen = Observation(step.obs, step.mask)
        if 0 < 2 * alive.sum() <= task.books:  # go on with those that are left
            books, left = books[alive], _rows(task.snapshot(), np.flatnonzero(alive))
            task = Foraging(world, len(books))
            seen, alive = task.restore(left), np.ones(len(books), np.bool_)
    return total


def _rows(state: Arrays, rows: NDArray[np.int64]) -> Arrays:
    return {name: values[rows] for name, values in state.items()}
