"""Reference figures that ship with mycelial: derived statistics of real markets, no prices.

The one place in this package that reads files, and only its own.
"""

from __future__ import annotations

from mycelial.domain.packaged import packaged_names, packaged_text
from mycelial.facts.reference import ReferenceFigures, from_json


def names() -> tuple[str, ...]:
    """Return the names of the packaged references."""
    return packaged_names(__name__, ".json")


def packaged_reference(name: str) -> ReferenceFigures:
    """Return the packaged reference called `name`, e.g. ``binance-btc-2018-2022``.

    Raises
    ------
    NotFound
        If none has this name; the message lists those that exist.
    """
    return from_json(packaged_text(__name__, name, ".json", "packaged reference figures"), name)
