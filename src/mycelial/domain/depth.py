"""Rebuild the displayed book of a recording: the best levels after each message, or at moments of our choice.

Prices that occur in the recording are numbered from low to high once; the book is then one row of lots a side, indexed
by that number, so memory is bounded by the number of different prices and nothing is ever sorted again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.kernels import allocating_entry
from mycelial.domain.recording import SNAPSHOT, MarketRecording

Ints = NDArray[np.int64]

BEST, WORST, COUNT = 0, 1, 2  # rows of `empty_ends`


@dataclass(frozen=True, eq=False)
class Depth:
    """The best levels of a book at n moments, best first; a missing level has price 0 and lots 0.

    Attributes
    ----------
    ts : int64[n]
    bid, bid_lots, ask, ask_lots : int64[n, levels]
    """

    ts: Ints
    bid: Ints
    bid_lots: Ints
    ask: Ints
    ask_lots: Ints

    @property
    def is_whole(self) -> NDArray[np.bool_]:
        """Whether both sides have a best price, per moment."""
        return (self.bid_lots[:, 0] > 0) & (self.ask_lots[:, 0] > 0)


@dataclass(frozen=True, eq=False)
class PriceIndex:
    """Level updates with each price replaced by its number.

    Attributes
    ----------
    prices : int64[n_prices]
        Different prices, ascending, ticks.
    rank : int64[n_levels]
        Number of each update's price.
    """

    prices: Ints
    rank: Ints


def price_index(recording: MarketRecording) -> PriceIndex:
    """Number the prices of a recording."""
    prices, rank = np.unique(recording.levels["price"], return_inverse=True)
    return PriceIndex(prices.astype(np.int64), rank.astype(np.int64))


def depth_after_batches(recording: MarketRecording, levels: int) -> Depth:
    """Return the best `levels` a side after every batch."""
    ts = np.ascontiguousarray(recording.batches["ts"])
    return _sampled(recording, levels, np.arange(ts.size + 1)[1:], ts)


def depth_at(recording: MarketRecording, moments: Ints, levels: int) -> Depth:
    """Return the best `levels` a side at each of the ascending `moments` (ns); before the first batch all is empty."""
    known = np.searchsorted(recording.batches["ts"], moments, side="right")
    return _sampled(recording, levels, known, np.asarray(moments, np.int64))


def _sampled(recording: MarketRecording, levels: int, batches_known: Ints, ts: Ints) -> Depth:
    index = price_index(recording)
    out = np.zeros((4, ts.size, levels), np.int64)
    sample_depth(
        recording.batches["kind"].copy(),
        np.append(recording.batches["first"], recording.levels.size),
        index.prices,
        index.rank,
        recording.levels["lots"].copy(),
        recording.levels["side"].copy(),
        np.ascontiguousarray(batches_known),
        recording.depth,
        out,
    )
    return Depth(ts, out[0], out[1], out[2], out[3])


@allocating_entry
def sample_depth(
    kind: Ints, first: Ints, prices: Ints, rank: Ints, lots: Ints, side: Ints, known: Ints, keep: int, out: Ints
) -> None:
    """Write the best levels once the first `known[i]` batches are applied.

    Parameters
    ----------
    kind : int64[n_batches]
    first : int64[n_batches + 1]
        Where each batch begins in the columns of levels.
    prices, rank, lots, side
        See `PriceIndex` and `domain.recording`.
    known : int64[n], ascending
    keep : int
        Levels a side that survive a batch; 0 keeps all.
    out : int64[4, n, levels]
        Bid prices, bid lots, ask prices, ask lots. **Written**; zeros where there is no level.
    """
    book = np.zeros((2, prices.size), np.int64)
    ends = empty_ends(prices.size)
    done = 0
    for sample in range(known.size):
        while done < known[sample]:
            apply_batch(book, ends, kind[done], first[done], first[done + 1], rank, lots, side)
            if keep > 0:
                cut_to(book, ends, keep)
            done += 1
        levels = out.shape[2]
        found, at = 0, ends[BEST, 0]
        while found < levels and found < ends[COUNT, 0]:
            if book[0, at] > 0:
                out[0, sample, found], out[1, sample, found] = prices[at], book[0, at]
                found += 1
            at -= 1
        found, at = 0, ends[BEST, 1]
        while found < levels and found < ends[COUNT, 1]:
            if book[1, at] > 0:
                out[2, sample, found], out[3, sample, found] = prices[at], book[1, at]
                found += 1
            at += 1


@allocating_entry
def empty_ends(n_prices: int) -> Ints:
    """Return the ends of an empty book: int64[3, 2], rows BEST and WORST (ranks) and COUNT (levels), columns sides.

    The best bid of an empty side has rank -1, its best ask rank n_prices; the worst the other way round.
    """
    return np.array([[-1, n_prices], [n_prices, -1], [0, 0]])


@allocating_entry
def apply_batch(book: Ints, ends: Ints, kind: int, begin: int, end: int, rank: Ints, lots: Ints, side: Ints) -> None:
    """Apply one batch to a ladder of lots by price rank; `book` and `ends` are **mutated**."""
    if kind == SNAPSHOT:
        for one in range(2):
            if ends[COUNT, one] > 0:
                low, high = min(ends[BEST, one], ends[WORST, one]), max(ends[BEST, one], ends[WORST, one])
                book[one, low : high + 1] = 0
        ends[:] = empty_ends(book.shape[1])
    for update in range(begin, end):
        set_level(book, ends, side[update], rank[update], lots[update])


@allocating_entry
def set_level(book: Ints, ends: Ints, side: int, at: int, lots: int) -> None:
    """Set one level to `lots` and keep the ends of its side right."""
    before = book[side, at]
    book[side, at] = lots
    if lots > 0:
        if before == 0:
            ends[COUNT, side] += 1
            if side == 0:
                ends[BEST, 0], ends[WORST, 0] = max(ends[BEST, 0], at), min(ends[WORST, 0], at)
            else:
                ends[BEST, 1], ends[WORST, 1] = min(ends[BEST, 1], at), max(ends[WORST, 1], at)
    elif before > 0:
        ends[COUNT, side] -= 1
        n = book.shape[1]
        if ends[COUNT, side] == 0:
            ends[BEST, side], ends[WORST, side] = (-1, n) if side == 0 else (n, -1)
            return
        inward = -1 if side == 0 else 1  # from the best price to worse ones
        best, worst = ends[BEST, side], ends[WORST, side]
        while book[side, best] == 0:
            best += inward
        while book[side, worst] == 0:
            worst -= inward
        ends[BEST, side], ends[WORST, side] = best, worst


@allocating_entry
def cut_to(book: Ints, ends: Ints, keep: int) -> None:
    """Drop the worst levels of each side until `keep` are left."""
    for side in range(2):
        inward = -1 if side == 0 else 1
        while ends[COUNT, side] > keep:
            worst = ends[WORST, side]
            book[side, worst] = 0
            ends[COUNT, side] -= 1
            while book[side, worst] == 0:
                worst -= inward
            ends[WORST, side] = worst
