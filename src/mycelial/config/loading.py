"""Gather a configuration from its sources and remember where each value came from.

Later sources win: defaults, the project's `mycelial.toml`, overlays (`-c`), the environment (`MYCELIAL__SEED`),
`--set`, options of the command. The caller passes the environment in; only TOML files are read here.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mycelial.config.schema import Config, keys, rooms
from mycelial.domain.errors import ConfigError, NotFound

PROJECT_FILE = "mycelial.toml"
ENVIRONMENT_PREFIX = "MYCELIAL__"


@dataclass(frozen=True)
class Loaded:
    """A checked configuration and the source of each value."""

    config: Config
    origin: dict[str, str]  # dotted key -> source; every key of `config.flat()` has one


def load(
    overlays: Sequence[Path] = (),
    *,
    project: Path | None = None,
    environment: Mapping[str, str] | None = None,
    settings: Sequence[str] = (),
    options: Mapping[str, tuple[str, Any]] | None = None,
) -> Loaded:
    """Load and check a configuration.

    Parameters
    ----------
    overlays : TOML files, later ones win. Each must exist.
    project : the project's file; skipped when it does not exist.
    environment : variables, of which those with `MYCELIAL__` are read; double underscores stand for dots.
    settings : texts `key=value` of `--set`.
    options : dotted key -> (name of the option, value) for options of a command that were given.

    Raises
    ------
    ConfigError
        If a key is unknown (the nearest one is suggested) or a value is impossible; the source is named.
    NotFound
        If an overlay does not exist.
    """
    known = keys()
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for source, key, value in _settings(overlays, project, environment or {}, settings, options or {}):
        if key not in known:
            raise ConfigError(f"{source}: {_unknown(key, list(known))}")
        values[key], origin[key] = value, source
    try:
        config = Config.model_validate(_nested(values))
    except ConfigError as error:
        named = [key for key in values if f"{key} " in str(error)]
        raise ConfigError(f"{origin[named[0]]}: {error}" if named else str(error)) from None
    except ValidationError as error:
        raise ConfigError(_first_problem(error, values, origin)) from None
    preset = config.population.symba.preset
    return Loaded(
        config,
        {
            key: origin.get(key, f"preset {preset}" if key.startswith("population.symba.") and known[key].by_preset
                            else "default")
            for key in config.flat()
        },
    )  # fmt: skip


def to_toml(flat: Mapping[str, Any], *, comment: str = "") -> str:
    """Return dotted keys as a TOML document that `load` reads back to the same values, bit for bit."""
    lines = [f"# {line}" for line in comment.splitlines()]
    rooms: dict[str, list[str]] = {}
    for key, value in flat.items():
        room, _, name = key.rpartition(".")
        rooms.setdefault(room, []).append(f"{name} = {_literal(value)}")
    for room, entries in sorted(rooms.items()):
        lines += ["", f"[{room}]"] if room else []
        lines += entries
    return "\n".join(lines).lstrip("\n") + "\n"


def _settings(
    overlays: Sequence[Path],
    project: Path | None,
    environment: Mapping[str, str],
    settings: Sequence[str],
    options: Mapping[str, tuple[str, Any]],
) -> Iterator[tuple[str, str, Any]]:
    """Yield (source, dotted key, value), weakest source first."""
    if project is not None and project.is_file():
        yield from _of_file(project)
    for overlay in overlays:
        if not overlay.is_file():
            raise NotFound(f"configuration {overlay} does not exist; check the path given with --config")
        yield from _of_file(overlay)
    for name in sorted(environment):
        if name.startswith(ENVIRONMENT_PREFIX):
            key = name.removeprefix(ENVIRONMENT_PREFIX).replace("__", ".").lower()
            yield f"environment {name}", key, _value(environment[name])
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {text!r} is not key=value; write it like --set simulation.assets=54")
        yield "--set", key.strip(), _value(value.strip())
    for key, (option, chosen) in options.items():
        yield option, key, chosen


def _of_file(path: Path) -> Iterator[tuple[str, str, Any]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); it must be a TOML file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}; correct that line") from None
    for key, value in _leaves(document):
        yield str(path), key, value


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        key = f"{prefix}{name}"
        if not isinstance(value, Mapping):
            yield key, value
        elif value or key not in rooms():  # an empty room says nothing; an empty unknown one is a mistake
            yield from _leaves(value, f"{key}.") if value else iter([(key, value)])


def _value(text: str) -> Any:
    """Read text as a TOML value; what is none is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in values.items():
        *rooms, name = key.split(".")
        table = tree
        for room in rooms:
            table = table.setdefault(room, {})
        table[name] = value
    return tree


def _unknown(key: str, known: list[str]) -> str:
    if key in rooms():
        return f"{key} is a table, not a value; set a key in it, such as {_first_in(key, known)}"
    room, _, name = key.rpartition(".")
    siblings = {other.rpartition(".")[2]: other for other in known if other.rpartition(".")[0] == room}
    near = difflib.get_close_matches(name, siblings, n=1)
    best = siblings[near[0]] if near else None
    if best is None:  # the right name in the wrong room; the first rooms are the oldest
        best = next((other for other in known if other.rpartition(".")[2] == name), None)
    if best is None:
        best = next(iter(difflib.get_close_matches(key, known, n=1)), None)
    hint = f"did you mean {best}?" if best else "`mycelial config show` lists the keys there are"
    return f"{key} is not a key; {hint}"


def _first_in(room: str, known: list[str]) -> str:
    return next(key for key in known if key.startswith(f"{room}."))


def _first_problem(error: ValidationError, values: Mapping[str, Any], origin: Mapping[str, str]) -> str:
    first = error.errors()[0]
    key = ".".join(part for part in first["loc"] if isinstance(part, str))  # a number counts entries of a list
    source = f"{origin[key]}: " if key in origin else ""
    reason = first["msg"].removeprefix("Value error, ")
    return f"{source}{key} = {values.get(key)!r}: {reason[:1].lower()}{reason[1:]}"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
