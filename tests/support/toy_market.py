"""A small simulated market that plays the real one in tests of calibration."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.agents.symba.presets import preset
from mycelial.facts.panel import Panel
from mycelial.simulation.run import simulate_world
from support.candle_data import FIRST_DAY_MS

DAYS, LEARNING_DAYS, AGENTS = 300, 60, 20


def small(name: str = "extended") -> SymbaParameters:
    """Return a preset made small enough for tests."""
    return preset(name).replace(agents=AGENTS, days=DAYS, learning_days=LEARNING_DAYS)


@lru_cache
def toy_panel(coins: int = 8, **changes: float) -> Panel:
    """Return coins of one world, named so that their order is not alphabetical."""
    panel = simulate_world(small().replace(**changes), coins, seed=99).panel()
    names = tuple(f"{'ZYXWVUTSRQPO'[j]}{j}BTC" for j in range(coins))
    return Panel(names, panel.price, panel.volume, "toy")


def write_panel(path: Path, panel: Panel) -> Path:
    """Write a panel as a candle file."""
    lines = ["date,symbol,open,high,low,close,volume"]
    for name, price, volume in zip(panel.names, panel.price, panel.volume, strict=True):
        for day in range(panel.n_days):
            moment = np.datetime64(FIRST_DAY_MS, "ms").astype("datetime64[D]") + day
            close = repr(float(price[day]))
            lines.append(f"{moment},{name},{close},{close},{close},{close},{float(volume[day])!r}")
    path.write_text("\n".join(lines) + "\n")
    return path
