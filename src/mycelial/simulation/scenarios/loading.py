"""Read stress scenarios: the packaged catalogue, or text and tables that a caller has read.

A file holds ``id``, ``title``, ``anchor`` (what happened in history), ``source`` and, under ``[levels]``, lists of
injections from the mildest to the most severe. The only files opened here are the package's own.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from mycelial.domain.errors import ConfigError, NotFound
from mycelial.domain.packaged import packaged_names, packaged_text
from mycelial.simulation.scenarios.injections import KINDS, ONE, Injection, file_key
from mycelial.simulation.scenarios.scenario import Scenario, StressTest

_PACKAGE = "mycelial.simulation.scenarios"
_WORDS = ("id", "title", "anchor", "source")


def stress_test_names() -> tuple[str, ...]:
    """Return the ids of the packaged stress tests, ``X01`` and so on."""
    return tuple(name.upper() for name in packaged_names(_PACKAGE, ".toml"))


def stress_test(name: str) -> StressTest:
    """Return a packaged stress test by its id.

    Raises
    ------
    NotFound
        If none has this id; the message lists those that exist.
    """
    if name.upper() not in stress_test_names():
        raise NotFound(f"there is no stress test {name!r}; choose one of: {', '.join(stress_test_names())}")
    file = name.lower()
    return stress_test_from_text(packaged_text(_PACKAGE, file, ".toml", "packaged stress tests"), f"{file}.toml")


def pick(test: StressTest, choice: str) -> Scenario:
    """Return one level of a stress test as a user names it.

    Parameters
    ----------
    choice : ``""`` for the mildest level, ``":LEVEL"``, and ``"@SECONDS"`` behind it to let it start so much later.

    Raises
    ------
    NotFound
        If there is no such level; the message lists those that exist.
    ConfigError
        If the time is no number of seconds from 0.
    """
    named, _, later = choice.partition("@")
    level = named.removeprefix(":") or next(iter(test.levels))
    if level not in test.levels:
        raise NotFound(f"{test.id} has no level {level!r}; {_nearest(level, test.levels)}")
    try:
        by_ns = int(Decimal(later or "0") * 10**9)
    except ArithmeticError:
        by_ns = -1
    if by_ns < 0:
        raise ConfigError(f"scenario {test.id}{choice}: {later!r} is no number of seconds; write it like @120")
    return test.levels[level].shifted(by_ns)


def stress_test_from_text(text: str, origin: str = "scenario file") -> StressTest:
    """Read a stress test from TOML; `origin` names the file in messages. See `stress_test_from_mapping`."""
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin}: is not TOML: {error}; correct that line") from None
    return stress_test_from_mapping(document, origin)


def stress_test_from_mapping(document: Mapping[str, Any], origin: str = "scenario") -> StressTest:
    """Check tables of a stress test and turn them into injections.

    Fractions must be `Decimal` or text (``parse_float=Decimal`` when reading TOML).

    Raises
    ------
    ConfigError
        If a key or kind is unknown, missing or impossible, or injections contradict each other; the message names
        origin, key, value and what to do.
    """
    for key in document:
        if key not in (*_WORDS, "levels"):
            raise ConfigError(f"{origin}: {key} is not a key; {_nearest(key, (*_WORDS, 'levels'))}")
    for key in _WORDS:
        if not isinstance(document.get(key), str) or not document[key].strip():
            raise ConfigError(f"{origin}: {key} = {document.get(key)!r}: give it as text")
    levels = document.get("levels")
    if not isinstance(levels, Mapping) or not levels:
        raise ConfigError(f"{origin}: levels = {levels!r}: give at least one list of injections")
    return StressTest(
        **{key: document[key].strip() for key in _WORDS},
        levels=MappingProxyType(
            {level: _scenario(document["id"], level, rows, origin) for level, rows in levels.items()}
        ),
    )


def _scenario(name: str, level: str, rows: Any, origin: str) -> Scenario:
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{origin}: levels.{level} = {rows!r}: give a list of injections")
    injections = tuple(_injection(row, f"{origin}: levels.{level}.{at}") for at, row in enumerate(rows))
    try:
        return Scenario(f"{name}-{level}", injections)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from None


def _injection(row: Any, where: str) -> Injection:
    if not isinstance(row, Mapping):
        raise ConfigError(
            f"{where} = {row!r}: an injection is a table such as {{ kind = 'sweep', start_s = 60, size = 50 }}"
        )
    kind = row.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(f"{where}.kind = {kind!r}: unknown; {_nearest(str(kind), KINDS)}")
    known = {file_key(one.name): one for one in fields(KINDS[kind])}
    for key in row:
        if key != "kind" and key not in known:
            raise ConfigError(f"{where}.{key} is not a key of {kind}; {_nearest(key, known)}")
    for key, one in known.items():
        if key not in row and one.default is MISSING:
            raise ConfigError(f"{where}.{key} is missing; a {kind} needs it")
    values = {
        known[key].name: _value(known[key].name, value, f"{where}.{key}") for key, value in row.items() if key != "kind"
    }
    try:
        return KINDS[kind](**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _value(name: str, value: Any, where: str) -> Any:
    """Turn seconds into ns and factors into ppm, exactly."""
    unit = 10**9 if name.endswith("_ns") else ONE if name.endswith("_ppm") else None
    if unit is None:
        return value
    if isinstance(value, bool | float) or not isinstance(value, Decimal | int | str):
        raise ConfigError(f"{where} = {value!r}: must be an exact decimal, like 0.5 in TOML or '0.5' in Python")
    try:
        scaled = Decimal(value) * unit
    except ArithmeticError:
        raise ConfigError(f"{where} = {value!r}: is not a number; write it like 0.5") from None
    if not scaled.is_finite() or scaled % 1:
        raise ConfigError(
            f"{where} = {value}: must be a whole number of {'ns' if unit == 10**9 else 'ppm'}; use fewer decimals"
        )
    return int(scaled)


def _nearest(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]}?" if near else f"choose one of: {', '.join(known)}"
