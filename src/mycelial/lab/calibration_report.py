"""The report of a calibration: the best points where the search never looked, profiles, importance.

Validation takes simulation, so its worlds are kept in `validation.jsonl` beside the study and never run twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mycelial import compose
from mycelial.domain.errors import DataError
from mycelial.lab.calibration import Study, judge_point, open_study, read_journal
from mycelial.lab.calibration_page import page
from mycelial.lab.executors import Executor
from mycelial.lab.report import write_report
from mycelial.simulation.calibrate.analysis import Profile, importances, profiles, seed_noise
from mycelial.simulation.calibrate.split import SeedSet
from mycelial.simulation.calibrate.trial import Trial, ranked

VALIDATION, REPORT_JSON, REPORT_HTML = "validation.jsonl", "report.json", "report.html"
TESTS: tuple[tuple[str, SeedSet, bool], ...] = (
    ("fit_new_worlds", "report", False),  # the same coins, seeds the search has not seen
    ("held_out", "validation", True),  # other coins, other seeds
)


@dataclass(frozen=True)
class Findings:
    """Everything the report says.

    Parameters
    ----------
    held_out, fit_new_worlds : the best points, best first, on coins held out and on fit coins with new seeds.
    yardstick : the fit coins judged as if they were a simulation, against the coins held out.
    """

    study: Study
    trials: list[Trial]
    best: list[Trial]
    fit_new_worlds: list[Trial]
    held_out: list[Trial]
    yardstick: dict[str, float]
    noise: float
    profiles: list[Profile]
    importance: dict[str, float]
    left_out: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the document of `report.json`."""
        states = ("complete", "pruned", "failed")
        return {
            "space": self.study.space.to_dict(),
            "preset": self.study.preset,
            "seed": self.study.plan.seed,
            "split": self.study.split.to_dict(),
            "states": {state: sum(one.state == state for one in self.trials) for state in states},
            "best": [
                {"search": found.to_dict(), "fit_new_worlds": new.to_dict(), "held_out": held.to_dict()}
                for found, new, held in zip(self.best, self.fit_new_worlds, self.held_out, strict=True)
            ],
            "parameters": self.study.space.apply(self.study.base, self.best[0].point).to_dict(),
            "yardstick": self.yardstick,
            "seed_noise": self.noise,
            "profiles": [one.to_dict() for one in self.profiles],
            "importance": self.importance,
            "statistics_left_out": list(self.left_out),
        }


def examine(
    folder: Path,
    executor: Executor,
    *,
    top: int = 5,
    worlds: int = 2,
    report: Callable[[int, int], None] | None = None,
) -> Findings:
    """Validate the best points of a study and analyse its trials.

    Raises
    ------
    DataError
        If no trial is complete.
    """
    study, trials = open_study(folder), read_journal(folder)
    best = ranked(trials)[:top]
    if not best:
        raise DataError(f"{folder}: none of {len(trials)} trials is complete; run more, or see `reason` in the journal")
    panel = study.source.load()
    files = compose.study_folder(folder)
    tested: dict[str, list[Trial]] = {}
    with executor:
        for name, seed_set, held_out in TESTS:
            objective = study.objective(panel, seed_set, held_out=held_out, worlds=worlds)
            with files.appending(VALIDATION) as journal:
                lines = files.lines(VALIDATION)
                known = {line["trial"]: line for line in lines if line["test"] == name and line["worlds"] == worlds}
                missing = [(one.number, one.point) for one in best if one.number not in known]
                for trial in executor.map(partial(judge_point, objective, ()), missing):
                    line = {"test": name, "worlds": worlds} | trial.to_dict()
                    journal.append(line)
                    known[trial.number] = line
                    if report is not None:
                        report(len(known), len(best))
            tested[name] = [Trial.from_dict(known[one.number]) for one in best]
    fit, _ = study.split.panels(panel)
    yardstick = study.objective(panel, "validation", held_out=True).compare(fit)
    return Findings(
        study=study,
        trials=trials,
        best=best,
        fit_new_worlds=tested["fit_new_worlds"],
        held_out=tested["held_out"],
        yardstick={"value": yardstick.value} | dict(yardstick.terms),
        noise=seed_noise(trials),
        profiles=profiles(study.space, trials),
        importance=importances(study.space, trials),
        left_out=study.objective(panel).left_out(),
    )


def write_findings(folder: Path, findings: Findings) -> None:
    """Write `report.json` and `report.html`."""
    compose.study_folder(folder).write(REPORT_JSON, _finite(findings.to_dict()))
    write_report(folder / REPORT_HTML, page(findings))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
