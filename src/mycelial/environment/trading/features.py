"""The observation of a seat in plain Python, for markets that are no `TradingTask`: recordings, and a live exchange.

A `Watcher` sees step by step what the compiled task sees and writes the same figures (`schema.FEATURES`); tests hold
the two beside each other. It is the readable description of what those figures are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mycelial.environment.trading import schema
from mycelial.environment.trading.state import MIDS

CLIP = 5.0


@dataclass(frozen=True)
class Scale:
    """What figures count in.

    Parameters
    ----------
    unit_ticks : half spread of the regime.
    typical_lots : a typical order.
    most_lots : largest inventory of a seat.
    maker_ppm, taker_ppm : fee rates.
    """

    unit_ticks: float
    typical_lots: float
    most_lots: float
    maker_ppm: float = 0.0
    taker_ppm: float = 0.0


@dataclass(frozen=True)
class Market:
    """What the market shows at a step: best prices of others, their lots there and on all levels shown, by side."""

    bid: int
    ask: int
    best_lots: tuple[int, int]
    all_lots: tuple[int, int]
    signed_lots: int = 0  # traded since the last step, bought less sold
    trades: int = 0


@dataclass(frozen=True)
class Order:
    """A standing order: tick, what is left of it, lots queued ahead; 0 lots where there is none."""

    tick: int = 0
    lots: int = 0
    ahead: int = 0


@dataclass(frozen=True)
class SeatView:
    """What one seat knows of itself."""

    inventory_lots: int = 0
    bid: Order = Order()
    ask: Order = Order()
    filled_lots: int = 0  # in the last step, signed
    counter: float = 0.0  # part of the threshold


class Watcher:
    """Watches one market through an episode of `length` steps.

    Parameters
    ----------
    scale : Scale
    length : int
    opening : Market
        What the market shows when the episode begins.
    """

    def __init__(self, scale: Scale, length: int, opening: Market) -> None:
        self.scale, self.length, self.step = scale, length, 0
        self._now = opening
        mid = 0.5 * (opening.bid + opening.ask)
        self._mids = [mid] * MIDS  # newest last
        self._volatility, self._flow, self._intensity, self._slow_mid = 0.3, 0.0, 1.0, mid
        self._last_flow = 0.0

    def see(self, market: Market) -> None:
        """Take what a further step has brought."""
        self.step += 1
        self._now = market
        mid, unit = 0.5 * (market.bid + market.ask), self.scale.unit_ticks
        self._last_flow = market.signed_lots / self.scale.typical_lots
        self._flow += 0.1 * (self._last_flow - self._flow)
        self._intensity += 0.1 * (market.trades - self._intensity)
        self._volatility += 0.06 * (abs(mid - self._mids[-1]) / unit - self._volatility)
        self._slow_mid += 0.05 * (mid - self._slow_mid)
        self._mids = [*self._mids[1:], mid]

    def observe(self, seats: Sequence[SeatView]) -> NDArray[np.float32]:
        """Return what every seat of the team sees: float32[N, O]."""
        public, team = self._public(), sum(seat.inventory_lots for seat in seats) / self.scale.most_lots
        rows = []
        for n, seat in enumerate(seats):
            mates = [other for k, other in enumerate(seats) if k != n]
            rows.append([*public, *self._own(seat, team / len(seats), mates), n / max(1, len(seats) - 1), 0.0])
        return np.clip(np.array(rows), -CLIP, CLIP).astype(np.float32)

    def _public(self) -> list[float]:
        now, scale = self._now, self.scale
        mid, unit = self._mids[-1], scale.unit_ticks
        return [
            (now.ask - now.bid) / (2.0 * unit),
            _imbalance(*now.best_lots),
            _imbalance(*now.all_lots),
            *((mid - self._mids[-1 - lag]) / unit for lag in schema.LAGS),
            self._volatility,
            0.25 * self._last_flow,
            self._flow,
            math.log1p(self._intensity),
            (mid - self._slow_mid) / unit,
            scale.maker_ppm * 1e-6 * mid / unit,
            scale.taker_ppm * 1e-6 * mid / unit,
            math.log(unit / mid * 1e3),
            1.0 - self.step / self.length,
        ]

    def _own(self, seat: SeatView, team: float, mates: Sequence[SeatView]) -> list[float]:
        scale, mid = self.scale, self._mids[-1]
        found = [seat.inventory_lots / scale.most_lots, team, seat.counter]
        for order, sign in ((seat.bid, 1.0), (seat.ask, -1.0)):
            stands = order.lots > 0
            found += [
                1.0 if stands else 0.0,
                sign * (mid - order.tick) / scale.unit_ticks if stands else 0.0,
                math.log1p(order.lots / scale.typical_lots) if stands else 0.0,
                math.log1p(order.ahead / scale.typical_lots) if stands else 0.0,
            ]
        found.append(seat.filled_lots / scale.typical_lots)
        for orders, sign in (([mate.bid for mate in mates], 1.0), ([mate.ask for mate in mates], -1.0)):
            distances = [sign * (mid - order.tick) / scale.unit_ticks for order in orders if order.lots > 0]
            found.append(min([CLIP, *distances]))
        return found


def _imbalance(bid: int, ask: int) -> float:
    return (bid - ask) / (bid + ask) if bid + ask > 0 else 0.0
