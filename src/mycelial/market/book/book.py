"""`OrderBook`: one market with its accounts, driven by records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import DataError
from mycelial.domain.instrument import Instrument
from mycelial.market.book import output, snapshot, view
from mycelial.market.book.kernel import apply, room_needed
from mycelial.market.book.records import INPUT, Mode
from mycelial.market.book.state import BEST_ASK, BEST_BID, DIGEST, MODE, NOW, SEQ, Book, allocate

FREE = ((0, 0, 0),)


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
        self.state: Book = allocate(instrument, accounts, fee_tiers, np.asarray(may_borrow, np.bool_))
        self._log = output.new_log(64)

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
        parts, at, written = [], 0, 0
        self._reserve(2 * len(inputs))
        while True:
            at, written = apply(self.state, self._log, inputs, at, 0)
            parts.append(self._log.events[:written].copy())
            if at == len(inputs):
                break
            self._reserve(2 * (len(inputs) - at))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def apply_one(self, record: NDArray[np.void] | np.void) -> NDArray[np.void]:
        """Apply one record; see `apply`."""
        return self.apply(np.asarray(record, INPUT).reshape(1))

    def _reserve(self, wanted: int) -> None:
        """Make room for the next input, and as far as sensible for all."""
        needed = int(room_needed(self.state))
        if len(self._log.events) < needed or (len(self._log.events) < wanted and len(self._log.events) < MOST_ROOM):
            self._log = output.new_log(max(2 * needed, min(wanted + needed, MOST_ROOM)))

    @property
    def now(self) -> int:
        """Time of the book, ns."""
        return int(self.state.scalars[NOW])

    @property
    def seq(self) -> int:
        """Number of inputs applied."""
        return int(self.state.scalars[SEQ])

    @property
    def mode(self) -> Mode:
        """Session mode."""
        return Mode(int(self.state.scalars[MODE]))

    @property
    def best_bid(self) -> int:
        """Highest bid in ticks, 0 if there is none."""
        return int(self.state.scalars[BEST_BID])

    @property
    def best_ask(self) -> int:
        """Lowest ask in ticks, 0 if there is none."""
        ask = int(self.state.scalars[BEST_ASK])
        return 0 if ask == self.instrument.ladder_ticks else ask

    @property
    def digest(self) -> int:
        """64-bit fingerprint of every event so far."""
        return int(np.uint64(self.state.scalars[DIGEST]))

    def accounts(self) -> NDArray[np.void]:
        """Return a copy of the accounts, ``ACCOUNT[N + 2]``."""
        return self.state.accounts.copy()

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
        book._log = output.new_log(64)
        return book


MOST_ROOM = 1 << 20  # events; more is worked off in parts


