"""The ladder: public team tasks with what others reached on them, and how our engine is run and judged there.

Scores are those of greedy final policies on held-out episodes: the mean over the last tenth of the evaluations, of
every seed, no best seed and no best checkpoint. Teams train on compiled twins of the packages (equal to them transition
by transition) and are judged on the package's own environment where it is installed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mycelial.domain.errors import ConfigError, NotFound
from mycelial.environment.tasks.foraging import Foraging, field_named
from mycelial.environment.tasks.matrix import GAMES
from mycelial.environment.tasks.packaged import PackagedForaging, PackagedSpread
from mycelial.environment.tasks.spread import Spread
from mycelial.lab.executors import executor_named
from mycelial.lab.federated.campaign import speed_bench
from mycelial.lab.statistics import interval, iqm
from mycelial.lab.training import EVALUATIONS, RESULT, Training, train
from mycelial.learning.evaluation import Deciding, greedy_returns
from mycelial.learning.hyper import Hyper
from mycelial.learning.tabular import Reasoning, play
from mycelial.learning.task import TeamTask

EPISODES = 100  # of one evaluation
LAST = max(1, EVALUATIONS // 10)  # evaluations that make the final score
RANDOM_EPISODES = 2_000
HELD_OUT = 1_000_003  # added to a seed; training never sees these episodes
FEDERATED = "federated-lbf"

Progress = Callable[[float, int], None]


@dataclass(frozen=True)
class Rung:
    """A task of many steps.

    Parameters
    ----------
    name : str
    hyper : Hyper
        Tuned on seeds that are not reported.
    books : int
        Worlds lived in side by side.
    task : callable(books, learning) -> TeamTask
        The compiled twin; while learning, clocks of the books are spread.
    judge : callable(books) -> TeamTask
    package : str
        Whose environment the judge is.
    target : float
        What the specification asks of the interquartile mean.
    published : dict
        What others reached, in words and numbers.
    """

    name: str
    hyper: Hyper
    books: int
    task: Callable[[int, bool], TeamTask]
    judge: Callable[[int], TeamTask]
    package: str
    target: float
    published: dict[str, Any] = field(default_factory=dict)


def _foraging(name: str, books: int, learning: bool) -> TeamTask:
    return Foraging(field_named(name), books, spread_clocks=learning)


def _forage(name: str, target: float, hyper: Hyper, **published: Any) -> Rung:
    return Rung(
        name,
        hyper,
        128,
        partial(_foraging, name),
        partial(_judge_foraging, name),
        "lbforaging",
        target,
        published,
    )


def _judge_foraging(name: str, books: int) -> TeamTask:
    return PackagedForaging(field_named(name), books)


def _spread(books: int, learning: bool) -> TeamTask:
    return Spread(3, books, spread_clocks=learning)


def _judge_spread(books: int) -> TeamTask:
    return PackagedSpread(3, books)


# Tuned on seeds 101 to 113. A discount of 0.95 leaves gaps between actions that a network can tell apart (at 0.99 they
# are as small as its errors), though returns are judged undiscounted. Rewards are rare where all must load at once: a
# fifth of what is learnt from are segments of the past that had one, or some teams never find out what pays.
FORAGING = Hyper(
    steps=600_000,
    normalise=False,
    gamma=0.95,
    trace=0.8,
    rate=1e-3,
    explore=0.3,
    replay=2_048,
    replayed=32,
    lucky=1.0,
)
# Where single players find food too, rewards are not rare; old segments are not needed.
MIXED = replace(FORAGING, steps=2_000_000, rate=1.5e-3, explore=0.25, replay=0, replayed=0, lucky=0.0)
SMALL = Hyper(steps=400_000, normalise=False, gamma=0.95, trace=0.8)
SPREADING = Hyper(
    steps=2_000_000,
    gamma=0.9,
    rate=4e-3,
    scale_rewards=True,
    sharing="group",
    ladder=True,
    last_epsilon=0.2,
)
_PUBLISHED = "Papoudakis et al. 2021, table 3: shared weights, best checkpoint, 5 seeds"
RUNGS = {
    rung.name: rung
    for rung in (
        _forage("lbf-5x5-2p-1f-coop", 0.90, SMALL),
        _forage("lbf-8x8-2p-2f-coop", 0.90, FORAGING, published_vdn=1.00, source=_PUBLISHED),
        _forage(
            "lbf-10x10-3p-3f",
            0.85,
            MIXED,
            published_vdn=0.84,
            source=_PUBLISHED,
        ),
        _forage(
            "lbf-15x15-4p-3f",
            0.60,
            MIXED,
            published_vdn=0.38,
            source=_PUBLISHED,
        ),
        Rung(
            "spread-3",
            SPREADING,
            128,
            _spread,
            _judge_spread,
            "mpe2",
            -33.0,
            {
                "jaxmarl_vdn": -31.7,
                "source": "JaxMARL's VDN-RNN measured on this scale (x3), one seed, shared weights, 2 M steps",
            },
        ),
    )
}
TASKS = (*GAMES, *RUNGS, FEDERATED)


@dataclass(frozen=True)
class Bench:
    """What is asked for: `seeds` trainings of one task.

    Parameters
    ----------
    task : str
        One of `TASKS`.
    seeds : int
        Roots 0 .. seeds - 1.
    steps : int or None
        Environment steps (plays of a matrix game) of each; None takes the rung's budget.
    depth, announced, credit : int, bool, str
        Recursive reasoning between the members of a matrix game, and whose error they learn from.
    changes : dict
        Numbers of `Hyper` to change in a task of many steps.
    """

    task: str
    seeds: int = 10
    steps: int | None = None
    depth: int = 0
    announced: bool = True
    credit: str = "vdn"
    changes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise NotFound(f"there is no task {self.task!r}; there are {', '.join(TASKS)}")
        if self.seeds < 1 or (self.steps is not None and self.steps < 1):
            raise ConfigError(f"bench: {self.seeds} seeds of {self.steps} steps; both must be at least 1")

    @property
    def hyper(self) -> Hyper:
        """The numbers of a task of many steps."""
        return _hyper(self)


def run_bench(bench: Bench, folder: Path, progress: Progress | None = None, workers: int = 1) -> dict[str, Any]:
    """Train every seed that `folder` does not hold yet; return the document of `mycelial learn bench --json`."""
    if bench.task in GAMES:
        return _matrix(bench)
    if bench.task == FEDERATED:
        return speed_bench(bench.seeds, bench.steps, folder / FEDERATED, progress)
    rung = RUNGS[bench.task]
    jobs = [(bench, seed, folder / key_of(bench) / f"seed-{seed}") for seed in range(bench.seeds)]
    if workers > 1:
        results = []
        with executor_named("processes", workers) as pool:
            for done, result in enumerate(pool.map(_train_seed, jobs), start=1):
                results.append(result)
                if progress is not None:
                    progress(done / bench.seeds, sum(one["steps"] for one in results))
    else:
        results = [_train_seed(job, _of_all(progress, job[1], bench.seeds)) for job in jobs]
    scores = [one["score"] for one in results]
    spent = sum(one["cpu_seconds"] for one in results)
    lived = sum(one["steps"] for one in results)
    judged = sorted({one["judge"] for one in results})
    baselines = {**rung.published, "random": _random_score(rung), "target": rung.target, "judged_on": ", ".join(judged)}
    return _document(bench, bench.hyper.steps, scores, lived / max(spent, 1e-9), baselines)


def curves_of(bench: Bench, folder: Path) -> list[list[tuple[int, float]]]:
    """Return the learning curve of every seed that is done: (steps, score on the compiled twin)."""
    found = []
    for seed in range(bench.seeds):
        path = folder / key_of(bench) / f"seed-{seed}" / RESULT
        if path.is_file():
            found.append([(int(n), float(x)) for n, x in json.loads(path.read_text())["curve"]])
    return found


def key_of(bench: Bench) -> str:
    """Return the name of a bench's folder: the task and a hash of everything that decides the result."""
    standard = Hyper().to_dict()
    chosen = {name: value for name, value in bench.hyper.to_dict().items() if value != standard[name]}
    said = json.dumps({"hyper": chosen, "books": RUNGS[bench.task].books}, sort_keys=True)
    return f"{bench.task}-{blake2b(said.encode(), digest_size=4).hexdigest()}"


def _of_all(progress: Progress | None, seed: int, seeds: int) -> Progress | None:
    if progress is None:
        return None
    return lambda share, steps: progress((seed + share) / seeds, steps)


def _hyper(bench: Bench) -> Hyper:
    rung = RUNGS[bench.task]
    unknown = sorted(set(bench.changes) - set(Hyper.names()))
    if unknown:
        raise ConfigError(f"bench: there is no number {unknown[0]!r}; there are {', '.join(Hyper.names())}")
    fresh = {"replay": 0, "replayed": 0} if bench.changes.get("depth") else {}  # best responses learn from the latest
    return replace(rung.hyper, **{**fresh, **bench.changes, "steps": bench.steps or rung.hyper.steps})


def _train_seed(job: tuple[Bench, int, Path], progress: Progress | None = None) -> dict[str, Any]:
    """Return the result of one seed, trained now or before."""
    bench, seed, folder = job
    rung = RUNGS[bench.task]
    done = folder / "score.json"
    if done.is_file():
        return dict(json.loads(done.read_text()))
    own = find_spec(rung.package) is not None
    judged: dict[int, float] = {}
    twin = rung.task(2 * EPISODES, False)
    judge = rung.judge(EPISODES) if own else twin

    def evaluate(team: Deciding, number: int) -> float:
        if number >= EVALUATIONS - LAST:
            judged[number] = float(greedy_returns(team, judge, HELD_OUT + 1_000 * seed + number).mean())
        return float(greedy_returns(team, twin, HELD_OUT + 1_000 * seed + number).mean())

    folder.mkdir(parents=True, exist_ok=True)
    partly = folder / "judged.json"
    if partly.is_file():
        judged |= {int(number): score for number, score in json.loads(partly.read_text()).items()}

    def remembered(team: Deciding, number: int) -> float:
        score = evaluate(team, number)
        partly.write_text(json.dumps(judged))
        return score

    trained = train(
        Training(bench.task, partial(rung.task, rung.books, True), bench.hyper, seed, remembered), folder, progress
    )
    result = {
        "seed": seed,
        "score": float(np.mean([judged[n] for n in sorted(judged)[-LAST:]])),
        "steps": trained.steps,
        "cpu_seconds": trained.cpu_seconds,
        "judge": f"{rung.package} {version(rung.package)}" if own else "the compiled twin",
    }
    done.write_text(json.dumps(result, indent=2) + "\n")
    return result


def _random_score(rung: Rung) -> float:
    """Return the mean return of members that choose at random."""
    task = rung.task(RANDOM_EPISODES, False)
    rng = np.random.default_rng(HELD_OUT)
    task.reset(HELD_OUT)
    total, alive = np.zeros(task.books), np.ones(task.books, np.bool_)
    while alive.any():
        step = task.step(rng.integers(0, task.actions, (task.books, task.agents)).astype(np.int32))
        total += np.where(alive, step.reward, 0.0)
        alive &= ~(step.terminated | step.truncated)
    return float(total.mean())


def _matrix(bench: Bench) -> dict[str, Any]:
    """Bench a matrix game; tables, so that thousands of plays of a hundred seeds take a second."""
    game = GAMES[bench.task]
    plays = bench.steps or Reasoning().plays
    seeds = np.arange(bench.seeds)
    # Rashid et al. 2018 explore the two-step game fully; with less, even additive values may end up at 8.
    last = 1.0 if bench.task == "two-step" else Reasoning().last_epsilon
    asked = Reasoning(depth=bench.depth, announced=bench.announced, credit=bench.credit, plays=plays, last_epsilon=last)
    play(game.payoffs, game.following, replace(asked, plays=1), seeds[:1])  # compiles
    began = time.process_time()
    played = play(game.payoffs, game.following, asked, seeds)
    spent = time.process_time() - began

    def score(**changes: Any) -> float:
        return iqm(play(game.payoffs, game.following, replace(asked, **changes), seeds).scores)

    baselines: dict[str, Any] = {
        "random": game.random_value,
        "optimum": game.best,
        "independent": score(depth=0, credit="none", placebo=False),
        "vdn": score(depth=0, credit="vdn"),
    }
    if bench.depth:
        baselines["placebo"] = score(placebo=True)
    baselines["optimal_share"] = float((played.scores >= game.best - 1e-9).mean())
    return _document(bench, plays, played.scores.tolist(), plays * bench.seeds / max(spent, 1e-9), baselines)


def _document(bench: Bench, steps: int, scores: list[float], speed: float, baselines: dict[str, Any]) -> dict[str, Any]:
    return {
        "task": bench.task,
        "depth": bench.depth,
        "seeds": bench.seeds,
        "steps": steps,
        "scores": scores,
        "iqm": iqm(scores),
        "ci": list(interval(scores)),
        "steps_per_cpu_second": speed,
        "baselines": baselines,
    }
