"""A calibration on disk: one folder, resumable after any interruption.

    study.json      everything that decides the result: space, base parameters, panel and digest, split, seeds, rungs
    journal.jsonl   one line per finished trial, in order, flushed to the disk before the next is written
    best.json       the best point and its full parameters, once there is one

Nothing in the journal depends on time or on the number of workers: a study that was killed and resumed has the same
journal, byte for byte, as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

from mycelial import compose
from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.domain.errors import ConfigError, DataError
from mycelial.facts.panel import Panel
from mycelial.lab.executors import Executor
from mycelial.simulation.calibrate.objective import Measure, Objective, Rung
from mycelial.simulation.calibrate.search import SearchPlan, bars, import_optuna, propose
from mycelial.simulation.calibrate.space import Point, Space
from mycelial.simulation.calibrate.split import SeedSet, Split, named_seeds, split_coins
from mycelial.simulation.calibrate.trial import Trial, ranked

FORMAT = "mycelial-calibration/1"
STUDY, JOURNAL, BEST = "study.json", "journal.jsonl", "best.json"
Report = Callable[[int, int, Trial], None]  # trials finished, trials in all, the latest


@dataclass(frozen=True)
class Source:
    """Where the real coins come from."""

    panel: str
    set_name: str | None = None
    quote: str | None = None

    def load(self) -> Panel:
        """Load the panel; `NotFound` or `DataError` if it cannot be."""
        return compose.panel(Path(self.panel), self.set_name, self.quote)


@dataclass(frozen=True)
class Study:
    """A calibration as stored in `study.json`.

    Parameters
    ----------
    grid : points to try in turn, for a grid; None when points are searched.
    trials : how many trials in all.
    seeds : worlds per point at the last rung.
    """

    source: Source
    digest: str
    split: Split
    preset: str
    base: SymbaParameters
    space: Space
    plan: SearchPlan
    rungs: tuple[Rung, ...]
    trials: int
    measure: Measure
    penalty_weight: float
    grid: tuple[Point, ...] | None = None

    @property
    def seeds(self) -> int:
        """Worlds per point at the last rung."""
        return self.rungs[-1].seeds

    def objective(
        self, panel: Panel, seed_set: SeedSet = "search", *, held_out: bool = False, worlds: int | None = None
    ) -> Objective:
        """Return the objective on the fit coins, or on those held out.

        `worlds` asks for that many worlds at full size, without a cheap rung first.
        """
        if digest_of(panel) != self.digest:
            raise DataError(
                f"{self.source.panel}: holds other prices than when this study began; restore the file, or begin anew"
            )
        fit, validation = self.split.panels(panel)
        return Objective(
            base=self.base,
            space=self.space,
            real=validation if held_out else fit,
            seeds=named_seeds(self.plan.seed, seed_set, worlds or self.seeds),
            rungs=self.rungs if worlds is None else (replace(self.rungs[-1], seeds=worlds),),
            measure=self.measure,
            penalty_weight=self.penalty_weight,
            baseline_seed=self.plan.seed,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the document of `study.json`."""
        return {
            "format": FORMAT,
            "source": asdict(self.source),
            "digest": self.digest,
            "split": self.split.to_dict(),
            "preset": self.preset,
            "base": self.base.to_dict(),
            "space": self.space.to_dict(),
            "plan": asdict(self.plan),
            "rungs": [asdict(rung) for rung in self.rungs],
            "trials": self.trials,
            "measure": self.measure,
            "penalty_weight": self.penalty_weight,
            "grid": None if self.grid is None else list(self.grid),
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any], origin: str) -> Study:
        """Read `study.json`."""
        if document.get("format") != FORMAT:
            raise DataError(f"{origin} has format {document.get('format')!r}, not {FORMAT!r}; begin the study anew")
        try:
            split = document["split"]
            return cls(
                source=Source(**document["source"]),
                digest=document["digest"],
                split=Split(split["seed"], tuple(split["fit"]), tuple(split["validation"])),
                preset=document["preset"],
                base=SymbaParameters.from_dict(document["base"]),
                space=Space.from_dict(document["space"], origin),
                plan=SearchPlan(**document["plan"]),
                rungs=tuple(Rung(**rung) for rung in document["rungs"]),
                trials=document["trials"],
                measure=document["measure"],
                penalty_weight=document["penalty_weight"],
                grid=None if document["grid"] is None else tuple(document["grid"]),
            )
        except (KeyError, TypeError) as error:
            raise DataError(f"{origin}: a field is missing or wrong ({error}); begin the study anew") from None


def new_study(
    source: Source,
    preset: str,
    base: SymbaParameters,
    space: Space,
    plan: SearchPlan,
    rungs: Sequence[Rung],
    trials: int,
    *,
    measure: Measure = "w1",
    penalty_weight: float = 0.1,
    grid: Sequence[Point] | None = None,
) -> Study:
    """Describe a study: load the panel, split its coins, and check that the objective can be computed."""
    panel = source.load()
    if grid is None:
        import_optuna()
    study = Study(
        source=source,
        digest=digest_of(panel),
        split=split_coins(panel, plan.seed),
        preset=preset,
        base=base,
        space=space,
        plan=plan,
        rungs=tuple(rungs),
        trials=trials if grid is None else min(trials, len(grid)),
        measure=measure,
        penalty_weight=penalty_weight,
        grid=None if grid is None else tuple(grid),
    )
    study.objective(panel).left_out()
    return study


def create(folder: Path, study: Study) -> None:
    """Begin a study in an empty folder; refuse one that holds another."""
    files = compose.study_folder(folder)
    if files.holds(STUDY):
        raise ConfigError(
            f"{folder} holds a calibration; go on with `mycelial calibrate resume {folder}`, or choose another --out"
        )
    files.write(STUDY, study.to_dict())


def open_study(folder: Path) -> Study:
    """Read the study of a folder; `NotFound` if there is none."""
    return Study.from_dict(compose.study_folder(folder).read(STUDY), str(folder / STUDY))


def extend(folder: Path, trials: int) -> Study:
    """Raise the number of trials of a stored study; it is never lowered."""
    study = open_study(folder)
    most = trials if study.grid is None else min(trials, len(study.grid))
    if most > study.trials:
        study = replace(study, trials=most)
        compose.study_folder(folder).write(STUDY, study.to_dict())
    return study


def read_journal(folder: Path) -> list[Trial]:
    """Return the finished trials; a last line cut short by a crash is left out.

    Raises
    ------
    DataError
        If another line is damaged, or trials are missing.
    """
    return _trials(compose.study_folder(folder).lines(JOURNAL), folder / JOURNAL)


def run_study(folder: Path, executor: Executor, report: Report | None = None) -> list[Trial]:
    """Run the trials that are missing and return all; each is on disk before `report` hears of it."""
    study = open_study(folder)
    objective = study.objective(study.source.load())
    first = study.space.point_of(study.base)
    with compose.study_folder(folder).appending(JOURNAL) as journal:
        trials = read_journal(folder)
        with executor:
            while len(trials) < study.trials:
                earlier = trials[: len(trials) // study.plan.batch * study.plan.batch]
                count = min(study.plan.batch, study.trials - len(earlier))
                if study.grid is not None:
                    points = list(study.grid[len(earlier) : len(earlier) + count])
                    limits: tuple[float, ...] = ()
                else:
                    points = propose(study.space, study.plan, earlier, count, first)
                    limits = bars(earlier, len(study.rungs), study.plan)
                waiting = list(enumerate(points, start=len(earlier)))[len(trials) - len(earlier) :]
                for trial in executor.map(partial(judge_point, objective, limits), waiting):
                    journal.append(trial.to_dict())
                    trials.append(trial)
                    if report is not None:
                        report(len(trials), study.trials, trial)
        write_best(folder, study, trials)
    return trials


def write_best(folder: Path, study: Study, trials: Sequence[Trial]) -> None:
    """Store the best complete trial with its full parameters."""
    order = ranked(trials)
    if order:
        params = study.space.apply(study.base, order[0].point)
        compose.study_folder(folder).write(BEST, order[0].to_dict() | {"parameters": params.to_dict()})


def digest_of(panel: Panel) -> str:
    """Return a digest of names, prices and volumes."""
    digest = blake2b(digest_size=16)
    digest.update(repr(panel.names).encode())
    digest.update(panel.price.tobytes())
    digest.update(panel.volume.tobytes())
    return digest.hexdigest()


_MEASURED: dict[str, Objective] = {}  # one per process: measuring the real coins takes a second, sending them none


def judge_point(objective: Objective, limits: tuple[float, ...], item: tuple[int, Point]) -> Trial:
    """Judge a numbered point in whatever process this is."""
    number, point = item
    return _MEASURED.setdefault(objective.fingerprint, objective).judge(number, point, limits)


def _trials(lines: Sequence[dict[str, Any]], path: Path) -> list[Trial]:
    trials = []
    for number, line in enumerate(lines):
        try:
            trial = Trial.from_dict(line)
        except DataError as error:
            raise DataError(f"{path}, line {number + 1}: {error}; cut the file before this line and resume") from None
        if trial.number != number:
            raise DataError(f"{path}, line {number + 1} is trial {trial.number}; cut the file before it and resume")
        trials.append(trial)
    return trials
