"""Learning curves: what is averaged, who counts, and how agents are ranked."""

from __future__ import annotations

import numpy as np
import pytest

from mycelial.simulation.curves import learning_curves

NAN = float("nan")


def test_the_curve_is_the_mean_over_runs_and_agents_that_were_not_bankrupt_all_year():
    nav = np.array([[[100.0, 110.0], [NAN, 90.0]], [[120.0, 130.0], [80.0, NAN]]])  # [runs, years, agents]

    curves = learning_curves(nav, days=30, learning_days=0, days_accounting=12)

    assert curves.mean.tolist() == [115.0, 85.0]
    assert curves.end_day.tolist() == [21, 29]  # the second year would end on day 33; the run ends before
    assert curves.half_width[1] == pytest.approx(1.96 * 5.0 / np.sqrt(2))


def test_deciles_rank_agents_by_the_years_after_the_learning_phase_only():
    agents = 10
    early = np.arange(agents, dtype=float)[::-1]  # agent 0 shines while learning
    late = 100.0 + np.arange(agents)  # agent 9 shines afterwards
    nav = np.stack([early, late])[None]

    curves = learning_curves(nav, days=40, learning_days=22, days_accounting=12)

    assert curves.deciles[0].tolist() == [0.0, 109.0]
    assert curves.deciles[-1].tolist() == [9.0, 100.0]


def test_an_agent_bankrupt_for_a_year_ranks_last():
    nav = np.full((1, 2, 10), 100.0)
    nav[0, 0, 3], nav[0, 1, 3] = 500.0, NAN

    curves = learning_curves(nav, days=40, learning_days=0, days_accounting=12)

    assert curves.deciles[-1, 0] == 500.0
    assert np.isnan(curves.deciles[-1, 1])


def test_the_year_in_which_portfolios_are_put_back_has_no_value_and_is_not_judged():
    nav = np.array([[[90.0] * 10, [15.0] * 10, [110.0] * 10, [130.0] * 10]])

    curves = learning_curves(nav, days=60, learning_days=25, days_accounting=12)

    assert np.isnan(curves.mean[1])
    assert curves.mean[[0, 2, 3]].tolist() == [90.0, 110.0, 130.0]
    assert curves.judged.tolist() == [False, False, True, True]
    assert curves.mean_judged == (120.0, 0.0)


def test_a_run_too_short_for_a_year_after_learning_is_judged_undefined():
    curves = learning_curves(np.full((1, 1, 10), 90.0), days=30, learning_days=20, days_accounting=40)

    assert np.isnan(curves.mean_judged).all()
