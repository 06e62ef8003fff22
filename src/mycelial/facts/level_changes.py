"""What each level update meant: lots that joined, lots that traded, lots that were cancelled.

A feed of levels tells totals, not orders. Between two messages a level loses what traded there, gains what joined and
loses what was cancelled; what joined and was cancelled within one message cannot be told apart, so of both only the net
is seen, and shares of cancellation are lower bounds. Trades count for the message whose exchange time is at or after
theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.domain.depth import BEST, COUNT, apply_batch, cut_to, empty_ends, price_index, set_level
from mycelial.domain.recording import SNAPSHOT, MarketRecording, clocks

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LevelChanges:
    """One row per level update that is no part of a snapshot.

    Attributes
    ----------
    ts : int64[n]
    joined, traded, cancelled : int64[n]
        Lots; joined and cancelled are never both above zero.
    distance : int64[n]
        Ticks from the best price of its own side before the message, below zero when it improves on it.
    mid : float64[n]
        Mid price before the message, ticks.
    """

    ts: Ints
    joined: Ints
    traded: Ints
    cancelled: Ints
    distance: Ints
    mid: NDArray[np.float64]


def level_changes(recording: MarketRecording) -> LevelChanges:
    """Explain every level update of a recording."""
    index = price_index(recording)
    trades = recording.trades
    side = trades["side"].copy()
    at = np.searchsorted(index.prices, trades["price"])
    at = np.minimum(at, max(index.prices.size - 1, 0))
    known = (side >= 0) & (index.prices[at] == trades["price"]) if index.prices.size else np.zeros(side.size, np.bool_)
    batch_time, trade_time = clocks(recording)
    out = np.zeros((5, recording.levels.size), np.int64)
    explain_levels(
        recording.batches["kind"].copy(),
        batch_time,
        np.append(recording.batches["first"], recording.levels.size),
        index.prices,
        index.rank,
        recording.levels["lots"].copy(),
        recording.levels["side"].copy(),
        trade_time[known],
        at[known],
        1 - side[known],  # the maker's side
        trades["lots"][known],
        recording.depth,
        out,
    )
    kind = recording.batches["kind"][recording.batch_of_level()]
    keep = (kind != SNAPSHOT) & (out[4] > 0)
    ts = recording.batches["ts"][recording.batch_of_level()]
    return LevelChanges(ts[keep], out[0][keep], out[1][keep], out[2][keep], out[3][keep], out[4][keep] / 2)


@njit(cache=True)
def explain_levels(
    kind: Ints,
    batch_time: Ints,
    first: Ints,
    prices: Ints,
    rank: Ints,
    lots: Ints,
    side: Ints,
    trade_time: Ints,
    trade_rank: Ints,
    trade_side: Ints,
    trade_lots: Ints,
    keep: int,
    out: Ints,
) -> None:
    """Write joined, traded, cancelled, distance and twice the mid of each update into `out`, int64[5, n_levels]."""
    book = np.zeros((2, prices.size), np.int64)
    traded = np.zeros((2, prices.size), np.int64)
    ends = empty_ends(prices.size)
    trade = 0
    for batch in range(kind.size):
        while trade < trade_time.size and trade_time[trade] <= batch_time[batch]:
            traded[trade_side[trade], trade_rank[trade]] += trade_lots[trade]
            trade += 1
        if kind[batch] == SNAPSHOT:
            apply_batch(book, ends, SNAPSHOT, first[batch], first[batch + 1], rank, lots, side)
            traded[:] = 0
            continue
        twice_mid = 0
        if ends[COUNT, 0] > 0 and ends[COUNT, 1] > 0:
            twice_mid = prices[ends[BEST, 0]] + prices[ends[BEST, 1]]
            touch_bid, touch_ask = prices[ends[BEST, 0]], prices[ends[BEST, 1]]
        for update in range(first[batch], first[batch + 1]):
            one, at = side[update], rank[update]
            change = lots[update] - book[one, at]
            here = min(traded[one, at], book[one, at] + max(0, change))
            traded[one, at] = 0
            net = change + here
            out[0, update], out[1, update], out[2, update] = max(0, net), here, max(0, -net)
            if twice_mid > 0:
                out[3, update] = touch_bid - prices[at] if one == 0 else prices[at] - touch_ask
                out[4, update] = twice_mid
            set_level(book, ends, one, at, lots[update])
        if keep > 0:
            cut_to(book, ends, keep)
