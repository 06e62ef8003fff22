"""Exact numbers on the wire: decimal text, decimals and whole units of the last printed decimal.

Kraken prints every number with the full precision of its pair, trailing zeros included, and clients compute checksums
from that text; so a number is never a binary float here. Inside, a quantity is a whole number of units of its last
decimal (``0.00044780`` BTC is 44780 units at 8 decimals).
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from mycelial.kraken.errors import ProtocolError

MOST_DIGITS = 40  # of a number we accept: far above anything a market prints, far below anything that hurts
DOUBLE_NOISE = Decimal("2e-15")  # relative: a few roundings of a 53-bit fraction
ZERO = Decimal(0)


def text(units: int, decimals: int) -> str:
    """Print whole units with all their decimals: ``text(44780, 8) == "0.00044780"``."""
    if decimals == 0:
        return str(units)
    if units < 0:
        return f"-{text(-units, decimals)}"
    whole, part = divmod(units, 10**decimals)
    return f"{whole}.{part:0{decimals}d}"


def decimal(units: int, decimals: int) -> Decimal:
    """Return whole units as a decimal that remembers its trailing zeros."""
    return Decimal(text(units, decimals))


def plain(value: Decimal) -> str:
    """Print a decimal as it is, never in scientific form."""
    return f"{value:f}"


def exact(value: str | int | Decimal, what: str = "number") -> Decimal:
    """Read a number of text or wire, scientific form included.

    Raises
    ------
    ProtocolError
        If it is no finite number, or absurdly long or large (which would cost memory, not mean anything).
    """
    try:
        read = value if isinstance(value, Decimal) else Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise ProtocolError(f"{what} {value!r} is not a number; write it like 0.5") from None
    if not is_sane(read):
        raise ProtocolError(f"{what} is not a finite number of at most {MOST_DIGITS} digits")
    return read


def is_sane(value: Decimal) -> bool:
    """Whether a decimal is finite and can be printed in few digits."""
    _, digits, exponent = value.as_tuple()
    return isinstance(exponent, int) and len(digits) <= MOST_DIGITS and -MOST_DIGITS <= exponent <= MOST_DIGITS


def units(value: str | int | Decimal, decimals: int, what: str = "number") -> int:
    """Read a number as whole units of its last decimal, exactly or not at all.

    Raises
    ------
    ProtocolError
        If it is no number, or has more decimals than `decimals` (trailing zeros do not count).
    """
    sign, digits, exponent = exact(value, what).as_tuple()
    assert isinstance(exponent, int)  # `exact` has seen to it
    whole = int("".join(map(str, digits)))
    shift = exponent + decimals
    if shift < 0:
        whole, rest = divmod(whole, 10**-shift)
        if rest:
            raise ProtocolError(f"{what} {value} has more than {decimals} decimals; round it before sending")
        shift = 0
    whole *= 10**shift
    return -whole if sign else whole


def forgiving_units(value: Decimal, decimals: int, what: str = "number") -> int:
    """Read a number that a client may have computed in binary doubles: ``0.1 + 0.2`` is 0.3, 0.123456789 is not 0.12.

    Raises
    ------
    ProtocolError
        As `units`, if the nearest whole number of units is farther away than the noise of a double.
    """
    try:
        return units(value, decimals, what)
    except ProtocolError:
        try:
            nearest = round(value, decimals)
            noise = abs(value - nearest) <= abs(value) * DOUBLE_NOISE
        except ArithmeticError:
            noise = False
        if not noise:
            raise
        return units(nearest, decimals, what)
