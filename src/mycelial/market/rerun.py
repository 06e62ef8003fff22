"""Run the inputs of a log again, and find the first event that differs from what was written then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.copying import joined
from mycelial.market.book import OrderBook

Records = NDArray[Any]
DEPTH = 5


@dataclass(frozen=True, eq=False)
class Difference:
    """Where a replay left the path of its log.

    Attributes
    ----------
    event_seq : int
    written, found : record of dtype EVENT, or None where one of the two has no more events
    cause : record of dtype INPUT, or None
        The input that made the event.
    fields : tuple of str
        Names of the fields that differ.
    bids, asks : int64[n, 2]
        The best levels of the book just before that input.
    """

    event_seq: int
    written: Any
    found: Any
    cause: Any
    fields: tuple[str, ...]
    bids: NDArray[np.int64]
    asks: NDArray[np.int64]


@dataclass(frozen=True)
class Replayed:
    """What a replay gave."""

    book: OrderBook
    inputs: int
    events: int
    difference: Difference | None

    @property
    def fingerprint(self) -> str:
        """Digest of all events, 16 hexadecimal digits."""
        return f"{self.book.digest:016x}"


def replay(
    open_book: Callable[[], OrderBook],
    read_inputs: Callable[[], Iterable[Records]],
    read_events: Callable[[], Iterable[Records]] | None = None,
) -> Replayed:
    """Apply a log of inputs; stop at the first event that is not the one written.

    Parameters
    ----------
    open_book : callable
        Returns the book as it was before the first input; called again when there is a difference to explain.
    read_inputs, read_events : callable
        Return the chunks of a log from its beginning. Without `read_events` nothing is compared.
    """
    book = open_book()
    written = _Stream(read_events()) if read_events is not None else None
    inputs = events = 0
    for chunk in read_inputs():
        caused = book.apply(chunk)
        inputs += len(chunk)
        if written is not None:
            expected = written.take(len(caused))
            at = _first_difference(expected, caused)
            if at is not None:
                found = _explain(open_book, read_inputs, expected[at : at + 1], caused[at : at + 1])
                return Replayed(book, inputs, events + at, found)
        events += len(caused)
    if written is not None:
        left = written.take(1)
        if len(left):
            return Replayed(book, inputs, events, _explain(open_book, read_inputs, left, left[:0]))
    return Replayed(book, inputs, events, None)


class _Stream:
    """Chunks of records, taken in other sizes."""

    def __init__(self, chunks: Iterable[Records]) -> None:
        self._chunks: Iterator[Records] = iter(chunks)
        self._rest: Records | None = None

    def take(self, count: int) -> Records:
        """Return the next `count` records, fewer at the end."""
        parts = [] if self._rest is None else [self._rest]
        have = sum(map(len, parts))
        while have < count and (chunk := next(self._chunks, None)) is not None:
            parts.append(chunk)
            have += len(chunk)
        whole = joined(parts) if parts else np.zeros(0)
        self._rest = whole[count:]
        return whole[:count]


def _first_difference(expected: Records, found: Records) -> int | None:
    common = min(len(expected), len(found))
    if expected[:common].tobytes() != found[:common].tobytes():
        size = found.dtype.itemsize
        a, b = (np.frombuffer(x[:common].tobytes(), np.uint8).reshape(common, size) for x in (expected, found))
        return int(np.flatnonzero((a != b).any(axis=1))[0])
    return common if len(expected) != len(found) else None


def _explain(
    open_book: Callable[[], OrderBook], read_inputs: Callable[[], Iterable[Records]], written: Records, found: Records
) -> Difference:
    either = found if len(found) else written
    seq = int(either["cause"][0])
    book, cause = open_book(), None
    for chunk in read_inputs():
        before = seq - book.seq
        if before < len(chunk):
            book.apply(chunk[: max(before, 0)])
            cause = chunk[before] if before >= 0 else None
            break
        book.apply(chunk)
    names = found.dtype.names or () if len(found) else ()
    fields = tuple(name for name in names if len(written) and written[name][0] != found[name][0])
    return Difference(
        int(either["event_seq"][0]),
        written[0] if len(written) else None,
        found[0] if len(found) else None,
        cause,
        fields,
        book.levels(0, DEPTH),
        book.levels(1, DEPTH),
    )
