"""What every benchmark prints about itself: machine, commit, median and spread in wall and CPU time, peak memory."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Timing:
    """Seconds of several runs of the same work."""

    wall: list[float]
    cpu: list[float]

    @property
    def cpu_s(self) -> float:
        """Median CPU time."""
        return statistics.median(self.cpu)

    @property
    def wall_s(self) -> float:
        """Median wall time."""
        return statistics.median(self.wall)

    def rate(self, count: int, unit: str = "M") -> str:
        """Return count per CPU-second: median, and slowest to fastest run; wall time beside it."""
        size = {"M": 1e6, "k": 1e3, "": 1.0}[unit]
        slow, fast = count / max(self.cpu) / size, count / min(self.cpu) / size
        middle = count / self.cpu_s / size
        return f"{middle:7.2f} {unit}/CPU-s ({slow:.2f}-{fast:.2f}), {count / self.wall_s / size:.2f} {unit}/s"


def measured(work: Callable[[Any], Any], prepare: Callable[[], Any], runs: int = 9) -> tuple[Timing, list[Any]]:
    """Time `work(prepare())`, preparation left out; return times and results."""
    wall, cpu, results = [], [], []
    for _ in range(runs):
        state = prepare()
        wall_before, cpu_before = time.perf_counter(), time.process_time()
        results.append(work(state))
        cpu.append(time.process_time() - cpu_before)
        wall.append(time.perf_counter() - wall_before)
    return Timing(wall, cpu), results


def peak_mib() -> float:
    """Return the peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mib() -> float:
    """Return the memory in use now; NaN where the system does not say."""
    if not os.path.exists("/proc/self/statm"):
        return float("nan")
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def heading(title: str) -> None:
    """Print what is measured, where, and at which commit."""
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"\n== {title}\n   {model}, {os.cpu_count()} cores, {load}, Python {platform.python_version()}, {commit}")
