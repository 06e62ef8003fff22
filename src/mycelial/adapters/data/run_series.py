"""The daily series of a simulated run, as the recorder writes them, read back as a `Panel`.

Each (run, asset) is one series and each run an independent world. A run that did not finish is refused: its first days
look like a market too, and statistics of them would be believed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mycelial.adapters.data.reading import numbers
from mycelial.domain.errors import DataError, NotFound
from mycelial.facts.panel import Panel

RUN_SERIES = "series.parquet"
RUN_COLUMNS = ("run", "t", "asset", "price", "volume")


def refuse_unfinished(folder: Path) -> None:
    """Raise `DataError` when the folder's run manifest is unreadable or says anything but "complete"."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return
    try:
        status = json.loads(manifest.read_text(encoding="utf-8"))["status"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{manifest}: is not a run manifest with a status ({error}); run the simulation again"
        ) from error
    if status != "complete":
        raise DataError(f"{manifest}: status is {status!r}, not 'complete'; finish the run before measuring it")


def panel_of_run(table: pa.Table, file: Path, symbols: Sequence[str] | None = None) -> Panel:
    """Return the series of a run as a panel, one row per (run, asset), ordered by run and asset.

    Parameters
    ----------
    table : pyarrow.Table
        Columns run, t, asset, price, volume; others are ignored.
    file : Path
        For messages and the label.
    symbols : sequence of str, optional
        Keep these: assets ("0") or single series ("3/0", run 3).

    Raises
    ------
    DataError
        If a column is missing, a price is not positive or a day is missing or there twice.
    NotFound
        If an asset does not exist.
    """
    missing = [column for column in RUN_COLUMNS if column not in table.column_names]
    if missing:
        raise DataError(f"{file}: no column {', '.join(missing)}; a run's series have {', '.join(RUN_COLUMNS)}")
    if table.num_rows == 0:
        raise DataError(f"{file}: holds no days; run the simulation again")
    run_code, runs = _coded(table, "run", file)
    asset_code, assets = _coded(table, "asset", file)
    t, price, volume = (numbers(table.column(column), file, column) for column in ("t", "price", "volume"))
    for column, values, wrong in (
        ("t", t, ~np.isfinite(t)),
        ("price", price, ~(np.isfinite(price) & (price > 0))),
        ("volume", volume, ~(np.isfinite(volume) & (volume >= 0))),
    ):
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"{file}: column {column}, row {row + 1} (run {runs[run_code[row]]}, asset {assets[asset_code[row]]}, "
                f"day {t[row]:g}) is {values[row]:g}; prices must be positive, volumes not negative, all finite; "
                "run the simulation again"
            )

    series = run_code * len(assets) + asset_code
    kept = _kept_series(np.unique(series).tolist(), runs, assets, symbols, file)
    by_day = np.lexsort((t, series))  # rows of a series together, its days ascending
    bounds = np.searchsorted(series[by_day], [kept, [code + 1 for code in kept]])
    rows = [by_day[begin:end] for begin, end in bounds.T]
    days = t[rows[0]][0] + np.arange(len(rows[0]))
    for code, r in zip(kept, rows, strict=True):
        if not np.array_equal(t[r], days):
            raise DataError(
                f"{file}: run {runs[code // len(assets)]}, asset {assets[code % len(assets)]} lacks or repeats one of "
                f"the days {days[0]:g}..{days[-1]:g}, which every series of a run has once; run the simulation again"
            )
    taken = np.stack(rows)  # [n_series, n_days] rows
    kept_runs = [code // len(assets) for code in kept]
    return Panel(
        names=tuple(f"{runs[code // len(assets)]}/{assets[code % len(assets)]}" for code in kept),
        price=np.ascontiguousarray(price[taken]),
        volume=np.ascontiguousarray(volume[taken]),
        label=f"{file.parent.name or file.name} ({len(set(kept_runs))} run(s), {len(kept)} series, {len(days)} days)",
        group=tuple(int(runs[code]) if _is_whole(runs[code]) else code for code in kept_runs),
    )


def _coded(table: pa.Table, name: str, file: Path) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return each row's index into the distinct values of a column, which may be numbers or text."""
    column = table.column(name)
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise DataError(f"{file}: column {name}, row {row + 1} is empty; run the simulation again")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    encoded = pa.concat_arrays(column.cast(pa.string()).chunks).dictionary_encode()
    values = encoded.dictionary.to_pylist()
    order = sorted(range(len(values)), key=lambda i: (int(values[i]) if _is_whole(values[i]) else 0, values[i]))
    rank = np.argsort(order)
    return rank[encoded.indices.to_numpy()], tuple(values[i] for i in order)


def _kept_series(
    present: list[int], runs: tuple[str, ...], assets: tuple[str, ...], symbols: Sequence[str] | None, file: Path
) -> list[int]:
    if symbols is None:
        return present
    spellings = {
        code: {assets[code % len(assets)], f"{runs[code // len(assets)]}/{assets[code % len(assets)]}"}
        for code in present
    }
    known = set().union(*spellings.values())
    for name in symbols:
        if name not in known:
            raise NotFound(f"{file}: no asset {name!r}; there is {', '.join(sorted(known)[:6])}, …")
    kept = [code for code in present if spellings[code] & set(symbols)]
    if not kept:
        raise DataError(f"{file}: an empty list of assets selects nothing; name some or leave it out")
    return kept


def _is_whole(text: str) -> bool:
    return text.lstrip("-").isdecimal()
