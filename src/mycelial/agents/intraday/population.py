"""Drawing a population: rows of agents with tempers, ways to the engine and funds, behind one header."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from mycelial.agents.intraday.config import KINDS, MOST_LEVELS, PopulationConfig
from mycelial.agents.intraday.state import (
    ACTIONS,
    ARBITRAGEUR,
    ARRAYS,
    CHARTIST,
    CROWD,
    EXECUTOR,
    EXTERNAL,
    LEARNER,
    MAKER,
    OUTBOX_ROOM,
    STATES,
    STOP_HOLDER,
    VALUE,
)
from mycelial.domain.errors import ConfigError
from mycelial.domain.memory import address
from mycelial.domain.seeds import generator, stream_key
from mycelial.market.book import INPUT, Kind
from mycelial.market.book.state import NEVER

SEEN_ROOM = 4_096
_WEALTH = {MAKER: 40.0, ARBITRAGEUR: 20.0, EXECUTOR: 10.0}  # times that of the others
_MOST_CASH = 2**61


class Population:
    """The header of a population and the arrays it points to, kept alive together."""

    def __init__(self, header: NDArray[np.void], arrays: dict[str, NDArray[np.void]]) -> None:
        self.header = header  # CROWD[1]
        self.arrays = arrays
        for name, array in arrays.items():
            header[f"{name}_at"] = address(array)


def draw_population(
    config: PopulationConfig, seed: int, externals: int, path: NDArray[np.float64] | None
) -> Population:
    """Draw agents, kind by kind, and after them rows for participants from outside.

    Parameters
    ----------
    path : float64[days], optional
        Daily values of the fundamental in ticks; one day after the other lasts `config.day_s`.
    """
    if path is None:
        path = np.array([config.price_ticks])
    if path.ndim != 1 or len(path) == 0 or not np.all(np.isfinite(path)) or path.min() < 2.0:
        raise ConfigError("a fundamental path is a row of finite values of at least 2 ticks")
    counts = [getattr(config, name).count for name in KINDS]
    first = np.concatenate([[0], np.cumsum(counts)])
    owners = int(first[-1]) + externals
    if owners >= 2**24:
        raise ConfigError(f"{owners} participants are more than the queue can tell apart (16777215)")
    rows = {
        "agents": owners,
        "seen": SEEN_ROOM,
        "quotes": max(1, counts[MAKER] * 2 * MOST_LEVELS),
        "falling": max(1, counts[STOP_HOLDER]),
        "rising": max(1, counts[STOP_HOLDER]),
        "policies": max(1, counts[LEARNER] * STATES),
        "trials": max(1, counts[LEARNER]),
        "days": len(path),
        "pools": len(KINDS),
        "outbox": OUTBOX_ROOM,
    }
    header = np.zeros(1, CROWD)
    population = Population(header, {name: np.zeros(rows[name], dtype) for name, dtype in ARRAYS.items()})
    _write_header(header, config, seed, owners, path)
    pools, agents = population.arrays["pools"], population.arrays["agents"]
    pools["first"], pools["count"] = first[:-1], counts
    for kind, name in enumerate(KINDS):
        part = getattr(config, name)
        together = part.count * part.rate_hz
        pools["wait_ns"][kind] = 1e9 / together if together > 0.0 else 0.0
        mine = agents[first[kind] : first[kind + 1]]
        mine["kind"], mine["seat"] = kind, np.arange(part.count)
        mine["listens"] = kind == MAKER and config.maker.heed_fills
        fast = kind in (MAKER, ARBITRAGEUR)
        rng = generator(seed, "intraday", "born", name)
        median = 1e3 * (config.latency.fast_us if fast else config.latency.median_us)
        for way in ("up", "down"):
            mine[way] = np.rint(median * np.exp(config.latency.spread * rng.normal(size=part.count)))
        if kind in (VALUE, MAKER, LEARNER):
            mine["belief"] = 1e-4 * part.view_sd_bps * rng.normal(size=part.count)
        if kind == MAKER:
            # the same sizes in every market, dealt anew: a few large makers decide how deep a book is
            unlike = np.exp(part.size_sigma * ndtri((rng.permutation(part.count) + 0.5) / max(part.count, 1)))
            mine["target"] = np.maximum(1, np.rint(part.size * config.typical_lots * unlike))
        elif kind == CHARTIST:
            mine["mind"] = rng.random(part.count) < part.contrarian_share
    outside = agents[first[-1] :]
    outside["kind"], outside["listens"] = EXTERNAL, 1
    population.arrays["policies"]["weight"] = 1.0 / ACTIONS
    population.arrays["days"]["log_price"] = np.log(path)
    return population


def _write_header(
    header: NDArray[np.void], config: PopulationConfig, seed: int, owners: int, path: NDArray[np.float64]
) -> None:
    for name in CROWD.names or ():
        kind, _, rest = name.partition("_")
        if name in ("stop_holder_nearest_bps", "stop_holder_scale_bps", "stop_holder_size"):
            kind, rest = "stop_holder", name.removeprefix("stop_holder_")
        if kind in KINDS:
            header[name] = getattr(getattr(config, kind), rest)
        elif hasattr(config, name):
            header[name] = getattr(config, name)
    header["key"] = stream_key(seed, "intraday", "agents")
    header["world_key"] = stream_key(seed, "intraday", "world")
    header["owners"], header["seen_mask"] = owners, SEEN_ROOM - 1
    header["depth"], header["frozen_at"] = 1.0, NEVER
    header["days_count"], header["step_ns"] = len(path), max(1, round(config.step_s * 1e9))
    for name in ("mid", "fast_mid", "slow_mid"):
        header[name] = path[0]


def funding(population: Population, config: PopulationConfig, cash_per_tick_lot: int) -> NDArray[np.void]:
    """Return the FUND records that give every agent its opening cash and assets, ``INPUT[2 agents]``."""
    agents = population.arrays["agents"]
    residents = int((agents["kind"] != EXTERNAL).sum())
    price = math.exp(float(population.arrays["days"]["log_price"][0]))
    scale = np.ones(residents)
    for kind, factor in _WEALTH.items():
        scale[agents["kind"][:residents] == kind] = factor
    lots = np.rint(0.5 * config.wealth_orders * config.typical_lots * scale)
    cash = np.rint(lots * price * cash_per_tick_lot)
    if cash.sum() >= _MOST_CASH:
        raise ConfigError("the population's cash does not fit 61 bits; lower wealth_orders or use larger lots")
    records = np.zeros((residents, 2), INPUT)
    records["kind"], records["group"] = int(Kind.FUND), -1
    records["owner"] = np.arange(residents)[:, None]
    records["side"] = [0, 1]
    records["aux"][:, 0], records["aux"][:, 1] = cash, lots
    agents["start_lots"][:residents] = lots
    return records.reshape(-1)


def opening_orders(
    population: Population, config: PopulationConfig, seed: int, *, centre: float | None = None
) -> NDArray[np.void]:
    """Return the orders that rest when the market opens: some of the noise agents' on both sides, ``INPUT[n]``.

    Parameters
    ----------
    centre : float, optional
        Price in ticks around which they lie; the first day's fundamental by default.
    """
    rng = generator(seed, "intraday", "opening")
    count, noise = config.noise.count, config.noise
    if centre is None:
        centre = math.exp(float(population.arrays["days"]["log_price"][0]))
    side = rng.integers(0, 2, count)
    behind = noise.depth_ticks * ((1.0 - rng.random(count)) ** (-1.0 / noise.depth_tail) - 1.0)
    behind = np.minimum(np.floor(behind), 0.5 * centre)
    sign = np.where(side == 0, -1.0, 1.0)
    records = np.zeros(count, INPUT)
    records["kind"], records["owner"], records["group"] = int(Kind.NEW), np.arange(count), -1
    records["handle"], records["side"] = -1, side
    records["price"] = np.maximum(1, np.rint(centre) + sign * (1.0 + behind))
    records["lots"] = np.maximum(
        1,
        np.minimum(config.typical_lots * np.exp(config.size_sigma * rng.normal(size=count)), 50 * config.typical_lots),
    )
    return records
