"""Requests of WebSocket v2: what a client asks, read by the exchange and written by the client."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct

from mycelial.kraken.errors import INVALID_ARGUMENTS, ProtocolError, Refused, invalid_argument
from mycelial.kraken.json_writing import dumps
from mycelial.kraken.numbers import is_sane

MALFORMED = "Malformed request"
PUBLIC_CHANNELS = ("ticker", "book", "trade", "ohlc", "instrument", "status", "heartbeat")
PRIVATE_CHANNELS = ("executions", "balances")
TOKEN_CHANNELS = (*PRIVATE_CHANNELS, "level3")
SYMBOL_CHANNELS = ("ticker", "book", "level3", "trade", "ohlc")
CHANNELS = (*PUBLIC_CHANNELS, *TOKEN_CHANNELS)
BOOK_DEPTHS = (10, 25, 100, 500, 1000)
LEVEL3_DEPTHS = (10, 100, 1000)
INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
MOST_SYMBOLS = 2_000

P = TypeVar("P", bound=Struct)

_EXECUTIONS = {"snap_orders": True, "snap_trades": False, "order_status": True, "ratecounter": False}

_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_WRONG = re.compile(r"`\$\.([A-Za-z_0-9]+)|field `([A-Za-z_0-9]+)`")


class Envelope(Struct, frozen=True):
    """A request whose parameters are not read yet."""

    method: str
    params: Raw = Raw(b"{}")
    req_id: int | None = None


class SubscriptionFields(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Parameters of subscribe and unsubscribe, of all channels."""

    channel: str
    symbol: Any = None
    depth: int | None = None
    interval: int | None = None
    event_trigger: Literal["trades", "bbo"] | None = None
    snapshot: bool | None = None
    token: str | None = None
    snap_orders: bool | None = None
    snap_trades: bool | None = None
    order_status: bool | None = None
    ratecounter: bool | None = None
    users: str | None = None
    include_tokenized_assets: bool | None = None


class Subscription(Struct, frozen=True, kw_only=True):
    """What is subscribed to; `symbols` is empty for channels that have none.

    Attributes
    ----------
    depth, interval, event_trigger : part of what names a subscription; None where the channel has no such thing.
    """

    channel: str
    symbols: tuple[str, ...] = ()
    depth: int | None = None
    interval: int | None = None
    event_trigger: Literal["trades", "bbo"] | None = None
    snapshot: bool = True
    token: str | None = None
    snap_orders: bool = True
    snap_trades: bool = False
    order_status: bool = True
    ratecounter: bool = False

    def result(self, symbol: str | None = None) -> dict[str, Any]:
        """Return the ``result`` of the acknowledgement for one symbol: parameters that could be sent again."""
        fields: dict[str, Any] = {"channel": self.channel}
        for name in ("depth", "interval", "event_trigger"):
            if (value := getattr(self, name)) is not None:
                fields[name] = value
        if self.channel == "executions":
            fields |= {"snap_orders": self.snap_orders, "snap_trades": self.snap_trades}
            fields |= {"order_status": self.order_status, "ratecounter": self.ratecounter}
        elif self.channel != "heartbeat":
            fields["snapshot"] = self.snapshot
        if symbol is not None:
            fields["symbol"] = symbol
        return fields


def read_envelope(frame: str | bytes) -> Envelope:
    """Read what a client sent, up to the method.

    Raises
    ------
    ProtocolError
        If it is no JSON object with a method, or `req_id` is no integer.
    """
    try:
        return _envelope.decode(frame)
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError) as error:
        raise ProtocolError(f"the frame is no request: {error}") from None


def salvaged(frame: str | bytes) -> tuple[str | None, int | None]:
    """Return what can still be told of a frame that is no request: its method and its `req_id`, to answer by."""
    try:
        read = msgspec.json.decode(frame)
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError):
        return None, None
    if not isinstance(read, dict):
        return None, None
    method, req_id = read.get("method"), read.get("req_id")
    plain = isinstance(req_id, int) and not isinstance(req_id, bool)
    return method if isinstance(method, str) else None, req_id if plain else None


def read_params(envelope: Envelope, kind: type[P]) -> P:
    """Read the parameters of a request; fields the struct does not know are refused if it forbids them.

    Raises
    ------
    Refused
        With the text that the exchange answers.
    """
    try:
        return msgspec.json.decode(envelope.params, type=kind, strict=False)
    except msgspec.ValidationError as error:
        unknown = _UNKNOWN.search(str(error))
        if unknown is not None:
            words = envelope.method.replace("_", " ")
            raise Refused(f"Unsupported field: '{unknown[1][:60]}' for the given msg type: {words}") from None
        found = _WRONG.search(str(error))
        if found is None:
            raise Refused(INVALID_ARGUMENTS) from None
        raise invalid_argument(found[1] or found[2]) from None
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError, ArithmeticError):
        raise Refused(MALFORMED) from None


def read_subscription(envelope: Envelope) -> Subscription:
    """Read the parameters of subscribe or unsubscribe; names of symbols are not looked up.

    Raises
    ------
    Refused
        With the text that the exchange answers.
    """
    fields = read_params(envelope, SubscriptionFields)
    channel = fields.channel
    if channel == "status":
        raise Refused("Symbol(s) not found")
    if channel not in CHANNELS:
        raise Refused("Subscription name invalid")
    symbols: tuple[str, ...] = ()
    if channel in SYMBOL_CHANNELS:
        given = fields.symbol
        if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
            raise Refused("Symbol field must be an array")
        if len(given) > MOST_SYMBOLS:
            raise Refused(f"{INVALID_ARGUMENTS}:symbol")
        symbols = tuple(dict.fromkeys(given))
    depth = interval = None
    if channel in ("book", "level3"):
        depth = 10 if fields.depth is None else fields.depth
        if depth not in (BOOK_DEPTHS if channel == "book" else LEVEL3_DEPTHS):
            raise Refused("Subscription depth not supported")
    if channel == "ohlc":
        interval = 1 if fields.interval is None else fields.interval
        if interval not in INTERVALS:
            raise Refused("Subscription ohlc interval not supported")
    return Subscription(
        channel=channel,
        symbols=symbols,
        depth=depth,
        interval=interval,
        event_trigger=(fields.event_trigger or "trades") if channel == "ticker" else None,
        snapshot=_or(fields.snapshot, channel != "trade"),
        token=fields.token,
        snap_orders=_or(fields.snap_orders, True),
        snap_trades=_or(fields.snap_trades, False),
        order_status=_or(fields.order_status, True),
        ratecounter=_or(fields.ratecounter, False),
    )


def subscription_params(subscription: Subscription) -> dict[str, Any]:
    """Return the parameters that ask for a subscription; `channel` and `symbol` and what differs from the defaults."""
    one = subscription
    fields: dict[str, Any] = {"channel": one.channel}
    if one.symbols:
        fields["symbol"] = one.symbols
    for name in ("depth", "interval", "event_trigger", "token"):
        if (value := getattr(one, name)) is not None:
            fields[name] = value
    if one.snapshot != (one.channel != "trade"):
        fields["snapshot"] = one.snapshot
    for name, default in (
        ("snap_orders", True),
        ("snap_trades", False),
        ("order_status", True),
        ("ratecounter", False),
    ):
        if getattr(one, name) != default:
            fields[name] = getattr(one, name)
    return fields


def request(method: str, params: dict[str, Any] | None = None, req_id: int | None = None) -> bytes:
    """Return the frame of a request; numbers may be decimals, which print exactly."""
    fields: dict[str, Any] = {"method": method}
    if params is not None:
        fields["params"] = params
    if req_id is not None:
        fields["req_id"] = req_id
    return dumps(fields)


def sane(value: Decimal | None, field: str) -> Decimal | None:
    """Return a number, or refuse the field if it is absurd."""
    if value is not None and not is_sane(value):
        raise invalid_argument(field)
    return value


def _or(value: bool | None, default: bool) -> bool:
    return default if value is None else value


_envelope = msgspec.json.Decoder(Envelope)
