"""Statistics of comparisons: against what is known, and where they must refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import trim_mean

from mycelial.domain.errors import DataError
from mycelial.lab.inference import (
    deflated_sharpe,
    drawdown,
    holm,
    improvement,
    interval,
    iqm,
    paired,
    tail_mean,
)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=10).map(lambda row: row * 4))
def test_interquartile_mean_is_the_trimmed_mean_where_that_is_defined(values):
    assert iqm(np.array(values)) == pytest.approx(trim_mean(values, 0.25), abs=1e-6)


def test_interquartile_mean_of_nothing_is_refused():
    with pytest.raises(DataError, match="at least one"):
        iqm(np.zeros(0))


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    inside = 0
    for n in range(200):
        found = interval(rng.normal(5.0, 1.0, (1, 30)), np.mean, resamples=300, seed=n)
        inside += found.low <= 5.0 <= found.high

    assert 0.88 * 200 <= inside <= 0.99 * 200


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


def test_drawdown_tail_and_improvement_by_hand():
    paths = np.array([[1.0, 3.0, 2.0, -1.0, 5.0], [-2.0, -1.0, 0.0, 1.0, 2.0]])

    np.testing.assert_array_equal(drawdown(paths), [4.0, 2.0])
    assert tail_mean(np.arange(100.0), 0.05) == 2.0
    assert improvement(np.array([1.0, 2.0]), np.array([0.0, 2.0])) == pytest.approx(0.625)


def test_deflation_asks_more_of_the_best_of_many():
    returns = np.random.default_rng(1).normal(0.5, 1.0, 40)

    alone, among_many = deflated_sharpe(returns, 1, 0.0), deflated_sharpe(returns, 100, 0.3)

    assert alone > 0.95
    assert among_many < alone
