"""How do I use the market from Mesa? Group agents, change some of them, collect data.

Run with `python examples/mesa_market.py` after `pip install 'mycelial[mesa]'`.
"""

from __future__ import annotations

import numpy as np

from mycelial.agents.symba.presets import preset
from mycelial.simulation.model import MarketAgent, MarketModel


class Saver(MarketAgent):
    """An agent that can be told to put half of its cash aside."""

    def save_half(self) -> None:
        self.cash *= 0.5


def main(agents: int = 100, days: int = 120) -> dict[str, float]:
    """Live `days` days, take cash from short-term agents half-way, and return what happened."""
    params = preset("paper").replace(agents=agents, days=days + 1, learning_days=days // 2)
    with MarketModel(params, seed=7, agent_class=Saver, agent_reporters={"nav": "nav"}) as market:
        while market.day < days // 2:
            market.step()
        short_term = market.agents.select(lambda agent: agent.tau <= 30)
        before = short_term.agg("cash", sum)
        short_term.do("save_half")
        market.run_model()
        by_horizon = market.agents.groupby(lambda agent: "short" if agent.tau <= 30 else "long")
        wealth = {name: float(np.mean([agent.nav for agent in group])) for name, group in by_horizon}
        recorded = market.datacollector.get_model_vars_dataframe()
        result = {
            "days": float(market.day),
            "cash put aside": before - before / 2,
            "last price": float(recorded["price"].iloc[-1]),
            "mean volume": float(recorded["volume"].mean()),
            **{f"mean NAV, {name} horizons": value for name, value in wealth.items()},
        }
    for name, value in result.items():
        print(f"{name:28s} {value:12.2f}")
    return result


if __name__ == "__main__":
    main()
