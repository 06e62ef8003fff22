"""The envelope of every REST answer, and what comes instead of one when servers fail.

HTTP is 200 even for errors. In front of the exchange stands a proxy whose own failures are pages of HTML with a status
of 5xx: such an answer is never read as JSON, and an order sent with that request has an unknown fate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw, Struct

from mycelial.domain.errors import ExchangeError
from mycelial.kraken.errors import Meaning, ProtocolError, Refused, meaning
from mycelial.kraken.json_writing import dumps
from mycelial.kraken.rest import account_answers as account
from mycelial.kraken.rest import market_answers as market


class Answered(ExchangeError):
    """The exchange answered with errors.

    Attributes
    ----------
    errors : the strings, at least one.
    """

    def __init__(self, method: str, errors: Sequence[str]) -> None:
        super().__init__(f"{method}: {', '.join(errors)}; {meaning(errors[0]).reaction.value}")
        self.method = method
        self.errors = tuple(errors)

    @property
    def meaning(self) -> Meaning:
        """What the first error calls for."""
        return meaning(self.errors[0])


class NoAnswer(ExchangeError):
    """Something other than the exchange answered; the fate of the request is unknown."""


class _Envelope(Struct):
    error: list[str]
    result: Raw = Raw(b"null")


_envelope = msgspec.json.Decoder(_Envelope)

# What `result` holds, by method; series have a reader of their own.
_RESULTS: Mapping[str, Any] = {
    "Time": market.ServerTime,
    "SystemStatus": market.Status,
    "Assets": dict[str, market.AssetRow],
    "AssetPairs": dict[str, market.PairRow],
    "Ticker": dict[str, market.TickerRow],
    "Depth": dict[str, market.Levels],
    "Balance": dict[str, Decimal],
    "BalanceEx": dict[str, account.ExtendedBalance],
    "TradeBalance": account.TradeBalanceRow,
    "OpenOrders": account.OpenOrdersAnswer,
    "ClosedOrders": account.ClosedOrdersAnswer,
    "QueryOrders": dict[str, account.OrderRow],
    "OrderAmends": account.AmendsAnswer,
    "TradesHistory": account.TradesAnswer,
    "QueryTrades": dict[str, account.OwnTradeRow],
    "Ledgers": account.LedgersAnswer,
    "QueryLedgers": dict[str, account.LedgerRow],
    "OpenPositions": dict[str, Any],
    "TradeVolume": account.VolumeAnswer,
    "AddOrder": account.PlacedOrder,
    "AddOrderBatch": account.PlacedBatch,
    "AmendOrder": account.Amended,
    "EditOrder": account.EditedOrder,
    "CancelOrder": account.Cancelled,
    "CancelOrderBatch": account.Cancelled,
    "CancelAll": account.Cancelled,
    "CancelAllOrdersAfter": account.SwitchArmed,
    "GetWebSocketsToken": account.Token,
}
_SERIES: Mapping[str, type[Struct]] = {
    "OHLC": market.CandleRow,
    "Trades": market.PublicTradeRow,
    "Spread": market.SpreadRow,
}
_decoders = {name: msgspec.json.Decoder(kind, strict=False) for name, kind in _RESULTS.items()}


def succeeded(result: Any) -> bytes:
    """Return the body of an answer; `result` is made of structs, mappings and decimals, which print as strings."""
    return b'{"error":[],"result":%b}' % dumps(result, quoted=True)


def failed(*errors: str | Refused) -> bytes:
    """Return the body of an answer with errors."""
    return dumps({"error": [one.text if isinstance(one, Refused) else one for one in errors]})


def result_of(method: str, status: int, body: bytes) -> Any:
    """Return what a method answered, as the struct of that method.

    Raises
    ------
    Answered
        If the exchange answered with errors.
    NoAnswer
        If the status is 4xx or 5xx, or the body no envelope: something in between answered.
    ProtocolError
        If the envelope is right and the result is not what the method gives.
    """
    raw = _opened(method, status, body)
    if method in _SERIES:
        return market.read_series(raw, _SERIES[method])
    if method not in _decoders:
        raise ProtocolError(f"{method}: no form of this method's result is known")
    try:
        return _decoders[method].decode(raw)
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError) as error:
        raise ProtocolError(f"{method}: the result is not what the method gives: {error}") from None


def _opened(method: str, status: int, body: bytes) -> Raw:
    if body.lstrip()[:1] != b"{":
        raise NoAnswer(f"{method}: HTTP {status} without JSON; {_FATE}")
    try:
        envelope = _envelope.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise NoAnswer(f"{method}: HTTP {status} with an unreadable body ({error}); {_FATE}") from None
    errors = [one for one in envelope.error if not one.startswith("W")]
    if errors:
        raise Answered(method, errors)
    if status >= 400:
        raise NoAnswer(f"{method}: HTTP {status} without an error string; {_FATE}")
    return envelope.result


_FATE = "whether it was carried out is unknown: look it up, then back off"
