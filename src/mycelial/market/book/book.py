"""`OrderBook`: one market with its accounts, driven by records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.copying import copied, joined
from mycelial.domain.errors import DataError
from mycelial.domain.instrument import Instrument
from mycelial.market.book import snapshot, view
from mycelial.market.book.kernel import apply
from mycelial.market.book.records import INPUT, Mode
from mycelial.market.book.state import State, allocate

FREE = ((0, 0, 0),)

MOST_ROOM = 1 << 20  # events; more is worked off in parts
MANY = 1 << 10  # events worth a memory of their own


class OrderBook:
    """An exact price-time limit order book for one instrument, with accounts, fees and an event for everything.

    Parameters
    ----------
    instrument : Instrument
    accounts : int
        Owners 0 to `accounts` - 1. Rows `accounts` and `accounts` + 1 of `accounts()` are the exchange's fees and the
        world that funds come from.
    fee_tiers : sequence of (threshold, maker_ppm, taker_ppm)
        Rates by 30-day quote volume in cash units, rising from threshold 0.
    may_borrow : bool or bool[accounts]
        Accounts that may go below zero instead of being refused with NO_FUNDS.

    Raises
    ------
    ConfigError
        If a parameter is impossible.
    """

    def __init__(
        self,
        instrument: Instrument,
        accounts: int,
        *,
        fee_tiers: Sequence[tuple[int, int, int]] = FREE,
        may_borrow: bool | NDArray[np.bool_] = False,
    ) -> None:
        self.instrument = instrument
        self.state: State = allocate(instrument, accounts, fee_tiers, np.asarray(may_borrow, np.bool_))

    def apply(self, inputs: NDArray[np.void]) -> NDArray[np.void]:
        """Apply records in order; return the events they caused, ``EVENT[n]``.

        The events are the same however a stream is cut into calls. Nothing raises for what a record says: a bad one
        gets a REJECTED event.

        Raises
        ------
        DataError
            If `inputs` is not an array of INPUT records.
        """
        inputs = np.atleast_1d(np.asarray(inputs))
        if inputs.dtype != INPUT:
            raise DataError(f"an order book takes records of dtype INPUT (mycelial.market.book), not {inputs.dtype}")
        inputs = np.ascontiguousarray(inputs)
        state, parts, at = self.state, [], 0
        while True:
            wanted = 2 * (len(inputs) - at)
            self._make_room(wanted)
            at = apply(state.header, inputs, at)
            events = state.arrays["events"][: state.scalar("written")]
            # What many inputs caused is handed out as it lies, and nothing is written there again; few are copied.
            if wanted >= MANY:
                state.header["events_room"] = 0
                parts.append(events)
            else:
                parts.append(copied(events))
            if at == len(inputs):
                return joined(parts)

    def apply_one(self, record: NDArray[np.void] | np.void) -> NDArray[np.void]:
        """Apply one record; see `apply`."""
        return self.apply(np.asarray(record, INPUT).reshape(1))

    def _make_room(self, wanted: int) -> None:
        """Make room for the events of the next input, and for `wanted` as far as sensible; begin at its start."""
        state = self.state
        needed = state.room_needed()
        if state.scalar("events_room") < needed + wanted:
            state.make_room(max(2 * needed, min(wanted + needed, MOST_ROOM)))
        state.header["written"] = 0

    @property
    def now(self) -> int:
        """Time of the book, ns."""
        return self.state.scalar("now")

    @property
    def seq(self) -> int:
        """Number of inputs applied."""
        return self.state.scalar("seq")

    @property
    def mode(self) -> Mode:
        """Session mode."""
        return Mode(self.state.scalar("mode"))

    @property
    def best_bid(self) -> int:
        """Highest bid in ticks, 0 if there is none."""
        return self.state.scalar("best_bid")

    @property
    def best_ask(self) -> int:
        """Lowest ask in ticks, 0 if there is none."""
        ask = self.state.scalar("best_ask")
        return 0 if ask == self.instrument.ladder_ticks else ask

    @property
    def digest(self) -> int:
        """64-bit fingerprint of every event so far."""
        return self.state.scalar("digest")

    def accounts(self) -> NDArray[np.void]:
        """Return a copy of the accounts, ``ACCOUNT[N + 2]``."""
        return self.state.arrays["accounts"].copy()

    def levels(self, side: int, depth: int = 10) -> NDArray[np.int64]:
        """Return the best levels of a side, best first: int64[n, 2] of price in ticks and shown lots."""
        return view.levels(self.state, side, depth)

    def orders(self) -> NDArray[np.void]:
        """Return the live orders, bids from best to worst in queue order, then asks: ``view.RESTING[n]``."""
        return view.orders(self.state)

    def snapshot(self) -> bytes:
        """Return everything needed to go on from here, in another process too."""
        return snapshot.dump(self.state, self.instrument)

    @classmethod
    def restore(cls, data: bytes) -> OrderBook:
        """Return the book that `snapshot` described.

        Raises
        ------
        DataError
            If `data` is no snapshot of this version, or damaged.
        """
        book = cls.__new__(cls)
        book.state, book.instrument = snapshot.load(data)
        return book


MOST_ROOM = 1 << 20  # events; more is worked off in parts
MANY = 1 << 10  # events worth a memory of their own
