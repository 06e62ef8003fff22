"""An exchange of our own on loopback, and the bots' environment, for the tests of this folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mycelial.adapters.data.atomic import locked
from support.bots import seen_by, serving_exchange

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


CLIENTS = ("ccxt_rest", "ccxt_pro", "kraken_sdk")


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[], Any]], Any]:
    """Return a function that does named work in one of the test processes only and gives its result to all."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def do(name: str, work: Callable[[], Any]) -> Any:
        kept = shared / f"{name}.json"
        with locked(shared / name):
            if not kept.is_file():
                kept.write_text(json.dumps(work()))
        return json.loads(kept.read_text())

    return do


@pytest.fixture(scope="session")
def visits(request: pytest.FixtureRequest, once: Callable[..., Any]) -> dict[str, dict[str, Any]]:
    """Return what each client saw; they visit at the same time."""
    bots = request.getfixturevalue("bots")

    def visit() -> dict[str, dict[str, Any]]:
        exchange = request.getfixturevalue("exchange")
        with ThreadPoolExecutor() as pool:
            return dict(
                zip(CLIENTS, pool.map(lambda name: seen_by(bots, f"{name}.py", exchange), CLIENTS), strict=True)
            )

    seen: dict[str, dict[str, Any]] = once("visits", visit)
    return seen
