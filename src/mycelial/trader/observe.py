"""Observe: from what the exchange tells to what a strategy sees."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from mycelial.domain.ports import BookChanged, BookView, Exchange, ExchangeEvent, LinkChanged, PublicTrade, VenueStatus

MEMORY_S = 30.0  # over which volatility is averaged


@dataclass(frozen=True, slots=True)
class Picture:
    """What a strategy sees of one pair.

    Parameters
    ----------
    mid_ticks : between the best bid and ask.
    volatility : standard deviation of the mid over one second, ticks.
    position_lots : lots bought less lots sold.
    """

    book: BookView
    mid_ticks: float
    volatility: float
    position_lots: int
    now_ns: int


@dataclass(slots=True)
class _Track:
    mid: float = 0.0
    at_ns: int = 0
    variance: float = 0.0  # per second


@dataclass(slots=True)
class Observer:
    """Follows an exchange's events."""

    exchange: Exchange
    link_is_up: bool = False
    system: str = "online"
    trades: int = 0
    _tracks: dict[str, _Track] = field(default_factory=dict)

    def take(self, event: ExchangeEvent, now_ns: int) -> None:
        """Take one event."""
        match event:
            case BookChanged(symbol):
                self._follow(symbol, now_ns)
            case LinkChanged():
                self.link_is_up = event.is_up
            case VenueStatus(system):
                self.system = system
            case PublicTrade():
                self.trades += 1

    def picture(self, symbol: str, position_lots: int, now_ns: int) -> Picture | None:
        """Return what is seen of a pair; None while its book is not proven or one-sided."""
        book, track = self.exchange.book(symbol), self._tracks.get(symbol)
        if not book.is_two_sided or track is None:
            return None
        mid = (book.bids[0][0] + book.asks[0][0]) / 2
        return Picture(book, mid, math.sqrt(track.variance), position_lots, now_ns)

    def _follow(self, symbol: str, now_ns: int) -> None:
        book = self.exchange.book(symbol)
        if not book.is_two_sided:
            return
        mid = (book.bids[0][0] + book.asks[0][0]) / 2
        track = self._tracks.setdefault(symbol, _Track(mid, now_ns))
        seconds = (now_ns - track.at_ns) / 1e9
        if seconds > 0:
            weight = 1 - math.exp(-seconds / MEMORY_S)
            track.variance += weight * ((mid - track.mid) ** 2 / seconds - track.variance)
            track.mid, track.at_ns = mid, now_ns
