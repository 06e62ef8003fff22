"""The demonstration of contagion: it spreads undefended, it does not defended, and it is the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from mycelial.lab.contagion import contagion_demo, toxic_similarity


def test_similarity_is_zero_for_oneself_and_one_for_the_toxic_policy() -> None:
    before, toxic = np.zeros(10, np.int32), np.array([1] * 8 + [0] * 2, np.int32)

    assert toxic_similarity(before, before, toxic) == 0.0
    assert toxic_similarity(toxic, before, toxic) == 1.0
    assert toxic_similarity(np.array([1] * 4 + [0] * 6, np.int32), before, toxic) == pytest.approx(0.5)


def test_a_toxic_policy_takes_over_a_naive_swarm_and_not_a_defended_one() -> None:
    told = contagion_demo(agents=6, attackers=2, rounds=14, training_steps=40_000)

    naive, defended = told["undefended"], told["defended"]
    assert naive["infected"][0] == defended["infected"][0] == 0
    assert len(naive["infected"]) == 15
    assert naive["infected"][-1] == 6
    assert max(defended["infected"]) == 0
    assert naive["returns"][1] < 0.2
    assert defended["returns"][1] > 0.9 * defended["returns"][0] > 0.3
