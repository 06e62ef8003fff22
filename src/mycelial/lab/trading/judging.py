"""The document of `mycelial learn eval`: a swarm's teams against every baseline, regime by regime, tier by tier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mycelial.environment.trading.config import TradingConfig
from mycelial.lab.trading.evaluation import at_tier, compare, has_edge, play
from mycelial.lab.trading.policies import Policy, Trained
from mycelial.lab.trading.tuning import baselines
from mycelial.learning.policy import Team

Progress = Callable[[float, int], None]


def judge(
    team: Team,
    config: TradingConfig,
    volumes: Sequence[int],
    *,
    seeds: int = 10,
    worlds: int = 16,
    wide: bool = False,
    tuning: int = 16,
    others: Sequence[Policy] = (),
    trials: int = 1,
    spread_of_trials: float = 0.0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return a table for each volume: every policy's figures, paired differences, and what may be claimed.

    Parameters
    ----------
    wide : judge in worlds outside of the range of training; baselines keep the parameters of ordinary worlds.
    tuning : worlds in which each candidate of a baseline is tried.
    others : further policies to compare with, such as other learners.
    trials, spread_of_trials : see `evaluation.compare`.
    """
    tables, done = [], 0
    for volume in volumes:
        tier = at_tier(config, volume)
        field = [*baselines(tier, worlds=tuning), *others]
        tried = replace(tier, wide=wide)
        ours = play(tried, Trained(team), range(seeds), worlds)
        found = []
        for policy in field:
            found.append(play(tried, policy, range(seeds), worlds))
            done += 1
            if progress is not None:
                progress(done / (len(volumes) * len(field)), done)
        result = compare(ours, found, trials=trials, spread_of_trials=spread_of_trials)
        best = max((one for one in found if one.profit.mean() > 0.0), key=lambda one: one.profit.mean(), default=None)
        rows = result.rows()
        tables.append(
            {
                "volume_usd": volume,
                "rows": rows,
                "edge": has_edge(ours).is_gain,
                "beats_all": result.beats_all,
                "deflated_sharpe": result.deflated,
                "tail_no_worse_than_best": best is None or rows[0]["cvar_5"] >= best.summary()["cvar_5"],
            }
        )
    return {
        "regime": config.regime.name,
        "pair_rules": config.regime.pair,
        "seats": config.seats,
        "seeds": seeds,
        "worlds": worlds,
        "steps": config.steps,
        "wide": wide,
        "unit": "half spreads on a typical order, a team and episode",
        "tables": tables,
    }
