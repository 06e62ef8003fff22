"""Commands of `mycelial data`."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Candle files: import, verify, download.")
