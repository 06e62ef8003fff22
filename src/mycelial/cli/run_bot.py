"""`mycelial exchange run-bot`: point somebody's bot at a running exchange and start it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from mycelial.cli.output import note

BOTS = ("freqtrade",)


def run_bot(
    bot: Annotated[str, typer.Argument(help="freqtrade")],
    at: Annotated[Path, typer.Option(help="What `mycelial exchange serve --json` printed.")] = Path("exchange.json"),
    folder: Annotated[Path, typer.Option(help="User folder of the bot; created when absent.")] = Path("user_data"),
    strategy: Annotated[
        str | None, typer.Option(help="A strategy in that folder; a sample that trades every minute when left out.")
    ] = None,
    pair: Annotated[list[str] | None, typer.Option(help="Market to trade; repeat for more.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Send orders to the simulated exchange; the bot's own dry-run otherwise.")
    ] = False,
    freqtrade: Annotated[str, typer.Option(help="The program, when it is not on the PATH.")] = "freqtrade",
    config: Annotated[
        list[Path] | None, typer.Option(help="Further configurations of the bot, laid over ours.")
    ] = None,
    only_write: Annotated[bool, typer.Option("--only-write", help="Write the configuration and stop.")] = False,
) -> None:
    """Write a bot's configuration for the local exchange and run the bot, unmodified. Ctrl-C stops it."""
    from mycelial.adapters.bots.addresses import read_addresses
    from mycelial.adapters.bots.freqtrade import set_up_freqtrade

    if bot not in BOTS:
        raise typer.BadParameter(f"no set-up for {bot!r}; choose from {', '.join(BOTS)}, or see docs/how_to")
    setup = set_up_freqtrade(
        read_addresses(at),
        folder,
        program=freqtrade,
        pairs=tuple(pair or ["BTC/USD"]),
        strategy=strategy,
        live=live,
        overlays=tuple(config or ()),
    )
    note(f"{setup.config}: written; {'orders go to the simulated exchange' if live else 'dry-run: no order is sent'}")
    note(f"run: {' '.join(setup.command)}")
    if not only_write:
        sys.exit(_run(setup.command))


def _run(command: tuple[str, ...]) -> int:
    """Run a program until it ends; Ctrl-C is its own to handle, so wait for it."""
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue
