"""A pair as this exchange lists it: the venue's rules, the instrument behind it, and the way between their units.

Customers see prices and quantities with the venue's decimals. The order book counts in ticks and lots, and a book holds
at most 2^31 - 1 lots in one order, so the lots of cheap assets are coarser than the last printed decimal; quantities
are cut down to whole lots when they enter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal

from mycelial.agents.intraday.config import PopulationConfig
from mycelial.agents.intraday.presets import PRESETS
from mycelial.agents.intraday.presets import preset as ready
from mycelial.domain.errors import ConfigError
from mycelial.domain.instrument import Instrument
from mycelial.market.venues import Pair, Venue
from mycelial.simulation.exchange.commands import MONEY_DECIMALS, UNITS
from mycelial.simulation.reference_prices import QUOTE_VALUES, REFERENCE_PRICES

TYPICAL_USD = 1_000  # median order of the default population ...
FITTED_USD = 40  # ... and of those fitted to recorded books, in which a few makers quote much more
_HEADROOM = 16  # prices reach at least this multiple of the reference price, if a ladder can be so long
_MOST_LADDER = 2**24


@dataclass(frozen=True, slots=True)
class Listing:
    """One pair, ready to open.

    Attributes
    ----------
    population : the residents, with prices and sizes of this pair.
    tick_step, lot_step : a tick and a lot in units of the last printed decimal.
    lot_units : a lot of the base asset in `UNITS`.
    cash_units : one tick times one lot in `UNITS` of the quote asset.
    fee_step : to which fees are rounded, `UNITS`: the last decimal of a cost.
    """

    pair: Pair
    instrument: Instrument
    population: PopulationConfig
    tick_step: int
    lot_step: int
    lot_units: int
    cash_units: int
    fee_step: int

    @property
    def symbol(self) -> str:
        """Modern name of the pair."""
        return self.pair.symbol

    @property
    def qty_units(self) -> int:
        """The last printed decimal of a quantity in `UNITS` of the base asset."""
        return self.lot_units // self.lot_step

    def cost(self, price: int, qty: int) -> int:
        """Return what a quantity costs at a price, `UNITS` of the quote asset; both are whole ticks and lots."""
        return price // self.tick_step * (qty // self.lot_step) * self.cash_units


def listing(
    venue: Venue, symbol: str, *, population: PopulationConfig | None = None, reference_price: Decimal | None = None
) -> Listing:
    """List a pair of a venue.

    Parameters
    ----------
    population : the residents; by default those fitted to the pair, or the default ones.
    reference_price : where the market opens.

    Raises
    ------
    NotFound
        If the venue has no such pair.
    ConfigError
        If its amounts need more decimals than `commands.MONEY_DECIMALS`.
    """
    pair = venue.pair(symbol)
    price = Decimal(REFERENCE_PRICES.get(pair.symbol, "100")) if reference_price is None else reference_price
    worth = Decimal(QUOTE_VALUES.get(pair.quote, "1"))
    whole = venue.instrument(pair.symbol, reference_price=price)
    ticks = float(price / pair.tick_size)
    ladder = min(_MOST_LADDER, 1 << math.ceil(math.log2(max(64.0, _HEADROOM * ticks))))
    instrument = replace(whole, ladder_ticks=max(ladder, whole.ladder_ticks))
    name = f"{venue.name}-{pair.symbol.replace('/', '').lower()}"
    fitted = name in PRESETS
    crowd = population or ready(name if fitted else "default")[1]
    usd = FITTED_USD if fitted else TYPICAL_USD
    typical = float(max(1, round(usd / worth / price / instrument.lot_size)))
    return Listing(
        pair,
        instrument,
        crowd.replace(price_ticks=ticks, typical_lots=typical),
        _whole(instrument.tick_size.scaleb(pair.price_decimals), pair),
        _whole(instrument.lot_size.scaleb(pair.lot_decimals), pair),
        _whole(instrument.lot_size * UNITS, pair),
        _whole(instrument.tick_size * instrument.lot_size * UNITS, pair),
        _whole(Decimal(1).scaleb(-pair.cost_decimals) * UNITS, pair),
    )


def _whole(value: Decimal, pair: Pair) -> int:
    if value != value.to_integral_value() or value < 1:
        raise ConfigError(f"{pair.symbol}: amounts need more than {MONEY_DECIMALS} decimals; it cannot be listed")
    return int(value)
