"""A swarm that trains: gossip between groups, exact resume, exported teams, the commands."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from typer.testing import CliRunner

from mycelial.cli.main import app
from mycelial.domain.errors import ConfigError, DataError, NotFound
from mycelial.environment.trading import TradingConfig, TradingTask, regime
from mycelial.environment.trading.pooled import Pooled
from mycelial.environment.trading.schema import digest
from mycelial.lab.trading.demonstration import demonstrate, section
from mycelial.lab.trading.evaluation import at_tier, compare, play
from mycelial.lab.trading.folder import (
    begin,
    export,
    group_of,
    load_team,
    needed_mib,
    opened,
    plan_of,
    team_hash,
    train_in,
)
from mycelial.lab.trading.policies import (
    AvellanedaStoikov,
    BuyAndHold,
    DoNothing,
    FixedSpread,
    Intensity,
    Random,
    SkewedQuotes,
    Trained,
)
from mycelial.lab.trading.training import LEARNER, Group, Plan, SwarmTraining
from mycelial.lab.trading.tuning import calibrate

CONFIG = TradingConfig(regime=regime("middle"), steps=30, seats=2, warm_up_s=20.0, markout_steps=5)
PLAN = Plan(
    groups=(Group("middle", (10_000_000,)), Group("thin", (0,))),
    seats=2,
    books=4,
    steps=300,
    every=96,
    hyper=replace(LEARNER, segment=8, minibatches=2),
    gate=False,
)


def weights(training):
    return np.concatenate([member.trainer.parameters().ravel() for member in training.members])


def test_gossip_brings_groups_nearer_and_the_isolated_stay_apart():
    distances = []
    for gossip in (True, False):
        training = SwarmTraining(replace(PLAN, gossip=gossip), 1)
        for _ in range(3):
            training.advance()
        one, other = (member.trainer.parameters() for member in training.members)
        distances.append(float(np.linalg.norm(one - other)))
        assert training.verdicts["adopted"] == (6 if gossip else 0)
        assert (training.bytes_sent > 0) is gossip

    assert distances[0] < 0.8 * distances[1]


def test_killed_training_resumes_to_the_same_last_bit(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        begin(folder, PLAN, 3, "a test")

    straight = train_in(whole, evaluate_every=10)
    train_in(cut, evaluate_every=10, stop_after=2)
    again = train_in(cut, evaluate_every=10)

    assert straight.done
    assert weights(again).tobytes() == weights(straight).tobytes()
    assert again.curve == straight.curve
    assert again.members[0].average.tobytes() == straight.members[0].average.tobytes()


def test_exported_teams_come_with_a_manifest_and_are_refused_when_changed(tmp_path):
    begin(tmp_path / "run", PLAN, 2, "mycelial learn run")
    training = train_in(tmp_path / "run", evaluate_every=10)

    manifest = export(tmp_path / "run", tmp_path / "out")
    team = load_team(tmp_path / "out", "thin-0m")

    assert manifest["seed"] == 2
    assert manifest["command"] == "mycelial learn run"
    assert (
        manifest["teams"]["thin-0m"]["hash"]
        == json.loads((tmp_path / "out/manifest.json").read_text())["teams"]["thin-0m"]["hash"]
    )
    assert team.vectors.tobytes() == training.teams()["thin-0m"].vectors.tobytes()
    with pytest.raises(NotFound, match="there are: middle-10m, thin-0m"):
        load_team(tmp_path / "out", "liquid")
    path = tmp_path / "out" / "thin-0m.npz"
    content = bytearray(path.read_bytes())
    content[-2_000] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError):
        load_team(tmp_path / "out", "thin-0m")


def test_plan_comes_back_from_its_description():
    plan = replace(PLAN, gate=True, average=0.9, central=True)

    assert plan_of(plan.describe()) == plan
    assert needed_mib(replace(plan, books=256)) > needed_mib(plan)


def test_a_folder_of_another_training_is_refused(tmp_path):
    begin(tmp_path, PLAN, 1, "one")
    begin(tmp_path, PLAN, 1, "again")

    with pytest.raises(ConfigError, match="another training"):
        begin(tmp_path, PLAN, 2, "two")
    with pytest.raises(NotFound, match="mycelial learn run"):
        opened(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="--books"):
        train_in(tmp_path, memory_mib=100.0)


def test_pooled_tasks_live_as_each_would_alone():
    tasks = [TradingTask(CONFIG, 2, stagger=False), TradingTask(replace(CONFIG, regime=regime("thin")), 1)]
    pooled = Pooled(tasks)
    seen = pooled.reset(1)
    keep = np.zeros((3, 2), np.int32)

    step = pooled.step(keep)

    assert seen.obs.shape == (3, 2, pooled.observation_size)
    np.testing.assert_array_equal(step.obs[:2], tasks[0]._obs)
    np.testing.assert_array_equal(step.obs[2:], tasks[1]._obs)
    with pytest.raises(ConfigError, match="equal seats"):
        Pooled([tasks[0], TradingTask(replace(CONFIG, seats=3), 1)])


@pytest.mark.parametrize(
    "policy",
    [
        DoNothing(),
        Random(),
        BuyAndHold(),
        FixedSpread(),
        SkewedQuotes(),
        AvellanedaStoikov(0.005, Intensity(2.0, 0.3, 4.0)),
        AvellanedaStoikov(0.005, Intensity(2.0, 0.3, 4.0), fees=True, horizon=10),
    ],
    ids=lambda policy: policy.name,
)
def test_baselines_trade_as_they_say(policy):
    outcome = play(CONFIG, policy, [1], 2)
    counts = outcome.counts

    assert np.isfinite(outcome.profit).all()
    if policy.name == "do nothing":
        assert (outcome.profit == 0.0).all()
        assert counts["adds"].sum() == counts["fees"].sum() == 0
    elif policy.name == "buy and hold":
        assert counts["taker_fills"].sum() > 0
        assert counts["maker_fills"].sum() == 0
        assert outcome.inventory.mean() > 0.6 * CONFIG.most_orders
    elif policy.name != "random":
        assert counts["maker_fills"].sum() > 0
        assert counts["taker_fills"].sum() == 0


def test_avellaneda_stoikov_quotes_are_those_of_the_paper():
    task = TradingTask(CONFIG, 1, stagger=False)
    task.reset(1)
    policy = AvellanedaStoikov(0.01, Intensity(2.0, 0.3, 4.0))
    seats = task.floor.seats
    seats["lots"] = seats["start_lots"] + round(2 * task.rules.typical_lots)

    wishes = policy.answer(task, task._obs, task._mask)

    risk = 0.01 * 4.0**2 * 30
    half = risk / 2 + np.log(1 + 0.01 / 0.3) / 0.01
    np.testing.assert_allclose(wishes[..., 1], half + 2 * risk)
    np.testing.assert_allclose(wishes[..., 2], half - 2 * risk)


def test_calibrated_intensity_falls_with_distance():
    found = calibrate(replace(CONFIG, steps=60), worlds=4)

    assert found.a > 0.0
    assert 0.01 < found.k < 2.0
    assert 1.0 < found.sigma_ticks < 20.0


def test_comparison_is_paired_and_corrected():
    ours, other = play(CONFIG, SkewedQuotes(), range(4), 2), play(CONFIG, Random(), range(4), 2)

    result = compare(ours, [other, play(CONFIG, DoNothing(), range(4), 2)])

    gain = result.differences["random"]
    assert gain.estimate.value == pytest.approx((ours.scores - other.scores).mean())
    assert gain.p_adjusted >= gain.p_value
    assert result.rows()[0]["policy"] == "skewed quotes"


def test_commands_train_resume_export_and_judge(tmp_path):
    run = CliRunner()
    folder = str(tmp_path / "swarm")
    began = run.invoke(
        app,
        [
            "learn",
            "run",
            "--out",
            folder,
            "--steps",
            "200",
            "--books",
            "2",
            "--groups",
            "middle:10000000",
            "--seed",
            "5",
            "--json",
        ],
    )
    resumed = run.invoke(app, ["learn", "resume", folder])
    exported = run.invoke(app, ["learn", "export", folder, "--out", str(tmp_path / "teams"), "--json"])
    judged = run.invoke(
        app,
        [
            "learn",
            "eval",
            str(tmp_path / "teams"),
            "--seeds",
            "2",
            "--worlds",
            "1",
            "--tuning",
            "1",
            "--json",
        ],
    )

    assert began.exit_code == 0, began.output
    assert resumed.exit_code == 0, resumed.output
    assert json.loads(exported.stdout)["teams"]["middle-10m"]["file"] == "middle-10m.npz"
    assert judged.exit_code == 0, judged.output
    rows = json.loads(judged.stdout)["tables"][0]["rows"]
    assert rows[0]["policy"] == "swarm"
    assert len(rows) == 7
    assert all(len(row["scores"]) == 2 for row in rows)


def test_trained_team_forgets_between_episodes():
    training = SwarmTraining(PLAN, 1)
    policy = Trained(training.members[0].team())

    one, two = play(CONFIG, policy, [1], 2), play(CONFIG, policy, [1], 2)

    assert one.profit.tobytes() == two.profit.tobytes()


def test_demonstration_shows_curve_table_and_section():
    pytest.importorskip("plotly")

    found = demonstrate(1, steps=4_096, seeds=3, worlds=1)
    shown = section(found)

    assert [point["steps"] for point in found.curve] == [0, 16_384]
    assert found.adopted == 2
    assert [row.policy for row in found.rows[:2]] == ["swarm", "fixed spread (pure market making)"]
    assert found.rows[0].swarm_gains is None
    assert all(row.swarm_gains.p_adjusted >= row.swarm_gains.p_value for row in found.rows[1:5])
    assert shown.html.count("<tr>") == 11
    assert len(shown.figures[0].data) == 4
    assert json.dumps(found.to_dict())


def test_packaged_teams_are_those_of_the_manifest_and_earn_in_worlds_never_seen():
    manifest = json.loads(files("mycelial.lab.trading.teams").joinpath("manifest.json").read_text())

    for name, said in manifest["teams"].items():
        team = load_team(None, name)
        group = group_of(team)
        config = at_tier(TradingConfig(regime=regime(group.regime)), group.volumes_usd[0])
        outcome = play(config, Trained(team), [77], 6)

        assert team_hash(team) == said["hash"]
        assert team.provenance["features"] == digest()
        assert group.name == name
        assert outcome.counts["own_lots"].sum() == 0
        if name != "middle-2500k":  # which scatters around a small gain
            assert outcome.profit.mean() > 50.0
