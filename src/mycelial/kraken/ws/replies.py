"""Replies and status frames of WebSocket v2, as the exchange writes them."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from mycelial.kraken.json_writing import dumps, quote
from mycelial.kraken.times import rfc3339

HEARTBEAT = b'{"channel":"heartbeat"}'
WRONG_HOST_PUBLIC = "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com"
WRONG_HOST_PRIVATE = "Public market data subscriptions are unavailable on this endpoint. Try ws.kraken.com"
WRONG_HOST_LEVEL3 = "Level 3 data is unavailable on this endpoint. Try ws-l3.kraken.com"
ALREADY_SUBSCRIBED = "Already subscribed"
NOT_SUBSCRIBED = "Subscription Not Found"
INSTRUMENT_WARNING = "tick_size is deprecated, use price_increment"
VERSION = "2.0.10"


def pair_not_supported(symbol: str) -> str:
    """Return the refusal of a symbol; wsnames such as XBT/USD are no symbols here."""
    return f"Currency pair not supported {symbol}"


def succeeded(method: str, result: Any, in_ns: int, out_ns: int, req_id: int | None = None) -> bytes:
    """Return the reply to a request that was carried out; `result` is a mapping, a list or ready JSON."""
    body = bytes(result) if isinstance(result, bytes | Raw) else dumps(result)
    return b'{"method":"%b","result":%b,"success":true,%b}' % (method.encode(), body, _ends(in_ns, out_ns, req_id))


def refused(
    method: str,
    error: str,
    in_ns: int,
    out_ns: int,
    req_id: int | None = None,
    *,
    symbol: str | None = None,
    channel: str | None = None,
    result: Any = None,
) -> bytes:
    """Return the reply to a request that was not carried out.

    Parameters
    ----------
    symbol : of a refused subscription.
    channel : of a refused private subscription; adds ``"status":"error"``.
    result : rows of a batch of which a part was refused.
    """
    extra = b""
    if result is not None:
        extra += b'"result":%b,' % dumps(result)
    if channel is not None:
        extra += b'"channel":%b,"status":"error",' % quote(channel).encode()
    if symbol is not None:
        extra += b'"symbol":%b,' % quote(symbol).encode()
    return b'{"error":%b,"method":%b,%b"success":false,%b}' % (
        *(quote(error).encode(), quote(method).encode(), extra),
        _ends(in_ns, out_ns, req_id),
    )


def malformed(error: str, method: str | None, in_ns: int, out_ns: int, req_id: int | None = None) -> bytes:
    """Return the reply to a frame that is no request; `method` as far as it is known."""
    if method is not None:
        return refused(method, error, in_ns, out_ns, req_id)
    return b'{"error":%b,"success":false,%b}' % (quote(error).encode(), _ends(in_ns, out_ns, req_id))


def pong(in_ns: int, out_ns: int, req_id: int | None = None) -> bytes:
    """Return the answer to a ping."""
    return b'{"method":"pong",%b}' % _ends(in_ns, out_ns, req_id)


def status(system: str, connection_id: int) -> bytes:
    """Return the frame that opens a connection and tells every change of the exchange's mode."""
    return (
        b'{"channel":"status","type":"update","data":[{"version":"%b","system":"%b","api_version":"v2",'
        b'"connection_id":%d,"upcoming_maintenance":[],"emergency":[]}]}'
        % (VERSION.encode(), system.encode(), connection_id)
    )


def channel(
    name: str, kind: str, data: Any, *, sequence: int | None = None, at_ns: int | None = None, decimals: int = 6
) -> bytes:
    """Return a frame of any channel; the printers of `printing` do the frequent ones faster.

    Parameters
    ----------
    sequence : of private channels.
    at_ns : the moment some channels carry beside their data.
    """
    fields: dict[str, Any] = {"channel": name, "type": kind, "data": data}
    if sequence is not None:
        fields["sequence"] = sequence
    if at_ns is not None:
        fields["timestamp"] = rfc3339(at_ns, decimals)
    return dumps(fields)


def _ends(in_ns: int, out_ns: int, req_id: int | None) -> bytes:
    req = b"" if req_id is None else b',"req_id":%d' % req_id
    return b'"time_in":"%b","time_out":"%b"%b' % (rfc3339(in_ns).encode(), rfc3339(out_ns).encode(), req)
