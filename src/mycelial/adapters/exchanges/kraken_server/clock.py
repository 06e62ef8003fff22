"""The exchange's time: the wall clock from the opening on, paused, slowed down or sped up."""

from __future__ import annotations

from collections.abc import Callable

MOST_SPEED = 1_000.0


class MarketClock:
    """Maps the wall clock to market time; market time never goes back.

    Parameters
    ----------
    wall_ns : the wall clock, unix ns.
    start_ns : market time at this moment.
    speed : seconds of market time in a second.
    """

    def __init__(self, wall_ns: Callable[[], int], start_ns: int, speed: float = 1.0) -> None:
        self._wall_ns = wall_ns
        self._from_wall, self._from_market = wall_ns(), start_ns
        self._speed, self.paused = speed, False

    @property
    def speed(self) -> float:
        """Seconds of market time in a second, while not paused."""
        return self._speed

    def now(self) -> int:
        """Return market time."""
        if self.paused:
            return self._from_market
        return self._from_market + int((self._wall_ns() - self._from_wall) * self._speed)

    def set_speed(self, speed: float) -> None:
        """Run at another speed from now on."""
        self.restart_at(self.now())
        self._speed = speed

    def pause(self) -> None:
        """Stop market time."""
        self.restart_at(self.now())
        self.paused = True

    def resume(self) -> None:
        """Let market time go on."""
        if self.paused:
            self.restart_at(self._from_market)
            self.paused = False

    def restart_at(self, market_ns: int) -> None:
        """Let it be `market_ns` now: a market that cannot keep up falls behind openly."""
        self._from_wall, self._from_market = self._wall_ns(), market_ns
