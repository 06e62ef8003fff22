"""The objective: a planted parameter is found, breakdowns are finite and explained, the cheap rung gives up."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

from mycelial.domain.errors import ConfigError
from mycelial.facts import summarise
from mycelial.facts.panel import Panel
from mycelial.simulation.calibrate.objective import FAILED, PENALTY_CAP, Objective, Rung, Worth, breakdown, penalties
from mycelial.simulation.calibrate.space import Dimension, Space
from mycelial.simulation.calibrate.split import named_seeds
from support.toy_market import small, toy_panel

SPACE = Space("toy", (Dimension("market_sigma", 0.002, 0.2, log=True),))
PLANTED = 0.02


@pytest.fixture(scope="module")
def objective() -> Objective:
    return Objective(
        base=small(),
        space=SPACE,
        real=toy_panel(8, market_sigma=PLANTED),
        seeds=named_seeds(1, "search", 3),
        rungs=(Rung(4, 3),),
    )


def test_the_objective_is_lowest_at_the_planted_parameter(objective):
    values = {sigma: objective.judge(0, {"market_sigma": sigma}).value for sigma in (0.002, PLANTED, 0.1, 0.2)}

    assert min(values, key=values.__getitem__) == PLANTED
    assert values[0.2] > 2 * values[PLANTED]


def test_real_coins_have_no_distance_to_themselves(objective):
    worth = objective.compare(objective.real)

    assert worth.terms["distance"] == 0.0
    assert worth.terms["penalty_coin_correlation"] == 0.0


def test_value_is_distance_plus_weighted_penalty(objective):
    trial = objective.judge(4, {"market_sigma": 0.1})

    parts = [value for name, value in trial.terms.items() if name.startswith("penalty_")]
    assert trial.number == 4
    assert trial.value == pytest.approx(trial.terms["distance"] + trial.terms["penalty"])
    assert trial.terms["penalty"] == pytest.approx(0.1 * sum(parts))
    assert trial.terms["distance"] == pytest.approx(np.mean([trial.terms[f"figure_{n}"] for n in range(7, 13)]))
    assert trial.value == pytest.approx(np.mean(trial.rungs[0]))


def test_a_trial_is_the_same_in_another_process(objective):
    travelled = pickle.loads(pickle.dumps(objective))

    assert travelled.fingerprint == objective.fingerprint
    assert travelled.judge(0, {"market_sigma": 0.05}) == objective.judge(0, {"market_sigma": 0.05})
    assert replace(objective, penalty_weight=0.2).fingerprint != objective.fingerprint
    assert replace(objective, real=toy_panel(8, market_sigma=0.03)).fingerprint != objective.fingerprint


def test_a_point_above_the_bar_is_given_up_after_the_cheap_rung(objective):
    two = replace(objective, rungs=(Rung(2, 1), Rung(4, 2)))
    point = {"market_sigma": 0.1}
    cheap = two.judge(0, point).rungs[0][0]

    above = two.judge(0, point, (cheap - 1e-9,))
    below = two.judge(0, point, (cheap,))

    assert (above.state, len(above.rungs), above.value) == ("pruned", 1, cheap)
    assert (below.state, [len(values) for values in below.rungs]) == ("complete", [1, 2])


def test_a_larger_rung_of_the_same_worlds_simulates_only_the_new_seeds(objective, monkeypatch):
    two = replace(objective, rungs=(Rung(2, 1), Rung(2, 3)))
    simulated = []

    def worth(self, point, rung, seed):
        simulated.append(seed)
        return Worth(1.0, {})

    monkeypatch.setattr(Objective, "worth", worth)
    two.judge(0, {"market_sigma": 0.1})

    assert simulated == list(two.seeds)


def test_a_market_nobody_trades_in_fails_with_the_reason(objective):
    empty = replace(objective, base=small().replace(holdings_scale=0.0, cash_scale=1.0, agents=2))

    trial = empty.judge(0, {"market_sigma": 0.02})

    assert (trial.state, trial.value) == ("failed", FAILED)
    assert "no trade" in trial.reason


def test_parameters_that_exclude_each_other_fail_one_trial_not_the_search(objective):
    space = Space("rates", (Dimension("learning_rate_low", 0.0, 0.9),))

    trial = replace(objective, space=space).judge(0, {"learning_rate_low": 0.8})

    assert (trial.state, trial.value) == ("failed", FAILED)
    assert "learning_rate_high" in trial.reason


def test_exploding_prices_are_no_market():
    price = np.ones((2, 50))
    price[1, 30:] = 1e10

    assert "exploding" in breakdown(Panel(("A", "B"), price, np.ones_like(price), "boom"))
    assert breakdown(toy_panel(8, market_sigma=PLANTED)) == ""


def test_penalties_are_zero_at_the_target_and_capped_far_from_it():
    real = summarise(toy_panel(8, market_sigma=PLANTED))
    far = replace(real, acf_r=(1.0, *real.acf_r[1:]))
    over = replace(real, acf_r=(real.acf_r[0] + 0.15, *real.acf_r[1:]))
    undefined = replace(real, acf_r=(math.nan, *real.acf_r[1:]))

    assert penalties(real, real)["acf1_r"] == 0
    assert penalties(over, real)["acf1_r"] == pytest.approx(4.0)  # two tolerances too many, squared
    assert penalties(far, real)["acf1_r"] == PENALTY_CAP
    assert penalties(undefined, real)["acf1_r"] == PENALTY_CAP


def test_series_too_short_for_a_figure_are_refused_before_the_search(objective):
    short = replace(objective, base=small().replace(days=100, learning_days=90))

    with pytest.raises(ConfigError, match="too few to measure figure"):
        short.left_out()
