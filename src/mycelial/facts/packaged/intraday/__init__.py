"""Intraday figures of recorded markets that ship with mycelial: derived statistics, no prices."""

from __future__ import annotations

from mycelial.domain.packaged import packaged_names, packaged_text
from mycelial.facts.intraday_reference import IntradayReference, from_json


def names() -> tuple[str, ...]:
    """Return the names of the packaged intraday references."""
    return packaged_names(__name__, ".json")


def packaged_intraday(name: str) -> IntradayReference:
    """Return the packaged intraday reference called `name`, e.g. ``binance-2024-08-08``.

    Raises
    ------
    NotFound
        If none has this name; the message lists those that exist.
    """
    return from_json(packaged_text(__name__, name, ".json", "packaged intraday figures"), name)
