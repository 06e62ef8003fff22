"""The parameters as kernels read them: a tuple of scalars, alternatives as small integers."""

from __future__ import annotations

from typing import NamedTuple

from mycelial.agents.symba.parameters import SymbaParameters

LEARNING, FROZEN, UNTRAINED, ZERO_INTELLIGENCE, GODE_SUNDER = range(5)
MINDS = ("learning", "frozen", "untrained", "zero_intelligence", "gode_sunder")
VARIANCE, DEVIATION, RELATIVE = range(3)
STATE_RULES = ("variance", "deviation", "relative")
PATIENT, EAGER, NO_FILTER = range(3)
FILTER_RULES = ("patient_when_good", "eager_when_good", "off")
LAST, AVERAGE, AUCTION = range(3)
PRICE_RULES = ("last", "average", "auction")
NO_LEADER, BEST, WORST, FIXED, NOISE = range(5)
LEADERS = ("none", "best", "worst", "fixed", "noise")
NO_BIAS, LOSS_AVERSION, FEAR, GREED, SHORT_HORIZON, POSITIVITY, NEGATIVITY, SLOW_LEARNING = range(8)
BIASES = ("none", "loss_aversion", "fear", "greed", "short_horizon", "positivity", "negativity", "slow_learning")


class Rules(NamedTuple):
    """Scalars of one world; see `SymbaParameters` for meaning and units."""

    agents: int
    assets: int
    days: int
    learning_days: int
    days_week: int
    days_month: int
    days_year: int
    days_accounting: int
    risk_free_rate: float
    dividend_rate: float
    fee: float
    largest: bool
    state_rule: int
    learned_weight: bool
    true_half_mean: bool
    counted_step: bool
    delayed_reward: bool
    own_ask_valuation: bool
    filter_rule: int
    intended_fills: bool
    purchase_hindsight: bool
    matched_spread: bool
    cash_fee: bool
    forced_exit: bool
    keep_matched: bool
    first_action_idle: bool
    learn_from_fills: bool
    active_clock: bool
    common_noise: bool
    minds: int
    herd: int
    herd_leader: int
    bias: int
    signal: bool
    signal_common: float
    signal_joint: float
    quoting: float
    volatility_gesture: bool
    gesture_volatility: float
    price_rule: int
    tick: float
    lot: float
    fractional: bool
    fraction_attention: float
    attention: bool
    attention_base: float
    attention_volume: float
    attention_persistence: float
    attention_sd: float
    attention_market: float
    market_view: float
    joint_waking: bool
    turnover: float
    balanced_entry: bool
    reentry: float
    forecast_cap: float
    meta_order: float


def rules_of(p: SymbaParameters, assets: int) -> Rules:
    """Translate parameters for the kernels."""
    named = {
        "assets": assets,
        "largest": p.memory_rule == "largest",
        "state_rule": STATE_RULES.index(p.state_rule),
        "filter_rule": FILTER_RULES.index(p.filter_rule),
        "matched_spread": p.spread_rule == "matched",
        "cash_fee": p.fee_rule == "cash",
        "common_noise": p.noise == "common",
        "minds": MINDS.index(p.minds),
        "herd": round(p.herd_share * p.agents),
        "herd_leader": LEADERS.index(p.herd_leader),
        "bias": BIASES.index(p.bias),
        "signal": p.estimate == "signal",
        "volatility_gesture": p.gesture_unit == "volatility",
        "price_rule": PRICE_RULES.index(p.price_rule),
        "fractional": p.sizing == "fraction",
    }
    return Rules._make(named[name] if name in named else getattr(p, name) for name in Rules._fields)
