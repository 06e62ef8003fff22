"""From a configuration to things that run, and from runs to what is kept of them. Here adapters are chosen."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mycelial.config.loading import to_toml

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mycelial.adapters.studies import StudyFolder
    from mycelial.config import Config
    from mycelial.domain.recording import MarketRecording
    from mycelial.facts.panel import Panel
    from mycelial.market.book import OrderBook
    from mycelial.market.rerun import Replayed
    from mycelial.market.terms import MarketTerms
    from mycelial.simulation.campaign import Campaign
    from mycelial.simulation.curves import LearningCurves
    from mycelial.simulation.intraday.market import Recording
    from mycelial.simulation.scenarios import Scenario
    from mycelial.simulation.stress import Trial, TrialResult

Progress = Callable[[int, int], None]  # (days done, days in all)

INPUTS_LOG, EVENTS_LOG = "inputs.log", "events.log"  # in the folder of a recorded market

# What the command line shows of a run, as `record` writes it.
MANIFEST_FIELDS = (
    *("preset", "seed", "assets", "runs", "days", "learning_days", "params", "fingerprint"),
    *("agent_steps", "cpu_seconds", "started", "finished", "mycelial"),
)


@dataclass(frozen=True)
class Recorded:
    """What a recorded campaign took and gave."""

    directory: Path
    manifest: dict[str, Any]
    peak_rss_mb: float


@dataclass(frozen=True, eq=False)
class Sample:
    """One asset of one run: days, its price and its fundamental value, each float64[n]."""

    name: str
    day: NDArray[np.float64]
    price: NDArray[np.float64]
    fundamental: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MarketRun:
    """What a report shows of a run."""

    panel: Panel
    sample: Sample
    curves: LearningCurves
    minds: str


def campaign_of(config: Config) -> Campaign:
    """Return what the configuration asks to simulate."""
    from mycelial.simulation.campaign import Campaign

    return Campaign(
        params=config.population.symba.parameters(),
        assets=config.simulation.assets,
        runs=config.simulation.runs,
        seed=config.seed,
        threads=config.simulation.threads or os.cpu_count() or 1,
    )


def record(
    config: Config,
    directory: Path,
    *,
    now: Callable[[], str],
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Recorded:
    """Simulate what the configuration says and write it to a run directory.

    Parameters
    ----------
    now : gives the time as text, for the manifest.
    overwrite : replace a run that is there.
    progress : told (0, days) once kernels are compiled, then days done.

    Raises
    ------
    ConfigError
        If the directory is taken.
    StorageError
        If the disk refuses; nothing is left behind.
    """
    from mycelial import __version__
    from mycelial.adapters.runs import new_run
    from mycelial.simulation.campaign import compile_kernels, fingerprint_of, simulate

    campaign = campaign_of(config)
    started = now()
    fingerprints: list[str] = []
    agent_steps = 0
    with new_run(directory, overwrite=overwrite) as writer:
        compile_kernels(campaign)
        if progress is not None:
            progress(0, campaign.days)
        cpu_before = time.process_time()
        for world in simulate(campaign, progress):
            writer.add(world)
            fingerprints.append(world.fingerprint)
            agent_steps += world.agent_steps
        if progress is not None:
            progress(campaign.days, campaign.days)
        manifest = {
            "name": directory.name,
            "preset": config.population.symba.preset,
            "seed": campaign.seed,
            "assets": campaign.assets,
            "runs": campaign.runs,
            "days": campaign.params.days,
            "learning_days": campaign.params.learning_days,
            "fingerprint": fingerprint_of(fingerprints),
            "run_fingerprints": fingerprints,
            "run_seeds": [campaign.run_seed(run) for run in range(campaign.runs)],
            "agent_steps": agent_steps,
            "cpu_seconds": round(time.process_time() - cpu_before, 3),
            "started": started,
            "finished": now(),
            "mycelial": __version__,
            "params": campaign.params.to_dict(),
        }
        writer.finish(manifest, lock_of(config))
    return Recorded(directory, manifest, _peak_rss_mb())


def lock_of(config: Config) -> str:
    """Return the complete configuration as TOML; it reruns what was run, whatever presets become."""
    flat = config.flat() | {"simulation.threads": 0}
    return to_toml(flat, comment="Complete: `mycelial sim run -c config.lock.toml --out …` gives the same run again.")


def panel(path: Path, set_name: str | None = None, quote: str | None = None) -> Panel:
    """Load a run, a candle file or a catalogue as a panel."""
    from mycelial.adapters.data.panels import load_panel

    return load_panel(Path(path), set_name, quote)


def study_folder(folder: Path) -> StudyFolder:
    """Return the files of the calibration in a folder."""
    from mycelial.adapters.studies import StudyFolder

    return StudyFolder(folder)


def manifest(directory: Path) -> dict[str, Any]:
    """Return the manifest of a complete run."""
    from mycelial.adapters.runs import read_run

    return read_run(directory, fields=MANIFEST_FIELDS).manifest


def manifests(root: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Return (directory, manifest) of the complete runs under `root`, oldest first."""
    from mycelial.adapters.runs import find_runs

    return [(found.directory, found.manifest) for found in find_runs(root, fields=MANIFEST_FIELDS)]


def market_run(directory: Path) -> MarketRun:
    """Return what a report needs of a run: its panel, a price sample, and its learning curves."""
    from mycelial.adapters.runs import read_learning, read_sample
    from mycelial.simulation.curves import learning_curves

    params = manifest(directory)["params"]
    day, price, fundamental = read_sample(directory)
    return MarketRun(
        panel=panel(directory),
        sample=Sample("asset 0 of run 0", day, price, fundamental),
        curves=learning_curves(
            read_learning(directory), params["days"], params["learning_days"], params["days_accounting"]
        ),
        minds=params["minds"],
    )


def record_market(
    folder: Path, terms: MarketTerms, inputs: Iterable[NDArray[np.void]], *, since: OrderBook | None = None
) -> OrderBook:
    """Run inputs through a market and write both logs; return the book at the end.

    Parameters
    ----------
    folder : where `INPUTS_LOG` and `EVENTS_LOG` go.
    since : the book to go on from; an empty one otherwise.
    """
    from mycelial.adapters.market_logs import LogWriter
    from mycelial.market.log import LogHeader

    book = since or terms.open()
    of_inputs = LogHeader("inputs", terms, book.seq)
    of_events = LogHeader("events", terms, book.state.scalar("event_seq"))
    with LogWriter(folder / INPUTS_LOG, of_inputs) as wishes, LogWriter(folder / EVENTS_LOG, of_events) as events:
        for part in inputs:
            wishes.append(part)
            events.append(book.apply(part))
    return book


def scenario_of(names: Sequence[str]) -> Scenario:
    """Return the scenarios named, put together.

    Parameters
    ----------
    names : such as ``X01`` (its mildest level), ``X01:thin-book``, ``crash.toml:hard``; ``@SECONDS`` behind one lets it
        start later.

    Raises
    ------
    NotFound
        If there is no such stress test, level or file.
    ConfigError
        If a name cannot be read, or scenarios contradict each other.
    """
    from functools import reduce
    from operator import or_

    from mycelial.domain.errors import NotFound
    from mycelial.simulation.scenarios import Scenario, pick, stress_test, stress_test_from_text

    found = []
    for name in names:
        test, _, _ = name.partition(":")
        origin, _, _ = test.partition("@")
        if origin.endswith(".toml"):
            path = Path(origin)
            if not path.is_file():
                raise NotFound(f"scenario file {path} does not exist; see those packaged with: mycelial sim scenarios")
            known = stress_test_from_text(path.read_text(encoding="utf-8"), str(path))
        else:
            known = stress_test(origin)
        found.append(pick(known, name.removeprefix(origin)))
    return reduce(or_, found) if found else Scenario("calm")


def trial_of(
    preset: str, scenario: Scenario, *, seconds: float, seed: int, agents: int | None = None, pair: str | None = None
) -> Trial:
    """Return a market to stress: a population by name (`agents.intraday`), or a pair under its exchange's rules.

    Parameters
    ----------
    agents : another number of agents, every kind in proportion.
    pair : another name for the instrument, such as ``BTC/USDT`` for a scenario about Tether.

    Raises
    ------
    NotFound
        If there is no such preset; the nearest is suggested.
    """
    from dataclasses import replace

    from mycelial.agents.intraday.presets import PRESETS
    from mycelial.agents.intraday.presets import preset as ready
    from mycelial.environment import presets as pairs
    from mycelial.simulation.stress import Trial

    if preset in PRESETS:
        instrument, population = ready(preset)
        fees: tuple[tuple[int, int, int], ...] = ((0, 0, 0),)
    else:
        config = pairs.preset(preset)
        instrument, population, fees = config.instrument, config.population, config.fee_tiers
    if agents is not None:
        population = population.scaled(agents)
    if pair is not None:
        instrument = replace(instrument, symbol=pair)
    return Trial(instrument, population, scenario, seconds=seconds, seed=seed, fee_tiers=fees)


def record_trial(
    trial: Trial,
    directory: Path,
    *,
    preset: str,
    now: Callable[[], str],
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
) -> tuple[TrialResult, dict[str, Any]]:
    """Run a trial and write its logs and what was seen of it; return the result and the manifest.

    The inputs are run once more through an order book of their own, which has to arrive at the same fingerprint.

    Raises
    ------
    ConfigError
        If the directory is taken.
    StorageError
        If the disk refuses; nothing is left behind.
    """
    from mycelial import __version__
    from mycelial.adapters.runs import MARKET_SCHEMA, new_folder, write_manifest
    from mycelial.adapters.runs.samples import write_samples
    from mycelial.domain.errors import DataError
    from mycelial.market.terms import MarketTerms
    from mycelial.simulation.stress import run_trial

    started = now()
    with new_folder(directory, overwrite=overwrite) as folder:
        write_manifest(folder, {"status": "running"}, schema=MARKET_SCHEMA)
        cpu_before = time.process_time()
        result = run_trial(trial, progress=progress, record=True)
        spent = time.process_time() - cpu_before
        terms = MarketTerms(trial.instrument, trial.population.agents + 1, trial.fee_tiers)
        book = record_market(folder, terms, [result.recording.inputs] if result.recording is not None else [])
        if book.digest != result.digest:
            raise DataError(
                f"the market's fingerprint is {result.digest:016x}, its inputs alone give {book.digest:016x}; this is "
                "a defect, please report preset, scenario and seed"
            )
        write_samples(folder, result.samples)
        manifest = {
            "name": directory.name,
            "market": "intraday",
            "preset": preset,
            "pair": trial.instrument.symbol,
            "scenario": trial.scenario.name,
            "seed": trial.seed,
            "seconds": trial.seconds,
            "warm_up_s": trial.warm_up_s,
            "agents": trial.population.agents,
            "fingerprint": f"{result.digest:016x}",
            "messages": result.messages,
            "dropped": result.dropped,
            "throttled": result.throttled,
            "stability": {name: value if math.isfinite(value) else None for name, value in result.figures.items()},
            "happened": [{"at_s": one.time_ns / 1e9, "kind": one.kind, "what": one.what} for one in result.happened],
            "left_out": [f"{one.kind} on {one.target}" for one in result.left_out],
            "cpu_seconds": round(spent, 3),
            "started": started,
            "finished": now(),
            "mycelial": __version__,
            "population": trial.population.to_dict(),
        }
        write_manifest(folder, {**manifest, "status": "complete"}, schema=MARKET_SCHEMA)
    return result, manifest


def market_manifest(directory: Path) -> dict[str, Any] | None:
    """Return the manifest of the run of an intraday market; None if the folder is something else."""
    from mycelial.adapters.runs import MARKET_SCHEMA, is_market, read_run

    return read_run(directory, schema=MARKET_SCHEMA).manifest if is_market(directory) else None


def market_manifests(root: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Return (directory, manifest) of the complete runs of intraday markets under `root`, oldest first."""
    from mycelial.adapters.runs import MARKET_SCHEMA, find_runs

    return [(found.directory, found.manifest) for found in find_runs(root, schema=MARKET_SCHEMA)]


def market_recording(directory: Path) -> tuple[Recording, MarketTerms]:
    """Return everything that a recorded market took and gave, and its terms.

    Raises
    ------
    NotFound
        If its logs are not there.
    DataError
        If they are damaged.
    """
    import numpy as np

    from mycelial.adapters.market_logs import LogReader
    from mycelial.simulation.intraday.market import Recording

    inputs, events = LogReader(directory / INPUTS_LOG), LogReader(directory / EVENTS_LOG)
    parts = ([np.zeros(0, log.header.dtype), *log.chunks()] for log in (inputs, events))
    return Recording(*map(np.concatenate, parts)), inputs.header.terms


def shown_of(path: Path) -> MarketRecording:
    """Return what a market showed to the public: the run of an intraday market after its warm-up, or a recorded feed.

    Raises
    ------
    NotFound
        If there is no such file.
    DataError
        If a file is damaged.
    """
    from mycelial.adapters.data.feeds import read_binance_feed
    from mycelial.simulation.intraday.showing import shown

    found = market_manifest(path) if path.is_dir() else None
    if found is None:
        return read_binance_feed(path)
    recording, terms = market_recording(path)
    label = f"{found['preset']}, {found['scenario']}, seed {found['seed']}"
    return shown(recording, terms.instrument, start_ns=round(found["warm_up_s"] * 1e9), label=label)


def replay_market(log: Path, *, since: Path | None = None, snapshot: Path | None = None) -> Replayed:
    """Run the inputs of a log again and compare the events with the log of events beside it, if there is one.

    Parameters
    ----------
    log : a log of inputs, or the folder of a recorded market.
    since : a snapshot to begin with; the log must hold the inputs that follow it.
    snapshot : where to write a snapshot of the book at the end.

    Raises
    ------
    NotFound
        If a file is not there.
    DataError
        If a file is damaged, or log and snapshot do not fit.
    """
    from mycelial.adapters.market_logs import LogReader, read_snapshot, write_snapshot
    from mycelial.domain.errors import DataError
    from mycelial.market.rerun import replay

    log = log / INPUTS_LOG if log.is_dir() else log
    reader = LogReader(log)
    if reader.header.holds != "inputs":
        raise DataError(f"{log}: holds events, not inputs; replay the log of inputs beside it")

    def open_book() -> OrderBook:
        return read_snapshot(since) if since is not None else reader.header.terms.open()

    if open_book().seq != reader.header.first:
        raise DataError(
            f"{log}: begins with input {reader.header.first} but the book stands before input {open_book().seq}; name "
            "the snapshot that the log goes on from"
        )
    beside = log.with_name(EVENTS_LOG)
    events = LogReader(beside) if beside.is_file() else None
    if events is not None and events.header.terms != reader.header.terms:
        raise DataError(f"{beside}: belongs to a market on other terms than {log.name}; move it away")
    replayed = replay(open_book, reader.chunks, events.chunks if events is not None else None)
    if snapshot is not None and replayed.difference is None:
        write_snapshot(snapshot, replayed.book)
    return replayed


def _peak_rss_mb() -> float:
    try:
        import resource
    except ImportError:  # Windows has no such figure
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024.0**2 if sys.platform == "darwin" else 1024.0), 1)
