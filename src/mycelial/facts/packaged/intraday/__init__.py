"""Intraday figures of recorded markets that ship with mycelial: derived statistics, no prices."""

from __future__ import annotations

from importlib.resources import files

from mycelial.domain.errors import NotFound
from mycelial.facts.intraday_reference import IntradayReference, from_json


def names() -> tuple[str, ...]:
    """Return the names of the packaged intraday references."""
    here = files(__name__)
    return tuple(sorted(entry.name.removesuffix(".json") for entry in here.iterdir() if entry.name.endswith(".json")))


def packaged_intraday(name: str) -> IntradayReference:
    """Return the packaged intraday reference called `name`, e.g. ``binance-2024-08-08``.

    Raises
    ------
    NotFound
        If none has this name; the message lists those that exist.
    """
    if name not in names():
        raise NotFound(f"there are no packaged intraday figures {name!r}; choose one of: {', '.join(names())}")
    return from_json(files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8"), name)
