"""`OrderBooks`: many independent markets in one call, on as many threads as asked for.

Books share nothing, so each gives the events it would give alone, whatever the number of threads. Threads take ranges
of books in turn; the compiled call lets go of Python's lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.copying import joined
from mycelial.domain.errors import ConfigError, DataError
from mycelial.domain.kernels import entry
from mycelial.domain.memory import address
from mycelial.market.book import EVENT, INPUT, OrderBook
from mycelial.market.book.kernel import process, room_needed
from mycelial.market.book.state import BOOK, event_words, most_events
from mycelial.market.terms import MarketTerms

Records = NDArray[Any]
_WORDS = EVENT.itemsize // 8
_PLAIN = np.dtype((np.void, EVENT.itemsize))
_RANGES_PER_THREAD = 8  # so that a thread with busy books does not keep the others waiting
_SPARE_EVENTS = 64


class BatchEvents(NamedTuple):
    """Events of B books: those of book b are ``events[first[b]:first[b + 1]]``."""

    events: Records
    first: NDArray[np.int64]

    def of(self, book: int) -> Records:
        """Return the events of one book."""
        return self.events[self.first[book] : self.first[book + 1]]


class OrderBooks:
    """B order books.

    Parameters
    ----------
    terms : sequence of MarketTerms
        One per book; they may differ.
    threads : int or None
        None takes one per core.
    """

    def __init__(self, terms: Sequence[MarketTerms], *, threads: int | None = None) -> None:
        if not terms:
            raise ConfigError("a batch of order books needs at least one book")
        self.books: list[OrderBook] = [one.open() for one in terms]
        self.threads = threads or os.cpu_count() or 1
        self._headers = np.zeros(len(self.books), BOOK)
        for number, book in enumerate(self.books):
            self._headers[number] = book.state.header[0]
            book.state.header = self._headers[number : number + 1]
        self._pool = ThreadPoolExecutor(self.threads, "order-books") if self.threads > 1 else None

    def __len__(self) -> int:
        """Return the number of books."""
        return len(self.books)

    def __getitem__(self, number: int) -> OrderBook:
        """Return one book; it may be used on its own between calls."""
        return self.books[number]

    def apply_many(self, inputs: Sequence[Records]) -> BatchEvents:
        """Apply to each book its inputs in order; return what each says.

        Raises
        ------
        DataError
            If there is not one array of INPUT records per book.
        """
        if len(inputs) != len(self.books) or any(part.dtype != INPUT for part in inputs):
            raise DataError(f"a batch of {len(self.books)} order books takes as many arrays of dtype INPUT")
        first = np.zeros(len(inputs) + 1, np.int64)
        np.cumsum([len(part) for part in inputs], out=first[1:])
        return self.apply_joined(joined([np.ascontiguousarray(part) for part in inputs]), first)

    def apply_joined(self, inputs: Records, first: NDArray[np.int64]) -> BatchEvents:
        """Apply inputs that lie in one array: those of book b are ``inputs[first[b]:first[b + 1]]``."""
        inputs, at = np.ascontiguousarray(inputs), first[:-1].copy()
        self._headers["written"] = 0
        self._make_room(np.diff(first))
        while self._on_ranges(_apply_range, self._headers, inputs, first, at):
            self._make_room(first[1:] - at)
        ends = np.zeros(len(self.books) + 1, np.int64)
        np.cumsum(self._headers["written"], out=ends[1:])
        events = np.empty(ends[-1], EVENT)
        self._on_ranges(_gather_range, self._headers, ends, events.view(np.uint64).reshape(-1, _WORDS))
        return BatchEvents(events, ends)

    def digests(self) -> NDArray[np.uint64]:
        """Return the fingerprint of each book's events so far, ``uint64[B]``."""
        return self._headers["digest"].copy()

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown()

    def _on_ranges(self, kernel: Callable[..., int], *arguments: Any) -> int:
        """Run a kernel over all books, in ranges on the threads; return the sum of what it returns."""
        count = len(self.books)
        if self._pool is None:
            return int(kernel(*arguments, 0, count))
        edges = np.linspace(0, count, min(count, _RANGES_PER_THREAD * self.threads) + 1).astype(np.int64).tolist()
        tasks = [self._pool.submit(kernel, *arguments, low, high) for low, high in pairwise(edges)]
        return sum(int(task.result()) for task in tasks)

    def _make_room(self, left: NDArray[np.int64]) -> None:
        """Give the books with inputs left room for at least the next of them, keeping the events they hold."""
        headers = self._headers
        needed = most_events(headers["live"], headers["icebergs"], headers["iceberg_parts"])
        room = headers["events_room"] - headers["written"]
        for number in np.flatnonzero((left > 0) & (room < needed + 2 * left)).tolist():
            written = int(headers["written"][number])
            size = written + 2 * int(needed[number]) + 3 * int(left[number]) + _SPARE_EVENTS
            arrays, larger = self.books[number].state.arrays, np.empty(size, EVENT)
            larger.view(_PLAIN)[:written] = arrays["events"].view(_PLAIN)[:written]
            arrays["events"] = larger
            headers["events_at"][number], headers["events_room"][number] = address(larger), size


@entry
def _apply_range(
    headers: Records, inputs: Records, first: NDArray[np.int64], at: NDArray[np.int64], low: int, high: int
) -> int:
    """Apply inputs to books `low` to `high` while each has room; return how many have inputs left."""
    unfinished = 0
    for number in range(low, high):
        book, n, end = headers[number], at[number], first[number + 1]
        while n < end and book.events_room - book.written >= room_needed(book):
            process(book, inputs[n])
            n += 1
        at[number] = n
        if n < end:
            unfinished += 1
    return unfinished


@entry
def _gather_range(headers: Records, ends: NDArray[np.int64], events: NDArray[np.uint64], low: int, high: int) -> int:
    """Copy the events of books `low` to `high` to their places."""
    for number in range(low, high):
        book, start = headers[number], ends[number]
        for n in range(book.written):
            words = event_words(book, n).words
            for k in range(_WORDS):
                events[start + n, k] = words[k]
    return 0
