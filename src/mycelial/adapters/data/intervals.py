"""Candle intervals by name, and the interval a series of times reveals."""

from __future__ import annotations

import numpy as np

from mycelial.adapters.data.candles import DAY_MS, Candles
from mycelial.domain.errors import DataError

INTERVAL_MS = {
    **{f"{n}m": n * 60_000 for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * 3_600_000 for n in (1, 2, 4, 6, 8, 12)},
    "1d": DAY_MS,
    "1w": 7 * DAY_MS,
}


def interval_ms(interval: str) -> int:
    """Return the length of a named interval in milliseconds."""
    if interval not in INTERVAL_MS:
        raise DataError(f"unknown interval {interval!r}; choose --interval from {', '.join(INTERVAL_MS)}")
    return INTERVAL_MS[interval]


def usual_spacing_ms(candles: Candles) -> int | None:
    """Return the most frequent distance between neighbouring candles of a symbol; None without any neighbours."""
    order = np.lexsort((candles.time_ms, candles.symbol))
    step = np.diff(candles.time_ms[order])[np.diff(candles.symbol[order]) == 0]
    step = step[step > 0]
    if len(step) == 0:
        return None
    distances, counts = np.unique(step, return_counts=True)
    return int(distances[np.argmax(counts)])


def interval_of(candles: Candles, origin: str) -> str:
    """Name the interval of candles, or raise `DataError` when their spacing has no name."""
    spacing = usual_spacing_ms(candles)
    for name, length in INTERVAL_MS.items():
        if length == spacing:
            return name
    found = "a single candle" if spacing is None else f"candles {spacing / 1000:g} s apart"
    raise DataError(f"{origin}: holds {found}, whose interval has no name here; give it with --interval")


def refuse_misaligned(candles: Candles, interval: str, origin: str) -> None:
    """Raise `DataError` when a candle does not open on a boundary of the interval (weeks begin where they please)."""
    length = interval_ms(interval)
    wrong = candles.time_ms % min(length, DAY_MS) != 0
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{origin}: {candles.describe_row(row)} does not open on a boundary of {interval}; "
            "correct the time or give the true --interval"
        )
