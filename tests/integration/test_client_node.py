"""A trader as a process: killed in the middle, started again, stopped; and the gate that keeps it on this machine."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.exchange_ports import kraken_client
from tests.support.served import Served, command_environment, served

from mycelial.domain.ports import AccountState


def trade(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of `mycelial trade` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "mycelial.cli.main", "trade", *arguments],
        cwd=cwd,
        env=command_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def start_node(cwd: Path) -> subprocess.Popen[bytes]:
    """Start a trader in the background."""
    return subprocess.Popen(
        [sys.executable, "-m", "mycelial.cli.main", "trade", "run", "--mode", "sim", "--ready", "ready.json"],
        cwd=cwd,
        env=command_environment(),
        stdout=subprocess.DEVNULL,
        stderr=(cwd / "node.log").open("ab"),
    )


def wait_for_status(
    cwd: Path, is_so: Callable[[dict[str, Any]], bool], node: subprocess.Popen[bytes]
) -> dict[str, Any]:
    """Return the node's report once it says so."""
    until, path = time.monotonic() + 180, cwd / "state" / "sim" / "status.json"
    while time.monotonic() < until:
        assert node.poll() is None, (cwd / "node.log").read_text()
        if path.is_file():
            status: dict[str, Any] = json.loads(path.read_text())
            if status["pid"] == node.pid and is_so(status):
                return status
        time.sleep(0.05)
    raise AssertionError(f"{path.read_text() if path.is_file() else 'no status'}\n{(cwd / 'node.log').read_text()}")


def account_of(server: Served) -> AccountState:
    """Ask the exchange itself, with a client that arms no timer."""

    async def ask() -> AccountState:
        client = kraken_client(server, dead_man_ns=0)
        await client.start()
        try:
            return await client.account()
        finally:
            await client.stop()

    return asyncio.run(ask())


def quotes(status: dict[str, Any]) -> bool:
    return any(order["status"] == "open" for order in status["orders"])


def test_a_trader_that_is_killed_takes_up_its_orders_and_books_again(tmp_path: Path) -> None:
    with served() as server:
        (tmp_path / "ready.json").write_text(json.dumps(server.ready))
        first = start_node(tmp_path)
        before = wait_for_status(tmp_path, quotes, first)
        refused = trade("run", "--ready", "ready.json", cwd=tmp_path)
        first.send_signal(signal.SIGKILL)
        first.wait(10)

        left_behind = {order.order_id for order in account_of(server).open_orders}
        second = start_node(tmp_path)
        after = wait_for_status(tmp_path, quotes, second)
        stopped = trade("stop", cwd=tmp_path)
        second.wait(10)
        compared = trade("reconcile", "--ready", "ready.json", "--json", cwd=tmp_path)
        shown = trade("orders", "--json", cwd=tmp_path)

        assert refused.returncode == 1
        assert "trades here" in refused.stderr
        assert {order["order_id"] for order in before["orders"]} <= left_behind
        # The orders of the former run were taken up, not doubled: each either rests on, or has ended since.
        assert after["reconciled"]["checks"] >= 2
        assert after["reconciled"]["differences"] == []
        assert stopped.returncode == 0, stopped.stderr
        assert second.returncode == 0, (tmp_path / "node.log").read_text()
        assert account_of(server).open_orders == []
        assert compared.returncode == 0, compared.stderr
        assert json.loads(compared.stdout) == {"equal": True, "differences": []}
        orders = json.loads(shown.stdout)["orders"]
        assert not [order for order in orders if order["status"] in ("open", "unknown", "sending")]
        assert left_behind <= {order["order_id"] for order in orders}


@pytest.mark.parametrize(
    ("mode", "missing"), [("dry-run", ["C-DRY"]), ("live", ["C-DRY", "C-PILOT", "C-LIVE", "two persons", "drills"])]
)
@pytest.mark.parametrize("command", ["run", "preflight"])
def test_the_gate_names_the_certificate_that_is_missing(
    tmp_path: Path, mode: str, missing: list[str], command: str
) -> None:
    refused = trade(command, "--mode", mode, cwd=tmp_path)

    assert refused.returncode == 6
    assert refused.stdout == ""
    assert all(name in refused.stderr for name in missing)
    assert not (tmp_path / "state").exists()


def test_sim_does_not_leave_this_machine(tmp_path: Path) -> None:
    ready = {"rest": "https://api.kraken.com", "ws": "wss://ws.kraken.com", "ws_auth": "wss://ws-auth.kraken.com"}
    key = {"name": "pro-1", "key": "k", "secret": "c2VjcmV0"}
    (tmp_path / "ready.json").write_text(json.dumps({**ready, "keys": [key]}))

    refused = trade("run", "--mode", "sim", "--ready", "ready.json", cwd=tmp_path)

    assert refused.returncode == 6
    assert "on this machine only" in refused.stderr


def test_what_is_not_there_is_one_clear_line_and_an_exit_code(tmp_path: Path) -> None:
    for command, code, words in (
        (("status",), 3, "trade run --mode sim"),
        (("stop",), 3, "nothing to stop"),
        (("orders",), 3, "no ledger"),
        (("run", "--ready", "nothing.json"), 3, "exchange serve"),
        (("run", "--set", 'exchange.pairs=["ETH/USD"]', "--ready", "nothing.json"), 3, "exchange serve"),
    ):
        answered = trade(*command, cwd=tmp_path)
        assert answered.returncode == code, answered.stderr
        assert words in answered.stderr
        assert "Traceback" not in answered.stderr
