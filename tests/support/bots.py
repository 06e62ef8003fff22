"""Run our exchange and other people's clients as processes of their own, and judge what they tell."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).resolve().parents[1] / "bots" / "scripts"
START_S = 300  # compiling every kernel cold, on a busy machine
CLIENT_S = 150


@contextmanager
def serving_exchange(*options: str) -> Iterator[dict[str, Any]]:
    """Run `mycelial exchange serve` while the block runs; give the line it prints when it is ready.

    A traceback on its stderr fails the test when the block ends.
    """
    command = [sys.executable, "-m", "mycelial.cli.main", "exchange", "serve", "--port", "0", "--json", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        lines: queue.Queue[str] = queue.Queue()
        said: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        readers = [
            threading.Thread(target=lambda: [lines.put(line) for line in process.stdout or ()], daemon=True),
            threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            yield json.loads(_first(lines, process, said))
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
    assert "Traceback" not in "".join(said), "".join(said)[-4000:]


def _first(lines: queue.Queue[str], process: subprocess.Popen[str], said: list[str]) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            return lines.get(timeout=0.2)
        except queue.Empty:
            if process.poll() is not None:
                break
    raise AssertionError(f"the exchange did not start: {''.join(said)[-2000:]}")


def seen_by(bots: Path, script: str, exchange: dict[str, Any]) -> dict[str, Any]:
    """Run a script with a client's own environment and return the facts it tells."""
    run = subprocess.run(
        [str(bots), str(SCRIPTS / script), json.dumps(exchange)],
        capture_output=True,
        text=True,
        timeout=CLIENT_S,
        cwd=SCRIPTS,
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
    )
    assert run.returncode == 0, run.stderr[-4000:]
    facts: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    facts["stderr"] = run.stderr
    return facts


def fine(facts: dict[str, Any], *names: str) -> None:
    """Fail with the client's own words if one of these steps raised."""
    for name in names:
        fact = facts[name]
        assert not (isinstance(fact, dict) and "raised" in fact), f"{name}: {fact}\n{facts['stderr'][-3000:]}"
