"""Named parameter sets, each with where it comes from."""

from __future__ import annotations

import difflib

from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.domain.errors import ConfigError

PAPER = SymbaParameters(days_accounting=252)

# The authors' simulator as published, quirks included; see docs/concepts/symba.md, Q1..Q24.
REFERENCE = SymbaParameters(
    memory_rule="largest",
    state_rule="deviation",
    learned_weight=False,
    true_half_mean=False,
    counted_step=True,
    delayed_reward=True,
    own_ask_valuation=True,
    intended_fills=True,
    purchase_hindsight=True,
    spread_rule="matched",
    fee_rule="cash",
    keep_matched=True,
    first_action_idle=True,
    active_clock=True,
)

# The extended model of the first study, fitted by hand on the BTC-quoted train half; kept as a baseline.
EXTENDED = PAPER.replace(
    memory_span_cap=250,
    state_rule="relative",
    learn_from_fills=True,
    filter_window_share=0.1,
    reflexivity_power=6.0,
    fundamental="stochastic_volatility",
    estimate="signal",
    quoting=0.75,
    gesture_unit="volatility",
    price_rule="average",
    lot=0.001,
    sizing="fraction",
    attention=True,
    turnover=0.005,
    reentry=0.02,
    cash_per_asset=True,
)

# Fitted to the 14 fit coins of window W quoted in BTC (Binance, September 2018 to September 2022) on seeds from 5001,
# by a search with `mycelial calibrate run`, then steps judged on those coins and seeds only; docs/concepts/realism.md
# has the story and the figures.
BINANCE_BTC = EXTENDED.replace(
    # agents: value them nearly alike, quote near what they expect, wake by attention, come and go
    filter_rule="off",
    reflexivity_power=6.2,
    quoting=0.955,
    signal_error=1.2,
    fraction_attention=1.1,
    attention_base=0.5,
    attention_sd=0.35,
    balanced_entry=True,
    turnover=0.01,
    # value: a market with long crises, coins with volatility and upward jumps of their own, a slow fall against BTC
    market_candidates=64,
    market_sigma=0.0284,
    fundamental_sigma=0.0121,
    fundamental_sigma_spread=0.2,
    market_loading_spread=0.12,
    volatility_persistence=0.967,
    volatility_own=0.72,
    volatility_market=0.22,
    crisis_rate=0.003,
    crisis_size=1.38,
    crisis_decay=0.96,
    jump_rate=0.085,
    jump_size=5.3,
    jump_echo=0.05,
    drift_sd=0.0008,
    drift_mean=-0.0016,
    tick=0.00007,
)

# The same for coins quoted in USDT, by hand only: one market factor that crashes, little else.
BINANCE_USDT = EXTENDED.replace(
    filter_rule="off",
    reflexivity_power=12.0,
    quoting=1.0,
    signal_error=1.5,
    fraction_attention=0.7,
    market_sigma=0.036,
    fundamental_sigma=0.01,
    volatility_own=0.3,
    volatility_market=0.25,
    crisis_size=0.8,
    crisis_drop=-0.3,
    jump_rate=0.03,
    jump_size=3.0,
    drift_mean=0.001,
    tick=0.00005,
)

# What the agents do alone: value moves by Gaussian steps of constant size, nobody shares attention, chartists weigh in
# nearly as much as in the paper. Chosen on seeds 3001 to 3012.
EMERGENCE = EXTENDED.replace(
    fundamental="gaussian",
    fundamental_sigma=0.03,
    attention=False,
    reflexivity_power=1.7,
    quoting=0.68,
    filter_window_share=1.0,
    turnover=0.04,
    tick=0.0002,
)

PRESETS = {
    "reference": REFERENCE,
    "paper": PAPER,
    "extended": EXTENDED,
    "binance-btc-2018-2022": BINANCE_BTC,
    "binance-usdt-2018-2022": BINANCE_USDT,
    "emergence": EMERGENCE,
}


def preset(name: str) -> SymbaParameters:
    """Return a preset by name.

    Raises
    ------
    ConfigError
        If there is no such preset; the nearest name is suggested.
    """
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(PRESETS)}"
        raise ConfigError(f"population.symba.preset = {name!r} is unknown; {hint}")
    return PRESETS[name]
