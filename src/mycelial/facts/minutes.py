"""Stylised facts of one-minute bars: what a trading day shows that some minutes of a book cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mycelial.domain.errors import DataError
from mycelial.domain.recording import MarketRecording
from mycelial.domain.seeds import generator
from mycelial.facts.autocorrelation import autocorrelation
from mycelial.facts.frame import best_quotes
from mycelial.facts.intraday import INTERVAL, Curve
from mycelial.facts.panel import Floats
from mycelial.facts.returns import hill_index

MINUTE_NS = 60_000_000_000
DAY = 1440
LAGS = 120

MINUTE_FIGURES: Mapping[str, str] = {
    "minute_vol_bp": "standard deviation of one-minute returns, basis points",
    "minute_kurtosis": "excess kurtosis of one-minute returns, median over days",
    "minute_tail": "Hill index of the largest 5 % of |one-minute returns|",
    "minute_acf_r_1": "autocorrelation of one-minute returns, lag 1",
    "minute_acf_abs_1": "autocorrelation of |one-minute returns|, lag 1",
    "minute_acf_abs_60": "autocorrelation of |one-minute returns|, mean of lags 31-60",
    "minute_acf_volume_1": "autocorrelation of one-minute volume, lag 1",
    "minute_acf_volume_60": "autocorrelation of one-minute volume, mean of lags 31-60",
    "minute_volume_volatility": "correlation of one-minute volume and |return|",
}


@dataclass(frozen=True)
class MinuteSummary:
    """Facts of one-minute bars; `figures` by the keys of `MINUTE_FIGURES`, undefined ones NaN.

    `curves`: acf_abs and acf_volume by lag in minutes, hour (mean volume of each hour over the mean, when whole days
    are there).
    """

    label: str
    minutes: int
    figures: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    curves: dict[str, Curve]

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as a JSON object."""
        return asdict(self)


def summarise_minutes(
    close: Floats, volume: Floats, label: str, *, replicates: int = 0, seed: int = 0, first_minute: int = 0
) -> MinuteSummary:
    """Measure the bars of one instrument.

    Parameters
    ----------
    close, volume : float64[n]
        One row per minute without gaps, prices above zero.
    replicates : int
        Draws of the bootstrap over whole days; 0 gives no intervals.
    first_minute : int
        Minute of the day (UTC) of the first row.

    Raises
    ------
    DataError
        If there are fewer than two hours, or a price that is none.
    """
    if close.size < LAGS + 2 or close.shape != volume.shape:
        raise DataError(f"{label}: {close.size} minutes are too few; facts of minutes need {LAGS + 2}")
    if not (np.isfinite(close).all() and (close > 0).all() and np.isfinite(volume).all()):
        raise DataError(f"{label}: a close is not above zero or a volume not finite; verify the candles first")
    r, traded = np.diff(np.log(close)) * 1e4, volume[1:]
    figures, curves = _measure(r, traded)
    days = (np.arange(r.size) + first_minute + 1) // DAY
    hours = (np.arange(volume.size) + first_minute) % DAY // 60
    if days[-1] > 1 and volume.mean() > 0:
        by_hour = np.array([volume[hours == hour].mean() for hour in range(24)]) / volume.mean()
        curves["hour"] = Curve(tuple(float(h) for h in range(24)), tuple(float(v) for v in by_hour))
    return MinuteSummary(label, close.size, figures, _intervals(r, traded, days, replicates, seed), curves)


def minute_bars(recording: MarketRecording) -> tuple[Floats, Floats]:
    """Return closes (mid, quote units) and volumes (base units) of the whole minutes of a recording."""
    quotes = best_quotes(recording)
    if not quotes.size:
        raise DataError(f"{recording.source}: no best bid and ask at any time; bars need quotes or a book")
    begin = int(quotes["ts"][0])
    edges = np.arange(begin, recording.span_ns[1] + 1, MINUTE_NS)
    at = np.searchsorted(quotes["ts"], edges[1:], side="right") - 1
    close = (quotes["bid"][at] + quotes["ask"][at]) / 2 * float(recording.tick_size)
    trades = recording.trades
    minute = np.searchsorted(edges, trades["ts"], side="right") - 1
    inside = (minute >= 0) & (minute < edges.size - 1)
    volume = np.bincount(minute[inside], weights=trades["lots"][inside], minlength=max(edges.size - 1, 0))
    return close, np.asarray(volume * float(recording.lot_size), dtype=np.float64)


def _measure(r: Floats, volume: Floats) -> tuple[dict[str, float], dict[str, Curve]]:
    size = np.abs(r)
    acf_size = autocorrelation(size[None, :], LAGS)
    acf_volume = autocorrelation(volume[None, :], LAGS)
    varies = size.max() > size.min() and volume.max() > volume.min()
    figures = {
        "minute_vol_bp": float(r.std()),
        "minute_kurtosis": _kurtosis_by_day(r),
        "minute_tail": hill_index(size),
        "minute_acf_r_1": float(autocorrelation(r[None, :], 1)[0]),
        "minute_acf_abs_1": float(acf_size[0]),
        "minute_acf_abs_60": float(acf_size[30:60].mean()),
        "minute_acf_volume_1": float(acf_volume[0]),
        "minute_acf_volume_60": float(acf_volume[30:60].mean()),
        "minute_volume_volatility": float(np.corrcoef(size, volume)[0, 1]) if varies else float("nan"),
    }
    lags = tuple(float(lag) for lag in range(1, LAGS + 1))
    curves = {
        "acf_abs": Curve(lags, tuple(float(v) for v in acf_size)),
        "acf_volume": Curve(lags, tuple(float(v) for v in acf_volume)),
    }
    return figures, curves


def _kurtosis_by_day(r: Floats) -> float:
    """Return the median over days, which one crash cannot move; of all when there is no whole day."""
    rows = r[: r.size // DAY * DAY].reshape(-1, DAY) if r.size >= DAY else r[None, :]
    deviation = rows - rows.mean(axis=1, keepdims=True)
    variance = (deviation**2).mean(axis=1)
    rows_that_vary = variance > 0
    if not rows_that_vary.any():
        return float("nan")
    kurtosis = (deviation**4).mean(axis=1)[rows_that_vary] / variance[rows_that_vary] ** 2 - 3
    return float(np.median(kurtosis))


def _intervals(
    r: Floats, volume: Floats, days: np.ndarray, replicates: int, seed: int
) -> dict[str, tuple[float, float]]:
    n_days = int(days[-1]) + 1
    if replicates < 1 or n_days < 2:
        return {}
    rng = generator(seed, "facts", "minutes", "bootstrap")
    rows = [np.flatnonzero(days == day) for day in range(n_days)]
    drawn = []
    for _ in range(replicates):
        chosen = np.concatenate([rows[day] for day in rng.integers(0, n_days, n_days)])
        drawn.append(list(_measure(r[chosen], volume[chosen])[0].values()))
    low, high = np.nanpercentile(np.array(drawn), INTERVAL, axis=0)
    return {key: (float(a), float(b)) for key, a, b in zip(MINUTE_FIGURES, low, high, strict=True)}
