"""Fee rates by what an account traded in the last thirty days, at the moment of each fill."""

from __future__ import annotations

from collections import deque

from mycelial.market.venues import FeeSchedule

HOUR_NS = 3_600 * 10**9
_MILLION = 1_000_000


class VolumeMeter:
    """Volume of one account over the last days, in millionths of the volume currency.

    It is kept by the hour: a fill counts at once, and drops out with its hour (Kraken: "within hours").
    """

    def __init__(self, days: int) -> None:
        self._window = days * 24
        self._hours: deque[list[int]] = deque()  # [hour, volume]
        self._total = 0

    def add(self, time_ns: int, volume: int) -> None:
        """Count a fill."""
        hour = time_ns // HOUR_NS
        if self._hours and self._hours[-1][0] == hour:
            self._hours[-1][1] += volume
        else:
            self._hours.append([hour, volume])
        self._total += volume

    def volume(self, time_ns: int) -> int:
        """Return the volume of the window that ends now."""
        hours, oldest = self._hours, time_ns // HOUR_NS - self._window
        while hours and hours[0][0] <= oldest:
            self._total -= hours.popleft()[1]
        return self._total


class RateTable:
    """A fee schedule as two look-ups: `maker_ppm` and `taker_ppm` by volume."""

    def __init__(self, schedule: FeeSchedule) -> None:
        self.counts = schedule.counts
        self.tiers = [(tier.volume * _MILLION, tier.maker_ppm, tier.taker_ppm) for tier in schedule.tiers]

    def rates(self, volume: int) -> tuple[int, int]:
        """Return (maker, taker) rates in parts per million at a volume in millionths."""
        found = self.tiers[0]
        for tier in self.tiers:
            if tier[0] > volume:
                break
            found = tier
        return found[1], found[2]


def fee_of(cost: int, rate_ppm: int, step: int) -> int:
    """Return the fee of a cost, rounded half up to a multiple of `step` (all in the same units)."""
    whole = _MILLION * step
    return (2 * cost * rate_ppm + whole) // (2 * whole) * step


def reserve_of(cost: int, rate_ppm: int, step: int) -> int:
    """Return what to set aside for the fee of a cost, rounded up to a multiple of `step`."""
    whole = _MILLION * step
    return -(-cost * rate_ppm // whole) * step
