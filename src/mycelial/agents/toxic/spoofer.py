"""A scripted spoofer, for simulation only: it shows size it does not mean to trade, to be filled on the other side.

The cycle: rest a genuine order at the best price, show a large bait a few ticks behind the best price of the other
side, wait until the genuine order is filled or time is up, cancel everything, and do the mirror image to get flat.
With ``bait=False`` the same agent does the same without the bait: what it then earns less is the gain of spoofing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.seeds import generator
from mycelial.market.book import INPUT, EventKind, Flag, Kind

SECOND = 10**9


@dataclass(frozen=True)
class SpoofPlan:
    """What a spoofer does.

    Parameters
    ----------
    genuine_lots : int
        The order meant to trade.
    bait : bool
        Whether the bait is shown at all.
    bait_factor : float
        Size of the bait in usual queues at the best price.
    bait_ticks : int
        How far behind the best price it lies.
    guard : float
        The bait is withdrawn when less than this many usual queues lie ahead of it.
    life_s : float
        Longest life of a cycle.
    fill_share : float
        Part of the genuine order that ends the cycle.
    pause_s : float
        Mean pause between cycles.
    improve_ticks : int
        How far the genuine order goes inside the spread, where there is room.
    """

    genuine_lots: int = 200
    bait: bool = True
    bait_factor: float = 5.0
    bait_ticks: int = 2
    guard: float = 0.3
    life_s: float = 3.0
    fill_share: float = 0.5
    pause_s: float = 1.0
    improve_ticks: int = 0


class Spoofer:
    """The state of one spoofer; feed it what it sees and send what it returns.

    Parameters
    ----------
    owner : int
        Its account.
    plan : SpoofPlan
    seed : int
        For sides and pauses.
    """

    def __init__(self, owner: int, plan: SpoofPlan, seed: int = 1) -> None:
        self.owner, self.plan = owner, plan
        self.position = 0  # lots
        self.cycles = 0
        self._rng = generator(seed, "spoofer", owner)
        self._usual_queue = 0.0
        self._side = 0
        self._filled = 0
        self._ends = -1  # ns; -1 between cycles
        self._next = 0
        self._bait_tick = 0
        self._id = 0

    def act(
        self, time: int, bids: NDArray[np.int64], asks: NDArray[np.int64], events: NDArray[np.void]
    ) -> NDArray[np.void]:
        """Return the records to send at `time`.

        Parameters
        ----------
        bids, asks : int64[n, 2]
            Price and lots, best first; zeros where no level is.
        events : EVENT[m]
            What it heard of its own orders since the last call.
        """
        self._count_fills(events)
        bid, ask = int(bids[0, 0]), int(asks[0, 0])
        if bid == 0 or ask == 0:
            return self._end(time) if self._ends >= 0 else np.zeros(0, INPUT)
        queue = 0.5 * float(bids[0, 1] + asks[0, 1])
        self._usual_queue += (queue - self._usual_queue) * (0.05 if self._usual_queue else 1.0)
        if self._ends < 0:
            return self._begin(time, bid, ask) if time >= self._next else np.zeros(0, INPUT)
        filled = self._filled >= self.plan.fill_share * self.plan.genuine_lots
        if filled or time >= self._ends or (self.plan.bait and self._is_exposed(bids if self._side == 1 else asks)):
            return self._end(time)
        return np.zeros(0, INPUT)

    def _is_exposed(self, levels: NDArray[np.int64]) -> bool:
        """Tell whether too little lies ahead of the bait."""
        price, lots = levels[:, 0], levels[:, 1]
        better = price > self._bait_tick if self._side == 1 else (price < self._bait_tick) & (price > 0)
        return float(lots[better].sum()) < self.plan.guard * self._usual_queue

    def _count_fills(self, events: NDArray[np.void]) -> None:
        for event in events[events["kind"] == int(EventKind.TRADE)]:
            taker = int(event["owner"]) == self.owner
            buys = (int(event["side"]) == 0) == taker
            self.position += int(event["lots"]) if buys else -int(event["lots"])
            if buys == (self._side == 0):
                self._filled += int(event["lots"])

    def _begin(self, time: int, bid: int, ask: int) -> NDArray[np.void]:
        self._side = int(self._rng.random() < 0.5) if self.position == 0 else int(self.position > 0)
        self._filled, self._ends, self.cycles = 0, time + int(self.plan.life_s * SECOND), self.cycles + 1
        lots = self.plan.genuine_lots if self.position == 0 else min(abs(self.position), 2 * self.plan.genuine_lots)
        buying = self._side == 0
        better = min(self.plan.improve_ticks, max(ask - bid - 1, 0))
        genuine = self._order(self._side, bid + better if buying else ask - better, lots)
        self._bait_tick = max(1, ask + self.plan.bait_ticks if buying else bid - self.plan.bait_ticks)
        if not self.plan.bait:
            return genuine
        size = max(1, int(self.plan.bait_factor * self._usual_queue))
        return np.concatenate([genuine, self._order(1 - self._side, self._bait_tick, size)])

    def _end(self, time: int) -> NDArray[np.void]:
        self._ends = -1
        self._next = time + int(self.plan.pause_s * SECOND * (0.5 + self._rng.random()))
        record = np.zeros(1, INPUT)
        record["kind"], record["side"], record["owner"], record["group"] = int(Kind.CANCEL_ALL), 2, self.owner, -1
        return record

    def _order(self, side: int, price: int, lots: int) -> NDArray[np.void]:
        self._id += 1
        record = np.zeros(1, INPUT)
        record["kind"], record["side"], record["flags"] = int(Kind.NEW), side, int(Flag.POST_ONLY)
        record["owner"], record["group"], record["handle"], record["client_id"] = self.owner, -1, -1, self._id
        record["price"], record["lots"] = price, lots
        return record
