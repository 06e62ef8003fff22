"""Commands of `mycelial calibrate`: search parameters, go on after an interruption, report, test the paper's claims."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mycelial.cli.output import note, print_json
from mycelial.cli.progress import LINE_EVERY

if TYPE_CHECKING:
    from mycelial.lab.calibration import Study
    from mycelial.simulation.calibrate import Space, Trial

app = typer.Typer(no_args_is_help=True, help="Find parameters whose market looks like the real one.")


class Search(StrEnum):
    """How points are chosen."""

    AUTO = "auto"
    GRID = "grid"
    TPE = "tpe"


class MeasureName(StrEnum):
    """Distance of each statistic."""

    W1 = "w1"
    KS = "ks"


class ExecutorName(StrEnum):
    """Where worlds are simulated."""

    PROCESSES = "processes"
    RAY = "ray"


Folder = Annotated[Path, typer.Argument(help="Folder of the study.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes; never changes a result.")]
ExecutorOption = Annotated[ExecutorName, typer.Option("--executor", help="Where worlds are simulated.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Agents = Annotated[int | None, typer.Option("--agents", min=2, help="Override the preset's agents.")]
Days = Annotated[int | None, typer.Option("--days", min=20, help="Override days, learning included.")]
LearningDays = Annotated[int | None, typer.Option("--learning-days", min=0, help="Override learning days.")]
SetParameter = Annotated[
    list[str] | None, typer.Option("--set", help="Override any parameter of the preset: NAME=VALUE; repeatable.")
]


@app.command()
def run(
    panel: Annotated[Path, typer.Option("--panel", help="Candle file (parquet, CSV) or catalogue of real coins.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the new study.")],
    space: Annotated[str, typer.Option("--space", help="paper, code, extended, or a TOML file.")] = "extended",
    preset: Annotated[str, typer.Option("--preset", help="Where the search begins, and every parameter it leaves.")] = (
        "extended"
    ),
    set_name: Annotated[str | None, typer.Option("--set-name", help="Window of the candles, e.g. W.")] = None,
    quote: Annotated[str | None, typer.Option("--quote", help="Keep symbols priced in this currency.")] = None,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="Points to try [100; a grid: all].")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Root of split, worlds and search.")] = 0,
    assets: Annotated[int, typer.Option("--assets", min=1, help="Assets of a full world.")] = 12,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Worlds per point at full size.")] = 2,
    agents: Agents = None,
    days: Days = None,
    learning_days: LearningDays = None,
    set_: SetParameter = None,
    search: Annotated[Search, typer.Option("--search", help="auto: grid if the space is one, else tpe.")] = Search.AUTO,
    points: Annotated[int | None, typer.Option("--points", min=1, help="Grid: this many points, by seed.")] = None,
    stride: Annotated[int, typer.Option("--stride", min=1, help="Grid: every stride-th point.")] = 1,
    measure: Annotated[MeasureName, typer.Option("--measure", help="Distance of each statistic.")] = MeasureName.W1,
    penalty_weight: Annotated[
        float, typer.Option("--penalty-weight", min=0.0, help="Weight of the shape checks; 0 leaves them out.")
    ] = 0.1,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Points proposed together; changes results.")] = 8,
    startup: Annotated[int, typer.Option("--startup", min=1, help="Points of the opening Sobol design.")] = 24,
    keep_share: Annotated[
        float, typer.Option("--keep-share", min=0.05, max=1.0, help="Share that goes on after the cheap rung.")
    ] = 0.4,
    cheap: Annotated[
        bool, typer.Option("--cheap-rung/--no-cheap-rung", help="Look at a third of the assets, one world, first.")
    ] = True,
    workers: Workers = 2,
    executor: ExecutorOption = ExecutorName.PROCESSES,
    as_json: AsJson = False,
) -> None:
    """Search the space against half of the real coins; the other half is kept for the report."""
    from mycelial.agents.symba.presets import preset as preset_named
    from mycelial.lab.calibration import Source, create, new_study
    from mycelial.simulation.calibrate.search import SearchPlan

    chosen = _space(space)
    base = preset_named(preset).replace(**_overrides(agents, days, learning_days, set_))
    on_grid = search is Search.GRID or (search is Search.AUTO and chosen.is_grid)
    grid = chosen.grid(points=points, stride=stride, seed=seed) if on_grid else None
    study = new_study(
        Source(str(panel.resolve()), set_name, quote),
        preset,
        base,
        chosen,
        SearchPlan(seed, batch, startup, keep_share),
        _rungs(assets, seeds, cheap=cheap and grid is None),
        trials or (100 if grid is None else len(grid)),
        measure=measure.value,
        penalty_weight=penalty_weight,
        grid=grid,
    )
    create(out, study)
    _search(out, workers, executor, as_json)


@app.command()
def resume(
    folder: Folder,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="Raise the number of trials to this.")] = None,
    workers: Workers = 2,
    executor: ExecutorOption = ExecutorName.PROCESSES,
    as_json: AsJson = False,
) -> None:
    """Go on with a study that was interrupted, or extend a finished one."""
    from mycelial.lab.calibration import extend, open_study

    _ = open_study(folder) if trials is None else extend(folder, trials)
    _search(folder, workers, executor, as_json)


@app.command()
def report(
    folder: Folder,
    top: Annotated[int, typer.Option("--top", min=1, help="Best points to validate.")] = 5,
    worlds: Annotated[int, typer.Option("--validation-seeds", min=1, help="Worlds per point, at full size.")] = 2,
    workers: Workers = 2,
    executor: ExecutorOption = ExecutorName.PROCESSES,
    as_json: AsJson = False,
) -> None:
    """Validate the best points on the coins kept from the search; write report.json and report.html."""
    from mycelial.domain.errors import Interrupted
    from mycelial.lab.calibration_report import REPORT_HTML, examine, write_findings
    from mycelial.lab.executors import executor_named

    started = time.monotonic()
    try:
        findings = examine(
            folder,
            executor_named(executor.value, workers),
            top=top,
            worlds=worlds,
            report=lambda done, total: note(
                f"validated {done}/{total}, {_duration(time.monotonic() - started)} so far"
            ),
        )
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; worlds so far are saved, go on with: mycelial calibrate report {folder}") from None
    write_findings(folder, findings)
    if as_json:
        print_json(findings.to_dict())
    best, held = findings.best[0], findings.held_out[0]
    note(
        f"trial {best.number}: {best.value:.4g} in the search, {held.value:.4g} on coins held out "
        f"(real fit coins there: {findings.yardstick['value']:.4g})"
    )
    for one in findings.profiles:
        note(f"  {one.name}: {one.verdict}")
    note(f"next: open {folder / REPORT_HTML} in a browser")


@app.command()
def sensitivity(
    preset: Annotated[str, typer.Option("--preset", help="reference or paper, or any other preset.")] = "paper",
    assets: Annotated[int, typer.Option("--assets", min=1, help="Assets of a world.")] = 1,
    seeds: Annotated[int, typer.Option("--seeds", min=3, help="Worlds per level.")] = 5,
    seed: Annotated[int, typer.Option("--seed", help="Root of the world seeds.")] = 0,
    agents: Agents = None,
    days: Days = None,
    learning_days: LearningDays = None,
    set_: SetParameter = None,
    out: Annotated[Path | None, typer.Option("--out", help="JSON file to write.")] = None,
    workers: Workers = 2,
    executor: ExecutorOption = ExecutorName.PROCESSES,
    as_json: AsJson = False,
) -> None:
    """Test what the paper claims of its parameters: slopes with intervals over seeds."""
    from functools import partial

    from mycelial.agents.symba.presets import preset as preset_named
    from mycelial.cli.progress import fraction_bar
    from mycelial.lab.executors import executor_named
    from mycelial.simulation.calibrate.sensitivity import design, judge_claims, measure
    from mycelial.simulation.calibrate.split import named_seeds

    base = preset_named(preset).replace(**_overrides(agents, days, learning_days, set_))
    worlds = design(named_seeds(seed, "sensitivity", seeds))
    figures = []
    with executor_named(executor.value, workers) as pool, fraction_bar("worlds") as progress:
        for figure in pool.map(partial(measure, base, assets), worlds):
            figures.append(figure)
            progress(len(figures) / len(worlds), len(figures))
    findings = judge_claims(worlds, figures)
    document = {
        "preset": preset,
        "parameters": base.to_dict(),
        "assets": assets,
        "seed": seed,
        "seeds": seeds,
        "findings": [one.to_dict() for one in findings],
    }
    if out is not None:
        from mycelial.adapters.data.atomic import write_atomically
        from mycelial.cli.output import json_text

        write_atomically(out, json_text(document).encode())
    if as_json:
        print_json(document)
    for one in findings:
        unit = " points" if one.claim.figure == "survival_pct" else ""
        shown = [f"{x:.3g}" if unit else f"{x:+.1%}" for x in (one.change, *one.interval)]
        note(
            f"{one.verdict}: {one.claim.words}; {shown[0]}{unit} (95 %: {shown[1]} to {shown[2]}), "
            f"R2 {one.linearity:.2f}"
        )
    note("next: mycelial calibrate run --space paper --help")


def _search(folder: Path, workers: int, executor: ExecutorName, as_json: bool) -> None:
    from mycelial.domain.errors import Interrupted
    from mycelial.lab.calibration import open_study, read_journal, run_study
    from mycelial.lab.executors import executor_named

    study = open_study(folder)
    done = len(read_journal(folder))
    note(
        f"{folder}: {study.trials} points of space {study.space.name!r}, {done} done; fitted to "
        f"{len(study.split.fit)} coins, {len(study.split.validation)} held out"
    )
    try:
        with _pace(done) as say:
            trials = run_study(folder, executor_named(executor.value, workers), say)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped after {len(read_journal(folder))} of {study.trials} trials, all saved; "
            f"go on with: mycelial calibrate resume {folder}"
        ) from None
    _conclude(folder, study, trials, as_json)


def _conclude(folder: Path, study: Study, trials: list[Trial], as_json: bool) -> None:
    from mycelial.simulation.calibrate.trial import ranked

    best = next(iter(ranked(trials)), None)
    counts = {state: sum(one.state == state for one in trials) for state in ("complete", "pruned", "failed")}
    if as_json:
        print_json(
            {
                "study": str(folder),
                "space": study.space.name,
                "trials": len(trials),
                "states": counts,
                "best": None if best is None else best.to_dict(),
            }
        )
    if best is None:
        note(f"no point traded to the end ({counts['failed']} failed); see `reason` in {folder}/journal.jsonl")
    else:
        note(f"best: trial {best.number}, {best.value:.4g} (1 = as near as real to real), {_words(best.point)}")
    note(f"next: mycelial calibrate report {folder}")


@contextmanager
def _pace(done: int) -> Iterator[Callable[[int, int, Trial], None]]:
    """Give a function that hears of each finished trial: a bar on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines(done).say
        return
    from mycelial.cli.progress import fraction_bar

    with fraction_bar("trials") as progress:
        yield lambda finished, total, _: progress(finished / total, finished)


class _Lines:
    """Says every 5 %, and when a trial is the best so far or failed, how things stand and how long the rest takes."""

    def __init__(self, done: int) -> None:
        self._done, self._started = done, time.monotonic()
        self._best, self._said = float("inf"), 0.0

    def say(self, finished: int, total: int, trial: Trial) -> None:
        is_best = trial.state == "complete" and trial.value < self._best
        if not (is_best or trial.state == "failed" or finished >= self._said + LINE_EVERY * total):
            return
        self._said = finished
        if is_best:
            self._best = trial.value
        left = (time.monotonic() - self._started) / (finished - self._done) * (total - finished)
        what = f"failed ({trial.reason})" if trial.state == "failed" else f"{trial.state} {trial.value:.4g}"
        note(f"trial {trial.number} {what}; best {self._best:.4g}; {finished}/{total}, {_duration(left)} left")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _words(point: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in point.items()
    )


def _space(name: str) -> Space:
    from mycelial.simulation.calibrate.space import named_space, parse_space

    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return parse_space(path.read_text(encoding="utf-8"), name)
    return named_space(name)


def _rungs(assets: int, seeds: int, *, cheap: bool) -> tuple[Any, ...]:
    from mycelial.simulation.calibrate.objective import Rung

    full = Rung(assets, seeds)
    first = Rung(max(1, assets // 3), 1)
    return (first, full) if cheap and first != full else (full,)


def _overrides(
    agents: int | None, days: int | None, learning_days: int | None, set_: list[str] | None
) -> dict[str, Any]:
    from mycelial.domain.errors import ConfigError

    given: dict[str, Any] = {"agents": agents, "days": days, "learning_days": learning_days}
    found = {name: value for name, value in given.items() if value is not None}
    for one in set_ or []:
        name, equals, value = one.partition("=")
        if not equals:
            raise ConfigError(f"--set {one}: write NAME=VALUE, e.g. --set quoting=0.75")
        found[name.strip()] = value.strip()
    return found
