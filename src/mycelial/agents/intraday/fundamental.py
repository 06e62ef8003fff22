"""What the asset is worth at any nanosecond: days of a path, noise within the day, and an external price that follows.

The daily path comes from outside (a SYMBA run). Between two days its logarithm is interpolated; on top lie a random
walk, part of it in jumps (news), and a mean-reverting part, both on a fixed grid of time, so the path depends on the
seed alone and not on who looks at it.
"""

from __future__ import annotations

import math

import numpy as np

from mycelial.agents.intraday.state import Crowd, day_of
from mycelial.domain.draws import normal, uniform
from mycelial.domain.kernels import helper

_DRAWS = np.uint64(5)  # a grid step


@helper
def advance(crowd: Crowd, now: int) -> None:
    """Bring the intraday noise up to the grid step of `now`."""
    last = now // crowd.step_ns
    if crowd.step >= last:
        return
    dt = crowd.step_ns * 1e-9
    keep = math.exp(-dt / crowd.fundamental_s)
    kick = crowd.fundamental_bps * 1e-4 * math.sqrt(1.0 - keep * keep)
    stay = math.exp(-dt / crowd.reference_s)
    stray = crowd.reference_bps * 1e-4 * math.sqrt(1.0 - stay * stay)
    variance = (crowd.drift_bps * 1e-4) ** 2 * dt / 3600.0
    wander = math.sqrt(variance * (1.0 - crowd.news_share))
    arrival = min(crowd.news_hz * dt, 1.0)
    news = math.sqrt(variance * crowd.news_share / arrival) if crowd.news_share > 0.0 else 0.0
    while crowd.step < last:
        crowd.step += 1
        draw = np.uint64(crowd.step) * _DRAWS
        crowd.relaxing = crowd.relaxing * keep + kick * normal(crowd.world_key, draw)
        crowd.wandering += wander * normal(crowd.world_key, draw + np.uint64(1))
        if news > 0.0 and uniform(crowd.world_key, draw + np.uint64(3)) < arrival:
            crowd.wandering += news * normal(crowd.world_key, draw + np.uint64(4))
        crowd.straying = crowd.straying * stay + stray * normal(crowd.world_key, draw + np.uint64(2))


@helper
def log_worth(crowd: Crowd, now: int) -> float:
    """Return the logarithm of the fundamental in ticks at `now`; `advance` has been called."""
    day = now * 1e-9 / crowd.day_s
    at = min(int(day), crowd.days_count - 1)
    after = min(at + 1, crowd.days_count - 1)
    part = min(day - at, 1.0)
    path = day_of(crowd, at).log_price * (1.0 - part) + day_of(crowd, after).log_price * part
    return path + crowd.relaxing + crowd.wandering + crowd.worth_shift


@helper
def reference(crowd: Crowd, now: int) -> float:
    """Return the price on another venue, in ticks."""
    advance(crowd, now)
    return math.exp(log_worth(crowd, now) + crowd.straying + crowd.reference_shift)


@helper
def worth(crowd: Crowd, now: int, deviation: float) -> float:
    """Return what somebody with a log-deviation thinks the asset is worth, in ticks."""
    advance(crowd, now)
    return math.exp(log_worth(crowd, now) + deviation)
