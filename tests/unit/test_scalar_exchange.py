"""Value decomposition without a trainer: two scalars a step teach the same as a central sum; liars do not get far."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.domain.errors import ConfigError
from mycelial.learning.batch import Segment, Weights
from mycelial.learning.exchange import ExchangeLearner, contraction, push_sum, winsorised
from mycelial.learning.hyper import Hyper
from mycelial.learning.networks import Architecture, first_weights
from mycelial.learning.numpy_learner import NumpyLearner

ARCHITECTURE, HYPER = Architecture(5, 3, 12), Hyper(hidden=12, rate=1e-3)


def team(agents: int, seed: int = 1) -> tuple[Weights, Segment, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = np.repeat(first_weights(ARCHITECTURE, 0)[None], agents, 0)
    vectors += 0.1 * rng.standard_normal(vectors.shape).astype(np.float32)
    steps, books = 6, 10
    ended = rng.random((steps, books)) < 0.2
    segment = Segment(
        rng.standard_normal((steps, books, agents, 5)).astype(np.float32),
        rng.integers(0, 3, (steps, books, agents)).astype(np.int32),
        rng.standard_normal((steps, books)).astype(np.float32),
        rng.standard_normal((steps, books, agents, 5)).astype(np.float32),
        np.ones((steps, books, agents, 3), np.bool_),
        ended & (rng.random((steps, books)) < 0.5),
        ended,
        np.zeros((books, agents, 0), np.float32),
    )
    return Weights.start(vectors), segment, rng.permutation(60).reshape(5, 12).astype(np.int32)


def test_exchanged_scalars_teach_exactly_what_a_central_sum_does() -> None:
    weights, segment, order = team(4)
    exchange = ExchangeLearner(ARCHITECTURE, HYPER, 4)
    exchange.__dict__["_sums"] = lambda own, told: own + (told.sum(0, keepdims=True) - told)  # nobody is bounded

    central, _ = NumpyLearner(ARCHITECTURE, HYPER, 4).learn(weights, segment, order, 1e-3)
    apart, _ = exchange.learn(weights, segment, order, 1e-3)

    np.testing.assert_allclose(apart.online, central.online, atol=2e-6)


@pytest.mark.parametrize("agents", [2, 4, 5])
def test_consensus_comes_as_close_to_the_central_sum_as_its_rounds_allow(agents: int) -> None:
    weights, segment, order = team(agents)
    central = NumpyLearner(ARCHITECTURE, HYPER, agents).targets(weights, segment)
    few, many = (
        np.abs(ExchangeLearner(ARCHITECTURE, HYPER, agents, "consensus", rounds).targets(weights, segment) - central)
        for rounds in (3, 60)
    )

    assert many.max() < 5e-2 or agents > 2  # what is left comes from bounding, not from mixing
    assert np.median(many) < 1e-4
    assert np.median(few) > np.median(many)
    learnt, _ = ExchangeLearner(ARCHITECTURE, HYPER, agents, "consensus", 60).learn(weights, segment, order, 1e-3)
    assert np.isfinite(learnt.online).all()


@given(st.integers(2, 9), st.integers(0, 30), st.integers(0, 2**31))
def test_push_sum_errs_less_by_the_contraction_of_its_ring(members: int, rounds: int, seed: int) -> None:
    values = np.random.default_rng(seed).standard_normal((members, 4))
    mean = values.mean(0)

    found = push_sum(values.astype(np.float32), rounds)

    bound = np.linalg.norm(values - mean, axis=0) * contraction(members) ** rounds + 1e-5
    assert (np.linalg.norm(found - mean, axis=0) <= bound).all()


def test_scalars_one_round_old_still_point_the_same_way() -> None:
    weights, segment, order = team(3)
    fresh, _ = ExchangeLearner(ARCHITECTURE, HYPER, 3).learn(weights, segment, order, 1e-3)
    stale, _ = ExchangeLearner(ARCHITECTURE, HYPER, 3, stale=True).learn(weights, segment, order, 1e-3)

    one, other = (x.online - weights.online for x in (fresh, stale))
    cosine = (one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other)
    assert 0.98 < cosine < 1.0


def test_a_liar_is_bounded_and_found_out() -> None:
    weights, segment, order = team(6)
    honest = ExchangeLearner(ARCHITECTURE, HYPER, 6)
    lied_to = ExchangeLearner(ARCHITECTURE, HYPER, 6, lies={2: 1_000.0})
    for _ in range(3):
        lied_to.learn(weights, segment, order, 1e-3)
        honest.learn(weights, segment, order, 1e-3)

    off = lied_to.targets(weights, segment) - honest.targets(weights, segment)
    others = [0, 1, 3, 4, 5]
    assert np.abs(off[others]).max() < 10.0
    assert lied_to.quarantined == [2]
    assert honest.quarantined == []


def test_bounds_leave_honest_scalars_alone_and_two_members_in_peace() -> None:
    scalars = np.array([[1.0], [1.1], [0.9], [50.0]], np.float32)

    bounded, clipped = winsorised(scalars)

    assert clipped.tolist() == [False, False, False, True]
    assert bounded[3, 0] < 2.0
    np.testing.assert_array_equal(winsorised(scalars[2:])[0], scalars[2:])
    assert winsorised(scalars, most_reward=1.0, gamma=0.9)[0].max() <= 10.0


def test_members_that_share_weights_need_no_exchange() -> None:
    with pytest.raises(ConfigError, match="own weights"):
        ExchangeLearner(ARCHITECTURE, Hyper(sharing="group"), 2)
