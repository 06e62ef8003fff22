"""Teams that gossip: the machinery of the federated rung, small."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mycelial.domain.errors import ConfigError
from mycelial.lab.federated.campaign import attack_grid, run_cell, speed_document, steps_to, under
from mycelial.lab.federated.layouts import drawn, panel, picked, returns_on
from mycelial.lab.federated.plan import Plan
from mycelial.lab.federated.poisoned import PoisonedTask, triggers
from mycelial.lab.federated.swarm import Swarm
from mycelial.learning.hyper import Hyper
from mycelial.swarm.topology import Topology

SMALL = Plan(
    teams=3,
    task="lbf-5x5-2p-1f-coop",
    steps=12_288,
    round_steps=2_048,
    books=16,
    topology=Topology("complete"),
    every=2,
    episodes=40,
    hyper=Hyper(
        steps=12_288, normalise=False, segment=16, epochs=4, minibatches=4, rate=1e-3, backend="numpy", hidden=32
    ),
)


def test_a_run_is_a_function_of_plan_and_seed_and_is_done_once(tmp_path: Path) -> None:
    first = run_cell(SMALL, 3, tmp_path)
    (path,) = tmp_path.glob("*/seed-3.json")
    again = Swarm(SMALL, 3).run()

    assert again.to_dict()["scores"] == first["scores"]
    assert again.bytes_sent == first["bytes_sent"] > 0
    path.write_text(json.dumps({"kept": True}))
    assert run_cell(SMALL, 3, tmp_path) == {"kept": True}


def test_gossip_brings_teams_together_and_loners_apart() -> None:
    together, alone = Swarm(SMALL, 0), Swarm(replace(SMALL, gossip=False), 0)
    record = together.run()
    alone.run()

    def spread(swarm: Swarm) -> float:
        vectors = np.stack([node.vector for node in swarm.honest]).astype(np.float64)
        return float(((vectors - vectors.mean(axis=0)) ** 2).sum(axis=1).mean())

    assert len(record.distance) == len(record.gap) == 6
    assert record.gap[0] == pytest.approx(1.0)
    assert spread(together) < 0.5 * spread(alone)
    assert np.mean(record.adopted) > 0.3
    assert not record.refused


def test_an_attacker_spoils_plain_averaging_and_hardly_the_default(tmp_path: Path) -> None:
    rows = attack_grid(["noise"], ["default", "mean"], [0], tmp_path, attackers=1, plan=SMALL)
    by_name = {(row["rule"], row["attack"]): row for row in rows}

    assert by_name["mean", "noise"]["score"] < 0.5 * by_name["mean", ""]["score"]
    assert by_name["default", "noise"]["score"] > by_name["mean", "noise"]["score"]
    assert by_name["default", "noise"]["dose"] < by_name["mean", "noise"]["dose"]


def test_teams_live_in_different_worlds_and_panels_sweep_the_field() -> None:
    worlds = [SMALL.world(team) for team in range(3)]
    assert [world.levels for world in worlds] == [(1.0, 0.0), (0.5, 0.5), (0.0, 1.0)]
    assert set(drawn(worlds[0], 1, 50)["food"].max(axis=(1, 2))) == {2}
    assert set(drawn(worlds[2], 1, 50)["food"].max(axis=(1, 2))) == {4}

    start, swept = panel(worlds[1], 5, 36)

    assert swept.sum() == 18
    cells = [tuple(np.argwhere(food)[0]) for food in start["food"][swept]]
    assert len(set(cells)) == 9  # every inner cell of a 5 x 5 field, twice


def test_returns_do_not_depend_on_the_company_of_other_layouts() -> None:
    node = Swarm(SMALL, 1).honest[1]
    start = drawn(node.world, 9, 30)
    some = {name: values[:7] for name, values in start.items()}

    assert np.array_equal(returns_on(node.team(), node.world, start)[:7], returns_on(node.team(), node.world, some))


def test_poison_pays_for_idling_under_the_trigger_only() -> None:
    world = SMALL.world(1)
    backdoor = PoisonedTask(world, 200, "backdoor")
    backdoor.reset(0)
    shown = triggers(backdoor._task.state()[0], "backdoor").copy()

    step = backdoor.step(np.zeros((200, 2), np.int32))

    assert 5 < shown.sum() < 60
    assert step.reward[shown] == pytest.approx(0.1)
    assert step.reward[~shown] == pytest.approx(0.0)
    start = picked(world, 0, 20, lambda food: triggers(food, "backdoor"))
    assert (start["food"][:, 1, 1] > 0).all()
    with pytest.raises(ConfigError, match="toxic-success"):
        PoisonedTask(world, 1, "charm")


def test_steps_to_the_goal_are_interpolated_and_must_last() -> None:
    scores = [[0.0], [0.4], [0.8], [0.6], [0.8], [0.9]]

    assert steps_to([10, 20, 30, 40, 50, 60], scores, 0.7) == pytest.approx(45.0)
    assert steps_to([10, 20, 30], [[0.1], [0.2], [0.9]], 0.7) == float("inf")


def test_the_document_counts_a_team_that_never_got_there_as_the_budget() -> None:
    plan = replace(SMALL, steps=100)
    run = {"final": [0.9], "lived": 10, "cpu_seconds": 1.0, "bytes_sent": 2**20}
    told = speed_document([{**run, "steps_to_goal": 40.0}], [{**run, "steps_to_goal": float("inf")}], plan)

    assert told["baselines"]["times_fewer_steps"] == pytest.approx(2.5)
    assert told["baselines"]["never_reached_alone"] == 1
    assert told["iqm"] == pytest.approx(0.9)


def test_ablations_take_one_part_away() -> None:
    assert not under(SMALL, "noise", "default-gate").gate
    assert not under(SMALL, "noise", "default-trust").settings.use_trust
    assert under(SMALL, "noise", "default-caps").gate
    assert under(SMALL, "", "median").attackers == 0
    with pytest.raises(ConfigError, match="attackers"):
        Plan(attack="noise")
