"""The schema: every room of `mycelial.toml`, each key with a default, a range and a reason.

Keys of `[population.symba]` are the fields of `SymbaParameters`, which keeps their ranges; here they are optional, and
one that is left out takes the value of the preset.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import Field, create_model, field_validator, model_validator
from pydantic.fields import FieldInfo

from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.agents.symba.presets import PRESETS, preset
from mycelial.config.exchange import Exchange
from mycelial.config.rooms import Room
from mycelial.config.swarm import Risk, Swarm

STANDARD_PRESET = "binance-btc-2018-2022"
MOST_SEED = 2**63 - 1


class Simulation(Room):
    """How much to simulate, and on how many threads."""

    assets: int = Field(default=54, ge=1, le=10_000, description="assets J of one world, traded by one population")
    runs: int = Field(default=1, ge=1, le=10_000, description="independent worlds, each with a seed of its own")
    threads: int = Field(default=0, ge=0, le=1024, description="threads; 0 = one per core; results do not depend on it")


class _Symba(Room):
    preset: str = Field(default=STANDARD_PRESET, description="parameter set that gives every key left out")

    @field_validator("preset")
    @classmethod
    def _is_known(cls, name: str) -> str:
        preset(name)  # raises ConfigError with a suggestion
        return name

    @model_validator(mode="after")
    def _is_possible(self) -> _Symba:
        self.parameters()
        return self

    def overrides(self) -> dict[str, Any]:
        """Return the parameters set here, by name."""
        return {name: value for name, value in self if name != "preset" and value is not None}

    def parameters(self) -> SymbaParameters:
        """Return the preset with what is set here."""
        return preset(self.preset).replace(**self.overrides())


def _field_of(field: dataclasses.Field[Any]) -> Any:
    metadata = field.metadata
    extra: dict[str, Any] = {"default": None}
    if "choices" in metadata:
        extra["enum"] = [*metadata["choices"], None]
    elif "low" in metadata:
        extra |= {"minimum": metadata["low"], "maximum": metadata["high"]}
    # `Any`: SymbaParameters.replace checks type and range, and names the key in its message.
    return Any, Field(default=None, description=metadata["why"], json_schema_extra=extra)


if TYPE_CHECKING:

    class Symba(_Symba):
        """The background market: a preset, and any parameter of it changed."""
else:
    Symba = create_model(
        "Symba",
        __base__=_Symba,
        __doc__="The background market: a preset, and any parameter of it changed.",
        **{field.name: _field_of(field) for field in dataclasses.fields(SymbaParameters)},
    )


class Population(Room):
    """Who trades."""

    symba: Symba = Field(default_factory=Symba)


class Config(Room):
    """Everything that can be configured."""

    mode: Literal["sim", "dry-run", "live"] = Field(default="sim", description="where trading happens")
    seed: int = Field(default=7, ge=0, le=MOST_SEED, description="root seed: every random number derives from it")
    simulation: Simulation = Field(default_factory=Simulation)
    population: Population = Field(default_factory=Population)
    exchange: Exchange = Field(default_factory=Exchange)
    swarm: Swarm = Field(default_factory=Swarm)
    risk: Risk = Field(default_factory=Risk)

    def flat(self) -> dict[str, Any]:
        """Return every effective value by its dotted key; what the preset gives is included."""
        return dict(_values(self))


def _values(room: Room, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(room, _Symba):
        yield f"{prefix}preset", room.preset
        yield from ((prefix + name, value) for name, value in room.parameters().to_dict().items())
        return
    for name, value in room:
        if isinstance(value, Room):
            yield from _values(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@dataclass(frozen=True)
class Key:
    """What there is to know about one key."""

    name: str
    kind: str  # what its values are, in words
    default: Any
    allowed: str
    why: str
    by_preset: dict[str, Any] = dataclasses.field(default_factory=dict)


def keys() -> dict[str, Key]:
    """Return every key of the schema by its dotted name."""
    return {key.name: key for key in _keys(Config)}


def rooms() -> tuple[str, ...]:
    """Return the dotted names of all tables."""
    names = {name.rpartition(".")[0] for name in keys()} - {""}
    parts = {".".join(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 2)}
    return tuple(sorted(parts))


def _keys(room: type[Room], prefix: str = "") -> Iterator[Key]:
    if issubclass(room, _Symba):
        yield from _symba_keys(prefix)
        return
    for name, info in room.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Room):
            yield from _keys(info.annotation, f"{prefix}{name}.")
        else:
            yield _key(prefix + name, info)


def _symba_keys(prefix: str) -> Iterator[Key]:
    described = str(_Symba.model_fields["preset"].description)
    yield Key(f"{prefix}preset", "text", STANDARD_PRESET, f"one of {', '.join(PRESETS)}", described)
    standard = PRESETS[STANDARD_PRESET]
    for field in dataclasses.fields(SymbaParameters):
        yield Key(
            f"{prefix}{field.name}",
            _KINDS[type(field.default)],
            getattr(standard, field.name),
            _allowed(field),
            field.metadata["why"],
            {title: getattr(values, field.name) for title, values in PRESETS.items()},
        )


_KINDS: dict[Any, str] = {bool: "true or false", int: "whole number", float: "number", str: "text"}


def _key(name: str, info: FieldInfo) -> Key:
    hint = info.annotation
    limits = {kind: getattr(one, kind) for one in info.metadata for kind in ("ge", "le") if hasattr(one, kind)}
    if get_origin(hint) is Literal:
        kind, allowed = "text", f"one of {', '.join(get_args(hint))}"
    elif isinstance(hint, types.GenericAlias):
        kind = allowed = "list of texts"
    else:
        kind = _KINDS[hint]
        allowed = f"{limits['ge']:g} to {limits['le']:g}" if limits else kind
        if hint is int and limits:
            allowed = f"{limits['ge']} to {limits['le']}"
    return Key(name, kind, info.get_default(call_default_factory=True), allowed, str(info.description))


def _allowed(field: dataclasses.Field[Any]) -> str:
    if "choices" in field.metadata:
        return f"one of {', '.join(field.metadata['choices'])}"
    if "low" in field.metadata:
        return f"{field.metadata['low']:g} to {field.metadata['high']:g}"
    return "true or false"
