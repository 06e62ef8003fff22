"""Stability figures of one run: every group of the safety specification §5.1 to §5.5, from what a probe saw.

Figures of a run with a scenario are compared with those of the run without it that shares its seed
(`mycelial.facts.stability.paired`). What a run is too short or too quiet for is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mycelial.domain.errors import DataError
from mycelial.facts import stability
from mycelial.simulation.intraday.market import SECOND
from mycelial.simulation.stress.probe import Samples

FIGURES: Mapping[str, str] = {
    "rv_1s": "realised variance, 1 s returns",
    "rv_60s": "realised variance, 1 min returns",
    "deepest_fall": "largest fall from a peak within five minutes",
    "crashes": "flash crashes (a fall of 5 % or 10 sigma within 5 min, half of it made good in 30 min)",
    "crash_half_recovery_s": "time in which half of the deepest flash crash is made good",
    "crash_overshoot": "how far its trough lies below the fundamental",
    "branching_mid": "share of mid moves that earlier ones caused",
    "branching_trades": "share of trades that earlier ones caused",
    "quoted_spread_bp": "quoted spread, basis points, mean over time",
    "effective_spread_bp": "effective spread, basis points, by volume",
    "realised_spread_bp": "realised spread after 5 s, basis points, by volume",
    "depth_5bp": "lots within 5 basis points a side, mean",
    "depth_10bp": "lots within 10 basis points a side, mean",
    "depth_25bp": "lots within 25 basis points a side, mean",
    "depth_50bp": "lots within 50 basis points a side, mean",
    "least_depth_25bp": "smallest depth of a side within 25 basis points",
    "cost_1": "cost of trading a mean order, basis points, median; infinite where the book is too thin",
    "cost_10": "cost of trading ten mean orders, basis points, median",
    "cost_100": "cost of trading a hundred mean orders, basis points, median",
    "amihud": "Amihud illiquidity over 10 s: |return| a lot",
    "resilience_depth_s": "half-life of the gap in depth after the shock, s",
    "resilience_spread_s": "half-life of the gap in spread after the shock, s",
    "maker_share": "share of depth within 25 basis points from market makers",
    "kyle_lambda": "Kyle's lambda over 10 s: ticks a lot",
    "kyle_t": "its t statistic",
    "ofi_slope": "ticks a lot of order-flow imbalance of the best quotes, over 1 s",
    "metaorder_exponent": "power of its size with which a large order moves the price",
    "vpin": "VPIN at the end (for display only)",
    "rmse_worth": "root mean square distance of price and fundamental, logarithms",
    "half_life_worth_s": "half-life of that distance, s",
    "half_life_basis_s": "half-life of the distance to the price on another venue, s",
    "variance_ratio_10": "variance ratio of 10 s to 1 s",
    "variance_ratio_60": "variance ratio of 60 s to 1 s",
    "acf_1s": "autocorrelation of 1 s returns",
    "pricing_error_share": "share of the pricing error in the spread of prices",
    "lsv": "LSV herding over 10 s",
    "action_correlation": "mean correlation of position changes over 10 s",
    "effective_agents": "effective number of independent agents among those who act",
    "active_agents": "agents who act",
    "gross_to_net": "gross over net position",
    "stop_overlap": "largest share of stops within one sigma of a minute",
    "stop_reach": "share of stops within one sigma of a minute from the price",
}

_TEN = 10  # beats of a coarse interval
_BUCKETS = 50
_GAP_NS = 30 * SECOND  # a splitter that pauses longer works on another order


def stability_of(
    samples: Samples, mean_order: float, *, shock_ns: int | None = None, owners: Sequence[int] | None = None
) -> dict[str, float]:
    """Return every figure of `FIGURES`.

    Parameters
    ----------
    samples : with a beat of one second.
    mean_order : float
        Lots of a mean order, the unit of trading costs.
    shock_ns : int, optional
        When the shock came, for resilience.
    owners : sequence of int, optional
        Whose herding is measured; by default everybody's, whose net position is always zero.
    """
    found = dict.fromkeys(FIGURES, math.nan)
    for group in (_turbulence, _liquidity, _impact, _efficiency):
        found.update(group(samples, mean_order))
    found.update(_herding(samples, range(samples.positions.shape[1]) if owners is None else owners))
    if shock_ns is not None:
        found.update(_resilience(samples, shock_ns))
    return {name: float(found[name]) for name in FIGURES}


def _or_nan(figure: Callable[[], float]) -> float:
    try:
        return float(figure())
    except DataError:
        return math.nan


def _turbulence(s: Samples, _: float) -> dict[str, float]:
    mid, times = s.mid, s.time_ns
    crashes = stability.flash_crashes(times, mid, fundamental=s.worth) if times.size > 2 else ()
    worst = max(crashes, key=lambda one: one.depth, default=None)
    recovery = math.nan if worst is None or worst.half_recovery_ns is None else worst.half_recovery_ns / SECOND
    moves = times[1:][np.diff(mid) != 0]
    return {
        "rv_1s": _or_nan(lambda: stability.realised_variance(times, mid)),
        "rv_60s": _or_nan(lambda: stability.realised_variance(times, mid, 60 * SECOND)),
        "deepest_fall": _deepest_fall(mid, 300),
        "crashes": float(len(crashes)),
        "crash_half_recovery_s": recovery,
        "crash_overshoot": math.nan if worst is None else worst.overshoot,
        "branching_mid": _or_nan(lambda: stability.branching_ratio(moves, 30 * SECOND)),
        "branching_trades": _or_nan(lambda: stability.branching_ratio(s.trades["time"], 30 * SECOND)),
    }


def _liquidity(s: Samples, mean_order: float) -> dict[str, float]:
    book = (s.bid, s.bid_lots, s.ask, s.ask_lots)
    bids, asks = stability.depth_within(*book)
    both = 0.5 * (bids + asks)
    times = s.time_ns
    found = {
        "quoted_spread_bp": _or_nan(lambda: stability.quoted_spread_bp(times, s.bid[:, 0], s.ask[:, 0])),
        "least_depth_25bp": float(np.minimum(bids, asks)[:, 2].min()),
        "maker_share": _mean(s.maker_share),
    }
    found |= {f"depth_{band}bp": float(both[:, n].mean()) for n, band in enumerate((5, 10, 25, 50))}
    for orders in (1, 10, 100):
        costs = np.concatenate(stability.cost_to_trade_bp(*book, orders * mean_order))
        found[f"cost_{orders}"] = _median(np.where(np.isnan(costs), np.inf, costs))
    trades = s.trades
    if len(trades):
        before = s.mid[np.maximum(np.searchsorted(times, trades["time"], side="left") - 1, 0)]
        sign = np.where(trades["side"] == 0, 1.0, -1.0)
        found["effective_spread_bp"] = stability.effective_spread_bp(trades["price"], before, sign, trades["lots"])
        found["realised_spread_bp"] = _or_nan(
            lambda: stability.realised_spread_bp(trades["time"], trades["price"], sign, trades["lots"], times, s.mid)
        )
    change, _, volume = _by_interval(s, _TEN)
    found["amihud"] = stability.amihud(change, volume)
    return found


def _resilience(s: Samples, shock_ns: int) -> dict[str, float]:
    """Half-lives from the worst moment within a minute of the shock."""
    bids, asks = stability.depth_within(s.bid, s.bid_lots, s.ask, s.ask_lots)
    depth, spread = 0.5 * (bids + asks)[:, 2], s.ask[:, 0] - s.bid[:, 0]
    before, soon = s.time_ns <= shock_ns, (s.time_ns > shock_ns) & (s.time_ns <= shock_ns + 60 * SECOND)
    if before.sum() < 5 or soon.sum() < 5:
        return {}
    found = {}
    first = int(np.flatnonzero(soon)[0])
    for name, level, worst in (("depth", depth, np.argmin), ("spread", spread, np.argmax)):
        start = first + int(worst(level[soon]))
        normal = float(level[before].mean())
        found[f"resilience_{name}_s"] = _or_nan(
            lambda start=start, level=level, normal=normal: stability.resilience_half_life_s(  # type: ignore[misc]
                s.time_ns[start : start + 300], level[start : start + 300], normal
            )
        )
    return found


def _impact(s: Samples, _: float) -> dict[str, float]:
    found: dict[str, float] = {}
    signed, volume = _by_interval(s, _TEN)[1:]
    ticks = np.diff(s.mid[::_TEN])
    size = min(len(ticks), len(signed))
    if size > 10 and np.any(signed[:size] != signed[0]):
        slope = stability.kyle_lambda(ticks[:size], signed[:size])
        found["kyle_lambda"], found["kyle_t"] = slope.value, slope.t
    ofi = stability.order_flow_imbalance(s.bid[:, 0], s.bid_lots[:, 0], s.ask[:, 0], s.ask_lots[:, 0])
    if ofi.size > 10 and np.any(ofi != ofi[0]):
        found["ofi_slope"] = stability.kyle_lambda(np.diff(s.mid), ofi).value
    sizes = np.where(s.trades["side"] == 0, 1.0, -1.0) * s.trades["lots"]
    whole = float(volume.sum())
    if whole > 0:
        toxic = stability.vpin(sizes, whole / (4 * _BUCKETS), _BUCKETS)
        found["vpin"] = float(toxic[-1]) if toxic.size else math.nan
    found["metaorder_exponent"] = _or_nan(lambda: stability.metaorder_exponent(*_metaorders(s), bins=5).value)
    return found


def _metaorders(s: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Return size (as a share of volume) and impact (in volatility) of the runs of trades of one taker and side."""
    order = np.lexsort((s.trades["time"], s.trades["taker"]))
    trades = s.trades[order]
    if len(trades) < 2:
        return np.zeros(0), np.zeros(0)
    new = (np.diff(trades["taker"]) != 0) | (np.diff(trades["side"]) != 0) | (np.diff(trades["time"]) > _GAP_NS)
    starts = np.concatenate([[0], np.flatnonzero(new) + 1])
    ends = np.concatenate([starts[1:], [len(trades)]])
    several = ends - starts >= 3
    starts, ends = starts[several], ends[several]
    begin, end = trades["time"][starts], trades["time"][ends - 1]
    lots = np.array([trades["lots"][a:b].sum() for a, b in zip(starts, ends, strict=True)], np.float64)
    at = np.maximum(np.searchsorted(s.time_ns, [begin, end], side="left") - 1, 0)
    sign = np.where(trades["side"][starts] == 0, 1.0, -1.0)
    returns = np.log(s.mid)
    sigma = float(np.diff(returns).std()) or math.nan
    seconds = np.maximum((end - begin) / SECOND, 1.0)
    rate = float(s.trades["lots"].sum()) / max((s.time_ns[-1] - s.time_ns[0]) / SECOND, 1.0)
    moved = sign * (returns[np.minimum(at[1] + 1, len(returns) - 1)] - returns[at[0]])
    return lots / (rate * seconds), moved / (sigma * np.sqrt(seconds))


def _efficiency(s: Samples, _: float) -> dict[str, float]:
    log_price = np.log(s.mid)
    gap = log_price - np.log(s.worth)
    signed = np.concatenate([[0.0], _by_interval(s, 1)[1]])
    returns = np.diff(log_price)
    centred = returns - returns.mean() if returns.size else returns
    power = float(centred @ centred)
    return {
        "rmse_worth": _or_nan(lambda: stability.tracking_error(s.mid, s.worth)),
        "half_life_worth_s": _or_nan(lambda: stability.mean_reversion_half_life(gap)),
        "half_life_basis_s": _or_nan(lambda: stability.basis_half_life(s.mid, s.reference)),
        "variance_ratio_10": _or_nan(lambda: stability.variance_ratio(log_price, 10).value),
        "variance_ratio_60": _or_nan(lambda: stability.variance_ratio(log_price, 60).value),
        "acf_1s": float(centred[1:] @ centred[:-1]) / power if power > 0 else math.nan,
        "pricing_error_share": _or_nan(lambda: stability.pricing_error(log_price, signed).share),
    }


def _herding(s: Samples, owners: Sequence[int]) -> dict[str, float]:
    positions = s.positions[::_TEN, np.asarray(owners, np.int64)]
    actions = np.diff(positions, axis=0)
    if len(actions) < 4:
        return {}
    minute = float(np.diff(np.log(s.mid)).std()) * math.sqrt(60.0) * float(s.mid[-1])
    correlation = stability.action_correlation(actions)
    return {
        "lsv": stability.lsv_herding((actions > 0).sum(axis=1), (actions < 0).sum(axis=1)),
        "action_correlation": stability.mean_pairwise_correlation(actions),
        "effective_agents": stability.effective_agents(actions, adjusted=True),
        "active_agents": float(correlation.shape[0]),
        "gross_to_net": stability.gross_to_net(positions),
        "stop_overlap": stability.liquidation_overlap(s.stops, minute),
        "stop_reach": stability.liquidation_reach(s.stops, float(s.mid[-1]), minute),
    }


def _by_interval(s: Samples, beats: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log return, signed lots and lots of each interval of so many beats."""
    at = s.time_ns[::beats]
    change = np.diff(np.log(s.mid[::beats]))
    lots = s.trades["lots"].astype(np.float64)
    sign = np.where(s.trades["side"] == 0, 1.0, -1.0)
    edges = np.searchsorted(s.trades["time"], at, side="right")
    sums = [np.diff(np.concatenate([[0.0], np.cumsum(values)])[edges]) for values in (sign * lots, lots)]
    return change, sums[0], sums[1]


def _deepest_fall(mid: np.ndarray, beats: int) -> float:
    """Return the largest fall from the highest mid of the last `beats` beats."""
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([np.full(beats - 1, mid[0]), mid]), beats)
    return float((1.0 - mid / windows.max(axis=1)).max())


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def _median(values: np.ndarray) -> float:
    """Return the middle value; infinite if most are."""
    return float(np.sort(values)[values.size // 2]) if values.size else math.nan
