"""Looking at a market at a steady beat: what stability is measured from, with or without a scenario."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.intraday.config import KINDS
from mycelial.agents.intraday.state import STOP_HOLDER
from mycelial.simulation.intraday.market import SECOND, IntradayMarket

MAKER_KIND = KINDS.index("maker")


class Running(Protocol):
    """A market, or something that runs one."""

    def run_until(self, time_ns: int) -> int:
        """Let everything happen up to and including `time_ns`."""


@dataclass(frozen=True, eq=False)
class Samples:
    """What was seen, one row a beat; prices in ticks, sizes in lots.

    Parameters
    ----------
    time_ns : int64[n]
    bid, bid_lots, ask, ask_lots : float64[n, depth], best first; 0 lots where no level is, prices repeat the last one.
    worth, reference : float64[n], the fundamental, and the price on another venue.
    positions : float64[n, owners], lots held beyond those at the first beat.
    maker_share : float64[n], of the lots within 25 basis points those of market makers.
    stops : float64[k], ticks of the stops that wait at the end; side does not matter.
    trades : structured `TRADE[m]` of `simulation.intraday.state`.
    missed : trades that had left the tape before they were looked at.
    """

    time_ns: NDArray[np.int64]
    bid: NDArray[np.float64]
    bid_lots: NDArray[np.float64]
    ask: NDArray[np.float64]
    ask_lots: NDArray[np.float64]
    worth: NDArray[np.float64]
    reference: NDArray[np.float64]
    positions: NDArray[np.float64]
    maker_share: NDArray[np.float64]
    stops: NDArray[np.float64]
    trades: NDArray[np.void]
    missed: int

    @property
    def mid(self) -> NDArray[np.float64]:
        """Mid price, float64[n]; of an empty side the last known."""
        return 0.5 * (self.bid[:, 0] + self.ask[:, 0])


@dataclass
class Probe:
    """Looks at a market when told to, and keeps what it saw.

    Parameters
    ----------
    market : IntradayMarket
    depth : int
        Levels a side.
    """

    market: IntradayMarket
    depth: int = 400
    _rows: list[tuple[NDArray[np.float64], ...]] = field(default_factory=list)
    _times: list[int] = field(default_factory=list)
    _trades: list[NDArray[np.void]] = field(default_factory=list)
    _told: int = -1
    _missed: int = 0

    def look(self) -> None:
        """Keep what the market shows now, and the trades since the last look."""
        market = self.market
        count = int(market.header["tape_count"][0])
        if self._told >= 0:
            fresh = market.tape(count - self._told)
            self._missed += count - self._told - len(fresh)
            self._trades.append(fresh)
        self._told = count
        sides = []
        former = self._rows[-1] if self._rows else None
        for side in (0, 1):
            levels = market.book.levels(side, self.depth)
            whole = np.zeros((self.depth, 2))
            whole[: len(levels)] = levels
            if not len(levels):  # an empty side is where it was last seen
                whole[:, 0] = former[2 * side][0] if former else float(market.population.header["mid"][0])
            else:
                whole[len(levels) :, 0] = levels[-1, 0]
            sides += [whole[:, 0], whole[:, 1]]
        accounts = market.book.state.arrays["accounts"]
        held = (accounts["asset_free"] + accounts["asset_held"])[: market.config.agents + market.externals]
        worth = market.worth
        people = market.population.header
        stray = float(people["straying"][0] + people["reference_shift"][0])
        figures = np.array([worth, worth * np.exp(stray), self._maker_share()])
        self._times.append(market.now)
        self._rows.append((*sides, held.astype(np.float64), figures))

    def live(self, running: Running, until_ns: int, *, beat_ns: int = SECOND) -> Iterator[int]:
        """Let a market, or what runs one, live until `until_ns`; look every `beat_ns` and give the time."""
        self.look()
        while self.market.now < until_ns:
            running.run_until(min(self.market.now - self.market.now % beat_ns + beat_ns, until_ns))
            self.look()
            yield self.market.now

    def samples(self) -> Samples:
        """Return everything seen so far."""
        columns = [np.array(column) for column in zip(*self._rows, strict=True)]
        bid, bid_lots, ask, ask_lots, held, figures = columns
        agents = self.market.population.arrays["agents"]
        holders = (agents["kind"] == STOP_HOLDER) & (agents["armed"] != 0)
        return Samples(
            np.array(self._times, np.int64),
            bid,
            bid_lots,
            ask,
            ask_lots,
            figures[:, 0],
            figures[:, 1],
            held - held[0],
            figures[:, 2],
            agents["belief"][holders].copy(),
            np.concatenate(self._trades) if self._trades else np.zeros(0, self.market.arrays["tape"].dtype),
            self._missed,
        )

    def _maker_share(self) -> float:
        market = self.market
        rows = market.book.orders()
        mid = float(market.population.header["mid"][0])
        near = rows[np.abs(rows["price"] - mid) <= 25e-4 * mid]
        if not len(near):
            return float("nan")
        kinds = market.population.arrays["agents"]["kind"][near["owner"]]
        whole = float(near["shown"].sum())
        return float(near["shown"][kinds == MAKER_KIND].sum()) / whole if whole > 0 else float("nan")
