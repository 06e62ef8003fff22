"""The ladder: what a bench prints, what it keeps, how it goes on; and the statistics behind its intervals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from mycelial.cli.main import app
from mycelial.domain.errors import ConfigError, NotFound
from mycelial.environment.tasks.matrix import GAMES, MatrixTask
from mycelial.lab import ladder, training
from mycelial.lab.ladder import Bench, curves_of, run_bench
from mycelial.lab.ladder_page import curves_page
from mycelial.lab.statistics import (
    holm,
    interval,
    iqm,
    paired_interval,
    performance_profile,
    probability_of_improvement,
)
from mycelial.learning.hyper import Hyper
from mycelial.learning.policy import Team

KEYS = {"task", "depth", "seeds", "steps", "scores", "iqm", "ci", "steps_per_cpu_second", "baselines"}
TINY = {"backend": "numpy", "segment": 8, "minibatches": 2, "hidden": 16}


def test_bench_prints_one_document_with_every_seed() -> None:
    result = CliRunner().invoke(app, ["learn", "bench", "--task", "climbing", "--seeds", "20", "--json"])

    document = json.loads(result.stdout)
    assert set(document) == KEYS
    assert document["scores"] == [11.0] * 20
    assert (document["depth"], document["iqm"], document["baselines"]["vdn"]) == (1, 11.0, 5.0)


def test_depth_is_set_by_the_configuration() -> None:
    shallow = ["--set", "swarm.learning.best_response.depth=0"]
    result = CliRunner().invoke(app, ["learn", "bench", "--task", "penalty-50", "--seeds", "8", "--json", *shallow])

    assert json.loads(result.stdout)["iqm"] == 2.0


def test_a_foraging_bench_trains_each_seed_once_and_judges_it_on_the_package(tmp_path: Path) -> None:
    pytest.importorskip("lbforaging")
    bench = Bench("lbf-5x5-2p-1f-coop", seeds=2, steps=20_000, changes=TINY)

    first = run_bench(bench, tmp_path)
    again = run_bench(bench, tmp_path)

    assert set(first) == KEYS
    assert first == again
    assert first["baselines"]["judged_on"].startswith("lbforaging")
    assert len(first["scores"]) == 2
    assert first["steps"] == 20_000
    assert [len(curve) for curve in curves_of(bench, tmp_path)] == [training.EVALUATIONS] * 2
    curves_page(bench, tmp_path, tmp_path / "curves.svg")
    picture = ElementTree.fromstring((tmp_path / "curves.svg").read_text())
    assert len(picture.findall("{http://www.w3.org/2000/svg}polyline")) == 3  # two seeds and their mean
    policy = next(tmp_path.rglob("policy.npz"))
    assert Team.load(policy).provenance["task"] == "lbf-5x5-2p-1f-coop"


def test_best_responses_can_be_asked_for_in_every_task() -> None:
    hyper = Bench("lbf-8x8-2p-2f-coop", changes={"depth": 2}).hyper

    assert (hyper.depth, hyper.replay) == (2, 0)


def test_a_killed_training_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    hyper = replace(Hyper(**TINY), steps=8_192, normalise=False)
    asked = training.Training("climbing", lambda: MatrixTask(GAMES["climbing"], 16), hyper, 3, lambda team, n: float(n))
    whole = training.train(asked, tmp_path / "whole")

    class Killed(Exception):
        pass

    def evaluate(team: Team, number: int) -> float:
        if number == 7:
            raise Killed
        return float(number)

    with pytest.raises(Killed):
        training.train(replace(asked, evaluate=evaluate), tmp_path / "killed")
    resumed = training.train(asked, tmp_path / "killed")

    assert resumed.curve == whole.curve
    assert (tmp_path / "killed" / "policy.npz").read_bytes() == (tmp_path / "whole" / "policy.npz").read_bytes()


def test_a_training_beyond_the_memory_budget_is_refused_before_it_starts() -> None:
    command = ["learn", "bench", "--task", "lbf-8x8-2p-2f-coop", "--hyper", "replay=500000", "--memory", "2000"]
    result = CliRunner().invoke(app, command)

    assert isinstance(result.exception, ConfigError)
    assert "budget is 2,000" in str(result.exception)


def test_wrong_tasks_and_numbers_are_named() -> None:
    with pytest.raises(NotFound, match="climbing"):
        Bench("climbin")
    with pytest.raises(ConfigError, match="no number 'speed'"):
        ladder.key_of(Bench("spread-3", changes={"speed": 1}))


def test_interquartile_mean_cuts_a_quarter_of_each_side_in_part() -> None:
    assert iqm([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx((0.75 * 2 + 3 + 0.75 * 4) / 2.5)
    assert iqm([7.0]) == 7.0
    assert iqm(np.arange(10.0)) == pytest.approx(4.5)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for trial in range(100):
        low, high = interval(rng.standard_normal(12), lambda x: float(x.mean()), resamples=300, seed=trial)
        inside += low <= 0.0 <= high

    assert 85 <= inside <= 100


def test_comparisons_know_better_from_worse() -> None:
    rng = np.random.default_rng(2)
    worse, better = rng.standard_normal(10), rng.standard_normal(10) + 3.0

    assert probability_of_improvement(better, worse) > 0.95
    assert probability_of_improvement(worse, worse) == 0.5
    mean, low, high = paired_interval(better, worse)
    assert 0.0 < low < mean < high
    assert performance_profile(worse, np.array([-9.0, 9.0])).tolist() == [1.0, 0.0]
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == {"a": True, "b": False, "c": False}
