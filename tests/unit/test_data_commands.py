"""The `data` commands as a shell sees them: exit codes, one JSON document on stdout, all else on stderr."""

from __future__ import annotations

import json
import sys

import pytest

from mycelial.cli import main as command_line
from support.candle_data import candles_of, csv_of


@pytest.fixture
def mycelial(monkeypatch, capsys):
    """Run a command line and return its exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mycelial", *map(str, arguments)])
        try:
            command_line.main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def candle_file(tmp_path):
    file = tmp_path / "in.csv"
    file.write_text(csv_of(candles_of([1.0, 2.0, 3.0])))
    return file


def test_import_list_and_verify_print_one_document_each(mycelial, candle_file, tmp_path):
    out = tmp_path / "data"

    code, stdout, stderr = mycelial("data", "import", candle_file, "--out", out, "--venue", "binance", "--json")
    assert code == 0
    assert json.loads(stdout)["files"][0] | {"file": ""} == {
        "file": "",
        "interval": "1d",
        "rows": 3,
        "added": 3,
        "symbols": ["BTCUSDT"],
        "conflicts": [],
    }
    assert stderr.splitlines()[-1] == f"next: mycelial data verify {out}"

    code, stdout, _ = mycelial("data", "list", out, "--json")
    assert (code, json.loads(stdout)["files"][0]["rows"]) == (0, 3)

    code, stdout, stderr = mycelial("data", "verify", out, "--json")
    assert (code, json.loads(stdout)["ok"]) == (0, True)
    assert stderr.splitlines()[-1].startswith("next: mycelial facts compute")


def test_without_json_nothing_is_on_stdout(mycelial, candle_file, tmp_path):
    out = tmp_path / "data"

    for arguments in (["import", candle_file, "--out", out], ["list", out], ["verify", out]):
        code, stdout, stderr = mycelial("data", *arguments)
        assert (code, stdout) == (0, "")
        assert "next: mycelial" in stderr.splitlines()[-1]


def test_a_wrong_candle_fails_verification_with_seven_and_its_place(mycelial, tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text(csv_of(candles_of([1.0, 2.0, 3.0])).replace(",2.0,", ",-2.0,"))

    code, stdout, stderr = mycelial("data", "verify", file, "--json")

    assert code == 7
    (finding,) = json.loads(stdout)["findings"]
    assert (finding["check"], finding["row"], finding["time"]) == ("price", 2, "2019-01-02")
    assert "error: " in stderr


def test_a_warning_fails_only_when_strict(mycelial, tmp_path):
    file = tmp_path / "moved.csv"
    file.write_text(csv_of(candles_of([1.0, 9.0])))

    assert mycelial("data", "verify", file)[0] == 0
    assert mycelial("data", "verify", file, "--strict")[0] == 7
    assert mycelial("data", "verify", file, "--strict", "--max-move", "3")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["list", "nowhere"], 3, "holds no catalogue.json"),
        (["verify", "nowhere.csv"], 3, "no such file"),
        (["import", "nowhere.csv"], 3, "no such file"),
        (["download", "binanse", "BTC/USDT", "--since", "2020-01-01"], 3, "did you mean binance"),
        (["download", "binance", "BTC/USDT", "--since", "yesterday"], 2, "write it like 2018-09-01"),
        (["download", "binance", "B/C", "--since", "2020-01-02", "--until", "2020-01-01"], 2, "is before --since"),
        (["download", "binance", "B/C", "--since", "2020-01-02", "--interval", "7m"], 1, "choose --interval"),
    ],
)
def test_a_mistake_ends_with_its_exit_code_and_the_fix(mycelial, monkeypatch, tmp_path, arguments, code, message):
    monkeypatch.chdir(tmp_path)

    ended, stdout, stderr = mycelial("data", *arguments)

    assert (ended, stdout) == (code, "")
    assert message in " ".join(stderr.replace("│", " ").split())


def test_a_conflicting_import_says_how_to_decide(mycelial, candle_file, tmp_path):
    out = tmp_path / "data"
    mycelial("data", "import", candle_file, "--out", out)
    candle_file.write_text(csv_of(candles_of([1.0, 2.5, 3.0])))

    code, _, stderr = mycelial("data", "import", candle_file, "--out", out)
    assert code == 1
    assert "--on-conflict keep (stored) or replace (offered)" in stderr

    code, _, stderr = mycelial("data", "import", candle_file, "--out", out, "--on-conflict", "replace")
    assert code == 0
    assert "it was replaced: BTCUSDT 2019-01-02" in stderr
