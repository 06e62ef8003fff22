"""How many decisions a second does a learning agent get? Benchmark B7: every class of environment, a random policy.

python -m benchmarks.environment_speed            all of it, a few minutes
python -m benchmarks.environment_speed --quick    only the asked figure: 1,117 background agents, 60 s a step

Speed is counted by CPU time of this process, so other programs on the machine disturb it little. The named peer is
ABIDES-gym with its rmsc04 market of 1,117 agents: 19 to 27 steps of 60 s a CPU-second on a machine of this class; it is
not run here.
"""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from mycelial.agents.intraday.presets import preset as ready
from mycelial.environment import EnvConfig, Episode, Every
from mycelial.environment.making import make_env, make_vec_env

FUNDS = {"cash_orders": 500.0, "asset_orders": 500.0}
ABIDES_STEPS = (19.0, 27.0)
ASKED = 1_000.0


def asked() -> EnvConfig:
    """Return the configuration of the asked figure: counts and rates of rmsc04, and one noise agent more."""
    instrument, population = ready("rmsc04")
    population = population.replace(noise={"count": population.noise.count + 1_117 - population.agents})
    return EnvConfig(
        instrument, population, pace=Every(60.0), episode=Episode(seconds=23_400.0, warm_up_s=60.0), **FUNDS
    )


def quick_market() -> EnvConfig:
    """Return a market of 200 agents with steps of 1 s."""
    instrument, population = ready("default")
    return EnvConfig(
        replace(instrument, max_orders=2**12),
        population.scaled(200),
        pace=Every(1.0),
        episode=Episode(seconds=3_600.0, warm_up_s=10.0),
        **FUNDS,
    )


def measure(steps: Callable[[int], int], count: int, rounds: int = 9) -> tuple[float, float, float]:
    """Return median, least and most steps a CPU-second over `rounds`, after one round to warm up."""
    steps(count)
    rates = []
    for _ in range(rounds):
        start = time.process_time()
        done = steps(count)
        rates.append(done / (time.process_time() - start))
    return median(rates), min(rates), max(rates)


def single(config: EnvConfig) -> Callable[[int], int]:
    """Return a function that takes steps of `MarketEnv`."""
    env: Any = make_env(config)
    env.reset(seed=23)
    choices = np.random.default_rng(23).integers(0, env.action_space.n, 1 << 16)

    def steps(count: int) -> int:
        for n in range(count):
            _, _, terminated, truncated, _ = env.step(choices[n])
            if terminated or truncated:
                env.reset()
        return count

    return steps


def parallel(config: EnvConfig, agents: int) -> Callable[[int], int]:
    """Return a function that takes steps of `MarketParallelEnv`."""
    env: Any = make_env(config, agents=agents, parallel=True)
    env.reset(seed=23)
    most = env.action_space("agent_0").n
    choices = np.random.default_rng(23).integers(0, most, (1 << 12, agents))

    def steps(count: int) -> int:
        for n in range(count):
            if not env.agents:
                env.reset()
            row = choices[n % len(choices)]
            env.step({name: row[k] for k, name in enumerate(env.agents)})
        return count

    return steps


def vector(config: EnvConfig, books: int, agents: int, threads: int = 1) -> Callable[[int], int]:
    """Return a function that takes steps of `MarketVectorEnv`; every book's step counts."""
    env = make_vec_env(config, books=books, agents=agents, threads=threads)
    env.reset(seed=23)
    most = env.single_action_space.n
    choices = np.random.default_rng(23).integers(0, most, (64, env.num_envs))

    def steps(count: int) -> int:
        for n in range(max(1, count // books)):
            env.step(choices[n % len(choices)])
        return max(1, count // books) * books

    return steps


def print_asked() -> None:
    """Print the asked figure and its ratio to the anchor."""
    config = asked()
    middle, least, most = measure(single(config), 389)
    env: Any = make_env(config)
    env.reset(seed=23)
    before = env.market.messages
    for _ in range(100):
        env.step(0)
    rate = (env.market.messages - before) / 6_000
    print(f"asked: {config.population.agents} background agents, 60 s a step, {rate:.1f} messages a simulated second")
    print(
        f"  {middle:,.0f} steps a CPU-second [{least:,.0f}, {most:,.0f}]; asked {ASKED:,.0f}; "
        f"{middle / ABIDES_STEPS[1]:,.0f} to {middle / ABIDES_STEPS[0]:,.0f} times ABIDES-gym"
    )


def print_threads(config: EnvConfig, books: int) -> None:
    """Print what two threads bring: by the wall, and as CPU time allows on two free cores.

    What a step does outside the kernels is serial; the rest is shared.
    """
    wall, spent, serial = {}, {}, 0.0
    for threads in (1, 2):
        env = make_vec_env(config, books=books, threads=threads)
        env.reset(seed=23)
        actions = np.random.default_rng(23).integers(0, env.single_action_space.n, (64, books))
        kernels, inner = [0.0], env._desks.step

        def timed(which: Any = None, kernels: list[float] = kernels, inner: Any = inner) -> None:
            start = time.process_time()
            inner(which)
            kernels[0] += time.process_time() - start

        env._desks.step = timed  # type: ignore[method-assign]
        rows = []
        for _ in range(9):
            kernels[0], clock, process = 0.0, time.perf_counter(), time.process_time()
            for row in actions:
                env.step(row)
            whole = time.process_time() - process
            rows.append((time.perf_counter() - clock, whole, whole - kernels[0]))
        steps = actions.size
        wall[threads], spent[threads], serial = (median(column) / steps for column in zip(*rows, strict=True))
        env.close()
    free = spent[1] / (serial + (spent[2] - serial) / 2)
    print(
        f"  {books} books on two threads: {wall[1] / wall[2]:.2f} times as fast by the wall, as busy as this machine is"
    )
    print(
        f"  {1e6 * spent[1]:.1f} us of CPU a step on one thread, {1e6 * spent[2]:.1f} on two, of which "
        f"{1e6 * serial:.1f} serial: {free:.2f} times as fast on two free cores (asked 1.8)"
    )


def print_classes() -> None:
    """Print every class with n agents and B books, 200 background agents and 1 s a step."""
    config = quick_market()
    print("every class: 200 background agents, 1 s a step; steps of books a CPU-second [least, most]")
    rows: list[tuple[str, Callable[[int], int], int]] = [("MarketEnv", single(config), 2_000)]
    rows += [(f"MarketParallelEnv, {n} agents", parallel(config, n), 2_000 // n + 50) for n in (1, 2, 10, 100)]
    for name, steps, count in rows:
        print(f"  {name:34s} " + "{:>10,.0f} [{:,.0f}, {:,.0f}]".format(*measure(steps, count, 5)))
    for books in (1, 64, 1_024):
        for agents in (1, 2, 10, 100):
            steps = vector(config, books, agents)
            rates = measure(steps, max(books, 2_000 // agents), 3 if agents * books < 10_000 else 1)
            name = f"MarketVectorEnv, {books} books, {agents} agents"
            print(f"  {name:34s} " + "{:>10,.0f} [{:,.0f}, {:,.0f}]".format(*rates), flush=True)
    print_threads(config, 64)


def main(quick: bool = False) -> None:
    """Print the asked figure and, unless `quick`, every class."""
    print(f"B7, environments: {platform.machine()}, Python {platform.python_version()}")
    start = time.process_time()
    single(asked())(1)
    print(f"first step, kernels loaded or compiled: {time.process_time() - start:.1f} s of CPU")
    print_asked()
    if not quick:
        print_classes()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
