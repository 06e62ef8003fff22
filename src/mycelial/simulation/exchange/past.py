"""The time before an exchange opens: candles that end where its markets begin.

Nobody traded then, so the past is drawn, not simulated: minute by minute it obeys the law of the fundamental that the
residents of the market live by (`PopulationConfig.drift_bps` an hour, part of it in jumps), run backwards from the
opening price, with volatility that clusters and volume that rises with it. How much is traded in a usual minute is
what the market itself traded before its doors opened. Coarser candles are folds of finer ones where those reach;
beyond `MINUTES` days are drawn directly.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.seeds import generator
from mycelial.simulation.exchange.candles import DAY_NS, INTERVALS, MINUTE_NS, ROWS
from mycelial.simulation.exchange.listing import Listing
from mycelial.simulation.exchange.reports import Candle

MINUTES = 121 * 1440  # at the resolution of minutes: what 720 candles of four hours need
DAYS = 2_200  # before that
_PERSISTENCE = 0.9995  # of the logarithm of volatility from minute to minute
_RESTLESS = 0.6  # its standard deviation
_EVERY = 30  # minutes or days between which volatility is interpolated
Columns = NDArray[np.float64]  # [open, high, low, close, quantity, trades] by row


def past(listed: Listing, seed: int, now_ns: int, *, trades: float, lots: float) -> dict[int, list[Candle]]:
    """Return the candles of every interval that ended before `now_ns`, and of the one it lies in what is over of it.

    Parameters
    ----------
    trades, lots : how many are usual in a minute.
    """
    rng = generator(seed, "exchange", "past", listed.symbol)
    config = listed.population
    end = now_ns // MINUTE_NS * MINUTE_NS
    scale = 1e-4 * config.drift_bps / math.sqrt(60.0)
    minutes = _drawn(rng, MINUTES, scale, config.price_ticks, _PERSISTENCE, trades, lots, listed)
    day_scale = scale * math.sqrt(1440.0)
    days = _drawn(rng, DAYS, day_scale, float(minutes[0, 0]), 0.9, 1440 * trades, 1440 * lots, listed)
    starts = end - MINUTE_NS * np.arange(MINUTES, 0, -1)
    midnight = int(-(-starts[0] // DAY_NS) * DAY_NS)
    first = int(np.searchsorted(starts, midnight))
    starts, minutes = starts[first:], minutes[first:]
    day_starts = midnight - DAY_NS * np.arange(DAYS, 0, -1)
    found = {}
    for interval in INTERVALS:
        length = interval * MINUTE_NS
        times, rows = _folded(starts, minutes, length)
        if interval >= 1440:
            before, older = _folded(day_starts, days, length)
            times, rows = _folded(np.concatenate([before, times]), np.vstack([older, rows]), length)
        most = 1441 if interval == 1 else ROWS
        found[interval] = _candles(times[-most:], rows[-most:], listed)
    return found


def no_past(listed: Listing, now_ns: int) -> dict[int, list[Candle]]:
    """Return one empty candle of every interval, at the opening price."""
    price = round(listed.population.price_ticks) * listed.tick_step
    return {
        interval: [Candle(now_ns // (interval * MINUTE_NS) * interval * MINUTE_NS, price, price, price, price, 0, 0, 0)]
        for interval in INTERVALS
    }


def _drawn(
    rng: np.random.Generator,
    count: int,
    scale: float,
    last: float,
    persistence: float,
    trades: float,
    lots: float,
    listed: Listing,
) -> Columns:
    """Return rows that end at the price `last` (ticks)."""
    config = listed.population
    coarse = np.empty(count // _EVERY + 2)  # of the logarithm of volatility
    state, pull = float(rng.normal()), persistence**_EVERY
    for n, shock in enumerate((rng.normal(size=len(coarse)) * math.sqrt(1.0 - pull**2)).tolist()):
        state = pull * state + shock
        coarse[n] = state
    log_vol = np.interp(np.arange(count), _EVERY * np.arange(len(coarse)), coarse)
    vol = scale * np.exp(_RESTLESS * log_vol - _RESTLESS**2)
    jumps = rng.random(count) < 0.02
    step = vol * rng.normal(size=count)
    share = min(config.news_share, 0.95)
    step = np.where(jumps, step * math.sqrt(share / 0.02 + 1.0 - share), step * math.sqrt(1.0 - share))
    close = last * np.exp(np.cumsum(step) - step.sum())
    opening = np.concatenate([[last * math.exp(-float(step.sum()))], close[:-1]])
    wick = np.abs(rng.normal(size=(2, count))) * vol * 0.5
    high = np.maximum(opening, close) * np.exp(wick[0])
    low = np.minimum(opening, close) * np.exp(-wick[1])
    liveliness = np.exp(0.8 * log_vol * _RESTLESS + 0.5 * rng.normal(size=count))
    number = np.maximum(1.0, np.rint(trades * liveliness))
    traded = np.maximum(1.0, np.rint(lots * liveliness))
    return np.column_stack([opening, high, low, close, traded, number])


def _folded(starts: NDArray[np.int64], rows: Columns, length: int) -> tuple[NDArray[np.int64], Columns]:
    """Return rows gathered into intervals of `length` ns."""
    bucket = starts // length * length
    first = np.flatnonzero(np.concatenate([[True], np.diff(bucket) != 0]))
    last = np.concatenate([first[1:], [len(rows)]]) - 1
    reduced = [
        rows[first, 0],
        np.maximum.reduceat(rows[:, 1], first),
        np.minimum.reduceat(rows[:, 2], first),
        rows[last, 3],
        np.add.reduceat(rows[:, 4], first),
        np.add.reduceat(rows[:, 5], first),
    ]
    return bucket[first], np.column_stack(reduced)


def _candles(times: NDArray[np.int64], rows: Columns, listed: Listing) -> list[Candle]:
    """Return rows as candles in whole units of price and quantity."""
    prices = np.maximum(1, np.rint(rows[:, :4])).astype(np.int64)
    prices[:, 1] = np.maximum(prices[:, 1], prices[:, [0, 3]].max(1))
    prices[:, 2] = np.minimum(prices[:, 2], prices[:, [0, 3]].min(1))
    prices *= listed.tick_step
    mean = prices.sum(1) // 4
    lots, trades = rows[:, 4].astype(np.int64), rows[:, 5].astype(np.int64)
    columns = (times, *prices.T, lots, mean, trades)
    return [
        Candle(start, first, high, low, last, quantity * listed.lot_step, price * quantity * listed.lot_step, count)
        for start, first, high, low, last, quantity, price, count in zip(*(c.tolist() for c in columns), strict=True)
    ]
