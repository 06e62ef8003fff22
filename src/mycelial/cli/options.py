"""Options that several commands share, and the configuration they add up to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mycelial.config import Loaded

ConfigFiles = Annotated[
    list[Path] | None, typer.Option("--config", "-c", help="TOML overlay; repeat for more, later ones win.")
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set one key, e.g. population.symba.agents=500.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Root seed.")]


def load_config(
    files: Sequence[Path] | None, settings: Sequence[str] | None, options: Mapping[str, tuple[str, Any]] | None = None
) -> Loaded:
    """Load the configuration of this folder, environment and command line; options that are None were not given."""
    from mycelial.config import load
    from mycelial.config.loading import PROJECT_FILE

    given = {key: (option, value) for key, (option, value) in (options or {}).items() if value is not None}
    return load(
        tuple(files or ()), project=Path(PROJECT_FILE), environment=os.environ, settings=settings or (), options=given
    )
