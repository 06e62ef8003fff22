"""`Floor`: one pair's living market as the exchange drives it, and what it showed since it was last asked.

Customers are the market's participants from outside. What they send is matched at once: it enters with no latency at
the market's present and the loop runs just that instant. Their accounts in the order book may borrow, because their
wallets have paid before (`wallets`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError, DataError, MycelialError
from mycelial.market.book import EVENT, EventKind, Flag, Kind, Mode
from mycelial.simulation.exchange.listing import Listing
from mycelial.simulation.intraday import driver, kernel
from mycelial.simulation.intraday.market import IntradayMarket
from mycelial.simulation.scenarios import Scenario
from mycelial.simulation.stress import StressedMarket

_RECORD = struct.Struct("<qBBBBB3xiiqqqqqqq")  # INPUT
_RING = 1 << 16  # events kept: one order may sweep a whole book
_FEW = 24
_PLAIN = np.dtype((np.void, EVENT.itemsize))
_BATCH = 2_048  # events after which the loop stops, so that none leaves the ring of the latest unseen
_TRADE, _MARKET = int(EventKind.TRADE), int(Flag.MARKET)
_NEW, _CANCEL, _AMEND, _CONTROL = (int(kind) for kind in (Kind.NEW, Kind.CANCEL, Kind.AMEND, Kind.CONTROL))

# One event as a tuple; these are places in it.
EventRow = tuple[int, ...]
TS, CAUSE, KIND, REASON, SIDE, FLAGS, OWNER, HANDLE, CLIENT, PRICE, LOTS, LEAVES, MAKER, MAKER_OWNER = range(1, 15)
assert (EVENT.names or ())[PRICE] == "price"

Relevant = tuple[int, EventRow]  # number of the public trade (or of the next one), and the event


class WatchedMarket(IntradayMarket):
    """A market that stops for its watcher before events leave the ring of the latest, whoever runs it."""

    watcher: Callable[[], None]
    watch_until = 0  # number of the event at which it stops next

    def run_until(self, time_ns: int, *, stop_on_delivery: bool = False) -> int:
        """Let everything happen up to and including `time_ns`; see `IntradayMarket`."""
        if time_ns < self.now:
            raise DataError(f"the market is at {self.now} ns and cannot go back to {time_ns}")
        header = self.header
        while True:
            header["stop_event"] = self.watch_until
            why = driver.run(header, time_ns)
            if why in (kernel.REACHED, kernel.PAUSED):
                self.watcher()
                if why == kernel.REACHED:
                    return self.now
            else:
                self.make_way(why)


class Floor:
    """The market of one listed pair.

    Parameters
    ----------
    listed : Listing
    seed : int
    customers : int
        Accounts that may trade; customer n is owner `first_customer` + n of the order book.
    first_trade : int
        Number of the first public trade.
    record : bool
        Keep inputs and events for `market.take_recording`.
    """

    def __init__(
        self, listed: Listing, seed: int, customers: int, *, first_trade: int = 1, record: bool = False
    ) -> None:
        self.listed = listed
        # the last participant from outside is the operator: modes and scenarios act through it
        self.market = WatchedMarket(
            listed.instrument, listed.population, seed, externals=customers + 1, record=record, events_kept=_RING
        )
        self.market.watcher = self._look
        self.first_customer = listed.population.agents
        self.operator = self.first_customer + customers
        self.market.book.state.arrays["accounts"]["may_borrow"][self.first_customer : self.operator] = 1
        self.stress: StressedMarket | None = None
        self._given = self._world()
        self._found: list[Relevant] = []
        self._buffer = bytearray(_RECORD.size)
        self._words = np.frombuffer(self._buffer, np.uint64).reshape(1, -1)
        self._book, self._ring = self.market.book.state.header, self.market.arrays["events"]
        self._plain_ring = self._ring.view(_PLAIN)
        self._seen = int(self._book["event_seq"][0])
        self.market.watch_until = self._seen + _BATCH
        self.first_trade = self.next_trade = first_trade
        self.shown: list[NDArray[np.void]] = []  # events not yet made public, as plain bytes
        self.last_price = 0  # of the last trade, ticks
        self.moves: list[int] = []  # prices of the trades since triggers last looked
        self.market_orders: set[int] = set()  # serials of customers' market orders since trades were last shown
        self.by_handle: dict[int, int] = {}  # serials of customers' orders by their handle in the book

    @property
    def now(self) -> int:
        """Time of the market, ns from its opening."""
        return self.market.now

    @property
    def mode(self) -> Mode:
        """Session mode of the order book."""
        return self.market.book.mode

    def best(self, side: int) -> int:
        """Return the best price of a side in ticks, 0 if it is empty."""
        book = self.market.book
        return book.best_bid if side == 0 else book.best_ask

    def run(self, until: int) -> list[Relevant]:
        """Let everything up to `until` happen; return the events that concern customers, in order.

        A market that reopens after an outage may be ahead already.
        """
        if until >= self.now:
            (self.stress or self.market).run_until(until)
        found, self._found = self._found, []
        return found

    def play(self, scenario: Scenario, seed: int) -> None:
        """Let a scenario happen to this market from now on.

        Raises
        ------
        ConfigError
            If another one is not over yet.
        """
        if self.stress is not None and not self.stress.is_over:
            raise ConfigError(
                f"{self.listed.symbol}: scenario {self.stress.scenario.name} is still going on; wait until it is over"
            )
        self.stress = StressedMarket(
            self.market, scenario, pair=self.listed.symbol, hand=self.operator, own=self.operator, seed=seed
        )

    def owned(self) -> tuple[int, int]:
        """Return (cash units, lots) that residents and operator own, less what the operator was given since the start.

        Together with what customers owe the book it never changes.
        """
        accounts = self.market.book.state.arrays["accounts"]
        here = np.concatenate([accounts[: self.first_customer], accounts[self.operator : self.operator + 1]])
        cash, lots = self._world()
        return (
            int(here["cash_free"].sum() + here["cash_held"].sum()) + cash - self._given[0],
            int(here["asset_free"].sum() + here["asset_held"].sum()) + lots - self._given[1],
        )

    def _world(self) -> tuple[int, int]:
        """Return the account that funds come from."""
        world = self.market.book.state.arrays["accounts"][-1]
        return int(world["cash_free"]), int(world["asset_free"])

    def new(
        self,
        customer: int,
        serial: int,
        *,
        side: int,
        tif: int,
        flags: int,
        stp: int,
        price: int,
        lots: int,
        display: int,
        expire: int,
    ) -> list[Relevant]:
        """Let an order enter now; `serial` is its client id in the book."""
        owner = self.first_customer + customer
        if flags & _MARKET:
            self.market_orders.add(serial)
        _RECORD.pack_into(
            self._buffer, 0, 0, _NEW, side, tif, flags, stp, owner, -1, -1, serial, price, lots, display, expire, 0
        )
        return self._enter(owner)

    def cancel(self, customer: int, handle: int) -> list[Relevant]:
        """Take an order out of the book."""
        owner = self.first_customer + customer
        _RECORD.pack_into(self._buffer, 0, 0, _CANCEL, 0, 0, 0, 0, owner, -1, handle, 0, 0, 0, 0, 0, 0)
        return self._enter(owner)

    def amend(self, customer: int, handle: int, price: int, lots: int, display: int) -> list[Relevant]:
        """Change an order in the book; -1 leaves a value as it is."""
        owner = self.first_customer + customer
        _RECORD.pack_into(self._buffer, 0, 0, _AMEND, 0, 0, 0, 0, owner, -1, handle, 0, price, lots, display, 0, 0)
        return self._enter(owner)

    def set_mode(self, mode: Mode) -> list[Relevant]:
        """Change the session mode."""
        owner = self.operator
        _RECORD.pack_into(self._buffer, 0, 0, _CONTROL, 0, 0, 0, 0, owner, -1, -1, 0, 0, 0, 0, 0, int(mode))
        return self._enter(owner)

    def usual_minute(self) -> tuple[float, float]:
        """Return (trades, lots) of a minute, by what happened since the market began."""
        tape = self.market.tape(1 << 20)
        minutes = max(self.now, 1) / 60e9
        return max(1.0, len(tape) / minutes), max(float(self.listed.instrument.min_lots), tape["lots"].sum() / minutes)

    def take_shown(self) -> NDArray[np.void]:
        """Return the events since the last call, ``EVENT[n]``."""
        if not self.shown:
            return np.zeros(0, EVENT)
        taken = self.shown[0] if len(self.shown) == 1 else np.concatenate(self.shown)
        self.shown = []
        return taken.view(EVENT)

    def _enter(self, owner: int) -> list[Relevant]:
        market, header = self.market, self.market.header
        if self.stress is not None:  # storms are for residents here; the gateway gives customers theirs
            troubles = [(name, float(header[name][0])) for name in ("loss", "throttle_limit")]
            header["loss"] = header["throttle_limit"] = 0.0
        while (refused := kernel.enqueue(header, self._words, owner, market.now)) < 0:
            market.make_way(kernel.QUEUE_FULL)
        if self.stress is not None:
            for name, value in troubles:
                header[name] = value
        if refused:
            raise MycelialError(f"{self.listed.symbol}: the engine's throttle refused a customer's order")
        market.run_until(market.now)
        found, self._found = self._found, []
        return found

    def _look(self) -> None:
        """Take note of the events since the last look, and of those that concern customers."""
        count = int(self._book["event_seq"][0]) - self._seen
        if count == 0:
            return
        first, operator, found = self.first_customer, self.operator, self._found
        start = self._seen & (_RING - 1)
        self._seen += count
        self.market.watch_until = self._seen + _BATCH
        if count < _FEW and start + count <= _RING:  # what one order causes; plain Python is faster
            self.shown.append(self._plain_ring[start : start + count].copy())
            row: Any
            for row in self._ring[start : start + count].tolist():
                if first <= row[OWNER] < operator or first <= row[MAKER_OWNER] < operator:
                    found.append((self.next_trade, row))
                if row[KIND] == _TRADE:
                    self.next_trade += 1
                    self.last_price = row[PRICE]
                    self.moves.append(row[PRICE])
            return
        events = self.market.events_since(self._seen - count)
        self.shown.append(events.view(_PLAIN))
        is_trade = events["kind"] == _TRADE
        numbers = np.cumsum(is_trade) - is_trade + self.next_trade
        owners, makers = events["owner"], events["maker_owner"]
        mine = np.flatnonzero(((owners >= first) & (owners < operator)) | ((makers >= first) & (makers < operator)))
        prices = events["price"][is_trade].tolist()
        self.next_trade += len(prices)
        if prices:
            self.last_price = prices[-1]
            self.moves += prices
        found += zip(numbers[mine].tolist(), events[mine].tolist(), strict=True)
