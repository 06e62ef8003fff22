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

PRESETS = {
    "reference": REFERENCE,
    "paper": PAPER,
    "extended": EXTENDED,
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
