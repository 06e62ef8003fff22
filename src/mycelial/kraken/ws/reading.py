"""Read what the exchange sends over WebSocket v2: replies, and frames of every channel."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from mycelial.kraken.errors import Meaning, ProtocolError, meaning
from mycelial.kraken.ws import account_data as account
from mycelial.kraken.ws import market_data as market


class Reply(Struct, frozen=True, kw_only=True):
    """The answer to a request.

    Attributes
    ----------
    result : JSON of the result; null where there is none. A partly refused batch has rows although it failed.
    symbol, channel : of a refused subscription.
    """

    method: str = ""
    success: bool = True
    error: str | None = None
    result: Raw = Raw(b"null")
    symbol: str | None = None
    channel: str | None = None
    req_id: int | None = None
    time_in: str | None = None
    time_out: str | None = None

    @property
    def meaning(self) -> Meaning:
        """What the error calls for."""
        return meaning(self.error or "")


class Heartbeat(Struct, frozen=True):
    """Nothing else was sent for a second."""


class ChannelFrame(Struct, frozen=True, kw_only=True):
    """One message of a channel.

    Attributes
    ----------
    kind : ``snapshot`` or ``update``.
    data : tuple of the channel's struct; `Instruments` for the channel instrument.
    sequence : of the private channels, rising by one from 1 at the snapshot.
    """

    channel: str
    kind: str
    data: Any
    sequence: int | None = None
    timestamp: str | None = None


Message = Reply | Heartbeat | ChannelFrame


class _Head(Struct):
    channel: str | None = None
    type: str | None = None
    method: str | None = None
    data: Raw = Raw(b"")
    sequence: int | None = None
    timestamp: str | None = None


_DATA: dict[str, Any] = {
    "book": tuple[market.Book, ...],
    "level3": tuple[market.Level3, ...],
    "trade": tuple[market.Trade, ...],
    "ticker": tuple[market.Ticker, ...],
    "ohlc": tuple[market.Candle, ...],
    "instrument": market.Instruments,
    "status": tuple[market.SystemState, ...],
    "executions": tuple[account.Execution, ...],
    "balances": tuple[account.BalanceRow, ...],
}
_decoders = {name: msgspec.json.Decoder(kind) for name, kind in _DATA.items()}
_head = msgspec.json.Decoder(_Head)
_reply = msgspec.json.Decoder(Reply)


def read_message(frame: str | bytes) -> Message:
    """Read one frame.

    Raises
    ------
    ProtocolError
        If it is not what this version of the protocol sends; the channel is named.
    """
    try:
        head = _head.decode(frame)
        if not bytes(head.data) or head.channel is None:
            if head.channel == "heartbeat" and head.method is None:
                return Heartbeat()
            if head.channel is not None and head.method is None:
                raise ProtocolError(f"the frame of channel {head.channel[:40]!r} has no data")
            return _reply.decode(frame)
        decoder = _decoders.get(head.channel)
        if decoder is None:
            raise ProtocolError(f"no channel {head.channel[:40]!r} is known")
        return ChannelFrame(
            channel=head.channel,
            kind=head.type or "update",
            data=decoder.decode(head.data),
            sequence=head.sequence,
            timestamp=head.timestamp,
        )
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError, ArithmeticError) as error:
        raise ProtocolError(f"the frame cannot be read: {error}") from None


def read_result(reply: Reply, kind: Any) -> Any:
    """Read the result of a reply as a type, e.g. ``dict[str, Any]``.

    Raises
    ------
    ProtocolError
        If it is not of that type.
    """
    try:
        return msgspec.json.decode(reply.result, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError, ArithmeticError) as error:
        raise ProtocolError(f"the result of {reply.method} cannot be read: {error}") from None
