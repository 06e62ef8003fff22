"""What an environment is made of: what its agents see, what they may do, what they are paid, when a step ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from mycelial.agents.intraday.config import PopulationConfig
from mycelial.domain.errors import ConfigError
from mycelial.domain.instrument import Instrument

MOST_RAW = 32  # records of one agent in one step
FREE = ((0, 0, 0),)


def _need(ok: bool, what: str) -> None:
    if not ok:
        raise ConfigError(f"environment: {what}")


@dataclass(frozen=True)
class Observed:
    """What an agent sees, and the constants by which figures are brought near 1.

    Parameters
    ----------
    depth, orders, trades : int
        Price levels a side, own orders (the oldest), latest trades.
    price_ticks : float
        Prices count from the mid in this many ticks.
    inventory_orders : float
        Inventory and cash count in this many typical orders.
    age_s : float
        Ages count in this many seconds.
    clip : float
        Every figure is cut to within this.
    """

    depth: int = 10
    orders: int = 4
    trades: int = 5
    price_ticks: float = 20.0
    inventory_orders: float = 20.0
    age_s: float = 10.0
    clip: float = 10.0

    def __post_init__(self) -> None:
        _need(1 <= self.depth <= 1_000, f"depth {self.depth} must be from 1 to 1000")
        _need(0 <= self.orders <= 256 and 0 <= self.trades <= 1_024, "at most 256 orders and 1024 trades are shown")
        scales = (self.price_ticks, self.inventory_orders, self.age_s, self.clip)
        _need(min(scales) > 0.0, "price_ticks, inventory_orders, age_s and clip must be above 0")


@dataclass(frozen=True)
class Templates:
    """A choice among ready-made orders: nothing, cancel all, then side x offset x size x time in force.

    Parameters
    ----------
    offsets : ticks behind the best price of its own side as the agent sees it (negative: inside the spread); orders
        that never rest count from the best opposite price instead, as how far they may walk.
    sizes : in typical orders.
    tifs : ``GTC``, ``POST`` (GTC that never takes), ``IOC``, ``FOK``.
    """

    offsets: tuple[int, ...] = (0, 2, 8)
    sizes: tuple[float, ...] = (1.0,)
    tifs: tuple[str, ...] = ("GTC", "IOC")

    def __post_init__(self) -> None:
        _need(bool(self.offsets and self.sizes and self.tifs), "templates need an offset, a size and a time in force")
        _need(all(size > 0.0 for size in self.sizes), "template sizes must be above 0")
        unknown = sorted(set(self.tifs) - set(TIFS))
        _need(not unknown, f"template tifs {unknown} must be of {', '.join(TIFS)}")


@dataclass(frozen=True)
class QuotePair:
    """Two quotes a step as numbers: (bid offset, ask offset, bid size, ask size).

    Offsets are ticks away from the mid the agent sees, sizes typical orders; a size below the smallest order quotes
    nothing on that side. A quote that stands as asked keeps its place in the queue.
    """

    most_offset: float = 50.0
    most_size: float = 5.0

    def __post_init__(self) -> None:
        _need(self.most_offset > 0.0 and self.most_size > 0.0, "most_offset and most_size must be above 0")


@dataclass(frozen=True)
class RawRecords:
    """For scripted users: at most `most` INPUT records a step (see `mycelial.market.book.records`)."""

    most: int = 8

    def __post_init__(self) -> None:
        _need(1 <= self.most <= MOST_RAW, f"most {self.most} must be from 1 to {MOST_RAW}")


TIFS = ("GTC", "POST", "IOC", "FOK")
Acting: TypeAlias = Templates | QuotePair | RawRecords


@dataclass(frozen=True)
class Reward:
    """``scale * (profit * change of marked value - inventory charge - shortfall * implementation shortfall)``.

    Parameters
    ----------
    profit, shortfall : float
        Weights. Shortfall of a step: what its fills and fees cost against the mid at the start of the episode.
    inventory_bps : float
        Charge a second, in hundredths of a per cent of the marked value of what is held beyond the initial holding.
    scale : float, optional
        Reward per cash unit; by default 1e4 / (value of a typical order), so that 1 is a basis point of one.
    """

    profit: float = 1.0
    inventory_bps: float = 0.0
    shortfall: float = 0.0
    scale: float | None = None


@dataclass(frozen=True)
class Every:
    """A step is so many seconds."""

    seconds: float = 1.0


@dataclass(frozen=True)
class AfterEvents:
    """A step ends when the engine has written so many further events and word of them has arrived."""

    events: int = 100


@dataclass(frozen=True)
class OwnEvent:
    """A step ends with the first word of an agent's own orders, or after `most_seconds`."""

    most_seconds: float = 1.0


Pace: TypeAlias = Every | AfterEvents | OwnEvent


@dataclass(frozen=True)
class Episode:
    """When an episode ends.

    Parameters
    ----------
    seconds : truncated after so long.
    warm_up_s : the market lives so long before the first decision.
    ruin_share : terminated when the marked value falls to this part of what it was; 0 never.
    goal_orders : a position change to reach, in typical orders (negative: to sell); terminated when it is reached and
        no own order is left in the book. None: there is no goal.
    """

    seconds: float = 300.0
    warm_up_s: float = 5.0
    ruin_share: float = 0.5
    goal_orders: float | None = None

    def __post_init__(self) -> None:
        _need(self.seconds > 0.0 and self.warm_up_s >= 0.0, "seconds must be above 0, warm_up_s 0 or more")
        _need(0.0 <= self.ruin_share < 1.0, f"ruin_share {self.ruin_share} must be from 0 to below 1")


@dataclass(frozen=True)
class EnvConfig:
    """One environment: a living market and what its learning agents see, do and are paid.

    Parameters
    ----------
    instrument, population, fee_tiers : the market, as `IntradayMarket` takes them.
    latency_ns : way of the learning agents' orders to the engine, and of everything they learn back from it; one pair
        for all, or one a learning agent. The market's jitter comes on top.
    cash_orders, asset_orders : opening funds of a learning agent, in typical orders.
    """

    instrument: Instrument
    population: PopulationConfig
    fee_tiers: tuple[tuple[int, int, int], ...] = FREE
    latency_ns: tuple[int, int] | tuple[tuple[int, int], ...] = (0, 0)
    cash_orders: float = 200.0
    asset_orders: float = 200.0
    observed: Observed = field(default_factory=Observed)
    acting: Acting = field(default_factory=Templates)
    reward: Reward = field(default_factory=Reward)
    pace: Pace = field(default_factory=Every)
    episode: Episode = field(default_factory=Episode)

    def __post_init__(self) -> None:
        _need(self.cash_orders >= 0.0 and self.asset_orders >= 0.0, "opening funds must not be negative")
        for up, down in self.latencies(1):
            _need(up >= 0 and down >= 0, "latencies must not be negative")
        longest = max(down for _, down in self.latencies(1))
        pace = self.pace
        if isinstance(pace, Every):
            _need(pace.seconds >= 1e-6, f"a step of {pace.seconds} s is too short; 1e-6 is the least")
            _need(longest <= 256 * pace.seconds * 1e9, "the way back takes more than 256 steps; make steps longer")
        elif isinstance(pace, AfterEvents):
            _need(pace.events >= 1, "a step needs at least one event")
        else:
            _need(
                longest <= pace.most_seconds * 1e9 and pace.most_seconds >= 1e-6,
                "most_seconds must not be shorter than the way back from the engine",
            )

    def latencies(self, agents: int) -> tuple[tuple[int, int], ...]:
        """Return (up, down) of every learning agent."""
        whole = self.latency_ns
        if isinstance(whole[0], tuple):
            pairs: tuple[tuple[int, int], ...] = whole
            _need(agents == 1 or len(pairs) == agents, f"{len(pairs)} latencies are given for {agents} agents")
            return pairs
        return (whole,) * agents

    @property
    def step_ns(self) -> int:
        """Length of a step of fixed length, or the longest wait for an own event; 0 when events are counted."""
        if isinstance(self.pace, AfterEvents):
            return 0
        seconds = self.pace.seconds if isinstance(self.pace, Every) else self.pace.most_seconds
        return max(1, round(seconds * 1e9))

    @property
    def goal_lots(self) -> int:
        """The position change to reach; 0 when there is none."""
        return round((self.episode.goal_orders or 0.0) * self.population.typical_lots)


Form: TypeAlias = Literal["flat", "dict"]
