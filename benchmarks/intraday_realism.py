"""Does a simulated order book look like a recorded one? Every figure against the range of recorded markets.

python -m benchmarks.intraday_realism --preset kraken-btcusd --seeds 3
"""

from __future__ import annotations

import argparse

import numpy as np

from mycelial.agents.intraday.presets import PRESETS, preset
from mycelial.facts.intraday import IntradaySummary, summarise_intraday
from mycelial.facts.intraday_reference import compare_intraday
from mycelial.facts.packaged.intraday import packaged_intraday
from mycelial.simulation.intraday import IntradayMarket
from mycelial.simulation.intraday.showing import shown

SECOND = 10**9
WARM_UP = 60


def facts(name: str, seed: int, seconds: int) -> IntradaySummary:
    """Return the intraday facts of one simulated market after a minute of warming up."""
    instrument, population = preset(name)
    market = IntradayMarket(instrument, population, seed, record=True)
    market.run_until((WARM_UP + seconds) * SECOND)
    recording = shown(market.take_recording(), instrument, start_ns=WARM_UP * SECOND, label=f"{name}, seed {seed}")
    return summarise_intraday(recording)


def main(*, quick: bool = False, name: str = "kraken-btcusd", seeds: int = 3, seconds: int = 346) -> None:
    """Measure and print."""
    real = packaged_intraday("binance-2024-08-08").markets
    found = [facts(name, seed, seconds) for seed in range(1, 2 if quick else seeds + 1)]
    checks = [compare_intraday(one, real) for one in found]
    print(f"{name}, {seconds} s, seeds 1 to {len(found)}; * asked for first")
    for row in zip(*checks, strict=True):
        inside = sum(check.passed for check in row)
        value = float(np.median([check.value for check in row]))
        first = row[0]
        print(
            f"{'*' if first.required else ' '} {first.name:24s}{value:11.4g}  inside {inside}/{len(row)}   "
            f"[{first.low:.4g}, {first.high:.4g}]"
        )
    counts = [sum(check.passed for check in one) for one in checks]
    required = [sum(check.passed for check in one if check.required) for one in checks]
    print(
        f"inside: {counts} of {len(checks[0])}; of those asked for first {required} of "
        f"{sum(check.required for check in checks[0])}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, default="kraken-btcusd")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=346)
    options = parser.parse_args()
    main(name=options.preset, seeds=options.seeds, seconds=options.seconds)
