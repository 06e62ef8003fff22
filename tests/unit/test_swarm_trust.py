"""Trust, caps, lineage, the gate and shadow mode."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.swarm.gate import Gate, GateSettings, Trial, Verdict, judge, lower_bound, tail_mean
from mycelial.swarm.lineage import Lineage, Snapshots
from mycelial.swarm.shadow import Shadow, Standing, drawdown_band, largest_drawdown
from mycelial.swarm.trust import CAP_ROUNDS, CAP_SHARE, MergeBudget, Reputation

ALICE, BOB, CAROL, MALLORY = (name * 16 for name in (b"al", b"bo", b"ca", b"ma"))


def policy(name: str) -> bytes:
    return name.encode().ljust(16, b".")


def test_trust_follows_what_updates_were_worth_and_forgets() -> None:
    reputation = Reputation()
    start = reputation.trust(ALICE)
    for _ in range(50):
        reputation.note(ALICE, useful=True)
        reputation.note(MALLORY, useful=False)

    assert reputation.trust(ALICE) > start > 0.5 > reputation.trust(MALLORY)
    low = reputation.trust(MALLORY)
    for _ in range(200):
        reputation.note(MALLORY, useful=True)
    assert reputation.trust(MALLORY) > 0.8 > low


@given(
    seed=st.integers(0, 10_000),
    rounds=st.integers(1, 60),
    senders=st.integers(1, 6),
)
def test_nobody_contributes_more_than_a_quarter_over_twenty_rounds(seed: int, rounds: int, senders: int) -> None:
    rng = np.random.default_rng(seed)
    budget, names = MergeBudget(), [bytes([k]) * 32 for k in range(senders)]
    origins = [*names, MALLORY]
    direct, by_origin = [], []

    for _ in range(rounds):
        shares = rng.dirichlet(np.ones(senders + 1))[:senders]
        masses = [dict(zip(origins, rng.dirichlet(np.ones(len(origins))), strict=True)) for _ in names]
        capped = budget.cap(shares, names, masses)
        budget.book(capped, names, masses)

        assert (capped >= 0).all()
        assert (capped <= shares + 1e-12).all()
        direct.append(dict(zip(names, capped, strict=True)))
        by_origin.append(
            {name: sum(share * mass[name] for share, mass in zip(capped, masses, strict=True)) for name in origins}
        )
        window = min(len(direct), CAP_ROUNDS)
        for name in origins:
            limit = CAP_SHARE * window + 1e-6
            assert sum(row.get(name, 0.0) for row in direct[-CAP_ROUNDS:]) <= limit
            assert sum(row[name] for row in by_origin[-CAP_ROUNDS:]) <= limit


def test_lineage_knows_descent_mass_and_the_way_back() -> None:
    lineage, snapshots = Lineage(own_share=0.5), Snapshots()
    lineage.add(policy("a0"), ALICE, ())
    lineage.add(policy("m0"), MALLORY, ())
    lineage.add(policy("b0"), BOB, ())
    snapshots.keep(policy("b0"), np.zeros(2, np.float32))
    lineage.add(policy("b1"), BOB, [policy("a0")])
    snapshots.keep(policy("b1"), np.ones(2, np.float32))
    lineage.add(policy("b2"), BOB, [policy("a0"), policy("m0")])
    snapshots.keep(policy("b2"), np.full(2, 2, np.float32))
    lineage.add(policy("c1"), CAROL, [policy("b2")])

    assert lineage[policy("b2")].mass == pytest.approx({BOB: 0.5, ALICE: 0.25, MALLORY: 0.25})
    assert lineage.mass(policy("c1"), MALLORY) == pytest.approx(0.125)
    assert sum(lineage[policy("c1")].mass.values()) == pytest.approx(1)
    assert lineage.descends_from(policy("c1"), {policy("m0")})
    assert not lineage.descends_from(policy("b1"), {policy("m0")})
    assert lineage.descendants(policy("m0")) == {policy("m0"), policy("b2"), policy("c1")}
    found = snapshots.last_free_of({policy("m0")}, lineage)
    assert found is not None
    assert found[0] == policy("b1")
    assert found[1].tolist() == [1, 1]
    assert snapshots.last_free_of({policy("b0")}, lineage) is None  # every later own policy descends from it


def test_lineage_is_bounded() -> None:
    lineage = Lineage(capacity=10)
    for number in range(50):
        lineage.add(policy(str(number)), ALICE, ())

    assert policy("0") not in lineage
    assert policy("49") in lineage
    assert lineage.mass(policy("0"), ALICE) == 0.0


def trial(returns: list[float], stress: int = 0, violations: int = 0) -> Trial:
    is_stress = np.arange(len(returns)) < stress
    return Trial(np.array(returns), is_stress, violations)


def test_the_gate_names_what_is_wrong() -> None:
    old = trial([0.5] * 20, stress=10)
    worse_under_stress = [0.2] * 10 + [0.9] * 10

    assert judge(old, old, 1) is Verdict.ACCEPTED
    assert judge(old, trial([0.9] * 20, 10), 1) is Verdict.ACCEPTED
    assert judge(old, trial([0.9] * 10 + [0.2] * 10, 10), 1) is Verdict.WORSE
    assert judge(old, trial(worse_under_stress, 10), 1) is Verdict.WORSE_UNDER_STRESS
    assert judge(old, trial([0.9] * 20, 10, violations=1), 1) is Verdict.VIOLATION
    assert judge(old, trial([float("nan")] + [0.9] * 19, 10), 1) is Verdict.WORSE
    tail = GateSettings(normal_margin=1, stress_margin=1, tail_margin=0.2, full_every=1)
    assert judge(old, trial([0.9] * 19 + [0.0], 10), 1, tail) is Verdict.HEAVIER_TAIL


def test_a_noisy_gain_passes_on_its_mean_but_not_on_its_bound() -> None:
    old, new = trial([0.5] * 8), trial([0.9, 0.1] * 4)
    lax = GateSettings(normal_margin=0.2, tail_margin=9.0)

    assert judge(old, new, 1, lax, full=False) is Verdict.ACCEPTED
    assert judge(old, new, 1, lax, full=True) is Verdict.WORSE


def test_false_acceptance_over_a_life_stays_below_alpha() -> None:
    rng = np.random.default_rng(1)
    settings = GateSettings(normal_margin=0.0, tail_margin=9.0, alpha=0.05)
    fooled = 0
    for _ in range(400):
        old = trial([0.0] * 30)
        fooled += any(
            judge(old, trial((-0.001 + rng.normal(size=30)).tolist()), test, settings) is Verdict.ACCEPTED
            for test in range(1, 40)
        )

    assert fooled / 400 <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_bounds_and_tails_by_hand() -> None:
    assert lower_bound(np.full(5, 0.3), 0.05) == pytest.approx(0.3)
    assert lower_bound(np.array([0.0, 1.0]), 0.05) == pytest.approx(0.5 - 6.3138 * np.sqrt(0.5) / np.sqrt(2), abs=1e-3)
    assert tail_mean(np.array([3.0, 1.0, 2.0, 0.0]), 0.5) == pytest.approx(0.5)
    assert tail_mean(np.arange(10.0), 0.05) == 0.0


def test_panels_rotate_and_the_first_that_passes_is_taken() -> None:
    seen = []

    def evaluate(vector: np.ndarray, panel: int, full: bool) -> Trial:
        seen.append((panel, full))
        return trial([float(vector[0])] * 4)

    gate = Gate(evaluate, GateSettings(full_every=3))
    own, bad, good = (np.full(1, x, np.float32) for x in (0.5, 0.0, 0.6))

    assert gate.choose(own, [bad, good, bad]) == (1, [Verdict.WORSE, Verdict.ACCEPTED])
    assert gate.choose(own, [bad])[0] is None
    assert seen == [(1, True)] * 3 + [(2, False)] * 2


def test_shadow_mode_rolls_back_beyond_the_predicted_drawdown() -> None:
    rng = np.random.default_rng(0)
    returns = rng.normal(0.1, 1.0, 200)
    band = drawdown_band(returns, 50)
    calm, bad = Shadow(band, 50), Shadow(band, 50)

    assert largest_drawdown(np.array([1.0, -3.0, 1.0, -1.0])) == pytest.approx(3.0)
    assert [calm.observe(0.1) for _ in range(50)][-1] is Standing.TRUSTED
    assert [bad.observe(-1.0) for _ in range(50)][-1] is Standing.ROLL_BACK
    assert bad.observe(100.0) is Standing.ROLL_BACK
    assert Shadow(band, 10).observe(float("nan")) is Standing.ROLL_BACK
    exceeded = [
        [shadow.observe(x) for x in rng.choice(returns, 50)][-1] is Standing.ROLL_BACK
        for shadow in (Shadow(band, 50) for _ in range(300))
    ]
    assert np.mean(exceeded) < 0.04  # predicted: one in a hundred
