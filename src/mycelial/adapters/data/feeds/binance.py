"""Binance feeds as recorded for hftbacktest: ``<receive time, ns> <raw JSON>`` a line, one instrument a file.

Streams: ``depth@…`` diffs with update numbers, ``bookTicker``, ``trade``, and one REST depth snapshot in between. The
snapshot's own number says which diffs it already holds (developers.binance.com, "How to manage a local order book
correctly"): diffs before it wait, those that end at or before it are dropped, and the first that remains must
reach across it. From there on every diff must continue the one before: spot by ``U = u before + 1``, futures by ``pu``.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from mycelial.adapters.data.feeds.checking import refuse_crossed
from mycelial.adapters.data.feeds.collecting import Collector, lines_of, wrong
from mycelial.domain.errors import DataError
from mycelial.domain.recording import BUY, SELL, SNAPSHOT, UPDATE, MarketRecording

_MILLISECOND = 1_000_000
_AGAIN = "remove the line, or record or fetch the file again"


def read_binance_feed(
    path: Path, *, label: str | None = None, tick_size: Decimal | None = None, lot_size: Decimal | None = None
) -> MarketRecording:
    """Read a recorded feed.

    Parameters
    ----------
    path : Path
        Gzipped or plain.
    label : str, optional
        Name in tables; the symbol of the messages otherwise.
    tick_size, lot_size : Decimal, optional
        Found from the numbers when not given (see `numbers`).

    Raises
    ------
    NotFound, DataError
        If there is no such file; if a line is corrupt, an update is missing, the book crosses, or no snapshot comes.
    """
    path = Path(path)
    reader = _Reader(Collector(path, label or ""))
    for number, line in lines_of(path):
        reader.read(number, line)
    if not reader.has_snapshot:
        raise DataError(f"{path}: holds no depth snapshot, so no book can be built; record the REST snapshot as well")
    recording = reader.out.recording(tick_size, lot_size)
    refuse_crossed(recording)
    return recording


class _Reader:
    """The state of reading: what waits for the snapshot, and where the sequence stands."""

    def __init__(self, out: Collector) -> None:
        self.out = out
        self.has_snapshot = False
        self._ts = 0
        self._waiting: list[tuple[int, dict[str, Any]]] = []
        self._last_update = -1
        self._reached_across = False
        self._last_trade = -1

    def read(self, number: int, line: bytes) -> None:
        """Take one line."""
        path = self.out.path
        try:
            stamp, _, text = line.partition(b" ")
            ts, message = int(stamp), json.loads(text.decode())
            data = message.get("data", message)
            if ts < self._ts:
                raise ValueError(f"receive time {ts} is before that of the line above")
            self._ts = ts
            self._dispatch(number, ts, data)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise wrong(path, number, f"is no message of a Binance feed ({reason})", _AGAIN) from None

    def _dispatch(self, number: int, ts: int, data: dict[str, Any]) -> None:
        kind = data.get("e", "bookTicker" if "B" in data else None)
        if kind == "depthUpdate":
            self._name(data["s"])
            if self.has_snapshot:
                self._diff(number, ts, data)
            else:
                self._waiting.append((number, data))
        elif kind == "bookTicker":
            exchange_ts = data.get("T", 0) * _MILLISECOND
            bid, ask = (data["b"], data["B"]), (data["a"], data["A"])
            self.out.quote(ts, exchange_ts, bid, ask, sequence=int(data["u"]))
        elif kind == "trade":
            self._trade(number, ts, data)
        elif "lastUpdateId" in data:
            self._snapshot(number, ts, data)
        else:
            raise ValueError(f"unknown event {kind!r}")

    def _snapshot(self, number: int, ts: int, data: dict[str, Any]) -> None:
        sequence = int(data["lastUpdateId"])
        exchange_ts = data.get("T", 0) * _MILLISECOND
        self.out.batch(SNAPSHOT, ts, exchange_ts, number, bids=data["bids"], asks=data["asks"], sequence=sequence)
        self.has_snapshot, self._last_update, self._reached_across = True, sequence, False
        for waited, diff in self._waiting:
            self._diff(waited, ts, diff)
        self._waiting.clear()

    def _diff(self, number: int, ts: int, data: dict[str, Any]) -> None:
        first, last = int(data["U"]), int(data["u"])
        if not self._reached_across:
            if last < self._last_update or (last == self._last_update and "pu" not in data):
                return  # the snapshot holds it already
            # spot: the first must hold the snapshot's next update; futures: the snapshot's own
            if first > self._last_update + 1:
                raise wrong(
                    self.out.path,
                    number,
                    f"updates {self._last_update + 1} to {first - 1} are missing after the snapshot",
                    "take the snapshot later, or record again",
                )
            self._reached_across = True
        else:
            before = int(data["pu"]) if "pu" in data else first - 1
            if before != self._last_update:
                raise wrong(
                    self.out.path,
                    number,
                    f"follows update {before}, but the last one seen is {self._last_update}: messages were lost",
                    "use the file up to this line, or record again",
                )
        self._last_update = last
        exchange_ts = data.get("T", data["E"]) * _MILLISECOND
        self.out.batch(UPDATE, ts, exchange_ts, number, bids=data["b"], asks=data["a"], sequence=last)

    def _trade(self, number: int, ts: int, data: dict[str, Any]) -> None:
        trade_id = int(data["t"])
        if trade_id <= self._last_trade:
            raise wrong(self.out.path, number, f"trade {trade_id} comes after trade {self._last_trade}", _AGAIN)
        self._last_trade = trade_id
        if data.get("X", "MARKET") != "MARKET":
            return  # insurance fund and liquidation bookkeeping: not a trade of the book
        side = SELL if data["m"] else BUY  # m: the buyer rested
        self.out.trade(ts, data["T"] * _MILLISECOND, data["p"], data["q"], trade_id, side)

    def _name(self, symbol: str) -> None:
        if not self.out.label:
            self.out.label = str(symbol)
