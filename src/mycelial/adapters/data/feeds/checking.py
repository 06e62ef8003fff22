"""Prove that a recorded book is the exchange's book: never crossed, and every checksum reproduced."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.domain.depth import BEST, COUNT, apply_batch, cut_to, depth_after_batches, empty_ends, price_index
from mycelial.domain.errors import DataError
from mycelial.domain.recording import MarketRecording
from mycelial.market.checksum import LEVELS, l2_checksum

Ints = NDArray[np.int64]


def refuse_crossed(recording: MarketRecording) -> None:
    """Check that the book is never crossed after a message.

    Raises
    ------
    DataError
        Naming file and line of the first message that crosses it.
    """
    top = depth_after_batches(recording, 1)
    crossed = np.flatnonzero(top.is_whole & (top.bid[:, 0] >= top.ask[:, 0]))
    if crossed.size:
        at = int(crossed[0])
        bid, ask = (int(x[at, 0]) * recording.tick_size for x in (top.bid, top.ask))
        raise DataError(
            f"{recording.source}: line {recording.batches['line'][at]}: crosses the {recording.label} book "
            f"(best bid {bid}, best ask {ask}): messages were lost or reordered; use the file up to this line"
        )


def refuse_wrong_checksums(recording: MarketRecording, price_decimals: int, lot_decimals: int) -> int:
    """Check every checksum the exchange sent and return how many there were.

    Parameters
    ----------
    price_decimals, lot_decimals : int
        Decimals with which the exchange prints prices and quantities.

    Raises
    ------
    DataError
        Naming file and line of the first message whose checksum is not ours.
    """
    ours = checksums(recording, price_decimals, lot_decimals)
    theirs = recording.batches["checksum"]
    wrong = np.flatnonzero((theirs >= 0) & (ours != theirs))
    if wrong.size:
        at = int(wrong[0])
        raise DataError(
            f"{recording.source}: line {recording.batches['line'][at]}: {recording.label} book checksum is "
            f"{ours[at]}, the exchange says {theirs[at]}; check the decimals ({price_decimals}, {lot_decimals}) and "
            "the depth, or use the file up to this line"
        )
    return int((theirs >= 0).sum())


def checksums(recording: MarketRecording, price_decimals: int, lot_decimals: int) -> Ints:
    """Return our checksum of the book after every batch, int64[n_batches]."""
    index = price_index(recording)
    out = np.zeros(recording.batches.size, np.int64)
    _checksums(
        recording.batches["kind"].copy(),
        np.append(recording.batches["first"], recording.levels.size),
        index.prices,
        index.rank,
        recording.levels["lots"].copy(),
        recording.levels["side"].copy(),
        recording.depth,
        _step(recording.tick_size, price_decimals),
        _step(recording.lot_size, lot_decimals),
        out,
    )
    return out


def _step(size: Decimal, decimals: int) -> int:
    scaled = size.scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise DataError(f"{decimals} decimals cannot print steps of {size}; give the decimals of the exchange")
    return int(scaled)


@njit(cache=True)
def _checksums(
    kind: Ints,
    first: Ints,
    prices: Ints,
    rank: Ints,
    lots: Ints,
    side: Ints,
    keep: int,
    price_step: int,
    lot_step: int,
    out: Ints,
) -> None:
    book = np.zeros((2, prices.size), np.int64)
    ends = empty_ends(prices.size)
    top_price, top_lots = np.zeros((2, LEVELS), np.int64), np.zeros((2, LEVELS), np.int64)
    for batch in range(kind.size):
        apply_batch(book, ends, kind[batch], first[batch], first[batch + 1], rank, lots, side)
        if keep > 0:
            cut_to(book, ends, keep)
        for one in range(2):
            at, inward = ends[BEST, one], -1 if one == 0 else 1
            for level in range(min(LEVELS, ends[COUNT, one])):
                while book[one, at] == 0:
                    at += inward
                top_price[one, level], top_lots[one, level] = prices[at], book[one, at]
                at += inward
        bids, asks = min(LEVELS, ends[COUNT, 0]), min(LEVELS, ends[COUNT, 1])
        out[batch] = l2_checksum(
            top_price[1, :asks], top_lots[1, :asks], top_price[0, :bids], top_lots[0, :bids], price_step, lot_step
        )
