"""An exchange that stops and starts again: what becomes of messages on their way, and how trading reopens.

While it is out nobody living here decides anything: their clocks have no memory, so each kind's next wake-up is put
off by what was left of its wait. Trading reopens in three steps, as exchanges do it: orders may be withdrawn, then
placed without matching, then all is as before.
"""

from __future__ import annotations

import numpy as np

from mycelial.agents.intraday.deciding import ASK_SLOT, BID_SLOT
from mycelial.agents.intraday.population import opening_orders
from mycelial.agents.intraday.state import QUOTE_TAG
from mycelial.domain.seeds import generator
from mycelial.market.book import Flag, Kind, Mode
from mycelial.simulation.intraday.market import SECOND, IntradayMarket
from mycelial.simulation.intraday.state import ORDER, WAKE
from mycelial.simulation.scenarios import Outage
from mycelial.simulation.scenarios.injections import ONE
from mycelial.simulation.stress.dials import Dials
from mycelial.simulation.stress.orders import record, withdrawn

PHASE_NS = SECOND  # of withdrawing, and of placing without matching
REOPENING_NS = 2 * PHASE_NS
_RANK, _OWNER_BITS, _OWNER_MASK = 56, 32, 0xFFFFFF


class OutageCourse:
    """One outage from its first moment to the reopening.

    Parameters
    ----------
    plan : Outage
    hand : int
        Account whose CONTROL records speak for the operator.
    seed : int
        Decides which of the last messages arrived.
    """

    def __init__(self, market: IntradayMarket, plan: Outage, hand: int, seed: int, end_ns: int) -> None:
        self._market, self._plan, self._hand, self._end = market, plan, hand, end_ns
        self._mode = market.book.mode
        self._worth = market.worth
        self._centre = float(market.population.header["mid"][0])
        self._loss = 0.0
        self._rng = generator(seed, "stress", "outage", market.now)

    def begin(self) -> None:
        """Stop: the last messages arrive or not, everybody's clock waits, the operator closes the gateway."""
        market = self._market
        self._settle_messages()
        put_off_wakes(market, self._end + REOPENING_NS)
        self._control(Mode.MAINTENANCE, market.now + 1)
        if self._plan.answers == "timeouts":
            market.run_until(market.now + 1)
            self._loss = float(market.header["loss"][0])
            market.header["loss"] = 1.0  # what is sent now is never answered

    def reopen(self, dials: Dials) -> None:
        """Start again at the price that the gap leads to; the market lives through the reopening."""
        market, factor = self._market, 1.0 + self._plan.reopen_gap_ppm / ONE
        if self._plan.answers == "timeouts":
            market.header["loss"] = self._loss
        dials.move_worth_to(max(self._worth * factor, 2.0))
        if self._plan.cancel_resting:
            self._control(Mode.CLOSED, market.now)
        self._control(Mode.CANCEL_ONLY, market.now)
        centre, people = max(self._centre * factor, 2.0), market.population.header
        if self._plan.reopen_gap_ppm:
            for name in ("mid", "fast_mid", "slow_mid"):
                people[name] = centre
            self._withdraw_between(centre)
        market.run_until(market.now + PHASE_NS)
        self._control(Mode.POST_ONLY, market.now)
        if self._plan.reopen_gap_ppm or self._plan.cancel_resting:
            self._place_again(centre)
        market.run_until(market.now + PHASE_NS)
        self._control(self._mode, market.now)

    def _control(self, mode: Mode, at: int) -> None:
        self._market.submit(record(Kind.CONTROL, aux=int(mode)), self._hand, at)

    def _settle_messages(self) -> None:
        """Let each message on its way arrive at once or never."""
        market = self._market
        queue, count = market.arrays["queue"], int(market.header["queue_count"][0])
        entries = queue[:count].copy()
        on_their_way = np.flatnonzero(entries["tie"] >> _RANK == ORDER)
        arrives = (
            self._rng.random(on_their_way.size) < 0.5
            if self._plan.order_state_unknown
            else np.ones(on_their_way.size, np.bool_)
        )
        entries["time"][on_their_way[arrives]] = market.now
        for at in on_their_way[~arrives]:
            _lose(market, int(entries["payload"][at]))
        kept = np.ones(count, np.bool_)
        kept[on_their_way[~arrives]] = False
        _put_back(market, entries[kept])

    def _withdraw_between(self, centre: float) -> None:
        """Residents take back orders that the new price would run over."""
        market = self._market
        reach = abs(centre - self._centre)
        for owner, records in withdrawn(market, keep_ppm=ONE, nearer_than=reach):
            market.order_for(records, owner)

    def _place_again(self, centre: float) -> None:
        """Noise agents without an order place one around the new price, as when the market first opened."""
        market, seed = self._market, int(self._rng.integers(2**62))
        agents = market.population.arrays["agents"]
        orders = opening_orders(market.population, market.config, seed, centre=centre)
        orders["flags"] = int(Flag.POST_ONLY)
        orders["price"] = np.clip(orders["price"], 1, market.instrument.ladder_ticks - 1)
        alive = set(market.book.orders()["handle"].tolist())
        for side, slot, tag in ((0, "bid", BID_SLOT), (1, "ask", ASK_SLOT)):
            mine = orders[orders["side"] == side]
            for n, owner in enumerate(mine["owner"].tolist()):
                if agents[slot][owner] < 0 or int(agents[slot][owner]) in alive:
                    continue
                mine["aux"][n] = tag
                agents[slot][owner] = -1
                market.order_for(mine[n : n + 1], owner)


def put_off_wakes(market: IntradayMarket, until_ns: int) -> None:
    """Put off everybody's next decision until after `until_ns`, by what is left to wait for it."""
    count = int(market.header["queue_count"][0])
    entries = market.arrays["queue"][:count].copy()
    asleep = entries["tie"] >> _RANK == WAKE
    entries["time"][asleep] += max(0, until_ns - market.now)
    _put_back(market, entries)


def _put_back(market: IntradayMarket, entries: np.ndarray) -> None:
    """Store entries as the queue; in order of time they are a heap."""
    ordered = entries[np.lexsort((entries["tie"], entries["time"]))]
    market.arrays["queue"][: len(ordered)] = ordered
    market.header["queue_count"] = len(ordered)


def _lose(market: IntradayMarket, slot: int) -> None:
    """Forget a message on its way; a resident comes to know that it did not arrive."""
    message, loop = market.arrays["messages"][slot], market.header
    owner, tag = int(message["owner"]), int(message["aux"])
    if owner < market.config.agents and int(message["kind"]) in (int(Kind.NEW), int(Kind.CANCEL)):
        handle = int(message["handle"]) if int(message["kind"]) == int(Kind.CANCEL) else 0
        agents = market.population.arrays["agents"]
        if tag == BID_SLOT:
            agents["bid"][owner] = handle
        elif tag == ASK_SLOT:
            agents["ask"][owner] = handle
        elif tag >= QUOTE_TAG:
            market.population.arrays["quotes"]["handle"][tag - QUOTE_TAG] = handle
    free = int(loop["free_count"][0])
    market.arrays["free"]["slot"][free] = slot
    loop["free_count"] = free + 1
    loop["dropped"] += 1
