"""The guides say what works: their own code, run by the reader's own client."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from support.bots import CLIENT_S
from support.guides import blocks_of


@pytest.mark.parametrize(
    ("guide", "said"),
    [
        ("ccxt.md", ["bid ", "resting ['O", "bought 0.01 at ", "book [", "sold 0.01"]),
        (
            "python-kraken-sdk.md",
            ["buy 0.01000000 XBTUSD @ limit", "open ['O", "ticker [", "executions [", "valid True"],
        ),
    ],
)
def test_the_code_of_a_guide_runs(bots, exchange, tmp_path, guide, said):
    (tmp_path / "exchange.json").write_text(json.dumps(exchange) + "\n")
    script = "\n".join(blocks_of(guide, "python"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    run = subprocess.run(
        [str(bots), "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=CLIENT_S
    )

    assert run.returncode == 0, run.stderr[-3000:]
    for words in said:
        assert words in run.stdout, run.stdout


def test_every_guide_starts_the_exchange_the_same_way():
    for guide in ("ccxt.md", "python-kraken-sdk.md", "freqtrade.md", "hummingbot.md", "nautilus-trader.md"):
        assert "mycelial exchange serve --json > exchange.json" in "".join(blocks_of(guide, "bash"))
