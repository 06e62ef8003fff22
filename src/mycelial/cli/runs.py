"""Commands of `mycelial runs`: what was run so far."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mycelial.cli import sim
from mycelial.cli.options import Json
from mycelial.cli.output import note, print_json

app = typer.Typer(no_args_is_help=True, help="Runs so far: list, show.")

WIDTH_OF_A_FILE = 160  # characters of a table that no terminal limits


@app.command("list")
def list_(
    root: Annotated[Path, typer.Argument(help="Folder of runs.")] = sim.RUNS,
    json: Json = False,
) -> None:
    """List the complete runs of a folder, oldest first."""
    from mycelial.compose import manifests, market_manifests

    found = sorted([*manifests(root), *market_manifests(root)], key=lambda one: str(one[1]["started"]))
    if json:
        print_json({"root": str(root), "runs": [{"run": str(folder), **one} for folder, one in found]})
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table("run", "preset", "seed", "what", "agents", "time", "started", "fingerprint", box=None)
        for folder, one in found:
            of_market = one.get("market") == "intraday"
            agents = one["agents"] if of_market else one["params"]["agents"]
            what = one["scenario"] if of_market else f"{one['runs']} x {one['assets']} assets"
            time = f"{one['seconds']:,.0f} s" if of_market else f"{one['days']:,} days"
            cells = (str(folder), one["preset"], str(one["seed"]), what, f"{agents:,}", time, one["started"])
            table.add_row(*cells, one["fingerprint"][:12])
        Console(file=sys.stderr, width=None if sys.stderr.isatty() else WIDTH_OF_A_FILE).print(table)
    note(f"next: mycelial runs show {found[-1][0] if found else root / 'RUN'}")


app.command("show")(sim.show)
