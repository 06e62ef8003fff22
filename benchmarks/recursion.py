"""What does reasoning about each other gain, and how deep? The matrix games of the ladder's first rung, 100 seeds each.

python -m benchmarks.recursion [--out docs/results/ladder/recursion.json]

Arms: independent learners, plain value decomposition, leaders of depth 1 to 3 whose actions are announced, silent
leaders, mixed types, leaders that guard against a worse follower, and the placebo, in which everybody takes a member of
another team for its peer. Tables, team reward only, 3,000 plays; the two-step game is explored fully, as in its paper.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.measuring import heading
from mycelial.environment.tasks.matrix import GAMES
from mycelial.lab.statistics import interval, iqm
from mycelial.learning.tabular import Reasoning, play

ARMS = {
    "independent": {"depth": 0, "credit": "none"},
    "depth 0 (vdn)": {"depth": 0},
    "depth 1": {"depth": 1},
    "depth 2": {"depth": 2},
    "depth 3": {"depth": 3},
    "depth 1, silent": {"depth": 1, "announced": False},
    "depth 2, mixed types": {"depth": 2, "mixed": True},
    "depth 1, guarded": {"depth": 1, "radius": 0.05},
    "depth 1, placebo": {"depth": 1, "placebo": True},
}


def main(quick: bool = False, out: Path | None = None) -> None:
    """Play and print; write the document to `out`."""
    seeds = np.arange(20 if quick else 100)
    heading(f"Recursive reasoning: mean score and share of optimal teams, {len(seeds)} seeds")
    print(f"   {'':22s}" + "".join(f"{name:>16s}" for name in GAMES))
    found: dict[str, dict[str, object]] = {}
    for arm, how in ARMS.items():
        found[arm] = {}
        for name, game in GAMES.items():
            last = 1.0 if name == "two-step" else Reasoning().last_epsilon
            scores = play(game.payoffs, game.following, Reasoning(last_epsilon=last, **how), seeds).scores
            optimal = float((scores >= game.best - 1e-9).mean())
            found[arm][name] = {
                "mean": float(scores.mean()),
                "iqm": iqm(scores),
                "ci": interval(scores),
                "optimal_share": optimal,
                "optimum": game.best,
            }
            end = "\n" if name == "two-step" else ""
            start = f"   {arm:22s}" if name == "climbing" else ""
            print(f"{start}{scores.mean():9.2f} {optimal:5.0%} ", end=end)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        document = {"command": f"python -m benchmarks.recursion --out {out}", "seeds": len(seeds), "arms": found}
        out.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    main(given.quick, given.out)
