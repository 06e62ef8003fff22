"""Setting bots up: where the exchange is, which key a bot gets, and what its configuration says."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from mycelial.adapters.bots.addresses import read_addresses
from mycelial.adapters.bots.freqtrade import SAMPLE, set_up_freqtrade
from mycelial.cli import main as command_line
from mycelial.domain.errors import ConfigError, NotFound

READY = {
    "rest": "http://127.0.0.1:1",
    "ws": "ws://127.0.0.1:2",
    "ws_auth": "ws://127.0.0.1:3/v2",
    "keys": [
        {"key": f"key-{n}", "secret": f"secret-{n}", "tier": tier, "permissions": permissions}
        for n, (tier, permissions) in enumerate(
            [
                ("pro", ["modify-orders", "query-funds"]),
                ("pro", ["query-funds"]),
                ("starter", ["modify-orders"]),
                ("pro", ["modify-orders"]),
            ]
        )
    ],
}


@pytest.fixture
def ready(tmp_path) -> Path:
    path = tmp_path / "exchange.json"
    path.write_text(json.dumps(READY) + "\nmore\n")
    return path


@pytest.fixture
def freqtrade(tmp_path) -> Path:
    program = tmp_path / "freqtrade"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_a_bot_gets_a_key_that_may_trade_and_never_shows_the_secret(ready):
    exchange = read_addresses(ready)

    assert [exchange.trading_key(nth).key for nth in (0, 1)] == ["key-0", "key-3"]
    assert exchange.trading_key(0, "starter").key == "key-2"
    assert "secret" not in repr(exchange)
    with pytest.raises(NotFound, match=r"2 trading key\(s\) of tier pro, no number 3"):
        exchange.trading_key(2)


def test_addresses_keep_the_path_that_ccxt_looks_for(ready):
    urls = read_addresses(ready).ccxt_urls()["api"]

    assert urls["private"] == "http://127.0.0.1:1"
    assert (urls["ws"]["publicV2"], urls["ws"]["privateV2"]) == ("ws://127.0.0.1:2/v2", "ws://127.0.0.1:3/v2")
    assert urls["ws"]["private"] == "ws://127.0.0.1:3"


@pytest.mark.parametrize("text", ["", "opening …\n", '{"rest": "x"}\n', '{"rest":1,"ws":2,"ws_auth":3,"keys":[{}]}\n'])
def test_what_the_exchange_did_not_print_is_refused(tmp_path, text):
    path = tmp_path / "exchange.json"
    path.write_text(text)

    with pytest.raises(ConfigError, match="is not what the exchange prints"):
        read_addresses(path)
    with pytest.raises(NotFound, match="mycelial exchange serve --json > "):
        read_addresses(tmp_path / "absent.json")


def test_a_dry_run_knows_no_key_and_a_live_run_does(ready, freqtrade, tmp_path):
    exchange = read_addresses(ready)
    options = {"program": str(freqtrade), "pairs": ("BTC/USD", "ETH/USD"), "nth_key": 1}

    dry = set_up_freqtrade(exchange, tmp_path / "dry", strategy=None, live=False, **options)
    live = set_up_freqtrade(exchange, tmp_path / "live", strategy="Mine", live=True, **options)

    written = json.loads(dry.config.read_text())
    assert (written["dry_run"], written["exchange"]["key"], written["max_open_trades"]) == (True, "", 2)
    assert (tmp_path / "dry" / "strategies" / f"{SAMPLE}.py").is_file()
    written = json.loads(live.config.read_text())
    assert (written["dry_run"], written["exchange"]["key"], written["stake_currency"]) == (False, "key-3", "USD")
    assert not (tmp_path / "live" / "strategies").exists()
    assert live.command[live.command.index("--strategy") + 1] == "Mine"
    assert live.command[-1] == f"sqlite:///{tmp_path / 'live' / 'live.sqlite'}"


def test_the_command_writes_and_says_what_it_would_run(ready, freqtrade, tmp_path, monkeypatch, capsys):
    arguments = ["exchange", "run-bot", "freqtrade", "--at", ready, "--folder", tmp_path / "bot", "--only-write"]
    monkeypatch.setattr(sys, "argv", ["mycelial", *map(str, arguments), "--freqtrade", str(freqtrade)])

    with pytest.raises(SystemExit, match="0"):
        command_line.main()

    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert "dry-run: no order is sent" in stderr
    assert f"{freqtrade} trade --config {tmp_path / 'bot' / 'config.json'}" in stderr


def test_a_missing_freqtrade_is_one_error(ready, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.fspath(tmp_path / "nowhere"))

    with pytest.raises(NotFound, match="pip install freqtrade"):
        set_up_freqtrade(
            read_addresses(ready), tmp_path, program="freqtrade", pairs=("BTC/USD",), strategy=None, live=False
        )
