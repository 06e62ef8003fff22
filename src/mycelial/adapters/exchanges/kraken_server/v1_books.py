"""Books for WebSocket v1: the same updates, with checksums over prices as v1 prints them, and numbers of channels."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from mycelial.adapters.exchanges.kraken_server.desk import Desk
from mycelial.kraken.ws.v1 import TimedLevel, V1Printer
from mycelial.market.checksum import LEVELS
from mycelial.simulation.exchange.reports import BookUpdate

Levels = dict[int, int]  # price to quantity


class V1Books:
    """Follows the books that v1 clients watch, because their checksums differ from v2's."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._held: dict[tuple[str, int], tuple[Levels, Levels]] = {}
        self._numbers: dict[tuple[object, ...], int] = {}

    def number(self, topic: tuple[object, ...]) -> int:
        """Return the channel number of a topic."""
        return self._numbers.setdefault(topic, len(self._numbers) + 1)

    def snapshot(self, channel_id: int, whole: BookUpdate) -> bytes:
        """Begin to follow a book, and print it."""
        bids, asks = whole.bids.tolist(), whole.asks.tolist()
        self._held[whole.symbol, whole.depth] = dict(bids), dict(asks)
        printer, at_ns = self._desk.v1_printers[whole.symbol], whole.time_ns
        return printer.book_snapshot(channel_id, whole.depth, _timed(bids, at_ns), _timed(asks, at_ns))

    def update(self, topic: tuple[object, ...], update: BookUpdate) -> bytes:
        """Follow an update and print it; empty bytes if it changes nothing."""
        held = self._held.get((update.symbol, update.depth))
        if held is None or not (len(update.bids) or len(update.asks)):
            return b""
        printer = self._desk.v1_printers[update.symbol]
        changes = update.bids.tolist(), update.asks.tolist()
        for side, rows, falls in ((held[0], changes[0], True), (held[1], changes[1], False)):
            for price, qty in rows:
                if qty:
                    side[price] = qty
                else:
                    side.pop(price, None)
            for price in sorted(side, reverse=falls)[update.depth :]:
                del side[price]
        bids, asks = (_timed(rows, update.time_ns) for rows in changes)
        return printer.book_update(self.number(topic), update.depth, bids, asks, _checksum(printer, *held))

    def forget(self, symbol: str, depth: int) -> None:
        """Follow a book no longer."""
        self._held.pop((symbol, depth), None)


def _timed(levels: Iterable[tuple[int, int]], at_ns: int) -> list[TimedLevel]:
    return [(price, qty, at_ns) for price, qty in levels]


def _checksum(printer: V1Printer, bids: Levels, asks: Levels) -> int:
    parts = []
    for side, falls in ((asks, False), (bids, True)):
        for price in sorted(side, reverse=falls)[:LEVELS]:
            parts.append(f"{price * printer.tick_step}{side[price] * printer.lot_step}")
    return zlib.crc32("".join(parts).encode())
