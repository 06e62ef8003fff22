"""Decimal text of exchanges as exact integers: no float ever stands between the wire and a tick.

While a file is read its numbers are integers in units of the last decimal any exchange prints. Only at the end are they
divided by the tick and lot sizes, which are given, or found as the largest power of ten that divides everything seen.
"""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import DataError

LEAST_DECIMALS = 8  # units of the last decimal are at least this fine while a file is read
_MOST = 2**63 - 1
_SCIENTIFIC = re.compile(r"[0-9]{1,30}(\.[0-9]{1,30})?[eE][+-]?[0-9]{1,2}")


def wire_integer(text: str, decimals: int) -> tuple[int, int]:
    """Return (value x 10^decimals, decimals printed) of a number at or above zero.

    Raises
    ------
    ValueError
        If the text is no such number, or has more decimals than fit.
    """
    whole, _, fraction = text.partition(".")
    printed = len(fraction)
    digits = whole + fraction
    if not (digits.isascii() and digits.isdigit()):
        return _unusual(text, decimals)
    if printed > decimals:
        if fraction[decimals:].strip("0"):
            raise ValueError(f"{text!r} has more than {decimals} decimals")
        fraction = fraction[:decimals]
    value = int(whole + fraction) * 10 ** (decimals - len(fraction)) if whole + fraction else 0
    if value > _MOST:
        raise ValueError(f"{text!r} is too large")
    return value, printed


def nanoseconds(text: str) -> int:
    """Return a time in seconds, written as decimal text, in nanoseconds.

    Raises
    ------
    ValueError
        If the text is no such number.
    """
    return wire_integer(text, 9)[0]


def power_of_ten_step(values: NDArray[np.int64]) -> int:
    """Return the largest power of ten that divides all `values`; 1 when there are none but zeros."""
    common = int(np.gcd.reduce(values)) if values.size else 0
    step = 1
    while common and common % (step * 10) == 0:
        step *= 10
    return step


def wire_step(size: Decimal, decimals: int, what: str) -> int:
    """Return a tick or lot size in units of the last decimal.

    Raises
    ------
    DataError
        If it is not a whole number of them.
    """
    scaled = size.scaleb(decimals)
    if not (scaled.is_finite() and scaled >= 1 and scaled == scaled.to_integral_value()):
        raise DataError(f"{what} {size} is not a multiple of 10^-{decimals} above zero; give the exchange's own")
    return int(scaled)


def _unusual(text: str, decimals: int) -> tuple[int, int]:
    """Read what is rare: 5e-05, and everything that is no number."""
    if not _SCIENTIFIC.fullmatch(text):
        raise ValueError(f"{text!r} is not a number at or above zero")
    value = Decimal(text)
    if value > Decimal(_MOST).scaleb(-decimals):
        raise ValueError(f"{text!r} is too large")
    scaled = value.scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{text!r} has more than {decimals} decimals")
    exponent = value.as_tuple().exponent
    return int(scaled), max(0, -exponent) if isinstance(exponent, int) else 0


class WireColumn(dict[str, int]):
    """Texts of one kind of number and their integers, in units of ``10^-decimals``.

    The first text decides `decimals`: what it prints, at least eight. A feed repeats itself, so texts are remembered;
    never more than some.
    """

    MOST_REMEMBERED = 2**17

    def __init__(self, *, may_be_zero: bool) -> None:
        super().__init__()
        self.may_be_zero = may_be_zero
        self.decimals = LEAST_DECIMALS
        self.printed = 0  # most decimals seen so far

    def __missing__(self, text: str) -> int:
        if not isinstance(text, str):
            raise ValueError(f"{text!r} is not decimal text")
        if not self:
            self.decimals = max(self.decimals, len(text.partition(".")[2]))
        value, printed = wire_integer(text, self.decimals)
        if value == 0 and not self.may_be_zero:
            raise ValueError("a price is zero")
        self.printed = max(self.printed, printed)
        if len(self) >= self.MOST_REMEMBERED:
            kept = next(iter(self))
            self.clear()
            super().__setitem__(kept, wire_integer(kept, self.decimals)[0])
        self[text] = value
        return value
