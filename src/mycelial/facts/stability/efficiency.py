"""How well prices follow value: distance and half-life to the fundamental, variance ratio, pricing error, basis."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mycelial.domain.errors import DataError
from mycelial.facts.panel import Floats
from mycelial.facts.stability.sampling import positive


def tracking_error(price: Floats, fundamental: Floats) -> float:
    """Return the root mean square of ``log(price / fundamental)``."""
    gap = np.log(positive(price, "price") / positive(fundamental, "fundamental"))
    return float(np.sqrt(np.mean(gap**2)))


def mean_reversion_half_life(gap: Floats) -> float:
    """Return in how many observations half of a gap closes, from the AR(1) coefficient phi: ``log(1/2) / log(phi)``.

    For the gap between price and fundamental, or the basis between two venues, on a regular clock. 0 if phi is not
    positive, infinite if the gap does not revert.
    """
    x = np.asarray(gap, dtype=np.float64)
    if x.size < 3:
        raise DataError(f"{x.size} observations are too short; at least 3 are needed")
    early, late = x[:-1] - x[:-1].mean(), x[1:] - x[1:].mean()
    power = float(early @ early)
    if power == 0.0:
        return float("nan")
    phi = float(early @ late) / power
    if phi <= 0:
        return 0.0
    return math.log(0.5) / math.log(phi) if phi < 1 else float("inf")


def basis_half_life(price_here: Floats, price_there: Floats) -> float:
    """Return in how many observations half of the basis ``log(here / there)`` closes."""
    return mean_reversion_half_life(np.log(positive(price_here, "price") / positive(price_there, "price")))


@dataclass(frozen=True, slots=True)
class VarianceRatio:
    """VR(q) and its z statistic under a random walk with changing variance; 1 and about 0 for a random walk."""

    value: float
    z: float


def variance_ratio(log_price: Floats, q: int) -> VarianceRatio:
    """Return the variance of q-step returns over q times that of one step, overlapping and unbiased.

    Below 1 prices revert, above 1 they trend.

    References
    ----------
    Lo and MacKinlay (1988), Review of Financial Studies 1, 41-66.
    """
    p = np.asarray(log_price, dtype=np.float64)
    n = p.size - 1
    if q < 2 or n < 2 * q:
        raise DataError(f"a variance ratio over {q} steps needs q >= 2 and at least {2 * q + 1} prices, not {p.size}")
    r = np.diff(p)
    drift = r.mean()
    squares = (r - drift) ** 2
    one = squares.sum() / (n - 1)
    if one == 0:
        return VarianceRatio(float("nan"), float("nan"))
    m = q * (n - q + 1) * (1 - q / n)
    many = ((p[q:] - p[:-q] - q * drift) ** 2).sum() / m
    value = many / one
    theta = sum(
        (2 * (q - j) / q) ** 2 * float((squares[j:] * squares[:-j]).sum()) / float(squares.sum()) ** 2
        for j in range(1, q)
    )
    return VarianceRatio(float(value), float((value - 1) / math.sqrt(theta)))


@dataclass(frozen=True, slots=True)
class PricingError:
    """Standard deviations of the pricing error and of the efficient price's steps; `share` is that of the error in
    the standard deviation of the log price over the sample."""

    error: float
    efficient_step: float
    share: float


def pricing_error(log_price: Floats, signed_volume: Floats, lags: int = 5) -> PricingError:
    """Split prices into an efficient random walk and a stationary pricing error.

    A vector autoregression of returns and signed volume gives the response of prices to innovations; what a response
    takes back later was error. A lower bound: error unrelated to both innovations stays unseen.

    Parameters
    ----------
    log_price : float64[n]. signed_volume : float64[n], of the interval that ends with each price.

    References
    ----------
    Hasbrouck (1993), Review of Financial Studies 6, 191-212, with the identification of Beveridge and Nelson (1981).
    """
    p, x = np.asarray(log_price, dtype=np.float64), np.asarray(signed_volume, dtype=np.float64)
    if p.shape != x.shape:
        raise DataError(f"{p.size} prices and {x.size} volumes; give one volume for each price")
    series = np.column_stack([np.diff(p), x[1:]])
    if not np.any(series[:, 1] != series[0, 1]):
        series = series[:, :1]  # no trades to learn from
    n, k = series.shape
    if n < 20 * lags * k:
        raise DataError(f"{p.size} prices are too few for {lags} lags; give at least {20 * lags * k + 1}")
    series = series - series.mean(axis=0)
    past = np.column_stack([series[lags - lag : n - lag] for lag in range(1, lags + 1)])
    coefficients = np.linalg.lstsq(past, series[lags:], rcond=None)[0]
    residual = series[lags:] - past @ coefficients
    covariance = residual.T @ residual / (n - lags - past.shape[1])
    responses = _responses(coefficients, k, lags, horizon=20 * lags + 200)[:, 0, :]  # of returns, [step, innovation]
    later = responses.sum(axis=0) - np.cumsum(responses, axis=0)  # sum of the responses after each step
    error = math.sqrt(max(0.0, float(np.einsum("si,ij,sj->", later, covariance, later))))
    whole = responses.sum(axis=0)
    step = math.sqrt(max(0.0, float(whole @ covariance @ whole)))
    spread = float(p.std())
    return PricingError(error, step, error / spread if spread > 0 else float("nan"))


def _responses(coefficients: Floats, k: int, lags: int, horizon: int) -> Floats:
    """Return the moving-average form of an autoregression: float64[horizon, k, k], response by innovation."""
    by_lag = [coefficients[lag * k : (lag + 1) * k].T for lag in range(lags)]
    out = np.zeros((horizon, k, k))
    out[0] = np.eye(k)
    for step in range(1, horizon):
        for lag, matrix in enumerate(by_lag[:step]):
            out[step] += matrix @ out[step - 1 - lag]
    return out
