"""The rules of an exchange as mycelial uses them: integers, ready for the order book and the rate counters.

`loading` reads what the file says; here it is only answered: which instrument a pair makes, which fee tiers an order
book needs, what the counters of an account allow.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from mycelial.domain.errors import ConfigError, NotFound
from mycelial.domain.instrument import MOST_CASH, MOST_LADDER_TICKS, MOST_LOTS, Instrument
from mycelial.market.book.records import Mode
from mycelial.market.rate_counters import Limits, Tariff

LADDER_HEADROOM = 8  # the ladder reaches this multiple of the reference price ...
LEAST_HEADROOM = 2  # ... or at least this one, when it is as long as it can be
LARGEST_ORDER_IN_MINIMUMS = 1_000_000  # the largest order is worth at least so many times the smallest

_MODES = {
    "online": Mode.ONLINE,
    "maintenance": Mode.MAINTENANCE,
    "cancel_only": Mode.CANCEL_ONLY,
    "post_only": Mode.POST_ONLY,
    "limit_only": Mode.LIMIT_ONLY,
    "reduce_only": Mode.REDUCE_ONLY,
    "work_in_progress": Mode.CLOSED,
    "delisted": Mode.CLOSED,
}
STATUSES = tuple(_MODES)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure comes from.

    Parameters
    ----------
    mark : D documentation, K the exchange's own code, R recorded live, C clients agree, ? uncertain.
    read : date of reading or recording, ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``.
    note : what was read.
    """

    mark: str
    read: str
    note: str

    @property
    def is_certain(self) -> bool:
        """Whether nothing about the figure needs confirming before real money."""
        return self.mark != "?"


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset under its three names: modern, in balances, in pair altnames."""

    name: str
    id: str
    altname: str


@dataclass(frozen=True, slots=True)
class Pair:
    """What an exchange says of one pair; quantities are exact decimals of the base, costs of the quote asset."""

    symbol: str
    key: str
    altname: str
    wsname: str
    base: str
    quote: str
    tick_size: Decimal
    price_decimals: int
    lot_decimals: int
    cost_decimals: int
    min_quantity: Decimal
    min_cost: Decimal
    status: str
    fees: str
    source: Source

    @property
    def lot_size(self) -> Decimal:
        """Smallest step of a quantity on the exchange."""
        return Decimal(1).scaleb(-self.lot_decimals)

    @property
    def mode(self) -> Mode:
        """Mode in which an order book of this pair stands."""
        return _MODES[self.status]


@dataclass(frozen=True, slots=True)
class FeeTier:
    """Rates from a 30-day volume on: `volume` in whole units of the volume currency, rates in parts per million."""

    volume: int
    maker_ppm: int
    taker_ppm: int


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """A ladder of fee tiers, rising in volume from 0; `counts` tells whether its trades add to the volume."""

    name: str
    tiers: tuple[FeeTier, ...]
    counts: bool
    source: Source

    def at(self, volume: int | Decimal) -> FeeTier:
        """Return the tier of a 30-day volume: the last one whose threshold it has reached."""
        return max((tier for tier in self.tiers if tier.volume <= volume), key=lambda tier: tier.volume)


@dataclass(frozen=True, slots=True)
class OrderRules:
    """Which orders are accepted; the first self-trade mode and trigger are the defaults. Times in ns."""

    types: tuple[str, ...]
    flags: tuple[str, ...]
    time_in_force: tuple[str, ...]
    self_trade_prevention: tuple[str, ...]
    triggers: tuple[str, ...]
    iceberg_parts: int
    gtd_most_ns: int
    client_id_characters: int
    deadline_default_ns: int
    deadline_least_ns: int
    deadline_most_ns: int
    protection_ppm: int
    source: Source
    protection_source: Source


@dataclass(frozen=True, slots=True)
class BatchRules:
    """How many orders one message may carry."""

    add_least: int
    add_most: int
    cancel_least: int
    cancel_most: int
    query_most: int
    source: Source


@dataclass(frozen=True, slots=True)
class DeadManSwitch:
    """Bounds of the timer that cancels everything; 0 always disarms it."""

    least_ns: int
    most_ns: int
    advised_ns: int
    refresh_ns: tuple[int, int]
    source: Source


@dataclass(frozen=True, slots=True)
class RestRules:
    """The call counter of an API key, by tier, and what each method costs it, in whole points."""

    tiers: Mapping[str, Limits]
    costs: Mapping[str, int]
    default: int
    public_per_s: int
    source: Source

    def cost(self, method: str) -> int:
        """Return the points a call of `method` costs; order methods cost nothing here."""
        return self.costs.get(method, self.default)


@dataclass(frozen=True, slots=True)
class WebsocketRules:
    """What a connection may do. Times in ns; `level3_per_s` by tier."""

    connects: int
    connects_within_ns: int
    ban_ns: int
    token_valid_ns: int
    reconnect_after_maintenance_ns: int
    subscribes_per_s: int
    orders_per_s: int
    book_depths: tuple[int, ...]
    level3_depths: tuple[int, ...]
    level3_costs: tuple[int, ...]
    level3_per_s: Mapping[str, int]
    level3_symbols: int
    source: Source


@dataclass(frozen=True, slots=True)
class Venue:
    """One exchange and all its rules."""

    name: str
    title: str
    assets: Mapping[str, Asset]
    pairs: Mapping[str, Pair]
    fee_schedules: Mapping[str, FeeSchedule]
    fee_volume_currency: str
    fee_at_par: tuple[str, ...]
    fee_window_days: int
    tariff: Tariff
    trading: Mapping[str, Limits]
    trading_source: Source
    rest: RestRules
    orders: OrderRules
    batches: BatchRules
    dead_man_switch: DeadManSwitch
    websocket: WebsocketRules

    def pair(self, name: str) -> Pair:
        """Return the pair of this symbol, key, altname or wsname; case does not matter.

        Raises
        ------
        NotFound
            If there is none; the message suggests the nearest.
        """
        wanted = name.upper()
        for pair in self.pairs.values():
            if wanted in (pair.symbol, pair.key, pair.altname, pair.wsname):
                return pair
        near = difflib.get_close_matches(wanted, self.pairs, n=1)
        hint = f"did you mean {near[0]}?" if near else f"its pairs are {', '.join(self.pairs)}"
        raise NotFound(f"{self.title} has no pair {name!r} in {self.name}.toml; {hint}")

    def limits(self, tier: str) -> Limits:
        """Return the per-pair trading limits of an account tier, e.g. ``intermediate``."""
        return self._of_tier(self.trading, tier)

    def rest_limits(self, tier: str) -> Limits:
        """Return the REST call limits of an account tier."""
        return self._of_tier(self.rest.tiers, tier)

    def uncertain(self) -> tuple[str, ...]:
        """Return what needs confirming before real money, one line each."""
        sources = {
            **{f"pair {pair.symbol}": pair.source for pair in self.pairs.values()},
            **{f"fee schedule {one.name}": one.source for one in self.fee_schedules.values()},
            "trading limits": self.trading_source,
            "REST limits": self.rest.source,
            "orders": self.orders.source,
            "market order protection": self.orders.protection_source,
            "batches": self.batches.source,
            "dead man's switch": self.dead_man_switch.source,
            "websocket": self.websocket.source,
        }
        return tuple(f"{what}: {source.note}" for what, source in sources.items() if not source.is_certain)

    def instrument(
        self,
        symbol: str,
        *,
        reference_price: Decimal | str,
        lot_size: Decimal | str | None = None,
        largest_order: Decimal | str | None = None,
        max_orders: int = 2**16,
    ) -> Instrument:
        """Build the instrument of a pair for an order book.

        Parameters
        ----------
        symbol : any name of the pair.
        reference_price : a price the market is near; the ladder reaches eight times as high (at most 2^26 ticks).
        lot_size : a lot of your own, a power of ten not finer than the exchange's.
        largest_order : base quantity that one order must be able to have. A book counts at most 2^31 - 1 lots in one
            order, so without `lot_size` the lot is the finest that allows it, from the exchange's own lot upwards.
            By default the quantity worth a million times the minimum cost.
        max_orders : orders alive at once.

        Raises
        ------
        ConfigError
            If no book of integers can hold the pair at this price.
        """
        pair = self.pair(symbol)
        reference = _positive(reference_price, f"{pair.symbol} reference_price")
        ladder_ticks = _ladder(pair, reference)
        lot = _lot(pair, reference, lot_size, largest_order)
        min_lots = max(1, _ceil(pair.min_quantity, lot))
        if min_lots > MOST_LOTS:
            raise ConfigError(
                f"{pair.symbol}: the smallest order, {pair.min_quantity}, is {min_lots} lots of {lot} and a book "
                f"counts at most {MOST_LOTS}; choose a coarser lot_size"
            )
        return Instrument(
            symbol=pair.symbol,
            tick_size=pair.tick_size,
            lot_size=lot,
            cash_per_tick_lot=1,
            min_lots=min_lots,
            max_lots=min(MOST_LOTS, (MOST_CASH - 1) // (2 * ladder_ticks)),
            min_notional=_ceil(pair.min_cost, pair.tick_size * lot),
            ladder_ticks=ladder_ticks,
            max_orders=max_orders,
            protection_ppm=self.orders.protection_ppm,
            iceberg_parts=self.orders.iceberg_parts,
        )

    def fee_tiers(
        self, instrument: Instrument, *, schedule: str | None = None, quote_value: Decimal | str | None = None
    ) -> tuple[tuple[int, int, int], ...]:
        """Return ``((threshold in cash units, maker ppm, taker ppm), ...)`` as an order book takes them.

        Parameters
        ----------
        instrument : whose cash units to count in; its symbol must be a pair of this exchange.
        schedule : a fee schedule other than the pair's own.
        quote_value : worth of one unit of the quote asset in the volume currency (USD); needed when the quote asset is
            neither that nor at par with it.

        Raises
        ------
        ConfigError
            If `quote_value` is missing, or a threshold does not fit 62 bits.
        """
        pair = self.pair(instrument.symbol)
        name = schedule or pair.fees
        if name not in self.fee_schedules:
            raise NotFound(f"{self.title} has no fee schedule {name!r}; choose one of: {', '.join(self.fee_schedules)}")
        if quote_value is None:
            if pair.quote != self.fee_volume_currency and pair.quote not in self.fee_at_par:
                raise ConfigError(
                    f"{pair.symbol}: fee tiers count volume in {self.fee_volume_currency}; "
                    f"give quote_value, the worth of one {pair.quote} in {self.fee_volume_currency}"
                )
            quote_value = Decimal(1)
        ladder = self.fee_schedules[name].tiers
        worth = _positive(quote_value, f"{pair.symbol} quote_value") * instrument.cash_unit
        tiers = tuple((_ceil(Decimal(tier.volume), worth), tier.maker_ppm, tier.taker_ppm) for tier in ladder)
        if tiers[-1][0] >= MOST_CASH:
            raise ConfigError(
                f"{pair.symbol}: the fee tier at {ladder[-1].volume} {self.fee_volume_currency} "
                f"is {tiers[-1][0]} cash units and does not fit 62 bits; build the instrument with a coarser lot_size"
            )
        return tiers

    def _of_tier(self, table: Mapping[str, Limits], tier: str) -> Limits:
        if tier.lower() not in table:
            raise NotFound(f"{self.title} has no account tier {tier!r}; choose one of: {', '.join(table)}")
        return table[tier.lower()]


def _ladder(pair: Pair, reference: Decimal) -> int:
    reference_ticks = _ceil(reference, pair.tick_size)
    if LEAST_HEADROOM * reference_ticks > MOST_LADDER_TICKS:
        raise ConfigError(
            f"{pair.symbol}: reference_price {reference} is {reference_ticks} ticks of {pair.tick_size}; a ladder of "
            f"at most {MOST_LADDER_TICKS} ticks leaves it no room to rise; choose a lower price or a coarser tick_size"
        )
    wanted = max(64, LADDER_HEADROOM * reference_ticks)
    return int(min(MOST_LADDER_TICKS, 1 << (wanted - 1).bit_length()))


def _lot(
    pair: Pair, reference: Decimal, lot_size: Decimal | str | None, largest_order: Decimal | str | None
) -> Decimal:
    if lot_size is not None:
        lot = _positive(lot_size, f"{pair.symbol} lot_size")
        if lot < pair.lot_size or lot.normalize().as_tuple().digits != (1,):
            raise ConfigError(
                f"{pair.symbol}: lot_size {lot} must be a power of ten, at least the exchange's {pair.lot_size}"
            )
        return lot
    if largest_order is None:
        largest = max(pair.min_cost * LARGEST_ORDER_IN_MINIMUMS / reference, pair.min_quantity)
    else:
        largest = _positive(largest_order, f"{pair.symbol} largest_order")
    decimals = pair.lot_decimals
    while _ceil(largest, Decimal(1).scaleb(-decimals)) > MOST_LOTS:
        decimals -= 1
    return Decimal(f"{Decimal(1).scaleb(-decimals):f}")


def _positive(value: Decimal | str, what: str) -> Decimal:
    try:
        exact = Decimal(value)
    except ArithmeticError:
        raise ConfigError(f"{what} {value!r} is not a number; write it like '0.5'") from None
    if not exact.is_finite() or exact <= 0:
        raise ConfigError(f"{what} {value} must be a finite number above zero")
    return exact


def _ceil(value: Decimal, step: Decimal) -> int:
    """Return how many steps cover `value`, exactly (the context of Decimal would round)."""
    return -int(-Fraction(value) // Fraction(step))
