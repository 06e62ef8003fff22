"""One world behind several markets: what assets are worth on one pair is heard of on the others.

Every market has a fundamental of its own. On a grid of market time, the same however time is cut into calls,

* the fundamental of a **cross** pair becomes the ratio of those of its assets (ETH/BTC is ETH/USD over BTC/USD; a
  stablecoin is worth its peg), so that going round in a circle earns nothing for long;
* other pairs **follow** the leading one with a part of its move: assets rise and fall together.

Only fundamentals are moved; prices follow as their residents trade on them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from mycelial.market.venues import Venue
from mycelial.simulation.exchange.floor import Floor

GRID_NS = 100_000_000
LEADER = "BTC/USD"
BETA = 0.6  # of the leader's move that other assets share


class Coupling:
    """Ties the fundamentals of markets together.

    Parameters
    ----------
    venue : which assets are at par with its volume currency.
    floors : by symbol
    """

    def __init__(self, venue: Venue, floors: Mapping[str, Floor]) -> None:
        self._floors = floors
        money, at_par = venue.fee_volume_currency, venue.fee_at_par
        self._followers = [name for name in floors if name.endswith(f"/{money}") and name != LEADER]
        self._crosses: list[tuple[str, str, str | None]] = []  # (pair, base in money, quote in money or at par)
        for name, floor in floors.items():
            pair = floor.listed.pair
            base, quote = f"{pair.base}/{money}", f"{pair.quote}/{money}"
            if pair.quote == money or base not in floors:
                continue
            if pair.quote in at_par:
                self._crosses.append((name, base, None))
            elif quote in floors:
                self._crosses.append((name, base, quote))
        self._leads = LEADER in floors and bool(self._followers)
        self._last = self._worth(LEADER) if self._leads else 0.0

    @property
    def is_needed(self) -> bool:
        """Whether any market is tied to another."""
        return self._leads or bool(self._crosses)

    def turn(self) -> None:
        """Move the fundamentals; all markets are at the same point of the grid."""
        if self._leads:
            now = self._worth(LEADER)
            for name in self._followers:
                self._shift(name, BETA * (now - self._last))
            self._last = now
        for name, base, quote in self._crosses:
            worth = self._worth(base) - (self._worth(quote) if quote is not None else 0.0)
            self._shift(name, worth - self._worth(name))

    def _worth(self, symbol: str) -> float:
        """Return the logarithm of a fundamental in units of the quote asset."""
        floor = self._floors[symbol]
        return math.log(floor.market.worth) + math.log(float(floor.listed.instrument.tick_size))

    def _shift(self, symbol: str, by: float) -> None:
        self._floors[symbol].market.population.arrays["days"]["log_price"] += by
