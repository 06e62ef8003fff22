"""Bring two versions of one symbol's candles together, and say where they disagree.

A candle that both have with the same five values is one candle. Two different candles for the same moment are a
conflict: which is right is a question for the user, so a policy must be named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mycelial.adapters.data.candles import VALUE_COLUMNS, Candles, time_text
from mycelial.domain.errors import DataError

OnConflict = Literal["refuse", "keep", "replace"]


@dataclass(frozen=True)
class Conflict:
    """One moment for which two different candles exist."""

    symbol: str
    time_ms: int
    stored: tuple[float, ...]  # open, high, low, close, volume
    offered: tuple[float, ...]

    def __str__(self) -> str:
        """Name the moment and the values that differ."""
        differing = ", ".join(
            f"{column} {old:.10g} or {new:.10g}"
            for column, old, new in zip(VALUE_COLUMNS, self.stored, self.offered, strict=True)
            if old != new
        )
        return f"{self.symbol} {time_text(self.time_ms)}: {differing}"


@dataclass(frozen=True)
class Merged:
    """Candles in order of time, each moment once, and how they came about."""

    candles: Candles
    n_added: int
    conflicts: tuple[Conflict, ...]


def merge(stored: Candles | None, offered: Candles, origin: str, *, on_conflict: OnConflict = "refuse") -> Merged:
    """Merge candles of one symbol into those stored; merging the same twice changes nothing.

    Parameters
    ----------
    stored : Candles or None
        One symbol, ascending, each moment once.
    offered : Candles
        The same symbol, any order, repeats allowed.
    origin : str
        Where the offered candles come from, for messages.
    on_conflict : {"refuse", "keep", "replace"}
        What to do about different candles for one moment: raise, keep the stored, or take the offered. Candles that
        contradict each other inside `offered` always raise.

    Raises
    ------
    DataError
        Naming the first conflicts and the options.
    """
    unique, repeats = _first_of_each_moment(offered)
    if repeats:
        raise DataError(
            f"{origin}: {len(repeats)} moment(s) have two different candles, the first {repeats[0]}; "
            "remove the wrong one"
        )
    if stored is None:
        return Merged(unique, len(unique), ())

    at = np.searchsorted(stored.time_ms, unique.time_ms)
    at_or_end = np.minimum(at, len(stored) - 1)
    is_known = stored.time_ms[at_or_end] == unique.time_ms
    differs = is_known & np.any(_values(stored)[at_or_end] != _values(unique), axis=1)
    conflicts = tuple(
        Conflict(
            stored.symbols[0],
            int(unique.time_ms[row]),
            tuple(_values(stored)[at[row]].tolist()),
            tuple(_values(unique)[row].tolist()),
        )
        for row in np.flatnonzero(differs)
    )
    if conflicts and on_conflict == "refuse":
        shown = "; ".join(str(conflict) for conflict in conflicts[:3])
        raise DataError(
            f"{origin}: {len(conflicts)} candle(s) differ from those stored "
            f"({shown}{' …' if len(conflicts) > 3 else ''}); nothing was changed; "
            "choose --on-conflict keep (stored) or replace (offered)"
        )
    if on_conflict == "replace":
        replaced = np.isin(stored.time_ms, unique.time_ms[differs])
        union = joined([stored.take(~replaced), unique.take(~is_known | differs)])
    else:
        union = joined([stored, unique.take(~is_known)])
    return Merged(union.take(np.argsort(union.time_ms, kind="stable")), int((~is_known).sum()), conflicts)


def joined(parts: list[Candles]) -> Candles:
    """Concatenate candles; symbols of the same name become one."""
    symbols = tuple(dict.fromkeys(name for part in parts for name in part.symbols))
    quote_of = {name: quote for part in parts for name, quote in zip(part.symbols, part.quotes, strict=True)}
    code = {name: index for index, name in enumerate(symbols)}
    has_source = any(part.source is not None for part in parts)
    return Candles(
        symbols=symbols,
        quotes=tuple(quote_of[name] for name in symbols),
        symbol=np.concatenate([np.array([code[s] for s in p.symbols], np.int32)[p.symbol] for p in parts]),
        time_ms=np.concatenate([part.time_ms for part in parts]),
        open=np.concatenate([part.open for part in parts]),
        high=np.concatenate([part.high for part in parts]),
        low=np.concatenate([part.low for part in parts]),
        close=np.concatenate([part.close for part in parts]),
        volume=np.concatenate([part.volume for part in parts]),
        source=np.concatenate([_source(part) for part in parts]) if has_source else None,
    )


def only_symbol(candles: Candles, code: int, *, name: str | None = None) -> Candles:
    """Return the rows of one symbol, optionally under another name."""
    rows = candles.take(candles.symbol == code)
    return replace(
        rows,
        symbols=(name or candles.symbols[code],),
        quotes=(candles.quotes[code],),
        symbol=np.zeros(len(rows), np.int32),
    )


def _first_of_each_moment(candles: Candles) -> tuple[Candles, list[Conflict]]:
    ascending = candles.take(np.argsort(candles.time_ms, kind="stable"))
    values = _values(ascending)
    again = np.flatnonzero(np.diff(ascending.time_ms) == 0) + 1
    conflicts = [
        Conflict(
            ascending.symbols[0],
            int(ascending.time_ms[row]),
            tuple(values[row - 1].tolist()),
            tuple(values[row].tolist()),
        )
        for row in again
        if not np.array_equal(values[row - 1], values[row])
    ]
    is_first = np.ones(len(ascending), bool)
    is_first[again] = False
    return ascending.take(is_first), conflicts


def _values(candles: Candles) -> NDArray[np.float64]:
    return np.stack([candles.value(column) for column in VALUE_COLUMNS], axis=1)  # [n, 5]


def _source(candles: Candles) -> NDArray[np.object_]:
    return np.full(len(candles), "", object) if candles.source is None else candles.source
