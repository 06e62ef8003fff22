"""What is left of federated learning under attack: every attack, every rule asked for, 20 % of the peers lying.

Retention is the honest teams' final score on held-out layouts against the same rule without attack, seed by seed. Runs
are kept in --out and not done again, so a stopped grid goes on where it was.

    python -m benchmarks.federated_attacks --seeds 5 --rules default mean
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.measuring import heading
from mycelial.agents.toxic.updates import ATTACKS
from mycelial.lab.federated.campaign import ATTACKERS, DEFAULT, NAIVE, attack_grid

FLOOR = 0.90  # retention asked of the default pipeline


def show(rows: list[dict[str, Any]]) -> None:
    """Print the grid."""
    print(f"   {'rule':<14} {'attack':<18} score  retention [95 %]        worst seed  worst team  dose  quarantined")
    for row in rows:
        low, high = row["retention_ci"]
        print(
            f"   {row['rule']:<14} {row['attack'] or '(none)':<18} {row['score']:.3f}  {row['retention']:.3f} "
            f"[{low:.3f}, {high:.3f}]   {row['worst_seed']:10.3f}  {row['worst_team']:10.3f}  {row['dose']:.2f}  "
            f"{row['quarantined']:.2f}"
        )


def main(*, quick: bool = False, arguments: list[str] | None = None) -> None:
    """Run what is missing of the grid and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.federated_attacks", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1 if quick else 5)
    every = ["sign-flip"] if quick else list(ATTACKS)
    parser.add_argument("--attacks", nargs="*", default=every, choices=list(ATTACKS))
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rules", nargs="*", default=[DEFAULT, NAIVE])
    parser.add_argument("--attackers", type=int, default=ATTACKERS, help="beside the eight honest teams")
    parser.add_argument("--out", type=Path, default=Path("runs") / "federated-attacks")
    parser.add_argument("--json", type=Path, help="write the rows there")
    asked = parser.parse_args([] if arguments is None else arguments)
    heading(f"federated foraging, 8 honest teams and {asked.attackers} attackers, {asked.seeds} seeds")
    rows = attack_grid(
        asked.attacks,
        asked.rules,
        range(asked.first_seed, asked.first_seed + asked.seeds),
        asked.out,
        attackers=asked.attackers,
        progress=lambda line: print(f"   {line}", file=sys.stderr, flush=True),
    )
    show(rows)
    kept = [row for row in rows if row["rule"] == DEFAULT and row["attack"]]
    if kept:
        held = sum(row["retention"] >= FLOOR for row in kept)
        print(f"   retention >= {FLOOR:.0%} under {held} of {len(kept)} attacks with the default pipeline")
    if asked.json is not None:
        asked.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main(arguments=sys.argv[1:])
