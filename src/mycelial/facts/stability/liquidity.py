"""What it costs to trade and how soon the book heals: spreads, depth, cost of a sweep, Amihud, resilience.

Books are arrays float64[n, L]: L levels of n snapshots, best first; levels that do not exist have quantity 0. Signs are
those of the taker: +1 bought, -1 sold.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from mycelial.domain.errors import DataError
from mycelial.facts.panel import Floats
from mycelial.facts.stability.sampling import NS_PER_S, Times, checked, last_known, positive

BP = 10_000.0
DEPTHS_BP = (5.0, 10.0, 25.0, 50.0)


def quoted_spread_bp(time_ns: Times, bid: Floats, ask: Floats) -> float:
    """Return the quoted spread in basis points of the mid price, weighted by how long each quote stood."""
    times, (bids, asks) = checked(time_ns, bid, ask)
    spread = (asks - bids) / positive((asks + bids) / 2, "mid") * BP
    stood = np.diff(times).astype(np.float64)
    return float(np.average(spread[:-1], weights=stood)) if stood.sum() > 0 else float(spread.mean())


def effective_spread_bp(price: Floats, mid: Floats, sign: Floats, size: Floats) -> float:
    """Return twice the distance of trades from the mid price just before, in basis points, weighted by size.

    References
    ----------
    Huang and Stoll (1996), Journal of Financial Economics 41, 313-357.
    """
    mids = positive(mid, "mid")
    return _weighted(2 * np.asarray(sign) * (np.asarray(price) - mids) / mids * BP, size)


def realised_spread_bp(
    trade_time_ns: Times,
    price: Floats,
    sign: Floats,
    size: Floats,
    quote_time_ns: Times,
    mid: Floats,
    later_ns: int = 5 * NS_PER_S,
) -> float:
    """Return what makers kept: twice the distance of trades from the mid price `later_ns` after, in basis points.

    Trades too near the end to have a later mid are left out. Effective less realised spread is the price impact.

    References
    ----------
    Huang and Stoll (1996), Journal of Financial Economics 41, 313-357.
    """
    times, (prices, signs, sizes) = checked(trade_time_ns, price, sign, size, least=1)
    quotes, (mids,) = checked(quote_time_ns, mid)
    usable = times + later_ns <= quotes[-1]
    before = last_known(quotes, mids, times - 1)
    usable &= np.isfinite(before)
    after = last_known(quotes, mids, times + later_ns)
    return _weighted((2 * signs * (prices - after) / before * BP)[usable], sizes[usable])


def depth_within(
    bid_price: Floats, bid_lots: Floats, ask_price: Floats, ask_lots: Floats, bands_bp: tuple[float, ...] = DEPTHS_BP
) -> tuple[Floats, Floats]:
    """Return lots within each band around the mid price, of bids and of asks: two float64[n, len(bands_bp)]."""
    mid = ((bid_price[:, 0] + ask_price[:, 0]) / 2)[:, None]
    away_bid = (mid - bid_price) / mid * BP
    away_ask = (ask_price - mid) / mid * BP
    slack = 1e-9  # a level exactly on the band counts
    bids = [np.where(away_bid <= band + slack, bid_lots, 0.0).sum(axis=1) for band in bands_bp]
    asks = [np.where(away_ask <= band + slack, ask_lots, 0.0).sum(axis=1) for band in bands_bp]
    return np.stack(bids, axis=1), np.stack(asks, axis=1)


def cost_to_trade_bp(
    bid_price: Floats, bid_lots: Floats, ask_price: Floats, ask_lots: Floats, lots: float
) -> tuple[Floats, Floats]:
    """Return what buying and what selling `lots` at once costs against the mid price, in basis points, by snapshot.

    NaN where the book is too thin.
    """
    if not lots > 0:
        raise DataError(f"lots {lots} must be above zero")
    mid = (bid_price[:, 0] + ask_price[:, 0]) / 2
    buy = (_sweep_price(ask_price, ask_lots, lots) - mid) / mid * BP
    sell = (mid - _sweep_price(bid_price, bid_lots, lots)) / mid * BP
    return buy, sell


def amihud(log_return: Floats, volume: Floats) -> float:
    """Return the mean of |return| / volume over intervals with trades.

    References
    ----------
    Amihud (2002), Journal of Financial Markets 5, 31-56.
    """
    r, v = np.asarray(log_return, dtype=np.float64), np.asarray(volume, dtype=np.float64)
    traded = v > 0
    return float((np.abs(r[traded]) / v[traded]).mean()) if traded.any() else float("nan")


def resilience_half_life_s(time_ns: Times, level: Floats, normal: float) -> float:
    """Return how fast depth or spread comes back after a shock, as the half-life of its gap to normal, in seconds.

    Fits ``level - normal = g exp(-t / tau)`` by least squares from the first observation (the shock) on. Infinite if it
    does not come back within the series.

    References
    ----------
    Exponential recovery: Obizhaeva and Wang (2013), Journal of Financial Markets 16, 1-32.
    """
    times, (levels,) = checked(time_ns, level, least=4)
    t = (times - times[0]) / NS_PER_S
    gap = levels - normal
    if t[-1] <= 0 or not np.any(gap):
        return float("nan")
    low, high = math.log(np.diff(t)[np.diff(t) > 0].min() / 10), math.log(t[-1] * 100)

    def misfit(log_tau: float) -> float:
        shape = np.exp(-t / math.exp(log_tau))
        return float(((gap - shape * (shape @ gap) / (shape @ shape)) ** 2).sum())

    grid = np.linspace(low, high, 60)  # the misfit has several valleys when noise is large
    at = int(np.argmin([misfit(one) for one in grid]))
    bounds = (grid[max(0, at - 1)], grid[min(grid.size - 1, at + 1)])
    tau = math.exp(minimize_scalar(misfit, bounds=bounds, method="bounded").x)
    return math.log(2) * tau if tau < 10 * t[-1] else float("inf")


def supplied_share(own_lots: Floats, all_lots: Floats) -> float:
    """Return the share of resting depth that some traders supply, over all snapshots."""
    total = float(np.sum(all_lots))
    return float(np.sum(own_lots)) / total if total > 0 else float("nan")


def _weighted(values: Floats, weights: Floats) -> float:
    w = np.asarray(weights, dtype=np.float64)
    return float(np.average(values, weights=w)) if w.sum() > 0 else float("nan")


def _sweep_price(price: Floats, available: Floats, lots: float) -> Floats:
    """Return the mean price of `lots` taken best level first, NaN where there are not enough."""
    reached: NDArray[np.float64] = np.cumsum(available, axis=1)
    taken = np.clip(lots - (reached - available), 0.0, available)
    enough = reached[:, -1] >= lots
    paid = np.where(taken > 0, taken * price, 0.0).sum(axis=1)
    return np.where(enough, paid / lots, np.nan)
