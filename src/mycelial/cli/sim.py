"""Commands of `mycelial sim`: simulate worlds and markets, show what a run recorded, draw its learning curves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mycelial.cli import intraday
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
    market: Annotated[
        str, typer.Option("--market", help="daily: worlds of SYMBA agents; intraday: a living order book.")
    ] = "daily",
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            "--scenario",
            metavar="X01[:LEVEL][@SECONDS]",
            help="Intraday: a stress scenario (see `mycelial sim scenarios`) or a file of your own; repeat to combine.",
        ),
    ] = None,
    preset: Annotated[
        str, typer.Option("--preset", help="Intraday: default, kraken-btcusd, rmsc04 or a pair such as kraken-ethusd.")
    ] = intraday.STANDARD_PRESET,
    seconds: Annotated[float, typer.Option("--seconds", min=1.0, help="Intraday: how long it lives.")] = (
        intraday.STANDARD_SECONDS
    ),
    agents: Annotated[int | None, typer.Option("--agents", min=1, help="Intraday: another number of agents.")] = None,
    pair: Annotated[
        str | None, typer.Option("--pair", help="Intraday: another name of the pair, e.g. BTC/USDT.")
    ] = None,
    against_calm: Annotated[
        bool, typer.Option("--against-calm", help="Intraday: run the same market without the scenario, too.")
    ] = False,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Simulate worlds of SYMBA agents, or an intraday market, and record them; the same seed gives the same bytes."""
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
    if market == "intraday" or (market == "daily" and scenario):
        _refuse({"--assets": assets, "--runs": runs, "--workers": workers}, "is of daily markets; leave it out")
        intraday.run_market(
            preset=preset,
            scenarios=scenario or [],
            seconds=seconds,
            seed=loaded.config.seed,
            agents=agents,
            pair=pair,
            against_calm=against_calm,
            out=out or _free_name(f"{now()[:10]}-{preset}-{loaded.config.seed}"),
            overwrite=overwrite,
            json=json,
            quiet=quiet,
        )
        return
    if market != "daily":
        raise typer.BadParameter(f"{market!r}: choose daily or intraday", param_hint="--market")
    _refuse({"--agents": agents, "--pair": pair, "--against-calm": against_calm or None}, "needs --market intraday")
    directory = out or _free_name(f"{now()[:10]}-{loaded.config.population.symba.preset}-{loaded.config.seed}")
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
def scenarios(json: Json = False) -> None:
    """List the packaged stress scenarios, what they imitate, and their levels from the mildest to the most severe."""
    from mycelial.simulation.scenarios import stress_test, stress_test_names

    tests = [stress_test(name) for name in stress_test_names()]
    if json:
        print_json(
            {
                "scenarios": [
                    {
                        "id": one.id,
                        "title": one.title,
                        "anchor": one.anchor,
                        "source": one.source,
                        "levels": {level: scenario.end_ns / 1e9 for level, scenario in one.levels.items()},
                    }
                    for one in tests
                ]
            }
        )
    else:
        for one in tests:
            typer.echo(f"{one.id}  {one.title}: {', '.join(one.levels)}")
    note("next: mycelial sim run --market intraday --scenario X01:thin-book --against-calm")


@app.command()
def show(directory: RunFolder, json: Json = False) -> None:
    """Show what a run simulated and how to run it again."""
    from mycelial.compose import manifest, market_manifest

    of_market = market_manifest(directory)
    if of_market is not None:
        if json:
            print_json({"run": str(directory), **of_market})
        else:
            intraday.show_market(directory, of_market)
        note(f"next: mycelial sim replay {directory}")
        return
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
            return record(config, directory, now=now, overwrite=overwrite)
        with fraction_bar(title, waiting=waiting) as bar:
            return record(
                config,
                directory,
                now=now,
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


def _refuse(options: dict[str, Any], why: str) -> None:
    """Refuse options that were given to the wrong kind of market."""
    for name, value in options.items():
        if value is not None:
            raise typer.BadParameter(why, param_hint=name)


def _free_name(name: str) -> Path:
    """Return a directory under runs/ that is not taken."""
    number = 1
    while (RUNS / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return RUNS / (name if number == 1 else f"{name}-{number}")


def now() -> str:
    """Return the time as text, for manifests."""
    import datetime as dt

    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
