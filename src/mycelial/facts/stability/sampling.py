"""Irregular series on a regular clock: what was known at each moment. Shared by all stability metrics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import DataError
from mycelial.facts.panel import Floats

Times = NDArray[np.int64]
NS_PER_S = 1_000_000_000


def checked(time_ns: Times, *series: Floats, least: int = 2) -> tuple[Times, tuple[Floats, ...]]:
    """Return times as int64 and series as float64, or say what is wrong with them.

    Raises
    ------
    DataError
        If times run backwards, lengths differ, a value is not finite, or there are fewer than `least`.
    """
    times = np.ascontiguousarray(time_ns, dtype=np.int64)
    if times.ndim != 1 or times.size < least:
        raise DataError(f"a series of {times.size} observations is too short; at least {least} are needed")
    backwards = np.flatnonzero(np.diff(times) < 0)
    if backwards.size:
        at = int(backwards[0])
        raise DataError(
            f"time runs backwards at observation {at + 1}: {times[at + 1]} after {times[at]}; sort the series"
        )
    checked_series = []
    for values in series:
        array = np.ascontiguousarray(values, dtype=np.float64)
        if array.shape[:1] != times.shape:
            raise DataError(f"{array.shape[0] if array.ndim else 0} values for {times.size} times; give one for each")
        if not np.isfinite(array).all():
            raise DataError(f"value {int(np.flatnonzero(~np.isfinite(array.ravel()))[0])} is not finite; leave it out")
        checked_series.append(array)
    return times, tuple(checked_series)


def clock(start_ns: int, end_ns: int, interval_ns: int) -> Times:
    """Return the moments from start to end (inclusive where it falls on the clock), `interval_ns` apart."""
    if interval_ns <= 0:
        raise DataError(f"interval {interval_ns} ns must be above zero")
    return np.arange(start_ns, end_ns + 1, interval_ns, dtype=np.int64)


def last_known(time_ns: Times, values: Floats, at_ns: Times) -> Floats:
    """Return the latest value at each moment; moments before the first observation get NaN."""
    index = np.searchsorted(time_ns, at_ns, side="right") - 1
    out = np.asarray(values, dtype=np.float64)[np.maximum(index, 0)].copy()
    out[index < 0] = np.nan
    return out


def on_clock(time_ns: Times, values: Floats, interval_ns: int) -> tuple[Times, Floats]:
    """Return a series on a regular clock that begins with its first observation."""
    at = clock(int(time_ns[0]), int(time_ns[-1]), interval_ns)
    return at, last_known(time_ns, values, at)


def sums_between(time_ns: Times, values: Floats, at_ns: Times) -> Floats:
    """Return the sum of what happened in each interval (at[k], at[k + 1]]."""
    edges = np.searchsorted(time_ns, at_ns, side="right")
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(np.diff(total[edges]), dtype=np.float64)


def positive(values: Floats, what: str) -> Floats:
    """Return values that must be above zero (prices)."""
    array = np.asarray(values, dtype=np.float64)
    if not (array > 0).all():
        raise DataError(f"{what} holds a value that is not above zero; remove it")
    return array
