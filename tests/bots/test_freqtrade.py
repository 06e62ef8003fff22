"""Freqtrade, as its users install it, trades at our exchange: dry-run, and simulated live with real orders."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.bots import fine, seen_by
from support.guides import blocks_of

TRADED_WITHIN_S = 120


def orders_in(database: Path) -> list[dict[str, Any]]:
    """Return Freqtrade's record of its orders."""
    if not database.is_file():
        return []
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        connection.row_factory = sqlite3.Row
        try:
            rows = connection.execute(
                "select o.order_id, o.ft_order_side side, o.status, o.filled, o.average, t.is_open trade_is_open,"
                " t.exit_reason from orders o join trades t on t.id = o.ft_trade_id order by o.id"
            ).fetchall()
        except sqlite3.OperationalError:  # not created yet
            return []
    return [dict(row) for row in rows]


def traded(command: list[str], folder: Path, bots: Path, database: str) -> tuple[list[dict[str, Any]], str]:
    """Run a bot until it bought and sold, stop it as a user would, and return its orders and its log."""
    path = os.pathsep.join([str(Path(sys.executable).parent), str(bots.parent), os.environ["PATH"]])
    log = (folder / "log.txt").open("w")
    with (
        log,
        subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PATH": path}, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        deadline = time.monotonic() + TRADED_WITHIN_S
        while time.monotonic() < deadline and process.poll() is None:
            if any(order["side"] == "sell" and order["status"] == "closed" for order in orders_in(folder / database)):
                break
            time.sleep(0.25)
        said = (folder / "log.txt").read_text()  # before it is interrupted in whatever it does
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    return orders_in(folder / database), said


def command_of(n: int) -> list[str]:
    """Return the n-th command of the guide."""
    return blocks_of("freqtrade.md", "bash")[n].split()


@pytest.fixture(scope="module")
def runs(request, once, tmp_path_factory) -> dict[str, Any]:
    """Run the two commands of the guide at the same time, each in a folder of its own; then ask the exchange."""
    bots = request.getfixturevalue("bots")
    overlay = {
        "order_types": {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": True},
        "exchange": {"ccxt_config": {"rateLimit": 200}, "ccxt_async_config": {"rateLimit": 200}},
    }

    def run_both() -> dict[str, Any]:
        exchange = request.getfixturevalue("exchange")

        def run(name: str, command: list[str]) -> tuple[list[dict[str, Any]], str]:
            folder = tmp_path_factory.mktemp(name)
            (folder / "exchange.json").write_text(json.dumps(exchange) + "\n")
            (folder / "overlay.json").write_text(json.dumps(overlay))
            return traded([*command, "--config", "overlay.json"], folder, bots, f"my-bot/{name}.sqlite")

        with ThreadPoolExecutor() as pool:
            dry, live = pool.submit(run, "dry-run", command_of(1)), pool.submit(run, "live", command_of(2))
            found = {"dry-run": dry.result(), "live": live.result()}
        return {**found, "history": seen_by(bots, "own_history.py", exchange)}

    return once("freqtrade", run_both)


def test_the_dry_run_of_the_guide_buys_and_sells(runs):
    orders, log = runs["dry-run"]

    first = [order for order in orders if order["order_id"].startswith("dry_run") and order["side"] != "stoploss"][:2]
    assert [order["side"] for order in first] == ["buy", "sell"], log[-4000:]
    assert all(order["status"] == "closed" and order["filled"] > 0 for order in first)
    assert "held long enough" in log
    assert "Traceback" not in log


def test_the_live_run_of_the_guide_agrees_with_the_exchange(runs):
    orders, log = runs["live"]

    done = [order for order in orders if order["status"] == "closed" and order["side"] in ("buy", "sell")]
    assert [order["side"] for order in done[:2]] == ["buy", "sell"], log[-4000:]
    assert any(order["side"] == "stoploss" for order in orders)
    history = runs["history"]
    fine(history, "trades", "open")
    for order in done[:2]:
        fills = [trade for trade in history["trades"] if trade["order"] == order["order_id"]]
        assert sum(fill["amount"] for fill in fills) == pytest.approx(order["filled"])
        worth = sum(fill["cost"] for fill in fills)
        assert worth / order["filled"] == pytest.approx(order["average"], rel=1e-6)
        assert {fill["side"] for fill in fills} == {order["side"]}
    assert "Traceback" not in log
