"""What a market showed over time, in integers: level updates, best quotes and trades of one instrument.

The common form of every feed, recorded or simulated. Recorded files become this at the border (`adapters.data.feeds`);
facts measure it, replay trades against it. A recording is columns, not objects: structured little-endian arrays without
hidden padding, in the order in which things became known.

* ``ts`` is the time at which the recorder knew of it (ns), never going back; ``exchange_ts`` is what the exchange wrote
  into the message (ns, 0 when it wrote none). The two clocks may disagree.
* ``price`` is in ticks, ``lots`` in lots; in a level update ``lots`` is the new total of the level and 0 removes it.
* ``side`` of a level is the side it rests on; ``side`` of a trade is the taker's. 0 buys, 1 sells.

Level updates come in batches: what one message changed at once. A batch of kind `SNAPSHOT` replaces the whole book.
Between batches the book is not known to be consistent; after each it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import DataError

Records = NDArray[Any]  # structured

BUY, SELL = 0, 1
UPDATE, SNAPSHOT = 0, 1

BATCH = np.dtype(
    [
        ("ts", "<i8"),
        ("exchange_ts", "<i8"),
        ("first", "<i8"),  # index of its first level; the last ends where the next batch begins
        ("sequence", "<i8"),  # number the exchange gave it, -1 without
        ("checksum", "<i8"),  # of the book after it, -1 without
        ("line", "<i8"),  # line of the file it came from, 0 without
        ("kind", "<i8"),  # UPDATE or SNAPSHOT
    ]
)
LEVEL = np.dtype([("price", "<i8"), ("lots", "<i8"), ("side", "<i8")])
QUOTE = np.dtype(
    [
        ("ts", "<i8"),
        ("exchange_ts", "<i8"),
        ("bid", "<i8"),
        ("bid_lots", "<i8"),
        ("ask", "<i8"),
        ("ask_lots", "<i8"),
        ("sequence", "<i8"),  # of the book update it shows, -1 without
    ]
)
TRADE = np.dtype(
    [
        ("ts", "<i8"),
        ("exchange_ts", "<i8"),
        ("price", "<i8"),
        ("lots", "<i8"),
        ("trade_id", "<i8"),  # -1 when the venue numbers none
        ("side", "<i8"),  # of the taker; -1 when unknown
    ]
)


@dataclass(frozen=True, eq=False)
class MarketRecording:
    """What one instrument showed; see the module for the columns.

    Parameters
    ----------
    label : str
        What tables and figures call it.
    tick_size, lot_size : Decimal
        Worth of one tick (quote per base) and one lot (base, or contracts).
    batches, levels : structured arrays of `BATCH` and `LEVEL`
        Level updates in the order they became known; ``batches["first"]`` points into `levels`.
    quotes : structured array of `QUOTE`
        Best bid and ask, when the feed tells them apart from the levels.
    trades : structured array of `TRADE`
    depth : int
        Levels a side that the feed keeps up to date; 0 when all of them.
    source : str
        The file, for messages.
    """

    label: str
    tick_size: Decimal
    lot_size: Decimal
    batches: Records = field(default_factory=lambda: np.zeros(0, BATCH))
    levels: Records = field(default_factory=lambda: np.zeros(0, LEVEL))
    quotes: Records = field(default_factory=lambda: np.zeros(0, QUOTE))
    trades: Records = field(default_factory=lambda: np.zeros(0, TRADE))
    depth: int = 0
    source: str = "recording"

    def __post_init__(self) -> None:
        expected = {"batches": BATCH, "levels": LEVEL, "quotes": QUOTE, "trades": TRADE}
        for name, dtype in expected.items():
            if getattr(self, name).dtype != dtype:
                raise DataError(f"{self.source}: {name} have dtype {getattr(self, name).dtype}, not {dtype}")
        for name in ("batches", "quotes", "trades"):
            late = np.flatnonzero(np.diff(getattr(self, name)["ts"]) < 0)
            if late.size:
                raise DataError(
                    f"{self.source}: time goes back after {name} row {int(late[0])}; sort the file by arrival"
                )

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last moment of anything in the recording; (0, 0) when it is empty."""
        ends = [(x["ts"][0], x["ts"][-1]) for x in (self.batches, self.quotes, self.trades) if x.size]
        return (int(min(first for first, _ in ends)), int(max(last for _, last in ends))) if ends else (0, 0)

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        first, last = self.span_ns
        return (last - first) / 1e9

    def batch_of_level(self) -> NDArray[np.int64]:
        """Return the index of the batch that each level update belongs to."""
        sizes = np.diff(np.append(self.batches["first"], self.levels.size))
        return np.repeat(np.arange(self.batches.size), sizes)


def clock(records: Records) -> NDArray[np.int64]:
    """Return the exchange's time where it wrote one, else ours, made ascending.

    Single records without one (a snapshot from another channel) get that of the next record, or the one before.
    """
    times: NDArray[np.int64] = records["exchange_ts"].copy()
    written = np.flatnonzero(times > 0)
    if not written.size:
        times = records["ts"].copy()
    elif written.size < times.size:
        following = np.searchsorted(written, np.arange(times.size))
        times = times[written[np.minimum(following, written.size - 1)]]
    return np.maximum.accumulate(times) if times.size else times


def clocks(recording: MarketRecording) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the times of batches and of trades on one clock: the exchange's when it wrote both, else ours."""
    batches, trades = recording.batches, recording.trades
    if trades.size and batches.size and (trades["exchange_ts"] > 0).any() != (batches["exchange_ts"] > 0).any():
        return batches["ts"].copy(), trades["ts"].copy()
    return clock(batches), clock(trades)
