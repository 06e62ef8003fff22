"""The compiled SYMBA market against a plain Python one written from the specification: same draws, same days."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.support.oracle import run_oracle

from mycelial.agents.symba.presets import preset
from mycelial.simulation.run import WorldRun, simulate_world

# Short months make short horizons, and short accounting years make bankruptcies, so that few days exercise everything.
SMALL: dict[str, Any] = {"agents": 16, "days": 170, "learning_days": 100, "days_month": 7, "days_accounting": 50}
SEED = 3
RELATIVE_TOLERANCE = 1e-9  # sums are taken in another order

SWITCHES: list[dict[str, Any]] = [
    {"noise": "common"},
    {"memory_rule": "largest"},
    {"memory_rule": "largest", "state_rule": "deviation"},
    {"memory_span_cap": 12},
    {"state_rule": "deviation"},
    {"state_rule": "relative"},
    {"learned_weight": False},
    {"true_half_mean": False},
    {"counted_step": True},
    {"delayed_reward": True},
    {"own_ask_valuation": True},
    {"filter_rule": "eager_when_good"},
    {"filter_rule": "off"},
    {"intended_fills": True},
    {"purchase_hindsight": True},
    {"spread_rule": "matched"},
    {"fee_rule": "cash", "fee": 0.01},
    {"fee": 0.01},
    {"forced_exit": True},
    {"keep_matched": True, "spread_rule": "matched", "holdings_scale": 2.0, "cash_scale": 300.0},
    {"first_action_idle": True},
    {"learn_from_fills": True},
    {"active_clock": True},
    {"minds": "frozen"},
    {"minds": "untrained"},
    {"minds": "zero_intelligence"},
    {"minds": "gode_sunder"},
    {"herd_share": 0.4, "herd_leader": "best"},
    {"herd_share": 0.4, "herd_leader": "worst"},
    {"herd_share": 0.4, "herd_leader": "fixed"},
    {"herd_share": 0.4, "herd_leader": "noise"},
    {"meta_order": 0.05, "days_year": 24},
    {"biased_share": 0.7, "bias": "loss_aversion"},
    {"biased_share": 0.7, "bias": "fear"},
    {"biased_share": 0.7, "bias": "greed"},
    {"biased_share": 0.7, "bias": "short_horizon"},
    {"biased_share": 0.7, "bias": "positivity"},
    {"biased_share": 0.7, "bias": "negativity"},
    {"biased_share": 0.7, "bias": "slow_learning"},
    {"fundamental": "gaussian"},
    {"fundamental": "stochastic_volatility"},
    {"estimate": "signal"},
    {"estimate": "signal", "signal_common": 0.5},
    {"quoting": 0.6},
    {"forecast_cap": 0.03},
    {"gesture_unit": "volatility"},
    {"price_rule": "average"},
    {"price_rule": "auction"},
    {"tick": 0.002},
    {"lot": 0.01},
    {"sizing": "fraction", "lot": 0.01},
    {"attention": True},
    {"attention": True, "attention_market": 0.4, "sizing": "fraction"},
    {"turnover": 0.02},
    {"turnover": 0.02, "balanced_entry": True},
    {"reentry": 0.05},
]


def agree(run: WorldRun, seed: int) -> None:
    """Fail on the first day on which kernel and oracle differ."""
    oracle = run_oracle(run.params, run.price.shape[0], seed)
    for name in ("price", "volume", "spread", "bias_pct", "bankrupt_pct"):
        np.testing.assert_allclose(
            getattr(run, name), getattr(oracle, name), rtol=RELATIVE_TOLERANCE, atol=1e-9, err_msg=name
        )


@pytest.mark.parametrize("assets", [1, 2])
@pytest.mark.parametrize("name", ["paper", "reference", "extended"])
def test_presets_live_the_same_days_as_the_oracle(name: str, assets: int):
    params = preset(name).replace(agents=20, days=250, learning_days=150, days_month=9)

    run = simulate_world(params, assets, 3)

    agree(run, 3)


@pytest.mark.parametrize("changes", SWITCHES, ids=lambda c: ",".join(f"{k}={v}" for k, v in c.items()))
def test_every_switch_means_the_same_to_kernel_and_oracle(changes: dict[str, Any]):
    params = preset("paper").replace(**SMALL).replace(**changes)
    assets = 2 if "attention_market" in changes else 1

    run = simulate_world(params, assets, SEED)

    agree(run, SEED)
    first = next(iter(changes))
    plain = simulate_world(params.replace(**{first: getattr(preset("paper"), first)}), assets, SEED)
    assert run.fingerprint != plain.fingerprint, "the switch changed nothing, so this compared nothing"


@pytest.mark.parametrize("name", ["paper", "reference"])
def test_agents_come_back_from_bankruptcy_as_the_oracle_says(name: str):
    params = preset(name).replace(**SMALL).replace(drawdown=92)

    run = simulate_world(params, 1, SEED)

    assert run.bankrupt_pct[params.learning_days - 1] > 20.0, "nobody came back, so this compared nothing"
    agree(run, SEED)


def test_cash_for_several_assets_scales_the_opening_purse():
    params = preset("paper").replace(**SMALL, cash_per_asset=True)

    run = simulate_world(params, 2, 5)

    agree(run, 5)
    assert run.fingerprint != simulate_world(params.replace(cash_per_asset=False), 2, 5).fingerprint
