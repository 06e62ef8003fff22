"""`mycelial sim run --market intraday` as a shell sees it: a document, a folder that replays, words for mistakes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mycelial.cli import main as command_line

SMALL = ("sim", "run", "--market", "intraday", "--preset", "default", "--agents", 150, "--seconds", 90, "--quiet")


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


def test_a_market_under_two_scenarios_is_recorded_and_replays_to_its_fingerprint(mycelial, tmp_path: Path):
    out = tmp_path / "crash"
    scenarios = ("--scenario", "X01:sweep", "--scenario", "X09:tenfold@10")

    code, stdout, stderr = mycelial(*SMALL, *scenarios, "--against-calm", "--seed", 3, "--out", out, "--json")

    document = json.loads(stdout)
    assert code == 0, stderr
    assert document["scenario"] == "X01-sweep+X09-tenfold"
    assert [one["kind"] for one in document["happened"]] == ["sweep", "latency_storm"]
    assert document["stability"]["rv_1s"] > 0
    assert document["calm"]["fingerprint"] != document["fingerprint"]
    assert "conserved to the last unit" in stderr
    assert pq.read_table(out / "samples.parquet").num_rows == 91
    code, replayed, _ = mycelial("sim", "replay", out)
    assert code == 0
    assert replayed.strip() == document["fingerprint"]
    code, shown, _ = mycelial("sim", "show", out)
    assert code == 0
    assert document["fingerprint"] in shown
    assert "sweep" in shown
    code, again, _ = mycelial(*SMALL, *scenarios, "--seed", 3, "--out", tmp_path / "again", "--json")
    assert json.loads(again)["fingerprint"] == document["fingerprint"]
    code, listed, _ = mycelial("runs", "list", tmp_path, "--json")
    assert [one["scenario"] for one in json.loads(listed)["runs"]] == ["X01-sweep+X09-tenfold"] * 2


def test_a_depeg_needs_a_pair_with_the_asset(mycelial, tmp_path: Path):
    run = ("--scenario", "X07:run", "--seed", 3, "--json")

    _, dollar, _ = mycelial(*SMALL, *run, "--out", tmp_path / "usd")
    _, tether, _ = mycelial(*SMALL, *run, "--pair", "BTC/USDT", "--out", tmp_path / "usdt")

    assert json.loads(dollar)["left_out"] == ["depeg on USDT"]
    assert json.loads(tether)["left_out"] == []


def test_a_scenario_of_ones_own(mycelial, tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text(
        'id = "M1"\ntitle = "t"\nanchor = "a"\nsource = "s"\n[levels]\n'
        'hard = [{ kind = "sweep", start_s = 5, size = 9 }]\n'
    )

    code, stdout, stderr = mycelial(*SMALL, "--scenario", f"{file}:hard", "--out", tmp_path / "run", "--json")

    assert code == 0, stderr
    assert json.loads(stdout)["happened"][0]["kind"] == "sweep"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--scenario", "X99"), 3, "choose one of: X01"),
        (("--scenario", "X01:swee"), 3, "did you mean sweep"),
        (("--scenario", "X01@soon"), 4, "write it like @120"),
        (("--scenario", "gone.toml"), 3, "does not exist"),
        (("--market", "weekly"), 2, "daily or intraday"),
        (("--agents", "10"), 2, "needs --market intraday"),
        (("--market", "intraday", "--runs", "2"), 2, "daily markets"),
        (("--market", "intraday", "--preset", "kraken-btcusc"), 3, "did you mean"),
    ],
)
def test_mistakes_are_named(mycelial, tmp_path: Path, options: tuple[str, ...], code: int, message: str):
    got, _, stderr = mycelial("sim", "run", *options, "--out", tmp_path / "none")

    assert got == code
    assert message in " ".join(stderr.replace("│", " ").split())
    assert not (tmp_path / "none").exists()
