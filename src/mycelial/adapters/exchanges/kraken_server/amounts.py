"""Amounts of the simulated exchange as Kraken prints them: money, costs, fees, averages."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from mycelial.kraken.numbers import decimal
from mycelial.market.venues.rules import Pair
from mycelial.simulation.exchange.commands import MONEY_DECIMALS

LEAST_PRICE_DECIMALS = 5  # of averages and of prices that are zero
# Decimals with which balances of an asset are printed at least; more where an amount needs them, none is cut.
ASSET_DECIMALS = {
    **dict.fromkeys(("USD", "EUR"), 4),
    **dict.fromkeys(("USDT", "DOGE", "XRP", "ADA"), 8),
}
DEFAULT_ASSET_DECIMALS = 10


class Amounts:
    """Prints amounts.

    Parameters
    ----------
    usd_values : worth of one unit of each asset in USD; looked at when a fee is shown.
    """

    def __init__(self, usd_values: Mapping[str, Decimal]) -> None:
        self.usd_values = usd_values

    def money(self, amount: int, asset: str) -> Decimal:
        """Return an amount of an asset, all of it, with at least the decimals the asset has."""
        least = ASSET_DECIMALS.get(asset, DEFAULT_ASSET_DECIMALS)
        decimals = MONEY_DECIMALS
        while decimals > least and amount % 10 == 0:
            amount //= 10
            decimals -= 1
        return decimal(amount, decimals)

    def cost(self, amount: int, pair: Pair) -> Decimal:
        """Return an amount of the quote asset rounded to the decimals of a cost."""
        step: int = 10 ** (MONEY_DECIMALS - pair.cost_decimals)
        return decimal((amount + step // 2) // step, pair.cost_decimals)

    def fee(self, amount: int, asset: str, pair: Pair) -> Decimal:
        """Return a fee in the asset it is taken in."""
        return self.cost(amount, pair) if asset == pair.quote else self.money(amount, asset)

    def average(self, cum_cost: int, cum_qty: int, pair: Pair) -> Decimal:
        """Return the average price of what was filled."""
        decimals = max(LEAST_PRICE_DECIMALS, pair.price_decimals)
        if not cum_qty:
            return decimal(0, decimals)
        scaled: int = cum_cost * 10 ** (decimals + pair.lot_decimals)
        whole: int = cum_qty * 10**MONEY_DECIMALS
        return decimal((scaled + whole // 2) // whole, decimals)

    def usd(self, amount: int, asset: str) -> Decimal:
        """Return the worth of an amount in USD, four decimals."""
        return round(decimal(amount, MONEY_DECIMALS) * self.usd_values.get(asset, Decimal(0)), 4)

    def price(self, price: int, pair: Pair) -> Decimal:
        """Return a price with at least five decimals."""
        decimals = max(LEAST_PRICE_DECIMALS, pair.price_decimals)
        return decimal(price * 10 ** (decimals - pair.price_decimals), decimals)
