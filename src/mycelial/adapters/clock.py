"""Clocks: where an adapter's or trader's time comes from."""

from __future__ import annotations

import asyncio
import time


class WallClock:
    """UTC in nanoseconds; never goes back: when the system's clock is set back it stands until time has caught up."""

    def __init__(self) -> None:
        self._latest = 0

    def now_ns(self) -> int:
        """Return UTC nanoseconds since 1970."""
        self._latest = max(self._latest, time.time_ns())
        return self._latest

    async def sleep_until(self, time_ns: int) -> None:
        """Return when `now_ns` has reached `time_ns`."""
        while (left := time_ns - self.now_ns()) > 0:
            await asyncio.sleep(left / 1e9)
