"""Commands of `mycelial learn` on the trading swarm: train it, go on, judge it, export it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mycelial.cli.options import ConfigFiles, Json, Settings, load_config
from mycelial.cli.output import COMPILING, NOTICE, note, print_json
from mycelial.cli.progress import fraction_bar

if TYPE_CHECKING:
    from mycelial.lab.trading.training import Group, Plan, SwarmTraining

Folder = Annotated[Path, typer.Argument(help="Folder of the training.")]
Memory = Annotated[float | None, typer.Option("--memory", min=256.0, help="Most memory, MiB; kept, or refused.")]


def run(
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the training. [default: runs/swarm-SEED]")
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Environment steps of each group.")] = 393_216,
    groups: Annotated[
        str | None,
        typer.Option(
            "--groups",
            metavar="REGIME:USD,...",
            help="Regime and 30-day volume of each group, e.g. middle:10000000,thin:50000.",
        ),
    ] = None,
    books: Annotated[int, typer.Option("--books", min=1, help="Markets of a group side by side.")] = 64,
    sharing: Annotated[str, typer.Option("--sharing", help="none, or group: members of a group share weights.")] = (
        "group"
    ),
    central: Annotated[bool, typer.Option("--central", help="One learner for all markets instead of a swarm.")] = False,
    isolated: Annotated[bool, typer.Option("--isolated", help="No gossip between groups.")] = False,
    gate: Annotated[bool, typer.Option("--gate", help="Try a merge in private worlds before adopting it.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Root seed.")] = None,
    memory: Memory = None,
    config: ConfigFiles = None,
    set_: Settings = None,
    as_json: Json = False,
) -> None:
    """Train groups of makers in living markets, gossiping; stop it at any time, `learn resume` goes on exactly."""
    from mycelial.lab.trading.folder import begin

    settings = load_config(config, set_, {"seed": ("--seed", seed)}).config
    plan = _plan(settings, steps, groups, books, sharing, central=central, isolated=isolated, gate=gate)
    folder = out or Path("runs") / f"swarm-{settings.seed}"
    begin(folder, plan, settings.seed, f"mycelial {shlex.join(sys.argv[1:])}")
    _train(folder, memory, as_json)


def resume(folder: Folder, memory: Memory = None, as_json: Json = False) -> None:
    """Go on with a training from its last checkpoint, to the same last bit."""
    _train(folder, memory, as_json)


def evaluate(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of a training or of exported teams. [default: the package's]")
    ] = None,
    team: Annotated[str, typer.Option("--team", help="Team to judge, by regime and volume.")] = "middle-10m",
    regime: Annotated[
        str | None, typer.Option("--regime", help="Judge it in another market: liquid, middle or thin.")
    ] = None,
    volume: Annotated[
        list[int] | None,
        typer.Option("--volume", min=0, help="30-day volume in USD that seats begin with; repeatable."),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=2, help="Held-out seeds.")] = 10,
    worlds: Annotated[int, typer.Option("--worlds", min=1, help="Worlds of each seed.")] = 16,
    tuning: Annotated[
        int, typer.Option("--tuning", min=1, help="Worlds in which each candidate of a baseline is tried beforehand.")
    ] = 16,
    wide: Annotated[bool, typer.Option("--wide", help="Worlds outside of the range of training.")] = False,
    as_json: Json = False,
) -> None:
    """Judge a team in held-out worlds against every baseline, with paired intervals; nothing is picked afterwards."""
    from mycelial.environment.trading import TradingConfig
    from mycelial.environment.trading import regime as regime_named
    from mycelial.lab.trading.folder import group_of, load_team, team_hash
    from mycelial.lab.trading.judging import judge

    found = load_team(folder, team)
    home = group_of(found)
    market = regime_named(regime or home.regime)
    with fraction_bar(f"{team} in {market.name}, {seeds} seeds", waiting=COMPILING) as progress:
        document = judge(
            found,
            TradingConfig(regime=market, seats=found.agents),
            volume or list(home.volumes_usd),
            seeds=seeds,
            worlds=worlds,
            wide=wide,
            tuning=tuning,
            progress=progress,
        )
    document |= {
        "team": team,
        "hash": team_hash(found),
        "command": f"mycelial {shlex.join(sys.argv[1:])}",
        "notice": NOTICE,
    }
    if as_json:
        print_json(document)
    else:
        _show(document)
    note(f"next: mycelial learn eval --team {team} --wide" if not wide else "next: mycelial learn run")


def export(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", help="Where teams and manifest go.")] = Path("teams"),
    as_json: Json = False,
) -> None:
    """Write the policies of a training, with a manifest of seeds, budget, hashes and command."""
    from mycelial.lab.trading.folder import export as write

    manifest = write(folder, out)
    if as_json:
        print_json(manifest)
    else:
        for name, one in manifest["teams"].items():
            note(f"{out / one['file']}  {name}, {manifest['steps']:,} steps, {one['hash'][:16]}")
    note(f"next: mycelial learn eval {out} --team {next(iter(manifest['teams']))}")


def _plan(
    settings: Any,
    steps: int,
    groups: str | None,
    books: int,
    sharing: str,
    *,
    central: bool,
    isolated: bool,
    gate: bool,
) -> Plan:
    from dataclasses import replace

    from mycelial.domain.errors import ConfigError
    from mycelial.lab.trading.training import GROUPS, LEARNER, Plan

    if sharing not in ("none", "group"):
        raise ConfigError(f"--sharing {sharing}: must be none or group")
    swarm = settings.swarm
    return Plan(
        groups=_groups(groups) if groups else GROUPS,
        seats=swarm.group_size,
        books=books,
        steps=steps,
        hyper=replace(LEARNER, sharing="group" if sharing == "group" else "none", credit=swarm.learning.credit),
        gossip=not isolated and not central,
        gate=gate,
        central=central,
    )


def _groups(text: str) -> tuple[Group, ...]:
    """Return the groups of ``regime:volume,...``."""
    from mycelial.domain.errors import ConfigError
    from mycelial.environment.trading import regime
    from mycelial.lab.trading.training import Group

    found = []
    for one in text.split(","):
        name, colon, volume = one.strip().partition(":")
        if not colon or not volume.isdigit():
            raise ConfigError(f"--groups {one}: write REGIME:USD, e.g. middle:10000000,thin:50000")
        found.append(Group(regime(name).name, (int(volume),)))
    return tuple(found)


def _train(folder: Path, memory: float | None, as_json: bool) -> None:
    from mycelial.domain.errors import Interrupted
    from mycelial.lab.trading.folder import TEAMS, needed_mib, opened, train_in, used_mib

    plan, seed, _ = opened(folder)
    note(f"swarm of {len(plan.groups)} groups x {plan.seats} seats, seed {seed}; about {needed_mib(plan):,.0f} MiB")
    told = 0
    try:
        with fraction_bar(f"training {folder.name}", waiting=COMPILING) as progress:

            def show(training: SwarmTraining) -> None:
                nonlocal told
                progress(min(1.0, training.steps / plan.steps), training.steps)
                if len(training.curve) > told:
                    told = len(training.curve)
                    point = dict(training.curve[-1])
                    steps = point.pop("steps")
                    profits = "  ".join(f"{name} {value:+.1f}" for name, value in point.items())
                    note(f"  {steps:>10,} steps  {profits}  {used_mib():,.0f} MiB")

            training = train_in(folder, show, memory_mib=memory)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; the last checkpoint is kept: mycelial learn resume {folder}") from None
    if as_json:
        print_json({"folder": str(folder), "steps": training.steps, "curve": training.curve, "notice": NOTICE})
    note(f"{NOTICE}\nnext: mycelial learn eval {folder / TEAMS}")


def _show(document: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True, width=None if sys.stderr.isatty() else 120)
    for found in document["tables"]:
        table = Table(title=f"{document['regime']}, {found['volume_usd']:,} USD in 30 days; {document['unit']}")
        for heading in ("policy", "profit (IQM)", "95 % interval", "swarm better by", "95 %", "p (Holm)", "CVaR 5 %"):
            table.add_column(heading, justify="left" if heading == "policy" else "right")
        for row in found["rows"]:
            low, high = row["ci"]
            cells = [row["policy"], f"{row['iqm']:.1f}", f"{low:.1f} to {high:.1f}"]
            if "difference" in row:
                less, more = row["difference_ci"]
                cells += [f"{row['difference']:+.1f}", f"{less:.1f} to {more:.1f}", f"{row['p_holm']:.4f}"]
            else:
                cells += ["", "", ""]
            table.add_row(*cells, f"{row['cvar_5']:.1f}")
        console.print(table)
    console.print(f"[yellow]{NOTICE}[/]")
