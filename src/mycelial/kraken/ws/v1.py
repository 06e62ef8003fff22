"""The part of WebSocket v1 that older clients speak: book, trade, ticker, openOrders, ownTrades.

Messages about the connection are objects with an ``event``; data are arrays whose last items name channel and pair.
Names are wsnames (``XBT/USD``), numbers are text, prices have at least five decimals, moments are seconds with six.
The book's checksum is that of v2, over prices as they are printed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from mycelial.kraken.errors import ProtocolError
from mycelial.kraken.json_writing import dumps, quote
from mycelial.kraken.numbers import text
from mycelial.kraken.ws.printing import PrintedTicker, PrintedTrade
from mycelial.kraken.ws.requests import BOOK_DEPTHS
from mycelial.market.venues.rules import Pair

VERSION = "1.9.6"
HEARTBEAT = b'{"event":"heartbeat"}'
PUBLIC = ("book", "trade", "ticker")
PRIVATE = ("openOrders", "ownTrades")
LEAST_PRICE_DECIMALS = 5

TimedLevel = tuple[int, int, int]  # (ticks, lots, ns)


class Wanted(Struct, frozen=True, kw_only=True):
    """What ``subscription`` says."""

    name: str
    depth: int | None = None
    token: str | None = None
    snapshot: bool | None = None
    ratecounter: bool | None = None


class Request(Struct, frozen=True, kw_only=True):
    """A request: ping, subscribe, unsubscribe."""

    event: str
    pair: tuple[str, ...] | None = None
    subscription: Wanted | None = None
    channelID: int | None = None
    reqid: int | None = None


class Data(Struct, frozen=True):
    """One data message taken apart.

    Attributes
    ----------
    parts : what stands between the channel's number and its name; objects for book and ticker, rows for trade.
    channel_id : missing from private messages.
    pair : missing from private messages.
    sequence : of private messages.
    """

    channel: str
    parts: tuple[Any, ...]
    channel_id: int | None = None
    pair: str | None = None
    sequence: int | None = None


# ------------------------------------------------------------------------------------------------------------ reading

_request = msgspec.json.Decoder(Request)
_any = msgspec.json.Decoder()


def read_request(frame: str | bytes) -> Request:
    """Read what a client sent.

    Raises
    ------
    ProtocolError
        If it is no request.
    """
    try:
        return _request.decode(frame)
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError) as error:
        raise ProtocolError(f"the frame is no request: {error}") from None


def read_message(frame: str | bytes) -> dict[str, Any] | Data:
    """Read what the exchange sent: an event as a mapping, or data.

    Raises
    ------
    ProtocolError
        If it is neither.
    """
    try:
        read = _any.decode(frame)
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError) as error:
        raise ProtocolError(f"the frame is no JSON: {error}") from None
    match read:
        case {"event": str()}:
            return dict(read)
        case [int(number), *parts, str(channel), str(pair)] if parts:
            return Data(channel, tuple(parts), channel_id=number, pair=pair)
        case [list(rows), str(channel), {"sequence": int(sequence)}]:
            return Data(channel, (rows,), sequence=sequence)
    raise ProtocolError("the frame is neither an event nor data of WebSocket v1")


# ------------------------------------------------------------------------------------------------------------ writing


def request(one: Request) -> bytes:
    """Return the frame of a request."""
    return dumps(one)


def system_status(status: str, connection_id: int) -> bytes:
    """Return the frame that opens a connection."""
    return dumps({"connectionID": connection_id, "event": "systemStatus", "status": status, "version": VERSION})


def pong(reqid: int | None) -> bytes:
    """Return the answer to a ping."""
    return dumps({"event": "pong", **({} if reqid is None else {"reqid": reqid})})


def subscribed(
    wanted: Wanted, channel_id: int | None, pair: str | None, reqid: int | None, *, status: str = "subscribed"
) -> bytes:
    """Return the acknowledgement for one pair; private channels have neither number nor pair."""
    described = {"depth": wanted.depth} if wanted.depth else {}
    fields: dict[str, Any] = {} if channel_id is None else {"channelID": channel_id}
    fields |= {"channelName": channel_name(wanted), "event": "subscriptionStatus"}
    fields |= {} if pair is None else {"pair": pair}
    fields |= {} if reqid is None else {"reqid": reqid}
    return dumps(fields | {"status": status, "subscription": described | {"name": wanted.name}})


def refused(error: str, name: str | None, pair: str | None, reqid: int | None) -> bytes:
    """Return the refusal of a request."""
    fields: dict[str, Any] = {"errorMessage": error, "event": "subscriptionStatus" if name else "error"}
    fields |= {} if pair is None else {"pair": pair}
    fields |= {} if reqid is None else {"reqid": reqid}
    return dumps(fields | {"status": "error"} | ({"subscription": {"name": name}} if name else {}))


def channel_name(wanted: Wanted) -> str:
    """Return the name data messages carry: ``book-1000``."""
    return f"{wanted.name}-{wanted.depth}" if wanted.name == "book" else wanted.name


def checked_depth(depth: int | None) -> int | None:
    """Return the depth of a book subscription, 10 by default; None if there is no such depth."""
    return 10 if depth is None else depth if depth in BOOK_DEPTHS else None


def private(name: str, rows: Sequence[dict[str, Any]], sequence: int) -> bytes:
    """Return a message of openOrders or ownTrades: rows of one order or trade each, by id."""
    return b'[%b,"%b",{"sequence":%d}]' % (dumps(list(rows), quoted=True), name.encode(), sequence)


class V1Printer:
    """Prints the data messages of one pair; see `printing.PairPrinter`."""

    def __init__(self, pair: Pair, *, tick_step: int = 1, lot_step: int = 1) -> None:
        self.pair = pair
        self.wsname = quote(pair.wsname)
        self.price_decimals = max(LEAST_PRICE_DECIMALS, pair.price_decimals)
        self._finer = 10 ** (self.price_decimals - pair.price_decimals)
        self.tick_step, self.lot_step = tick_step * self._finer, lot_step
        self.lot_decimals = pair.lot_decimals

    def price(self, ticks: int) -> str:
        """Print a price, at least five decimals."""
        return text(ticks * self.tick_step, self.price_decimals)

    def quantity(self, lots: int) -> str:
        """Print a quantity."""
        return text(lots * self.lot_step, self.lot_decimals)

    def book_snapshot(
        self, channel_id: int, depth: int, bids: Iterable[TimedLevel], asks: Iterable[TimedLevel]
    ) -> bytes:
        """Print a whole book."""
        body = f'{{"as":[{self._levels(asks)}],"bs":[{self._levels(bids)}]}}'
        return f'[{channel_id},{body},"book-{depth}",{self.wsname}]'.encode()

    def book_update(
        self, channel_id: int, depth: int, bids: Sequence[TimedLevel], asks: Sequence[TimedLevel], checksum: int
    ) -> bytes:
        """Print the levels that changed: one object a side, the checksum in the last."""
        sides = [f'"{name}":[{self._levels(levels)}]' for name, levels in (("a", asks), ("b", bids)) if levels]
        sides[-1] += f',"c":"{checksum}"'
        body = ",".join(f"{{{side}}}" for side in sides)
        return f'[{channel_id},{body},"book-{depth}",{self.wsname}]'.encode()

    def trades(self, channel_id: int, trades: Sequence[PrintedTrade]) -> bytes:
        """Print trades, oldest first."""
        rows = ",".join(
            f'["{self.price(one.ticks)}","{self.quantity(one.lots)}","{_seconds(one.at_ns)}",'
            f'"{"b" if one.is_buy else "s"}","{"m" if one.is_market else "l"}",""]'
            for one in trades
        )
        return f'[{channel_id},[{rows}],"trade",{self.wsname}]'.encode()

    def ticker(self, channel_id: int, one: PrintedTicker, open_ticks: int) -> bytes:
        """Print a ticker; today and the last 24 hours are the same here."""
        price, lots = self.price, self.quantity
        whole = 10**self.lot_decimals

        def touch(ticks: int, size: int) -> str:
            return f'["{price(ticks)}",{size * self.lot_step // whole},"{lots(size)}"]'

        def twice(value: str) -> str:
            return f'["{value}","{value}"]'

        body = (
            f'{{"a":{touch(one.ask, one.ask_lots)},"b":{touch(one.bid, one.bid_lots)},'
            f'"c":["{price(one.last)}","{lots(0)}"],"v":{twice(lots(one.volume_lots))},'
            f'"p":{twice(text(one.vwap * self._finer, self.price_decimals))},"t":[{one.trades},{one.trades}],'
            f'"l":{twice(price(one.low))},"h":{twice(price(one.high))},"o":{twice(price(open_ticks))}}}'
        )
        return f'[{channel_id},{body},"ticker",{self.wsname}]'.encode()

    def _levels(self, levels: Iterable[TimedLevel]) -> str:
        return ",".join(
            f'["{self.price(ticks)}","{self.quantity(lots)}","{_seconds(at_ns)}"]' for ticks, lots, at_ns in levels
        )


def _seconds(at_ns: int) -> str:
    return text(at_ns // 1000, 6)
