"""Read back what the reports draw of a run, beside its panel (`mycelial.adapters.data.panels`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mycelial.adapters.data.reading import numbers, read_table
from mycelial.adapters.runs.layout import CURVES, SERIES, TABLES
from mycelial.adapters.runs.manifest import read_run
from mycelial.domain.errors import DataError, NotFound


def read_learning(directory: Path) -> NDArray[np.float64]:
    """Return float64[runs, years, agents], 100 NAV / NAV0 at the end of each accounting year; NaN where bankrupt.

    Raises
    ------
    NotFound
        If the folder is not a run.
    DataError
        If the run is not complete, or its curves are corrupt, lack a column or lack an agent's year.
    """
    read_run(directory)
    run, year, agent, nav_pct = _columns(directory / CURVES, TABLES[CURVES].names)
    if run.size == 0:
        raise DataError(f"{directory / CURVES}: holds no years; run the simulation again")
    keys = np.stack([run, year, agent])
    shape = tuple(int(largest) + 1 for largest in keys.max(axis=1))
    if np.prod(shape) != run.size or not np.array_equal(keys, np.indices(shape).reshape(3, -1)):
        raise DataError(
            f"{directory / CURVES}: lacks, repeats or misplaces some of the {' x '.join(map(str, shape))} "
            "(runs x years x agents) rows; run the simulation again"
        )
    return nav_pct.reshape(shape)


def read_sample(
    directory: Path, run: int = 0, asset: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return day, price and fundamental value of one asset of one run after the learning phase, each float64[n].

    Raises
    ------
    NotFound
        If the folder is not a run, or has no such run or asset.
    DataError
        If the run is not complete, or its series are corrupt or lack a column.
    """
    read_run(directory)
    file = directory / SERIES
    of_run, of_asset, day, price, fundamental = _columns(file, ("run", "asset", "t", "price", "fundamental"))
    kept = np.flatnonzero((of_run == run) & (of_asset == asset))
    if kept.size == 0:
        raise NotFound(
            f"{file}: no asset {asset} of run {run}; there are {np.unique(of_run).size} runs "
            f"of {np.unique(of_asset).size} assets, counted from 0"
        )
    kept = kept[np.argsort(day[kept], kind="stable")]
    return day[kept], price[kept], fundamental[kept]


def _columns(file: Path, names: Sequence[str]) -> tuple[NDArray[np.float64], ...]:
    if not file.is_file():
        raise DataError(f"{file}: is missing from a run that says it is complete; run the simulation again")
    table = read_table(file)
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise DataError(f"{file}: no column {', '.join(missing)}; run the simulation again")
    return tuple(numbers(table.column(name), file, name) for name in names)
