"""What does each part of the trading swarm bring? The swarm minus one part at a time, same budget and worlds.

python -m benchmarks.trading_ablations --out runs/ablations [--steps 131072] [--seeds 2]

Arms and the measure (mean profit after fees over the three groups' markets) were fixed before the run. Each arm
is trained with every root seed; a score is the mean over the worlds of one held-out seed, so there are (root seeds) x
(held-out seeds) paired scores. Finished arms in the folder are not trained again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from mycelial.lab.inference import estimate, holm, paired, tail_mean
from mycelial.lab.trading.evaluation import at_tier, play
from mycelial.lab.trading.policies import Trained
from mycelial.lab.trading.training import LEARNER, Group, Plan, SwarmTraining

GROUPS = (Group("middle", (10_000_000,)), Group("middle", (2_500_000,)), Group("thin", (50_000,)))
HELD_OUT, WORLDS = 10, 8


def arms(steps: int) -> dict[str, Plan]:
    """Return the swarm and what is taken from it."""
    whole = Plan(groups=GROUPS, steps=steps, every=32_768, gate=False, average=0.95)
    return {
        "swarm": whole,
        "gossip off (isolated)": replace(whole, gossip=False),
        "gossip behind the gate": replace(whole, gate=True),
        "VDN off (independent Q)": replace(whole, hyper=replace(LEARNER, credit="none")),
        "weights of their own": replace(whole, hyper=replace(LEARNER, sharing="none")),
        "one centralised learner": replace(whole, central=True, gossip=False, steps=3 * steps),
    }


def scores(plan: Plan, training: SwarmTraining) -> tuple[list[float], list[float]]:
    """Return the mean profit of every held-out seed, and of every world."""
    cells, worlds = [], []
    teams = training.teams()
    for group in plan.groups:
        team = teams["central" if plan.central else group.name]
        for volume in group.volumes_usd:
            outcome = play(at_tier(plan.config(group), volume), Trained(team), range(HELD_OUT), WORLDS)
            cells.append(outcome.scores)
            worlds.append(outcome.profit.reshape(-1))
    return np.mean(cells, axis=0).tolist(), np.concatenate(worlds).tolist()


def main() -> None:
    """Train what is missing and print the table."""
    options = argparse.ArgumentParser()
    options.add_argument("--out", type=Path, default=Path("runs/ablations"))
    options.add_argument("--steps", type=int, default=131_072)
    options.add_argument("--seeds", type=int, default=2)
    asked = options.parse_args()
    found: dict[str, list[float]] = {}
    tails: dict[str, list[float]] = {}
    for seed in range(asked.seeds):
        for name, plan in arms(asked.steps).items():
            path = asked.out / f"{name.replace(' ', '-')}-{seed}-{asked.steps}.json"
            if not path.is_file():
                began = time.process_time()
                training = SwarmTraining(plan, seed)
                while not training.done:
                    training.advance()
                result = scores(plan, training)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps([*result, dict(training.verdicts), time.process_time() - began]))
                print(f"{name}, seed {seed}: {np.mean(result[0]):.1f}", flush=True)
            said = json.loads(path.read_text())
            found.setdefault(name, []).extend(said[0])
            tails.setdefault(name, []).extend(said[1])
    ours = np.array(found["swarm"])
    differences = holm({name: paired(ours, np.array(row)) for name, row in found.items() if name != "swarm"})
    print(f"\n{asked.seeds} root seeds x {HELD_OUT} held-out seeds x {WORLDS} worlds, {asked.steps:,} steps a group")
    print(f"{'arm':26s} {'profit (IQM)':>28s}  {'CVaR 5 %':>9s}  {'swarm better by':>28s}  p (Holm)")
    for name, row in found.items():
        told = f"{name:26s} {estimate(np.array(row))!s:>28s}  {tail_mean(np.array(tails[name])):9.1f}"
        if name in differences:
            one = differences[name]
            told += f"  {one.estimate!s:>28s}  {one.p_adjusted:.4f}"
        print(told)


if __name__ == "__main__":
    main()
