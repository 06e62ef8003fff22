"""From frames to lines of a log: the recorder without its socket.

Time and frames come in, lines to write and requests to send come out. A book whose checksum is not ours is dropped: the
message is kept aside under ``dropped``, where replay does not look, and the symbol is subscribed anew.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from mycelial.adapters.data.recorder.plan import RecordingPlan, Tally
from mycelial.adapters.data.recorder.watching import WatchedBook


@dataclass
class Taken:
    """What one frame causes."""

    line: str
    requests: list[str] = field(default_factory=list)


class Recorder:
    """The state of one recording across segments and connections."""

    def __init__(self, plan: RecordingPlan) -> None:
        self.plan, self.tally = plan, Tally()
        self.books = {symbol: WatchedBook(symbol, plan.depth) for symbol in plan.symbols}
        self._last_trade: dict[str, int] = {}
        self._last_ns = 0
        self._request = 0
        self.refusals: deque[str] = deque(maxlen=100)  # what the exchange did not let us subscribe to

    def connected(self) -> list[str]:
        """Begin a connection: forget the books and return the requests to send."""
        self.tally.connections += 1
        for book in self.books.values():
            book.is_synced = False
        symbols = list(self.plan.symbols)
        return [
            self._subscription("subscribe", {"channel": "book", "symbol": symbols, "depth": self.plan.depth}),
            self._subscription("subscribe", {"channel": "trade", "symbol": symbols, "snapshot": False}),
        ]

    def take(self, rx_ns: int, text: str) -> Taken:
        """Take one frame as it came.

        Raises
        ------
        ValueError
            If it is no JSON document.
        """
        self.tally.messages += 1
        rx_ns = self._last_ns = max(rx_ns, self._last_ns)  # a clock that is set back must not turn the log around
        frame = json.loads(text, parse_float=str)
        try:
            lost = self._lost(frame)
        except (KeyError, TypeError, ArithmeticError) as error:
            self.tally.dropped += 1
            return Taken(_line(rx_ns, "dropped", text, reason=f"no message we know ({error!r})"))
        if lost is None:
            return Taken(_line(rx_ns, "frame", text))
        self.tally.dropped += 1
        return Taken(_line(rx_ns, "dropped", text, reason="book not in step"), self._again(lost))

    def opening(self, now_ns: int, *, version: str) -> list[str]:
        """Return the first lines of a segment: what is recorded, and the books as they are."""
        plan, text = self.plan, _utc(now_ns)
        # Frames that wait came before now, so the books as they are carry the time of the last one taken.
        at_ns = self._last_ns or now_ns
        about = {"url": plan.url, "symbols": plan.symbols, "depth": plan.depth, "began": text, "mycelial": version}
        lines = [json.dumps({"recording": about})]
        for symbol, book in self.books.items():
            ack = {"channel": "book", "symbol": symbol, "depth": plan.depth, "snapshot": True}
            acknowledgement = json.dumps({"method": "subscribe", "result": ack, "success": True})
            lines.append(_line(at_ns, "frame", acknowledgement, made=True))
            if book.is_synced:
                lines.append(_line(at_ns, "frame", book.snapshot_text(text), made=True))
        return lines

    def _lost(self, frame: Any) -> list[str] | None:
        """Take a frame; return the symbols whose book it is not in step with, None when it belongs into the log."""
        if not isinstance(frame, dict):
            return None
        channel = frame.get("channel")
        if channel == "book":
            self.tally.books += 1
            lost = []
            for data in frame["data"]:
                book = self.books.get(data["symbol"])
                was_synced = book is not None and book.is_synced
                if book is not None and not book.take(frame["type"], data):
                    # Asked for again once, not for each message until the snapshot comes.
                    lost.append(data["symbol"] if was_synced or frame["type"] == "snapshot" else "")
            return [symbol for symbol in lost if symbol] if lost else None
        if channel == "trade":
            for trade in frame["data"]:
                number, symbol = int(trade["trade_id"]), trade["symbol"]
                last = self._last_trade.get(symbol)
                if last is not None and number > last + 1:
                    self.tally.missed_trades += number - last - 1
                self._last_trade[symbol] = max(number, last or number)
                self.tally.trades += 1
        elif frame.get("method") == "subscribe" and frame.get("success") is False:
            self.refusals.append(f"{frame.get('symbol', '')}: {frame.get('error', 'refused')}")
        return None

    def _again(self, symbols: list[str]) -> list[str]:
        self.tally.resyncs += len(symbols)
        if not symbols:
            return []
        params = {"channel": "book", "symbol": symbols, "depth": self.plan.depth}
        return [self._subscription("unsubscribe", params), self._subscription("subscribe", params)]

    def _subscription(self, method: str, params: dict[str, Any]) -> str:
        self._request += 1
        return json.dumps({"method": method, "params": params, "req_id": self._request})


def _line(rx_ns: int, key: str, frame: str, **more: Any) -> str:
    extra = "".join(f'"{name}":{json.dumps(value)},' for name, value in more.items())
    return f'{{"rx_ns":{rx_ns},{extra}"{key}":{frame}}}'


def _utc(time_ns: int) -> str:
    moment = dt.datetime.fromtimestamp(time_ns // 10**9, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9 // 1000:06d}Z"
