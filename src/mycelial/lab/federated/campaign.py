"""The federated rung as experiments: how much faster together than alone, and what is left under attack.

Every run is one file and is done once, so a campaign goes on where it stopped. Nothing is picked: all seeds count,
and a score is the mean of the last tenth of a run's evaluations on held-out layouts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from mycelial.lab.federated.plan import Plan
from mycelial.lab.federated.swarm import Swarm
from mycelial.lab.statistics import interval, iqm
from mycelial.learning.hyper import Hyper
from mycelial.learning.policy import write_whole
from mycelial.swarm.settings import GossipSettings

Progress = Callable[[float, int], None]
GOAL = 0.7  # the score to reach
TOGETHER, ALONE = "together", "alone"

_LEARNING = Hyper(steps=300_000, normalise=False, segment=16, epochs=4, minibatches=4, rate=1e-3)

SPEED = Plan(
    task="lbf-8x8-2p-2f-coop",
    steps=320_000,
    round_steps=1_024,
    books=32,
    every=12,
    gate=False,
    hyper=_LEARNING,
    settings=GossipSettings(step=1.0),
)
"""Eight teams on 8 x 8 fields, degree 4, the default pipeline; how soon do they reach the goal?"""

UNDER_ATTACK = Plan(
    task="lbf-5x5-2p-1f-coop",
    steps=32_768,
    round_steps=2_048,
    books=32,
    every=2,
    hyper=replace(_LEARNING, steps=32_768),
)
"""Eight honest teams on 5 x 5 fields, with two attackers on top where there is an attack (20 % of the swarm)."""

ATTACKERS = 2
NAIVE = "mean"  # plain averaging: no gate, no trust, no caps
DEFAULT = "default"


def under(plan: Plan, attack: str, rule: str, attackers: int = ATTACKERS) -> Plan:
    """Return a plan under attack: the default pipeline with its gate, or a bare rule."""
    plan = replace(plan, attack=attack, attackers=attackers if attack else 0)
    if rule == DEFAULT:
        return plan
    if rule.startswith(DEFAULT):  # "default-gate", "default-trust", "default-caps": without that part
        part = rule.removeprefix(f"{DEFAULT}-")
        return replace(
            plan,
            gate=part != "gate",
            settings=replace(plan.settings, use_trust=part != "trust", use_caps=part != "caps"),
        )
    return replace(plan, gate=False, settings=replace(plan.settings, rule=rule, use_trust=False, use_caps=False))


def run_cell(plan: Plan, seed: int, folder: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Return the record of one run, done now or before."""
    said = json.dumps(plan.to_dict(), sort_keys=True)
    name = "-".join(filter(None, (plan.attack or (TOGETHER if plan.gossip else ALONE), plan.settings.rule)))
    path = folder / f"{name}-{blake2b(said.encode(), digest_size=4).hexdigest()}" / f"seed-{seed}.json"
    if path.is_file():
        return dict(json.loads(path.read_text()))
    path.parent.mkdir(parents=True, exist_ok=True)
    began = time.process_time()
    swarm = Swarm(plan, seed)
    record = swarm.run(None if progress is None else lambda done, of: progress(done / of, swarm.lived))
    found = {
        "seed": seed,
        "cpu_seconds": round(time.process_time() - began, 1),
        "lived": swarm.lived,
        "final": record.final(),
        "steps_to_goal": steps_to(record.steps, record.scores, GOAL),
        **record.to_dict(),
    }
    write_whole(path, (json.dumps(found) + "\n").encode())
    (path.parent / "plan.json").write_text(json.dumps(plan.to_dict(), indent=2, sort_keys=True) + "\n")
    return found


def steps_to(steps: Sequence[int], scores: Sequence[Sequence[float]], goal: float) -> float:
    """Return the steps of each team until the mean over teams reaches `goal` in two evaluations running; else infinity.

    The crossing is interpolated between evaluations.
    """
    mean = np.asarray(scores, np.float64).mean(axis=1)
    for k in range(len(mean) - 1):
        if mean[k] >= goal and mean[k + 1] >= goal:
            if k == 0 or mean[k] == mean[k - 1]:
                return float(steps[k])
            share = (goal - mean[k - 1]) / (mean[k] - mean[k - 1])
            return float(steps[k - 1] + min(1.0, max(0.0, share)) * (steps[k] - steps[k - 1]))
    return float("inf")


def speed_bench(
    seeds: int, steps: int | None, folder: Path, progress: Progress | None = None, plan: Plan = SPEED
) -> dict[str, Any]:
    """Return the document of `mycelial learn bench --task federated-lbf`: together against alone, equal seeds.

    `steps` shortens or lengthens the budget of each team; the schedules of learning stay.
    """
    plan = replace(plan, steps=steps or plan.steps)
    arms = {TOGETHER: plan, ALONE: replace(plan, gossip=False)}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in arms}
    jobs = [(seed, name) for seed in range(seeds) for name in arms]
    for done, (seed, name) in enumerate(jobs):
        found[name].append(run_cell(arms[name], seed, folder, _part_of(progress, done, len(jobs))))
    return speed_document(found[TOGETHER], found[ALONE], plan)


def speed_document(together: list[dict[str, Any]], alone: list[dict[str, Any]], plan: Plan) -> dict[str, Any]:
    """Say how both arms did. A run that never got to the goal counts as the budget, which is in favour of it."""
    scores = [float(np.mean(run["final"])) for run in together]
    budget = float(plan.steps)
    ours, theirs = (np.array([min(run["steps_to_goal"], budget) for run in arm]) for arm in (together, alone))
    ratio = theirs / ours
    lived = sum(run["lived"] for run in (*together, *alone))
    spent = sum(run["cpu_seconds"] for run in (*together, *alone))
    return {
        "task": "federated-lbf",
        "depth": 0,
        "seeds": len(together),
        "steps": plan.steps,
        "scores": scores,
        "iqm": iqm(scores),
        "ci": list(interval(scores)),
        "steps_per_cpu_second": lived / max(spent, 1e-9),
        "baselines": {
            "world": plan.task,
            "teams": plan.teams,
            "alone": iqm([float(np.mean(run["final"])) for run in alone]),
            "steps_to_0.7": iqm(ours),
            "steps_to_0.7_alone": iqm(theirs),
            "never_reached_alone": int(sum(np.isinf(run["steps_to_goal"]) for run in alone)),
            "times_fewer_steps": iqm(ratio),
            "times_fewer_steps_ci": list(interval(ratio)),
            "megabytes_sent_per_team": float(np.mean([run["bytes_sent"] for run in together])) / plan.teams / 2**20,
            "target": "2 times fewer steps to 0.7 than alone",
        },
    }


def attack_grid(
    attacks: Iterable[str],
    rules: Iterable[str],
    seeds: Iterable[int],
    folder: Path,
    *,
    attackers: int = ATTACKERS,
    plan: Plan = UNDER_ATTACK,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Return a row for each (attack, rule): retention against the same rule without attack, seed by seed.

    Rows come in the order rule, attack; the first of each rule is the run without attack.
    """
    attacks, rules, seeds = ["", *attacks], list(rules), list(seeds)
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for seed in seeds:  # seed by seed, so that what is there when time is up is complete
        for rule in rules:
            for attack in attacks:
                cell = under(plan, attack, rule, attackers)
                began = time.perf_counter()
                runs.setdefault((rule, attack), []).append(run_cell(cell, seed, folder))
                if progress is not None:
                    final = np.mean(runs[rule, attack][-1]["final"])
                    progress(
                        f"seed {seed} {rule:<14} {attack or '-':<18} {final:.3f}  {time.perf_counter() - began:.0f} s"
                    )
    return [_row(runs, rule, attack) for rule in rules for attack in attacks]


def _row(runs: dict[tuple[str, str], list[dict[str, Any]]], rule: str, attack: str) -> dict[str, Any]:
    clean = [float(np.mean(run["final"])) for run in runs[rule, ""]]
    scores = [float(np.mean(run["final"])) for run in runs[rule, attack]]
    retention = [score / reference for score, reference in zip(scores, clean, strict=True)]
    last = [run["dose"][-1] if run["dose"] else 0.0 for run in runs[rule, attack]]
    return {
        "rule": rule,
        "attack": attack,
        "seeds": len(scores),
        "score": iqm(scores),
        "retention": iqm(retention),
        "retention_ci": list(interval(retention)),
        "worst_seed": min(retention),
        "worst_team": min(min(run["final"]) for run in runs[rule, attack]),
        "dose": float(np.mean(last)),
        "quarantined": float(np.mean([run["quarantined"][-1] for run in runs[rule, attack] if run["quarantined"]])),
        "false_quarantine": int(sum(run["false_quarantine"] for run in runs[rule, attack])),
        "rejected": float(
            np.mean([sum(run["verdicts"].values()) / max(1, len(run["adopted"])) for run in runs[rule, attack]])
        ),
        "triggered": [float(np.mean(run["triggered"])) for run in runs[rule, attack] if run["triggered"]],
    }


def _part_of(progress: Progress | None, done: int, jobs: int) -> Progress | None:
    if progress is None:
        return None
    return lambda share, steps: progress((done + share) / jobs, steps)
