"""Kraken WebSocket v1 recordings: ``{"t": seconds, "dir": "rx", "frame": raw message}`` a line, many pairs a file.

Books (``book-<depth>``), trades and tickers come from connections of their own, so from files of their own; what
concerns one pair becomes one recording. Numbers are decimal text on the wire and stay text until they are integers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from mycelial.adapters.data.feeds.checking import refuse_crossed, refuse_wrong_checksums
from mycelial.adapters.data.feeds.collecting import Collector, lines_of, wrong
from mycelial.adapters.data.feeds.numbers import nanoseconds
from mycelial.domain.errors import DataError
from mycelial.domain.recording import BUY, SELL, SNAPSHOT, UPDATE, MarketRecording

_AGAIN = "remove the line, or record or fetch the file again"
_TAKER = {"b": BUY, "s": SELL}


def read_kraken_v1(
    book: Path | None = None,
    *,
    trades: Path | None = None,
    ticker: Path | None = None,
    tick_sizes: dict[str, Decimal] | None = None,
) -> dict[str, MarketRecording]:
    """Read recordings of one session and return one `MarketRecording` for each pair.

    Parameters
    ----------
    book, trades, ticker : Path, optional
        Files of the three channels; tickers become quotes.
    tick_sizes : dict, optional
        By pair; found from the numbers when not given.

    Raises
    ------
    NotFound, DataError
        If a file is missing; if a line is corrupt, a checksum does not come out, or a book crosses.
    """
    session = _Session()
    for path, take in ((book, _take_book), (trades, _take_trades), (ticker, _take_ticker)):
        if path is not None:
            session.read(Path(path), take)
    found = {}
    for pair, out in sorted(session.pairs.items()):
        recording = out.recording((tick_sizes or {}).get(pair), depth=session.depth.get(pair, 0))
        refuse_wrong_checksums(recording, *out.printed_decimals)
        refuse_crossed(recording)
        found[pair] = recording
    if not found:
        files = ", ".join(str(path) for path in (book, trades, ticker) if path) or "no file"
        raise DataError(f"{files}: holds no message of a pair; give a recording of book, trade or ticker")
    return found


@dataclass
class _Message:
    line: int
    ts: int
    content: list[Any]  # everything between the channel number and the channel name
    channel: str
    out: Collector


_Take = Callable[["_Session", _Message, str], None]


@dataclass
class _Session:
    pairs: dict[str, Collector] = field(default_factory=dict)
    depth: dict[str, int] = field(default_factory=dict)

    def read(self, path: Path, take: _Take) -> None:
        """Take every message of one file."""
        for number, line in lines_of(path):
            try:
                for message, pair in self._messages(path, number, line):
                    take(self, message, pair)
            except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
                reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
                raise wrong(path, number, f"is no message of Kraken's WebSocket v1 ({reason})", _AGAIN) from None

    def _messages(self, path: Path, number: int, line: bytes) -> Iterator[tuple[_Message, str]]:
        document = json.loads(line, parse_float=str)
        frame = document.get("frame")
        if document["dir"] != "rx" or isinstance(frame, dict):
            return  # what we sent, status and heartbeats
        if not isinstance(frame, list) or len(frame) < 4:
            raise ValueError("frame is neither an event nor a list of four")
        *content, channel, pair = frame[1:]
        out = self.pairs.setdefault(pair, Collector(path, pair))
        yield _Message(number, nanoseconds(str(document["t"])), content, channel, out), pair


def _take_book(session: _Session, message: _Message, pair: str) -> None:
    name, _, depth = message.channel.partition("-")
    if name != "book":
        raise ValueError(f"channel {message.channel!r} is no book")
    session.depth[pair] = int(depth)
    merged: dict[str, Any] = {}
    for part in message.content:  # asks and bids of one message may be two objects
        merged.update(part)
    is_snapshot = "as" in merged or "bs" in merged
    bids, asks = (merged.get(key + "s" if is_snapshot else key, []) for key in ("b", "a"))
    times = [nanoseconds(level[2]) for level in (*bids, *asks)]
    message.out.batch(
        SNAPSHOT if is_snapshot else UPDATE,
        message.ts,
        max(times, default=0),
        message.line,
        bids=bids,
        asks=asks,
        checksum=int(merged.get("c", -1)),
    )


def _take_trades(session: _Session, message: _Message, pair: str) -> None:
    if message.channel != "trade":
        raise ValueError(f"channel {message.channel!r} is not trade")
    for price, lots, time, side, *_ in message.content[0]:
        message.out.trade(message.ts, nanoseconds(time), price, lots, -1, _TAKER[side])


def _take_ticker(session: _Session, message: _Message, pair: str) -> None:
    if message.channel != "ticker":
        raise ValueError(f"channel {message.channel!r} is not ticker")
    ask, bid = message.content[0]["a"], message.content[0]["b"]
    message.out.quote(message.ts, 0, (bid[0], bid[2]), (ask[0], ask[2]))
