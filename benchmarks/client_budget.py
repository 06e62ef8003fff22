"""What does one account get done within the exchange's message counters? Our client against cancel-and-replace.

python -m benchmarks.client_budget            a simulated day for each row
python -m benchmarks.client_budget --quick    an hour

Fifty agents, or the two quotes of one maker, want another price as soon as they have the last; latency up to 80 ms each
way. A change is a wish fulfilled. The peer cancels and places anew, as bots that refresh their quotes do, but with our
mirror, so that it is not refused either. Counted by the exchange's own counters (`mycelial.market.rate_counters`).
"""

from __future__ import annotations

import sys
import time
from random import Random

from tests.support.eager_agents import DAY, SECOND, World


def measure(tier: str, agents: int, until: int, *, replace: bool) -> tuple[World, float]:
    """Return a world after so much simulated time, and the CPU-seconds it took."""
    world = World(Random(11), tier, ["BTC/USD"], agents, 80_000_000, cancels=1.0 if replace else 0.0)
    began = time.process_time()
    world.run(until)
    return world, time.process_time() - began


def main(*, quick: bool) -> None:
    """Print one row for each tier and crowd."""
    until = 3_600 * SECOND if quick else DAY
    print(f"simulated time {until / SECOND:,.0f} s, one pair, seed 11")
    print("tier          quotes  refused    used  changes/s  replace/s  ratio  CPU s")
    for tier in ("starter", "intermediate", "pro"):
        for agents in (2, 50):
            ours, cpu = measure(tier, agents, until, replace=False)
            theirs, _ = measure(tier, agents, until, replace=True)
            seconds = until / SECOND
            print(
                f"{tier:<13} {agents:>6} {ours.refused:>8} {ours.used():>7.1%} {ours.settled / seconds:>10.3f} "
                f"{theirs.settled / seconds:>10.3f} {ours.settled / max(1, theirs.settled):>6.2f} {cpu:>6.1f}"
            )


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
