"""How much faster is the daily market than a call market of plain Mesa agents, 10,000 of each?

The Mesa peer is the least that deserves the name: every agent is an object that draws one limit order a day around a
common value; the model sorts the orders, matches them pair by pair and moves cash and coins. Ours is the market of
learning agents, who also forecast, learn and remember, so the ratio flatters the peer. The two do not trade alike;
both must conserve coins.
"""

from __future__ import annotations

import random
import sys
import time
from typing import Any

from benchmarks.measuring import heading
from mycelial.agents.symba.presets import preset
from mycelial.simulation.run import simulate_world

AGENTS, FLOOR = 10_000, 30


def mesa_steps_per_second(days: int) -> float:
    """Return agent-steps per CPU-second of the Mesa market."""
    import mesa

    class Trader(mesa.Agent):
        def __init__(self, model: Any) -> None:
            super().__init__(model)
            self.cash, self.coins = 10_000.0, 10

        def step(self) -> None:
            model: Any = self.model
            limit = model.price * (1.0 + 0.02 * model.random.gauss(0.0, 1.0))
            if model.random.random() < 0.5 and self.cash >= limit:
                model.bids.append((limit, self))
            elif self.coins > 0:
                model.asks.append((limit, self))

    class Market(mesa.Model):
        def __init__(self) -> None:
            super().__init__()
            self.random = random.Random(23)
            self.price, self.bids, self.asks = 100.0, [], []
            Trader.create_agents(self, AGENTS)

        def step(self) -> None:
            self.bids, self.asks = [], []
            self.agents.do("step")
            self.bids.sort(key=lambda order: -order[0])
            self.asks.sort(key=lambda order: order[0])
            for (bid, buyer), (ask, seller) in zip(self.bids, self.asks, strict=False):
                if bid < ask:
                    break
                self.price = (bid + ask) / 2
                buyer.cash, buyer.coins = buyer.cash - self.price, buyer.coins + 1
                seller.cash, seller.coins = seller.cash + self.price, seller.coins - 1

    market = Market()
    market.step()
    started = time.process_time()
    for _ in range(days):
        market.step()
    taken = time.process_time() - started
    if sum(agent.coins for agent in market.agents) != 10 * AGENTS:
        raise SystemExit("the Mesa market lost coins")
    return AGENTS * days / taken


def ours_steps_per_second(days: int) -> float:
    """Return agent-steps per CPU-second of the daily market."""
    params = preset("extended").replace(agents=AGENTS, days=days, learning_days=days // 2)
    started = time.process_time()
    run = simulate_world(params, 1, 23)
    return run.agent_steps / (time.process_time() - started)


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    heading(f"a call market of {AGENTS:,} agents: Mesa objects and ours")
    try:
        import mesa
    except ImportError:
        print("   skipped: Mesa is not installed; run: pip install 'mycelial[mesa]'")
        return
    simulate_world(preset("extended").replace(agents=50, days=60, learning_days=30), 1, 1)  # loads the kernels
    days, runs = (5, 1) if quick else (20, 3)
    peer = sorted(mesa_steps_per_second(days) for _ in range(runs))
    ours = sorted(ours_steps_per_second(20 * days) for _ in range(runs))
    print(f"   Mesa {mesa.__version__}: {peer[runs // 2]:>12,.0f} agent-steps / CPU-s ({peer[0]:,.0f}-{peer[-1]:,.0f})")
    print(f"   mycelial:   {ours[runs // 2]:>12,.0f} agent-steps / CPU-s ({ours[0]:,.0f}-{ours[-1]:,.0f})")
    print(f"   ratio {ours[runs // 2] / peer[runs // 2]:.0f} x; floor {FLOOR} x")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
