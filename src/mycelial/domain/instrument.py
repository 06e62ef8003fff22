"""What is traded and in which units: the one place where decimals become integers and back.

Inside mycelial a price is a whole number of ticks, a quantity a whole number of lots and money a whole number of cash
units. Text and decimals from outside pass through here, exactly or not at all: nothing is ever rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from mycelial.domain.errors import ConfigError, OrderRejected

MOST_LADDER_TICKS = 2**26
MOST_LOTS = 2**31 - 1
MOST_CASH = 2**62


@dataclass(frozen=True, slots=True)
class Instrument:
    """One market and its rules; immutable in a run.

    Parameters
    ----------
    symbol : str
        Base and quote asset, ``"BTC/USD"``.
    tick_size, lot_size : Decimal
        Smallest price step (quote per base) and smallest quantity step (base).
    cash_per_tick_lot : int
        Cash units that one tick times one lot is worth, >= 1; so one cash unit is
        ``tick_size * lot_size / cash_per_tick_lot`` of the quote asset.
    min_lots, max_lots : int
        Smallest and largest order.
    min_notional : int
        Smallest value of an order, cash units.
    ladder_ticks : int
        A power of two; prices from 1 to ``ladder_ticks - 1`` ticks can rest in the book.
    max_orders : int
        Orders that can be alive at once.
    protection_ppm : int
        How far from the best opposite price a market order may go, parts per million.
    iceberg_parts : int
        An iceberg shows at least its quantity divided by this (Kraken: 15).

    Raises
    ------
    ConfigError
        If a value is impossible, or the largest order at the highest price would overflow 62 bits of cash.
    """

    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    cash_per_tick_lot: int = 1
    min_lots: int = 1
    max_lots: int = MOST_LOTS
    min_notional: int = 0
    ladder_ticks: int = 2**22
    max_orders: int = 2**16
    protection_ppm: int = 10_000
    iceberg_parts: int = 15

    def __post_init__(self) -> None:
        def need(ok: bool, what: str) -> None:
            if not ok:
                raise ConfigError(f"instrument {self.symbol}: {what}")

        need(self.tick_size.is_finite() and self.tick_size > 0, f"tick_size {self.tick_size} must be positive")
        need(self.lot_size.is_finite() and self.lot_size > 0, f"lot_size {self.lot_size} must be positive")
        need(self.cash_per_tick_lot >= 1, f"cash_per_tick_lot {self.cash_per_tick_lot} must be at least 1")
        need(
            64 <= self.ladder_ticks <= MOST_LADDER_TICKS and self.ladder_ticks & (self.ladder_ticks - 1) == 0,
            f"ladder_ticks {self.ladder_ticks} must be a power of two from 64 to {MOST_LADDER_TICKS}",
        )
        need(1 <= self.max_orders < 2**31, f"max_orders {self.max_orders} must be from 1 to 2147483647")
        need(
            1 <= self.min_lots <= self.max_lots <= MOST_LOTS,
            f"min_lots {self.min_lots} and max_lots {self.max_lots} must rise within 1 to {MOST_LOTS}",
        )
        need(0 <= self.min_notional < MOST_CASH, f"min_notional {self.min_notional} must be from 0 to 2^62")
        need(0 <= self.protection_ppm <= 1_000_000, f"protection_ppm {self.protection_ppm} must be from 0 to 1,000,000")
        need(1 <= self.iceberg_parts <= 1_000, f"iceberg_parts {self.iceberg_parts} must be from 1 to 1,000")
        need(
            # twice, so that the notional and a fee of 100 % fit together
            2 * self.ladder_ticks * self.max_lots * self.cash_per_tick_lot < MOST_CASH,
            f"the largest order ({self.max_lots} lots) at the highest price ({self.ladder_ticks} ticks) does not fit "
            f"62 bits of cash; lower max_lots, ladder_ticks or cash_per_tick_lot",
        )

    @property
    def cash_unit(self) -> Decimal:
        """Worth of one cash unit in the quote asset."""
        return self.tick_size * self.lot_size / self.cash_per_tick_lot

    @property
    def price_decimals(self) -> int:
        """Decimals with which prices are printed."""
        return _decimals(self.tick_size)

    @property
    def lot_decimals(self) -> int:
        """Decimals with which quantities are printed."""
        return _decimals(self.lot_size)

    def ticks(self, price: Decimal | str) -> int:
        """Convert an exact price.

        Raises
        ------
        OrderRejected
            If `price` is no finite positive multiple of the tick size.
        """
        return _whole(price, self.tick_size, f"{self.symbol} price", "tick size")

    def lots(self, quantity: Decimal | str) -> int:
        """Convert an exact quantity of the base asset; see `ticks`."""
        return _whole(quantity, self.lot_size, f"{self.symbol} quantity", "lot size")

    def cash(self, amount: Decimal | str) -> int:
        """Convert an exact amount of the quote asset; see `ticks`."""
        return _whole(amount, self.cash_unit, f"{self.symbol} cash amount", "cash unit")

    def price(self, ticks: int) -> Decimal:
        """Return the price of `ticks`, with the decimals of the tick size."""
        return ticks * self.tick_size

    def quantity(self, lots: int) -> Decimal:
        """Return the quantity of `lots` in base units."""
        return lots * self.lot_size

    def money(self, cash: int) -> Decimal:
        """Return `cash` units as an amount of the quote asset."""
        return cash * self.cash_unit


def _whole(value: Decimal | str, step: Decimal, what: str, step_name: str) -> int:
    try:
        exact = Decimal(value)
    except InvalidOperation:
        raise OrderRejected(f"{what} {value!r} is not a number") from None
    if not exact.is_finite():
        raise OrderRejected(f"{what} {value} is not finite")
    if exact <= 0:
        raise OrderRejected(f"{what} {value} must be above zero")
    # Exact even for absurd inputs: the context of Decimal would round a quotient of more than 28 digits.
    a, b = exact.as_integer_ratio(), step.as_integer_ratio()
    whole, rest = divmod(a[0] * b[1], a[1] * b[0])
    if rest:
        raise OrderRejected(f"{what} {value} is not a multiple of the {step_name} {step}; round it before submitting")
    return whole


def _decimals(step: Decimal) -> int:
    exponent = step.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
