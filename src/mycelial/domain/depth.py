"""Rebuild the displayed book of a recording: the best levels after each message, or at moments of our choice.

Prices that occur in the recording are numbered from low to high once; the book is then one row of lots a side, indexed
by that number, so memory is bounded by the number of different prices and nothing is ever sorted again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.domain.recording import SNAPSHOT, MarketRecording

Ints = NDArray[np.int64]


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


@njit(cache=True)
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
    # best[0] is the highest bid's rank (-1 none), best[1] the lowest ask's (n none); worst the other ends
    best, worst, count = empty_ladder(prices.size)
    done = 0
    for sample in range(known.size):
        while done < known[sample]:
            apply_batch(book, best, worst, count, kind[done], first[done], first[done + 1], rank, lots, side)
            if keep > 0:
                cut_to(book, worst, count, keep)
            done += 1
        levels = out.shape[2]
        found, at = 0, best[0]
        while found < levels and found < count[0]:
            if book[0, at] > 0:
                out[0, sample, found], out[1, sample, found] = prices[at], book[0, at]
                found += 1
            at -= 1
        found, at = 0, best[1]
        while found < levels and found < count[1]:
            if book[1, at] > 0:
                out[2, sample, found], out[3, sample, found] = prices[at], book[1, at]
                found += 1
            at += 1


@njit(cache=True)
def empty_ladder(n_prices: int) -> tuple[Ints, Ints, Ints]:
    """Return `best`, `worst` and `count` of an empty book (see `sample_depth`)."""
    best = np.array([-1, n_prices])
    worst = np.array([n_prices, -1])
    return best, worst, np.zeros(2, np.int64)


@njit(cache=True)
def apply_batch(
    book: Ints,
    best: Ints,
    worst: Ints,
    count: Ints,
    kind: int,
    begin: int,
    end: int,
    rank: Ints,
    lots: Ints,
    side: Ints,
) -> None:
    """Apply one batch to a ladder of lots by price rank; `book`, `best`, `worst` and `count` are **mutated**."""
    n = book.shape[1]
    if kind == SNAPSHOT:
        for one in range(2):
            if count[one] > 0:
                low, high = min(best[one], worst[one]), max(best[one], worst[one])
                book[one, low : high + 1] = 0
            count[one] = 0
        best[0], best[1], worst[0], worst[1] = -1, n, n, -1
    for update in range(begin, end):
        set_level(book, best, worst, count, side[update], rank[update], lots[update])


@njit(cache=True)
def set_level(book: Ints, best: Ints, worst: Ints, count: Ints, side: int, at: int, lots: int) -> None:
    """Set one level to `lots` and keep the ends of its side right."""
    before = book[side, at]
    book[side, at] = lots
    if lots > 0:
        if before == 0:
            count[side] += 1
            if side == 0:
                best[0], worst[0] = max(best[0], at), min(worst[0], at)
            else:
                best[1], worst[1] = min(best[1], at), max(worst[1], at)
    elif before > 0:
        count[side] -= 1
        n = book.shape[1]
        if count[side] == 0:
            best[side], worst[side] = (-1, n) if side == 0 else (n, -1)
            return
        inward = -1 if side == 0 else 1  # from the best price to worse ones
        while book[side, best[side]] == 0:
            best[side] += inward
        while book[side, worst[side]] == 0:
            worst[side] -= inward


@njit(cache=True)
def cut_to(book: Ints, worst: Ints, count: Ints, keep: int) -> None:
    """Drop the worst levels of each side until `keep` are left."""
    for side in range(2):
        inward = -1 if side == 0 else 1
        while count[side] > keep:
            book[side, worst[side]] = 0
            count[side] -= 1
            while book[side, worst[side]] == 0:
                worst[side] -= inward
