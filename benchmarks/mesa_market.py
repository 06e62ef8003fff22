"""How much faster are our markets than a call market of plain Mesa agents, 10,000 of each?

The Mesa peer is the least that deserves the name: every agent is an object that draws one limit order a day around a
common value; the model sorts the orders, matches them pair by pair and moves cash and coins. Beside it stand the same
market on our call auction (like for like: the same rules, counter-based draws, exact coins) and the market of learning
agents, who also forecast, learn and remember. All must conserve coins.
"""

from __future__ import annotations

import random
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import heading
from mycelial.agents.symba.presets import preset
from mycelial.domain.draws import normal, uniform
from mycelial.domain.kernels import entry
from mycelial.domain.seeds import stream_key
from mycelial.market.call_auction import LAST, Fills, clear, empty_fills, fills_of, sort_book
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


@entry
def _live(
    key: np.uint64,
    days: int,
    cash: NDArray[np.float64],
    coins: NDArray[np.int64],
    order_coins: NDArray[np.int64],
    limit: NDArray[np.float64],
    every: Fills,
    averages: NDArray[np.float64],
) -> float:
    """Let every agent send an order a day and clear the auction; return the last price."""
    price, agents, fills = 100.0, len(cash), fills_of(every, 0)
    two, one = np.uint64(2), np.uint64(1)
    for day in range(days):
        for i in range(agents):
            draw = two * np.uint64(day * agents + i)
            limit[i] = price * (1.0 + 0.02 * normal(key, draw))
            order_coins[i] = 0
            if uniform(key, draw + one) < 0.5 and cash[i] >= limit[i]:
                order_coins[i] = 1
            elif coins[i] > 0:
                order_coins[i] = -1
        bids, asks = sort_book(order_coins, limit, key, day, fills)
        close, _ = clear(order_coins, limit, cash, coins, fills, bids, asks, 1.0, 0.0, False, True, LAST, averages)
        if not np.isnan(close):
            price = close
    return price


def call_market_steps_per_second(days: int) -> float:
    """Return agent-steps per CPU-second of the same market on our call auction."""
    cash, coins = np.full(AGENTS, 10_000.0), np.full(AGENTS, 10)
    scratch = np.zeros(AGENTS, np.int64), np.zeros(AGENTS)
    fills = empty_fills(1, AGENTS)
    started = time.process_time()
    _live(stream_key(23, "call market"), days, cash, coins, *scratch, fills, np.zeros(2))
    taken = time.process_time() - started
    if coins.sum() != 10 * AGENTS or coins.min() < 0 or abs(cash.sum() - 10_000.0 * AGENTS) > 1e-3:
        raise SystemExit("our call market lost coins or cash")
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
    call_market_steps_per_second(1)
    days, runs = (5, 1) if quick else (20, 5)
    peer = sorted(mesa_steps_per_second(days) for _ in range(runs))
    alike = sorted(call_market_steps_per_second(20 * days) for _ in range(runs))
    learning = sorted(ours_steps_per_second(20 * days) for _ in range(runs))
    middle = peer[runs // 2]
    for name, rates in ((f"Mesa {mesa.__version__}", peer), ("our call auction", alike), ("learning agents", learning)):
        print(
            f"   {name:<18}{rates[runs // 2]:>14,.0f} agent-steps / CPU-s ({rates[0]:,.0f}-{rates[-1]:,.0f}), "
            f"{rates[runs // 2] / middle:.1f} x"
        )
    print(f"   like for like {alike[runs // 2] / middle:.0f} x; floor {FLOOR} x")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
