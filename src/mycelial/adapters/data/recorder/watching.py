"""Watch a v2 book as it arrives: keep its levels as the wire printed them and prove every message by its checksum.

No sockets, no clock. The checksum is Kraken's (docs.kraken.com, guides/websockets/book-checksum-v2): the printed
digits of the ten best levels of each side, so levels keep their text.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

LEVELS = 10


@dataclass
class WatchedBook:
    """One symbol's book; `is_synced` from a proved snapshot to the first message that is not ours."""

    symbol: str
    depth: int
    is_synced: bool = False
    _sides: tuple[dict[Decimal, tuple[str, str]], dict[Decimal, tuple[str, str]]] = field(
        default_factory=lambda: ({}, {})
    )

    def take(self, kind: str, data: Mapping[str, Any]) -> bool:
        """Apply one entry of a book message; numbers are text. Return whether the book is proved after it.

        An update without a snapshot before it, and one whose checksum is not ours, leave the book unsynced until the
        next snapshot.

        Raises
        ------
        KeyError, TypeError, ArithmeticError
            If the message is none.
        """
        if kind == "snapshot":
            for side in self._sides:
                side.clear()
        elif not self.is_synced:
            return False
        for side, name in zip(self._sides, ("bids", "asks"), strict=True):
            for level in data[name]:
                self._set(side, str(level["price"]), str(level["qty"]))
        self._cut()
        self.is_synced = self.checksum() == int(data["checksum"])
        return self.is_synced

    def checksum(self) -> int:
        """Return the CRC-32 of the ten best asks, then the ten best bids."""
        text = "".join(_digits(price) + _digits(qty) for price, qty in [*self.asks()[:LEVELS], *self.bids()[:LEVELS]])
        return zlib.crc32(text.encode())

    def bids(self) -> list[tuple[str, str]]:
        """Return (price, quantity) as printed, best first."""
        return [self._sides[0][price] for price in sorted(self._sides[0], reverse=True)]

    def asks(self) -> list[tuple[str, str]]:
        """Return (price, quantity) as printed, best first."""
        return [self._sides[1][price] for price in sorted(self._sides[1])]

    def snapshot_text(self, timestamp: str) -> str:
        """Return a snapshot message of the book as it is, numbers as they were printed."""
        sides = {"bids": _levels_text(self.bids()), "asks": _levels_text(self.asks())}
        return (
            f'{{"channel":"book","type":"snapshot","data":[{{"symbol":"{self.symbol}","bids":{sides["bids"]},'
            f'"asks":{sides["asks"]},"checksum":{self.checksum()},"timestamp":"{timestamp}"}}]}}'
        )

    def _set(self, side: dict[Decimal, tuple[str, str]], price: str, qty: str) -> None:
        key = Decimal(price)
        if Decimal(qty) == 0:
            side.pop(key, None)
        else:
            side[key] = (price, qty)

    def _cut(self) -> None:
        for side, worst_first in zip(self._sides, (False, True), strict=True):
            if len(side) > self.depth:
                for price in sorted(side, reverse=worst_first)[: len(side) - self.depth]:
                    del side[price]


def _levels_text(levels: Sequence[tuple[str, str]]) -> str:
    return "[" + ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in levels) + "]"


def _digits(text: str) -> str:
    return text.replace(".", "").lstrip("0")
