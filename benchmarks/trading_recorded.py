"""What do the shipped teams earn at recorded books? Own orders queue behind what was shown; nobody reacts to them.

python -m benchmarks.trading_recorded DATA [--teams DIR]

DATA is the folder of the recordings (`mycelial data record` makes your own). Most recorded pairs are far more liquid
than any market the teams were trained in; fees are Kraken's at the largest and at no volume.
"""

from __future__ import annotations

import argparse
from decimal import Decimal
from pathlib import Path

import numpy as np

from mycelial.adapters.data.feeds import read_binance_feed, read_kraken_v1
from mycelial.domain.recording import MarketRecording
from mycelial.lab.trading.folder import load_team
from mycelial.lab.trading.recorded import Decide, Terms, play_recorded
from mycelial.lab.trading.training import GROUPS

BINANCE = ("binance_spot_l2_btcusdt_20240808", "binance_spot_l2_ethusdt_20240808", "binance_usdm_l2_btcusdt_20240808")
PAIRS = ("SC/EUR", "OMG/USD", "XMR/USD")
HALF_SPREADS = {"middle": 8.0, "thin": 32.0}  # basis points: the unit each team quotes in
QUOTE = 6  # a quote pair at 0.7 half spreads, without skew


def recordings(folder: Path) -> dict[str, MarketRecording]:
    """Return the recorded markets by name."""
    found = {name: read_binance_feed(folder / f"{name}.feed.gz") for name in BINANCE}
    kraken = read_kraken_v1(
        folder / "kraken_v1_book1000_10pairs_20210417.jsonl.gz",
        trades=folder / "kraken_v1_trade_10pairs_20210417.jsonl.gz",
    )
    return found | {f"kraken {pair}": kraken[pair] for pair in PAIRS}


def fixed(action: int) -> Decide:
    """Return a policy that always does the same."""
    return lambda obs, mask: np.full(obs.shape[:2], action, np.int32)


def main() -> None:
    """Print one line for each market, fee and policy."""
    options = argparse.ArgumentParser()
    options.add_argument("data", type=Path)
    options.add_argument("--teams", type=Path)
    asked = options.parse_args()
    print(f"{'market':34s} {'fee':>6s} {'policy':22s} {'steps':>5s} {'profit':>9s} {'fees':>8s} fills messages")
    for name, recording in recordings(asked.data).items():
        for volume in (10_000_000, 0):
            fee = "0.00 %" if volume else "0.25 %"
            for group in GROUPS:
                unit = HALF_SPREADS[group.regime]
                team = load_team(asked.teams, group.name)
                for label, decide in ((group.name, team.act), (f"fixed, {unit:g} bp", fixed(QUOTE))):
                    if label.startswith("fixed") and group is GROUPS[1]:
                        continue
                    found = play_recorded(recording, decide, Terms(unit, volume_usd=volume))
                    money = Decimal(found["profit_quote"]).quantize(Decimal("0.01"))
                    print(
                        f"{name:34s} {fee:>6s} {label:22s} {found['steps']:5d} {money:9} {found['fees_quote']:8.2f} "
                        f"{found['fills']:5d} {found['messages']:6d}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
