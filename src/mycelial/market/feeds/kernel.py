"""From events to messages: follow the book, and publish for every feed at the end of each input or interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.kernels import entry, helper
from mycelial.market.feeds.records import Feed, Market
from mycelial.market.feeds.replica import follow
from mycelial.market.feeds.views import emit, note, rows_needed, show_all
from mycelial.market.feeds.window import start_windows

_MOST = 2  # messages that one input can cause: what waited, then what it changed


@entry
def publish(
    header: NDArray[np.void],
    market_header: NDArray[np.void],
    feeds: NDArray[np.void],
    events: NDArray[np.void],
    start: int,
) -> int:
    """Publish events from `start` on while the feeds have room; return the index of the next event.

    Parameters
    ----------
    header : BOOK[1], the replica
    market_header : MARKET[1]
    feeds : FEED[n]
    events : EVENT[m], whole inputs
    """
    book, market, at = header[0], market_header[0], start
    while at < len(events):
        end, ts = at + 1, events[at].ts
        while end < len(events) and events[end].cause == events[at].cause:
            end += 1
        for f in range(len(feeds)):
            if not _has_room(market, feeds[f], end - at):
                return at
        for f in range(len(feeds)):
            feed = feeds[f]
            if feed.pending != 0 and feed.due <= ts:
                emit(book, market, feed, feed.due)
        for n in range(at, end):
            place, slot = follow(book, market, events[n])
            for f in range(len(feeds)):
                if place >= 0 or feeds[f].shows == 1:
                    note(feeds[f], place, slot)
        for f in range(len(feeds)):
            feed = feeds[f]
            if feed.pending != 0 and feed.interval == 0:
                emit(book, market, feed, ts)
            elif feed.pending != 0:
                feed.due = (ts // feed.interval + 1) * feed.interval
        at = end
    return at


@helper
def _has_room(market: Market, feed: Feed, events: int) -> bool:
    if feed.messages_room - feed.messages_written < _MOST:
        return False
    return feed.rows_room - feed.rows_written >= _MOST * rows_needed(market, feed, events)


@entry
def flush(
    header: NDArray[np.void], market_header: NDArray[np.void], feeds: NDArray[np.void], start: int, now: int
) -> int:
    """Publish what waits for an interval that has ended at `now`; return the first feed without room, or their number.

    Feeds before `start` are left alone.
    """
    book, market = header[0], market_header[0]
    for f in range(start, len(feeds)):
        feed = feeds[f]
        if feed.pending != 0 and feed.due <= now:
            if not _has_room(market, feed, 0):
                return f
            emit(book, market, feed, min(feed.due, now))
    return len(feeds)


@entry
def snapshot(
    header: NDArray[np.void], market_header: NDArray[np.void], feeds: NDArray[np.void], at: int, ts: int
) -> bool:
    """Write what a subscriber of feed `at` should hold after its last message; False if there is no room."""
    book, market, feed = header[0], market_header[0], feeds[at]
    needed = 1 if feed.shows == 1 else (2 * feed.depth if feed.shows == 2 else market.resting)
    if feed.messages_room == feed.messages_written or feed.rows_room - feed.rows_written < needed:
        return False
    show_all(book, market, feed, feed.seq - 1, ts)
    return True


@entry
def start(header: NDArray[np.void], market_header: NDArray[np.void], feeds: NDArray[np.void], at: int) -> bool:
    """Let feed `at` hold what the replica shows now; False if its buffer has no room to write that once."""
    book, market, feed = header[0], market_header[0], feeds[at]
    if not _has_room(market, feed, 0):
        return False
    feed.round = 1
    start_windows(book, feed)
    emit(book, market, feed, market.now)
    feed.messages_written, feed.rows_written, feed.seq = 0, 0, 1
    return True
