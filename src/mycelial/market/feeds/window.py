"""The best levels that a subscriber at depth d holds, kept up to date at a cost of the levels that changed.

A subscriber holds every level at or above the *edge* of a side. The edge moves down when levels go and there is room,
and up when there are too many; nobody walks the whole depth.
"""

from __future__ import annotations

import numpy as np

from mycelial.domain.bits import highest_bit, trailing_zeros
from mycelial.domain.kernels import helper
from mycelial.market.book.ladder import exists, worse
from mycelial.market.book.matching import best
from mycelial.market.book.state import Book, group_of, level_of, word_of
from mycelial.market.feeds.records import Feed, sent_of, window_of

_ALL, _ONE, _LOW = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(1), 63
NOTHING = -1


@helper
def start_windows(book: Book, feed: Feed) -> None:
    """Hold nothing yet: edges above the best prices."""
    window_of(feed, 0).edge, window_of(feed, 1).edge = book.ladder, 0
    window_of(feed, 0).levels, window_of(feed, 1).levels = 0, 0


@helper
def in_view(feed: Feed, side: int, tick: int) -> bool:
    """Tell whether a level at `tick` lies at or above the edge."""
    edge = window_of(feed, side).edge
    return tick >= edge if side == 0 else tick <= edge


@helper
def next_to_show(book: Book, feed: Feed, side: int) -> int:
    """Return the tick of the level that moves into view, `NOTHING` if the view is full or the side ends."""
    window = window_of(feed, side)
    if window.levels >= feed.depth:
        return NOTHING
    end = 0 if side == 0 else book.ladder
    if window.edge == end:
        return NOTHING
    above_all = window.edge == (book.ladder if side == 0 else 0)
    tick = best(book, side) if above_all else worse(book, side, window.edge)
    if not exists(book, side, tick):
        window.edge = end  # the whole side is in view
        return NOTHING
    window.edge = tick
    window.levels += 1
    return tick


@helper
def next_to_drop(book: Book, feed: Feed, side: int) -> int:
    """Return the tick of the worst level in view and leave it below the edge, `NOTHING` if there is room for it."""
    window = window_of(feed, side)
    if window.levels <= feed.depth:
        return NOTHING
    dropped = window.edge
    at_end = dropped == (0 if side == 0 else book.ladder)
    if at_end or level_of(book, 2 * dropped + side).head == 0:
        dropped = _better(book, side, dropped)
    window.edge = _better(book, side, dropped)
    window.levels -= 1
    sent_of(feed, 2 * dropped + side).lots = 0
    return dropped


@helper
def _better(book: Book, side: int, tick: int) -> int:
    """Return the nearest level nearer to the touch than `tick`; there is one."""
    if side == 0:
        at = tick + 1
        word = at >> 6
        found = word_of(book, 2 * word).bits & (_ALL << np.uint64(at & _LOW))
        if found != 0:
            return (word << 6) + trailing_zeros(found)
        group = word >> 6
        found = group_of(book, 2 * group).bits & ((_ALL << np.uint64(word & _LOW)) << _ONE)
        while found == 0:
            group += 1
            found = group_of(book, 2 * group).bits
        word = (group << 6) + trailing_zeros(found)
        return (word << 6) + trailing_zeros(word_of(book, 2 * word).bits)
    at = tick - 1
    word = at >> 6
    found = word_of(book, 2 * word + 1).bits & (_ALL >> np.uint64(_LOW - (at & _LOW)))
    if found != 0:
        return (word << 6) + highest_bit(found)
    group = word >> 6
    found = group_of(book, 2 * group + 1).bits & ((_ONE << np.uint64(word & _LOW)) - _ONE)
    while found == 0:
        group -= 1
        found = group_of(book, 2 * group + 1).bits
    word = (group << 6) + highest_bit(found)
    return (word << 6) + highest_bit(word_of(book, 2 * word + 1).bits)
