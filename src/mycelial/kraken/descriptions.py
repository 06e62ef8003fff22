"""The sentence that describes an order: ``buy 1.25000000 XBTUSD @ limit 27500.0``.

Clients take it apart, so the words stay in place (ccxt splits at spaces). An offset is printed as it was sent
(``stop loss +5.0%``); a conditional close is described by the part behind the ``@`` alone, with ``close position`` in
front.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mycelial.kraken.errors import ProtocolError
from mycelial.kraken.orders import TRIGGERED

_WORDS = {
    "market": "market",
    "limit": "limit",
    "iceberg": "iceberg",
    "stop-loss": "stop loss",
    "take-profit": "take profit",
    "stop-loss-limit": "stop loss",
    "take-profit-limit": "take profit",
    "trailing-stop": "trailing stop",
    "trailing-stop-limit": "trailing stop",
    "settle-position": "settle position",
}
_GRAMMAR = re.compile(
    r"(?:(?P<side>buy|sell) (?P<volume>[\d.]+) (?P<pair>\S+)|close position) @ "
    r"(?P<words>market|limit|iceberg|stop loss|take profit|trailing stop|settle position)"
    r"(?: (?P<price>[+\-#]?[\d.]+%?))?(?: -> limit (?P<price2>[+\-#]?[\d.]+%?))?"
    r"(?: with (?P<leverage>\d+):1 leverage)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Description:
    """An order's description taken apart; side, volume and pair are empty for a conditional close."""

    order_type: str
    side: str = ""
    volume: str = ""
    altname: str = ""
    price: str = ""
    price2: str = ""
    leverage: str = ""


def describe(description: Description) -> str:
    """Return the sentence."""
    one = description
    head = f"{one.side} {one.volume} {one.altname}" if one.side else "close position"
    words = _WORDS[one.order_type]
    if one.order_type in TRIGGERED or one.order_type in ("limit", "iceberg"):
        words += f" {one.price}"
    if one.price2:
        words += f" -> limit {one.price2}"
    return f"{head} @ {words}" + (f" with {one.leverage}:1 leverage" if one.leverage else "")


def parse(sentence: str) -> Description:
    """Take a sentence apart.

    Raises
    ------
    ProtocolError
        If it does not follow the grammar.
    """
    parts = _GRAMMAR.fullmatch(sentence)
    if parts is None:
        raise ProtocolError(f"the order description {sentence!r} does not follow the grammar")
    found = {name: value or "" for name, value in parts.groupdict().items()}
    order_type = found["words"].replace(" ", "-")
    if found["price2"]:
        order_type += "-limit"
    if order_type not in _WORDS:
        raise ProtocolError(f"the order description {sentence!r} names no order type")
    return Description(
        order_type,
        *(found[name] for name in ("side", "volume", "pair", "price", "price2", "leverage")),
    )
