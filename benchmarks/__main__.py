"""Run every benchmark; `--quick` measures less, `--only NAME` measures one."""

from __future__ import annotations

import argparse
import importlib

BENCHMARKS = (
    "symba_speed",
    "mesa_market",
    "book_speed",
    "book_latency",
    "book_batches",
    "book_feeds",
    "book_logs",
    "book_sweep",
    "gossip_speed",
    "environment_speed",
    "exchange_load",
    "intraday_speed",
    "intraday_realism",
    "client_budget",
    "exchange_core",
    "learning_speed",
    "recursion",
)

parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
parser.add_argument("--quick", action="store_true", help="smaller and shorter, a few minutes in all")
parser.add_argument("--only", choices=BENCHMARKS, action="append", help="this one; repeat for more")
chosen = parser.parse_args()
for name in chosen.only or BENCHMARKS:
    importlib.import_module(f"benchmarks.{name}").main(quick=chosen.quick)
