"""Compare a simulated panel with a real one: every distance, its baseline, and one number for a calibrator.

A real side is measured once (`prepare`) and compared with many simulations (`distances`), which is the fast path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np

from mycelial.domain.errors import DataError
from mycelial.domain.seeds import generator
from mycelial.facts.distance import Distance, bootstrap_interval, distance
from mycelial.facts.panel import Floats, Panel
from mycelial.facts.statistics import DISTANCE_KEYS, STATISTICS, pooled, samples

CALIBRATION_FIGURES = (7, 8, 9, 10, 11, 12)


@dataclass(frozen=True, eq=False)
class PreparedStatistics:
    """Samples of one panel, sorted and ready to compare.

    `sample[key]` is float64[n] ascending. `rows[key]` keeps float64[n_series, n] for the bootstrap and is empty when
    the statistics came from stored quantiles. `mean[key]` is the mean of the sample (figures 13 and 14).
    """

    label: str
    sample: Mapping[str, Floats]
    mean: Mapping[str, float]
    rows: Mapping[str, Floats]
    with_zeros: bool = False


def prepare(panel: Panel, names: Iterable[str] | None = None, *, with_zeros: bool = False) -> PreparedStatistics:
    """Measure `names` (all of `DISTANCE_KEYS` by default) of a panel once, for many comparisons."""
    rows = samples(panel, DISTANCE_KEYS if names is None else tuple(names), with_zeros=with_zeros)
    sample = {key: pooled(values) for key, values in rows.items()}
    return PreparedStatistics(
        label=panel.label,
        sample=MappingProxyType(sample),
        mean=MappingProxyType({key: float(x.mean()) if x.size else float("nan") for key, x in sample.items()}),
        rows=MappingProxyType(rows),
        with_zeros=with_zeros,
    )


def distances(
    sim: Panel | PreparedStatistics, reference: PreparedStatistics, names: Iterable[str] | None = None
) -> dict[str, Distance]:
    """Return KS and W1 of every statistic, without intervals: the path a calibrator takes thousands of times.

    Zeros are kept or left out on the simulated side as they were when `reference` was prepared. A statistic that the
    panel is too short for has NaN distances.

    Raises
    ------
    DataError
        If the reference does not hold a statistic asked for, or the two sides treat zeros differently.
    """
    keys = tuple(reference.sample) if names is None else tuple(names)
    missing = [key for key in keys if key not in reference.sample]
    if missing:
        raise DataError(f"reference {reference.label!r} holds no {', '.join(missing)}; prepare it with these names")
    if isinstance(sim, Panel):
        sim = prepare(sim, keys, with_zeros=reference.with_zeros)
    if sim.with_zeros != reference.with_zeros:
        raise DataError(
            f"{sim.label!r} has with_zeros={sim.with_zeros} and {reference.label!r} has "
            f"with_zeros={reference.with_zeros}; prepare both alike"
        )
    return {key: distance(sim.sample[key], reference.sample[key]) for key in keys}


def compare(
    sim: Panel | PreparedStatistics,
    reference: PreparedStatistics,
    *,
    replicates: int = 200,
    seed: int = 0,
    names: Iterable[str] | None = None,
) -> dict[str, Distance]:
    """Return every distance with a 95 % bootstrap interval of KS over series.

    A reference of stored quantiles cannot be resampled; then the intervals carry the simulated side's spread only.
    """
    keys = tuple(reference.sample) if names is None else tuple(names)
    if isinstance(sim, Panel):
        sim = prepare(sim, keys, with_zeros=reference.with_zeros)
    found = distances(sim, reference, keys)
    if replicates < 1:
        return found
    return {
        key: replace(
            found[key],
            ci=bootstrap_interval(
                sim.rows.get(key, sim.sample[key][None, :]),
                reference.rows.get(key, reference.sample[key][None, :]),
                replicates,
                generator(seed, "facts", "bootstrap", key),
            ),
        )
        for key in keys
    }


def real_versus_real(
    panel: Panel, seed: int = 0, *, splits: int = 20, names: Iterable[str] | None = None, with_zeros: bool = False
) -> dict[str, Distance]:
    """Return the distances between two random halves of the coins, averaged over `splits` seeded splits.

    This is how far apart two samples of the same market lie: the unit in which a simulation is judged.

    Raises
    ------
    DataError
        If the panel has fewer than 2 series.
    """
    if panel.n_series < 2:
        raise DataError(f"panel {panel.label!r} has {panel.n_series} series; halves need at least 2")
    rows = samples(panel, DISTANCE_KEYS if names is None else tuple(names), with_zeros=with_zeros)
    halves = [_halves(panel.n_series, seed, split) for split in range(splits)]
    averaged = {}
    for key, values in rows.items():
        found = [distance(pooled(values[first]), pooled(values[second])) for first, second in halves]
        averaged[key] = Distance(
            ks=float(np.mean([one.ks for one in found])), w1=float(np.mean([one.w1 for one in found]))
        )
    return averaged


def two_halves(panel: Panel, seed: int = 0) -> tuple[Panel, Panel]:
    """Return the coins of the panel split at random into two halves (figure 5)."""
    first, second = _halves(panel.n_series, seed, 0)
    return panel.select(list(first), f"{panel.label}, half A"), panel.select(list(second), f"{panel.label}, half B")


def normalised_distance(
    found: Mapping[str, Distance], baseline: Mapping[str, Distance], measure: Literal["w1", "ks"] = "w1"
) -> float:
    """Return the calibration objective: distance to the real panel in units of real against real.

    Each distance is divided by the same distance between two halves of the real panel; these ratios are averaged
    within each of figures 7 to 12, then over the figures. 1 means as near as one half of the market is to the other.

    Raises
    ------
    DataError
        If a figure has no statistic in `found`, or a distance or its baseline is missing, NaN or zero.
    """
    figure_means = []
    for figure in CALIBRATION_FIGURES:
        keys = [key for key in found if STATISTICS[key].figure == figure]
        ratios = []
        for key in keys:
            value = getattr(found[key], measure)
            unit = getattr(baseline[key], measure) if key in baseline else float("nan")
            if not (np.isfinite(value) and unit > 0):
                raise DataError(
                    f"{key}: distance {value} against a real-versus-real distance of {unit}; use longer panels "
                    f"(windows reach {3 * STATISTICS[key].window} days) and a baseline of the same statistics"
                )
            ratios.append(value / unit)
        if not ratios:
            raise DataError(f"no statistic of figure {figure} among {', '.join(found) or 'none'}; compute it as well")
        figure_means.append(float(np.mean(ratios)))
    return float(np.mean(figure_means))


def _halves(n_series: int, seed: int, split: int) -> tuple[list[int], list[int]]:
    order = generator(seed, "facts", "halves", split).permutation(n_series)
    middle = n_series // 2
    return sorted(int(i) for i in order[:middle]), sorted(int(i) for i in order[middle:])
