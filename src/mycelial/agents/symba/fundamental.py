"""Fundamental value F(t) of every asset: the paper's jump process, and market-wide stochastic volatility.

Drawn before the market opens, because nobody in it moves it. All draws come from named NumPy generators.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.domain.seeds import generator

_START = 100.0
_TINY = 1e-300  # a market factor may be switched off


class Fundamental(NamedTuple):
    """Paths over T days for J assets."""

    value: NDArray[np.float64]  # [J, T] F(t), quote currency
    uncertainty: NDArray[np.float64]  # [J, T] current volatility S of ln F, behind the signal's error


def draw_fundamental(params: SymbaParameters, assets: int, seed: int) -> Fundamental:
    """Draw F for all assets by the process the parameters name."""
    if params.fundamental == "jumps":
        value = np.stack([_jumps(params, generator(seed, "fundamental", j)) for j in range(assets)])
        return Fundamental(value, np.full_like(value, params.fundamental_sigma))
    if params.fundamental == "gaussian":
        steps = np.stack([generator(seed, "fundamental", j).normal(size=params.days) for j in range(assets)])
        return Fundamental(
            _anchored(params, params.fundamental_sigma * steps), np.full_like(steps, params.fundamental_sigma)
        )
    return _stochastic_volatility(params, assets, seed)


def given_fundamental(path: NDArray[np.float64], params: SymbaParameters) -> Fundamental:
    """Wrap recorded paths [J, T], for paired comparisons."""
    path = np.atleast_2d(np.asarray(path, np.float64))
    return Fundamental(path, np.full_like(path, params.fundamental_sigma))


def _jumps(p: SymbaParameters, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the jump process of specification section 3: rare jumps of some dollars, refused below 20."""
    u = rng.random()
    gap = int(p.days_week + p.jump_spacing * 3 * p.days_month * u)
    size = int(0.1 * p.days / 250 + 0.9 * u * p.days / 250)
    path = np.full(p.days, _START)
    wait = 1 + rng.poisson(gap)
    for t in range(1, p.days):
        path[t] = path[t - 1]
        if wait <= 0:
            wait = 1 + rng.poisson(gap)
            moved = path[t - 1] + (1 + rng.poisson(size)) * rng.normal()
            if moved > 0.2 * _START:
                path[t] = moved
        else:
            wait -= 1
    return path


def _anchored(p: SymbaParameters, log_steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn daily log-steps [J, T] into paths that pass through 100 on the day statistics start."""
    log_value = np.cumsum(log_steps, axis=-1)
    log_value -= log_value[:, p.learning_days : p.learning_days + 1]
    return np.asarray(_START * np.exp(log_value))


def _ar1(noise: NDArray[np.float64], persistence: float, sd: float) -> NDArray[np.float64]:
    """Return an AR(1) along the last axis with stationary standard deviation `sd`, started in its stationary law."""
    scale = sd * np.sqrt(1.0 - persistence**2)
    first = noise[..., :1] * (sd - scale)
    driven = noise * scale
    driven[..., :1] += first
    return np.asarray(lfilter([1.0], [1.0, -persistence], driven, axis=-1))


def _crises(p: SymbaParameters, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the crisis part of market log-volatility and the days on which a crisis starts, both [T].

    Starts are a renewal process with uniform gaps of 0.5 to 1.5 times the mean: worlds of a few years then differ in
    when crises come, not in whether there are any.
    """
    starts = np.zeros(p.days, bool)
    if p.crisis_rate > 0.0:
        mean_gap = 1.0 / p.crisis_rate
        day = rng.uniform(0.0, mean_gap)
        while day < p.days:
            starts[int(day)] = True
            day += mean_gap * rng.uniform(0.5, 1.5)
    level, path = 0.0, np.zeros(p.days)
    for t in range(p.days):
        level = p.crisis_size if starts[t] else level * p.crisis_decay
        path[t] = level
    return path, starts


def _market(p: SymbaParameters, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the market's log-volatility y + c and its factor M, both [T]: the most typical of a few histories drawn.

    Typical is the one whose traits lie nearest to the medians of all, each in units of its spread.
    """
    candidates = [
        _market_history(p, generator(seed, "fundamental", "market", *([k] if k else [])))
        for k in range(p.market_candidates)
    ]
    if len(candidates) == 1:
        return candidates[0]
    traits = np.array([_traits(factor[p.learning_days :], p.days_year) for _, factor in candidates])
    centre = np.median(traits, axis=0)
    spread = np.median(np.abs(traits - centre), axis=0)
    return candidates[int(np.argmin((((traits - centre) / np.maximum(spread, 1e-12)) ** 2).sum(axis=1)))]


def _market_history(p: SymbaParameters, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw log-volatility and factor of the market, both [T]."""
    y = _ar1(rng.normal(size=p.days), p.volatility_persistence, p.volatility_market)
    crisis, starts = _crises(p, rng)
    stress = y + crisis
    factor = p.market_sigma * np.exp(stress - p.volatility_market**2) * rng.normal(size=p.days)
    factor += p.crisis_drop * starts
    factor[1:] -= p.crisis_rebound * p.crisis_drop * starts[:-1]
    factor += _ar1(rng.normal(size=p.days), 0.99, p.market_drift_sd)
    return stress, factor


def _traits(factor: NDArray[np.float64], days_year: int) -> tuple[float, ...]:
    """Return what makes one market history unlike another, however many coins share it.

    In order: its total, the log of its mean square, how far it moved on a quiet day, on a wild day and in a year, and
    whether one day followed another.
    """
    size, path = np.abs(factor), np.cumsum(factor)
    quiet, wild = np.quantile(size, (0.5, 0.95))
    window = min(days_year, factor.size // 2)
    yearly = np.abs(path[window:] - path[:-window]).mean()
    square = max((factor**2).mean(), _TINY)
    follows = float((factor[1:] * factor[:-1]).mean() / square)
    return float(path[-1]), math.log(square), *(math.log(max(one, _TINY)) for one in (quiet, wild, yearly)), follows


def _stochastic_volatility(p: SymbaParameters, assets: int, seed: int) -> Fundamental:
    """Draw assets that share a market factor with crises and have own volatility, jumps and slow drift.

    Per day: df = sigma e^(h - v^2) (n + J - E[J]) + b M + m + drift, M = s e^(y + c - w^2) n; the volatility states x
    (own) and y (market) are AR(1), c decays after a crisis, own jumps echo in e, and h = x + (y + c) / 2 + e.
    """
    days, rho = p.days, p.volatility_persistence
    stress, factor = _market(p, seed)
    steps, uncertainty = np.empty((assets, days)), np.empty((assets, days))
    for j in range(assets):
        rng = generator(seed, "fundamental", j)
        tilt_sigma, tilt_loading, tilt_jumps = rng.normal(size=3)
        sigma = p.fundamental_sigma * np.exp(p.fundamental_sigma_spread * tilt_sigma)
        loading = np.exp(p.market_loading_spread * tilt_loading)
        rate = min(1.0, p.jump_rate * np.exp(0.3 * tilt_jumps))
        own = _ar1(rng.normal(size=days), rho, p.volatility_own)
        drift = _ar1(rng.normal(size=days), 0.99, p.drift_sd)
        jumped = rng.random(days) < rate
        jumps = np.where(jumped, p.jump_size * rng.exponential(size=days), 0.0) - rate * p.jump_size
        echo = lfilter([0.0, p.jump_echo], [1.0, -0.9], jumped.astype(float))
        h = own + 0.5 * stress + echo
        scale = sigma * np.exp(h - p.volatility_own**2)
        steps[j] = scale * (rng.normal(size=days) + jumps) + loading * factor + drift + p.drift_mean
        uncertainty[j] = np.sqrt(
            (sigma * np.exp(h - p.volatility_own**2)) ** 2 + (p.market_sigma * loading * np.exp(stress)) ** 2
        )
    return Fundamental(_anchored(p, steps), uncertainty)
