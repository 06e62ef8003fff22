"""Candles made for tests: plausible ones from a few numbers, and hypothesis strategies of them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from mycelial.adapters.data.candles import DAY_MS, Candles

FIRST_DAY_MS = 17_897 * DAY_MS  # 2019-01-01


def candles_of(closes: list[float], *, symbol: str = "BTCUSDT", first_day: int = 0) -> Candles:
    """Return consecutive daily candles of one symbol with these closes."""
    close = np.array(closes, np.float64)
    days = np.arange(len(close))
    return Candles(
        symbols=(symbol,),
        quotes=("USDT",),
        symbol=np.zeros(len(close), np.int32),
        time_ms=FIRST_DAY_MS + (first_day + days) * DAY_MS,
        open=close * 0.99,
        high=close * 1.02,
        low=close * 0.98,
        close=close,
        volume=100.0 + days,
    )


def csv_of(candles: Candles, *, time: str = "iso") -> str:
    """Write candles as CSV, times as ISO dates or as seconds, milliseconds or microseconds since 1970."""
    lines = ["date,symbol,open,high,low,close,volume"]
    for row in range(len(candles)):
        moment = int(candles.time_ms[row])
        spelled = {
            "iso": str(np.datetime64(moment, "ms").astype("datetime64[D]")),
            "s": str(moment // 1000),
            "ms": str(moment),
            "us": str(moment * 1000),
        }[time]
        values = ",".join(repr(float(candles.value(c)[row])) for c in ("open", "high", "low", "close", "volume"))
        lines.append(f"{spelled},{candles.symbols[candles.symbol[row]]},{values}")
    return "\n".join(lines) + "\n"


prices = st.floats(1e-8, 1e6, allow_nan=False, allow_infinity=False)
close_lists = st.lists(prices, min_size=2, max_size=30)
