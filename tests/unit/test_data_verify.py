"""Verification: every defect put into sound candles is found, and sound candles are left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.adapters.data.candles import DAY_MS
from mycelial.adapters.data.catalogue import store
from mycelial.adapters.data.verify import verify_candles, verify_path
from mycelial.domain.errors import NotFound
from support.candle_data import candles_of

calm_closes = st.lists(st.floats(100, 200), min_size=6, max_size=20)


def changed(candles, column, row, value):
    values = getattr(candles, column).copy()
    values[row] = value
    return replace(candles, **{column: values})


DEFECTS = {
    "price": lambda c, row: changed(c, "close", row, 0.0),
    "volume": lambda c, row: changed(c, "volume", row, -1.0),
    "range": lambda c, row: changed(c, "high", row, c.low[row] / 2),
    "move": lambda c, row: _jump(c, row),
    "gap": lambda c, row: c.take(np.arange(len(c)) != row),
    "duplicate": lambda c, row: c.take(np.sort(np.append(np.arange(len(c)), row))),
    "spacing": lambda c, row: changed(c, "time_ms", row, c.time_ms[row] - DAY_MS // 2),
}


def _jump(candles, row):
    later = np.where(np.arange(len(candles)) >= row, 10.0, 1.0)
    scaled = {column: getattr(candles, column) * later for column in ("open", "high", "low", "close")}
    return replace(candles, **scaled)


@given(closes=calm_closes)
def test_sound_candles_have_no_findings(closes):
    assert verify_candles(candles_of(closes), "test") == []


@pytest.mark.parametrize("defect", DEFECTS)
@given(closes=calm_closes, data=st.data())
def test_an_injected_defect_is_found_where_it_is(defect, closes, data):
    candles = candles_of(closes)
    row = data.draw(st.integers(1, len(candles) - 2))

    findings = verify_candles(DEFECTS[defect](candles, row), "test", spacing_ms=DAY_MS)

    of_it = [finding for finding in findings if finding.check == defect]
    assert [finding.row for finding in of_it] == [row + 2 if defect == "duplicate" else row + 1]
    assert of_it[0].severity == ("warning" if defect == "move" else "error")
    assert of_it[0].symbol == "BTCUSDT"
    also = {"spacing": {"gap"}}.get(defect, set())
    assert {finding.check for finding in findings} - also == {defect}


@pytest.mark.parametrize(("column", "value"), [("high", 99.7), ("low", 99.7), ("open", 90.0), ("close", 110.0)])
def test_a_range_must_enclose_open_and_close(column, value):
    candles = candles_of([100.0, 100.0, 100.0])  # open 99, low 98, high 102

    findings = verify_candles(changed(candles, column, 1, value), "test")

    assert [(f.check, f.row) for f in findings] == [("range", 2)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, 0.0])
@pytest.mark.parametrize("column", ["open", "high", "low", "close"])
def test_every_impossible_price_is_an_error(column, bad):
    findings = verify_candles(changed(candles_of([1.0, 1.0, 1.0]), column, 1, bad), "test")

    assert ("error", "price", 2) in [(f.severity, f.check, f.row) for f in findings]


def test_the_threshold_of_moves_can_be_chosen():
    candles = candles_of([100.0, 150.0])

    assert verify_candles(candles, "test") == []
    assert [f.check for f in verify_candles(candles, "test", max_log_move=0.4)] == ["move"]


def test_symbols_of_one_file_are_not_neighbours(tmp_path):
    file = tmp_path / "two.csv"
    header = "date,symbol,open,high,low,close,volume\n"
    file.write_text(
        header + "".join(f"2020-01-0{d},{s},{p},{p},{p},{p},1\n" for s, p in (("A", 1), ("B", 900)) for d in (1, 2, 3))
    )

    assert verify_path(file) == []


def test_a_gap_says_how_many_candles_are_missing():
    candles = candles_of([1.0] * 10)

    (finding,) = verify_candles(candles.take(np.array([0, 1, 2, 6, 7])), "test")

    assert finding.message == "3 candle(s) are missing before it"
    assert finding.time == "2019-01-07"


def test_a_catalogue_is_checked_file_by_file(tmp_path):
    for symbol in ("AUSDT", "BUSDT", "CUSDT"):
        candles = candles_of([1.0, 2.0], symbol=symbol)
        store(tmp_path, candles, venue="binance", interval="1d", source="t", imported_at="t")
    changed_file = tmp_path / "binance/1d/AUSDT.parquet"
    changed_file.write_bytes(changed_file.read_bytes() + b" ")
    (tmp_path / "binance/1d/BUSDT.parquet").unlink()

    findings = verify_path(tmp_path)

    assert [(f.symbol, f.check, f.severity) for f in findings] == [
        ("AUSDT", "checksum", "error"),
        ("BUSDT", "missing", "error"),
    ]


def test_a_folder_that_is_no_catalogue_is_not_found(tmp_path):
    with pytest.raises(NotFound, match=r"without catalogue\.json"):
        verify_path(tmp_path)


def test_the_real_panel_has_just_the_gaps_and_moves_its_manifest_lists(shared_data):
    findings = verify_path(shared_data / "daily_panel_train.parquet")

    missing: dict[str, int] = {}
    for finding in findings:
        if finding.severity == "error":
            assert finding.check == "gap"
            missing[finding.symbol] = missing.get(finding.symbol, 0) + int(finding.message.split()[0])
    assert missing == {"CHATBTC": 6, "HSRBTC": 121, "RPXBTC": 65, "TRIGBTC": 6, "YOYOBTC": 56}
    moves = {(f.symbol, f.time) for f in findings if f.check == "move"}
    assert {("DATABTC", "2020-03-19"), ("CTXCUSDT", "2021-12-03"), ("WINGUSDT", "2022-07-28")} <= moves
    assert all(f.severity == "warning" for f in findings if f.check == "move")
