"""Every aggregation rule against a plain-Python one, and what each promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.support import oracle_aggregate as oracle

from mycelial.domain.errors import ConfigError
from mycelial.swarm.aggregate import RULES, Inputs, Settings, clipped_round, default_pipeline, merge
from mycelial.swarm.topology import Topology, metropolis_weights

SETTINGS = Settings(byzantine=1, gate_share=2.0)


@st.composite
def views(draw: st.DrawFn, smallest: int = 1) -> Inputs:
    """Return a receiver's view: some neighbours near, perhaps one far away."""
    m = draw(st.integers(smallest, 8))
    size = draw(st.integers(1, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread = draw(st.sampled_from([0.0, 0.01, 1.0]))
    own = rng.normal(size=size).astype(np.float32)
    received = (own + spread * rng.normal(size=(m, size))).astype(np.float32)
    if draw(st.booleans()):
        received[rng.integers(m)] += 50.0
    gaps = np.linalg.norm((received - own).astype(np.float64), axis=1)
    return Inputs(
        own,
        received,
        np.full(m, 1.0 / (m + 1)) * rng.uniform(0.3, 1.0, m),
        radius=float(np.sort(gaps)[(m - 1) // 2]),
        progress=draw(st.sampled_from([0.0, 0.5, 1.0])),
        step=rng.normal(size=size).astype(np.float32),
        start=(own + 0.1 * rng.normal(size=size)).astype(np.float32),
        losses=rng.normal(size=m),
        own_loss=0.0,
    )


def slow(name: str, view: Inputs) -> list[float]:
    """Return what the plain-Python rule answers."""
    own = [float(x) for x in view.own]
    received = [[float(x) for x in row] for row in view.received]
    weights = [float(w) for w in view.weights]
    b = SETTINGS.byzantine
    assert view.step is not None
    assert view.start is not None
    assert view.losses is not None
    rules: dict[str, Callable[[], list[float]]] = {
        "mean": lambda: oracle.mean(own, received, weights),
        "median": lambda: oracle.coordinate_median(own, received),
        "trimmed-mean": lambda: oracle.trimmed_mean(own, received, b),
        "geometric-median": lambda: oracle.geometric_median(own, received, SETTINGS.iterations, SETTINGS.smoothing),
        "krum": lambda: oracle.krum(own, received, b),
        "multi-krum": lambda: oracle.multi_krum(own, received, b),
        "bulyan": lambda: oracle.bulyan(own, received, b),
        "nnm": lambda: oracle.mean(own, oracle.nearest_neighbour_mixing(own, received, b), weights),
        "centred-clipping": lambda: oracle.centred_clipping(
            own, received, [float(x) for x in view.start], view.radius, 3
        ),
        "clipped": lambda: oracle.clipped(own, received, weights, view.radius),
        "robust-gossip": lambda: oracle.robust_gossip(own, received, weights, b),
        "balance": lambda: oracle.balance(
            own, received, SETTINGS.gate_share, SETTINGS.gate_decay, view.progress, SETTINGS.keep
        ),
        "ubar": lambda: oracle.ubar(
            own, received, [float(x) for x in view.losses], view.own_loss, SETTINGS.honest_share, SETTINGS.keep
        ),
        "fltrust": lambda: oracle.fltrust(own, received, [float(x) for x in view.step]),
    }
    return rules[name]()


def merged(name: str, view: Inputs) -> NDArray[np.float64]:
    """Return what the rule answers: own vector plus change."""
    return (view.own + merge(name, view, SETTINGS).change).astype(np.float64)


@pytest.mark.parametrize("name", RULES)
@given(data=st.data())
def test_a_rule_answers_what_its_paper_says(name: str, data: st.DataObject) -> None:
    view = data.draw(views())
    expected = slow(name, view)
    found = merged(name, view)

    if name in ("krum", "multi-krum", "bulyan", "nnm") and not np.allclose(found, expected, rtol=1e-4, atol=1e-4):
        # equal distances are a tie that float32 and Python may break differently; then no answer is the only one
        points = [[float(x) for x in row] for row in (view.own, *view.received)]
        gaps = sorted(oracle.norm(oracle.minus(p, q)) for k, p in enumerate(points) for q in points[:k])
        ties = any(abs(a - b) <= 1e-5 * max(1.0, b) for a, b in pairwise(gaps))
        assert ties or len(points) <= 3
        return
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)


@given(view=views())
def test_the_pipeline_answers_what_its_parts_say(view: Inputs) -> None:
    expected = oracle.default_pipeline(
        [float(x) for x in view.own],
        [[float(x) for x in row] for row in view.received],
        [float(w) for w in view.weights],
        view.radius,
        SETTINGS.byzantine,
        SETTINGS.clip_share,
        SETTINGS.gate_spread,
        SETTINGS.gate_share,
        SETTINGS.gate_decay,
        view.progress,
    )
    gap = view.own_norm
    ball = min(3 * view.radius, 2.0 * np.exp(-view.progress) * gap)
    if (np.abs(view.norms - ball) < 1e-4).any() or view.radius < 1e-6:
        return  # on the edge of the gate rounding decides

    found = view.own + default_pipeline(view, SETTINGS).change

    assert found == pytest.approx(expected, rel=1e-3, abs=2e-3)


@pytest.mark.parametrize("name", [*RULES, "default"])
@given(view=views(), order_seed=st.integers(0, 1000))
def test_the_order_of_neighbours_does_not_matter(name: str, view: Inputs, order_seed: int) -> None:
    order = np.random.default_rng(order_seed).permutation(len(view.received))
    assert view.losses is not None
    shuffled = replace(view, received=view.received[order], weights=view.weights[order], losses=view.losses[order])
    if has_ties(view) or (name in ("krum", "multi-krum", "bulyan") and scores_tie(view)):
        return

    first, second = apply(name, view), apply(name, shuffled)

    assert second == pytest.approx(first, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", [name for name in RULES if name != "balance"])  # BALANCE measures from the origin
@given(view=views(), shift=st.floats(-3, 3, width=32))
def test_moving_everybody_moves_the_result(name: str, view: Inputs, shift: float) -> None:
    if has_ties(view):
        return
    assert view.start is not None
    moved = replace(
        view,
        own=view.own + np.float32(shift),
        received=view.received + np.float32(shift),
        start=view.start + np.float32(shift),
    )

    assert merged(name, moved) - shift == pytest.approx(merged(name, view), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("name", [*RULES, "default"])
@given(view=views())
def test_agreement_is_a_fixed_point(name: str, view: Inputs) -> None:
    agreed = replace(view, received=np.repeat(view.own[None], len(view.received), 0), start=view.own, radius=1.0)

    assert np.array_equal(apply(name, agreed), view.own)


BOUNDED = ["clipped", "default", "median", "trimmed-mean", "krum", "balance", "robust-gossip", "centred-clipping"]


@pytest.mark.parametrize("name", BOUNDED)
@given(view=views(smallest=4), size=st.sampled_from([1e2, 1e4, 1e6]))
def test_one_liar_has_bounded_influence(name: str, view: Inputs, size: float) -> None:
    honest = view.own + 0.1 * (view.received - view.own) / np.maximum(1.0, view.norms[:, None]).astype(np.float32)
    received = honest.astype(np.float32)
    received[0] = np.float32(size)
    reach = float(np.linalg.norm(honest[1:] - view.own, axis=1).max())
    view = replace(view, received=received, radius=reach, start=view.own)

    change = apply(name, view) - view.own

    # per coordinate for rules by coordinate; as a length for the others (centred clipping: three steps of tau)
    allowed = 3.0 * max(reach, 1e-6) * (len(view.own) ** 0.5) + 1e-4
    assert float(np.linalg.norm(change)) <= allowed


def test_a_single_liar_moves_the_mean_anywhere() -> None:
    view = Inputs(np.zeros(3, np.float32), np.array([[1e6] * 3, [0.0] * 3], np.float32), np.array([0.25, 0.25]))

    assert merged("mean", view).max() > 1e5
    assert np.abs(merged("clipped", replace(view, radius=1.0))).max() < 1.0


@given(view=views())
def test_shares_say_who_is_in_the_result(view: Inputs) -> None:
    for name in RULES:
        answer = merge(name, view, SETTINGS)
        assert answer.shares.shape == (len(view.received),)
        assert (answer.shares >= -1e-12).all()
        assert answer.shares.sum() <= 1 + 1e-9
        if name not in ("median", "trimmed-mean", "bulyan", "centred-clipping"):
            assert answer.change == pytest.approx(answer.shares @ view.deltas.astype(np.float64), rel=1e-3, abs=1e-3)


def test_without_neighbours_nothing_changes_and_unknown_rules_are_named() -> None:
    alone = Inputs(np.ones(3, np.float32), np.zeros((0, 3), np.float32), np.zeros(0))

    assert all(not merge(name, alone).change.any() for name in RULES)
    assert not default_pipeline(alone, Settings()).change.any()
    with pytest.raises(ConfigError, match="robust-gossip"):
        merge("average", alone)


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), peers=st.sampled_from([6, 9, 16]), size=st.sampled_from([5, 1500]))
def test_a_round_of_the_whole_swarm_is_everybody_clipping(seed: int, peers: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(peers, size)).astype(np.float32)
    graph = Topology("random-regular", 4).graph(peers, seed)
    weights = metropolis_weights(graph)

    together = clipped_round(vectors, graph, step=0.5)

    for i in range(peers):
        near = np.flatnonzero(graph[i])
        view = Inputs(vectors[i], vectors[near], weights[i, near])
        radius = min(float(np.sort(view.norms)[(len(near) - 1) // 2]), 0.1 * view.own_norm)
        alone = vectors[i] + 0.5 * merge("clipped", replace(view, radius=radius)).change
        assert together[i] == pytest.approx(alone, abs=2e-5)


def apply(name: str, view: Inputs) -> NDArray[Any]:
    """Return own vector plus change, for a rule or the pipeline."""
    answer = default_pipeline(view, SETTINGS) if name == "default" else merge(name, view, SETTINGS)
    return view.own + answer.change


def scores_tie(view: Inputs) -> bool:
    """Return whether two points have one Krum score; two that are each other's nearest do, Bulyan meets them late."""
    points = [[float(x) for x in row] for row in (view.own, *view.received)]
    scores = np.sort(oracle.krum_scores(points, SETTINGS.byzantine))
    return len(points) >= 7 or bool((np.diff(scores) < 1e-4 * (1 + scores[1:])).any())


def has_ties(view: Inputs) -> bool:
    """Return whether two distances are so close that rounding decides which point is nearer."""
    points = np.vstack([view.own, view.received]).astype(np.float64)
    gaps = np.sort(np.linalg.norm(points[:, None] - points[None], axis=2)[np.triu_indices(len(points), 1)])
    near_gate = np.abs(view.norms - 3 * view.radius) < 1e-4
    return bool((np.diff(gaps) < 1e-4 * (1 + gaps[1:])).any() or near_gate.any() or len(points) <= 3)
