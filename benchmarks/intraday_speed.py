"""How fast does a living market run, how does that grow with its agents, and how near is it to what is possible?

B6: the default population at 1,000, 10,000 and 100,000 agents, every agent as active. B10: counts and arrival rates of
a reference configuration of ABIDES (rmsc04), half an hour. Times are CPU-seconds of one core, kernels compiled before.
"""

from __future__ import annotations

import gc
import itertools
import os
import statistics
import subprocess
import sys
import time

from mycelial.agents.intraday.presets import preset
from mycelial.simulation.intraday import IntradayMarket

SECOND = 10**9
SIZES = (1_000, 10_000, 100_000)
# ABIDES, rmsc04 with 1,117 agents, per CPU-second: measured apart from this program, quoted here.
QUOTED_SECONDS, QUOTED_MESSAGES = (1_170, 1_600), (2_000, 2_700)


def lived(name: str, agents: int, seconds: int, seed: int) -> tuple[float, IntradayMarket, int]:
    """Return CPU-seconds for a stretch of market after ten seconds of warming up, the market, and its messages."""
    instrument, population = preset(name)
    population = population if agents == population.agents else population.scaled(agents)
    market = IntradayMarket(instrument, population, seed)
    warm = 10 * SECOND
    market.run_until(warm)
    before, events = market.messages, market.book.state.scalar("event_seq")
    started = time.process_time()
    market.run_until(warm + seconds * SECOND)
    spent = time.process_time() - started
    market.seconds_events = market.book.state.scalar("event_seq") - events  # type: ignore[attr-defined]
    return spent, market, market.messages - before


def memory_mib(name: str, agents: int, seconds: int) -> float:
    """Return the peak memory of one market above that of the program with its kernels loaded (Linux; NaN elsewhere)."""
    if not os.path.exists("/proc/self/status"):
        return float("nan")
    script = (
        "from benchmarks.intraday_speed import lived\n"
        "def peak():\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM'))\n"
        f"lived({name!r}, 200, 1, 1)\n"
        "open('/proc/self/clear_refs', 'w').write('5')\n"  # the mark starts again at what is in use now
        "before = peak()\n"
        f"lived({name!r}, {agents}, {seconds}, 1)\n"
        "print((peak() - before) / 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return float(done.stdout)


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    started = time.process_time()
    lived("default", 200, 1, 1)
    print(f"loading or compiling kernels: {time.process_time() - started:.1f} CPU-s")
    repeats, stretch = (1, 60_000) if quick else (3, 600_000)
    print("\nB6: the default population, the same orders per agent")
    print(f"{'agents':>8}{'messages/s':>13}{'spread':>18}{'events/s':>12}{'sim s/s':>10}{'MiB':>7}  fingerprint")
    per_second = {}
    for agents in SIZES:
        seconds = max(2, stretch // agents)
        rates, clocks = [], []
        for _ in range(repeats):
            spent, market, messages = lived("default", agents, seconds, 1)
            rates.append(messages / spent)
            clocks.append(seconds / spent)
            events = market.seconds_events / spent  # type: ignore[attr-defined]
            digest = market.digest
            del market
            gc.collect()
        per_second[agents] = statistics.median(clocks)
        spread = f"{min(rates) / 1e6:.2f}-{max(rates) / 1e6:.2f} M"
        print(
            f"{agents:>8}{statistics.median(rates):>13,.0f}{spread:>18}{events:>12,.0f}{per_second[agents]:>10,.1f}"
            f"{memory_mib('default', agents, min(seconds, 20)):>7.0f}  {digest:016x}"
        )
    for small, large in itertools.pairwise(SIZES):
        ratio = per_second[small] / per_second[large]
        print(f"cost of a simulated second, {large:,} : {small:,} agents = {ratio:.1f}")
    print("\nB10: rmsc04-like, half an hour of market")
    rates, clocks = [], []
    for seed in range(1, 2 * repeats + 2):
        spent, market, messages = lived("rmsc04", 1_116, 1_800, seed)
        rates.append(messages / spent)
        clocks.append(1_800 / spent)
    clock, rate = statistics.median(clocks), statistics.median(rates)
    print(
        f"{clock:,.0f} simulated s and {rate:,.0f} messages per CPU-second; {messages} messages; {market.digest:016x}\n"
        f"ABIDES (quoted): {QUOTED_SECONDS[0]:,}-{QUOTED_SECONDS[1]:,} simulated s and "
        f"{QUOTED_MESSAGES[0]:,}-{QUOTED_MESSAGES[1]:,} messages: "
        f"{clock / QUOTED_SECONDS[1]:.0f}-{clock / QUOTED_SECONDS[0]:.0f} x the time, "
        f"{rate / QUOTED_MESSAGES[1]:.0f}-{rate / QUOTED_MESSAGES[0]:.0f} x the messages"
    )


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
