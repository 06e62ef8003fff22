"""What an exchange accepts on one pair: steps and minimums, and the check that keeps what it would refuse from leaving.

An exchange says these rules itself and changes them a few times a year, so they are read at start and refreshed while
running. Unlike an `Instrument` they bound nothing for the sake of arrays: quantities are Python integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from mycelial.domain.amounts import ONE, amount_of, text_of
from mycelial.domain.errors import DataError, OrderRejected
from mycelial.domain.orders import Amendment, NewOrder, TimeInForce

ACCEPTS_NEW_ORDERS = ("online", "post_only", "limit_only")


@dataclass(frozen=True, slots=True)
class TradingRules:
    """One pair as its exchange describes it.

    Parameters
    ----------
    symbol : base and quote, ``"BTC/USD"``.
    tick_size, lot_size : smallest steps of price (quote per base) and quantity (base).
    price_decimals, lot_decimals : decimals with which the exchange prints them.
    cost_decimals : decimals to which costs and fees are rounded.
    min_lots : smallest order.
    min_cost : smallest price times quantity, an amount of the quote asset (`mycelial.domain.amounts`).
    status : ``online``, ``cancel_only``, ``post_only``, ``limit_only``, ``reduce_only`` or another word for closed.
    """

    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    price_decimals: int
    lot_decimals: int
    cost_decimals: int
    min_lots: int
    min_cost: int
    status: str = "online"

    def __post_init__(self) -> None:
        if self.tick_size <= 0 or self.lot_size <= 0:
            raise DataError(f"{self.symbol}: tick size {self.tick_size} and lot size {self.lot_size} must be positive")

    @property
    def base(self) -> str:
        """Asset that is bought and sold."""
        return self.symbol.partition("/")[0]

    @property
    def quote(self) -> str:
        """Asset that pays."""
        return self.symbol.partition("/")[2]

    def ticks(self, price: Decimal | str | int) -> int:
        """Return an exact price in ticks; `DataError` if it is no multiple of the tick size."""
        return _whole(price, self.tick_size, f"{self.symbol} price")

    def lots(self, quantity: Decimal | str | int) -> int:
        """Return an exact quantity in lots; `DataError` if it is no multiple of the lot size."""
        return _whole(quantity, self.lot_size, f"{self.symbol} quantity")

    def price_text(self, ticks: int) -> str:
        """Return a price as the exchange prints it."""
        return f"{ticks * self.tick_size:.{self.price_decimals}f}"

    def quantity_text(self, lots: int) -> str:
        """Return a quantity as the exchange prints it."""
        return f"{lots * self.lot_size:.{self.lot_decimals}f}"

    def cost(self, ticks: int, lots: int) -> int:
        """Return price times quantity as an amount of the quote asset."""
        return ticks * lots * self._tick_amount * self._lot_amount // ONE

    def base_amount(self, lots: int) -> int:
        """Return a quantity as an amount of the base asset."""
        return lots * self._lot_amount

    @property
    def _tick_amount(self) -> int:
        return amount_of(self.tick_size)

    @property
    def _lot_amount(self) -> int:
        return amount_of(self.lot_size)

    def check(self, order: NewOrder) -> None:
        """Refuse an order that the exchange would refuse for its size, price or status.

        Raises
        ------
        OrderRejected
            With what is wrong and what would be right.
        """
        if self.status not in ACCEPTS_NEW_ORDERS:
            raise OrderRejected(f"{self.symbol} is {self.status}: no new orders; wait for its status to change")
        if self.status == "post_only" and not order.post_only:
            raise OrderRejected(f"{self.symbol} is post_only; set post_only or wait for its status to change")
        if order.price_ticks is None:
            if self.status == "limit_only":
                raise OrderRejected(f"{self.symbol} is limit_only; give a price")
            if order.post_only or order.time_in_force is TimeInForce.GTD:
                raise OrderRejected(f"{self.symbol}: a market order can neither rest nor expire; give a price")
        elif order.post_only and order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            raise OrderRejected(f"{self.symbol}: post-only rests, {order.time_in_force.value} does not; drop one")
        self._check_size(order.lots, order.price_ticks)

    def check_amendment(self, change: Amendment, lots: int, price_ticks: int | None) -> None:
        """Refuse an amendment of an order of `lots` at `price_ticks` that the exchange would refuse; see `check`."""
        if self.status in ("maintenance", "cancel_only") or self.status not in (*ACCEPTS_NEW_ORDERS, "reduce_only"):
            raise OrderRejected(f"{self.symbol} is {self.status}: no amendments; wait for its status to change")
        if change.lots in (None, lots) and change.price_ticks in (None, price_ticks):
            raise OrderRejected(f"{self.symbol}: the amendment of {change.client_id} changes nothing")
        new_price = price_ticks if change.price_ticks is None else change.price_ticks
        self._check_size(lots if change.lots is None else change.lots, new_price)

    def _check_size(self, lots: int, price_ticks: int | None) -> None:
        if lots < self.min_lots:
            raise OrderRejected(
                f"{self.symbol} quantity {self.quantity_text(lots)} is below the minimum "
                f"{self.quantity_text(self.min_lots)}; order more"
            )
        if price_ticks is None:
            return
        if price_ticks <= 0:
            raise OrderRejected(f"{self.symbol} price {self.price_text(price_ticks)} must be above zero")
        if self.cost(price_ticks, lots) < self.min_cost:
            raise OrderRejected(
                f"{self.symbol} order is worth {text_of(self.cost(price_ticks, lots))} {self.quote}, less than the "
                f"minimum {text_of(self.min_cost)}; order more"
            )


def _whole(value: Decimal | str | int, step: Decimal, what: str) -> int:
    try:
        exact = Decimal(value)
    except InvalidOperation:
        raise DataError(f"{what} {value!r} is not a number") from None
    if not exact.is_finite() or abs(exact.adjusted()) > 40:
        raise DataError(f"{what} {value} is not a finite number of sensible size")
    a, b = exact.as_integer_ratio(), step.as_integer_ratio()
    whole, rest = divmod(a[0] * b[1], a[1] * b[0])
    if rest:
        raise DataError(f"{what} {value} is not a multiple of its step {step}; round it first")
    return whole
