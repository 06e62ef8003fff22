"""Does the shipped swarm beat every baseline on held-out worlds? The table of docs/results/trading-swarm.md.

python -m benchmarks.trading_swarm [--teams DIR] [--out runs/judged] [--seeds 10] [--worlds 16] [--wide]

Each team is judged in the market it was trained for. Baselines get their parameters in tuning worlds; outcomes are kept
in --out, so that a stopped run goes on. Nothing is selected: each regime and tier has one team.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mycelial.environment.trading import TradingConfig, regime
from mycelial.lab.trading.evaluation import Outcome, at_tier, compare, has_edge, play
from mycelial.lab.trading.folder import load_team
from mycelial.lab.trading.policies import Trained
from mycelial.lab.trading.training import GROUPS
from mycelial.lab.trading.tuning import baselines

COLUMNS = (
    ("iqm", "profit"), ("cvar_5", "CVaR 5 %"), ("drawdown", "drawdown"), ("inventory", "inventory"),
    ("markout_bps", "markout bp"), ("maker_share", "maker share"), ("fills", "fills"),
    ("orders_to_trades", "orders/trade"), ("counter_use", "counter"),
)  # fmt: skip


def kept(path: Path, make: Callable[[], Outcome]) -> Outcome:
    """Return an outcome from the folder of this program, or make and keep it."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(make()))
    found: Outcome = pickle.loads(path.read_bytes())
    return found


def main() -> None:
    """Judge and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--teams", type=Path)
    options.add_argument("--out", type=Path, default=Path("runs/judged"))
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--worlds", type=int, default=16)
    options.add_argument("--wide", action="store_true")
    options.add_argument("--baselines-only", action="store_true")
    options.add_argument("--groups", type=int, nargs="*", default=list(range(len(GROUPS))))
    asked = options.parse_args()
    for group in [GROUPS[n] for n in asked.groups]:
        config = at_tier(TradingConfig(regime=regime(group.regime)), group.volumes_usd[0])
        tried = replace(config, wide=asked.wide)
        place = asked.out / f"{group.name}{'-wide' if asked.wide else ''}-{asked.seeds}x{asked.worlds}"
        tuned = asked.out / f"{group.name}-baselines.pickle"
        if not tuned.is_file():
            tuned.parent.mkdir(parents=True, exist_ok=True)
            tuned.write_bytes(pickle.dumps(baselines(config)))
        others = [
            kept(
                place / f"{one.name.replace(' ', '-')}.pickle",
                lambda one=one, tried=tried: play(tried, one, range(asked.seeds), asked.worlds),
            )
            for one in pickle.loads(tuned.read_bytes())
        ]
        if asked.baselines_only:
            continue
        team = load_team(asked.teams, group.name)
        ours = play(tried, Trained(team), range(asked.seeds), asked.worlds)
        result = compare(ours, others)
        print(
            f"\n### {group.name}{', worlds outside of the range of training' if asked.wide else ''}\n\n"
            f"Edge over nothing: {has_edge(ours).is_gain}; beats every baseline: {result.beats_all}; "
            f"deflated Sharpe {result.deflated:.3f} ({result.trials} configuration).\n"
        )
        print("| policy | " + " | ".join(name for _, name in COLUMNS) + " | swarm better by (95 %) | p, Holm |")
        print("|---|" + "---|" * (len(COLUMNS) + 2))
        for row in result.rows():
            cells = [f"{row[key]:.2f}" if abs(row[key]) < 10 else f"{row[key]:.0f}" for key, _ in COLUMNS]
            cells[0] += f" [{row['ci'][0]:.0f}, {row['ci'][1]:.0f}]"
            gain = ""
            if "difference" in row:
                low, high = row["difference_ci"]
                gain = f"{row['difference']:+.1f} [{low:.1f}, {high:.1f}] | {row['p_holm']:.4f}"
            else:
                gain = " | "
            print(f"| {row['policy']} | " + " | ".join(cells) + f" | {gain} |", flush=True)


if __name__ == "__main__":
    main()
