"""`Floor`: one pair's living market as the exchange drives it, and what it showed since it was last asked.

Customers are the market's participants from outside. What they send is matched at once: it enters with no latency at
the market's present and the loop runs just that instant. Their accounts in the order book may borrow, because their
wallets have paid before (`wallets`).
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.copying import joined
from mycelial.domain.errors import MycelialError
from mycelial.market.book import EVENT, EventKind, Flag, Kind, Mode
from mycelial.simulation.exchange.listing import Listing
from mycelial.simulation.intraday import driver, kernel
from mycelial.simulation.intraday.market import IntradayMarket

_RECORD = struct.Struct("<qBBBBB3xiiqqqqqqq")  # INPUT
_RING = 1 << 16  # events kept: one order may sweep a whole book
_BATCH = 2_048  # events after which the loop stops, so that none leaves the ring of the latest unseen
_TRADE, _MARKET = int(EventKind.TRADE), int(Flag.MARKET)
_NEW, _CANCEL, _AMEND, _CONTROL = (int(kind) for kind in (Kind.NEW, Kind.CANCEL, Kind.AMEND, Kind.CONTROL))

# One event as a tuple; these are places in it.
EventRow = tuple[int, ...]
TS, CAUSE, KIND, REASON, SIDE, FLAGS, OWNER, HANDLE, CLIENT, PRICE, LOTS, LEAVES, MAKER, MAKER_OWNER = range(1, 15)
assert (EVENT.names or ())[PRICE] == "price"

Relevant = tuple[int, EventRow]  # number of the public trade (or of the next one), and the event


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
        self.market = IntradayMarket(
            listed.instrument, listed.population, seed, externals=customers, record=record, events_kept=_RING
        )
        self.first_customer = listed.population.agents
        self.market.book.state.arrays["accounts"]["may_borrow"][self.first_customer :][:customers] = 1
        self._buffer = bytearray(_RECORD.size)
        self._words = np.frombuffer(self._buffer, np.uint64).reshape(1, -1)
        self._seen = self.market.book.state.scalar("event_seq")
        self.next_trade = first_trade
        self.shown: list[NDArray[np.void]] = []  # events not yet made public, EVENT[n] each
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
        """Let everything up to `until` happen; return the events that concern customers, in order."""
        header, found = self.market.header, []
        while True:
            header["stop_event"] = self._seen + _BATCH
            why = driver.run(header, until)
            if why in (kernel.REACHED, kernel.PAUSED):
                found += self._look()
                if why == kernel.REACHED:
                    return found
            else:
                self.market.make_way(why)

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
        owner = self.first_customer
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
        taken = joined(self.shown)
        self.shown = []
        return taken

    def _enter(self, owner: int) -> list[Relevant]:
        market = self.market
        while (refused := kernel.enqueue(market.header, self._words, owner, market.now)) < 0:
            market.make_way(kernel.QUEUE_FULL)
        if refused:
            raise MycelialError(f"{self.listed.symbol}: the engine's throttle refused a customer's order")
        return self.run(market.now)

    def _look(self) -> list[Relevant]:
        """Take note of the events since the last look; return those that concern customers."""
        events = self.market.events_since(self._seen)
        if not len(events):
            return []
        self._seen += len(events)
        self.shown.append(events)
        first = self.first_customer
        if len(events) < 24:  # what one order causes; plain Python is faster
            found: list[Relevant] = []
            row: Any
            for row in events.tolist():
                if row[OWNER] >= first or row[MAKER_OWNER] >= first:
                    found.append((self.next_trade, row))
                if row[KIND] == _TRADE:
                    self.next_trade += 1
                    self.last_price = row[PRICE]
                    self.moves.append(row[PRICE])
            return found
        is_trade = events["kind"] == _TRADE
        numbers = np.cumsum(is_trade) - is_trade + self.next_trade
        mine = np.flatnonzero((events["owner"] >= first) | (events["maker_owner"] >= first))
        prices = events["price"][is_trade].tolist()
        self.next_trade += len(prices)
        if prices:
            self.last_price = prices[-1]
            self.moves += prices
        return list(zip(numbers[mine].tolist(), events[mine].tolist(), strict=True))
