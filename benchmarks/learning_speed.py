"""How fast does a team learn? Living and learning together, by CPU time; one decision; one update against its peer.

python -m benchmarks.learning_speed            all of it, some minutes
python -m benchmarks.learning_speed --quick    shorter

Asked: 10,000 agent steps a CPU-second for 16 learning makers in the compiled market, training included (3,000 with a
GRU), and 5 us for a decision. Peers in the same run: the update written with equinox and optax, and mpe2 stepped at
random without learning anything. Compilation is left out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from benchmarks.measuring import heading, peak_mib
from mycelial.environment.tasks.packaged import PackagedSpread
from mycelial.environment.tasks.spread import Spread
from mycelial.environment.trading import TradingConfig, TradingTask
from mycelial.learning.batch import Segment, Weights
from mycelial.learning.hyper import Hyper
from mycelial.learning.loop import Trainer
from mycelial.learning.networks import Architecture, first_weights
from mycelial.learning.policy import Policy
from mycelial.learning.task import TeamTask

AGENTS, ROWS, SEEN, CHOICES = 16, 2048, 32, 5


def main(quick: bool = False) -> None:
    """Measure and print."""
    rounds = 3 if quick else 9
    heading("Learning: agent steps a CPU-second, training included (median, slowest to fastest round)")
    mlp = Hyper(segment=32, epochs=2, minibatches=4, scale_rewards=True)
    for memory, asked in (("none", 10_000), ("gru", 3_000)):
        hyper = replace(mlp, memory=memory, minibatches=4 if memory == "none" else 2)
        for backend in ("jax", "numpy") if memory == "none" else ("jax",):
            task = TradingTask(TradingConfig(seats=16), books=8)
            said = _trained(task, replace(hyper, backend=backend), rounds)
            name = f"market, 16 makers, {'GRU' if memory == 'gru' else 'MLP'}, {backend}"
            print(f"   {name:44s} {said}   asked {asked:,}")
    print(f"   {'spread-3, MLP, jax':44s} {_trained(Spread(3, 128), mlp, rounds)}")
    print(f"   {'peer: mpe2 at random, no learning':44s} {_stepped(PackagedSpread(3, 4), 40 if quick else 200)}")

    heading("One decision of an exported policy (O=32, U=5, hidden 64)")
    for memory in ("none", "gru"):
        architecture = Architecture(SEEN, CHOICES, memory=memory)
        print(f"   {memory:8s} {_decision(architecture, 4_000 if quick else 20_000)}   asked 5 us")

    heading(f"One update of {AGENTS} agents on {ROWS} rows each, O=32, hidden 64 (CPU ms, median)")
    for name, update in (("jax", _ours("jax")), ("numpy", _ours("numpy")), ("peer: equinox + optax", _equinox())):
        update()
        print(f"   {name:24s} {_cpu_ms(update, rounds):7.1f}")
    print(f"   peak memory {peak_mib():.0f} MiB")


def _trained(task: TeamTask, hyper: Hyper, rounds: int) -> str:
    """Return agent steps a CPU-second of living and learning."""
    trainer = Trainer(task, hyper, seed=1)
    lived = task.books * hyper.segment * task.agents
    trainer.advance(1)
    trainer.advance(1)
    rates = []
    for _ in range(rounds):
        began = time.process_time()
        trainer.advance(1)
        rates.append(lived / (time.process_time() - began))
    return f"{median(rates):9,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"


def _stepped(task: TeamTask, steps: int) -> str:
    rng = np.random.default_rng(1)
    task.reset(1)
    began = time.process_time()
    for _ in range(steps):
        task.step(rng.integers(0, task.actions, (task.books, task.agents)).astype(np.int32))
    return f"{task.books * task.agents * steps / (time.process_time() - began):9,.0f}"


def _decision(architecture: Architecture, count: int) -> str:
    policy = Policy(architecture, first_weights(architecture, 1))
    obs, mask = np.random.default_rng(1).standard_normal(SEEN).astype(np.float32), np.ones(CHOICES, np.bool_)
    policy.act(obs, mask)
    took = []
    for _ in range(count):
        began = time.perf_counter_ns()
        policy.act(obs, mask)
        took.append(time.perf_counter_ns() - began)
    return f"median {median(took) / 1e3:.2f} us, 99th percentile {np.percentile(took, 99) / 1e3:.2f} us"


def _cpu_ms(work: Callable[[], Any], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return 1e3 * median(took)


def _batch(rng: np.random.Generator) -> Segment:
    steps, books = 32, ROWS // 32
    return Segment(
        rng.standard_normal((steps, books, AGENTS, SEEN)).astype(np.float32),
        rng.integers(0, CHOICES, (steps, books, AGENTS)).astype(np.int32),
        rng.standard_normal((steps, books)).astype(np.float32),
        rng.standard_normal((steps, books, AGENTS, SEEN)).astype(np.float32),
        np.ones((steps, books, AGENTS, CHOICES), np.bool_),
        np.zeros((steps, books), np.bool_),
        np.zeros((steps, books), np.bool_),
        np.zeros((books, AGENTS, 0), np.float32),
    )


def _ours(backend: str) -> Callable[[], Any]:
    """Return our update: targets, one pass forward and backward, clipping, Adam."""
    hyper, architecture = Hyper(normalise=False), Architecture(SEEN, CHOICES, normalise=False)
    learner: Any
    if backend == "jax":
        from mycelial.learning.jax_learner import JaxLearner

        learner = JaxLearner(architecture, hyper, AGENTS)
    else:
        from mycelial.learning.numpy_learner import NumpyLearner

        learner = NumpyLearner(architecture, hyper, AGENTS)
    weights = Weights.start(np.repeat(first_weights(architecture, 1)[None], AGENTS, 0))
    segment, order = _batch(np.random.default_rng(1)), np.arange(ROWS, dtype=np.int32)[None]
    return lambda: learner.learn(weights, segment, order, 5e-4)


def _equinox() -> Callable[[], Any]:
    """Return the same update as equinox modules, vmapped over agents, with optax; lambda-returns by the same scan."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import optax

    from mycelial.learning.jax_learner import lambda_returns

    class Agent(eqx.Module):  # type: ignore[misc]
        layers: list[Any]

        def __init__(self, key: Any) -> None:
            first, second, third = jax.random.split(key, 3)
            self.layers = [
                *(eqx.nn.Linear(SEEN, 64, key=first), eqx.nn.LayerNorm(64), jax.nn.relu),
                *(eqx.nn.Linear(64, 64, key=second), eqx.nn.LayerNorm(64), jax.nn.relu),
                eqx.nn.Linear(64, CHOICES, key=third),
            ]

        def __call__(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x)
            return x

    agents = eqx.filter_vmap(Agent)(jax.random.split(jax.random.key(1), AGENTS))
    optimiser = optax.chain(optax.clip_by_global_norm(10.0), optax.adam(5e-4, eps=1e-5))
    state = optimiser.init(eqx.filter(agents, eqx.is_array))
    hyper, segment = Hyper(), _batch(np.random.default_rng(1))
    steps, books = segment.reward.shape
    rows = [np.moveaxis(x, 2, 0).reshape(AGENTS, ROWS, -1) for x in (segment.obs, segment.next_obs)]
    action = np.moveaxis(segment.action, 2, 0).reshape(AGENTS, ROWS)

    @eqx.filter_jit  # type: ignore[untyped-decorator]
    def update(agents: Any, state: Any) -> Any:
        each = eqx.filter_vmap(lambda agent, x: jax.vmap(agent)(x))
        best = each(agents, rows[1]).max(-1).sum(0).reshape(1, steps, books)
        ends = (jnp.asarray(x) for x in (segment.reward, segment.terminated, segment.ended))
        goal = jax.lax.stop_gradient(lambda_returns(hyper, best, *ends)).reshape(-1)

        def loss(agents: Any) -> Any:
            q = each(agents, rows[0])
            return 0.5 * ((goal - (q * jax.nn.one_hot(action, CHOICES)).sum((0, -1))) ** 2).mean()

        slope = eqx.filter_grad(loss)(agents)
        change, moved = optimiser.update(slope, state)
        return eqx.apply_updates(agents, change), moved

    return lambda: jax.block_until_ready(eqx.filter(update(agents, state), eqx.is_array))


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
