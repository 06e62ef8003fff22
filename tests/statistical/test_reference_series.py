"""The preset `reference` against recorded runs of the authors' simulator, each paired with the fundamental it saw.

Five recordings with learning agents, one with random actions from T_learn on; statistics of days 1000 to 2452. A gap is
the logarithm of (recorded / mean of our seeds), for autocorrelations their difference. Over the five recordings of
learning agents its mean must lie within two standard errors of zero, the errors being estimated from the five gaps
themselves; one recording alone must lie within a factor that says how much single worlds differ.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mycelial.agents.symba.fundamental import given_fundamental
from mycelial.agents.symba.presets import preset
from mycelial.simulation.run import WorldRun, simulate_world

LEARNING = (
    "common_seed1",
    "common_seed2",
    "independent_seed1",
    "independent_seed2",
    "independent_seed3",
)
SEEDS = (100, 101)
START = 1000
DIFFERENCES = ("acf1_r", "acf_abs_r", "acf1_volume")

Statistics = dict[str, float]


def autocorrelation(x: NDArray[np.float64], lag: int) -> float:
    x = x - x.mean()
    return float((x[lag:] * x[:-lag]).sum() / (x * x).sum())


def statistics(
    price: NDArray[np.float64],
    volume: NDArray[np.float64],
    spread: NDArray[np.float64],
    bias_pct: NDArray[np.float64],
    ever_bankrupt_pct: float,
) -> Statistics:
    """Summarise the days from `START` on; all series start on day 0."""
    r = np.diff(np.log(price[START - 1 :]))
    v = volume[START:]
    return {
        "std_r": float(r.std()),
        "unchanged_days": float((r == 0).mean()),
        "acf1_r": autocorrelation(r, 1),
        "acf_abs_r": float(np.mean([autocorrelation(np.abs(r), lag) for lag in range(1, 21)])),
        "excess_kurtosis": float(((r - r.mean()) ** 4).mean() / r.var() ** 2 - 3.0),
        "mean_volume": float(v.mean()),
        "acf1_volume": autocorrelation(v, 1),
        "spread_pct": float((100.0 * spread[START:] / price[START:]).mean()),
        "bias_pct": float(bias_pct[START:].mean()),
        "bankrupt_pct": ever_bankrupt_pct,
    }


def recorded(path: Path) -> tuple[Statistics, NDArray[np.float64]]:
    """Return the statistics of a recording and its fundamental; recordings start on day 1."""
    columns = np.genfromtxt(path, delimiter=",", names=True)

    def from_day_0(name: str) -> NDArray[np.float64]:
        return np.concatenate([columns[name][:1], columns[name]])

    series = [from_day_0(name) for name in ("price", "volume", "spread", "mean_abs_bias_pct")]
    fundamental = from_day_0("fundamental")
    fundamental[0] = 100.0
    return statistics(*series, float(columns["bankrupt_pct"][-1])), fundamental


def of_run(run: WorldRun) -> Statistics:
    """Summarise a run; recordings count bankruptcies for ever, a run only until everybody is revived."""
    ever = run.bankrupt_pct[run.params.learning_days - 1] + run.bankrupt_pct[-1]
    return statistics(run.price[0], run.volume[0], run.spread[0], run.bias_pct[0], float(ever))


def gaps(folder: Path, name: str, **changes: object) -> Statistics:
    """Return recorded against simulated for one recording."""
    path = folder / f"ref_I500_T2453_G1.5_A11_L50_{name}.csv.gz"
    theirs, fundamental = recorded(path)
    params = preset("reference").replace(noise="common" if "common" in name else "independent", **changes)
    paths = given_fundamental(fundamental, params)
    runs = [of_run(simulate_world(params, 1, seed, fundamental=paths)) for seed in SEEDS]
    ours = {key: float(np.mean([run[key] for run in runs])) for key in theirs}
    return {
        key: theirs[key] - ours[key] if key in DIFFERENCES else float(np.log(theirs[key] / ours[key])) for key in theirs
    }


@pytest.fixture(scope="module")
def learning_gaps(shared_data: Path) -> dict[str, NDArray[np.float64]]:
    every = [gaps(shared_data / "symba_reference", name) for name in LEARNING]
    return {key: np.array([gap[key] for gap in every]) for key in every[0]}


@pytest.mark.parametrize(
    "statistic",
    [
        "std_r",
        "unchanged_days",
        "acf1_r",
        "acf_abs_r",
        "excess_kurtosis",
        "mean_volume",
        "acf1_volume",
        "spread_pct",
        "bias_pct",
        "bankrupt_pct",
    ],
)
def test_learning_markets_agree_with_the_recorded_ones_within_two_standard_errors(
    statistic: str, learning_gaps: dict[str, NDArray[np.float64]]
):
    gap = learning_gaps[statistic]

    error = gap.std(ddof=1) / np.sqrt(gap.size)

    assert abs(gap.mean()) <= 2.0 * error, f"{statistic}: mean gap {gap.mean():+.3f}, standard error {error:.3f}"


def test_single_recordings_are_within_the_range_of_single_worlds(learning_gaps: dict[str, NDArray[np.float64]]):
    """Volume, spread, bias and volatility of one world: within a factor 2 of the mean of our seeds."""
    for statistic in ("std_r", "unchanged_days", "mean_volume", "spread_pct", "bias_pct"):
        assert np.abs(learning_gaps[statistic]).max() < np.log(2.0), statistic


def test_random_actions_after_learning_agree_with_the_recorded_run(shared_data: Path):
    """The recording draws sides and gestures at random for everybody and goes on forecasting as learnt.

    Its fundamental moves little, so worlds differ little: volume, unchanged days and spread within 15 %.
    """
    gap = gaps(shared_data / "symba_reference", "zi_seed1", herd_leader="noise", herd_share=1.0)

    for statistic in ("mean_volume", "unchanged_days", "spread_pct", "std_r"):
        assert abs(gap[statistic]) < 0.15, f"{statistic}: {gap[statistic]:+.3f}"
    assert abs(gap["acf1_r"]) < 0.1
    assert abs(gap["acf1_volume"]) < 0.1  # actions chosen by policies that stopped learning would give 0.2
