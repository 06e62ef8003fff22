"""Held-out evaluation: every policy in the same worlds, seed by seed, and what the comparison may claim.

A seed is a set of worlds nobody was trained in; a score is a policy's mean over the worlds of a seed. Policies are
compared seed by seed in the same worlds, so that luck cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.seeds import stream_key
from mycelial.environment.trading.config import TradingConfig
from mycelial.environment.trading.state import COUNTS
from mycelial.environment.trading.task import TradingTask
from mycelial.lab.inference import (
    Difference,
    deflated_sharpe,
    drawdown,
    estimate,
    holm,
    paired,
    sharpe,
    tail_mean,
)
from mycelial.lab.statistics import iqm
from mycelial.lab.trading.policies import Policy

Floats = NDArray[np.float64]
HELD_OUT, TUNING = "held out", "tuning"


@dataclass(frozen=True)
class Outcome:
    """What a policy came to in R seeds of W worlds each; profit in half spreads on a typical order.

    Parameters
    ----------
    profit : float64[R, W]
        After all fees, inventory closed at the end.
    fall : float64[R, W]
        Largest fall of the gain from an earlier peak.
    inventory : float64[R, W]
        Mean absolute inventory of a seat, typical orders.
    counts : dict of float64[R, W]
        Sums over seats, by `results` of the task.
    """

    name: str
    profit: Floats
    fall: Floats
    inventory: Floats
    counts: dict[str, Floats]

    @property
    def scores(self) -> Floats:
        """Mean profit of each seed: float64[R]."""
        return self.profit.mean(axis=1)

    def summary(self) -> dict[str, Any]:
        """Return every figure that is reported of a policy."""
        counts = self.counts
        orders = counts["adds"] + counts["amends"] + counts["cancels"] + counts["takes"]
        fills = counts["maker_fills"] + counts["taker_fills"]
        profit = estimate(self.scores)
        return {
            "policy": self.name,
            "iqm": profit.value,
            "ci": [profit.low, profit.high],
            "scores": self.scores.tolist(),
            "cvar_5": tail_mean(self.profit),
            "worst": float(self.profit.min()),
            "share_of_losses": float((self.profit < 0.0).mean()),
            "sharpe_of_episodes": sharpe(self.profit.reshape(-1)),
            "drawdown": float(self.fall.mean()),
            "inventory": float(self.inventory.mean()),
            "fees": float(counts["fees"].mean()),
            "markout_bps": _weighted(counts["markout_bps"], counts["maker_lots"]),
            "maker_share": float(counts["maker_lots"].sum() / max(1.0, _lots(counts).sum())),
            "fills": float(fills.mean()),
            "orders_to_trades": float(orders.sum() / max(1.0, fills.sum())),
            "counter_use": float(counts["counter_use"].mean()),
            "withheld": float(counts["withheld"].mean()),
            "own_trade_share": float(counts["own_lots"].sum() / max(1.0, counts["maker_lots"].sum())),
        }


def play(
    config: TradingConfig, policy: Policy, seeds: Sequence[int], worlds: int, *, purpose: str = HELD_OUT
) -> Outcome:
    """Let a policy live whole episodes in the worlds of every seed; worlds of different purposes never coincide."""
    task = TradingTask(config, worlds, stagger=False)
    rows: dict[str, list[Floats]] = {}
    try:
        for seed in seeds:
            for name, value in _episode(task, policy, world_seed(purpose, seed)).items():
                rows.setdefault(name, []).append(value)
    finally:
        task.close()
    whole = {name: np.stack(value) for name, value in rows.items()}
    return Outcome(policy.name, whole.pop("profit"), whole.pop("fall"), whole.pop("inventory"), whole)


def world_seed(purpose: str, seed: int) -> int:
    """Return the root of the worlds of one seed."""
    return int(stream_key(seed, "trading", purpose) >> np.uint64(2))


def _episode(task: TradingTask, policy: Policy, seed: int) -> dict[str, Floats]:
    seen = task.reset(seed)
    policy.begin(task)
    obs, mask = seen.obs, seen.mask
    steps = task.config.steps
    path, held = np.zeros((task.books, steps)), np.zeros((task.books, steps))
    for t in range(steps):
        answer = policy.answer(task, obs, mask)
        step = task.step_wishes(answer) if answer.dtype.kind == "f" else task.step(answer)
        obs, mask = step.obs, step.mask
        if t < steps - 1:
            path[:, t], held[:, t] = task.values(), np.abs(task.inventories()).mean(axis=1)
    found = task.results()
    path[:, -1] = found["profit_units"]
    seconds = steps * task.config.regime.step_s
    counts = {name: found[name].astype(np.float64) for name in (*COUNTS, "markout_bps")}
    budget = task.agents * (task.limits.threshold + task.limits.decay * seconds)
    counts["counter_use"] = counts["points"] / budget
    return {"profit": path[:, -1].copy(), "fall": drawdown(path), "inventory": held.mean(axis=1), **counts}


@dataclass(frozen=True)
class Comparison:
    """One policy against others in the same worlds.

    Parameters
    ----------
    ours : Outcome
    others : tuple of Outcome
    differences : dict
        Paired differences of seed scores, p-values adjusted by Holm over all others.
    deflated : float
        Probability that the Sharpe ratio of our seed scores is above the best that luck would have shown among `trials`
        configurations.
    """

    ours: Outcome
    others: tuple[Outcome, ...]
    differences: dict[str, Difference]
    deflated: float
    trials: int

    @property
    def beats_all(self) -> bool:
        """Whether every difference is a gain after the correction; tails are reported beside it, not judged."""
        return all(one.is_gain for one in self.differences.values())

    def rows(self) -> list[dict[str, Any]]:
        """Return the table: one row for each policy, ours first."""
        found = [self.ours.summary()]
        for other in self.others:
            one = self.differences[other.name]
            row = other.summary()
            row["difference"] = one.estimate.value
            row["difference_ci"] = [one.estimate.low, one.estimate.high]
            row["p"], row["p_holm"] = one.p_value, one.p_adjusted
            found.append(row)
        return found


def compare(ours: Outcome, others: Sequence[Outcome], *, trials: int = 1, spread_of_trials: float = 0.0) -> Comparison:
    """Compare seed by seed.

    Parameters
    ----------
    trials, spread_of_trials : configurations among which ours was selected, and how their Sharpe ratios varied.
    """
    differences = holm({one.name: paired(ours.scores, one.scores) for one in others})
    return Comparison(ours, tuple(others), differences, deflated_sharpe(ours.scores, trials, spread_of_trials), trials)


def has_edge(outcome: Outcome) -> Difference:
    """Return whether a policy earns anything: its seed scores against doing nothing."""
    return paired(outcome.scores, np.zeros_like(outcome.scores))


def best_of(config: TradingConfig, policies: Sequence[Policy], seeds: Sequence[int], worlds: int) -> Policy:
    """Return the policy that earns most in the tuning worlds: how a baseline gets its parameters."""
    return max(policies, key=lambda one: iqm(play(config, one, seeds, worlds, purpose=TUNING).scores))


def at_tier(config: TradingConfig, volume_usd: int) -> TradingConfig:
    """Return the task with every seat beginning at one 30-day volume."""
    return replace(config, volumes_usd=(volume_usd,))


def _lots(counts: dict[str, Floats]) -> Floats:
    return counts["maker_lots"] + counts["taker_lots"]


def _weighted(values: Floats, weights: Floats) -> float:
    total = float(weights.sum())
    return float((values * weights).sum() / total) if total > 0.0 else 0.0
