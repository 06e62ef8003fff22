"""A small swarm trained while one watches: two groups that gossip, their learning curve, and the baselines beside it.

Seeded and offline; the numbers of steps are fixed, so that everybody sees the same figures. What half a minute of
learning gives is shown as it is; the teams that ship with the package learnt for longer (docs/results).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from importlib.util import find_spec
from typing import Any

from mycelial.domain.errors import MissingExtra
from mycelial.lab.inference import Difference, Estimate, estimate, holm, paired
from mycelial.lab.report import Section
from mycelial.lab.trading.evaluation import play
from mycelial.lab.trading.policies import AvellanedaStoikov, DoNothing, FixedSpread, Policy, Random, Trained
from mycelial.lab.trading.training import LEARNER, Group, Plan, SwarmTraining
from mycelial.lab.trading.tuning import calibrate

GROUPS = (Group("middle", (10_000_000,)), Group("thin", (250_000,)))
STEPS, EVERY, BOOKS = 81_920, 16_384, 64
SEEDS, WORLDS = 10, 4
HYPER = replace(LEARNER, explore=0.3)
GAMMA = 0.01  # times 1 / half spread
OURS, OTHERS = "#D55E00", "#0072B2"
UNIT = "half spreads on a typical order, a team and episode"

Progress = Callable[[float, int], None]


@dataclass(frozen=True)
class Row:
    """One policy in one regime: profit after fees with its interval, and what the swarm earns more."""

    regime: str
    policy: str
    profit: Estimate
    swarm_gains: Difference | None


@dataclass(frozen=True)
class Demonstration:
    """What was seen: `curve` holds steps and mean profit of each group, `rows` the table."""

    agents: int
    curve: list[dict[str, Any]]
    rows: list[Row]
    adopted: int
    seeds: int
    worlds: int

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {
            "agents": self.agents,
            "unit": UNIT,
            "curve": self.curve,
            "adopted": self.adopted,
            "rows": [
                {
                    "regime": row.regime,
                    "policy": row.policy,
                    "profit": row.profit.value,
                    "ci": [row.profit.low, row.profit.high],
                    "swarm_gains": None if row.swarm_gains is None else row.swarm_gains.estimate.value,
                    "p_holm": None if row.swarm_gains is None else row.swarm_gains.p_adjusted,
                }
                for row in self.rows
            ],
        }


def demonstrate(
    seed: int, progress: Progress | None = None, *, steps: int = STEPS, seeds: int = SEEDS, worlds: int = WORLDS
) -> Demonstration:
    """Train a swarm of two groups and judge it in held-out worlds; well under a minute once kernels are compiled."""
    signed = find_spec("cryptography") is not None  # without it nobody can sign, so nobody gossips
    plan = Plan(
        groups=GROUPS, books=BOOKS, steps=steps, every=EVERY, hyper=HYPER, gossip=signed, gate=False, average=0.9
    )
    training = SwarmTraining(plan, seed)
    training.curve.append({"steps": 0, **training.evaluate(8)})
    while not training.done:
        training.advance()
        training.curve.append({"steps": training.steps, **training.evaluate(8)})
        if progress is not None:
            progress(min(1.0, training.steps / steps), training.steps)
    rows: list[Row] = []
    for group in GROUPS:
        config = plan.config(group)
        ours = play(config, Trained(training.teams()[group.name]), range(seeds), worlds)
        others = [play(config, one, range(seeds), worlds) for one in _baselines(plan, group)]
        gains = holm({one.name: paired(ours.scores, one.scores) for one in others})
        rows.append(Row(group.regime, ours.name, estimate(ours.scores), None))
        rows += [Row(group.regime, one.name, estimate(one.scores), gains[one.name]) for one in others]
    return Demonstration(len(GROUPS) * plan.seats, training.curve, rows, training.verdicts["adopted"], seeds, worlds)


def _baselines(plan: Plan, group: Group) -> list[Policy]:
    config = plan.config(group)
    unit = config.regime.half_spread_ticks
    stoikov = AvellanedaStoikov(GAMMA / unit, calibrate(config, worlds=4), fees=True)
    return [FixedSpread(0.65), stoikov, Random(), DoNothing()]


def section(found: Demonstration) -> Section:
    """Return the part of a report that shows the demonstration.

    Raises
    ------
    MissingExtra
        Without plotly.
    """
    try:
        import plotly.graph_objects as go
    except ModuleNotFoundError as error:
        raise MissingExtra("plotly", "report", "learning curves") from error
    figure = go.Figure()
    steps = [point["steps"] for point in found.curve]
    for colour, group in zip((OURS, OTHERS), GROUPS, strict=True):
        name = group.regime
        figure.add_scatter(
            x=steps, y=[point[group.name] for point in found.curve], name=f"swarm, {name}", line={"color": colour}
        )
        best = max(
            (row for row in found.rows if row.regime == name and row.swarm_gains is not None),
            key=lambda row: row.profit.value,
        )
        figure.add_scatter(
            x=[steps[0], steps[-1]],
            y=[best.profit.value] * 2,
            name=f"{best.policy}, {name}",
            line={"color": colour, "dash": "dot"},
        )
    figure.update_layout(
        xaxis_title="environment steps of a group",
        yaxis_title="profit after fees",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"t": 20},
    )
    body = "".join(
        f"<tr><td>{escape(row.regime)}</td><td>{escape(row.policy)}</td>"
        f'<td class="number">{row.profit.value:.1f}</td>'
        f'<td class="number">{row.profit.low:.1f} to {row.profit.high:.1f}</td>'
        f'<td class="number">{gain_text(row)}</td></tr>'
        for row in found.rows
    )
    head = (
        "<tr><th>market</th><th>policy</th><th>profit (IQM)</th><th>95 % interval</th><th>swarm earns more by</th></tr>"
    )
    return Section(
        "A swarm learns to make markets",
        f"{found.agents} agents in two groups trade two living markets and gossip what they learn. Profit after the "
        f"exchange's fees in {found.seeds} held-out seeds of {found.worlds} worlds, in {UNIT}; dotted: the best "
        "baseline.",
        (figure,),
        f"<table><thead>{head}</thead><tbody>{body}</tbody></table>",
    )


def gain_text(row: Row) -> str:
    """Return by how much the swarm is ahead, with its interval; empty for the swarm itself."""
    if row.swarm_gains is None:
        return ""
    gain = row.swarm_gains.estimate
    return f"{gain.value:+.1f} [{gain.low:.1f}, {gain.high:.1f}]"
