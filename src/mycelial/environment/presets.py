"""Environments by name: ``kraken-btcusd`` is that pair under its exchange's rules, in a market of living agents."""

from __future__ import annotations

import difflib
import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

from mycelial.agents.intraday.config import PopulationConfig
from mycelial.agents.intraday.presets import PRESETS as POPULATIONS
from mycelial.agents.intraday.presets import preset as ready
from mycelial.domain.errors import ConfigError, NotFound
from mycelial.environment.config import EnvConfig
from mycelial.market.venues import Venue, packaged_venue, venue_names
from mycelial.simulation.reference_prices import QUOTE_VALUES, REFERENCE_PRICES

TYPICAL_USD = 1_000  # median order of the population
_LADDER = 4  # the ladder reaches this multiple of the reference price


def names() -> tuple[str, ...]:
    """Return the names of all packaged environments."""
    return tuple(_name(venue, symbol) for venue in map(packaged_venue, venue_names()) for symbol in venue.pairs)


def preset(
    name: str,
    *,
    reference_price: Decimal | str | None = None,
    population: PopulationConfig | int | None = None,
    **changes: Any,
) -> EnvConfig:
    """Return the configuration of a named environment.

    Parameters
    ----------
    name : such as ``kraken-btcusd``; case does not matter.
    reference_price : a price the market is near; by default a round one of 2025.
    population : the background agents, or how many of them. Prices and order sizes are set to those of the pair.
    **changes : any field of `EnvConfig`.

    Raises
    ------
    NotFound
        If there is no such environment; the nearest is suggested.
    ConfigError
        If a change names no field of `EnvConfig` (the nearest is suggested), or is impossible.
    """
    _complain_of_unknown(changes)
    venue, symbol = venue_of(name)
    pair = venue.pair(symbol)
    price = Decimal(reference_price) if reference_price is not None else Decimal(REFERENCE_PRICES[symbol])
    worth = Decimal(QUOTE_VALUES.get(pair.quote, "1"))
    quantity = TYPICAL_USD / worth / price  # a typical order, in the base asset
    lot = max(pair.lot_size, Decimal(10) ** (quantity.adjusted() - 2))  # so that it has some hundreds of lots
    crowd = population if isinstance(population, PopulationConfig) else _residents(_name(venue, symbol))
    if isinstance(population, int):
        crowd = crowd.scaled(population)
    whole = venue.instrument(symbol, reference_price=price, lot_size=lot, max_orders=_orders(crowd))
    ticks = float(price / pair.tick_size)
    ladder = min(whole.ladder_ticks, 1 << math.ceil(math.log2(max(64.0, _LADDER * ticks))))
    instrument = replace(whole, ladder_ticks=ladder)
    settings: dict[str, Any] = {
        "instrument": instrument,
        "population": crowd.replace(price_ticks=ticks, typical_lots=float(max(1, round(quantity / lot)))),
        "fee_tiers": venue.fee_tiers(instrument, quote_value=worth),
    }
    return EnvConfig(**{**settings, **changes})


def _orders(crowd: PopulationConfig) -> int:
    """Return room for live orders: makers quote ladders, others a few, learning agents as they like."""
    return max(4_096, int(1 << (4 * crowd.agents + 40 * crowd.maker.count - 1).bit_length()))


def _residents(name: str) -> PopulationConfig:
    """Return the population fitted to a pair, or else the default one."""
    return ready(name if name in POPULATIONS else "default")[1]


def _name(venue: Venue, symbol: str) -> str:
    return f"{venue.name}-{symbol.replace('/', '').lower()}"


def venue_of(name: str) -> tuple[Venue, str]:
    """Return the exchange of a named environment and the pair's symbol there.

    Raises
    ------
    NotFound
        If there is no such environment; the nearest is suggested.
    """
    for venue in map(packaged_venue, venue_names()):
        for symbol in venue.pairs:
            if _name(venue, symbol) == name.lower():
                return venue, symbol
    known = names()
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"choose one of: {', '.join(known)}"
    raise NotFound(f"there is no environment {name!r}; {hint}")


def _complain_of_unknown(changes: dict[str, Any]) -> None:
    known = list(EnvConfig.__dataclass_fields__)
    for key in changes:
        if key not in known:
            near = difflib.get_close_matches(key, [*known, "reference_price", "population"], n=1)
            hint = f"did you mean {near[0]}?" if near else f"choose one of: {', '.join(known)}"
            raise ConfigError(f"environment: {key} is no setting; {hint}")
