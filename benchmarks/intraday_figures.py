"""What do recorded order books show? Measures feeds and writes the reference figures that ship with mycelial.

python -m benchmarks.intraday_figures ../shared/data --out src/mycelial/facts/packaged/intraday/binance-2024-08-08.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mycelial.adapters.data.feeds import read_binance_feed
from mycelial.adapters.data.reading import read_candles
from mycelial.facts.intraday import FIGURES, summarise_intraday
from mycelial.facts.intraday_reference import IntradayReference, to_json
from mycelial.facts.minutes import MINUTE_FIGURES, summarise_minutes

FEEDS = {
    "Binance spot BTC/USDT": "binance_spot_l2_btcusdt_20240808.feed.gz",
    "Binance spot ETH/USDT": "binance_spot_l2_ethusdt_20240808.feed.gz",
    "Binance USD-M BTC/USDT": "binance_usdm_l2_btcusdt_20240808.feed.gz",
    "Binance COIN-M BTC/USD": "binance_cm_l2_btcusd_perp_20240808.feed.gz",
}
MINUTES = "binance_1m_BTC_ETH_2022-01-01_2022-09-30.parquet"
PROVENANCE = (
    "Order books, quotes and trades of four Binance markets, 2024-08-08 23:54 to 2024-08-09 00:00 UTC (346 s), "
    "published with hftbacktest (MIT); one-minute candles of Binance spot BTC/USDT and ETH/USDT, 2022-01-01 to "
    "2022-09-30. Intervals: block bootstrap, blocks of 20 s and of whole days. Derived statistics only, no prices."
)


def main() -> None:
    """Measure every feed, print the table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the recorded feeds")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--replicates", type=int, default=200, help="draws of the bootstrap")
    options = parser.parse_args()
    markets = tuple(
        summarise_intraday(read_binance_feed(options.data / file), label=label, replicates=options.replicates)
        for label, file in FEEDS.items()
    )
    candles = read_candles(options.data / MINUTES)
    minutes = []
    for code, symbol in enumerate(candles.symbols):
        rows = candles.symbol == code
        close, volume = candles.close[rows], candles.volume[rows]
        minutes.append(summarise_minutes(close, volume, f"Binance spot {symbol}", replicates=options.replicates // 10))
    for registry, summaries in ((FIGURES, markets), (MINUTE_FIGURES, minutes)):
        print(f"{'':24s}" + "".join(f"{one.label:>34s}" for one in summaries))
        for name in registry:
            cells = (
                f"{one.figures[name]:.4g} [{one.intervals[name][0]:.3g}, {one.intervals[name][1]:.3g}]"
                for one in summaries
            )
            print(f"{name:24s}" + "".join(f"{cell:>34s}" for cell in cells))
    if options.out:
        reference = IntradayReference(
            "Binance, August 2024 (books), 2022 (minutes)", PROVENANCE, markets, tuple(minutes)
        )
        options.out.write_text(to_json(reference), encoding="utf-8")
        print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
