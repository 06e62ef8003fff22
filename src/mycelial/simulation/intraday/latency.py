"""How long things take on their way: base latency, jitter drawn by counter, and the throttle before the engine."""

from __future__ import annotations

import math

import numpy as np

from mycelial.agents.intraday.config import JITTERS
from mycelial.agents.intraday.state import Agent
from mycelial.domain.draws import normal, uniform
from mycelial.domain.kernels import helper
from mycelial.simulation.intraday.state import Loop, quantile_of

_NONE, _UNIFORM, _LOGNORMAL, _GAMMA, _EMPIRICAL = range(len(JITTERS))
_OWNER_BITS, _DOWN, _LOSS = np.uint64(33), np.uint64(1), np.uint64(0x5851F42D4C957F2D)


@helper
def travel(loop: Loop, base: int, owner: int, index: int, down: bool) -> int:
    """Return ns from agent to engine, or back: the base and jitter drawn for this owner's message `index`."""
    if base <= 0 or loop.jitter == _NONE:
        return base
    count = (np.uint64(owner) << _OWNER_BITS) | (np.uint64(index) << _DOWN)
    if down:
        count |= _DOWN
    shape = loop.jitter_shape
    if loop.jitter == _UNIFORM:
        factor = 2.0 * uniform(loop.latency_key, count)
    elif loop.jitter == _LOGNORMAL:
        factor = math.exp(shape * normal(loop.latency_key, count) - 0.5 * shape * shape)
    elif loop.jitter == _GAMMA:
        factor = _gamma(loop.latency_key ^ count, shape) / shape
    else:
        place = uniform(loop.latency_key, count) * (loop.quantiles_count - 1)
        low = int(place)
        part = place - low
        factor = quantile_of(loop, low).value * (1.0 - part) + quantile_of(loop, low + 1).value * part
    return base + int(base * loop.jitter_scale * factor)


@helper
def _gamma(key: np.uint64, shape: float) -> float:
    """Return a gamma draw of unit scale (Marsaglia and Tsang, ACM TOMS 26(3), 2000)."""
    boost, draw = 1.0, np.uint64(0)
    if shape < 1.0:
        boost = (1.0 - uniform(key, draw)) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(key, draw + np.uint64(1))
        v = (1.0 + c * x) ** 3
        u = 1.0 - uniform(key, draw + np.uint64(2))
        draw += np.uint64(2)
        if v > 0.0 and math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
            return boost * d * v


@helper
def gets_lost(loop: Loop, owner: int, index: int) -> bool:
    """Tell whether an owner's message `index` never reaches the engine."""
    if loop.loss <= 0.0:
        return False
    count = (np.uint64(owner) << _OWNER_BITS) | (np.uint64(index) << _DOWN)
    return uniform(loop.latency_key ^ _LOSS, count) < loop.loss


@helper
def may_send(loop: Loop, agent: Agent, now: int) -> bool:
    """Count a message against its sender's decaying counter; false when the counter is full."""
    if loop.throttle_limit <= 0.0:
        return True
    agent.tokens = max(0.0, agent.tokens - loop.throttle_decay_hz * (now - agent.tokens_at) * 1e-9)
    agent.tokens_at = now
    if agent.tokens + 1.0 > loop.throttle_limit:
        return False
    agent.tokens += 1.0
    return True
