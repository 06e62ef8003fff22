"""The schema: every room of `mycelial.toml`, each key with a default, a range and a reason.

Keys of `[population.symba]` are the fields of `SymbaParameters`, which keeps their ranges; here they are optional, and
one that is left out takes the value of the preset.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator, model_validator

from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.agents.symba.presets import PRESETS, preset

STANDARD_PRESET = "binance-btc-2018-2022"
MOST_SEED = 2**63 - 1


class Room(BaseModel):
    """A table of the configuration: unknown keys and wrong types are errors, values never change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


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

    seed: int = Field(default=7, ge=0, le=MOST_SEED, description="root seed: every random number derives from it")
    simulation: Simulation = Field(default_factory=Simulation)
    population: Population = Field(default_factory=Population)

    def flat(self) -> dict[str, Any]:
        """Return every effective value by its dotted key; what the preset gives is included."""
        symba = self.population.symba
        return {
            "seed": self.seed,
            **{f"simulation.{name}": value for name, value in self.simulation},
            "population.symba.preset": symba.preset,
            **{f"population.symba.{name}": value for name, value in symba.parameters().to_dict().items()},
        }


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
    found = {name: _key(name, info) for name, info in Config.model_fields.items() if name == "seed"}
    for name, info in Simulation.model_fields.items():
        found[f"simulation.{name}"] = _key(f"simulation.{name}", info)
    found["population.symba.preset"] = Key(
        "population.symba.preset",
        "text",
        STANDARD_PRESET,
        f"one of {', '.join(PRESETS)}",
        str(_Symba.model_fields["preset"].description),
    )
    standard = PRESETS[STANDARD_PRESET]
    for field in dataclasses.fields(SymbaParameters):
        name = f"population.symba.{field.name}"
        found[name] = Key(
            name,
            {bool: "true or false", int: "whole number", float: "number", str: "text"}[type(field.default)],
            getattr(standard, field.name),
            _allowed(field),
            field.metadata["why"],
            {title: getattr(values, field.name) for title, values in PRESETS.items()},
        )
    return found


def _key(name: str, info: Any) -> Key:
    low = next(limit.ge for limit in info.metadata if hasattr(limit, "ge"))
    high = next(limit.le for limit in info.metadata if hasattr(limit, "le"))
    return Key(name, "whole number", info.default, f"{low} to {high}", info.description)


def _allowed(field: dataclasses.Field[Any]) -> str:
    if "choices" in field.metadata:
        return f"one of {', '.join(field.metadata['choices'])}"
    if "low" in field.metadata:
        return f"{field.metadata['low']:g} to {field.metadata['high']:g}"
    return "true or false"
