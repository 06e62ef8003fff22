"""Who trades in a `TradingTask`: trained teams, and the baselines they have to beat.

A policy answers what it sees with actions (int32[B, N]) or, where it wants prices of its own, with wishes
(float64[B, N, 6], offsets in ticks; see `mycelial.environment.trading.config`). Every seat of a team runs the same
baseline with the same limits, fees, latency and message counter as the learners.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.seeds import generator
from mycelial.environment.trading.config import (
    ASK_OFFSET,
    ASK_SIZE,
    BID_OFFSET,
    BID_SIZE,
    KEEP,
    KIND,
    QUOTE,
    TAKE,
    TAKE_SIZE,
    WISH_COLUMNS,
)
from mycelial.environment.trading.task import TradingTask
from mycelial.learning.policy import Team

Floats = NDArray[np.float64]
Answer = NDArray[Any]


class Policy(Protocol):
    """Something that trades every seat of every book."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    def begin(self, task: TradingTask) -> None:
        """Forget everything: episodes begin in all books of `task`."""
        ...

    def answer(self, task: TradingTask, obs: NDArray[np.float32], mask: NDArray[np.bool_]) -> Answer:
        """Return actions int32[B, N] or wishes float64[B, N, 6]."""
        ...


@dataclass
class DoNothing:
    """Quotes nothing, holds nothing."""

    name: str = "do nothing"

    def begin(self, task: TradingTask) -> None:
        """Nothing to forget."""

    def answer(self, task: TradingTask, obs: NDArray[np.float32], mask: NDArray[np.bool_]) -> Answer:
        """Keep what stands, which is nothing."""
        return np.zeros(mask.shape[:2], np.int32)


@dataclass
class Random:
    """Chooses among the legal actions."""

    seed: int = 0
    name: str = "random"

    def begin(self, task: TradingTask) -> None:
        """Start the stream anew."""
        self._rng = generator(self.seed, "trading", "random")

    def answer(self, task: TradingTask, obs: NDArray[np.float32], mask: NDArray[np.bool_]) -> Answer:
        """Draw one legal action a seat."""
        return np.asarray((self._rng.random(mask.shape) * mask).argmax(-1), np.int32)


@dataclass
class BuyAndHold:
    """Buys up to the limit at once and keeps it to the end."""

    name: str = "buy and hold"

    def begin(self, task: TradingTask) -> None:
        """Nothing to forget."""

    def answer(self, task: TradingTask, obs: NDArray[np.float32], mask: NDArray[np.bool_]) -> Answer:
        """Take what is missing in the first steps."""
        wishes = np.zeros((*mask.shape[:2], WISH_COLUMNS))
        missing = task.config.most_orders - task.inventories()
        early = task.floor.books["step"][:, None] < 5
        wishes[..., KIND] = np.where(early & (missing > 0.5), TAKE, KEEP)
        wishes[..., TAKE_SIZE] = missing
        return wishes


@dataclass
class FixedSpread:
    """Hummingbot's pure market making: quotes at a fixed distance from the mid, refreshed by the clock.

    After `refresh_s` both quotes are placed anew around the mid, unless nearer than `tolerance` to where they would be;
    a fill calls for new ones only after `delay_s`. With `skewed`, sizes lean against inventory: the nearer it is to the
    edge of a range around the target (here no inventory), the smaller is the quote that would add to it, linearly from
    twice the size down to none, as its inventory skew does. Defaults are its own: 30 s, 60 s, no tolerance.

    Parameters
    ----------
    offset : half spreads of the regime.
    """

    offset: float = 0.75
    refresh_s: float = 30.0
    delay_s: float = 60.0
    skewed: bool = True
    name: str = "fixed spread (pure market making)"

    def begin(self, task: TradingTask) -> None:
        """No quotes stand."""
        self._due = np.zeros((task.books, task.agents))

    def answer(self, task: TradingTask, obs: NDArray[np.float32], mask: NDArray[np.bool_]) -> Answer:
        """Quote where the clock says so."""
        step_s = task.config.regime.step_s
        now = task.floor.books["step"][:, None] * step_s
        filled = task.floor.seats["filled"].reshape(task.books, task.agents) != 0
        self._due = np.where(filled, np.maximum(self._due, now + self.delay_s), self._due)
        due = now >= self._due
        self._due = np.where(due, now + self.refresh_s, self._due)
        wishes = np.zeros((*mask.shape[:2], WISH_COLUMNS))
        wishes[..., KIND] = np.where(due, QUOTE, KEEP)
        wishes[..., BID_OFFSET] = wishes[..., ASK_OFFSET] = self.offset * task.rules.unit_ticks
        wishes[..., BID_SIZE] = wishes[..., ASK_SIZE] = 1.0
        if self.skewed:  # range: the total order size, two quotes of one
            lean = np.clip(task.inventories() / 2.0, -1.0, 1.0)
            wishes[..., BID_SIZE], wishes[..., ASK_SIZE] = 1.0 - lean, 1.0 + lean
        return wishes


@dataclass
class SkewedQuotes:
    """Quotes every step at one distance, shifted against inventory: what a team's own quote pairs do without learning.

    Parameters
    ----------
    offset, skew : half spreads of the regime; the skew is the shift at full inventory.
    """

    offset: float = 0.75
    skew: float = 0.5
    name: str = "skewed quotes"

    def begin(self, task: TradingTask) -> None:
        """Nothing to forget."""

    def answer(self, task: TradingTask, obs: NDArray[np.float32], mask: NDArray[np.bool_]) -> Answer:
        """Quote around a mid shifted against inventory."""
        unit = task.rules.unit_ticks
        shift = self.skew * unit * task.inventories() / task.config.most_orders
        return quote_pair(self.offset * unit + shift, self.offset * unit - shift)


@dataclass(frozen=True)
class Intensity:
    """Fills of a quote as a function of its distance, ``rate(d) = a exp(-k d)`` a step, d in ticks; and volatility."""

    a: float
    k: float
    sigma_ticks: float  # of the mid, a step


@dataclass
class AvellanedaStoikov:
    """The optimal quotes of Avellaneda and Stoikov 2008 (High-frequency trading in a limit order book, eqs. 29 and 30).

    Reservation price ``s - q gamma sigma^2 (T - t)``, total spread ``gamma sigma^2 (T - t) + (2 / gamma) ln(1 + gamma /
    k)``, around it. The paper has no fees; with `fees` each quote steps back by the maker fee, as a maker who pays one
    would.

    Parameters
    ----------
    gamma : risk aversion, per tick and typical order.
    intensity : Intensity
        Calibrated on training worlds.
    horizon : steps; at most the rest of the episode. None: the rest of the episode, as in the paper.
    """

    gamma: float
    intensity: Intensity
    fees: bool = False
    horizon: int | None = None
    name: str = "Avellaneda-Stoikov"

    def begin(self, task: TradingTask) -> None:
        """Nothing to forget."""

    def answer(self, task: TradingTask, obs: NDArray[np.float32], mask: NDArray[np.bool_]) -> Answer:
        """Quote around the reservation price."""
        books = task.floor.books
        left = (books["length"] - books["step"]).astype(np.float64)
        if self.horizon is not None:
            left = np.minimum(left, self.horizon)
        risk = self.gamma * self.intensity.sigma_ticks**2 * left[:, None]
        half = 0.5 * risk + math.log1p(self.gamma / self.intensity.k) / self.gamma
        if self.fees:
            half = half + task.maker_fee_ticks()[:, None]
        shift = task.inventories() * risk
        return quote_pair(half + shift, half - shift)


@dataclass
class Trained:
    """A trained team, greedy."""

    team: Team
    name: str = "swarm"

    def begin(self, task: TradingTask) -> None:
        """Empty the memory of all members."""
        self._memory = self.team.memory(task.books)

    def answer(self, task: TradingTask, obs: NDArray[np.float32], mask: NDArray[np.bool_]) -> Answer:
        """Take the actions of the highest utility."""
        return self.team.act(obs, mask, self._memory)


def quote_pair(bid_offset: Floats, ask_offset: Floats, size: float = 1.0) -> Floats:
    """Return wishes for one quote a side; offsets float64[B, N] in ticks from the mid."""
    wishes = np.zeros((*bid_offset.shape, WISH_COLUMNS))
    wishes[..., KIND] = QUOTE
    wishes[..., BID_OFFSET], wishes[..., ASK_OFFSET] = bid_offset, ask_offset
    wishes[..., BID_SIZE] = wishes[..., ASK_SIZE] = size
    return wishes
