"""How trades move prices: Kyle's lambda with honest errors, impact of metaorders, order-flow imbalance, toxicity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mycelial.domain.errors import DataError
from mycelial.facts.panel import Floats
from mycelial.facts.stability.sampling import Times, checked, clock, last_known, sums_between


@dataclass(frozen=True, slots=True)
class Slope:
    """A regression coefficient with its standard error."""

    value: float
    standard_error: float
    observations: int

    @property
    def t(self) -> float:
        """Its t statistic."""
        return self.value / self.standard_error if self.standard_error > 0 else float("nan")


def newey_west(y: Floats, x: Floats, lags: int | None = None) -> tuple[Floats, Floats]:
    """Regress y on x and a constant; return coefficients (constant first) and standard errors.

    Errors allow for heteroskedasticity and for autocorrelation up to `lags` (Bartlett weights; by default
    ``floor(4 (n/100)^(2/9))``), with the small-sample factor n / (n - k).

    Parameters
    ----------
    y : float64[n]. x : float64[n] or float64[n, k].

    References
    ----------
    Newey and West (1987), Econometrica 55, 703-708; (1994), Review of Economic Studies 61, 631-653.
    """
    target = np.asarray(y, dtype=np.float64)
    design = np.column_stack([np.ones(target.size), np.asarray(x, dtype=np.float64)])
    n, k = design.shape
    if n <= k:
        raise DataError(f"{n} observations cannot give {k} coefficients; use a longer series")
    coefficients, _, rank, _ = np.linalg.lstsq(design, target, rcond=None)
    if rank < k:
        return np.full(k, np.nan), np.full(k, np.nan)
    score = design * (target - design @ coefficients)[:, None]
    most = lags if lags is not None else math.floor(4 * (n / 100) ** (2 / 9))
    middle = score.T @ score
    for lag in range(1, min(most, n - 1) + 1):
        cross = score[lag:].T @ score[:-lag]
        middle += (1 - lag / (most + 1)) * (cross + cross.T)
    bread = np.linalg.inv(design.T @ design)
    covariance = bread @ middle @ bread * n / (n - k)
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return np.asarray(coefficients, dtype=np.float64), np.asarray(errors, dtype=np.float64)


def kyle_lambda(mid_change: Floats, signed_volume: Floats, lags: int | None = None) -> Slope:
    """Return lambda of ``change of mid = constant + lambda * signed volume + noise``, by interval.

    References
    ----------
    Kyle (1985), Econometrica 53, 1315-1335; errors: `newey_west`.
    """
    coefficients, errors = newey_west(mid_change, signed_volume, lags)
    return Slope(float(coefficients[1]), float(errors[1]), int(np.size(mid_change)))


def flow_by_interval(
    quote_time_ns: Times, mid: Floats, trade_time_ns: Times, signed_size: Floats, interval_ns: int
) -> tuple[Floats, Floats]:
    """Return the change of the mid price and the signed volume of each interval: what `kyle_lambda` takes."""
    quotes, (mids,) = checked(quote_time_ns, mid)
    trades, (sizes,) = checked(trade_time_ns, signed_size, least=0)
    at = clock(int(quotes[0]), int(quotes[-1]), interval_ns)
    return np.diff(last_known(quotes, mids, at)), sums_between(trades, sizes, at)


def metaorder_exponent(size: Floats, impact: Floats, bins: int = 10) -> Slope:
    """Return delta of ``impact ~ size^delta`` from the mean impact in bins of equally many metaorders.

    Parameters
    ----------
    size : metaorder size as a share of the volume of its time. impact : signed price change in its direction, in units
        of the volatility of its time. Means and not single impacts, because these are mostly noise and often negative.

    References
    ----------
    Almgren, Thum, Hauptmann and Li (2005), Risk 18(7), 58-62; Toth et al. (2011), Physical Review X 1, 021006.
    """
    sizes, impacts = np.asarray(size, dtype=np.float64), np.asarray(impact, dtype=np.float64)
    usable = (sizes > 0) & np.isfinite(impacts)
    sizes, impacts = sizes[usable], impacts[usable]
    if sizes.size < 3 * bins:
        raise DataError(f"{sizes.size} metaorders are too few for {bins} bins; give at least {3 * bins} or fewer bins")
    groups = np.array_split(np.argsort(sizes, kind="stable"), bins)
    x = np.array([np.log(sizes[group]).mean() for group in groups])
    mean = np.array([impacts[group].mean() for group in groups])
    error = np.array([impacts[group].std(ddof=1) / math.sqrt(group.size) for group in groups])
    kept = mean > 0
    if kept.sum() < 3:
        return Slope(float("nan"), float("nan"), int(sizes.size))
    x, y = x[kept], np.log(mean[kept])
    relative = np.maximum(error[kept] / mean[kept], 1e-12)  # error of the logarithm
    weight = 1 / relative**2
    centre = x - np.average(x, weights=weight)
    spread = float((weight * centre**2).sum())
    return Slope(float((weight * centre * y).sum() / spread), 1 / math.sqrt(spread), int(sizes.size))


def order_flow_imbalance(bid: Floats, bid_lots: Floats, ask: Floats, ask_lots: Floats) -> Floats:
    """Return the contribution of each change of the best quotes to order-flow imbalance: float64[n - 1], in lots.

    Sum it over an interval and regress the change of the mid price on it.

    References
    ----------
    Cont, Kukanov and Stoikov (2014), Journal of Financial Econometrics 12, 47-88.
    """
    bids = np.where(bid[1:] >= bid[:-1], bid_lots[1:], 0.0) - np.where(bid[1:] <= bid[:-1], bid_lots[:-1], 0.0)
    asks = np.where(ask[1:] <= ask[:-1], ask_lots[1:], 0.0) - np.where(ask[1:] >= ask[:-1], ask_lots[:-1], 0.0)
    return np.asarray(bids - asks, dtype=np.float64)


def vpin(signed_size: Floats, bucket_volume: float, buckets: int = 50) -> Floats:
    """Return VPIN after each full bucket from the `buckets`-th on: mean of |bought - sold| / volume of the last ones.

    For display only: it must never decide anything. Andersen and Bondarenko found it a poor predictor of short-run
    volatility whose content is largely mechanical.

    References
    ----------
    Easley, Lopez de Prado and O'Hara (2012), Review of Financial Studies 25, 1457-1493, here with known trade signs;
    Andersen and Bondarenko (2014), Journal of Financial Markets 17, 1-46.
    """
    if not bucket_volume > 0:
        raise DataError(f"bucket_volume {bucket_volume} must be above zero")
    signed = np.asarray(signed_size, dtype=np.float64)
    volume = np.concatenate([[0.0], np.cumsum(np.abs(signed))])
    net = np.concatenate([[0.0], np.cumsum(signed)])
    edges = np.arange(0.0, volume[-1] + 1e-9 * bucket_volume, bucket_volume)
    imbalance = np.abs(np.diff(np.interp(edges, volume, net))) / bucket_volume  # a trade on an edge is split
    if imbalance.size < buckets:
        return np.empty(0)
    return np.convolve(imbalance, np.full(buckets, 1 / buckets), mode="valid")
