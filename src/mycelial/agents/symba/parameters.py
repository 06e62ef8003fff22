"""Every dial and switch of the SYMBA market, with its unit, range and reason.

One flat frozen dataclass: a preset is an instance of it, a configuration overrides some fields, a calibration searches
some of them. Names follow Lussange, Vrizzi, Palminteri, Gutkin, Modelling crypto markets by multi-agent reinforcement
learning (arXiv:2402.10803); Q1..Q24 are differences between the paper and the authors' simulator, each a switch here
and listed in `docs/concepts/symba.md`. Fields after `quoting` belong to the extended model.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mycelial.domain.errors import ConfigError


def dial(default: Any, low: float, high: float, why: str) -> Any:
    """Declare a number with its closed range and one-line reason."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "why": why})


def switch(default: str, choices: tuple[str, ...], why: str) -> Any:
    """Declare a named alternative."""
    return dataclasses.field(default=default, metadata={"choices": choices, "why": why})


def flag(default: bool, why: str) -> Any:
    """Declare an on/off rule."""
    return dataclasses.field(default=default, metadata={"why": why})


@dataclass(frozen=True)
class SymbaParameters:
    """Parameters of one SYMBA world; see each field's `why`."""

    # ---- size and calendar --------------------------------------------------------------------------------------
    agents: int = dial(500, 2, 200_000, "number of agents I")
    days: int = dial(2453, 20, 30_000, "time steps T, one a day, learning phase included")
    learning_days: int = dial(1000, 0, 29_999, "T_learn: portfolios are reset then and statistics start")
    days_week: int = dial(5, 1, 7, "T_w in days")
    days_month: int = dial(21, 1, 31, "T_m in days")
    days_year: int = dial(252, 12, 366, "T_y in days")
    days_accounting: int = dial(286, 12, 400, "T_nav: days between two resets of the bankruptcy yardstick")

    # ---- agents -------------------------------------------------------------------------------------------------
    gesture_scalar: float = dial(1.5, 0.0, 10.0, "G: gestures are G x U(0.2, 1)")
    accuracy: float = dial(11.0, 0.0, 30.0, "N_A, cointegration accuracy: higher means rarer news")
    drawdown: int = dial(50, 0, 100, "L: bankrupt at or below L..L+9 % of the year's opening NAV")
    leash: float = dial(0.001, 0.0, 1.0, "ell is uniform on [0, this]")
    leash_volatility: float = dial(0.05, 0.0, 1.0, "v is uniform on [0, this]")
    learning_rate_low: float = dial(0.05, 0.0, 1.0, "beta is uniform from this")
    learning_rate_high: float = dial(0.25, 0.0, 1.0, "... to this")
    reflexivity_power: float = dial(1.0, 0.0, 20.0, "rho = u^this, the weight of forecasts against own value")
    memory_span_cap: int = dial(0, 0, 30_000, "longest memory h in days; 0 = no cap")
    filter_window_share: float = dial(1.0, 0.0, 1.0, "w = 5 + u x tau x this: patience of the filter V")
    cash_scale: float = dial(10_000.0, 1.0, 1e12, "half-normal scale of the initial cash")
    cash_per_asset: bool = flag(False, "multiply that scale by the number of assets J")
    holdings_scale: float = dial(100.0, 0.0, 1e9, "half-normal scale of the initial holdings, in coins")

    # ---- money --------------------------------------------------------------------------------------------------
    risk_free_rate: float = dial(0.01, -1.0, 1.0, "R, a year")
    dividend_rate: float = dial(0.02276, -1.0, 1.0, "D, a year, on holdings")
    fee: float = dial(0.0001, 0.0, 0.1, "b, share of the traded value (see fee_rule)")

    # ---- where the authors' simulator and the paper differ ------------------------------------------------------
    noise: str = switch("independent", ("independent", "common"), "Q1: errors of agents: own, or one for all")
    memory_rule: str = switch("latest", ("latest", "largest"), "Q2: forget the oldest, or the smallest value")
    state_rule: str = switch("variance", ("variance", "deviation", "relative"), "Q3: how F sees volatility")
    learned_weight: bool = flag(True, "Q4: F learns the weight a2; else it is rho")
    true_half_mean: bool = flag(True, "Q5: divide each half of the look-back by its own length")
    counted_step: bool = flag(False, "Q6: step beta / N(s, a) instead of beta")
    delayed_reward: bool = flag(False, "Q7: rewards arrive one horizon late")
    own_ask_valuation: bool = flag(False, "Q8: holdings valued at the agent's own ask")
    filter_rule: str = switch("patient_when_good", ("patient_when_good", "eager_when_good", "off"), "Q9, A6")
    intended_fills: bool = flag(False, "Q10: unfilled orders keep their intended quantity and price")
    purchase_hindsight: bool = flag(False, "Q11: hindsight profit always signed as a purchase")
    spread_rule: str = switch("all", ("all", "matched"), "Q12: orders that enter the spread")
    fee_rule: str = switch("trade", ("trade", "cash"), "Q13: fee on the trade, or on the whole cash per fill")
    forced_exit: bool = flag(False, "Q14, A8: sell what is left of a purchase tau days later")
    keep_matched: bool = flag(False, "Q20: equally matched orders count in the averages after clearing")
    first_action_idle: bool = flag(False, "Q21: the action recorded at t = 1 is (hold, eager)")
    learn_from_fills: bool = flag(False, "T learns only tau days after a fill, not after every green light")
    active_clock: bool = flag(False, "Q23: a bankrupt agent's records stand still")

    # ---- who learns ---------------------------------------------------------------------------------------------
    minds: str = switch(
        "learning",
        ("learning", "frozen", "untrained", "zero_intelligence", "gode_sunder"),
        "learning; frozen at T_learn; never learning; random tools and actions, or random quotes, from T_learn on",
    )
    herd_share: float = dial(0.0, 0.0, 1.0, "share of agents who copy a leader's action after T_learn")
    herd_leader: str = switch("none", ("none", "best", "worst", "fixed", "noise"), "whom the herd copies")
    biased_share: float = dial(0.0, 0.0, 1.0, "share of agents with behavioural biases")
    bias: str = switch(
        "none",
        ("none", "loss_aversion", "fear", "greed", "short_horizon", "positivity", "negativity", "slow_learning"),
        "which bias those agents have",
    )
    meta_order: float = dial(
        0.0, 0.0, 1.0, "share of all coins that one order is for twice a year, after T_learn; 0 = none"
    )

    # ---- fundamental value --------------------------------------------------------------------------------------
    fundamental: str = switch("jumps", ("jumps", "stochastic_volatility", "gaussian"), "process of F(t)")
    jump_spacing: float = dial(0.1, 0.0, 10.0, "mu_H of process jumps")
    fundamental_sigma: float = dial(0.0195, 0.0, 1.0, "daily scale of an asset's own moves")
    fundamental_sigma_spread: float = dial(0.05, 0.0, 1.0, "log dispersion of that scale between assets")
    volatility_persistence: float = dial(0.97, 0.0, 0.9999, "AR(1) of log-volatility, own and market")
    volatility_own: float = dial(0.35, 0.0, 2.0, "stationary sd of an asset's log-volatility")
    volatility_market: float = dial(0.30, 0.0, 2.0, "stationary sd of the market's log-volatility")
    market_sigma: float = dial(0.02, 0.0, 1.0, "daily scale of the market factor")
    market_candidates: int = dial(1, 1, 1000, "market histories drawn, the most typical of which is lived; 1 = any")
    market_drift_sd: float = dial(0.0, 0.0, 0.1, "stationary sd of the market's slow drift")
    market_loading_spread: float = dial(0.3, 0.0, 2.0, "log dispersion of loadings on the factor")
    crisis_rate: float = dial(0.002, 0.0, 1.0, "probability a day that a crisis starts")
    crisis_size: float = dial(1.2, 0.0, 5.0, "jump of log-volatility at its start")
    crisis_decay: float = dial(0.93, 0.0, 0.9999, "its decay a day")
    crisis_drop: float = dial(0.0, -1.0, 1.0, "log-return of the market factor on the day it starts")
    crisis_rebound: float = dial(0.0, 0.0, 1.0, "share of that drop made good on the day after")
    jump_rate: float = dial(0.08, 0.0, 1.0, "probability a day of an asset's own jump")
    jump_size: float = dial(3.0, -20.0, 20.0, "mean size of a jump in units of current sigma; exponential")
    jump_echo: float = dial(0.2, 0.0, 2.0, "rise of log-volatility after an own jump")
    drift_sd: float = dial(0.0015, 0.0, 0.1, "stationary sd of the slow drift")
    drift_mean: float = dial(-0.0015, -0.1, 0.1, "mean daily drift of ln F, before convexity")

    # ---- the extended model: how agents value, quote, size and wake ---------------------------------------------
    estimate: str = switch("leash", ("leash", "signal"), "B follows the leash rule, or is F with a daily error")
    signal_error: float = dial(1.5, 0.0, 20.0, "error of B in units of F's current volatility, x U(.5, 1.5)")
    signal_common: float = dial(0.0, 0.0, 1.0, "share of that error common to all agents of an asset")
    signal_joint: float = dial(
        0.0, 0.0, 1.0, "share of that error an agent makes in all assets alike: its view of the market"
    )
    quoting: float = dial(0.0, 0.0, 1.0, "phi: 0 quotes min/max(P, H), 1 quotes H")
    gesture_unit: str = switch("spread", ("spread", "volatility"), "gestures shift by g x W, or by g x s x P")
    gesture_volatility: float = dial(0.15, 0.0, 5.0, "factor of the latter")
    price_rule: str = switch("last", ("last", "average", "auction"), "close: last match, volume-weighted, uniform")
    tick: float = dial(0.0, 0.0, 1.0, "price step as a share of the initial price; 0 = none")
    lot: float = dial(1.0, 1e-9, 1.0, "smallest quantity, in coins")
    sizing: str = switch("all", ("all", "fraction"), "orders are all-or-share, or a fraction by attention")
    fraction: float = dial(0.15, 0.0, 1.0, "mean fraction of the portfolio an order puts to work")
    fraction_attention: float = dial(1.5, 0.0, 5.0, "exponent of attention on size")
    attention: bool = flag(False, "agents wake by a common attention to moves and volume")
    attention_base: float = dial(0.7, 0.0, 1.0, "probability to be awake at attention 1")
    attention_volume: float = dial(0.3, 0.0, 5.0, "weight of abnormal volume in attention")
    attention_persistence: float = dial(0.7, 0.0, 0.9999, "AR(1) of exogenous attention")
    attention_sd: float = dial(0.6, 0.0, 3.0, "its sd")
    attention_market: float = dial(0.0, 0.0, 1.0, "share of attention (news and moves) common to all assets")
    market_view: float = dial(0.0, 0.0, 1.0, "weight of the market index, against the asset's own price, in forecasts")
    forecast_cap: float = dial(0.0, 0.0, 1.0, "furthest a tool may forecast from the last close, as its share; 0 = any")
    joint_waking: bool = flag(False, "an agent wakes for all assets by one draw, instead of one for each")
    turnover: float = dial(0.0, 0.0, 1.0, "probability a day that an agent is replaced; policies are kept")
    balanced_entry: bool = flag(False, "newcomers bring as much in cash as in coins; else the population's mean mix")
    reentry: float = dial(0.0, 0.0, 1.0, "probability a day that a bankrupt agent returns")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))
        if self.learning_days >= self.days:
            raise ConfigError(
                f"population.symba.learning_days = {self.learning_days} leaves none of the {self.days} days to "
                f"observe; choose learning_days below {self.days}"
            )
        if self.learning_rate_low > self.learning_rate_high:
            raise ConfigError(
                f"population.symba.learning_rate_low = {self.learning_rate_low} is above learning_rate_high = "
                f"{self.learning_rate_high}; swap them"
            )

    def replace(self, **changes: Any) -> SymbaParameters:
        """Return a copy with `changes`, each checked.

        Raises
        ------
        ConfigError
            If a name is unknown (the nearest one is suggested) or a value is out of range.
        """
        known = {field.name: field for field in dataclasses.fields(self)}
        typed: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(sorted(known))}"
                raise ConfigError(f"population.symba.{name} is not a parameter{hint}")
            typed[name] = _coerce(known[name], value)
        return dataclasses.replace(self, **typed)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SymbaParameters:
        """Build from plain values; missing fields take their defaults."""
        return cls().replace(**values)


def _coerce(field: dataclasses.Field[Any], value: Any) -> Any:
    """Turn text or a JSON number into the field's type, or say what was expected."""
    kind: Any = type(field.default)
    name = f"population.symba.{field.name}"
    if kind is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise ConfigError(f"{name} = {value!r} is not true or false")
    if kind is str:
        return str(value)
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
        if kind is int and (not math.isfinite(number) or number != int(number)):
            raise ValueError
        return kind(number)
    except (TypeError, ValueError):
        expected = "a whole number" if kind is int else "a number"
        raise ConfigError(f"{name} = {value!r} is not {expected}") from None


def _check(field: dataclasses.Field[Any], value: Any) -> None:
    name = f"population.symba.{field.name}"
    if "choices" in field.metadata:
        if value not in field.metadata["choices"]:
            raise ConfigError(f"{name} = {value!r}; choose one of {', '.join(field.metadata['choices'])}")
    elif "low" in field.metadata:
        low, high = field.metadata["low"], field.metadata["high"]
        if not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(f"{name} = {value!r} is outside [{low:g}, {high:g}] ({field.metadata['why']})")
