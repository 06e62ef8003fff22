"""How much of the population is awake: attention that moves, volume and news stir, in an asset and in all of them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.symba.population import (
    KEY_ACTIVITY,
)
from mycelial.agents.symba.rules import (
    Rules,
)
from mycelial.domain.draws import normal
from mycelial.domain.kernels import kernel
from mycelial.simulation.world import Mood


@kernel
def feel(rules: Rules, mood: Mood, keys: NDArray[np.uint64], world_key: NDArray[np.uint64], t: int) -> None:
    """Set today's attention of every asset from past surprises and news of its own and of the market."""
    assets, phi = rules.assets, rules.attention_persistence
    scale = rules.attention_sd * math.sqrt(1.0 - phi * phi)
    common = 0.0
    for j in range(assets):
        common += 0.5 * (mood.quick[j] + mood.slow[j]) / assets
    mood.news[assets] = phi * mood.news[assets] + scale * normal(world_key[0], np.uint64(4 * t))
    share = rules.attention_market
    for j in range(assets):
        mood.news[j] = phi * mood.news[j] + scale * normal(keys[j, KEY_ACTIVITY], np.uint64(t))
        stirred = (1.0 - share) * 0.5 * (mood.quick[j] + mood.slow[j]) + share * common
        news = math.sqrt(1.0 - share) * mood.news[j] + math.sqrt(share) * mood.news[assets]
        mood.activity[j] = math.exp(max(stirred, -1.0) - 1.0 + news)


@kernel
def remember_mood(rules: Rules, mood: Mood, volume: float, previous: float, close: float, j: int) -> None:
    """Fold today's move and volume into the moving averages of asset j."""
    move = abs(math.log(close / previous))
    surprise = min(6.0, move / max(mood.usual_move[j], 1e-6))
    if mood.usual_volume[j] > 0.0:
        surprise += rules.attention_volume * (min(8.0, volume / mood.usual_volume[j]) - 1.0)
        mood.usual_volume[j] += 0.01 * (volume - mood.usual_volume[j])
    else:
        mood.usual_volume[j] = volume
    mood.quick[j] += 0.3 * (surprise - mood.quick[j])
    mood.slow[j] += 0.03 * (surprise - mood.slow[j])
    mood.move[j] = max(0.002, mood.move[j] + 0.03 * (move - mood.move[j]))
    mood.usual_move[j] += 0.005 * (move - mood.usual_move[j])
