"""What every agent of one horizon sees alike: volatility states, volume states and raw price forecasts of the day.

Prices are public, so everything that depends on (asset, tau, t) alone is worked out once a day for the whole block of
agents with that horizon. What is left of an agent's own memory is how far back it reaches, and a count over a public
series answers that for all spans in one pass.

During day t the last close stands for P(t): `price[j, t]` holds P(t-1) until the book clears.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.memory import BLOCK, code, count_below
from mycelial.agents.symba.population import Traits
from mycelial.agents.symba.rules import DEVIATION, RELATIVE, Rules
from mycelial.domain.kernels import kernel
from mycelial.domain.lanes import below, bits_set

_FLOOR = 0.001


class Signals(NamedTuple):
    """Series and tables of the day. J assets, I agents, K horizons, T days; changed in place."""

    price: NDArray[np.float64]  # [J, T]
    volume: NDArray[np.float64]  # [J, T] coins
    price_sum: NDArray[np.float64]  # [J, T + 1] sum of P before day t
    square_sum: NDArray[np.float64]  # [J, T + 1] sum of (P - P(0))^2 before day t
    long_code: NDArray[np.int16]  # [J x K, 64 + T] first volatility series (s0), from column 64 on
    short_code: NDArray[np.int16]  # [J x K, 64 + T] second volatility series (s1)
    volume_code: NDArray[np.int16]  # [J, 64 + T] non-zero volumes so far
    volume_count: NDArray[np.int64]  # [J]
    reach: NDArray[np.int32]  # [J, T + 1] scratch: volumes below today's among the last d
    f_volatility: NDArray[np.uint8]  # [J, I] 3 s0 + s1 of algorithm F
    t_volatility: NDArray[np.uint8]  # [J, I] s1 of algorithm T
    t_volume: NDArray[np.uint8]  # [J, I] s4 of algorithm T
    raw: NDArray[np.float64]  # [J, K, 9] forecasts P^ for (a0, a1)
    hindsight: NDArray[np.float64]  # [J, K, 9] the same as of t - tau
    market_index: NDArray[np.float64]  # [T] equally weighted index of all assets, 1 on day 0
    index_sum: NDArray[np.float64]  # [T + 1] sum of the index before day t
    index_raw: NDArray[np.float64]  # [K, 9] raw forecasts of the index, relative to its last close
    index_hindsight: NDArray[np.float64]  # [K, 9] the same as of t - tau


def empty_signals(rules: Rules, horizons: int) -> Signals:
    """Allocate for one world."""
    j, i, k, t = rules.assets, rules.agents, horizons, rules.days
    return Signals(
        price=np.zeros((j, t)),
        volume=np.zeros((j, t)),
        price_sum=np.zeros((j, t + 1)),
        square_sum=np.zeros((j, t + 1)),
        long_code=np.zeros((j * k, BLOCK + t), np.int16),
        short_code=np.zeros((j * k, BLOCK + t), np.int16),
        volume_code=np.zeros((j, BLOCK + t), np.int16),
        volume_count=np.zeros(j, np.int64),
        reach=np.zeros((j, t + 1), np.int32),
        f_volatility=np.zeros((j, i), np.uint8),
        t_volatility=np.zeros((j, i), np.uint8),
        t_volume=np.zeros((j, i), np.uint8),
        raw=np.zeros((j, k, 9)),
        hindsight=np.zeros((j, k, 9)),
        market_index=np.ones(t),
        index_sum=np.concatenate([[0.0, 1.0], np.zeros(t - 1)]),
        index_raw=np.ones((k, 9)),
        index_hindsight=np.ones((k, 9)),
    )


@kernel
def set_price(
    price: NDArray[np.float64],
    price_sum: NDArray[np.float64],
    square_sum: NDArray[np.float64],
    j: int,
    t: int,
    close: float,
) -> None:
    """Write P_j(t) and extend the running sums."""
    price[j, t] = close
    price_sum[j, t + 1] = price_sum[j, t] + close
    excess = close - price[j, 0]
    square_sum[j, t + 1] = square_sum[j, t] + excess * excess


@kernel
def update_index(signals: Signals, rules: Rules, traits: Traits, t: int) -> None:
    """Extend the market index by yesterday's closes and project it as agents project prices, for every horizon."""
    total = 0.0
    for j in range(rules.assets):
        total += math.log(signals.price[j, t - 1] / signals.price[j, 0])
    signals.market_index[t - 1] = math.exp(total / rules.assets)
    signals.index_sum[t] = signals.index_sum[t - 1] + signals.market_index[t - 1]
    last = signals.market_index[t - 1]
    for k in range(traits.horizon.size):
        tau = traits.horizon[k]
        _projections(signals.index_sum, rules.true_half_mean, tau, t, last, signals.index_raw[k])
        for tool in range(9):
            signals.index_raw[k, tool] /= last
        if t > tau and t % (2 + tau // rules.days_month) == 0:
            then = signals.market_index[t - tau - 1]
            _projections(signals.index_sum, rules.true_half_mean, tau, t - tau, then, signals.index_hindsight[k])
            for tool in range(9):
                signals.index_hindsight[k, tool] /= then


@kernel
def _deviation(price: NDArray[np.float64], start: int, stop: int, mean: float) -> float:
    """Return the mean absolute deviation of price[start:stop]; four sums at once, so it vectorises exactly."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    k, end = np.uint64(start), np.uint64(stop)
    while k + four <= end:
        a += abs(price[k] - mean)
        b += abs(price[k + one] - mean)
        c += abs(price[k + two] - mean)
        d += abs(price[k + three] - mean)
        k += four
    while k < end:
        a += abs(price[k] - mean)
        k += one
    return ((a + b) + (c + d)) / (stop - start)


@kernel
def _dispersion(
    price: NDArray[np.float64],
    price_sum: NDArray[np.float64],
    square_sum: NDArray[np.float64],
    state_rule: int,
    start: int,
    stop: int,
) -> float:
    """Return the volatility of P on [start, stop) in the sense of the state rule (Q3), floored at 0.001 or 1e-12."""
    size = stop - start
    mean = (price_sum[stop] - price_sum[start]) / size
    if state_rule == DEVIATION:
        return max(_deviation(price, start, stop, mean), _FLOOR)
    excess = mean - price[0]
    variance = (square_sum[stop] - square_sum[start]) / size - excess * excess
    if state_rule == RELATIVE:
        variance /= mean * mean
        # Codes start at 2^-12; a daily variance of 1e-4 should use their full resolution.
        return max(variance * 1e4, 1e-12)
    return max(variance, 1e-12)


@kernel
def _by_quartiles(percentile: float) -> int:
    return 0 if percentile < 0.25 else (2 if percentile >= 0.75 else 1)


@kernel
def _by_thirds(percentile: float) -> int:
    return 0 if percentile < 0.33 else (1 if percentile < 0.67 else 2)


@kernel
def _of_largest(below: int, stored: int, cap: int) -> float:
    """Return the percentile among the `cap` largest of `stored` values, `below` of which are smaller."""
    if stored == 0:
        return 0.5
    kept = min(stored, cap)
    return max(0, below - (stored - kept)) / kept


@kernel
def update_signals(signals: Signals, rules: Rules, traits: Traits, j: int, t: int) -> None:
    """Work out the public tables of day t for asset j and store today's volatilities in their series."""
    price, price_sum, square_sum = signals.price[j], signals.price_sum[j], signals.square_sum[j]
    overall = max(price_sum[t + 1] / (t + 1), _FLOOR)
    signals.volume_count[j] = _volume_states(
        signals.volume[j, t - 1] if t > 1 else 0.0,
        signals.volume_code,
        j,
        signals.volume_count[j],
        signals.reach[j],
        traits.tau,
        traits.span,
        rules.largest,
        signals.t_volume[j],
    )
    horizon, block, span_of, raws, hindsight = traits.horizon, traits.block, traits.span, signals.raw, signals.hindsight
    long_code, short_code = signals.long_code, signals.short_code
    f_volatility, t_volatility = signals.f_volatility, signals.t_volatility
    for k in range(horizon.size):
        tau = horizon[k]
        first, stop = block[k], block[k + 1]
        long = _dispersion(price, price_sum, square_sum, rules.state_rule, max(0, t - 3 * tau), t + 1)
        short = _dispersion(price, price_sum, square_sum, rules.state_rule, max(0, t - tau - 1), t + 1)
        if rules.state_rule == DEVIATION:
            today_0, today_1 = code(short / long), code(long / (3 * tau))
        else:
            today_0, today_1 = code(long), code(short)
        line = j * horizon.size + k
        stored = t - 1  # the first value is stored on day 1
        below_0, below_1, counted, newest = 0, 0, 0, BLOCK + t
        if rules.largest:
            below_0 = count_below(long_code, line, newest, stored, today_0)
            below_1 = count_below(short_code, line, newest, stored, today_1)
        for i in range(first, stop):
            if rules.largest:
                cap = tau + span_of[i]
                p0, p1 = _of_largest(below_0, stored, cap), _of_largest(below_1, stored, cap)
            else:
                span = min(span_of[i], stored)  # spans ascend within a block of agents
                while counted + BLOCK <= span:
                    counted += BLOCK
                    below_0 += bits_set(below(long_code, (line, newest - counted), BLOCK, today_0))
                    below_1 += bits_set(below(short_code, (line, newest - counted), BLOCK, today_1))
                oldest, outside = newest - counted - BLOCK, np.uint64(counted + BLOCK - span)
                few_0, few_1 = 0, 0
                if span > counted:
                    few_0 = bits_set(below(long_code, (line, oldest), BLOCK, today_0) >> outside)
                    few_1 = bits_set(below(short_code, (line, oldest), BLOCK, today_1) >> outside)
                p0, p1 = ((below_0 + few_0) / span, (below_1 + few_1) / span) if span > 0 else (0.5, 0.5)
            s0, s1 = (_by_quartiles(p0), _by_quartiles(p1)) if t > 3 else (1, 1)
            f_volatility[j, i] = 3 * s0 + s1
            long_term = p1 if rules.state_rule == DEVIATION else p0
            t_volatility[j, i] = _by_thirds(long_term) if t > 1 else 1
        long_code[line, newest], short_code[line, newest] = today_0, today_1
        raw = raws[j, k]
        _projections(price_sum, rules.true_half_mean, tau, t, price[t], raw)
        for a1 in range(3):
            if t < (1 + a1) * tau:
                raw[a1], raw[3 + a1], raw[6 + a1] = overall, overall, overall
        if t > tau and t % (2 + tau // rules.days_month) == 0:
            _projections(price_sum, rules.true_half_mean, tau, t - tau, price[t - tau - 1], hindsight[j, k])
            if rules.market_view > 0.0:
                _blend(hindsight[j, k], rules.market_view, price[t - tau - 1], signals.index_hindsight[k])
        if rules.market_view > 0.0:
            _blend(raw, rules.market_view, price[t], signals.index_raw[k])


@kernel
def _projections(
    total: NDArray[np.float64], true_half_mean: bool, tau: int, t: int, last: float, out: NDArray[np.float64]
) -> None:
    """Write the nine P^(a0, a1) of specification 7.2 as of day t into out[9]; look-backs stop at day 0.

    `total` [T + 1] holds running sums of prices, `last` is the close known on day t.
    """
    for a1 in range(3):
        look_back = (1 + a1) * tau
        half = look_back // 2
        middle, start = max(0, t - half), max(0, t - look_back)
        recent = (total[t] - total[middle]) / (t - middle) if t > middle else last
        divisor = (middle - start) if true_half_mean or t < look_back else half
        early = (total[middle] - total[start]) / divisor if middle > start else recent
        out[a1] = max(last - (recent - early), _FLOOR)
        out[3 + a1] = max(0.5 * (early + recent), _FLOOR)
        out[6 + a1] = max(last + (recent - early), _FLOOR)


@kernel
def _blend(raw: NDArray[np.float64], share: float, last: float, market: NDArray[np.float64]) -> None:
    """Mix forecasts [9] of an asset with those of the market, in place."""
    for tool in range(9):
        raw[tool] = (1.0 - share) * raw[tool] + share * max(last * market[tool], _FLOOR)


@kernel
def _volume_states(
    yesterday: float,
    series: NDArray[np.int16],
    j: int,
    stored: int,
    reach: NDArray[np.int32],
    tau: NDArray[np.int64],
    span: NDArray[np.int64],
    largest: bool,
    out: NDArray[np.uint8],
) -> int:
    """Set s4 of algorithm T for all agents from yesterday's volume, remember it, return how many are remembered.

    A volume of zero is state 0 and is not remembered.
    """
    if yesterday <= 0.0:
        out[:] = 0
        return stored
    today = code(yesterday)
    if largest:
        smaller = count_below(series, j, BLOCK + stored, stored, today)
        for i in range(tau.size):
            out[i] = 1 if _of_largest(smaller, stored, tau[i] + span[i]) < 0.33 else 2
    else:
        smaller = 0
        for d in range(1, stored + 1):
            smaller += int(series[j, BLOCK + stored - d] < today)
            reach[d] = smaller
        for i in range(tau.size):
            kept = min(span[i], stored)
            percentile = reach[kept] / kept if kept > 0 else 0.5
            out[i] = 1 if percentile < 0.33 else 2
    series[j, BLOCK + stored] = today
    return stored + 1
