"""The Python side of mycelial: `my.simulate` and `my.data`, for scripts and notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.compose import campaign_of, panel
from mycelial.config.loading import load
from mycelial.facts.panel import Panel
from mycelial.simulation.campaign import fingerprint_of
from mycelial.simulation.campaign import simulate as simulate_campaign
from mycelial.simulation.run import WorldRun

_SIMULATION = ("assets", "runs", "threads")

data = SimpleNamespace(panel=panel)


@dataclass(frozen=True, eq=False)
class MarketRun:
    """Finished worlds. Series are rows (asset 0 of run 0, asset 1 of run 0, …), the learning phase left out."""

    worlds: tuple[WorldRun, ...]

    @property
    def params(self) -> SymbaParameters:
        """Parameters of every world."""
        return self.worlds[0].params

    @property
    def prices(self) -> NDArray[np.float64]:
        """Closes, float64[runs x assets, days], quote units."""
        return np.concatenate([world.price[:, self.params.learning_days :] for world in self.worlds])

    @property
    def volumes(self) -> NDArray[np.float64]:
        """Coins traded a day, float64[runs x assets, days]."""
        return np.concatenate([world.volume[:, self.params.learning_days :] for world in self.worlds])

    @property
    def fundamentals(self) -> NDArray[np.float64]:
        """Fundamental values, float64[runs x assets, days], quote units."""
        return np.concatenate([world.fundamental[:, self.params.learning_days :] for world in self.worlds])

    @property
    def fingerprint(self) -> str:
        """Digest of everything recorded, the one `mycelial sim run` prints for the same configuration."""
        return fingerprint_of([world.fingerprint for world in self.worlds])

    def panel(self, label: str = "simulated") -> Panel:
        """Return all series as a panel for `my.facts`, each world a group of its own."""
        assets = self.worlds[0].price.shape[0]
        runs = range(len(self.worlds))
        return Panel(
            names=tuple(f"{run}/{asset}" for run in runs for asset in range(assets)),
            price=self.prices,
            volume=self.volumes,
            label=label,
            group=tuple(run for run in runs for _ in range(assets)),
        )


def simulate(config: str | Path | None = None, *, seed: int | None = None, **overrides: Any) -> MarketRun:
    """Simulate what a configuration file says, in memory.

    Parameters
    ----------
    config : path, optional
        A `mycelial.toml`; None takes the defaults. Environment and working folder are not consulted.
    seed : int, optional
        Root seed.
    **overrides
        `assets`, `runs`, `threads`, `preset`, or any parameter of `SymbaParameters`, e.g. ``agents=200``.

    Raises
    ------
    ConfigError
        If a name is unknown (the nearest one is suggested) or a value is impossible.
    NotFound
        If the file does not exist.

    Examples
    --------
    >>> run = simulate(seed=7, assets=2, agents=20, days=120, learning_days=40)  # doctest: +SKIP
    >>> run.prices.shape
    (2, 80)
    """
    options = {_key(name): (f"simulate({name}=…)", value) for name, value in overrides.items()}
    if seed is not None:
        options["seed"] = ("simulate(seed=…)", seed)
    loaded = load((Path(config),) if config is not None else (), options=options)
    return MarketRun(tuple(simulate_campaign(campaign_of(loaded.config))))


def _key(name: str) -> str:
    return f"simulation.{name}" if name in _SIMULATION else f"population.symba.{name}"
