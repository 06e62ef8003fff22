"""Gymnasium spaces of a configuration, and the way of an action into a desk's buffers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from gymnasium import spaces
except ModuleNotFoundError as error:
    from mycelial.domain.errors import MissingExtra

    raise MissingExtra("gymnasium", "env", "a market environment") from error

from mycelial.domain.errors import ConfigError, DataError
from mycelial.environment.config import EnvConfig, Form, QuotePair, Templates
from mycelial.environment.desk import Desk
from mycelial.environment.schema import schema_of
from mycelial.environment.state import FIRST_TEMPLATE
from mycelial.market.book.records import INPUT

_FIELDS = tuple(name for name in INPUT.names or () if not name.startswith("_"))
_LIMITS = {name: np.iinfo(INPUT[name]) for name in _FIELDS}


def observation_space(config: EnvConfig, form: Form) -> spaces.Space[Any]:
    """Return the space of one agent's observations: a Box, or a Dict of its blocks.

    Raises
    ------
    ConfigError
        If `form` is neither ``flat`` nor ``dict``.
    """
    clip, schema = config.observed.clip, schema_of(config)
    if form == "flat":
        return spaces.Box(-clip, clip, (schema.size,), np.float32)
    if form == "dict":
        return spaces.Dict(
            {block.name: spaces.Box(-clip, clip, block.shape, np.float32) for block in schema.blocks if block.size}
        )
    raise ConfigError(f"observations come flat or as a dict, not {form!r}")


def action_space(config: EnvConfig) -> spaces.Space[Any]:
    """Return the space of one agent's actions.

    Raw records are a Sequence of Dicts whose keys are the fields of INPUT; an array of INPUT records is taken as well.
    """
    acting = config.acting
    if isinstance(acting, Templates):
        count = 2 * len(acting.offsets) * len(acting.sizes) * len(acting.tifs)
        return spaces.Discrete(FIRST_TEMPLATE + count)
    if isinstance(acting, QuotePair):
        high = np.array([acting.most_offset] * 2 + [acting.most_size] * 2, np.float32)
        return spaces.Box(np.zeros(4, np.float32), high, (4,), np.float32)
    return spaces.Sequence(spaces.Dict({name: _whole_numbers(name) for name in _FIELDS}))


def _whole_numbers(name: str) -> spaces.Box:
    limits = _LIMITS[name]
    return spaces.Box(limits.min, limits.max, (), INPUT[name].type)


def form_of(desk: Desk, observations: NDArray[np.float32], form: Form) -> Any:
    """Return observations ``float32[..., size]`` in the form asked for, as copies."""
    if form == "flat":
        return observations.copy()
    return {name: part.copy() for name, part in desk.schema.split(observations).items() if part.size}


def give_action(desk: Desk, agent: int, action: Any) -> None:
    """Write what an agent does next into its desk.

    Raises
    ------
    DataError
        If `action` is nothing that this kind of action can be read from.
    """
    acting = desk.config.acting
    try:
        if isinstance(acting, Templates):
            desk.seats["choice"][agent] = int(action)
        elif isinstance(acting, QuotePair):
            desk.quotes[agent] = _within(desk.config, np.asarray(action, np.float32).reshape(4))
        else:
            desk.give(agent, as_records(action))
    except (TypeError, ValueError, OverflowError, KeyError) as error:
        raise DataError(f"{action!r} is no action of {type(acting).__name__}: {error}") from error


def _within(config: EnvConfig, quotes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring quotes into their box; what is not finite stays, for the exchange to refuse."""
    acting = config.acting
    assert isinstance(acting, QuotePair)
    high = np.array([acting.most_offset] * 2 + [acting.most_size] * 2, np.float32)
    return np.clip(quotes, 0.0, high)


def as_records(action: Any) -> NDArray[np.void]:
    """Return INPUT records of an array of them, or of a sequence of mappings from field to number."""
    if isinstance(action, np.ndarray | np.void) and action.dtype == INPUT:
        return np.atleast_1d(np.asarray(action))
    rows = list(action)
    records = np.zeros(len(rows), INPUT)
    for n, row in enumerate(rows):
        for name in _FIELDS:
            if name in row:
                records[n][name] = row[name]
    return records
