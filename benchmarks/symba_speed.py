"""How many agents live a day per CPU-second, in how much memory, and how near that is to what the machine can do.

An agent-step is one agent living one day in one asset. Worlds have one asset, and the time includes everything a
calibration pays for: drawing the population, the days, the stylised facts and the distances to a reference.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.agents.symba.presets import preset
from mycelial.facts import PreparedStatistics, distances, prepare, summarise
from mycelial.simulation.run import simulate_world

PRESETS = ("reference", "paper", "extended")
SMALL, LARGE = 500, 5_000
DAYS, LEARNING_DAYS = 2_453, 1_000
# Agent-steps per CPU-second reported for the model's C++ programs; quoted, not measured here.
QUOTED = {"authors' C++ simulator": 45_000, "plain C++ rewrite": 291_000}
# Cache lines an agent touches away from its neighbours' on one day. All: policy rows 3 + 3 + 2 + 2, histograms 3 + 3,
# the remembered day 2, gap 1, T's row numbers and best values 2 + 2, ranked values 3, profits 3. Where the oldest value
# is forgotten, two rings and one more line of a histogram; where steps are counted, visits 2.
SCATTERED_LINES = {"reference": 31, "paper": 32, "extended": 32}
LINE_BYTES = 64


@njit
def _chase(next_at: NDArray[np.int64], steps: int) -> int:
    """Follow a chain of indices, each known only once the previous one has arrived."""
    at = 0
    for _ in range(steps):
        at = next_at[at]
    return at


@njit
def _total(values: NDArray[np.float64]) -> float:
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for k in range(0, values.size - 3, 4):
        a += values[k]
        b += values[k + 1]
        c += values[k + 2]
        d += values[k + 3]
    return a + b + c + d


def memory_speed(megabytes: int = 128) -> tuple[float, float]:
    """Return latency in ns of a dependent load and bandwidth in bytes a second, over `megabytes` of memory."""
    lines = megabytes * 2**20 // LINE_BYTES
    order = np.random.default_rng(1).permutation(lines) * (LINE_BYTES // 8)
    chain = np.zeros(lines * (LINE_BYTES // 8), np.int64)
    chain[order] = np.roll(order, -1)
    steps, values = 300_000, chain.view(np.float64)
    _chase(chain, 10), _total(values[:16])
    started = time.process_time()
    _chase(chain, steps)
    latency_ns = (time.process_time() - started) / steps * 1e9
    started = time.process_time()
    _total(values)
    return latency_ns, values.nbytes / (time.process_time() - started)


def steps_per_second(name: str, agents: int, days: int, reference: PreparedStatistics, seed: int) -> float:
    """Return agent-steps per CPU-second of one world, its stylised facts and distances included."""
    params = preset(name).replace(agents=agents, days=days, learning_days=min(LEARNING_DAYS, days // 2))
    started = time.process_time()
    run = simulate_world(params, 1, seed)
    panel = run.panel()
    summarise(panel)
    distances(panel, reference)
    return run.agent_steps / (time.process_time() - started)


def memory_mib(name: str, agents: int, days: int) -> float:
    """Return the peak memory of one world above that of the program with its kernels loaded, in MiB.

    Measured in a process of its own, after a tiny world has loaded the kernels. Needs Linux; NaN elsewhere.
    """
    if not os.path.exists("/proc/self/status"):
        return float("nan")
    script = (
        "from mycelial.agents.symba.presets import preset\n"
        "from mycelial.simulation.run import simulate_world\n"
        # The kernel's high-water mark; ru_maxrss would start at the parent's.
        "def peak():\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM'))\n"
        f"simulate_world(preset({name!r}).replace(agents=10, days=30, learning_days=10), 1, 1)\n"
        "open('/proc/self/clear_refs', 'w').write('5')\n"  # the mark starts again at what is in use now
        "before = peak()\n"
        f"params = preset({name!r}).replace(agents={agents}, days={days}, learning_days={days // 2})\n"
        "simulate_world(params, 1, 1)\n"
        "print((peak() - before) / 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return float(done.stdout)


def speed_up_of_two(name: str, agents: int, days: int) -> tuple[float, float]:
    """Return how much sooner two worlds are done on two threads than one after the other: as found, and undisturbed.

    Both worlds are the same one, because the bankrupt rest and worlds of other seeds take longer or shorter. The second
    figure leaves out the time that threads were ready to run and waited for a core that other programs had (Linux).
    """
    params = preset(name).replace(agents=agents, days=days, learning_days=days // 2)

    def live(_: int) -> tuple[float, float]:
        waited, started = _waited_for_a_core(), time.perf_counter()
        simulate_world(params, 1, 1)
        took = time.perf_counter() - started
        return took, took - (_waited_for_a_core() - waited)

    live(0)
    found, undisturbed = [], []
    for _ in range(3):
        in_turn = [live(n) for n in range(2)]
        started = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            together = list(pool.map(live, range(2)))
        found.append(sum(took for took, _ in in_turn) / (time.perf_counter() - started))
        undisturbed.append(sum(own for _, own in in_turn) / max(own for _, own in together))
    return statistics.median(found), statistics.median(undisturbed)


def _waited_for_a_core() -> float:
    """Return for how many seconds this thread was ready to run and did not; NaN where the kernel does not say."""
    try:
        with open("/proc/thread-self/schedstat") as figures:
            return int(figures.read().split()[1]) / 1e9
    except OSError:
        return float("nan")


def _machine() -> str:
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    days, repeats = (200, 1) if quick else (DAYS, 3)
    print(f"machine: {_machine()}\ncommit:  {_commit()}\nworlds:  1 asset, {days} days, facts and distances included\n")
    started = time.perf_counter()
    warm = simulate_world(preset("extended").replace(agents=50, days=200, learning_days=80), 1, 1).panel()
    reference = prepare(warm)
    summarise(warm)
    distances(warm, reference)
    print(f"loading or compiling kernels: {time.perf_counter() - started:.1f} s\n")
    header = f"{'preset':<11}{'agents':>7}{'agent-steps / CPU-s':>21}{'spread':>16}{'x C++ original':>16}"
    print(header + f"{'x C++ rewrite':>15}{'MiB':>7}")
    original, rewrite = QUOTED.values()
    reached = {}
    for name in PRESETS:
        speed = {}
        for agents in (SMALL, LARGE):
            measured = [steps_per_second(name, agents, days, reference, seed) for seed in range(1, repeats + 1)]
            speed[agents] = statistics.median(measured)
            spread = f"{min(measured) / 1e6:.2f}-{max(measured) / 1e6:.2f} M"
            print(
                f"{name:<11}{agents:>7}{speed[agents]:>21,.0f}{spread:>16}{speed[agents] / original:>16.1f}"
                f"{speed[agents] / rewrite:>15.1f}{memory_mib(name, agents, days):>7.0f}"
            )
        reached[name] = speed[SMALL]
        print(f"{'':<11}time per agent-step, {LARGE:,} : {SMALL} agents = {speed[SMALL] / speed[LARGE]:.2f}")
    print("\nC++ figures are quoted, not measured here: " + ", ".join(f"{k} {v:,}" for k, v in QUOTED.items()))
    found, undisturbed = speed_up_of_two("paper", SMALL, days)
    print(
        f"two worlds on two threads: {found:.2f} x as fast as one after the other, "
        f"{undisturbed:.2f} x without waiting for cores that other programs had"
    )
    latency_ns, bandwidth = memory_speed()
    print(f"\nphysical limit, by memory of {bandwidth / 1e9:.1f} GB/s and {latency_ns:.0f} ns a line:")
    for name, lines in SCATTERED_LINES.items():
        streamed, in_turn = bandwidth / (lines * LINE_BYTES) / 1e6, 1e3 / (latency_ns * lines)
        share = 100.0 * reached[name] / (streamed * 1e6)
        print(f"{name:<11}{lines} scattered lines a step: {streamed:.1f} M agent-steps / s if all of them streamed,")
        print(f"{'':<11}{in_turn:.2f} M if each were waited for; measured {share:.0f} % of the former")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
