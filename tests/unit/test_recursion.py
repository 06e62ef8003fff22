"""Recursive reasoning: leaders that expect good answers find the optimum, without it they fail as the papers say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.domain.errors import ConfigError
from mycelial.environment.tasks.matrix import GAMES
from mycelial.learning.recursion import expect_answer, follow, lead, poisson_shares, worst_case
from mycelial.learning.tabular import Reasoning, play

SEEDS = np.arange(100)
HARD = ["climbing", "penalty-25", "penalty-50", "penalty-100", "two-step"]


def played(name: str, **how: object) -> np.ndarray:
    game = GAMES[name]
    last = 1.0 if name == "two-step" else 0.05
    return play(game.payoffs, game.following, Reasoning(last_epsilon=last, **how), SEEDS).scores  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "low", "high"), [("climbing", 5, 7), ("penalty-50", 2, 2), ("penalty-100", 2, 2), ("two-step", 7, 7)]
)
@pytest.mark.parametrize("credit", ["vdn", "none"])
def test_without_recursion_the_known_failures_appear(name: str, low: float, high: float, credit: str) -> None:
    scores = played(name, depth=0, credit=credit)

    assert low <= np.median(scores) <= high
    assert (scores >= GAMES[name].best).mean() <= 0.05


@pytest.mark.parametrize("name", [*HARD, "penalty-0"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_leader_that_expects_answers_finds_the_optimum(name: str, depth: int) -> None:
    assert (played(name, depth=depth) >= GAMES[name].best).mean() >= 0.95


@pytest.mark.parametrize("how", [{"announced": False}, {"mixed": True, "depth": 2}, {"radius": 0.02}])
def test_silent_mixed_and_guarded_leaders_find_it_too(how: dict[str, object]) -> None:
    assert (played("climbing", **how) >= 11.0).mean() >= 0.90


@pytest.mark.parametrize("name", HARD)
def test_a_permuted_peer_loses_the_gain(name: str) -> None:
    plain, placebo, real = (played(name, **how) for how in ({"depth": 0}, {"placebo": True}, {}))

    assert placebo.mean() < plain.mean() + 0.2 * (real.mean() - plain.mean())


def test_independent_learners_have_no_depth() -> None:
    with pytest.raises(ConfigError, match="depth 0"):
        Reasoning(depth=1, credit="none")


CHANCES = st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3)
VALUES = st.lists(st.floats(-5.0, 5.0), min_size=3, max_size=3)


@given(CHANCES, VALUES, st.floats(0.001, 0.5))
def test_worst_case_is_the_least_expectation_inside_the_ball(
    weights: list[float], values: list[float], radius: float
) -> None:
    chances, worth = np.array(weights) / np.sum(weights), np.array(values)
    out = np.zeros(3)
    found = worst_case(chances, worth, radius, out)
    grid = np.linspace(0.0, 1.0, 101)

    a, b = np.meshgrid(grid, grid)
    inside = a + b <= 1.0
    others = np.stack([a[inside], b[inside], 1.0 - a[inside] - b[inside]], axis=1).clip(0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.where(others > 0.0, others * np.log(others / chances), 0.0).sum(1)
    near = others[apart <= radius]

    assert out.sum() == pytest.approx(1.0)
    assert (out * np.log(np.maximum(out, 1e-300) / chances)).sum() <= radius + 1e-6
    assert found <= chances @ worth + 1e-9
    if len(near):
        assert found <= (near @ worth).min() + 1e-6


def test_a_leader_of_depth_two_computes_the_answer_it_has_not_seen() -> None:
    own, peer = np.zeros(2), np.zeros(2)
    dyadic = np.array([[10.0, 0.0], [3.0, 3.0]])
    learnt = np.array([[0.0, 1.0], [0.5, 0.5]])  # so far the follower has answered badly
    room, out = np.zeros((3, 2)), np.zeros(2)

    choices = [lead(k, False, 0.0, own, dyadic, peer, learnt, 0.2, room, out) for k in range(3)]

    assert choices == [0, 1, 0]
    assert follow(own, dyadic, np.array([1.0, 0.0])) == 0


def test_mixed_types_are_poisson_and_sum_to_one() -> None:
    room, out = np.zeros(2), np.zeros(2)
    expect_answer(3, True, np.array([5.0, 0.0]), np.zeros(2), np.array([0.0, 1.0]), 0.01, room, out)

    assert out[1] == pytest.approx(poisson_shares(3)[0])  # only level 0 answers as learnt
    assert out.sum() == pytest.approx(1.0)
