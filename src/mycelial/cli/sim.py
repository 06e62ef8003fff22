"""Commands of `mycelial sim`: simulate worlds, show what a run recorded, draw its learning curves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mycelial.cli import replay as replaying
from mycelial.cli.options import ConfigFiles, Json, Seed, Settings, load_config
from mycelial.cli.output import COMPILING, note, print_json

if TYPE_CHECKING:
    from mycelial.compose import Recorded

app = typer.Typer(no_args_is_help=True, help="Simulate worlds and show what they recorded.")

RUNS = Path("runs")
RunFolder = Annotated[Path, typer.Argument(help="A run directory.")]


@app.command()
def run(
    config: ConfigFiles = None,
    set_: Settings = None,
    assets: Annotated[int | None, typer.Option(min=1, help="Assets of one world.")] = None,
    runs: Annotated[int | None, typer.Option(min=1, help="Independent worlds.")] = None,
    seed: Seed = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Threads; results do not depend on it. [default: one per core]")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Run directory. [default: runs/DATE-PRESET-SEED]")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that is there.")] = False,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Simulate worlds of SYMBA agents and record them; the same seed gives the same bytes."""
    loaded = load_config(
        config,
        set_,
        {
            "seed": ("--seed", seed),
            "simulation.assets": ("--assets", assets),
            "simulation.runs": ("--runs", runs),
            "simulation.threads": ("--workers", workers),
        },
    )
    directory = out or _free_name(f"{_now()[:10]}-{loaded.config.population.symba.preset}-{loaded.config.seed}")
    recorded = record_with_progress(loaded.config, directory, overwrite=overwrite, quiet=quiet)
    document = result_document(recorded)
    if json:
        print_json(document)
    note(
        f"{document['steps']:,} days of {document['assets']} assets x {document['runs']} run(s): "
        f"{document['agent_steps']:,} agent-steps in {document['cpu_seconds']:.1f} CPU-seconds "
        f"({document['agent_steps_per_cpu_second'] or 0:,.0f} a second), {document['peak_rss_mb']:,.0f} MB"
    )
    note(f"fingerprint {document['fingerprint']}\nwrote {directory}")
    note(f"next: mycelial facts compare {directory} binance-btc-2018-2022")


@app.command()
def show(directory: RunFolder, json: Json = False) -> None:
    """Show what a run simulated and how to run it again."""
    from mycelial.compose import manifest

    found = manifest(directory)
    if json:
        print_json({"run": str(directory), **found})
    else:
        lines = {
            "preset": found["preset"],
            "seed": found["seed"],
            "worlds": f"{found['runs']} of {found['assets']} assets, {found['params']['agents']} agents",
            "days": f"{found['days']}, of which the first {found['learning_days']} are for learning",
            "minds": found["params"]["minds"],
            "started": found["started"],
            "finished": found["finished"],
            "took": f"{found['cpu_seconds']:.1f} CPU-seconds",
            "fingerprint": found["fingerprint"],
            "again": f"mycelial sim run -c {directory / 'config.lock.toml'} --out {directory}-again",
        }
        typer.echo(str(directory))
        for name, text in lines.items():
            typer.echo(f"  {name:<12} {text}")
    note(f"next: mycelial facts compute {directory}")


@app.command()
def curves(
    directory: RunFolder,
    against: Annotated[
        Path | None, typer.Option("--against", help="A run to compare with, usually of zero-intelligence minds.")
    ] = None,
    json: Json = False,
) -> None:
    """Show learning curves: the mean year-to-date NAV of each accounting year, and by decile of final performance."""
    from mycelial.compose import market_run

    folders = [directory, *([against] if against else [])]
    drawn = [(folder, market_run(folder)) for folder in folders]
    if json:
        print_json(
            {
                "curves": [
                    {
                        "run": str(folder),
                        "minds": one.minds,
                        "judged": one.curves.judged,
                        "learning_days": one.curves.learning_days,
                        "end_day": one.curves.end_day,
                        "nav_pct": one.curves.mean,
                        "half_width": one.curves.half_width,
                        "deciles": one.curves.deciles,
                    }
                    for folder, one in drawn
                ]
            }
        )
    else:
        for folder, one in drawn:
            typer.echo(f"{folder} ({one.minds}): NAV at the end of each accounting year, % of its opening")
            typer.echo("  until day    mean  (95 %)   best tenth  worst tenth")
            for year, day in enumerate(one.curves.end_day):
                phase = "" if one.curves.judged[year] else "  learning phase"
                figures = (one.curves.mean[year], one.curves.half_width[year], *one.curves.deciles[[0, -1], year])
                mean, half_width, best, worst = ("-" if figure != figure else f"{figure:.1f}" for figure in figures)
                typer.echo(f"  {day:>9,} {mean:>7}  ±{half_width:<5} {best:>11} {worst:>12}{phase}")
    if against is None:
        again = f"-c {directory / 'config.lock.toml'} --set population.symba.minds=zero_intelligence"
        note(f"next: mycelial sim run {again} --out {directory}-zi")
    else:
        note(f"next: mycelial facts report {directory} binance-btc-2018-2022 --against {against}")


app.command("replay")(replaying.replay)


def record_with_progress(
    config: Any,
    directory: Path,
    *,
    overwrite: bool,
    title: str = "days",
    waiting: str | None = COMPILING,
    quiet: bool = False,
) -> Recorded:
    """Simulate and record what a configuration says; Ctrl-C leaves nothing behind and says how to run it again."""
    import shlex

    from mycelial.cli.progress import fraction_bar
    from mycelial.compose import record
    from mycelial.domain.errors import Interrupted

    try:
        if quiet:
            return record(config, directory, now=_now, overwrite=overwrite)
        with fraction_bar(title, waiting=waiting) as bar:
            return record(
                config,
                directory,
                now=_now,
                overwrite=overwrite,
                progress=lambda done, total: bar(done / total, done),
            )
    except KeyboardInterrupt:
        again = shlex.join(["mycelial", *sys.argv[1:]])
        raise Interrupted(f"interrupted; nothing was written; run it again: {again}") from None


def result_document(recorded: Recorded) -> dict[str, Any]:
    """Return the document that `mycelial sim run --json` prints."""
    manifest = recorded.manifest
    seconds = manifest["cpu_seconds"]
    return {
        "run": recorded.directory.name,
        "out": str(recorded.directory),
        "preset": manifest["preset"],
        "seed": manifest["seed"],
        "steps": manifest["days"],
        "assets": manifest["assets"],
        "runs": manifest["runs"],
        "agent_steps": manifest["agent_steps"],
        "cpu_seconds": seconds,
        "agent_steps_per_cpu_second": manifest["agent_steps"] / seconds if seconds > 0 else None,
        "peak_rss_mb": recorded.peak_rss_mb,
        "fingerprint": manifest["fingerprint"],
    }


def _free_name(name: str) -> Path:
    """Return a directory under runs/ that is not taken."""
    number = 1
    while (RUNS / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return RUNS / (name if number == 1 else f"{name}-{number}")


def _now() -> str:
    import datetime as dt

    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
