"""What an exchange has to tell its one reader, in order, with a bound on what may pile up.

Orders and fills wait: none is ever dropped, and a reader who lets too many pile up is stopped. Books keep only the
latest: a change is told once, however often it happens before it is read. Public trades drop the oldest and count it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from mycelial.domain.errors import ExchangeError
from mycelial.domain.ports import BookChanged, ExchangeEvent, PublicTrade

MOST_WAITING = 1 << 16
MOST_TRADES = 1 << 12


class Outbox:
    """One writer side, one reader."""

    def __init__(self) -> None:
        self._waiting: deque[ExchangeEvent] = deque()
        self._books: dict[str, None] = {}
        self._trades: deque[PublicTrade] = deque(maxlen=MOST_TRADES)
        self._something = asyncio.Event()
        self._closed = False
        self._failure: BaseException | None = None
        self.dropped_trades = 0

    def tell(self, event: ExchangeEvent) -> None:
        """Add an event.

        Raises
        ------
        ExchangeError
            If more events of own orders wait than a reader who is alive would leave.
        """
        match event:
            case BookChanged():
                self._books[event.symbol] = None
            case PublicTrade():
                self.dropped_trades += len(self._trades) == MOST_TRADES
                self._trades.append(event)
            case _:
                if len(self._waiting) >= MOST_WAITING:
                    raise ExchangeError(
                        f"{MOST_WAITING} events of own orders wait unread; the trader has stopped reading"
                    )
                self._waiting.append(event)
        self._something.set()

    def close(self, failure: BaseException | None = None) -> None:
        """End the stream once what waits is read; with the failure that ended it, if one did."""
        self._closed, self._failure = True, failure
        self._something.set()

    def __aiter__(self) -> AsyncIterator[ExchangeEvent]:
        return self

    async def __anext__(self) -> ExchangeEvent:
        while True:
            if self._waiting:
                return self._waiting.popleft()
            if self._trades:
                return self._trades.popleft()
            if self._books:
                symbol = next(iter(self._books))
                del self._books[symbol]
                return BookChanged(symbol)
            if self._closed:
                if self._failure is not None:
                    raise self._failure
                raise StopAsyncIteration
            self._something.clear()
            await self._something.wait()
