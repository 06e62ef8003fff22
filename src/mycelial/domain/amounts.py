"""Amounts of assets as whole numbers: units of 10^-16, fine enough for every price times quantity of an exchange.

A price has at most seven decimals and a quantity eight, so a product of the two never needs rounding. Python's integers
have no end; arrays of money stay in the cash units of an `Instrument`.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from mycelial.domain.errors import DataError

DECIMALS = 16
ONE = 10**DECIMALS
MOST_DIGITS = 40  # of text from outside


def amount_of(value: Decimal | str | int, what: str = "amount") -> int:
    """Return an exact decimal as an amount.

    Raises
    ------
    DataError
        If `value` is no finite number, or finer than an amount can be.
    """
    try:
        exact = Decimal(value)
    except InvalidOperation:
        raise DataError(f"{what} {value!r} is not a number") from None
    if not exact.is_finite() or abs(exact.adjusted()) > MOST_DIGITS:
        raise DataError(f"{what} {value} is not a finite number of sensible size")
    numerator, denominator = exact.as_integer_ratio()
    whole, rest = divmod(numerator * ONE, denominator)
    if rest:
        raise DataError(f"{what} {value} has more than {DECIMALS} decimals")
    return whole


def decimal_of(amount: int) -> Decimal:
    """Return an amount as an exact decimal without trailing zeros: ``12.5``, ``0``."""
    return Decimal(text_of(amount))


def text_of(amount: int) -> str:
    """Return an amount as decimal text without trailing zeros."""
    sign, digits = ("-" if amount < 0 else ""), str(abs(amount)).rjust(DECIMALS + 1, "0")
    fraction = digits[-DECIMALS:].rstrip("0")
    return f"{sign}{digits[:-DECIMALS]}{'.' if fraction else ''}{fraction}"
