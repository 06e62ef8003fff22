"""Importing: whatever a file calls its columns and writes its times, the same candles arrive."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mycelial.adapters.data.candles import VALUE_COLUMNS, quote_of
from mycelial.adapters.data.catalogue import load, load_interval, read_entries
from mycelial.adapters.data.importing import import_file
from mycelial.adapters.data.panels import load_panel
from mycelial.adapters.data.reading import read_candles
from mycelial.domain.errors import DataError
from support.candle_data import candles_of, close_lists, csv_of

NOW = "2024-01-01T00:00:00+00:00"
ROW = "2020-01-01,1.5,3,1,2,10"


@given(closes=close_lists, time=st.sampled_from(["iso", "s", "ms", "us"]), seed=st.integers(0, 9))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_imported_candles_come_back_exactly(tmp_path_factory, closes, time, seed):
    folder = tmp_path_factory.mktemp("c")
    candles = candles_of(closes)
    lines = csv_of(candles, time=time).splitlines()
    shuffled = np.random.default_rng(seed).permutation(lines[1:])
    file = folder / "in.csv"
    file.write_text("\n".join([lines[0], *shuffled]))

    import_file(file, folder / "data", venue="binance", imported_at=NOW)
    back = load(folder / "data", read_entries(folder / "data")[0])

    assert np.array_equal(back.time_ms, candles.time_ms)
    for column in VALUE_COLUMNS:
        assert np.array_equal(back.value(column), candles.value(column)), column
    assert np.array_equal(load_panel(folder / "data").price, [candles.close])


@pytest.mark.parametrize(
    "text",
    [
        f"date,open,high,low,close,volume\n{ROW}\n",
        f"Timestamp,Open,High,Low,Close,Volume\n{ROW.replace('2020-01-01', '2020-01-01T00:00:00Z')}\n",
        f"Open Time,Open,High,Low,Close,Vol\n{ROW.replace('2020-01-01', '2020-01-01 00:00:00')}\n",
        f"https://www.example.org\nunix,open,high,low,close,Volume BTC,Volume USDT\n"
        f"{ROW.replace('2020-01-01', '1577836800')},20\n",
        f"{ROW.replace('2020-01-01', '1577836800000')},1577923199999,20,5,1,2,0\n",
        f"{ROW.replace('2020-01-01', '1577836800000000')},1577923199999999,20,5,1,2,0\n",
        f"{ROW.replace('2020-01-01', '1577836800')},7\n",
        "\ufeffdate,close,low,high,open,volume,extra\n2020-01-01,2,1,3,1.5,10,x\n",
        f"t,o,h,l,c,v\n{ROW.replace('2020-01-01', '1577836800.0')}\n",
    ],
    ids=["plain", "zone", "spaces", "preamble", "binance ms", "binance us", "kraken", "byte order mark", "letters"],
)
def test_every_common_csv_shape_reads_as_the_same_candle(tmp_path, text):
    file = tmp_path / "BTCUSDT-1d.csv"
    file.write_text(text, encoding="utf-8")

    candles = read_candles(file)

    assert candles.symbols == ("BTCUSDT",)
    assert candles.time_ms.tolist() == [1_577_836_800_000]
    assert [candles.value(column)[0] for column in VALUE_COLUMNS] == [1.5, 3.0, 1.0, 2.0, 10.0]


def test_compressed_csv_reads_like_plain(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(csv_of(candles_of([1.0, 2.0])).encode()))

    assert read_candles(tmp_path / "a.csv.gz").close.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date,open,high,low,close\n2020-01-01,1,1,1,1\n", "no column for volume"),
        ("date,open,high,low,close,volume\n", "holds no candles"),
        ("", "is empty"),
        (f"date,open,high,low,close,volume\n{ROW}\n2020-01-02,1,1,1,cheap,1\n", "column close, row 2 is 'cheap'"),
        (f"date,open,high,low,close,volume\n{ROW}\nyesterday,1,1,1,1,1\n", "column date, row 2 is 'yesterday'"),
        ("date,open,high,low,close,volume\n20200101,1,1,1,1,1\n", "row 1 is 20200101, which is no time"),
        (f"date,open,high,low,close,volume\n{ROW}\n,1,1,1,1,1\n", "column date, row 2 is empty"),
        (f"date,open,high,low,close,volume\n{ROW}\n2020-01-02,1,1\n", "cannot be read .*Expected 6 columns"),
        ("date,symbol,quote,open,high,low,close,volume\n2020-01-01,A,USDT,1,1,1,1,1\n2020-01-02,A,BTC,1,1,1,1,1\n",
         "column quote, row 2: A is quoted in BTC here and in USDT before"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_refused_with_the_place(tmp_path, text, message):
    (tmp_path / "bad.csv").write_text(text)

    with pytest.raises(DataError, match=rf"bad\.csv: .*{message}"):
        read_candles(tmp_path / "bad.csv")


@pytest.mark.parametrize(
    ("column", "bad", "shown"),
    [("close", "-1", "-1"), ("open", "0", "0"), ("high", "inf", "inf"), ("low", "", "nan"), ("volume", "-2", "-2")],
)
def test_impossible_numbers_are_refused_with_row_and_leave_no_catalogue(tmp_path, column, bad, shown):
    names = ["date", *VALUE_COLUMNS]
    fields = ["2020-01-02", "1", "1", "1", "1", "1"]
    fields[names.index(column)] = bad
    (tmp_path / "AUSDT.csv").write_text(f"{','.join(names)}\n{ROW}\n{','.join(fields)}\n")

    with pytest.raises(DataError, match=rf"column {column}, row 2 \(AUSDT 2020-01-02\) is {shown}"):
        import_file(tmp_path / "AUSDT.csv", tmp_path / "data", venue="local", imported_at=NOW)

    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("symbol", ["../../etc/passwd", "A\\B", "", ".."])
def test_a_symbol_that_could_leave_the_catalogue_is_refused(tmp_path, symbol):
    (tmp_path / "a.csv").write_text(f"date,symbol,open,high,low,close,volume\n2020-01-01,{symbol},1,1,1,1,1\n")

    with pytest.raises(DataError):
        import_file(tmp_path / "a.csv", tmp_path / "data", venue="local", imported_at=NOW, interval="1d")

    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize(
    ("symbol", "quote"),
    [("BTCUSDT", "USDT"), ("ETHBTC", "BTC"), ("BTC/USD", "USD"), ("eth-eur", "EUR"), ("USDT", ""), ("XYZ", "")],
)
def test_quote_is_told_from_the_symbol(symbol, quote):
    assert quote_of(symbol) == quote


def test_candles_given_a_finer_interval_than_they_keep_are_refused(tmp_path):
    (tmp_path / "A.csv").write_text(f"date,open,high,low,close,volume\n{ROW.replace('-01,', '-01 00:30,')}\n")

    with pytest.raises(DataError, match="does not open on a boundary of 1h"):
        import_file(tmp_path / "A.csv", tmp_path / "data", venue="local", imported_at=NOW, interval="1h")


def test_the_real_panel_survives_the_catalogue(shared_data: Path, tmp_path):
    panel_file = shared_data / "daily_panel_train.parquet"

    imported = import_file(panel_file, tmp_path / "data", venue="binance", imported_at=NOW)

    assert (imported.interval, imported.rows, len(imported.stored)) == ("1d", 228_931, 227)
    for set_name, n in (("W", 27), ("A", 54)):
        direct, through = load_panel(panel_file, set_name), load_panel(tmp_path / "data", set_name)
        assert through.names == direct.names
        assert len(direct.names) == n
        assert np.array_equal(through.price, direct.price)
        assert np.array_equal(through.volume, direct.volume)
    assert len(load_interval(tmp_path / "data", "1d")) == 228_931
