"""An exchange of our own on loopback, and the bots' environment, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.bots import serving_exchange

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def bots() -> Path:
    """Return the Python of the bots' environment; without one these tests skip."""
    python = ROOT / ".venv-bots" / "bin" / "python"
    if not python.is_file():
        pytest.skip("the bots' environment is not built; run: python -m tests.bots.build .venv-bots")
    return python


@pytest.fixture(scope="session")
def exchange(bots: Path) -> Iterator[dict[str, Any]]:
    """Serve an exchange and return what it prints when it is ready."""
    with serving_exchange("--seed", "7") as ready:
        yield ready
