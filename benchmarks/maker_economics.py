"""Where can a maker earn at all? What every regime offers, by fee tier, to teams that quote at a fixed distance.

python -m benchmarks.maker_economics            all regimes, tiers and distances
python -m benchmarks.maker_economics --quick    fewer worlds

Profit of a team of four in an episode, in half spreads on a typical order, all fees paid and inventory closed; mean and
standard error over worlds. Markout: what maker fills gain against the mid ten steps later, before fees.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from mycelial.environment.trading import REGIMES, TradingConfig
from mycelial.environment.trading.config import TIER_VOLUMES
from mycelial.environment.trading.task import TradingTask
from mycelial.lab.trading.evaluation import TUNING, at_tier, play
from mycelial.lab.trading.policies import SkewedQuotes

DISTANCES = (0.5, 0.7, 0.9, 1.2, 1.8)


def spread_of(config: TradingConfig, worlds: int) -> tuple[float, float]:
    """Return the mean spread of others in basis points, and the move of the mid in a minute, without any team."""
    task = TradingTask(config, worlds, stagger=False)
    task.reset(1)
    keep = np.zeros((worlds, config.seats), np.int32)
    spreads, mids = [], []
    for _ in range(config.steps - 1):
        task.step(keep)
        best = task.floor.books["best"].astype(float)
        mid = best.mean(axis=1)
        spreads.append((1e4 * (best[:, 1] - best[:, 0]) / mid).mean())
        mids.append(mid)
    task.close()
    moves = 1e4 * np.diff(np.log(np.array(mids)), axis=0)
    return float(np.mean(spreads)), float(moves.std() * np.sqrt(60.0 / config.regime.step_s))


def main(quick: bool = False) -> None:
    """Print one table for each regime."""
    worlds = 8 if quick else 32
    start = time.process_time()
    for name, one in REGIMES.items():
        config = TradingConfig(regime=one)
        spread, move = spread_of(config, worlds)
        print(
            f"\n{name}: rules of {one.pair}, spread {spread:.1f} bp, moves {move:.1f} bp a minute, "
            f"episodes of {config.steps} x {one.step_s:g} s"
        )
        print("  distance  markout bp  fills   profit by 30-day volume, USD")
        print(" " * 29 + "".join(f"{volume:>16,}" for volume in TIER_VOLUMES[::2] + TIER_VOLUMES[-1:]))
        for distance in DISTANCES:
            cells, told = [], ""
            for volume in TIER_VOLUMES[::2] + TIER_VOLUMES[-1:]:
                outcome = play(at_tier(config, volume), SkewedQuotes(distance), [0], worlds, purpose=TUNING)
                error = outcome.profit.std() / np.sqrt(worlds)
                cells.append(f"{outcome.profit.mean():9.1f} ± {error:4.1f}")
                summary = outcome.summary()
                told = f"  {distance:8.2f}  {summary['markout_bps']:10.2f}  {summary['fills']:5.0f}"
            print(told + "".join(cells), flush=True)
    print(f"\n{time.process_time() - start:.0f} s of CPU")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
