"""Commands of `mycelial facts`."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="What a realistic market looks like: compute and compare.")
