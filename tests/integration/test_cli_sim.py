"""`mycelial sim run` and its neighbours as a shell sees them: real processes, exit codes, documents, what is left."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mycelial.cli import main as command_line

SMALL = ("agents=20", "days=120", "learning_days=40", "preset=extended")
ASSETS = 3
CONTRACT = {"run", "steps", "assets", "agent_steps", "cpu_seconds", "agent_steps_per_cpu_second", "peak_rss_mb"}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "mycelial.cli.main", *map(str, arguments)]


def run_command(*arguments: object, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=300, **options)


def small(*sets: str) -> list[str]:
    return [part for one in (*SMALL, *sets) for part in ("--set", f"population.symba.{one}")]


@pytest.fixture
def mycelial(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process, which is quicker; returns its exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mycelial", *map(str, arguments)])
        try:
            command_line.main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object], str]:
    """Two small worlds on two threads: the run directory, the document on stdout, and stderr."""
    folder = tmp_path_factory.mktemp("sim")
    out = folder / "first"
    done = run_command(
        "sim", "run", *small(), "--assets", ASSETS, "--runs", 2, "--seed", 7, "--workers", 2, "--out", out, "--json",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout), done.stderr


@pytest.fixture
def again(finished: tuple[Path, dict[str, object], str], mycelial, tmp_path: Path) -> Callable[..., dict[str, object]]:
    """Run the lock file of the finished run again with other options and return the document."""

    def run(*options: object) -> dict[str, object]:
        lock = finished[0] / "config.lock.toml"
        code, stdout, stderr = mycelial("sim", "run", "-c", lock, *options, "--out", tmp_path / "again", "--json")
        assert code == 0, stderr
        return json.loads(stdout)

    return run


def test_the_document_has_the_agreed_fields_and_they_agree_with_each_other(finished):
    out, document, _ = finished

    assert set(document) >= CONTRACT | {"runs", "preset", "seed", "out", "fingerprint"}
    assert (document["run"], document["steps"], document["assets"], document["runs"]) == ("first", 120, ASSETS, 2)
    assert document["agent_steps"] == 20 * ASSETS * 119 * 2
    assert document["agent_steps_per_cpu_second"] == pytest.approx(document["agent_steps"] / document["cpu_seconds"])
    assert 50 < document["peak_rss_mb"] < 5000
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["fingerprint"] == document["fingerprint"]
    assert manifest["status"] == "complete"


def test_progress_without_a_terminal_is_at_most_a_line_every_five_percent(finished):
    lines = [line for line in finished[2].splitlines() if re.match(r"days: \d+%", line)]

    assert 4 <= len(lines) <= 20
    assert lines[-1].startswith("days: 100%")
    assert finished[2].splitlines()[-1].startswith("next: mycelial ")


def test_the_series_begin_after_the_learning_phase_and_keep_their_day_numbers(finished):
    series = pq.read_table(finished[0] / "series.parquet")

    assert series.num_rows == 2 * ASSETS * 80
    assert (min(series.column("t").to_pylist()), max(series.column("t").to_pylist())) == (40, 119)


def test_the_lock_file_reruns_it_bit_for_bit_whatever_the_number_of_workers(finished, again, tmp_path: Path):
    document = again("--workers", 1)

    assert document["fingerprint"] == finished[1]["fingerprint"]
    for name in ("series", "learning", "days", "curves"):
        first, second = (folder / f"{name}.parquet" for folder in (finished[0], tmp_path / "again"))
        assert pq.read_table(first).equals(pq.read_table(second)), name


def test_a_run_depends_neither_on_how_many_runs_there_are_nor_on_threads_sharing_its_assets(finished, again):
    document = again("--runs", 1, "--workers", 2)

    manifest = json.loads((finished[0] / "manifest.json").read_text())
    assert document["fingerprint"] == manifest["run_fingerprints"][0]
    assert manifest["run_fingerprints"][0] != manifest["run_fingerprints"][1]


def test_another_seed_gives_another_market(finished, again):
    assert again("--seed", 8)["fingerprint"] != finished[1]["fingerprint"]


def test_the_run_can_be_shown_listed_measured_and_drawn_as_curves(finished, mycelial):
    out, document, _ = finished

    for arguments, field, expected in (
        (("sim", "show", out), "fingerprint", document["fingerprint"]),
        (("runs", "show", out), "seed", 7),
        (("facts", "compute", out), "n_series", 2 * ASSETS),
    ):
        code, stdout, _ = mycelial(*arguments, "--json")
        assert (code, json.loads(stdout)[field]) == (0, expected)
    listed = json.loads(mycelial("runs", "list", out.parent, "--json")[1])["runs"]
    assert str(out) in [one["run"] for one in listed]
    curves = json.loads(mycelial("sim", "curves", out, "--json")[1])["curves"][0]
    assert len(curves["nav_pct"]) == len(curves["end_day"]) == len(curves["deciles"][0])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sim", "run", "--set", "population.symba.preset=extendid"], 4, "did you mean extended?"),
        (["sim", "run", "--set", "population.symba.fee=-1"], 4, "outside [0, 0.1]"),
        (["sim", "run", "--set", "population.symba.agentz=9"], 4, "did you mean population.symba.agents?"),
        (["sim", "run", "--assets", "-3"], 2, "--assets"),
        (["sim", "run", "--runs", "0"], 2, "--runs"),
        (["sim", "run", "-c", "absent.toml"], 3, "absent.toml does not exist"),
        (["sim", "show", "absent"], 3, "absent: is not a run"),
        (["runs", "list", "absent"], 3, "absent: no such folder"),
        (["facts", "compute", "absent.parquet"], 3, "absent.parquet"),
        (["config", "explain", "agentz"], 3, "did you mean population.symba.agents?"),
    ],
)
def test_a_bad_request_is_one_line_with_the_right_exit_code(
    mycelial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, words: str
):
    monkeypatch.chdir(tmp_path)

    found, stdout, stderr = mycelial(*arguments)

    assert found == code
    assert words in " ".join(stderr.split())
    assert stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_defect_shows_no_traceback_and_asks_for_a_report(mycelial, monkeypatch: pytest.MonkeyPatch):
    def defect(*_: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("mycelial.compose.manifest", defect)

    code, _, stderr = mycelial("sim", "show", "anything")

    assert code == 1
    assert "a defect of mycelial: ZeroDivisionError: of all things" in stderr
    assert "Traceback" not in stderr


def test_a_taken_directory_is_refused_until_overwrite_is_said(finished, mycelial, tmp_path: Path):
    taken = ("sim", "run", *small(), "--out", tmp_path / "run", "--json", "--assets")
    assert mycelial(*taken, 1)[0] == 0

    code, _, stderr = mycelial(*taken, 2)
    assert code == 4
    assert "--overwrite" in stderr

    code, stdout, _ = mycelial(*taken, 2, "--overwrite")
    assert (code, json.loads(stdout)["assets"]) == (0, 2)
    assert pq.read_table(tmp_path / "run" / "series.parquet").num_rows == 2 * 80


@pytest.mark.usefixtures("finished")  # kernels are compiled, so that only the run itself meets the full disk
def test_a_disk_that_refuses_is_one_error_and_leaves_nothing(tmp_path: Path):
    def allow_small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    done = run_command(
        "sim", "run", *small(), "--assets", ASSETS, "--out", tmp_path / "run", cwd=tmp_path,
        preexec_fn=allow_small_files_only,
    )  # fmt: skip

    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("runs", [1, 2])
def test_ctrl_c_leaves_nothing_exits_130_and_says_how_to_run_again(tmp_path: Path, runs: int):
    arguments = command("sim", "run", "--set", "population.symba.agents=20", "--assets", 4, "--runs", runs)
    process = subprocess.Popen(
        [*arguments, "--workers", "2", "--out", "run"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("days:"):  # it is under way
            break

    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "nothing was written; run it again: mycelial sim run --set population.symba.agents=20" in rest
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("finished")
def test_what_a_killed_run_leaves_is_refused(tmp_path: Path):
    arguments = command("sim", "run", "--set", "population.symba.agents=20", "--assets", 4, "--out", "run")
    process = subprocess.Popen(arguments, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("days:"):
            break

    process.kill()
    process.communicate(timeout=60)

    (left,) = tmp_path.iterdir()
    assert left.name.startswith("run.partial-")
    done = run_command("facts", "compute", left, cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_the_environment_and_the_project_file_set_a_run_up(tmp_path: Path):
    (tmp_path / "mycelial.toml").write_text("[simulation]\nassets = 2\n")
    environment = os.environ | {"MYCELIAL__POPULATION__SYMBA__AGENTS": "33"}

    shown = run_command("config", "show", "--json", cwd=tmp_path, env=environment)

    values = json.loads(shown.stdout)
    assert values["simulation.assets"] == {"value": 2, "origin": "mycelial.toml"}
    assert values["population.symba.agents"]["value"] == 33


def test_doctor_finds_this_machine_ready(mycelial):
    code, stdout, _ = mycelial("doctor", "--json")

    assert code == 0
    assert {"python", "numba", "kernel cache", "free disk"} <= {one["name"] for one in json.loads(stdout)["findings"]}
