"""Run worlds: from parameters and a seed to prices, on one thread or several, with the same bytes either way."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.fundamental import Fundamental
from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.facts.panel import Panel
from mycelial.simulation.daily import ACT, CLOSE, OPEN, WHOLE_DAY, live
from mycelial.simulation.world import World, new_world

_CHUNK_DAYS = 25  # days between two progress reports
Progress = Callable[[int, int], None]  # (days done, days in all)


@dataclass(frozen=True)
class WorldRun:
    """One finished world. J assets, T days, learning phase included."""

    params: SymbaParameters
    seed: int
    price: NDArray[np.float64]  # [J, T] closes
    volume: NDArray[np.float64]  # [J, T] coins
    spread: NDArray[np.float64]  # [J, T] W(t), quote currency
    fundamental: NDArray[np.float64]  # [J, T]
    bias_pct: NDArray[np.float64]  # [J, T] mean of 100 |B - P| / P
    bankrupt_pct: NDArray[np.float64]  # [T]
    nav_ratio_pct: NDArray[np.float64]  # [T]
    year_nav_pct: NDArray[np.float64]  # [years, I] 100 NAV / NAV0 at the end of each accounting year
    cpu_seconds: float

    @property
    def agent_steps(self) -> int:
        """Agents x assets x days lived."""
        return self.params.agents * self.price.shape[0] * (self.price.shape[1] - 1)

    @property
    def fingerprint(self) -> str:
        """Digest of everything recorded: equal runs have equal fingerprints."""
        digest = blake2b(digest_size=16)
        for series in (self.price, self.volume, self.spread, self.fundamental, self.bankrupt_pct):
            digest.update(np.ascontiguousarray(series).tobytes())
        return digest.hexdigest()

    def panel(self, label: str = "simulated") -> Panel:
        """Return the days after the learning phase as a panel."""
        start = self.params.learning_days
        names = tuple(f"asset-{j:03d}" for j in range(self.price.shape[0]))
        return Panel(names, self.price[:, start:].copy(), self.volume[:, start:].copy(), label)


def simulate_world(
    params: SymbaParameters,
    assets: int,
    seed: int,
    *,
    threads: int = 1,
    fundamental: Fundamental | None = None,
    progress: Progress | None = None,
) -> WorldRun:
    """Simulate one world of `assets` assets traded by one population.

    `threads` share the assets of a day; results do not depend on it. `fundamental` replaces the drawn paths.
    """
    world = new_world(params, assets, seed, fundamental)
    started = time.process_time()
    if threads > 1 and assets > 1:
        _live_together(world, min(threads, assets), progress)
    else:
        for first in range(1, params.days, _CHUNK_DAYS):
            stop = min(first + _CHUNK_DAYS, params.days)
            live(world, first, stop, WHOLE_DAY, 0, assets)
            if progress is not None:
                progress(stop, params.days)
    return _finished(world, params, seed, time.process_time() - started)


def _live_together(world: World, threads: int, progress: Progress | None) -> None:
    """Share the assets of each day between threads; kernels release the interpreter lock."""
    days, assets = world.rules.days, world.rules.assets
    cuts = [assets * n // threads for n in range(threads + 1)]
    with ThreadPoolExecutor(threads - 1) as pool:
        for t in range(1, days):
            live(world, t, t + 1, OPEN, 0, 0)
            others = [pool.submit(live, world, t, t + 1, ACT, cuts[n], cuts[n + 1]) for n in range(1, threads)]
            live(world, t, t + 1, ACT, 0, cuts[1])
            for other in others:
                other.result()
            live(world, t, t + 1, CLOSE, 0, 0)
            if progress is not None and (t + 1) % _CHUNK_DAYS == 0:
                progress(t + 1, days)


def _finished(world: World, params: SymbaParameters, seed: int, cpu_seconds: float) -> WorldRun:
    record = world.record
    return WorldRun(
        params=params,
        seed=seed,
        price=world.signals.price,
        volume=world.signals.volume,
        spread=record.spread,
        fundamental=world.fundamental,
        bias_pct=record.bias_pct,
        bankrupt_pct=record.bankrupt_pct,
        nav_ratio_pct=record.nav_ratio_pct,
        year_nav_pct=record.year_nav_pct,
        cpu_seconds=cpu_seconds,
    )
