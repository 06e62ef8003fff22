"""Who lives in an intraday market: numbers, rates and tempers of each kind of agent.

Prices are in ticks, sizes in lots, rates in events a second *per agent*, shares and probabilities from 0 to 1, `_bps`
in hundredths of a per cent of the price. A rate of zero or a count of zero leaves a kind out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

from mycelial.domain.errors import ConfigError


@dataclass(frozen=True)
class Noise:
    """Zero-intelligence flow: limit orders, market orders and cancels, at random but with an eye on the book."""

    count: int = 800
    rate_hz: float = 0.05
    market_share: float = 0.12
    cancel_share: float = 0.44
    inside_share: float = 0.15  # of limit orders go inside a spread wider than a tick
    touch_share: float = 0.25  # join the best price
    depth_ticks: float = 12.0  # scale of the distance behind the best price
    depth_tail: float = 1.6  # exponent of its power law
    lean: float = 2.5  # how far market orders lean to the heavier side of the book
    follow: float = 0.5  # ... and to the side of recent trades
    excitation: float = 0.35  # market orders that one trade calls forth, < 1
    herding: float = 0.8  # of which go the same way
    excitation_s: float = 0.4  # their mean delay; a tenth and ten times of it occur as well


@dataclass(frozen=True)
class Value:
    """Traders with a private noisy view of the fundamental."""

    count: int = 100
    rate_hz: float = 0.01
    view_sd_bps: float = 8.0  # lasting disagreement
    noise_sd_bps: float = 3.0  # fresh error of each look
    threshold_bps: float = 4.0  # mispricing at which they take
    margin_bps: float = 3.0  # how far from their view they quote


@dataclass(frozen=True)
class Chartist:
    """Followers (and a few opponents) of trends in price and flow."""

    count: int = 40
    rate_hz: float = 0.03
    threshold_bps: float = 1.0
    contrarian_share: float = 0.25
    heed_flow: float = 1.0  # weight of recent signed trades against the trend
    heed_book: float = 1.0  # weight of the imbalance of the book


@dataclass(frozen=True)
class Maker:
    """Inventory-aware market makers quoting a ladder."""

    count: int = 6
    rate_hz: float = 1.0
    levels: int = 5  # quotes a side, at most MOST_LEVELS
    half_spread_ticks: float = 2.0
    spacing_ticks: float = 3.0
    size: float = 4.0  # in typical order sizes, first level
    size_sigma: float = 0.5  # how unlike makers are in size: standard deviation of its logarithm
    growth: float = 1.3  # of the size, level by level
    most_inventory: float = 120.0  # in typical order sizes
    skew_ticks: float = 6.0  # shift of quotes at full inventory
    lean_ticks: float = 3.0  # shift of quotes at full imbalance
    fear_ticks: float = 3.0  # widening when all own fills go the wrong way
    patience_ticks: float = 0.5  # quotes nearer than this to where they should be stay
    anchor: float = 0.3  # weight of the external reference against the book's own mid
    view_sd_bps: float = 0.5  # lasting disagreement of makers about the reference
    widen: float = 0.5  # part of the recent move of the mid by which quotes step back
    heed_fills: bool = True  # whether they quote anew on hearing of a fill
    close_ticks: float = 4.0  # a spread wider than this calls one of them at once; 0 switches it off


@dataclass(frozen=True)
class Arbitrageur:
    """Takers against an external reference price."""

    count: int = 6
    rate_hz: float = 1.0
    cost_bps: float = 1.0
    error_bps: float = 0.2  # of their reading of the reference
    size: float = 3.0  # in typical order sizes
    heed_book: float = 0.3  # bps by which a full imbalance moves what they think the price will be


@dataclass(frozen=True)
class StopHolder:
    """Holders with a stop: their sales (or covering purchases) set each other off."""

    count: int = 40
    rate_hz: float = 0.005  # at which one without a stop sets a new one
    nearest_bps: float = 10.0
    scale_bps: float = 40.0  # exponential distance beyond the nearest
    size: float = 4.0  # in typical order sizes


@dataclass(frozen=True)
class Executor:
    """Splitters of large orders into children: the source of long memory in the sign of trades."""

    count: int = 12
    rate_hz: float = 0.2  # children while one has a parent order, and looks for a parent otherwise
    start_share: float = 0.05  # chance that a look finds a parent
    tail: float = 1.5  # exponent of the parents' power law
    least: float = 4.0  # smallest parent, in typical order sizes
    most: float = 400.0
    touch_share: float = 0.3  # a child is at most this part of the queue it hits
    passive_share: float = 0.3  # children that queue at the best price instead


@dataclass(frozen=True)
class Learner:
    """SYMBA's direct policy search on small tables, by the second instead of by the day."""

    count: int = 40
    rate_hz: float = 0.1
    kappa: float = 0.05  # learning step
    explore: float = 0.05
    horizon_s: float = 20.0  # after which an action is judged
    view_sd_bps: float = 8.0


@dataclass(frozen=True)
class Latency:
    """Ways between agents and engine. `up` and `down` are drawn log-normally per agent around the median."""

    median_us: float = 20_000.0
    spread: float = 0.8  # standard deviation of the logarithm
    fast_us: float = 500.0  # median of makers and arbitrageurs
    jitter: str = "lognormal"  # none, uniform, lognormal, gamma, empirical
    jitter_scale: float = 0.2  # mean jitter as part of the agent's own latency
    jitter_shape: float = 0.8  # sigma of the log-normal, shape of the gamma
    quantiles: tuple[float, ...] = ()  # empirical: values at equal steps of probability, in units of the own latency
    service_ns: int = 5_000  # engine time of a new order or amend
    cancel_ns: int = 3_000
    throttle_limit: float = 0.0  # messages an agent may have in its counter; 0 switches it off
    throttle_decay_hz: float = 1.0


JITTERS = ("none", "uniform", "lognormal", "gamma", "empirical")
KINDS = ("noise", "value", "chartist", "maker", "arbitrageur", "stop_holder", "executor", "learner")
MOST_LEVELS = 16


@dataclass(frozen=True)
class PopulationConfig:
    """A whole population.

    Parameters
    ----------
    price_ticks : float
        Where the fundamental begins if no path is given.
    typical_lots : float
        Median order size.
    size_sigma : float
        Standard deviation of the logarithm of order sizes.
    round_share : float
        Share of orders whose size is rounded to one leading digit.
    wealth_orders : float
        Funds of an agent, in typical orders, half in cash and half in the asset.
    day_s : float
        Length of one day of the fundamental path in seconds.
    step_s : float
        Grid of the intraday noise of the fundamental.
    fundamental_bps, fundamental_s : float
        Stationary standard deviation and relaxation time of the intraday noise around the path.
    drift_bps : float
        Standard deviation of the permanent part of the intraday noise over one hour.
    news_share, news_hz : float
        Part of its variance that comes in jumps, and how many a second.
    reference_bps, reference_s : float
        How far, and for how long, the external reference strays from the fundamental.
    flow_s, fast_s, slow_s : float
        Memory of signed trades and of the two averages of the mid price that agents see.
    near_levels : int
        Price levels a side that count for the imbalance agents see.
    """

    noise: Noise = field(default_factory=Noise)
    value: Value = field(default_factory=Value)
    chartist: Chartist = field(default_factory=Chartist)
    maker: Maker = field(default_factory=Maker)
    arbitrageur: Arbitrageur = field(default_factory=Arbitrageur)
    stop_holder: StopHolder = field(default_factory=StopHolder)
    executor: Executor = field(default_factory=Executor)
    learner: Learner = field(default_factory=Learner)
    latency: Latency = field(default_factory=Latency)
    price_ticks: float = 100_000.0
    typical_lots: float = 100.0
    size_sigma: float = 1.2
    round_share: float = 0.3
    wealth_orders: float = 500.0
    day_s: float = 86_400.0
    step_s: float = 0.1
    fundamental_bps: float = 10.0
    fundamental_s: float = 900.0
    drift_bps: float = 40.0
    news_share: float = 0.7
    news_hz: float = 0.1
    reference_bps: float = 1.0
    reference_s: float = 5.0
    flow_s: float = 3.0
    fast_s: float = 5.0
    slow_s: float = 60.0
    near_levels: int = 5

    def __post_init__(self) -> None:
        for name in KINDS:
            part = getattr(self, name)
            if part.count < 0 or part.rate_hz < 0.0:
                raise ConfigError(f"population: {name} must have count and rate_hz of 0 or more")
        if not 1 <= self.maker.levels <= MOST_LEVELS:
            raise ConfigError(f"population: maker.levels {self.maker.levels} must be from 1 to {MOST_LEVELS}")
        if not 0.0 <= self.noise.excitation < 1.0:
            raise ConfigError(f"population: noise.excitation {self.noise.excitation} must be from 0 to below 1")
        if not 0.0 <= self.news_share < 1.0 or (self.news_share > 0.0 and self.news_hz <= 0.0):
            raise ConfigError("population: news_share must be from 0 to below 1, and above 0 it needs news_hz above 0")
        if self.latency.jitter not in JITTERS:
            raise ConfigError(f"population: latency.jitter {self.latency.jitter!r} must be one of {', '.join(JITTERS)}")
        if self.latency.jitter == "empirical" and len(self.latency.quantiles) < 2:
            raise ConfigError("population: latency.quantiles needs at least two values for empirical jitter")
        if (
            self.price_ticks < 2.0
            or self.typical_lots < 1.0
            or min(self.day_s, self.step_s) <= 0.0
            or self.near_levels < 1
        ):
            raise ConfigError(
                "population: price_ticks >= 2, typical_lots >= 1, day_s and step_s > 0 and near_levels >= 1 are needed"
            )
        if self.agents < 1:
            raise ConfigError("population: nobody is there; give at least one kind a count")

    @property
    def agents(self) -> int:
        """Number of agents of all kinds."""
        return sum(getattr(self, name).count for name in KINDS)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with changes; a mapping given for a kind changes only the fields it names."""
        whole = {
            name: replace(getattr(self, name), **value) if isinstance(value, dict) else value
            for name, value in changes.items()
        }
        return replace(self, **whole)

    def scaled(self, agents: int) -> Self:
        """Return a population of about `agents`, every kind in the same proportion and at the same rate an agent."""
        factor = agents / self.agents
        kinds = {}
        for name in KINDS:
            count = getattr(self, name).count
            kinds[name] = {"count": max(1, round(count * factor)) if count else 0}
        kinds["noise"]["count"] += agents - sum(kind["count"] for kind in kinds.values())
        return self.replace(**kinds)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the population that `asdict` described."""
        known = {f.name: f.default_factory for f in fields(cls) if f.name in (*KINDS, "latency")}
        whole = dict(values)
        for name, kind in known.items():
            part = dict(whole[name])
            if "quantiles" in part:
                part["quantiles"] = tuple(part["quantiles"])
            whole[name] = kind(**part)  # type: ignore[operator]
        return cls(**whole)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)
