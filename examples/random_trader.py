"""How do I trade in a living market through Gymnasium? At random on Kraken's BTC/USD, legal moves only."""

from __future__ import annotations

import mycelial
from mycelial.environment import Episode, Every

env = mycelial.make_env(
    "kraken-btcusd", population=200, pace=Every(seconds=1.0), episode=Episode(seconds=30.0, warm_up_s=5.0)
)
observation, info = env.reset(seed=7)
env.action_space.seed(7)
profit, over = 0, False
while not over:
    action = env.action_space.sample(mask=info["action_mask"])
    observation, reward, terminated, truncated, info = env.step(action)
    profit, over = profit + info["profit"], terminated or truncated

assert profit == info["value"] - info["start_value"]
print(f"{env.schema.size} figures seen, schema {env.schema.digest}")
print(f"profit {env.config.instrument.money(profit)} USD, ended by {info['end']}")
