"""Panels: the named sets of the real data, simulated runs, and everything that must be refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mycelial.adapters.data.panels import load_panel
from mycelial.domain.errors import DataError, NotFound


def write_candles(path: Path, closes: dict[str, list[float]], *, first: str = "2020-01-01") -> Path:
    """Write a daily candle CSV with these closes per symbol; volume is twice the close."""
    lines = ["date,symbol,open,high,low,close,volume"]
    for symbol, values in closes.items():
        for offset, close in enumerate(values):
            day = np.datetime64(first) + offset
            lines.append(f"{day},{symbol},{close},{close},{close},{close},{2 * abs(close)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_run(folder: Path, *, status: str = "complete", **changed: object) -> Path:
    """Write the series of two runs of two assets over three days, rows shuffled."""
    columns = {
        "run": np.repeat([0, 1], 6),
        "t": np.tile([5, 6, 7], 4),
        "asset": np.tile(np.repeat(["BTC", "ETH"], 3), 2),
        "price": np.arange(1.0, 13.0),
        "volume": np.arange(12.0),
        "spread": np.ones(12),
        "fundamental": np.ones(12),
    } | changed
    table = pa.table(columns)
    folder.mkdir(exist_ok=True)
    pq.write_table(table.take(np.random.default_rng(3).permutation(len(table))), folder / "series.parquet")
    (folder / "manifest.json").write_text(json.dumps({"status": status}), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("set_name", "quote", "n_symbols"),
    [("W", "BTC", 27), ("W", "USDT", 8), ("A", "BTC", 54), ("C", "BTC", 39), ("C", "USDT", 29), ("B", "USDT", 85)],
)
def test_members_of_a_set_are_the_symbols_known_to_be_continuous(shared_data, set_name, quote, n_symbols):
    with (shared_data / "continuous_symbols_train.csv").open(encoding="utf-8") as file:
        listed = [row for row in csv.DictReader(file) if row["set"] == set_name and row["quote"] == quote]

    panel = load_panel(shared_data / "daily_panel_train.parquet", set_name, quote)

    assert list(panel.names) == sorted(row["symbol"] for row in listed)
    assert panel.price.shape == panel.volume.shape == (n_symbols, int(listed[0]["n_days"]))


def test_real_closes_land_on_their_days(shared_data):
    panel = load_panel(shared_data / "daily_panel_train.parquet", quote="USDT", symbols=["BTCUSDT"])

    first = np.datetime64(panel.label.split(", ")[-1].split("..")[0])
    crash, top = ((np.datetime64(day) - first).astype(int) for day in ("2020-03-12", "2021-11-08"))

    assert panel.price[0, crash] == 4800.00
    assert panel.price[0, top] == 67525.83


def test_common_window_runs_from_the_last_beginning_to_the_first_end(tmp_path):
    file = write_candles(tmp_path / "c.csv", {"AUSDT": [1, 2, 3, 4]})
    late = write_candles(tmp_path / "d.csv", {"BUSDT": [10, 20, 30, 40]}, first="2020-01-03")
    file.write_text(file.read_text() + "".join(late.read_text().splitlines(keepends=True)[1:]))

    panel = load_panel(file)

    assert panel.names == ("AUSDT", "BUSDT")
    assert panel.price.tolist() == [[3, 4], [10, 20]]
    assert panel.volume.tolist() == [[6, 8], [20, 40]]
    assert "2020-01-03..2020-01-04" in panel.label


def test_row_order_of_the_file_does_not_matter(tmp_path):
    file = write_candles(tmp_path / "c.csv", {"AUSDT": [1, 2, 3], "BUSDT": [4, 5, 6]})
    lines = file.read_text().splitlines()
    backwards = tmp_path / "b.csv"
    backwards.write_text("\n".join([lines[0], *reversed(lines[1:])]))

    assert np.array_equal(load_panel(file).price, load_panel(backwards).price)


def test_set_a_leaves_out_rows_computed_from_other_markets(tmp_path):
    days = [str(np.datetime64("2018-09-16") + i) for i in range(883)]
    table = {column: [1.0] * 883 * 2 for column in ("open", "high", "low", "close", "volume")}
    source = ["pair"] * 883 + ["pair"] * 882 + ["cross_oc"]
    file = tmp_path / "a.parquet"
    symbol = ["AAABTC"] * 883 + ["BBBBTC"] * 883
    pq.write_table(pa.table({"date": days * 2, "symbol": symbol, "source": source, **table}), file)

    assert load_panel(file, "A").names == ("AAABTC",)


def test_run_series_come_back_per_run_and_asset_with_their_world(tmp_path):
    folder = write_run(tmp_path / "run")

    panel = load_panel(folder)

    assert panel.names == ("0/BTC", "0/ETH", "1/BTC", "1/ETH")
    assert panel.group == (0, 0, 1, 1)
    assert panel.price.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]]
    assert panel.volume.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert load_panel(folder / "series.parquet").names == panel.names
    assert load_panel(folder, symbols=["ETH"]).names == ("0/ETH", "1/ETH")
    assert load_panel(folder, symbols=["1/BTC"]).group == (1,)


def test_runs_are_ordered_as_numbers_not_as_text(tmp_path):
    folder = write_run(tmp_path / "run", run=np.repeat([10, 9], 6))

    assert load_panel(folder).group == (9, 9, 10, 10)


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_a_run_that_is_not_complete_is_refused(tmp_path, status):
    folder = write_run(tmp_path / "run", status=status)

    for path in (folder, folder / "series.parquet"):
        with pytest.raises(DataError, match=f"status is '{status}'"):
            load_panel(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"t": np.tile([5, 6, 8], 4)}, "days 5..7"),
        ({"t": np.tile([5, 6, 6], 4)}, "days 5..7"),
        ({"price": np.full(12, -1.0)}, "column price, row 1 .* is -1"),
        ({"price": np.full(12, np.nan)}, "column price, row 1 .* is nan"),
        ({"volume": np.full(12, np.inf)}, "column volume, row 1 .* is inf"),
        ({"price": ["high"] * 12}, "column price, row 1 is 'high'"),
    ],
)
def test_a_run_with_impossible_series_is_refused(tmp_path, changed, message):
    folder = write_run(tmp_path / "run", **changed)

    with pytest.raises(DataError, match=message):
        load_panel(folder)


@pytest.mark.parametrize(("column", "price"), [("close", -3.0), ("close", 0.0), ("close", float("nan"))])
def test_an_impossible_price_names_its_file_row_symbol_and_day(tmp_path, column, price):
    file = write_candles(tmp_path / "c.csv", {"AUSDT": [1, 2], "BUSDT": [1, 2]})
    lines = file.read_text().splitlines()
    lines[4] = f"2020-01-02,BUSDT,1,1,1,{price},5"
    file.write_text("\n".join(lines))

    with pytest.raises(DataError, match=rf"c\.csv: column {column}, row 4 \(BUSDT 2020-01-02\) is {price:g}"):
        load_panel(file)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"set_name": "Z"}, NotFound, "unknown set 'Z'"),
        ({"set_name": "W"}, DataError, "no USDT symbol has every day"),
        ({"quote": "EUR"}, NotFound, "choose --quote from BTC, USDT"),
        ({}, DataError, "choose one with --quote"),
        ({"quote": "USDT", "symbols": ["AUSDX"]}, NotFound, "no symbol 'AUSDX'.*AUSDT"),
        ({"quote": "USDT", "symbols": []}, DataError, "empty list"),
        ({"quote": "USDT"}, DataError, "GAPUSDT lacks 1 of the 3 days.*2020-01-02.*--set-name"),
    ],
)
def test_a_selection_that_cannot_be_made_says_what_to_do(tmp_path, arguments, error, message):
    file = write_candles(tmp_path / "c.csv", {"AUSDT": [1, 2, 3], "ABTC": [1, 2, 3], "GAPUSDT": [1, 2, 3]})
    file.write_text("".join(line for line in file.open() if "2020-01-02,GAPUSDT" not in line))
    if arguments == {"set_name": "W"}:
        file.write_text("".join(line for line in file.open() if "ABTC" not in line))

    with pytest.raises(error, match=message):
        load_panel(file, **arguments)


def test_missing_file_corrupt_file_and_missing_column_are_told_apart(tmp_path):
    corrupt = tmp_path / "broken.parquet"
    corrupt.write_bytes(b"PAR1 and then nothing")
    nameless = tmp_path / "n.csv"
    nameless.write_text("date,symbol,open,high,low,close\n2020-01-01,AUSDT,1,1,1,1\n")

    with pytest.raises(NotFound, match="no such file"):
        load_panel(tmp_path / "absent.parquet")
    with pytest.raises(DataError, match=r"broken\.parquet: cannot be read"):
        load_panel(corrupt)
    with pytest.raises(DataError, match=r"n\.csv: no column for volume"):
        load_panel(nameless)
    with pytest.raises(NotFound, match=r"holds no series\.parquet"):
        load_panel(tmp_path)


def test_a_day_that_is_there_twice_is_refused(tmp_path):
    file = write_candles(tmp_path / "c.csv", {"AUSDT": [1, 2, 3]})
    file.write_text(file.read_text() + "2020-01-02,AUSDT,2,2,2,2,4\n")

    with pytest.raises(DataError, match=r"AUSDT 2020-01-02\) is there twice"):
        load_panel(file)


def test_intraday_candles_make_no_daily_panel(tmp_path):
    file = tmp_path / "c.csv"
    file.write_text("time,symbol,open,high,low,close,volume\n2020-01-01 00:05,AUSDT,1,1,1,1,1\n")

    with pytest.raises(DataError, match=r"2020-01-01 00:05\) is not at midnight UTC"):
        load_panel(file)
