"""A bench killed with SIGKILL goes on with the same command and ends with the same bytes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mycelial.lab.ladder import Bench, key_of, run_bench

STEPS = 40_000
CHANGES = {"backend": "numpy", "segment": 8, "minibatches": 2, "hidden": 16}


def test_a_killed_bench_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    bench = Bench("lbf-5x5-2p-1f-coop", seeds=1, steps=STEPS, changes=CHANGES)
    seed = Path(key_of(bench)) / "seed-0"
    command = [sys.executable, "-m", "mycelial.cli.main", "learn", "bench", "--task", bench.task, "--seeds", "1"]
    command += ["--steps", str(STEPS), "--out", str(tmp_path / "killed")]
    command += [part for name, value in CHANGES.items() for part in ("--hyper", f"{name}={value}")]

    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "80"})
    assert running.stderr is not None
    for line in running.stderr:  # a line for every 5 %, and a checkpoint with each
        done = re.search(r"(\d+)%", line)
        if done is not None and int(done[1]) >= 25:
            running.send_signal(signal.SIGKILL)
            break
    running.wait()
    running.stderr.close()
    if (tmp_path / "killed" / seed / "policy.npz").exists():
        pytest.skip("this machine finished before it could be interrupted")
    assert (tmp_path / "killed" / seed / "checkpoint.npz").exists()

    resumed, whole = (run_bench(bench, tmp_path / name) for name in ("killed", "whole"))

    assert resumed["scores"] == whole["scores"]
    policies = [(tmp_path / name / seed / "policy.npz").read_bytes() for name in ("killed", "whole")]
    assert policies[0] == policies[1]
