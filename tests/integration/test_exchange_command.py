"""`mycelial exchange serve` as a person runs it: one line when ready, an orderly end, logs that replay."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mycelial.cli.main import app
from mycelial.compose import replay_market
from mycelial.domain.errors import NotFound

COMMAND = [sys.executable, "-m", "mycelial.cli.main", "exchange", "serve"]


def test_the_exchange_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    options = ["--pair", "BTC/USD", "--seed", "7", "--scenario", "X01:sweep", "--record", str(logs), "--speed", "5"]
    with subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=os.environ
    ) as served:
        assert served.stdout is not None
        ready = json.loads(served.stdout.readline())
        with urllib.request.urlopen(f"{ready['rest']}/0/public/Time", timeout=10) as answer:
            assert json.load(answer)["error"] == []
        served.send_signal(signal.SIGINT)
        rest, notes = served.communicate(timeout=60)

    assert served.returncode == 0, notes
    assert rest == ""
    assert [ready[name].partition("://")[0] for name in ("rest", "ws", "ws_auth")] == ["http", "ws", "ws"]
    assert all("127.0.0.1" in ready[name] and not ready[name].endswith("/") for name in ("rest", "ws", "ws_auth"))
    tiers = [key["tier"] for key in ready["keys"]]
    assert tiers.count("pro") >= 3
    assert {"starter", "intermediate"} <= set(tiers)
    assert "next: mycelial sim replay" in notes
    again = replay_market(logs / "BTC-USD")
    assert again.inputs > 100
    assert again.difference is None


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--pair", "NOPE/USD"], "NOPE/USD"), (["--scenario", "X99"], "X01"), (["--scenario", "X01:mild"], "sweep")],
)
def test_a_wrong_wish_is_refused_before_anything_opens(options: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["exchange", "serve", *options])

    assert isinstance(done.exception, NotFound)
    assert words in str(done.exception)
    assert done.stdout == ""
