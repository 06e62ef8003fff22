"""How violently prices move: realised variance, flash crashes, and how much of the activity feeds itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from mycelial.facts.panel import Floats
from mycelial.facts.stability.sampling import NS_PER_S, Times, checked, last_known, on_clock, positive

MINUTE_NS = 60 * NS_PER_S


def realised_variance(time_ns: Times, mid: Floats, interval_ns: int = NS_PER_S) -> float:
    """Return the sum of squared log returns on a clock of `interval_ns`.

    The previous tick stands between observations. Over one and the same stretch of time it may be compared between runs
    (`paired.paired_ratio`).

    References
    ----------
    Andersen, Bollerslev, Diebold and Labys (2003), Econometrica 71, 579-625.
    """
    times, (prices,) = checked(time_ns, mid)
    _, sampled = on_clock(times, positive(prices, "mid"), interval_ns)
    return float((np.diff(np.log(sampled)) ** 2).sum())


def marginal_contributions(with_all: float, without_each: Floats) -> Floats:
    """Return what each agent adds to a figure: of the whole market, less that of the market without it."""
    return np.asarray(with_all - np.asarray(without_each, dtype=np.float64))


def sampled_shapley(
    figure: Callable[[NDArray[np.bool_]], float], n_agents: int, rng: np.random.Generator, permutations: int = 20
) -> Floats:
    """Return each agent's share of a figure, averaged over random orders of entry.

    Parameters
    ----------
    figure : the figure of the market in which the agents marked True take part, e.g. realised variance.

    References
    ----------
    Castro, Gomez and Tejada (2009), Computers & Operations Research 36, 1726-1730.
    """
    total = np.zeros(n_agents)
    for _ in range(permutations):
        present = np.zeros(n_agents, dtype=np.bool_)
        before = figure(present.copy())
        for agent in rng.permutation(n_agents):
            present[agent] = True
            after = figure(present.copy())
            total[agent] += after - before
            before = after
    return total / permutations


@dataclass(frozen=True, slots=True)
class FlashCrash:
    """A fall and its recovery.

    Parameters
    ----------
    start_ns, trough_ns : when it began to fall, when it was lowest.
    depth : ``1 - trough / start``.
    half_recovery_ns, most_recovery_ns : from the trough until 50 % and 90 % of the fall are made good; None if never.
    overshoot : how far the trough lay below the fundamental, as a share of that; NaN without one.
    """

    start_ns: int
    trough_ns: int
    depth: float
    half_recovery_ns: int | None
    most_recovery_ns: int | None
    overshoot: float


def flash_crashes(
    time_ns: Times,
    mid: Floats,
    *,
    fundamental: Floats | None = None,
    least_drop: float = 0.05,
    sigmas: float = 10.0,
    within_ns: int = 5 * MINUTE_NS,
    recovery: float = 0.5,
    recovery_within_ns: int = 30 * MINUTE_NS,
    sigma_per_s: float | None = None,
    interval_ns: int = NS_PER_S,
) -> tuple[FlashCrash, ...]:
    """Find falls of at least ``max(least_drop, sigmas * sigma * sqrt(T))`` within T that mostly recover soon.

    Parameters
    ----------
    fundamental : value at the same times as `mid`, for the overshoot.
    sigma_per_s : volatility of one second; by default that of the median stretch of T, which crashes do not move.

    References
    ----------
    Safety specification §5.1; the anchor is the crash of 2010-05-06 (Kirilenko, Kyle, Samadi and Tuzun 2017, Journal of
    Finance 72, 967-998).
    """
    times, (prices,) = checked(time_ns, mid)
    at, price = on_clock(times, positive(prices, "mid"), interval_ns)
    value = None if fundamental is None else last_known(times, positive(fundamental, "fundamental"), at)
    if sigma_per_s is None:
        sigma_per_s = typical_volatility(price, within_ns // interval_ns) / math.sqrt(interval_ns / NS_PER_S)
    threshold = max(least_drop, sigmas * sigma_per_s * math.sqrt(within_ns / NS_PER_S))
    width = within_ns // interval_ns + 1
    peak = maximum_filter1d(price, width, origin=(width - 1) // 2, mode="nearest")
    falling = 1 - price / peak >= threshold
    found: list[FlashCrash] = []
    free = 0  # a peak before this belongs to a fall already told
    for k in np.flatnonzero(falling):
        first = max(free, int(k) - width + 1)
        if k < free or 1 - price[k] / price[first : k + 1].max() < threshold:
            continue
        crash, free = _follow(at, price, value, first, int(k), recovery, recovery_within_ns)
        if crash.half_recovery_ns is not None:
            found.append(crash)
    return tuple(found)


def crashes_per_1000_hours(crashes: tuple[FlashCrash, ...], duration_ns: int) -> float:
    """Return the frequency of crashes in a stretch of time."""
    return len(crashes) / (duration_ns / (3_600 * NS_PER_S)) * 1_000


def typical_volatility(price: Floats, block: int) -> float:
    """Return the standard deviation of a log return in the median block of `block` returns: crashes do not move it."""
    r = np.diff(np.log(price))
    if r.size < block:
        return float(r.std()) if r.size else float("nan")
    blocks = r[: r.size // block * block].reshape(-1, block)
    return float(np.sqrt(np.median((blocks**2).mean(axis=1))))


def branching_ratio(event_time_ns: Times, window_ns: int) -> float:
    """Return the share of events that earlier events caused: ``1 - 1/sqrt(F)``, F = variance / mean of counts.

    Counts are those of windows much longer than the memory of the process (mid-price changes or trades). 0 for a
    Poisson process, 1 at criticality; negative if events avoid each other; NaN with fewer than two windows.

    References
    ----------
    Hardiman and Bouchaud (2014), Physical Review E 90, 062807; criticality: Filimonov and Sornette (2012), Physical
    Review E 85, 056108.
    """
    times, _ = checked(event_time_ns, least=1)
    windows = (int(times[-1]) - int(times[0])) // window_ns
    if windows < 2:
        return float("nan")
    counts = np.bincount((times - times[0]) // window_ns, minlength=windows)[:windows]
    fano = counts.var(ddof=1) / counts.mean()
    return float(1 - 1 / np.sqrt(fano)) if fano > 0 else float("-inf")


def _follow(
    at: Times,
    price: Floats,
    value: Floats | None,
    first: int,
    crossed: int,
    recovery: float,
    recovery_within_ns: int,
) -> tuple[FlashCrash, int]:
    """Follow a fall from a peak at or after `first` that crossed the threshold; return it and where it was over."""
    start = first + int(np.flatnonzero(price[first : crossed + 1] == price[first : crossed + 1].max())[-1])
    top, trough, k = price[start], crossed, crossed
    half: int | None = None
    while half is None and k < price.size and at[k] - at[trough] <= recovery_within_ns:
        if price[k] < price[trough]:
            trough = k
        elif price[k] >= price[trough] + recovery * (top - price[trough]):
            half = k
        k += 1
    most: int | None = None
    if half is not None:
        goal = price[trough] + 0.9 * (top - price[trough])
        until = int(np.searchsorted(at, at[trough] + recovery_within_ns, side="right"))
        later = np.flatnonzero(price[half:until] >= goal)
        most = half + int(later[0]) if later.size else None
    crash = FlashCrash(
        start_ns=int(at[start]),
        trough_ns=int(at[trough]),
        depth=float(1 - price[trough] / top),
        half_recovery_ns=None if half is None else int(at[half] - at[trough]),
        most_recovery_ns=None if most is None else int(at[most] - at[trough]),
        overshoot=float("nan") if value is None else max(0.0, float(1 - price[trough] / value[trough])),
    )
    return crash, k
