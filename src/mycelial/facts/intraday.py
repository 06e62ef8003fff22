"""Intraday stylised facts of one instrument, as named figures and curves ready to print, plot or compare.

The same code measures a recorded feed and a simulated market. Figures have no unit of currency wherever that is
possible (ticks, basis points, multiples of the mean trade), so that markets of different coins can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mycelial.domain.recording import MarketRecording
from mycelial.domain.seeds import generator
from mycelial.facts.autocorrelation import autocorrelation
from mycelial.facts.frame import PROFILE_BP, STEP_NS, Floats, Frame, frame_of
from mycelial.facts.returns import hill_index

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
SCALES = (1, 2, 5, 10, 20, 50, 100)  # intervals of 100 ms: 100 ms to 10 s
SIGN_LAGS = 20
MEMORY_LAGS = 20
IMPACT_BUCKETS = 8
IMPACT_STEPS = 10  # impact over one second
EXPONENTS = tuple(round(0.02 * n, 2) for n in range(1, 76))
INTERVAL = (2.5, 97.5)

FIGURES: Mapping[str, str] = {
    "spread_bp_mean": "time-weighted mean spread, basis points of the mid",
    "spread_ticks_median": "time-weighted median spread, ticks",
    "spread_one_tick": "share of time with a spread of one tick",
    "touch_in_trades": "median queue at the best prices, in mean trades",
    "depth_1bp_in_trades": "lots within 1 bp of the mid a side, in mean trades",
    "depth_5bp_in_trades": "lots within 5 bp of the mid a side, in mean trades",
    "depth_growth": "lots within 10 bp over lots within 2 bp: how fast the book fills out",
    "trade_size_spread": "95 % over 50 % quantile of trade sizes",
    "trade_size_tail": "Hill index of the largest 5 % of trades",
    "order_size_tail": "Hill index of the largest 5 % of what joins a level",
    "trades_per_second": "trades a second",
    "orders_per_second": "orders of takers a second (trades of one moment and side are one)",
    "order_burstiness": "burstiness of taker orders: 0 for a Poisson clock, near 1 for bursts",
    "order_gap_median_ratio": "median over mean gap between taker orders; 0.69 for a Poisson clock",
    "cancel_share": "share of lots leaving levels within 10 bp that was cancelled, not traded",
    "cancel_share_updates": "share of shrinking level updates within 10 bp without any trade",
    "joined_over_traded": "lots joining levels within 10 bp per lot traded there",
    "taker_buy_share": "share of trades in which the taker buys",
    "sign_acf_1": "autocorrelation of trade signs, lag 1",
    "sign_acf_10": "autocorrelation of trade signs, lag 10",
    "order_sign_acf_1": "autocorrelation of the signs of taker orders, lag 1",
    "imbalance_hit": "how often the larger best queue tells the sign of the next mid move",
    "imbalance_r2": "R² of the mid's change over a second on the imbalance of the best queues before it",
    "flow_r2": "R² of the mid's change over a second on the order-flow imbalance within it",
    "flow_ahead_r2": "R² of the mid's change over a second on the order-flow imbalance of the second before",
    "flow_ahead_hit": "how often the order flow of a second tells the sign of the mid's change in the next",
    "vol_1s_bp": "standard deviation of mid returns over 1 s, basis points",
    "kurtosis_1s": "excess kurtosis of mid returns over 1 s",
    "kurtosis_10s": "excess kurtosis of mid returns over 10 s",
    "acf_abs_100ms": "autocorrelation of |mid returns| of 100 ms, mean of lags 1-20",
    "acf_abs_1s": "autocorrelation of |mid returns| of 1 s, mean of lags 1-20",
    "acf_abs_10s": "autocorrelation of |mid returns| of 10 s, lag 1",
    "acf_r_1s": "autocorrelation of mid returns of 1 s, lag 1",
    "signature_100ms": "realised variance sampled every 100 ms over that sampled every 10 s",
    "signature_1s": "realised variance sampled every second over that sampled every 10 s",
    "impact_exponent": "power of the volume with which the mid moves within its second; 0.5 is the square-root law",
    "impact_r2": "R² of the mid's change over a second on the signed square root of volume",
}


# What a simulated market is asked for first: spread, depth, imbalance predictability, volatility clustering.
REQUIRED = (
    *("spread_bp_mean", "spread_ticks_median", "spread_one_tick"),
    *("touch_in_trades", "depth_1bp_in_trades", "depth_5bp_in_trades", "depth_growth"),
    *("imbalance_hit", "imbalance_r2", "flow_r2"),
    *("acf_abs_100ms", "acf_abs_1s", "kurtosis_1s"),
)


@dataclass(frozen=True)
class Curve:
    """Points of one curve."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class IntradaySummary:
    """Intraday facts of one market; undefined figures are NaN.

    `figures` by the keys of `FIGURES`; `intervals` 95 % block-bootstrap intervals of the same (empty when none were
    asked for); `curves` for plots: spread, trade_size, order_size, gap (quantiles at `QUANTILES`), depth, sign_acf,
    memory_100ms, memory_1s, signature, impact.
    """

    label: str
    seconds: float
    n_trades: int
    n_updates: int
    figures: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    curves: dict[str, Curve]

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as a JSON object."""
        return asdict(self)


def summarise_intraday(
    market: MarketRecording | Frame, *, label: str | None = None, replicates: int = 0, seed: int = 0
) -> IntradaySummary:
    """Measure the intraday facts of a market.

    Parameters
    ----------
    label : str, optional
        Name in tables; the market's own otherwise.
    replicates : int
        Draws of the block bootstrap (blocks of 20 s, with replacement); 0 gives no intervals.

    Raises
    ------
    DataError
        If the market is shorter than one block or shows no quotes.
    """
    frame = market if isinstance(market, Frame) else frame_of(market)
    figures, curves = measure(frame)
    return IntradaySummary(
        label=label or frame.label,
        seconds=frame.seconds,
        n_trades=frame.trades.lots.size,
        n_updates=frame.changes.joined.size,
        figures=figures,
        intervals=_intervals(frame, replicates, seed) if replicates > 0 else {},
        curves=curves,
    )


def measure(frame: Frame) -> tuple[dict[str, float], dict[str, Curve]]:
    """Return every figure and curve of a frame."""
    figures: dict[str, float] = {}
    curves: dict[str, Curve] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for part in (_book, _sizes, _timing, _cancels, _signs, _predictions, _returns, _impact):
            part(frame, figures, curves)
    return {key: figures[key] for key in FIGURES}, curves


def _intervals(frame: Frame, replicates: int, seed: int) -> dict[str, tuple[float, float]]:
    rng = generator(seed, "facts", "intraday", "bootstrap")
    drawn = [
        list(measure(frame.drawn(rng.integers(0, frame.n_blocks, frame.n_blocks)))[0].values())
        for _ in range(replicates)
    ]
    table = np.array(drawn)
    found = {}
    for key, column in zip(FIGURES, table.T, strict=True):
        finite = column[np.isfinite(column)]
        low, high = np.percentile(finite, INTERVAL) if finite.size else (np.nan, np.nan)
        found[key] = (float(low), float(high))
    return found


def _book(frame: Frame, figures: dict[str, float], curves: dict[str, Curve]) -> None:
    grid, trade = frame.grid, _mean(frame.trades.lots)
    spread_bp = grid.spread / grid.mid * 1e4
    within = frame.profile.within.mean(axis=0) if frame.profile.within.size else np.full(len(PROFILE_BP), np.nan)
    at = dict(zip(PROFILE_BP, within, strict=True))
    figures["spread_bp_mean"] = _mean(spread_bp)
    figures["spread_ticks_median"] = _quantile(grid.spread, 0.5)
    figures["spread_one_tick"] = _mean((grid.spread == 1).astype(np.float64))
    figures["touch_in_trades"] = _quantile(grid.best_lots, 0.5) / trade
    figures["depth_1bp_in_trades"] = float(at[1.0]) / trade
    figures["depth_5bp_in_trades"] = float(at[5.0]) / trade
    figures["depth_growth"] = float(at[10.0] / at[2.0])
    curves["spread"] = Curve(QUANTILES, _quantiles(grid.spread))
    curves["spread_bp"] = Curve(QUANTILES, _quantiles(spread_bp))
    curves["depth"] = Curve(PROFILE_BP, _numbers(within / trade))


def _sizes(frame: Frame, figures: dict[str, float], curves: dict[str, Curve]) -> None:
    lots, joined = frame.trades.lots, frame.changes.joined[frame.changes.joined > 0]
    figures["trade_size_spread"] = _quantile(lots, 0.95) / _quantile(lots, 0.5)
    figures["trade_size_tail"] = hill_index(lots)
    figures["order_size_tail"] = hill_index(joined)
    curves["trade_size"] = Curve(QUANTILES, _numbers(np.array(_quantiles(lots)) / _mean(lots)))
    curves["order_size"] = Curve(QUANTILES, _numbers(np.array(_quantiles(joined)) / _mean(lots)))


def _timing(frame: Frame, figures: dict[str, float], curves: dict[str, Curve]) -> None:
    gaps = frame.trades.gap_ms[np.isfinite(frame.trades.gap_ms)]
    mean, std = _mean(gaps), float(gaps.std()) if gaps.size else float("nan")
    figures["trades_per_second"] = frame.trades.lots.size / frame.seconds
    figures["orders_per_second"] = float(frame.trades.begins.sum()) / frame.seconds
    figures["order_burstiness"] = (std - mean) / (std + mean)
    figures["order_gap_median_ratio"] = _quantile(gaps, 0.5) / mean
    curves["gap_ms"] = Curve(QUANTILES, _quantiles(gaps))


def _cancels(frame: Frame, figures: dict[str, float], curves: dict[str, Curve]) -> None:
    changes = frame.changes
    near = changes.distance_bp <= 10
    joined, traded, cancelled = changes.joined[near], changes.traded[near], changes.cancelled[near]
    shrinking = (cancelled > 0) | (traded > joined)
    figures["cancel_share"] = float(cancelled.sum() / (cancelled.sum() + traded.sum())) if near.any() else float("nan")
    figures["cancel_share_updates"] = _mean((traded[shrinking] == 0).astype(np.float64))
    figures["joined_over_traded"] = float(joined.sum() / traded.sum()) if traded.any() else float("nan")


def _signs(frame: Frame, figures: dict[str, float], curves: dict[str, Curve]) -> None:
    sign = frame.trades.sign
    acf = _acf(sign, SIGN_LAGS)
    order_sign = sign[frame.trades.begins > 0]
    orders = _acf(order_sign, SIGN_LAGS)
    figures["taker_buy_share"] = _mean((sign > 0).astype(np.float64))
    figures["sign_acf_1"], figures["sign_acf_10"] = float(acf[0]), float(acf[9])
    figures["order_sign_acf_1"] = float(orders[0])
    curves["sign_acf"] = Curve(_lags(SIGN_LAGS), _numbers(acf))


def _predictions(frame: Frame, figures: dict[str, float], curves: dict[str, Curve]) -> None:
    grid = frame.grid
    told = (grid.imbalance != 0) & (grid.next_move != 0)
    figures["imbalance_hit"] = _mean((np.sign(grid.imbalance[told]) == grid.next_move[told]).astype(np.float64))
    figures["imbalance_r2"] = _r2(grid.imbalance, grid.ahead)
    figures["flow_r2"] = _r2(_sums(grid.order_flow, IMPACT_STEPS), _sums(grid.change, IMPACT_STEPS))
    figures["flow_ahead_r2"] = _r2(grid.flow_before, grid.ahead)
    said = np.isfinite(grid.flow_before) & np.isfinite(grid.ahead) & (grid.flow_before != 0) & (grid.ahead != 0)
    hits = np.sign(grid.flow_before[said]) == np.sign(grid.ahead[said])
    figures["flow_ahead_hit"] = _mean(hits.astype(np.float64))


def _returns(frame: Frame, figures: dict[str, float], curves: dict[str, Curve]) -> None:
    r = frame.grid.change / frame.grid.mid * 1e4
    by_scale = {scale: _sums(r, scale) for scale in SCALES}
    memory, slow = _acf(np.abs(by_scale[1]), MEMORY_LAGS), _acf(np.abs(by_scale[10]), MEMORY_LAGS)
    variance = {scale: float((one**2).mean()) / scale if one.size else np.nan for scale, one in by_scale.items()}
    figures["vol_1s_bp"] = float(by_scale[10].std())
    figures["kurtosis_1s"], figures["kurtosis_10s"] = _kurtosis(by_scale[10]), _kurtosis(by_scale[100])
    figures["acf_abs_100ms"], figures["acf_abs_1s"] = float(memory.mean()), float(slow.mean())
    figures["acf_abs_10s"] = float(_acf(np.abs(by_scale[100]), 1)[0])
    figures["acf_r_1s"] = float(_acf(by_scale[10], 1)[0])
    figures["signature_100ms"] = float(np.divide(variance[1], variance[100]))
    figures["signature_1s"] = float(np.divide(variance[10], variance[100]))
    curves["memory_100ms"] = Curve(_lags(MEMORY_LAGS), _numbers(memory))
    curves["memory_1s"] = Curve(_lags(MEMORY_LAGS), _numbers(slow))
    seconds = tuple(scale * STEP_NS / 1e9 for scale in SCALES)
    curves["signature"] = Curve(seconds, tuple(float(np.divide(v, variance[100])) for v in variance.values()))


def _impact(frame: Frame, figures: dict[str, float], curves: dict[str, Curve]) -> None:
    volume = _sums(frame.grid.signed_lots, IMPACT_STEPS) / _mean(frame.trades.lots)
    moved = _sums(frame.grid.change / frame.grid.mid * 1e4, IMPACT_STEPS)
    traded = volume != 0
    size, response = np.abs(volume[traded]), moved[traded] * np.sign(volume[traded])
    figures["impact_exponent"] = float("nan")
    figures["impact_r2"] = _r2(np.sign(volume) * np.sqrt(np.abs(volume)), moved)
    curves["impact"] = Curve((), ())
    if size.size < 4 * IMPACT_BUCKETS:
        return
    buckets = np.array_split(np.argsort(size, kind="stable"), IMPACT_BUCKETS)
    x = np.array([size[rows].mean() for rows in buckets])
    y = np.array([response[rows].mean() for rows in buckets])
    curves["impact"] = Curve(_numbers(x), _numbers(y))
    fit = [float((response * size**power).sum() / np.sqrt((size ** (2 * power)).sum())) for power in EXPONENTS]
    if max(fit) > 0:  # least squares of response = c size^power
        figures["impact_exponent"] = EXPONENTS[int(np.argmax(fit))]


def _sums(values: Floats, steps: int) -> Floats:
    """Return sums over consecutive non-overlapping runs of `steps` values; a rest at the end is left out."""
    n = values.size // steps
    return values[: n * steps].reshape(n, steps).sum(axis=1)


def _acf(values: Floats, n_lags: int) -> Floats:
    return autocorrelation(values[None, :], n_lags) if values.size else np.full(n_lags, np.nan)


def _kurtosis(values: Floats) -> float:
    deviation = values - values.mean() if values.size else values
    variance = float((deviation**2).mean()) if values.size else 0.0
    return float((deviation**4).mean() / variance**2 - 3) if variance > 0 else float("nan")


def _r2(x: Floats, y: Floats) -> float:
    """Return the squared correlation of the rows where both are known."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if x.size < 3 or x.max() == x.min() or y.max() == y.min():
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")


def _quantile(values: Floats, level: float) -> float:
    return float(np.quantile(values, level)) if values.size else float("nan")


def _quantiles(values: Floats) -> tuple[float, ...]:
    return _numbers(np.quantile(values, QUANTILES)) if values.size else (float("nan"),) * len(QUANTILES)


def _numbers(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _lags(n: int) -> tuple[float, ...]:
    return tuple(float(lag) for lag in range(1, n + 1))
