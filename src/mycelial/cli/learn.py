"""Commands of `mycelial learn`: train a swarm, go on, judge, export; `bench` climbs the public ladder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mycelial.cli import trading
from mycelial.cli.options import ConfigFiles, Json, Settings, load_config
from mycelial.cli.output import COMPILING, note, print_json
from mycelial.cli.progress import fraction_bar

if TYPE_CHECKING:
    from mycelial.config import Loaded
    from mycelial.lab.ladder import Bench

app = typer.Typer(no_args_is_help=True, help="How the swarm learns: training, the public ladder, exported policies.")

app.command()(trading.run)
app.command()(trading.resume)
app.command("eval")(trading.evaluate)
app.command()(trading.export)

DEFAULT_ORIGIN = "default"
DEFAULT_OUT = Path("runs") / "ladder"


@app.command()
def bench(
    task: Annotated[str, typer.Option("--task", "-t", help="Task of the ladder, e.g. climbing, lbf-8x8-2p-2f-coop.")],
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings, with root seeds 0, 1, ...")] = 10,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Environment steps of each; the task's budget by default.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Where seeds are kept; done ones are not trained again.")] = (
        DEFAULT_OUT
    ),
    workers: Annotated[int, typer.Option("--workers", min=1, help="Seeds trained at a time.")] = 1,
    hyper: Annotated[
        list[str] | None, typer.Option("--hyper", metavar="NAME=VALUE", help="Change a number of the learner.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Write the learning curves: .html or .svg.")] = None,
    memory: Annotated[float, typer.Option("--memory", min=1, help="MiB that one training may take.")] = 4_096,
    config: ConfigFiles = None,
    set_: Settings = None,
    as_json: Json = False,
) -> None:
    """Train on a public task and say how good the final policies are, with all seeds and an interval."""
    from mycelial.domain.errors import Interrupted
    from mycelial.lab.ladder import RUNGS, run_bench

    asked = _bench_of(task, seeds, steps, hyper, load_config(config, set_))
    if task in RUNGS:
        from mycelial.learning.budget import keep_within

        rung = RUNGS[task]
        needed = keep_within(rung.task(rung.books, True), asked.hyper, memory)
        note(f"memory: about {needed:,.0f} MiB a training, {workers} at a time")
    try:
        with fraction_bar(f"{task}, {seeds} seeds", waiting=COMPILING) as progress:
            document = run_bench(asked, out, progress, workers)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; finished seeds and checkpoints are in {out}: the same command goes on from there"
        ) from None
    if plot is not None:
        _plot(asked, out, plot)
    if as_json:
        print_json(document)
    else:
        _show(document)
    if document["depth"] or task not in RUNGS:
        note("next: mycelial learn bench --task lbf-5x5-2p-1f-coop --seeds 10")
    else:
        note(f"next: mycelial learn bench --task {task} --seeds {seeds} --plot curves.html")


def _bench_of(task: str, seeds: int, steps: int | None, hyper: list[str] | None, loaded: Loaded) -> Bench:
    """Return the bench asked for.

    Matrix games take their learner from the configuration. Tasks of many steps have numbers of their own; only what
    was set on purpose changes them.
    """
    from mycelial.environment.tasks.matrix import GAMES
    from mycelial.lab.ladder import Bench

    learning = loaded.config.swarm.learning
    if task in GAMES:
        depth = learning.best_response.depth if learning.credit == "vdn" else 0
        return Bench(task, seeds, steps, depth, learning.best_response.announced, learning.credit)
    said = {
        "credit": learning.credit,
        "sharing": learning.sharing,
        "memory": learning.memory,
        "best_response.depth": learning.best_response.depth,
    }
    chosen = {
        name.rpartition(".")[2]: value
        for name, value in said.items()
        if loaded.origin[f"swarm.learning.{name}"] != DEFAULT_ORIGIN
    }
    changes = {**chosen, **_changes(hyper)}
    return Bench(task, seeds, steps, int(changes.get("depth", 0)), changes=changes)


def _changes(given: list[str] | None) -> dict[str, Any]:
    """Return NAME=VALUE pairs with the type that the learner's number has."""
    from mycelial.domain.errors import ConfigError
    from mycelial.learning.hyper import Hyper

    standard, found = Hyper().to_dict(), {}
    for one in given or []:
        name, equals, text = one.partition("=")
        if not equals or name not in standard:
            raise ConfigError(f"--hyper {one}: write NAME=VALUE with a name of {', '.join(standard)}")
        kind = type(standard[name])
        try:
            found[name] = text.lower() in ("true", "1", "yes") if kind is bool else kind(text)
        except ValueError:
            raise ConfigError(f"--hyper {one}: {name} is of kind {kind.__name__}") from None
    return found


def _plot(asked: Bench, folder: Path, path: Path) -> None:
    from mycelial.lab.ladder_page import curves_page

    curves_page(asked, folder, path)
    note(f"wrote {path}")


def _show(document: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    low, high = document["ci"]
    table = Table(title=f"{document['task']}: {document['seeds']} seeds of {document['steps']:,} steps")
    table.add_column("what")
    table.add_column("value", justify="right")
    table.add_row("interquartile mean", f"{document['iqm']:.3f}")
    table.add_row("95 % interval", f"{low:.3f} to {high:.3f}")
    table.add_row("worst and best seed", f"{min(document['scores']):.3f}, {max(document['scores']):.3f}")
    table.add_row("recursion depth", str(document["depth"]))
    table.add_row("steps per CPU-second", f"{document['steps_per_cpu_second']:,.0f}")
    for name, value in document["baselines"].items():
        table.add_row(f"baseline: {name}", f"{value:.3f}" if isinstance(value, float) else str(value))
    Console(stderr=True).print(table)
