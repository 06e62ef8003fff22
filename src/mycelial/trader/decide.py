"""Decide: what shall rest in the book. A strategy wishes; whether and when it is sent is not its business."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mycelial.domain.errors import ConfigError
from mycelial.domain.orders import Side
from mycelial.domain.trading_rules import TradingRules
from mycelial.trader.observe import Picture


@dataclass(frozen=True, slots=True)
class Quote:
    """A wish: `lots` at a price under a name of the strategy's own; 0 lots wishes for nothing."""

    name: str
    side: Side
    price_ticks: int
    lots: int


class Strategy(Protocol):
    """What decides."""

    def quotes(self, picture: Picture, rules: TradingRules) -> Sequence[Quote]:
        """Return everything that shall rest on the pair now, under names that stay the same."""


@dataclass(frozen=True, slots=True)
class Maker:
    """A market maker that leans against its inventory (after Avellaneda and Stoikov, Quant. Finance 8, 2008).

    Parameters
    ----------
    lots : size of each quote.
    most_lots : position beyond which it only reduces.
    half_spread_ppm : least distance from the middle.
    width : distance from the middle in standard deviations of a second.
    """

    lots: int
    most_lots: int
    half_spread_ppm: float = 500.0
    width: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.lots <= self.most_lots:
            raise ConfigError(f"a maker's quotes of {self.lots} lots must be above 0 and at most {self.most_lots} lots")

    def quotes(self, picture: Picture, rules: TradingRules) -> Sequence[Quote]:
        """Return a bid and an ask around a middle that leans away from the position."""
        half = max(1.0, self.half_spread_ppm * 1e-6 * picture.mid_ticks, self.width * picture.volatility)
        centre = picture.mid_ticks - half * picture.position_lots / self.most_lots
        bid = min(math.floor(centre - half), picture.book.asks[0][0] - 1)
        ask = max(math.ceil(centre + half), picture.book.bids[0][0] + 1)
        room_to_buy = self.most_lots - picture.position_lots
        room_to_sell = self.most_lots + picture.position_lots
        return (
            Quote("bid", Side.BUY, bid, self._size(room_to_buy, rules)),
            Quote("ask", Side.SELL, ask, self._size(room_to_sell, rules)),
        )

    def _size(self, room: int, rules: TradingRules) -> int:
        lots = min(self.lots, room)
        return lots if lots >= rules.min_lots else 0
