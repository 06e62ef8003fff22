"""How fast does a trading swarm learn? Agent-environment steps a CPU-second with 16 learning agents, training included.

python -m benchmarks.swarm_speed

The named peer is JaxMARL's VDN-RNN on simple_spread, 14,000 environment steps (three agents each) a CPU-second on a
machine of this class; it is not run here. Asked: 10,000 agent steps a CPU-second (networks without memory).
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from statistics import median

import numpy as np

from mycelial.environment.trading import TradingConfig, TradingTask, regime
from mycelial.lab.trading.training import LEARNER
from mycelial.learning.loop import Trainer

ASKED = 10_000
SEATS, BOOKS, ROUNDS = 16, 16, 7


def task_speed(name: str) -> float:
    """Return agent steps a CPU-second of the market alone, legal actions drawn at random."""
    task = TradingTask(TradingConfig(regime=regime(name), seats=SEATS), BOOKS)
    rng = np.random.default_rng(1)
    seen = task.reset(1)
    mask = seen.mask
    start, steps = time.process_time(), 0
    while steps < 200:
        mask = task.step(np.asarray((rng.random(mask.shape) * mask).argmax(-1), np.int32)).mask
        steps += 1
    return steps * SEATS * BOOKS / (time.process_time() - start)


def training_speed(name: str, sharing: str, memory: str = "none", backend: str = "numpy") -> list[float]:
    """Return agent steps a CPU-second of every round, the first (which may compile) left out."""
    task = TradingTask(TradingConfig(regime=regime(name), seats=SEATS), BOOKS)
    hyper = replace(LEARNER, sharing=sharing, memory=memory, backend=backend, steps=10**7)
    trainer = Trainer(task, hyper, 1)
    trainer.advance(1)
    rates = []
    for _ in range(ROUNDS):
        start, before = time.process_time(), trainer.steps
        trainer.advance(BOOKS * hyper.segment * 4)
        rates.append((trainer.steps - before) * SEATS / (time.process_time() - start))
    return rates


def main(with_memory: bool = False) -> None:
    """Print the market's speed and the learner's."""
    for name in ("liquid", "middle", "thin"):
        print(
            f"{name:8s} market alone {task_speed(name):10,.0f} agent steps a CPU-second, {SEATS} seats x {BOOKS} books"
        )
        for sharing in ("none", "group"):
            rates = training_speed(name, sharing)
            print(
                f"{name:8s} training, weights {'shared' if sharing == 'group' else 'of their own':13s} "
                f"{median(rates):8,.0f} [{min(rates):,.0f}, {max(rates):,.0f}] (asked {ASKED:,})",
                flush=True,
            )
    if with_memory:
        rates = training_speed("middle", "none", "gru", "jax")
        print(f"middle   training, GRU {median(rates):8,.0f} [{min(rates):,.0f}, {max(rates):,.0f}] (asked 3,000)")


if __name__ == "__main__":
    main(with_memory="--gru" in sys.argv)
