"""Collect messages of a feed, one after another, into a `MarketRecording`: compact columns, nothing kept twice."""

from __future__ import annotations

import gzip
import zlib
from array import array
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.adapters.data.feeds.numbers import WireColumn, power_of_ten_step, wire_step
from mycelial.domain.errors import DataError, NotFound
from mycelial.domain.recording import BATCH, LEVEL, QUOTE, TRADE, MarketRecording

_PRICES = {BATCH: (), LEVEL: ("price",), QUOTE: ("bid", "ask"), TRADE: ("price",)}
_LOTS = {BATCH: (), LEVEL: ("lots",), QUOTE: ("bid_lots", "ask_lots"), TRADE: ("lots",)}


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, line) of a text file, gzipped or not, never holding more than a line.

    Raises
    ------
    NotFound, DataError
        If there is no such file, or its compression is broken.
    """
    if not path.is_file():
        raise NotFound(f"{path}: no such file; check the path")
    number = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: broken after line {number} ({error}); fetch the file again") from error


def wrong(path: Path, line: int, what: str, next_step: str) -> DataError:
    """Return the error of one line: where, what, and what to do."""
    return DataError(f"{path}: line {line}: {what}; {next_step}")


class Collector:
    """Columns that grow while a feed is read; numbers arrive as text."""

    def __init__(self, path: Path, label: str) -> None:
        self.path = path
        self.label = label
        self._price, self._lots = WireColumn(may_be_zero=False), WireColumn(may_be_zero=True)
        self._batches, self._quotes, self._trades = (array("q") for _ in range(3))
        self._level_price, self._level_lots, self._level_side = (array("q") for _ in range(3))

    @property
    def printed_decimals(self) -> tuple[int, int]:
        """Most decimals of a price and of a quantity so far."""
        return self._price.printed, self._lots.printed

    @property
    def n_levels(self) -> int:
        """Level updates so far."""
        return len(self._level_side)

    def batch(
        self,
        kind: int,
        ts: int,
        exchange_ts: int,
        line: int,
        *,
        bids: Sequence[Any] = (),
        asks: Sequence[Any] = (),
        sequence: int = -1,
        checksum: int = -1,
    ) -> None:
        """Add one message; each level begins with price and quantity as text.

        Raises
        ------
        ValueError
            If a number is none.
        """
        self._batches.extend((ts, exchange_ts, self.n_levels, sequence, checksum, line, kind))
        price, lots = self._price, self._lots
        for side, levels in enumerate((bids, asks)):
            self._level_price.extend([price[level[0]] for level in levels])
            self._level_lots.extend([lots[level[1]] for level in levels])
            self._level_side.extend([side] * len(levels))

    def quote(
        self, ts: int, exchange_ts: int, bid: tuple[str, str], ask: tuple[str, str], *, sequence: int = -1
    ) -> None:
        """Add a best bid and ask, each as price and quantity."""
        price, lots = self._price, self._lots
        self._quotes.extend((ts, exchange_ts, price[bid[0]], lots[bid[1]], price[ask[0]], lots[ask[1]], sequence))

    def trade(self, ts: int, exchange_ts: int, price: str, lots: str, trade_id: int, side: int) -> None:
        """Add a trade; `side` is the taker's, -1 when unknown."""
        self._trades.extend((ts, exchange_ts, self._price[price], self._lots[lots], trade_id, side))

    def recording(
        self, tick_size: Decimal | None = None, lot_size: Decimal | None = None, *, depth: int = 0
    ) -> MarketRecording:
        """Return what was collected, in ticks and lots.

        Raises
        ------
        DataError
            If a number is not a multiple of the size given, or time goes back.
        """
        tables = {
            dtype: np.frombuffer(column.tobytes(), dtype).copy()
            for dtype, column in (
                (BATCH, self._batches),
                (QUOTE, self._quotes),
                (TRADE, self._trades),
            )
        }
        levels = tables[LEVEL] = np.zeros(self.n_levels, LEVEL)
        levels["price"], levels["lots"], levels["side"] = self._level_price, self._level_lots, self._level_side
        tick = self._rescale(tables, _PRICES, tick_size, self._price.decimals, "tick size")
        lot = self._rescale(tables, _LOTS, lot_size, self._lots.decimals, "lot size")
        return MarketRecording(
            label=self.label,
            tick_size=tick,
            lot_size=lot,
            batches=tables[BATCH],
            levels=tables[LEVEL],
            quotes=tables[QUOTE],
            trades=tables[TRADE],
            depth=depth,
            source=str(self.path),
        )

    def _rescale(
        self,
        tables: dict[np.dtype[Any], NDArray[Any]],
        columns: dict[np.dtype[Any], tuple[str, ...]],
        size: Decimal | None,
        decimals: int,
        what: str,
    ) -> Decimal:
        """Divide the columns by the size in place and return it."""
        parts = [tables[dtype][name] for dtype, names in columns.items() for name in names]
        if size is None:
            common = np.array([np.gcd.reduce(part) for part in parts if part.size], np.int64)
            step = power_of_ten_step(common)
        else:
            step = wire_step(size, decimals, f"{self.path}: {self.label} {what}")
        for part in parts:
            odd = np.flatnonzero(part % step)
            if odd.size:
                value = Decimal(int(part[odd[0]])).scaleb(-decimals).normalize()
                raise DataError(
                    f"{self.path}: {self.label} holds {value:f}, no multiple of the {what} {size}; "
                    "give the exchange's own or leave it out"
                )
            part //= step
        return Decimal(step).scaleb(-decimals).normalize()
