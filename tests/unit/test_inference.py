"""Statistics of comparisons: against what is known, and where they must refuse."""

from __future__ import annotations

import numpy as np
import pytest

from mycelial.domain.errors import DataError
from mycelial.lab.inference import (
    deflated_sharpe,
    drawdown,
    estimate,
    holm,
    paired,
    tail_mean,
)


def test_estimate_holds_its_own_interval():
    found = estimate(np.random.default_rng(3).normal(5.0, 1.0, 30))

    assert found.low < found.value < found.high
    assert found.excludes_zero


def test_paired_difference_sees_through_common_luck():
    rng = np.random.default_rng(5)
    luck = rng.normal(0.0, 100.0, 12)
    better = luck + 1.0 + rng.normal(0.0, 0.3, 12)

    found = paired(better, luck)

    assert found.is_gain
    assert found.estimate.low < 1.0 < found.estimate.high + 0.5
    assert not paired(luck, better).is_gain


def test_holm_adjusts_by_rank_and_keeps_the_order():
    rng = np.random.default_rng(7)
    family = {str(n): paired(rng.normal(n / 3, 1.0, 20), np.zeros(20), seed=n) for n in range(4)}

    adjusted = holm(family)

    by_rank = sorted(family, key=lambda name: family[name].p_value)
    expected = np.maximum.accumulate([min(1.0, (4 - k) * family[name].p_value) for k, name in enumerate(by_rank)])
    np.testing.assert_allclose([adjusted[name].p_adjusted for name in by_rank], expected)
    assert list(adjusted) == list(family)


def test_drawdown_and_tail_by_hand():
    paths = np.array([[1.0, 3.0, 2.0, -1.0, 5.0], [-2.0, -1.0, 0.0, 1.0, 2.0]])

    np.testing.assert_array_equal(drawdown(paths), [4.0, 2.0])
    assert tail_mean(np.arange(100.0), 0.05) == 2.0


def test_deflation_asks_more_of_the_best_of_many():
    returns = np.random.default_rng(1).normal(0.5, 1.0, 40)

    alone, among_many = deflated_sharpe(returns, 1, 0.0), deflated_sharpe(returns, 100, 0.3)

    assert alone > 0.95
    assert among_many < alone


def test_one_pair_is_no_comparison():
    with pytest.raises(DataError, match="at least two runs"):
        paired(np.ones(1), np.zeros(1))
