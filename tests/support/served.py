"""`mycelial exchange serve` as a process of its own, with its admin endpoint and an end by its process id."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[2] / "src"
PATIENCE_S = 240.0  # a cold machine compiles first


@dataclass
class Served:
    """A running server and what it said when it was ready."""

    process: subprocess.Popen[bytes]
    ready: dict[str, Any]

    def key(self, name: str) -> tuple[str, str]:
        """Return key and secret of one of its accounts."""
        found = next(one for one in self.ready["keys"] if one["name"] == name)
        return found["key"], found["secret"]

    def port(self, name: str) -> int:
        """Return the port of ``rest``, ``ws``, ``ws_auth`` or ``admin``."""
        return int(self.ready[name].rpartition(":")[2])

    def admin(self, what: str, **wishes: Any) -> dict[str, Any]:
        """Bend the exchange; return its state."""
        request = urllib.request.Request(
            f"{self.ready['admin']}/{what}", json.dumps(wishes).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            state: dict[str, Any] = json.load(answer)
        return state

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


def command_environment() -> dict[str, str]:
    """Return the environment in which the command line of this checkout runs."""
    return {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1"}


@contextmanager
def served(pairs: Sequence[str] = ("BTC/USD",), *options: str, seed: int = 5) -> Iterator[Served]:
    """Run a server on free ports of the loopback while the block runs."""
    named = [part for pair in pairs for part in ("--pair", pair)]
    command = [sys.executable, "-m", "mycelial.cli.main", "exchange", "serve", "--json", "--port", "0"]
    process = subprocess.Popen(
        [*command, *named, "--seed", str(seed), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=command_environment(),
    )
    try:
        yield Served(process, _ready(process))
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _ready(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout is not None
    assert process.stderr is not None
    until = time.monotonic() + PATIENCE_S
    line = b""
    while not line.endswith(b"\n"):
        readable, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
        part = os.read(process.stdout.fileno(), 65_536) if readable else b""
        if not part:
            raise AssertionError(f"the server did not come up: {process.stderr.read(2_000)!r}")
        line += part
    document: dict[str, Any] = json.loads(line)
    return document
