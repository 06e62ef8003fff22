"""The catalogue: merging, conflicts, checksums, and writes that a full disk or a kill cannot halve."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.adapters.data.candles import DAY_MS
from mycelial.adapters.data.catalogue import canonical_symbol, load, load_interval, read_entries, store
from mycelial.adapters.data.merging import merge
from mycelial.adapters.data.panels import load_panel
from mycelial.adapters.data.verify import verify_path
from mycelial.domain.errors import DataError, NotFound, StorageError
from support.candle_data import FIRST_DAY_MS, candles_of, prices


def put(folder, candles, **changed):
    arguments = {"venue": "binance", "interval": "1d", "source": "test", "imported_at": "2024-01-01"} | changed
    return store(folder, candles, **arguments)


def closes_in(folder) -> list[float]:
    return load(folder, read_entries(folder)[0]).close.tolist()


day_sets = st.sets(st.integers(0, 20), min_size=1)


@given(stored=day_sets, offered=day_sets, price=prices)
def test_merging_is_the_union_of_days_and_idempotent(stored, offered, price):
    everything = candles_of([price + day for day in range(21)])
    old, new = (everything.take(np.isin(np.arange(21), sorted(days))) for days in (stored, offered))

    once = merge(old, new, "test")
    twice = merge(once.candles, new, "test")

    union = sorted(stored | offered)
    assert once.candles.time_ms.tolist() == [FIRST_DAY_MS + day * DAY_MS for day in union]
    assert once.candles.close.tolist() == everything.close[union].tolist()
    assert once.n_added == len(offered - stored)
    assert twice.n_added == 0
    assert np.array_equal(twice.candles.close, once.candles.close)


def test_a_different_candle_for_a_stored_day_is_refused_and_nothing_changes(tmp_path):
    put(tmp_path, candles_of([1.0, 2.0, 3.0]))
    before = (tmp_path / "catalogue.json").read_bytes()

    with pytest.raises(DataError, match=r"1 candle\(s\) differ .*BTCUSDT 2019-01-02: .*close 2 or 5"):
        put(tmp_path, candles_of([1.0, 5.0, 3.0, 4.0]))

    assert closes_in(tmp_path) == [1.0, 2.0, 3.0]
    assert (tmp_path / "catalogue.json").read_bytes() == before


@pytest.mark.parametrize(("policy", "closes"), [("keep", [1, 2, 3, 4]), ("replace", [1, 5, 3, 4])])
def test_a_conflict_is_resolved_as_asked_and_reported(tmp_path, policy, closes):
    put(tmp_path, candles_of([1.0, 2.0, 3.0]))

    (stored,) = put(tmp_path, candles_of([1.0, 5.0, 3.0, 4.0]), on_conflict=policy)

    assert closes_in(tmp_path) == closes
    assert stored.n_added == 1
    assert [(c.time_ms, c.stored[3], c.offered[3]) for c in stored.conflicts] == [(FIRST_DAY_MS + DAY_MS, 2.0, 5.0)]


def test_a_file_that_contradicts_itself_is_refused_under_every_policy(tmp_path):
    twice = candles_of([1.0, 2.0])
    twice = replace(twice, time_ms=np.full(2, FIRST_DAY_MS))

    for policy in ("refuse", "keep", "replace"):
        with pytest.raises(DataError, match="two different candles"):
            put(tmp_path, twice, on_conflict=policy)


def test_importing_the_same_again_leaves_every_byte(tmp_path):
    put(tmp_path, candles_of([1.0, 2.0]))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    put(tmp_path, candles_of([1.0, 2.0]), imported_at="later", source="again")

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_manifest_describes_each_file(tmp_path):
    put(tmp_path, candles_of([1.0, 2.0], symbol="btc/usdt"))

    (entry,) = json.loads((tmp_path / "catalogue.json").read_text())["files"]

    assert len(entry.pop("sha256")) == 64
    assert entry == {
        "path": "binance/1d/BTCUSDT.parquet",
        "symbol": "BTCUSDT",
        "quote": "USDT",
        "venue": "binance",
        "interval": "1d",
        "first": "2019-01-01",
        "last": "2019-01-02",
        "rows": 2,
        "source": "test",
        "imported_at": "2024-01-01",
    }


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_full_disk_at_any_moment_leaves_old_or_new_and_no_rubbish(tmp_path, monkeypatch, call, nth):
    put(tmp_path, candles_of([1.0, 2.0]))
    real, count = getattr(os, call), iter(range(1, 100))

    def full(*arguments):
        if next(count) == nth:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)

    if call == "fsync":  # folders are flushed too, but a refusal of those is harmless; count files only
        monkeypatch.setattr("mycelial.adapters.data.atomic._sync_folder", lambda folder: None)
    monkeypatch.setattr(os, call, full)
    with pytest.raises(StorageError, match="No space left on device"):
        put(tmp_path, candles_of([1.0, 2.0, 3.0]))
    monkeypatch.undo()

    assert closes_in(tmp_path) in ([1.0, 2.0], [1.0, 2.0, 3.0])
    assert verify_path(tmp_path) == []
    assert not list(tmp_path.rglob("*.partial"))
    put(tmp_path, candles_of([1.0, 2.0, 3.0]))
    assert closes_in(tmp_path) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_process_killed_before_any_rename_leaves_a_valid_catalogue(tmp_path, nth):
    put(tmp_path, candles_of([1.0, 2.0]))
    program = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {os.path.dirname(os.path.dirname(__file__))!r})
from support.candle_data import candles_of
from mycelial.adapters.data.catalogue import store
real, count = os.replace, iter(range(1, 100))
def killed(*arguments):
    if next(count) == {nth}:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*arguments)
os.replace = killed
store(Path({str(tmp_path)!r}), candles_of([1.0, 2.0, 3.0]), venue="binance", interval="1d", source="t", imported_at="t")
"""

    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)

    assert ended.returncode == -9
    # The second rename makes the new candles visible; a kill before the third must not lose them.
    assert closes_in(tmp_path) == ([1.0, 2.0] if nth < 3 else [1.0, 2.0, 3.0])
    assert verify_path(tmp_path) == []
    put(tmp_path, candles_of([1.0, 2.0, 3.0]))
    assert closes_in(tmp_path) == [1.0, 2.0, 3.0]
    assert len(read_entries(tmp_path)) == 1


def test_a_changed_file_is_not_loaded(tmp_path):
    put(tmp_path, candles_of([1.0, 2.0]))
    file = tmp_path / "binance/1d/BTCUSDT.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"!")

    with pytest.raises(DataError, match="checksum is"):
        load_panel(tmp_path)


def test_a_damaged_or_foreign_manifest_is_refused(tmp_path):
    with pytest.raises(NotFound, match=r"holds no catalogue\.json"):
        read_entries(tmp_path)
    (tmp_path / "catalogue.json").write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        read_entries(tmp_path)
    (tmp_path / "catalogue.json").write_text('{"version": 2, "files": []}')
    with pytest.raises(DataError, match="has version 2"):
        read_entries(tmp_path)


def test_a_manifest_cannot_point_outside_its_folder(tmp_path):
    put(tmp_path, candles_of([1.0, 2.0]))
    manifest = tmp_path / "catalogue.json"
    manifest.write_text(manifest.read_text().replace("binance/1d/BTCUSDT", "../1d/BTCUSDT"))

    with pytest.raises(DataError, match="leaves the catalogue"):
        read_entries(tmp_path)


def test_the_same_symbol_of_two_venues_is_two_series(tmp_path):
    put(tmp_path, candles_of([1.0, 2.0]))
    put(tmp_path, candles_of([1.1, 2.1]), venue="kraken")

    assert load_interval(tmp_path, "1d").symbols == ("binance:BTCUSDT", "kraken:BTCUSDT")
    assert load_panel(tmp_path).price.tolist() == [[1.0, 2.0], [1.1, 2.1]]


@pytest.mark.parametrize("spelled", ["BTC/USDT", "btc-usdt", "BTC_USDT", "btcusdt"])
def test_spellings_of_a_symbol_meet(spelled):
    assert canonical_symbol(spelled) == "BTCUSDT"
