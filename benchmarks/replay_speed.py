"""How many recorded level updates and trades per CPU-second does replay live through, beside hftbacktest?

Both read the same feed, wake every 100 ms in a compiled loop and look at the best prices (`watch`), or also keep a bid
and an ask of their own at the best prices, renewed every second (`quote`, pessimistic queue on both sides). What they
saw is compared before any ratio is told; what own orders got differs by design (hftbacktest fills a whole order as soon
as a trade or quote passes its price, ours only as many lots as traded or were shown), less so the smaller they are.
Without hftbacktest only our figure is printed.

    python -m benchmarks.replay_speed ../shared/data/binance_spot_l2_btcusdt_20240808.feed.gz
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from mycelial.adapters.data.feeds import read_binance_feed
from mycelial.domain.depth import BEST
from mycelial.domain.recording import SNAPSHOT, MarketRecording, clocks
from mycelial.market.book.records import Flag, Kind
from mycelial.market.replay import feed_of, kernel, layout

STEP_NS = 100_000_000
QUOTE_STEPS = 10
MAX_ORDERS = 16
RULES = layout.Rules(
    cancels=layout.PESSIMISTIC, up_ns=0, maker_ppm=0, taker_ppm=0, cash_per_tick_lot=1, protection_ppm=10_000
)
_POST_ONLY, _CANCEL_ALL = int(Flag.POST_ONLY), int(Kind.CANCEL_ALL)


@njit
def watch(feed: Any, state: Any, rules: Any, inputs: Any, events: Any, begin: int, seen: Any, own_lots: int) -> int:
    """Live through the feed in steps; write best bid and ask of each into `seen`, int64[n, 2]; return lots filled."""
    sent, filled = 0, 0
    for step in range(seen.shape[0]):
        now = begin + step * STEP_NS
        state.at[layout.N_EVENTS] = 0
        kernel.advance(feed, state, rules, inputs[:sent], events, now)
        seen[step, 0], seen[step, 1] = feed.prices[state.ends[BEST, 0]], feed.prices[state.ends[BEST, 1]]
        for n in range(state.at[layout.N_EVENTS]):
            if events[n, layout.E_KIND] == 2 and events[n, layout.E_MAKER_OWNER] == 0:
                filled += events[n, layout.E_LOTS]
        if own_lots > 0 and step % QUOTE_STEPS == 0:
            for side in range(2):
                row = inputs[sent]
                row[layout.I_TS], row[layout.I_KIND], row[layout.I_SIDE] = now, _CANCEL_ALL, side
                row = inputs[sent + 1]
                row[layout.I_TS], row[layout.I_SIDE], row[layout.I_FLAGS] = now, side, _POST_ONLY
                row[layout.I_PRICE], row[layout.I_LOTS] = seen[step, side], own_lots
                sent += 2
            # the answers to what was sent come with the next step
    return filled


def ours(recording: MarketRecording, steps: int, own_lots: int) -> Callable[[], tuple[np.ndarray, int]]:
    """Return the run of our replay, set up and ready."""
    feed = feed_of(recording)
    state = layout.new_state(feed.prices.size, MAX_ORDERS)
    inputs = np.zeros((4 * (steps // QUOTE_STEPS + 2), len(layout.INPUT_FIELDS)), np.int64)
    inputs[:, layout.I_HANDLE] = -1
    events = np.zeros((40_000, len(layout.EVENT_FIELDS)), np.int64)
    seen = np.zeros((steps, 2), np.int64)
    begin = int(feed.batches[0, 0])

    def run() -> tuple[np.ndarray, int]:
        return seen, watch(feed, state, RULES, inputs, events, begin, seen, own_lots)

    return run


def theirs(recording: MarketRecording, steps: int, own_lots: int) -> Callable[[], tuple[np.ndarray, int]]:
    """Return the run of hftbacktest on the same events, set up and ready."""
    import hftbacktest as hft

    tick, lot = float(recording.tick_size), float(recording.lot_size)
    data = _as_hftbacktest(recording, hft)
    asset = (
        hft.BacktestAsset()
        .data([data])
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(tick)
        .lot_size(lot)
        .last_trades_capacity(0)
    )
    if own_lots:
        asset = asset.partial_fill_exchange()
    low, high = recording.levels["price"].min() * tick, recording.levels["price"].max() * tick
    asset = asset.roi_lb(float(low)).roi_ub(float(high))
    backtest = hft.ROIVectorMarketDepthBacktest([asset])
    seen = np.zeros((steps, 2), np.int64)

    def run() -> tuple[np.ndarray, int]:
        traded = _their_loop(backtest, seen, own_lots * lot, tick)
        backtest.close()
        return seen, round(
            traded / lot
        ) if data.size else 0  # keeps the data alive, which the other side only points to

    return run


@njit
def _their_loop(backtest: Any, seen: Any, own_quantity: float, tick: float) -> float:
    order_id = 1
    if backtest.elapse(1) != 0:  # the first message
        return 0.0
    for step in range(seen.shape[0]):
        depth = backtest.depth(0)
        seen[step, 0], seen[step, 1] = depth.best_bid_tick, depth.best_ask_tick
        if own_quantity > 0 and step % QUOTE_STEPS == 0:
            backtest.clear_inactive_orders(0)
            if order_id > 1:
                for old in (order_id - 2, order_id - 1):
                    if old in backtest.orders(0):
                        backtest.cancel(0, old, False)
            backtest.submit_buy_order(0, order_id, depth.best_bid_tick * tick, own_quantity, 1, 0, False)  # GTX, limit
            backtest.submit_sell_order(0, order_id + 1, depth.best_ask_tick * tick, own_quantity, 1, 0, False)
            order_id += 2
        if backtest.elapse(STEP_NS) == 1:  # the end; other codes tell of single orders
            break
    return backtest.state_values(0).trading_volume


def _as_hftbacktest(recording: MarketRecording, hft: Any) -> np.ndarray:
    """Return the recording in hftbacktest's layout: trades before levels of the same moment."""
    from hftbacktest.types import event_dtype

    tick, lot = float(recording.tick_size), float(recording.lot_size)
    batch = recording.batch_of_level()
    batch_time, trade_time = clocks(recording)
    side = np.where(recording.levels["side"] == 0, hft.BUY_EVENT, hft.SELL_EVENT)
    kind = np.where(recording.batches["kind"][batch] == SNAPSHOT, hft.DEPTH_SNAPSHOT_EVENT, hft.DEPTH_EVENT)
    levels = np.zeros(recording.levels.size, event_dtype)
    levels["ev"] = kind | side | hft.EXCH_EVENT | hft.LOCAL_EVENT
    levels["exch_ts"] = levels["local_ts"] = batch_time[batch]
    levels["px"], levels["qty"] = recording.levels["price"] * tick, recording.levels["lots"] * lot
    trades = np.zeros(recording.trades.size, event_dtype)
    taker = np.where(recording.trades["side"] == 0, hft.BUY_EVENT, hft.SELL_EVENT)
    trades["ev"] = hft.TRADE_EVENT | taker | hft.EXCH_EVENT | hft.LOCAL_EVENT
    trades["exch_ts"] = trades["local_ts"] = trade_time
    trades["px"], trades["qty"] = recording.trades["price"] * tick, recording.trades["lots"] * lot
    both = np.concatenate([trades, levels])
    both = both[np.argsort(both["exch_ts"], kind="stable")]
    return np.ascontiguousarray(both[both["exch_ts"] >= batch_time[0]])


def main() -> None:
    """Measure both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("feed", type=Path, help="a recorded Binance feed")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--own-lots", type=int, default=10_000, help="size of own quotes")
    options = parser.parse_args()
    recording = read_binance_feed(options.feed)
    messages = recording.levels.size + recording.trades.size
    times, _ = clocks(recording)
    steps = int((times[-1] - times[0]) // STEP_NS)
    contenders: dict[str, Any] = {"mycelial": ours}
    try:
        import hftbacktest

        contenders[f"hftbacktest {hftbacktest.__version__}"] = theirs
    except ModuleNotFoundError:
        print("hftbacktest is not installed, so nothing to compare with; run: pip install hftbacktest")
    print(
        f"{options.feed.name}: {recording.levels.size:,} level updates, {recording.trades.size:,} trades, {steps} steps"
    )
    for name, own_lots in (("watch", 0), ("quote", options.own_lots)):
        spent: dict[str, list[float]] = {who: [] for who in contenders}
        result: dict[str, tuple[np.ndarray, int]] = {}
        for turn in range(options.runs + 1):
            for who, set_up in contenders.items():
                run = set_up(recording, steps, own_lots)
                begin = time.process_time()
                result[who] = run()
                if turn:  # the first one compiles
                    spent[who].append(time.process_time() - begin)
        for who, seconds in spent.items():
            median = statistics.median(seconds)
            print(
                f"  {name:6s}{who:20s} {messages / median / 1e6:8.2f} M messages/CPU-s   median {median * 1e3:.1f} ms, "
                f"best {min(seconds) * 1e3:.1f}, worst {max(seconds) * 1e3:.1f}; filled {result[who][1]:,} lots"
            )
        if len(contenders) == 2:
            (our_seen, _), (their_seen, _) = result.values()
            first, last = spent.values()
            same = (our_seen == their_seen).all(axis=1).mean()
            ratio = statistics.median(last) / statistics.median(first)
            verdict = f"mycelial is {ratio:.2f} x hftbacktest" if same > 0.999 else "not the same work, so no ratio"
            print(f"  {name:6s}same best prices at {same:.2%} of the steps; {verdict}")


if __name__ == "__main__":
    main()
