"""`mycelial facts` on order books as a shell sees it: recorded runs and feeds, measured, compared, reported."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mycelial.cli import main as command_line

BOOKS = "binance-2024-08-08"


@pytest.fixture
def mycelial(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process; returns its exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mycelial", *map(str, arguments)])
        try:
            command_line.main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def market(mycelial, tmp_path: Path) -> Path:
    """The run of a small market."""
    out = tmp_path / "market"
    code, _, stderr = mycelial(
        "sim", "run", "--market", "intraday", "--preset", "default", "--agents", 200, "--seconds", 120, "--seed", 5,
        "--quiet", "--out", out,
    )  # fmt: skip
    assert code == 0, stderr
    return out


def test_a_recorded_market_is_measured_compared_and_reported(mycelial, market: Path, tmp_path: Path):
    code, stdout, stderr = mycelial("facts", "compute", market, "--json")
    measured = json.loads(stdout)
    assert code == 0, stderr
    assert measured["seconds"] == pytest.approx(120, abs=2)
    assert measured["figures"]["trades_per_second"] > 0

    code, stdout, stderr = mycelial("facts", "compare", market, BOOKS, "--bootstrap", 0, "--json")
    compared = json.loads(stdout)
    assert code == 0, stderr
    assert compared["simulated"]["figures"] == measured["figures"]
    assert compared["inside"] == sum(one["passed"] for one in compared["checks"])
    assert f"{compared['inside']} of {len(compared['checks'])} figures inside" in stderr

    pytest.importorskip("plotly")
    page = tmp_path / "report.html"
    code, _, stderr = mycelial("facts", "report", market, BOOKS, "--bootstrap", 5, "--out", page)
    assert code == 0, stderr
    text = page.read_text(encoding="utf-8")
    assert "Does its order book live like a real one?" in text
    assert f"{compared['inside']} of {len(compared['checks'])} figures lie in the range" in text


def test_a_recorded_feed_lies_inside_the_range_it_is_part_of(mycelial, shared_data: Path):
    feed = shared_data / "binance_spot_l2_btcusdt_20240808.feed.gz"

    code, stdout, stderr = mycelial("facts", "compare", feed, BOOKS, "--bootstrap", 0, "--json")

    assert code == 0, stderr
    assert all(one["passed"] for one in json.loads(stdout)["checks"])


def test_mistakes_are_named(mycelial, market: Path, tmp_path: Path):
    daily = mycelial("facts", "compare", market, "binance-btc-2018-2022")
    gone = mycelial("facts", "compute", tmp_path / "gone.feed.gz")
    (market / "events.log").unlink()
    torn = mycelial("facts", "compute", market)

    assert daily[0] == gone[0] == torn[0] == 3
    assert BOOKS in daily[2]
    assert "gone.feed.gz" in gone[2]
    assert "events.log" in torn[2]
