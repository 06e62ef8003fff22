"""One market laid out for measuring: a grid of 100 ms, its trades, its level changes, cut into blocks of time.

Every intraday figure is a function of a frame, and a frame made of blocks drawn again is a frame; so a block bootstrap
of every figure is one loop. Levels of the price never enter figures, only changes within an interval, so that blocks
can stand beside each other in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.depth import depth_after_batches, depth_at
from mycelial.domain.errors import DataError
from mycelial.domain.recording import QUOTE, MarketRecording, Records, clock
from mycelial.facts.level_changes import level_changes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Rows = TypeVar("Rows", "Grid", "TradeRows", "ChangeRows", "ProfileRows")

STEP_NS = 100_000_000
BLOCK_STEPS = 200  # 20 s
AHEAD_STEPS = 10  # predictions look one second ahead, and at the order flow of the second before
PROFILE_LEVELS = 1000
PROFILE_STEPS = 10
PROFILE_BP = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, eq=False)
class Grid:
    """What happened in each interval of 100 ms; every column is float64[n] unless it says otherwise.

    Attributes
    ----------
    spread : ticks at the beginning.
    mid : ticks at the beginning.
    change : of the mid, ticks.
    imbalance : (bid lots - ask lots) / (their sum) at the best prices at the beginning.
    best_lots : mean of both best queues at the beginning.
    order_flow : order-flow imbalance of Cont, Kukanov and Stoikov (2014, eq. 4), lots.
    signed_lots : bought less sold by takers.
    ahead : change of the mid over the next second from the beginning; NaN at the end.
    flow_before : order flow of the second before; NaN at the start.
    next_move : sign of the next change of the mid, 0 when none comes.
    """

    spread: Floats
    mid: Floats
    change: Floats
    imbalance: Floats
    best_lots: Floats
    order_flow: Floats
    signed_lots: Floats
    ahead: Floats
    flow_before: Floats
    next_move: Floats


@dataclass(frozen=True, eq=False)
class TradeRows:
    """Trades: lots, sign (+1 the taker buys), whether it begins a taker order, and ms since the last order began."""

    lots: Floats
    sign: Floats
    begins: Floats
    gap_ms: Floats  # NaN where no order begins


@dataclass(frozen=True, eq=False)
class ChangeRows:
    """Level changes: lots joined, traded and cancelled, distance from the touch in bp, ms since the last message."""

    joined: Floats
    traded: Floats
    cancelled: Floats
    distance_bp: Floats
    gap_ms: Floats  # NaN for all but the first change of a message


@dataclass(frozen=True, eq=False)
class ProfileRows:
    """Lots within each of `PROFILE_BP` of the mid, mean of both sides, once a second; float64[n, len(PROFILE_BP)]."""

    within: Floats


@dataclass(frozen=True, eq=False)
class Frame:
    """A market ready to measure; see the module."""

    label: str
    tick_size: float
    lot_size: float
    grid: Grid
    trades: TradeRows
    changes: ChangeRows
    profile: ProfileRows
    grid_block: Ints
    trade_block: Ints
    change_block: Ints
    profile_block: Ints

    @property
    def seconds(self) -> float:
        """Length in time."""
        return self.grid.spread.size * STEP_NS / 1e9

    @property
    def n_blocks(self) -> int:
        """Blocks there are to draw from."""
        return int(self.grid_block.max()) + 1 if self.grid_block.size else 0

    def drawn(self, blocks: Ints) -> Frame:
        """Return the frame made of these blocks, one after another."""
        return replace(
            self,
            grid=_take(self.grid, _rows(self.grid_block, blocks)),
            trades=_take(self.trades, _rows(self.trade_block, blocks)),
            changes=_take(self.changes, _rows(self.change_block, blocks)),
            profile=_take(self.profile, _rows(self.profile_block, blocks)),
        )


def frame_of(recording: MarketRecording) -> Frame:
    """Lay out a recording for measuring.

    Raises
    ------
    DataError
        If the recording has no best quotes, or is shorter than one block.
    """
    quotes = best_quotes(recording)
    if not quotes.size:
        raise DataError(f"{recording.source}: no best bid and ask at any time; facts need quotes or a book")
    begin = max(int(quotes["ts"][0]), int(recording.batches["ts"][0]) if recording.batches.size else 0)
    n = (recording.span_ns[1] - begin) // STEP_NS
    if n < BLOCK_STEPS:
        raise DataError(
            f"{recording.source}: {n / 10:g} s of quotes are too few; intraday facts need {BLOCK_STEPS / 10:g} s"
        )
    edges = begin + np.arange(n + 1) * STEP_NS
    trades = recording.trades[recording.trades["side"] >= 0]
    grid = _grid(quotes, trades, edges)
    changes, change_ts = _changes(recording)
    rows, profile_ts = _profile(recording, edges)
    return Frame(
        label=recording.label,
        tick_size=float(recording.tick_size),
        lot_size=float(recording.lot_size),
        grid=grid,
        trades=_trades(trades),
        changes=changes,
        profile=rows,
        grid_block=np.arange(n) // BLOCK_STEPS,
        trade_block=_block(trades["ts"], begin, n),
        change_block=_block(change_ts, begin, n),
        profile_block=_block(profile_ts, begin, n),
    )


def best_quotes(recording: MarketRecording) -> Records:
    """Return the best bid and ask over time: as the feed told them, or from the rebuilt book."""
    if recording.quotes.size:
        return recording.quotes
    top = depth_after_batches(recording, 1)
    whole = top.is_whole
    quotes = np.zeros(int(whole.sum()), QUOTE)
    quotes["ts"], quotes["sequence"] = top.ts[whole], -1
    for name in ("bid", "bid_lots", "ask", "ask_lots"):
        quotes[name] = getattr(top, name)[whole, 0]
    return quotes


def order_flow_imbalance(quotes: Records) -> Floats:
    """Return what each quote adds to order-flow imbalance, lots; the first 0 (Cont et al., 2014, eq. 3)."""
    bid, ask = quotes["bid"], quotes["ask"]
    bid_lots, ask_lots = quotes["bid_lots"].astype(np.float64), quotes["ask_lots"].astype(np.float64)
    flow = np.zeros(quotes.size)
    flow[1:] = (
        (bid[1:] >= bid[:-1]) * bid_lots[1:]
        - (bid[1:] <= bid[:-1]) * bid_lots[:-1]
        - (ask[1:] <= ask[:-1]) * ask_lots[1:]
        + (ask[1:] >= ask[:-1]) * ask_lots[:-1]
    )
    return flow


def _grid(quotes: Records, trades: Records, edges: Ints) -> Grid:
    at = np.searchsorted(quotes["ts"], edges, side="right") - 1
    bid, ask = quotes["bid"][at].astype(np.float64), quotes["ask"][at].astype(np.float64)
    bid_lots, ask_lots = quotes["bid_lots"][at].astype(np.float64), quotes["ask_lots"][at].astype(np.float64)
    mid, spread = (bid + ask) / 2, ask - bid
    change = np.diff(mid)
    n = change.size
    flow = _per_interval(quotes["ts"], order_flow_imbalance(quotes), edges)
    bought = np.where(trades["side"] == 0, 1.0, -1.0) * trades["lots"]
    ahead, before = np.full(n, np.nan), np.full(n, np.nan)
    if n > AHEAD_STEPS:
        ahead[:-AHEAD_STEPS] = mid[AHEAD_STEPS:-1] - mid[: -AHEAD_STEPS - 1]
        total = np.concatenate([[0.0], np.cumsum(flow)])
        before[AHEAD_STEPS:] = total[AHEAD_STEPS:-1] - total[: -AHEAD_STEPS - 1]
    return Grid(
        spread=spread[:-1],
        mid=mid[:-1],
        change=change,
        imbalance=((bid_lots - ask_lots) / (bid_lots + ask_lots))[:-1],
        best_lots=((bid_lots + ask_lots) / 2)[:-1],
        order_flow=flow,
        signed_lots=_per_interval(trades["ts"], bought, edges),
        ahead=ahead,
        flow_before=before,
        next_move=_next_sign(change),
    )


def _per_interval(ts: Ints, values: Floats, edges: Ints) -> Floats:
    """Return the sum of `values` in each interval (edge, next edge]."""
    interval = np.searchsorted(edges, ts, side="left") - 1
    inside = (interval >= 0) & (interval < edges.size - 1)
    sums = np.bincount(interval[inside], weights=values[inside], minlength=edges.size - 1)
    return np.asarray(sums, dtype=np.float64)


def _next_sign(change: Floats) -> Floats:
    """Return the sign of the first change at or after each row that is not zero; 0 where none follows."""
    moves = np.flatnonzero(change)
    following = np.searchsorted(moves, np.arange(change.size))
    signs = np.append(np.sign(change[moves]), 0.0)
    return signs[following]


def _trades(trades: Records) -> TradeRows:
    times = clock(trades)
    # what fills one taker order carries one time and one side
    begins = np.ones(trades.size, np.bool_)
    begins[1:] = (np.diff(times) > 0) | (np.diff(trades["side"]) != 0)
    gap = np.full(trades.size, np.nan)
    gap[np.flatnonzero(begins)[1:]] = np.diff(times[begins]) / 1e6
    return TradeRows(
        lots=trades["lots"].astype(np.float64),
        sign=np.where(trades["side"] == 0, 1.0, -1.0),
        begins=begins.astype(np.float64),
        gap_ms=gap,
    )


def _changes(recording: MarketRecording) -> tuple[ChangeRows, Ints]:
    found = level_changes(recording)
    gap = np.full(found.ts.size, np.nan)
    step = np.diff(found.ts) / 1e6
    gap[1:][step > 0] = step[step > 0]
    rows = ChangeRows(
        joined=found.joined.astype(np.float64),
        traded=found.traded.astype(np.float64),
        cancelled=found.cancelled.astype(np.float64),
        distance_bp=found.distance / found.mid * 1e4,
        gap_ms=gap,
    )
    return rows, found.ts


def _profile(recording: MarketRecording, edges: Ints) -> tuple[ProfileRows, Ints]:
    moments = edges[:-1:PROFILE_STEPS]
    within = np.zeros((0, len(PROFILE_BP)))
    if not recording.batches.size:
        return ProfileRows(within), moments[:0]
    depth = depth_at(recording, moments, PROFILE_LEVELS)
    whole = depth.is_whole
    mid = (depth.bid[:, :1] + depth.ask[:, :1]) / 2
    columns = []
    for bp in PROFILE_BP:
        reach = mid * bp / 1e4
        bids = np.where(mid - depth.bid <= reach, depth.bid_lots, 0).sum(axis=1)
        asks = np.where(depth.ask - mid <= reach, depth.ask_lots, 0).sum(axis=1)
        columns.append((bids + asks) / 2)
    return ProfileRows(np.column_stack(columns)[whole]), moments[whole]


def _block(ts: Ints, begin: int, n: int) -> Ints:
    """Return the block of each moment, ascending; outside of the grid one that no draw asks for."""
    step = (ts - begin) // STEP_NS
    return np.where(step < 0, -1, np.where(step < n, step // BLOCK_STEPS, n))


def _rows(block: Ints, wanted: Ints) -> Ints:
    """Return the rows of the wanted blocks in their order; `block` ascends."""
    first, last = np.searchsorted(block, wanted), np.searchsorted(block, wanted, side="right")
    return np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)]) if wanted.size else wanted


def _take(rows: Rows, chosen: Ints) -> Rows:
    return type(rows)(**{one.name: getattr(rows, one.name)[chosen] for one in fields(rows)})
