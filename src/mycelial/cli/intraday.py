"""`mycelial sim run --market intraday`: a living order book, with or without scenarios, recorded and measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mycelial.cli.output import COMPILING, note, print_json

if TYPE_CHECKING:
    from mycelial.simulation.stress import Trial, TrialResult

STANDARD_PRESET = "kraken-btcusd"
STANDARD_SECONDS = 600.0

# What is shown of the figures; the document holds all of them.
SHOWN = (
    *("rv_1s", "deepest_fall", "crashes", "branching_trades"),
    *("quoted_spread_bp", "effective_spread_bp", "depth_25bp", "least_depth_25bp", "cost_10"),
    *("resilience_depth_s", "resilience_spread_s", "kyle_lambda", "rmse_worth", "half_life_worth_s"),
    *("variance_ratio_10", "lsv", "action_correlation", "effective_agents", "stop_overlap"),
)


def run_market(
    *,
    preset: str,
    scenarios: list[str],
    seconds: float,
    seed: int,
    agents: int | None,
    pair: str | None,
    against_calm: bool,
    out: Path,
    overwrite: bool,
    json: bool,
    quiet: bool,
) -> None:
    """Run, record and report one market; see `mycelial sim run --help`."""
    from mycelial.compose import scenario_of, trial_of

    trial = trial_of(preset, scenario_of(scenarios), seconds=seconds, seed=seed, agents=agents, pair=pair)
    result, manifest = _recorded(trial, preset, out, overwrite=overwrite, quiet=quiet)
    calm = _calm(trial, quiet=quiet) if against_calm else None
    if json:
        print_json(_document(out, manifest, calm))
    _show(result, calm)
    for one in result.happened:
        note(f"  {one.time_ns / 1e9 - trial.warm_up_s:>8.1f} s  {one.kind}: {one.what}")
    for left in manifest["left_out"]:
        note(f"  left out: {left}, which does not concern {trial.instrument.symbol}")
    note(
        f"{trial.seconds:,.0f} s of {trial.instrument.symbol}, {trial.population.agents:,} agents, {result.messages:,} "
        f"messages in {manifest['cpu_seconds']:.1f} CPU-seconds; cash and assets are conserved to the last unit"
    )
    note(f"fingerprint {manifest['fingerprint']}\nwrote {out}")
    note(f"next: mycelial sim replay {out}")


def _recorded(
    trial: Trial, preset: str, out: Path, *, overwrite: bool, quiet: bool
) -> tuple[TrialResult, dict[str, Any]]:
    import shlex
    import sys

    from mycelial.cli.progress import fraction_bar
    from mycelial.cli.sim import now
    from mycelial.compose import record_trial
    from mycelial.domain.errors import Interrupted

    try:
        if quiet:
            return record_trial(trial, out, preset=preset, now=now, overwrite=overwrite)
        with fraction_bar("market", waiting=COMPILING) as bar:
            return record_trial(
                trial,
                out,
                preset=preset,
                now=now,
                overwrite=overwrite,
                progress=lambda done: bar(done, round(done * trial.seconds)),
            )
    except KeyboardInterrupt:
        again = shlex.join(["mycelial", *sys.argv[1:]])
        raise Interrupted(f"interrupted; nothing was written; run it again: {again}") from None


def _calm(trial: Trial, *, quiet: bool) -> TrialResult:
    from mycelial.cli.progress import fraction_bar
    from mycelial.simulation.stress import run_trial

    if quiet:
        return run_trial(trial.calm)
    with fraction_bar("the same market without the scenario") as bar:
        return run_trial(trial.calm, progress=lambda done: bar(done, round(done * trial.seconds)))


def _document(out: Path, manifest: dict[str, Any], calm: TrialResult | None) -> dict[str, Any]:
    without = {} if calm is None else {"calm": {"fingerprint": f"{calm.digest:016x}", "stability": calm.figures}}
    return {"run": out.name, "out": str(out), **{k: v for k, v in manifest.items() if k != "population"}, **without}


def _show(result: TrialResult, calm: TrialResult | None) -> None:
    from rich.console import Console
    from rich.table import Table

    from mycelial.simulation.stress import FIGURES

    table = Table("figure", box=None, title=f"Stability, {result.trial.scenario.name}")
    for heading in ("value", *(("calm", "ratio") if calm is not None else ())):
        table.add_column(heading, justify="right")
    table.add_column("meaning")
    for name in SHOWN:
        value = result.figures[name]
        cells = [_number(value)]
        if calm is not None:
            usual = calm.figures[name]
            cells += [_number(usual), _number(value / usual) if usual else "-"]
        table.add_row(name, *cells, FIGURES[name])
    Console(stderr=True, width=None if typer.get_text_stream("stderr").isatty() else 160).print(table)


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.3g}"


def show_market(directory: Path, found: dict[str, Any]) -> None:
    """Print what a run of an intraday market was."""
    lines = {
        "market": f"intraday, {found['preset']}, {found['pair']}",
        "scenario": found["scenario"],
        "seed": found["seed"],
        "time": f"{found['seconds']:,.0f} s after {found['warm_up_s']:,.0f} s of warming up",
        "agents": f"{found['agents']:,}",
        "messages": f"{found['messages']:,}, {found['dropped']:,} lost, {found['throttled']:,} refused by rate",
        "started": found["started"],
        "finished": found["finished"],
        "took": f"{found['cpu_seconds']:.1f} CPU-seconds",
        "fingerprint": found["fingerprint"],
    }
    typer.echo(str(directory))
    for name, text in lines.items():
        typer.echo(f"  {name:<12} {text}")
    for one in found["happened"]:
        typer.echo(f"  {one['at_s']:>10.1f} s  {one['kind']}: {one['what']}")
