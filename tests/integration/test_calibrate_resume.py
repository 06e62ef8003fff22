"""A study that was killed, interrupted or given other workers ends with the same journal, byte for byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mycelial
from mycelial.cli import main as command_line
from support.toy_market import AGENTS, DAYS, LEARNING_DAYS, toy_panel, write_panel

TRIALS = 22
BEFORE_THE_KILL = 5  # in the middle of the second batch


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> list[str]:
    """Return the command line of a small study, without --out and --workers."""
    panel = write_panel(tmp_path_factory.mktemp("panel") / "coins.csv", toy_panel(8))
    options = {
        "--panel": panel,
        "--space": "extended",
        "--trials": TRIALS,
        "--batch": 4,
        "--startup": 8,
        "--seed": 3,
        "--assets": 6,
        "--seeds": 2,
        "--agents": AGENTS,
        "--days": DAYS,
        "--learning-days": LEARNING_DAYS,
    }
    return ["calibrate", "run", *(str(part) for pair in options.items() for part in pair)]


@pytest.fixture(scope="module")
def uninterrupted(study, tmp_path_factory) -> Path:
    """Return the folder of the study, run on one worker without interruption."""
    out = tmp_path_factory.mktemp("whole") / "study"
    done = _process([*study, "--out", out, "--workers", 1])
    said = done.communicate()[1]
    assert done.returncode == 0, said
    return out


@pytest.fixture
def cli(monkeypatch, capsys):
    """Run a command line here and return its exit code, stdout and stderr."""

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


def test_a_killed_study_resumes_to_the_journal_of_an_uninterrupted_one(study, uninterrupted, tmp_path, cli):
    out = tmp_path / "study"
    killed = _process([*study, "--out", out, "--workers", 1])
    _wait_for_lines(out / "journal.jsonl", BEFORE_THE_KILL, killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    saved = (out / "journal.jsonl").read_bytes()
    assert BEFORE_THE_KILL <= saved.count(b"\n") < TRIALS, "killed too late to prove anything"
    assert not (out / "best.json").exists()
    with (out / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"trial": 5, "state": "comp')  # a line the crash cut short

    code, _, _ = cli("calibrate", "resume", out, "--workers", 1)

    assert code == 0
    assert (out / "journal.jsonl").read_bytes() == (uninterrupted / "journal.jsonl").read_bytes()
    assert (out / "best.json").read_bytes() == (uninterrupted / "best.json").read_bytes()


def test_ctrl_c_saves_and_prints_the_command_that_goes_on(study, uninterrupted, tmp_path, cli):
    out = tmp_path / "study"
    stopped = _process([*study, "--out", out, "--workers", 2])
    _wait_for_lines(out / "journal.jsonl", 3, stopped)

    stopped.send_signal(signal.SIGINT)
    said = stopped.communicate(timeout=60)[1]

    assert stopped.returncode == 130
    assert f"mycelial calibrate resume {out}" in said
    assert "Traceback" not in said
    saved = (out / "journal.jsonl").read_bytes()
    assert (uninterrupted / "journal.jsonl").read_bytes().startswith(saved)
    assert saved.count(b"\n") < TRIALS


def test_two_workers_write_the_journal_of_one_and_a_study_can_be_extended(study, uninterrupted, tmp_path, cli):
    out = tmp_path / "study"
    fewer = [*study, "--out", str(out), "--workers", "2"]
    fewer[fewer.index("--trials") + 1] = "10"

    assert cli(*fewer)[0] == 0
    assert (out / "journal.jsonl").read_bytes().count(b"\n") == 10
    code, _, _ = cli("calibrate", "resume", out, "--trials", TRIALS, "--workers", 1)

    assert code == 0
    assert (out / "journal.jsonl").read_bytes() == (uninterrupted / "journal.jsonl").read_bytes()


def test_the_report_judges_the_best_points_on_coins_and_worlds_held_out(uninterrupted, cli):
    code, stdout, _ = cli("calibrate", "report", uninterrupted, "--top", 2, "--workers", 1, "--json")

    document = json.loads(stdout)
    stored = json.loads((uninterrupted / "study.json").read_text())
    best = json.loads((uninterrupted / "best.json").read_text())
    assert code == 0
    assert json.loads((uninterrupted / "report.json").read_text()) == document
    assert set(stored["split"]["fit"]).isdisjoint(stored["split"]["validation"])
    assert len(document["best"]) == 2
    assert document["best"][0]["search"]["trial"] == best["trial"]
    assert document["best"][0]["held_out"]["value"] != document["best"][0]["search"]["value"]
    assert document["best"][0]["held_out"]["point"] == best["point"]
    assert 0 < document["yardstick"]["distance"] < document["best"][0]["held_out"]["terms"]["distance"] + 5
    assert {one["name"] for one in document["profiles"]} == set(best["point"])
    page = (uninterrupted / "report.html").read_text()
    assert "Which parameters the data identify" in page
    assert "@@" not in page.split("<script>")[0]
    assert "https://cdn" not in page.split("<script>")[0]


def test_a_second_report_simulates_nothing_again(uninterrupted, cli):
    cli("calibrate", "report", uninterrupted, "--top", 2, "--workers", 1)
    before = (uninterrupted / "validation.jsonl").read_bytes()

    code, _, said = cli("calibrate", "report", uninterrupted, "--top", 2, "--workers", 1)

    assert code == 0
    assert "validated" not in said
    assert (uninterrupted / "validation.jsonl").read_bytes() == before


def test_a_grid_tries_the_chosen_points_in_order(study, tmp_path, cli):
    out = tmp_path / "grid"
    grid = tmp_path / "mine.toml"
    grid.write_text("[parameters.quoting]\nvalues = [0.5, 0.75]\n[parameters.drawdown]\nvalues = [10, 50, 90]\n")
    options = [part if part != "extended" else str(grid) for part in study]
    del options[options.index("--trials") : options.index("--trials") + 2]

    code, stdout, _ = cli(*options, "--stride", 2, "--out", out, "--workers", 1, "--json")

    tried = [json.loads(line)["point"] for line in (out / "journal.jsonl").read_text().splitlines()]
    assert code == 0
    assert json.loads(stdout)["trials"] == 3
    assert tried == [
        {"quoting": 0.5, "drawdown": 10},
        {"quoting": 0.5, "drawdown": 90},
        {"quoting": 0.75, "drawdown": 50},
    ]


def test_a_folder_with_a_study_is_not_overwritten(study, uninterrupted, cli):
    code, _, said = cli(*study, "--out", uninterrupted)

    assert code == 4
    assert f"mycelial calibrate resume {uninterrupted}" in said


def test_a_panel_that_changed_since_is_refused(study, tmp_path, cli):
    out, panel = tmp_path / "study", write_panel(tmp_path / "coins.csv", toy_panel(8))
    options = list(study)
    options[options.index("--panel") + 1] = str(panel)
    options[options.index("--trials") + 1] = "1"
    assert cli(*options, "--out", out, "--workers", 1)[0] == 0
    write_panel(panel, toy_panel(8, market_sigma=0.03))

    code, _, said = cli("calibrate", "resume", out, "--trials", 2, "--workers", 1)

    assert code == 1
    assert "other prices than when this study began" in said


def test_sensitivity_reports_a_verdict_and_an_interval_for_each_claim(cli, tmp_path):
    out = tmp_path / "sensitivity.json"
    small = ["--days", 120, "--learning-days", 60, "--agents", 30, "--seeds", 3]

    code, stdout, said = cli("calibrate", "sensitivity", *small, "--workers", 1, "--out", out, "--json")

    findings = json.loads(stdout)["findings"]
    assert code == 0
    assert json.loads(out.read_text()) == json.loads(stdout)
    assert [one["claim"]["parameter"] for one in findings] == ["agents", "gesture_scalar", "accuracy", "drawdown"]
    assert all(one["interval"][0] <= one["change"] <= one["interval"][1] for one in findings)
    assert all(one["verdict"] in said for one in findings)


@pytest.mark.parametrize(
    ("arguments", "expected", "said"),
    [
        (["resume", "nowhere"], 3, "holds no study.json"),
        (["report", "nowhere"], 3, "holds no study.json"),
        (["run", "--panel", "absent.csv", "--out", "x"], 3, "absent.csv"),
        (["run", "--panel", "absent.csv", "--out", "x", "--space", "papr"], 3, "no space 'papr'"),
        (["run", "--panel", "absent.csv", "--out", "x", "--preset", "papr"], 4, "did you mean paper"),
        (["run", "--panel", "absent.csv", "--out", "x", "--set", "quotin=1"], 4, "did you mean quoting"),
    ],
)
def test_errors_are_one_line_with_their_exit_code(cli, monkeypatch, tmp_path, arguments, expected, said):
    monkeypatch.chdir(tmp_path)

    code, _, stderr = cli("calibrate", *arguments)

    assert code == expected
    assert said in stderr
    assert stderr.count("\n") == 1


def _process(arguments: list[object]) -> subprocess.Popen[str]:
    source = str(Path(mycelial.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-m", "mycelial.cli.main", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": source},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for_lines(path: Path, lines: int, process: subprocess.Popen[str], timeout_s: float = 600.0) -> None:
    """Wait for an event on the disk; long enough for kernels to be compiled."""
    end = time.monotonic() + timeout_s
    while not path.exists() or path.read_bytes().count(b"\n") < lines:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, f"no {lines} lines in {path} after {timeout_s} s"
        time.sleep(0.005)
