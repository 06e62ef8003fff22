"""Kraken WebSocket v2 recordings: the raw message a line, or ``{"rx_ns": …, "frame": message}`` around it.

Books, and trades where they were recorded too; lines of other kinds are passed over.

v2 sends numbers as JSON numbers; they are taken as the text they were, never through a float, because the checksum is
of that text. A recording without receive times keeps the exchange's.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from mycelial.adapters.data.feeds.checking import refuse_crossed, refuse_wrong_checksums
from mycelial.adapters.data.feeds.collecting import Collector, lines_of, wrong
from mycelial.adapters.data.feeds.numbers import wire_integer
from mycelial.domain.errors import DataError
from mycelial.domain.recording import BUY, SELL, SNAPSHOT, UPDATE, MarketRecording

_AGAIN = "remove the line, or record or fetch the file again"
_SIDES = {"buy": BUY, "sell": SELL}
_KINDS = {"snapshot": SNAPSHOT, "update": UPDATE}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def read_kraken_v2(
    path: Path,
    *,
    depth: int | None = None,
    price_decimals: int | None = None,
    lot_decimals: int | None = None,
    tick_size: Decimal | None = None,
) -> dict[str, MarketRecording]:
    """Read a recording of the book channel, and of trades where there are some, for each symbol.

    Parameters
    ----------
    depth : int, optional
        Levels a side of the subscription; that of its acknowledgement, or the levels of the snapshot, when not given.
    price_decimals, lot_decimals : int, optional
        Decimals that the exchange prints; the most seen in the file when not given.
    tick_size : Decimal, optional
        Found from the numbers when not given.

    Raises
    ------
    NotFound, DataError
        If there is no such file; if a line is corrupt, a checksum does not come out, or the book crosses.
    """
    path = Path(path)
    reader = _Reader(path)
    for number, line in lines_of(path):
        reader.read(number, line)
    if not any(one.n_levels for one in reader.symbols.values()):
        raise DataError(f"{path}: holds no message of the book channel; give a recording of it")
    found = {}
    for symbol, out in sorted(reader.symbols.items()):
        if not out.n_levels:
            continue  # trades of a symbol whose book was not recorded
        recording = out.recording(tick_size, depth=depth or reader.depth[symbol])
        _date_snapshot(recording)
        printed_price, printed_lots = out.printed_decimals
        refuse_wrong_checksums(
            recording,
            printed_price if price_decimals is None else price_decimals,
            printed_lots if lot_decimals is None else lot_decimals,
        )
        refuse_crossed(recording)
        found[symbol] = recording
    return found


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.symbols: dict[str, Collector] = {}
        self.depth: dict[str, int] = {}

    def read(self, number: int, line: bytes) -> None:
        """Take one line."""
        try:
            document = json.loads(line, parse_float=str)
            frame = document.get("frame", document)
            if document.get("dir", "rx") != "rx":
                return
            if frame.get("channel") == "book":
                for book in frame["data"]:
                    self._book(number, _KINDS[frame["type"]], int(document.get("rx_ns", -1)), book)
            elif frame.get("channel") == "trade":
                for trade in frame["data"]:
                    self._trade(int(document.get("rx_ns", -1)), trade)
            elif (
                frame.get("method") == "subscribe"
                and frame.get("success")
                and frame["result"].get("channel", "book") == "book"
            ):
                self.depth[frame["result"]["symbol"]] = int(frame["result"]["depth"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise wrong(self.path, number, f"is no message of Kraken's WebSocket v2 ({reason})", _AGAIN) from None

    def _book(self, number: int, kind: int, rx_ns: int, book: dict[str, Any]) -> None:
        symbol = book["symbol"]
        out = self.symbols.setdefault(symbol, Collector(self.path, symbol))
        exchange_ts = utc_nanoseconds(book["timestamp"]) if "timestamp" in book else 0
        bids, asks = ([(str(one["price"]), str(one["qty"])) for one in book[side]] for side in ("bids", "asks"))
        if kind == SNAPSHOT:
            self.depth.setdefault(symbol, max(len(bids), len(asks)))
        elif out.n_levels == 0:
            raise ValueError("an update comes before the snapshot")
        ts = rx_ns if rx_ns >= 0 else exchange_ts
        out.batch(kind, ts, exchange_ts, number, bids=bids, asks=asks, checksum=int(book["checksum"]))

    def _trade(self, rx_ns: int, trade: dict[str, Any]) -> None:
        out = self.symbols.setdefault(trade["symbol"], Collector(self.path, trade["symbol"]))
        exchange_ts = utc_nanoseconds(trade["timestamp"])
        ts = rx_ns if rx_ns >= 0 else exchange_ts
        number, side = int(trade["trade_id"]), _SIDES[trade["side"]]
        out.trade(ts, exchange_ts, str(trade["price"]), str(trade["qty"]), number, side)


def _date_snapshot(recording: MarketRecording) -> None:
    """Give messages without any time, the snapshots of early recordings, that of the message after them, in place."""
    ts = recording.batches["ts"]
    undated = int(np.argmax(ts > 0))
    ts[:undated] = ts[undated]


def utc_nanoseconds(text: str) -> int:
    """Return an ISO time with up to nine decimals, in UTC unless it says otherwise, as nanoseconds since 1970.

    Raises
    ------
    ValueError
        If the text is no such time.
    """
    head, dot, rest = text.partition(".")
    fraction = rest[: len(rest) - len(rest.lstrip("0123456789"))] if dot else ""
    zone = rest[len(fraction) :] if dot else ""
    moment = dt.datetime.fromisoformat(head + zone)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + wire_integer(f"0.{fraction}", 9)[0]
