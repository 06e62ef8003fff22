"""Checksums of a book as a client holds it: over decimals as they stood on the wire.

The exchange computes them from integers (`mycelial.market.checksum`); a client that follows one channel has decimals
that remember their trailing zeros, and needs no rules of the pair. Both must agree; see there for the format.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from decimal import Decimal
from itertools import islice

from mycelial.market.checksum import LEVELS

Side = Iterable[tuple[Decimal, Decimal]]


def book_checksum(asks: Side, bids: Side) -> int:
    """Return the checksum of price levels, best first; what lies beyond the tenth is not read."""
    parts = [_digits(number) for side in (asks, bids) for level in islice(side, LEVELS) for number in level]
    return zlib.crc32("".join(parts).encode())


def level3_checksum(asks: Side, bids: Side) -> int:
    """Return the checksum of single orders, best price first and then by place in the queue."""
    parts: list[str] = []
    for side in (asks, bids):
        prices = 0
        last = None
        for price, quantity in side:
            if price != last:
                prices += 1
                last = price
                if prices > LEVELS:
                    break
            parts += (_digits(price), _digits(quantity))
    return zlib.crc32("".join(parts).encode())


def _digits(number: Decimal) -> str:
    return f"{number:f}".replace(".", "").lstrip("0")
