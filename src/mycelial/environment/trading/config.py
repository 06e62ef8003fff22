"""What a team of makers trades under: its market, seats, fees, limits, choices, and what it is paid."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.environment.trading.regimes import Regime, regime

KEEP, QUOTE, TAKE, FLATTEN = range(4)  # what a wish asks for
KIND, BID_OFFSET, ASK_OFFSET, BID_SIZE, ASK_SIZE, TAKE_SIZE = range(6)  # columns of a wish
WISH_COLUMNS = 6
MOST_MARKOUT = 32  # steps
TIER_VOLUMES = (0, 10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000)


def _need(ok: bool, what: str) -> None:
    if not ok:
        raise ConfigError(f"trading: {what}")


@dataclass(frozen=True)
class Choices:
    """The actions: keep, cancel, quote pairs (offset x size x skew), one-sided quotes, take, flatten.

    Parameters
    ----------
    offsets : distance of a quote from the mid of others, in half spreads of the regime.
    sizes : in typical orders.
    skews : shift of both quotes, in half spreads; positive leans to buying.
    inventory_skew : further shift of quote pairs against what a seat holds, in half spreads at its limit.
    """

    offsets: tuple[float, ...] = (0.5, 0.7, 0.9, 1.1, 1.5)
    sizes: tuple[float, ...] = (1.0,)
    skews: tuple[float, ...] = (-0.35, 0.0, 0.35)
    inventory_skew: float = 0.25

    def __post_init__(self) -> None:
        _need(bool(self.offsets and self.sizes and self.skews), "choices need an offset, a size and a skew")
        _need(min(self.offsets) > 0.0 and min(self.sizes) > 0.0, "offsets and sizes must be above 0")

    def table(self) -> NDArray[np.float64]:
        """Return the wish of every action in half spreads and typical orders: float64[U, 6]."""
        near, size = self.offsets[min(1, len(self.offsets) - 1)], self.sizes[0]
        rows: list[tuple[float, ...]] = [(KEEP, 0, 0, 0, 0, 0), (QUOTE, 0, 0, 0, 0, 0)]
        rows += [
            (QUOTE, offset - skew, offset + skew, one, one, 0)
            for offset in self.offsets
            for one in self.sizes
            for skew in self.skews
        ]
        rows += [(QUOTE, near, 0, size, 0, 0), (QUOTE, 0, near, 0, size, 0)]
        rows += [(TAKE, 0, 0, 0, 0, size), (TAKE, 0, 0, 0, 0, -size), (FLATTEN, 0, 0, 0, 0, 0)]
        return np.array(rows, np.float64)


@dataclass(frozen=True)
class Charges:
    """What is taken off the profit of a step, in half spreads on a typical order (the unit of rewards).

    Parameters
    ----------
    seat, team : times the square of a seat's inventory as part of its limit, and of the team's as part of all limits
        together, the latter times the number of seats.
    """

    seat: float = 0.02
    team: float = 0.05


@dataclass(frozen=True)
class TradingConfig:
    """A trading task.

    Parameters
    ----------
    regime : Regime
    seats : members of the team; each has an account, a fee tier and a message counter of its own.
    steps : length of an episode; then what is held is counted at what others would pay, taker fee included.
    volumes_usd : 30-day volumes a seat may begin with; each episode draws one for all seats.
    counter : account tier of the exchange's message counter.
    most_orders : largest inventory of a seat either way, in typical orders.
    tolerance : a standing quote nearer than this to where it should be stays, in half spreads.
    vary, wide : whether episodes draw worlds of their own, and from outside of the ordinary range.
    latency_ns : (up, down) of every seat.
    foresight_s : for tests only: show what the asset will be worth so much later; 0 shows nothing.
    """

    regime: Regime = field(default_factory=lambda: regime("middle"))
    seats: int = 4
    steps: int = 240
    volumes_usd: tuple[int, ...] = (10_000_000,)
    counter: str = "intermediate"
    most_orders: float = 4.0
    tolerance: float = 0.1
    choices: Choices = field(default_factory=Choices)
    charges: Charges = field(default_factory=Charges)
    vary: bool = True
    wide: bool = False
    latency_ns: tuple[int, int] = (20_000_000, 20_000_000)
    markout_steps: int = 10
    warm_up_s: float = 60.0
    foresight_s: float = 0.0

    def __post_init__(self) -> None:
        _need(1 <= self.seats <= 64, f"seats {self.seats} must be from 1 to 64")
        _need(self.steps >= 2, f"steps {self.steps} must be 2 or more")
        _need(bool(self.volumes_usd) and min(self.volumes_usd) >= 0, "volumes_usd needs a volume of 0 or more")
        _need(self.most_orders > 0.0 and self.tolerance >= 0.0, "most_orders must be above 0, tolerance 0 or more")
        _need(1 <= self.markout_steps <= MOST_MARKOUT, f"markout_steps must be from 1 to {MOST_MARKOUT}")
        _need(
            max(self.latency_ns) < self.regime.step_s * 1e9 and min(self.latency_ns) >= 0,
            "latencies must be shorter than a step and not negative",
        )
