"""Where to look next: a pure function of the finished batches, so that a search can stop anywhere and go on.

Trials come in batches of fixed size. The points of a batch follow from the seed and the trials of earlier batches
alone: no number of workers, no interruption and no order of finishing can change them. First the preset itself, then a
Sobol design, then Optuna's tree-structured Parzen estimator (multivariate, with the batch's own pending points
counted as poor so that a batch spreads out).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mycelial.domain.errors import MissingExtra
from mycelial.domain.seeds import stream_key
from mycelial.simulation.calibrate.objective import FAILED
from mycelial.simulation.calibrate.space import Point, Space
from mycelial.simulation.calibrate.trial import Trial


@dataclass(frozen=True)
class SearchPlan:
    """How a study proposes points.

    Parameters
    ----------
    seed : root of every random choice.
    batch : trials proposed together; part of the result, unlike the number of workers.
    startup : trials of the Sobol design (the first point, if any, included).
    keep_share : after a cheap rung, go on with a point only if it is among this best share of earlier ones.
    """

    seed: int
    batch: int = 8
    startup: int = 24
    keep_share: float = 0.4


def propose(space: Space, plan: SearchPlan, finished: Sequence[Trial], count: int, first: Point | None) -> list[Point]:
    """Return the next `count` points after whole batches of `finished` trials; `first` opens the study."""
    start = len(finished)
    points = _design(space, plan, first)[start : start + count]
    wanted = count - len(points)
    return points + (_estimated(space, plan, finished, wanted) if wanted else [])


def bars(finished: Sequence[Trial], rungs: int, plan: SearchPlan) -> tuple[float, ...]:
    """Return, for each rung but the last, the value above which a trial is given up.

    The quantile `keep_share` of the earlier trials that reached the rung; infinite until the design is done.
    """
    found = []
    for level in range(rungs - 1):
        values = [
            float(np.mean(one.rungs[level]))
            for one in finished
            if len(one.rungs) > level and not (one.state == "failed" and len(one.rungs) == level + 1)
        ]
        enough = len(finished) >= plan.startup and len(values) >= 4
        found.append(float(np.quantile(values, plan.keep_share)) if enough else float("inf"))
    return tuple(found)


def _design(space: Space, plan: SearchPlan, first: Point | None) -> list[Point]:
    from scipy.stats import qmc

    opening = [] if first is None else [first]
    wanted = max(plan.startup - len(opening), 0)
    if not wanted:
        return opening
    seed = int(stream_key(plan.seed, "calibrate", "design")) & 0xFFFFFFFF
    sobol = qmc.Sobol(len(space.dimensions), seed=np.random.default_rng(seed))
    cube = sobol.random_base2(max(wanted - 1, 1).bit_length())[:wanted]
    return opening + [
        {one.name: one.at(float(u)) for one, u in zip(space.dimensions, row, strict=True)} for row in cube
    ]


def _estimated(space: Space, plan: SearchPlan, finished: Sequence[Trial], count: int) -> list[Point]:
    """Ask a fresh estimator that has been told all finished trials."""
    optuna = import_optuna()
    seed = int(stream_key(plan.seed, "calibrate", "batch", len(finished) // plan.batch)) & 0x7FFFFFFF
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # multivariate and constant_liar are marked experimental
        sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=0, multivariate=True, constant_liar=True, warn_independent_sampling=False
        )
        study = _study_of(space, finished, sampler)
        asked = [study.ask(distributions(space)) for _ in range(count)]
    return [{one.name: _plain(trial.params[one.name]) for one in space.dimensions} for trial in asked]


def _study_of(space: Space, finished: Sequence[Trial], sampler: Any = None) -> Any:
    """Return an in-memory Optuna study that knows the finished trials."""
    optuna = import_optuna()
    study = optuna.create_study(direction="minimize", sampler=sampler)
    known = distributions(space)
    states = optuna.trial.TrialState
    for one in finished:
        pruned = one.state == "pruned"
        study.add_trial(
            optuna.trial.create_trial(
                state=states.PRUNED if pruned else states.COMPLETE,
                value=None if pruned else min(one.value, FAILED),
                params=dict(one.point),
                distributions=known,
                intermediate_values={level: float(np.mean(values)) for level, values in enumerate(one.rungs)},
            )
        )
    return study


def distributions(space: Space) -> dict[str, Any]:
    """Return the space in Optuna's terms."""
    kinds = import_optuna().distributions
    found: dict[str, Any] = {}
    for one in space.dimensions:
        if one.values:
            found[one.name] = kinds.CategoricalDistribution(list(one.values))
        elif one.is_whole:
            found[one.name] = kinds.IntDistribution(int(one.low), int(one.high), log=one.log)
        else:
            found[one.name] = kinds.FloatDistribution(one.low, one.high, log=one.log)
    return found


def import_optuna() -> Any:
    """Return Optuna, silenced, or say how to install it."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise MissingExtra("optuna", "calibrate", "a search") from error
    logging.getLogger("optuna").setLevel(logging.WARNING)
    return optuna


def _plain(value: Any) -> Any:
    """Return the value as it will be read back from a journal."""
    return value.item() if hasattr(value, "item") else value
