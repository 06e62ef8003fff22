"""What the figures of an observation mean: named blocks in a fixed order, a version, and a digest of all of it.

Whoever trains on observations keeps `Schema.digest` beside the parameters and refuses others: two schemas with the
same digest mean the same figures, normalisation included.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.environment.config import EnvConfig

NAME, VERSION = "mycelial.market", 1


@dataclass(frozen=True)
class Block:
    """One part of an observation.

    Parameters
    ----------
    name : its key in the Dict form.
    shape : rows of `columns`, or one row.
    columns : what the last axis holds.
    start : where it begins in the flat form.
    """

    name: str
    shape: tuple[int, ...]
    columns: tuple[str, ...]
    start: int

    @property
    def size(self) -> int:
        """How many figures it has."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Schema:
    """The layout of observations: `blocks` in the order of the flat form, and the constants behind them."""

    blocks: tuple[Block, ...]
    constants: dict[str, float]
    name: str = NAME
    version: int = VERSION

    @property
    def size(self) -> int:
        """Length of the flat form."""
        return sum(block.size for block in self.blocks)

    @property
    def digest(self) -> str:
        """Fingerprint of names, shapes, order, constants and version."""
        text = json.dumps(asdict(self), sort_keys=True)
        return blake2b(text.encode(), digest_size=8).hexdigest()

    def split(self, flat: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return the blocks of observations ``float32[..., size]`` by name, as views."""
        lead = flat.shape[:-1]
        return {b.name: flat[..., b.start : b.start + b.size].reshape(*lead, *b.shape) for b in self.blocks}


def schema_of(config: EnvConfig) -> Schema:
    """Return the layout that a configuration asks for."""
    seen, population = config.observed, config.population
    wanted: list[tuple[str, tuple[int, ...], tuple[str, ...]]] = [
        ("touch", (2,), ("spread, price_ticks", "mid since the start, price_ticks")),
        ("book", (2, seen.depth, 2), ("distance from the mid, price_ticks", "log(1 + shown lots / typical_lots)")),
        (
            "funds",
            (5,),
            (
                "inventory since the start, inventory_lots",
                "cash since the start, cash_scale",
                "free cash, cash_scale",
                "free lots, inventory_lots",
                "part of the goal that is left",
            ),
        ),
        (
            "orders",
            (seen.orders, 4),
            (
                "1 buy, -1 sell, 0 none",
                "distance behind the mid, price_ticks",
                "log size left",
                "log size queued ahead",
            ),
        ),
        ("trades", (seen.trades, 3), ("log size, positive for buyers", "distance from the mid", "age, age_s")),
        ("clock", (2,), ("part of the episode that is over", "age of the picture, age_s")),
    ]
    blocks, start = [], 0
    for name, shape, columns in wanted:
        blocks.append(Block(name, shape, columns, start))
        start += blocks[-1].size
    constants: dict[str, Any] = {
        "price_ticks": seen.price_ticks,
        "typical_lots": population.typical_lots,
        "inventory_lots": inventory_lots(config),
        "cash_scale": cash_scale(config),
        "age_s": seen.age_s,
        "clip": seen.clip,
    }
    return Schema(tuple(blocks), constants)


def inventory_lots(config: EnvConfig) -> float:
    """Return how many lots count as 1."""
    return config.observed.inventory_orders * config.population.typical_lots


def cash_scale(config: EnvConfig) -> float:
    """Return how many cash units count as 1: the worth of `inventory_lots`."""
    return inventory_lots(config) * config.population.price_ticks * config.instrument.cash_per_tick_lot


def reward_scale(config: EnvConfig) -> float:
    """Return the reward per cash unit."""
    if config.reward.scale is not None:
        return config.reward.scale
    worth = config.population.typical_lots * config.population.price_ticks * config.instrument.cash_per_tick_lot
    return 1e4 / worth
