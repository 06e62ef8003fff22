"""The compiled foraging world against the package whose rules it follows, state by state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mycelial.lab.foraging import ForagingTask, World, layout_keys

BOOKS = 8
WORLDS = [
    World(5, 2, 1),
    World(8, 2, 2),
    World(8, 2, 2, sight=2),
    World(6, 3, 2, lowest=2, highest=3),
    World(6, 4, 2, sight=2, penalty=0.1),
]


def packaged(world: World, task: ForagingTask, book: int) -> Any:
    """Return the package's environment in the state of a book."""
    foraging = pytest.importorskip("lbforaging.foraging", reason="needs lbforaging (extra: ladder)")
    env = foraging.ForagingEnv(
        players=world.players,
        min_player_level=world.lowest,
        max_player_level=world.highest,
        min_food_level=1,
        max_food_level=None,
        field_size=(world.size, world.size),
        max_num_food=world.foods,
        sight=world.sight or world.size,
        max_episode_steps=world.limit,
        force_coop=True,
        penalty=world.penalty,
    )
    env.reset(seed=book)
    env.field[:] = task.state.field[book]
    env._food_spawned = env.field.sum()
    env.current_step = 0
    for n, player in enumerate(env.players):
        player.position = tuple(int(x) for x in task.state.place[book, n])
        player.level = int(task.state.level[book, n])
    env._gen_valid_moves()
    return env


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_every_step_is_that_of_the_package(world: World) -> None:
    task = ForagingTask(world, BOOKS)
    shown = task.reset(3)
    envs = [packaged(world, task, b) for b in range(BOOKS)]
    draws = np.random.default_rng(1)
    rewards = 0.0

    for _ in range(120):
        loads = shown.mask[:, :, 5] & (draws.random(shown.mask.shape[:2]) < 0.7)
        actions = np.where(loads, 5, draws.integers(0, 6, loads.shape)).astype(np.int32)
        step = task.step(actions)
        for b, env in enumerate(envs):
            obs, reward, done, _, _ = env.step(actions[b])
            assert np.array_equal(np.stack(obs), step.final_obs[b])
            assert step.reward[b] == pytest.approx(sum(reward), abs=1e-6)
            assert done == (step.terminated[b] or step.truncated[b])
            rewards += abs(sum(reward))
            if done:
                envs[b] = packaged(world, task, b)
            else:
                allowed = [[action.value for action in env._valid_actions[player]] for player in env.players]
                assert allowed == [list(np.flatnonzero(row)) for row in step.mask[b]]
        shown = step

    assert rewards > 0


def test_layouts_follow_the_distribution_of_the_package() -> None:
    foraging = pytest.importorskip("lbforaging.foraging", reason="needs lbforaging (extra: ladder)")
    world = World(5, 2, 1)
    task = ForagingTask(world, 2_000)
    task.reset(0)
    env = foraging.ForagingEnv(2, 1, 2, 1, None, (5, 5), 1, 5, 50, True)
    food, theirs = np.zeros((5, 5)), np.zeros((5, 5))
    levels = np.zeros(5)
    for seed in range(2_000):
        env.reset(seed=seed)
        theirs += env.field > 0
        levels[int(env.field.sum())] += 1
    food = (task.state.field > 0).sum(axis=0)

    assert task.state.field[:, 1:-1, 1:-1].any(axis=(1, 2)).all()
    assert np.abs(food - theirs).max() < 4 * np.sqrt(
        2 * 2_000 / 9
    )  # four standard deviations of a difference of counts
    ours = np.bincount(task.state.spawned, minlength=5)
    assert np.abs(ours - levels).max() < 4 * np.sqrt(2 * 2_000 / 4)


def test_a_closed_set_of_layouts_is_repeated_and_a_forced_food_lies_where_it_is_told() -> None:
    world = World(6, 2, 1, limit=3)
    keys = layout_keys(7, "panel", 4)
    task = ForagingTask(world, 4, keys=keys, forced=np.array([[1, 1], [2, 3], [-1, -1], [4, 4]]))
    first = task.reset(0).obs.copy()

    for _ in range(3):
        step = task.step(np.zeros((4, 2), np.int32))

    assert step.truncated.all()
    assert np.array_equal(step.obs, first)
    assert first[0, 0, :2].tolist() == [1, 1]
    assert first[3, 1, :2].tolist() == [4, 4]
    assert not np.array_equal(first, ForagingTask(world, 4).reset(0).obs)
