"""The people of the oracle market: what an agent is, owns and knows, and what a market shows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tests.support.oracle.memory import Memory, MoveMemory

from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.agents.symba.population import Traits

F32 = np.float32
LEAST = F32(1e-30)  # probabilities stay out of the denormal range


@dataclass
class Day:
    """What an agent remembers of one active day."""

    forecast: float
    estimate: float
    f_state: int
    f_action: int
    f_reward: int = 0
    t_state: int = 0
    t_action: int = 0
    t_reward: int = 0
    green: bool = False
    lots: int = 0
    price: float = 0.0


@dataclass
class Mind:
    """What one agent knows about one asset."""

    leash: float
    leash_volatility: float
    news: float
    error: float
    estimates: list[float]
    errors: Memory
    moves: MoveMemory
    profits: Memory
    elastic: float = 0.0
    forecast: float = 0.0
    ask: float = 0.0
    stake_reference: float = 0.0
    active_days: int = 0
    clock: int = 0
    frozen_best: list[np.float32] = field(default_factory=list)
    past: dict[int, Day] = field(default_factory=dict)
    f_policy: NDArray[np.float32] = field(default_factory=lambda: np.full((27, 27), F32(1.0 / 27.0), F32))
    f_count: NDArray[np.int64] = field(default_factory=lambda: np.zeros((27, 27), np.int64))
    t_policy: NDArray[np.float32] = field(default_factory=lambda: np.full((108, 9), F32(1.0 / 9.0), F32))
    t_value: NDArray[np.float32] = field(default_factory=lambda: np.zeros((108, 9), F32))
    t_count: NDArray[np.int64] = field(default_factory=lambda: np.zeros((108, 9), np.int64))


@dataclass
class Agent:
    """One agent: traits (specification 2), portfolio, and a mind for every asset."""

    number: int
    tau: int
    span: int
    patience: int
    gesture: float
    rho: float
    floor_pct: int
    beta: float
    fraction: float
    biased: bool
    bias_chance: float
    cash0: float
    lots0: list[int]
    cash: float
    lots: list[int]
    minds: list[Mind]
    bankrupt: bool = False
    nav0: float = 1.0
    ratio_pct: float = 100.0
    cash_reference: float = 0.0


@dataclass
class Order:
    """One agent's order of the day; lots are positive to buy, negative to sell."""

    agent: int
    lots: int
    price: float


@dataclass
class Asset:
    """One market: everything the public can see, and its book."""

    price: list[float]
    totals: list[float]  # totals[k] = P(0) + ... + P(k - 1)
    fundamental: list[float]
    uncertainty: list[float]
    mean_bid: float
    mean_ask: float
    volume: list[float] = field(default_factory=lambda: [0.0])
    spread: list[float] = field(default_factory=lambda: [0.0])
    bias_pct: list[float] = field(default_factory=lambda: [0.0])
    volume_codes: list[int] = field(default_factory=list)
    long_codes: dict[int, list[int]] = field(default_factory=dict)  # by horizon
    short_codes: dict[int, list[int]] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    meta_sender: int | None = None  # who sent a meta-order today
    # attention of the extended model
    move: float = 0.01
    usual_move: float = 0.02
    usual_volume: float = 0.0
    quick: float = 1.0
    slow: float = 1.0
    news: float = 0.0
    activity: float = 1.0

    def show(self, day: int, price: float) -> None:
        """Write P(day), provisional or final."""
        del self.price[day:], self.totals[day + 1 :]
        self.price.append(price)
        self.totals.append(self.totals[-1] + price)

    def mean(self, start: int, stop: int) -> float:
        """Return the mean of P over [start, stop)."""
        return (self.totals[stop] - self.totals[start]) / (stop - start)


def people_from(p: SymbaParameters, traits: Traits, fundamental: NDArray[np.float64]) -> list[Agent]:
    """Give every row of the drawn traits a portfolio and empty minds."""
    drops_smallest = p.memory_rule == "largest"
    people = []
    for i in range(p.agents):
        tau, span = int(traits.tau[i]), int(traits.span[i])
        long_cap, cap = (tau + span + 1, tau + span) if drops_smallest else (span, span)
        minds = [
            Mind(
                leash=float(traits.leash[j, i]),
                leash_volatility=float(traits.leash_volatility[j, i]),
                news=float(traits.news[j, i]),
                error=float(traits.error[j, i]),
                estimates=[float(fundamental[j, 0])],
                elastic=float(traits.leash[j, i]),
                errors=Memory(long_cap, drops_smallest=drops_smallest, start=[0]),
                moves=MoveMemory(cap, drops_smallest=drops_smallest),
                profits=Memory(long_cap, drops_smallest=drops_smallest, start=[0]),
            )
            for j in range(fundamental.shape[0])
        ]
        people.append(
            Agent(
                number=i,
                tau=tau,
                span=span,
                patience=int(traits.patience[i]),
                gesture=float(traits.gesture[i]),
                rho=float(traits.rho[i]),
                floor_pct=int(traits.floor_pct[i]),
                beta=float(traits.beta[i]),
                fraction=float(traits.fraction[i]),
                biased=bool(traits.biased[i]),
                bias_chance=float(traits.bias_chance[i]),
                cash0=float(traits.cash0[i]),
                lots0=[int(n) for n in traits.lots0[:, i]],
                cash=float(traits.cash0[i]) * float(fundamental[:, 0].mean()) / 100.0,
                lots=[int(n) for n in traits.lots0[:, i]],
                minds=minds,
            )
        )
    return people


def greedy(row: NDArray[np.float32], u: float) -> int:
    """Return the most probable action, ties broken by the uniform u."""
    best = np.flatnonzero(row == row.max())
    return int(best[int(u * best.size)])


def reinforce(row: NDArray[np.float32], action: int, reward: int, kappa: float) -> None:
    """Make |reward| steps of size kappa towards or away from an action, in closed form (specification 7.4)."""
    kept = 1.0
    for _ in range(abs(reward)):
        kept *= 1.0 - kappa
    shrink, chosen = F32(kept), row[action]
    if reward > 0:
        row[:] = np.maximum(row * shrink, LEAST)
        row[action] = F32(1.0) - (F32(1.0) - chosen) * shrink
    elif reward < 0:
        row[:] = row * shrink + F32((1.0 - kept) / (row.size - 1))
        row[action] = max(chosen * shrink, LEAST)
