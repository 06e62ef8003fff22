"""Run every benchmark; `--quick` measures a smaller market in about half a minute."""

from __future__ import annotations

import argparse

from benchmarks import symba_speed

parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
parser.add_argument("--quick", action="store_true", help="smaller and shorter worlds, about 30 s once compiled")
symba_speed.main(quick=parser.parse_args().quick)
