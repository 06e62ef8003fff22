"""Does the model respond to its parameters as the paper says? Slopes with intervals over seeds.

The paper's claims: more agents, a linear fall of short-term price fluctuation; a larger gesture scalar or accuracy, a
linear rise of absolute daily returns; the drawdown threshold has little effect on survival. One parameter is moved at a
time, all worlds of a level share their seeds with the other levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from mycelial.agents.symba.parameters import SymbaParameters
from mycelial.domain.errors import MycelialError
from mycelial.domain.seeds import generator
from mycelial.facts.returns import log_returns
from mycelial.facts.statistics import TWO_WEEKS
from mycelial.facts.volatility import volatility
from mycelial.simulation.run import WorldRun, simulate_world

LITTLE_PCT_POINTS = 10.0  # a change of survival below this, over all levels, is little
FEWEST_SEEDS = 3  # with fewer, an interval over seeds says nothing
REPLICATES = 2000
Expected = Literal["fall", "rise", "little"]


@dataclass(frozen=True)
class Claim:
    """One sentence of the paper: what `figure` does when `parameter` goes through `levels`."""

    parameter: str
    figure: str
    expected: Expected
    levels: tuple[float, ...]
    words: str


CLAIMS = (
    Claim("agents", "fluctuation", "fall", (250, 500, 1000, 2000), "more agents: short-term fluctuation falls"),
    Claim("gesture_scalar", "absolute_return", "rise", (1.0, 1.5, 2.0, 2.5, 3.0), "larger gestures: moves grow"),
    Claim("accuracy", "absolute_return", "rise", (9.0, 10.0, 11.0, 12.0), "larger accuracy: moves grow"),
    Claim("drawdown", "survival_pct", "little", (10, 30, 50, 70, 90), "drawdown: hardly changes survival"),
)


@dataclass(frozen=True)
class World:
    """One world of the design."""

    claim: int
    level: float
    seed: int


@dataclass(frozen=True)
class Finding:
    """What became of a claim.

    Parameters
    ----------
    mean : of the figure at each level, over seeds.
    change : fitted line at the last level minus at the first (survival: percentage points; else relative to its mean).
    interval : 95 % bootstrap interval of `change` over seeds.
    linearity : share of the variance between levels that the line explains.
    verdict : supported, contradicted, or undecided (the interval holds both).
    """

    claim: Claim
    mean: tuple[float, ...]
    change: float
    interval: tuple[float, float]
    slope: float
    linearity: float
    verdict: Literal["supported", "contradicted", "undecided"]

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as a document."""
        return asdict(self)


def design(seeds: Sequence[int], claims: Sequence[Claim] = CLAIMS) -> list[World]:
    """Return every world to simulate: all levels of all claims, with all seeds."""
    return [World(n, level, seed) for n, claim in enumerate(claims) for level in claim.levels for seed in seeds]


def measure(base: SymbaParameters, assets: int, world: World, claims: Sequence[Claim] = CLAIMS) -> dict[str, float]:
    """Simulate one world and return its figures; NaN when the model broke down."""
    params = base.replace(**{claims[world.claim].parameter: world.level})
    try:
        return figures_of(simulate_world(params, assets, world.seed))
    except MycelialError:
        return {"fluctuation": float("nan"), "absolute_return": float("nan"), "survival_pct": float("nan")}


def figures_of(run: WorldRun) -> dict[str, float]:
    """Return short-term fluctuation (mean of vol_10), mean |r|, and the share of agents solvent, after learning."""
    panel = run.panel()
    return {
        "fluctuation": float(volatility(panel.price, TWO_WEEKS).mean()),
        "absolute_return": float(np.abs(log_returns(panel.price)).mean()),
        "survival_pct": float(100.0 - run.bankrupt_pct[run.params.learning_days :].mean()),
    }


def judge_claims(
    worlds: Sequence[World], figures: Sequence[Mapping[str, float]], claims: Sequence[Claim] = CLAIMS
) -> list[Finding]:
    """Fit a line per claim and judge it; `figures` belong to `worlds`."""
    found = []
    for n, claim in enumerate(claims):
        value = {
            (world.level, world.seed): figure[claim.figure]
            for world, figure in zip(worlds, figures, strict=True)
            if world.claim == n
        }
        seeds = list(dict.fromkeys(seed for _, seed in value))
        table = np.array([[value[level, seed] for level in claim.levels] for seed in seeds])  # [seeds, levels]
        found.append(_finding(claim, table))
    return found


def _finding(claim: Claim, table: np.ndarray[Any, Any]) -> Finding:
    drawn = generator(0, "calibrate", "sensitivity", claim.parameter).integers(
        len(table), size=(REPLICATES, len(table))
    )
    change = _change(claim, table.mean(axis=0)[None, :])[0]
    replicates = _change(claim, table[drawn].mean(axis=1))
    low, high = (float(x) for x in np.percentile(replicates, (2.5, 97.5)))
    mean = table.mean(axis=0)
    slope, intercept = np.polyfit(claim.levels, mean, 1) if np.isfinite(mean).all() else (np.nan, np.nan)
    rest = mean - (slope * np.array(claim.levels) + intercept)
    spread = float(((mean - mean.mean()) ** 2).sum())
    return Finding(
        claim=claim,
        mean=tuple(float(x) for x in mean),
        change=float(change),
        interval=(low, high),
        slope=float(slope),
        linearity=1.0 - float((rest**2).sum()) / spread if spread > 0 else float("nan"),
        verdict=_verdict(claim.expected, low, high) if len(table) >= FEWEST_SEEDS else "undecided",
    )


def _change(claim: Claim, means: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the change along the fitted line of each row."""
    x = np.array(claim.levels, dtype=np.float64)
    centred = x - x.mean()
    slope = means @ centred / (centred @ centred)
    over = np.asarray(slope * (x[-1] - x[0]))
    return over if claim.figure == "survival_pct" else over / means.mean(axis=1)


def _verdict(expected: Expected, low: float, high: float) -> Literal["supported", "contradicted", "undecided"]:
    if expected == "little":
        if low >= -LITTLE_PCT_POINTS and high <= LITTLE_PCT_POINTS:
            return "supported"
        return "contradicted" if low > LITTLE_PCT_POINTS or high < -LITTLE_PCT_POINTS else "undecided"
    if expected == "fall":
        low, high = -high, -low
    return "supported" if low > 0 else "contradicted" if high < 0 else "undecided"
