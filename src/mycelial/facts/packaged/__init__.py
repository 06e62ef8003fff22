"""Reference figures that ship with mycelial: derived statistics of real markets, no prices.

The one place in this package that reads files, and only its own.
"""

from __future__ import annotations

from importlib.resources import files

from mycelial.domain.errors import NotFound
from mycelial.facts.reference import ReferenceFigures, from_json


def names() -> tuple[str, ...]:
    """Return the names of the packaged references."""
    here = files(__name__)
    return tuple(sorted(entry.name.removesuffix(".json") for entry in here.iterdir() if entry.name.endswith(".json")))


def packaged_reference(name: str) -> ReferenceFigures:
    """Return the packaged reference called `name`, e.g. ``binance-btc-2018-2022``.

    Raises
    ------
    NotFound
        If none has this name; the message lists those that exist.
    """
    if name not in names():
        raise NotFound(f"there are no packaged reference figures {name!r}; choose one of: {', '.join(names())}")
    return from_json(files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8"), name)
