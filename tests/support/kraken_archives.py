"""Archives as Kraken publishes them: zips of headerless CSVs of candles and of trades."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

QUARTER_S = 1_704_067_200  # 2024-01-01


def trade_lines(n: int, *, first_s: int = QUARTER_S, seed: int = 7, every_s: int = 3) -> list[str]:
    """Return trades as the archives print them: whole seconds, several in one, prices of 5 and sizes of 8 decimals."""
    random = np.random.default_rng(seed)
    time = first_s + np.sort(random.integers(0, max(1, n * every_s), n))
    price = 42_000 + np.cumsum(random.integers(-5, 6, n)) / 10
    volume = random.integers(1, 200_000_000, n)
    return [f"{t},{p:.5f},{v / 1e8:.8f}" for t, p, v in zip(time, price, volume, strict=True)]


def candle_lines(
    n: int, *, minutes: int = 1, first_s: int = QUARTER_S, seed: int = 7, skip: Sequence[int] = ()
) -> list[str]:
    """Return candles as the archives print them; those numbered in `skip` had no trade and are left out."""
    random = np.random.default_rng(seed)
    close = 42_000 + np.cumsum(random.integers(-50, 51, n)) / 10
    open_ = np.r_[42_000.0, close[:-1]]
    high = np.maximum(open_, close) + random.integers(0, 30, n) / 10
    low = np.minimum(open_, close) - random.integers(0, 30, n) / 10
    return [
        f"{first_s + 60 * minutes * i},{open_[i]:.1f},{high[i]:.1f},{low[i]:.1f},{close[i]:.1f},"
        f"{random.integers(1, 9_999_999) / 1e6:.8f},{random.integers(1, 400)}"
        for i in range(n)
        if i not in set(skip)
    ]


def archive_of(path: Path, members: dict[str, list[str]]) -> Path:
    """Write an archive; names may hold folders, as some quarters' do."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, lines in members.items():
            file.writestr(name, "".join(f"{line}\n" for line in lines))
    return path
