"""A toxic policy in a swarm, once without and once with the defence: how many agents it has taken over, round by round.

All agents start from one policy that was trained to forage, each a little different. A few insiders send a policy
that does the opposite of what is right, and claim enormous returns for it. An agent counts as infected when its
decisions are nearer to the toxic ones than to its own before (safety specification 2.2: toxic similarity of at least
one half). Simulated, small and short; campaigns with intervals are what a claim would need.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.agents.toxic.updates import BROADCAST, worst_policy
from mycelial.domain.seeds import generator
from mycelial.environment.tasks.foraging import Foraging, field_named
from mycelial.lab.federated.attackers import head_positions
from mycelial.lab.federated.node import Node
from mycelial.lab.federated.plan import Plan
from mycelial.lab.federated.swarm import Swarm
from mycelial.learning.hyper import Hyper
from mycelial.learning.loop import Trainer
from mycelial.swarm.settings import GossipSettings

TASK = "lbf-5x5-2p-1f-coop"
UNDEFENDED, DEFENDED = "undefended", "defended"
_SIMILAR = 0.5
_PROBES = 512


@dataclass(frozen=True)
class Contagion:
    """What one swarm went through.

    Parameters
    ----------
    infected : list of int
        Infected honest agents, at the start and after each round.
    returns : list of float
        Mean held-out return of honest agents at the start and at the end; 1 is all the food.
    quarantined : float
        Share of (honest agent, attacker) pairs in quarantine at the end.
    """

    infected: list[int]
    returns: list[float]
    quarantined: float


def contagion_demo(
    *, agents: int = 10, attackers: int = 2, rounds: int = 20, training_steps: int = 60_000, seed: int = 7
) -> dict[str, Any]:
    """Return how a toxic policy spreads among `agents` honest ones, without and with the defence.

    Returns
    -------
    dict
        ``agents``, ``attackers``, ``rounds``, ``task``; ``undefended`` and ``defended``, each with ``infected`` (int by
        round, the start first), ``returns`` (mean at the start and at the end) and ``quarantined``.
    """
    start = _trained(training_steps, seed)
    hyper = Hyper(steps=training_steps, normalise=False, backend="numpy")
    common = Plan(
        teams=agents,
        attackers=attackers,
        attack=BROADCAST,
        task=TASK,
        steps=rounds,
        round_steps=1,
        books=1,
        every=0,
        learning=False,
        hyper=hyper,
        one_world=True,
    )
    naive = GossipSettings(rule="mean", use_trust=False, use_caps=False)
    plans = {UNDEFENDED: replace(common, gate=False, settings=naive), DEFENDED: common}
    told: dict[str, Any] = {"task": TASK, "agents": agents, "attackers": attackers, "rounds": rounds}
    for name, plan in plans.items():
        told[name] = asdict(_spread(plan, start, rounds, seed))
    return told


def toxic_similarity(agent: NDArray[np.int32], before: NDArray[np.int32], toxic: NDArray[np.int32]) -> float:
    """Return 1 - d(agent, toxic) / d(before, toxic), within [0, 1]; d is the share of differing decisions."""
    gap = float(np.mean(before != toxic))
    return float(np.clip(1.0 - np.mean(agent != toxic) / gap, 0.0, 1.0)) if gap > 0 else 1.0


def _trained(steps: int, seed: int) -> NDArray[np.float32]:
    """Return the parameters of a team that learnt to forage, float32[N P]."""
    hyper = Hyper(steps=steps, normalise=False, segment=16, epochs=4, minibatches=4, rate=1e-3, backend="numpy")
    trainer = Trainer(Foraging(field_named(TASK), 32, spread_clocks=True), hyper, seed, family_seed=seed)
    trainer.advance(steps)
    return trainer.parameters().ravel()


def _spread(plan: Plan, start: NDArray[np.float32], rounds: int, seed: int) -> Contagion:
    swarm = Swarm(plan, seed)
    draws = generator(seed, "contagion")
    for node in swarm.honest:  # everybody a little different
        node.become((start + 0.002 * np.std(start) * draws.normal(size=len(start))).astype(np.float32))
    probes = _probes(plan, seed)
    first = swarm.honest[0]
    toxic = _decisions(first, worst_policy(start, head_positions(first.table)), probes)
    before = [_decisions(node, node.vector, probes) for node in swarm.honest]
    returns = [float(np.mean([node.held_out() for node in swarm.honest]))]
    infected = [0]
    for _ in range(rounds):
        swarm.step()
        now = [_decisions(node, node.vector, probes) for node in swarm.honest]
        similar = [toxic_similarity(*pair, toxic) for pair in zip(now, before, strict=True)]
        infected.append(sum(value >= _SIMILAR for value in similar))
    returns.append(float(np.mean([node.held_out() for node in swarm.honest])))
    return Contagion(infected, returns, swarm.record.quarantined[-1])


def _probes(plan: Plan, seed: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return observations and masks of states that a random team comes through."""
    task = Foraging(plan.world(0), _PROBES)
    shown = task.reset(seed)
    draws = generator(seed, "probes")
    for _ in range(5):
        shown = task.step(draws.integers(0, task.actions, (_PROBES, task.agents)).astype(np.int32))  # type: ignore[assignment]
    return shown.obs.copy(), shown.mask.copy()


def _decisions(
    node: Node, vector: NDArray[np.float32], probes: tuple[NDArray[np.float32], NDArray[np.bool_]]
) -> NDArray[np.int32]:
    return node.team(vector).act(*probes)
