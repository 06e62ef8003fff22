"""Compiled benchmark worlds are the packages' worlds: same state and actions, same transition, observation and pay."""

from __future__ import annotations

import numpy as np
import pytest

from mycelial.environment.tasks.foraging import STEPS, Field, Foraging, encode, field_named
from mycelial.environment.tasks.matrix import GAMES, MatrixTask
from mycelial.environment.tasks.packaged import PackagedForaging, PackagedSpread
from mycelial.environment.tasks.spread import Spread
from mycelial.learning.task import Resumable, TeamTask

FIELDS = ["lbf-5x5-2p-1f-coop", "lbf-8x8-2p-2f-coop", "lbf-10x10-3p-3f", "lbf-15x15-4p-3f"]


def take_over(package: PackagedForaging, twin: Foraging) -> None:
    """Put the state of every compiled book into the package's worlds."""
    food, player, clock = twin.state()
    for b, world in enumerate(package.worlds):
        world.field = food[b].astype(np.int32)
        for n, one in enumerate(world.players):
            one.position, one.level = tuple(player[b, n, :2].tolist()), int(player[b, n, 2])
        world.current_step, world._food_spawned = int(clock[b, 0]), int(clock[b, 1])
        world._gen_valid_moves()


def towards_food(twin: Foraging, rng: np.random.Generator) -> np.ndarray:
    """Return actions that gather often: mostly towards the nearest food, and load next to one."""
    food, player, _ = twin.state()
    actions = rng.integers(0, 6, (twin.books, twin.agents))
    for b, n in np.ndindex(actions.shape):
        rows, columns = np.nonzero(food[b])
        if rng.random() < 0.85 and len(rows):
            down, right = rows - player[b, n, 0], columns - player[b, n, 1]
            near = np.argmin(abs(down) + abs(right))
            if abs(down[near]) + abs(right[near]) == 1:
                actions[b, n] = 5
            elif abs(down[near]) > abs(right[near]):
                actions[b, n] = 2 if down[near] > 0 else 1
            else:
                actions[b, n] = 4 if right[near] > 0 else 3
    return actions.astype(np.int32)


@pytest.mark.parametrize(("name", "sight"), [(name, 0) for name in FIELDS] + [("lbf-8x8-2p-2f-coop", 2)])
def test_foraging_is_the_packages_transition_by_transition(name: str, sight: int) -> None:
    pytest.importorskip("lbforaging")
    named = field_named(name)
    field = Field(named.size, named.players, named.foods, named.coop, sight)
    twin, package = Foraging(field, 6, encoded=False), PackagedForaging(field, 6, encoded=False)
    rng = np.random.default_rng(3)
    seen = twin.reset(11)
    package.reset(11)
    gathered = ended = 0.0

    for _ in range(3 * STEPS):
        take_over(package, twin)
        np.testing.assert_array_equal(seen.obs, np.array([world._make_gym_obs() for world in package.worlds]))
        actions = towards_food(twin, rng)
        step, expected = twin.step(actions), package.step(actions)
        np.testing.assert_allclose(step.reward, expected.reward, atol=1e-7)
        np.testing.assert_array_equal(step.terminated, expected.terminated)
        np.testing.assert_array_equal(step.truncated, expected.truncated)
        np.testing.assert_array_equal(step.final_obs, expected.final_obs)
        gathered, ended = gathered + step.reward.sum(), ended + (step.terminated | step.truncated).sum()
        seen = step

    assert gathered > 2.0
    assert ended > 6


@pytest.mark.parametrize("name", FIELDS)
def test_foraging_begins_as_the_package_does(name: str) -> None:
    pytest.importorskip("lbforaging")
    field = field_named(name)
    twin, package = Foraging(field, 600, encoded=False), PackagedForaging(field, 600, encoded=False)
    twin.reset(1)
    package.reset(2)
    food, player, _ = twin.state()
    their_food = np.array([world.field for world in package.worlds])
    their_player = np.array([[(*p.position, p.level) for p in world.players] for world in package.worlds])

    assert ((food > 0).sum((1, 2)) == (their_food > 0).sum((1, 2))).mean() > 0.95
    for ours, theirs in (
        (food.sum((1, 2)), their_food.sum((1, 2))),
        ((food > 0).argmax(1).max(1), (their_food > 0).argmax(1).max(1)),
        *((player[..., k].ravel(), their_player[..., k].ravel()) for k in range(3)),
    ):
        spread = np.sqrt(ours.var() / len(ours) + theirs.var() / len(theirs))
        assert abs(ours.mean() - theirs.mean()) < 4.0 * spread + 1e-9
    assert not food[:, [0, -1]].any()
    assert not food[:, :, [0, -1]].any()


def test_encoding_tells_nothing_the_package_does_not_show() -> None:
    field = field_named("lbf-10x10-3p-3f")
    raw, told = Foraging(field, 40, encoded=False), Foraging(field, 40)
    rng = np.random.default_rng(1)
    seen, encoded = raw.reset(5), told.reset(5)

    for _ in range(80):
        np.testing.assert_array_equal(encode(field, seen.obs), encoded.obs)
        actions = towards_food(raw, rng)
        seen, encoded = raw.step(actions), told.step(actions)
        np.testing.assert_array_equal(encode(field, seen.final_obs), encoded.final_obs)


def test_what_is_left_takes_the_place_of_the_food_that_was_nearest() -> None:
    field = field_named("lbf-8x8-2p-2f-coop")
    size = (field.encoded_size - 21) // 2  # figures of one food
    both = np.array([[5.0, 5.0, 3.0, 1.0, 1.0, 3.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0]], np.float32)  # far, near, players
    left = np.array([[1.0, 1.0, 3.0, -1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0]], np.float32)

    with_both, with_one = encode(field, both)[0, 21:], encode(field, left)[0, 21:]

    np.testing.assert_array_equal(with_both[:size], with_one[:size])
    assert with_both[size] == 1.0
    assert not with_one[size:].any()


def test_spreading_is_the_packages_step_by_step() -> None:
    pytest.importorskip("mpe2")
    twin, package = Spread(3, 4, encoded=False), PackagedSpread(3, 4, encoded=False)
    rng = np.random.default_rng(2)
    seen = twin.reset(9)
    package.reset(9)
    touched = 0

    for turn in range(60):
        body, mark, clock = twin.state()
        if turn % 3 == 0:  # crowd them together now and then
            body[:, :, :2] *= 0.4
        for b, world in enumerate(package.worlds):
            inside = world.unwrapped
            inside.steps = int(clock[b])
            for n, agent in enumerate(inside.world.agents):
                agent.state.p_pos, agent.state.p_vel = body[b, n, :2].copy(), body[b, n, 2:].copy()
            for n, landmark in enumerate(inside.world.landmarks):
                landmark.state.p_pos = mark[b, n].copy()
        actions = rng.integers(0, 5, (4, 3)).astype(np.int32)
        step, expected = twin.step(actions), package.step(actions)
        np.testing.assert_allclose(step.reward, expected.reward, rtol=1e-6)
        np.testing.assert_allclose(step.final_obs, expected.final_obs, atol=1e-6)
        np.testing.assert_array_equal(step.truncated, expected.truncated)
        touched += (np.ptp(twin.paid(), axis=1) > 0.0).sum()  # not everybody touches as many
        seen = step

    assert touched
    assert seen.obs.shape == (4, 3, 18)


def test_distances_told_are_those_of_the_world() -> None:
    told, raw = Spread(3, 5), Spread(3, 5, encoded=False)
    seen, shown = told.reset(4), raw.reset(4)
    body, mark, _ = raw.state()

    apart = np.linalg.norm(body[:, :, None, :2] - mark[:, None], axis=-1)  # [books, agents, landmarks]
    others = [[m for m in range(3) if m != n] for n in range(3)]
    np.testing.assert_array_equal(seen.obs[:, :, :14], shown.obs[:, :, :14])
    for n in range(3):
        for m in range(3):
            figures = seen.obs[:, n, 16 + 4 * m : 20 + 4 * m]
            np.testing.assert_allclose(figures[:, 0], apart[:, n, m], rtol=1e-5)
            np.testing.assert_allclose(figures[:, 1:3], apart[:, others[n], m], rtol=1e-5)
            np.testing.assert_array_equal(figures[:, 3] == 1.0, apart[:, :, m].argmin(1) == n)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Foraging(field_named("lbf-8x8-2p-2f-coop"), 5, spread_clocks=True),
        lambda: Spread(3, 5, spread_clocks=True),
        lambda: MatrixTask(GAMES["two-step"], 5),
    ],
    ids=["foraging", "spread", "matrix"],
)
def test_a_task_put_away_goes_on_as_if_nothing_had_happened(make) -> None:
    task, again = make(), make()
    assert isinstance(task, TeamTask)
    assert isinstance(task, Resumable)
    rng = np.random.default_rng(4)
    task.reset(3)
    again.reset(8)

    def drawn() -> np.ndarray:
        return rng.integers(0, task.actions, (5, task.agents)).astype(np.int32)

    for _ in range(40):
        task.step(drawn())
    again.restore(task.snapshot())
    for _ in range(60):
        actions = drawn()
        for ours, theirs in zip(task.step(actions), again.step(actions), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_games_pay_what_the_papers_print() -> None:
    task = MatrixTask(GAMES["two-step"], 2)
    task.reset(0)

    first = task.step(np.array([[0, 1], [1, 0]], np.int32))
    second = task.step(np.array([[1, 0], [1, 1]], np.int32))

    assert first.reward.tolist() == [0.0, 0.0]
    assert second.reward.tolist() == [7.0, 8.0]
    assert second.terminated.all()
    assert {name: game.best for name, game in GAMES.items()} == {
        "climbing": 11, "penalty-0": 10, "penalty-25": 10, "penalty-50": 10, "penalty-100": 10, "two-step": 8,
    }  # fmt: skip
    assert GAMES["climbing"].random_value == pytest.approx(-31 / 9)
