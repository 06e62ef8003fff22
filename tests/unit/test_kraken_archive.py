"""Kraken's published archives: every row arrives exactly once, whatever happens on the way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mycelial.adapters.data.catalogue import load, read_entries
from mycelial.adapters.data.kraken_archive import catalogue_symbol, import_archive
from mycelial.adapters.data.trade_files import DECIMAL, iter_trades, store_trades, times_ns, trade_table
from mycelial.adapters.data.verify import verify_path
from mycelial.domain.errors import DataError, NotFound
from support.kraken_archives import QUARTER_S, archive_of, candle_lines, trade_lines

pa = pytest.importorskip("pyarrow")


def imported(archive: Path, folder: Path, **options):
    return list(import_archive(archive, folder, imported_at="2026-11-29", **options))


def trades_in(folder: Path, symbol: str) -> list[tuple[int, Decimal, Decimal]]:
    table = pa.concat_tables(iter_trades(folder, symbol, venue="kraken"))
    return list(
        zip((times_ns(table) // 10**9).tolist(), table["price"].to_pylist(), table["volume"].to_pylist(), strict=True)
    )


def rows_of(lines: list[str]) -> list[tuple[int, Decimal, Decimal]]:
    return [(int(t), Decimal(p), Decimal(v)) for t, p, v in (line.split(",") for line in lines)]


@pytest.fixture
def archive(tmp_path):
    return archive_of(
        tmp_path / "Kraken_Q1.zip",
        {
            "quarter/XBTUSD.csv": trade_lines(3000),
            "quarter/XBTUSD_1.csv": candle_lines(2000, skip=(5, 6)),
            "quarter/XBTUSD_720.csv": candle_lines(20, minutes=720),
            "quarter/ETHXBT_1440.csv": candle_lines(30, minutes=1440, seed=8),
            "__MACOSX/quarter/._XBTUSD.csv": ["junk"],
            "quarter/readme.csv": ["not a pair"],
        },
    )


def test_candles_and_trades_arrive_as_they_were_printed(archive, tmp_path):
    out = tmp_path / "data"

    members = imported(archive, out)

    assert [(one.symbol, one.kind, one.rows, one.added) for one in members] == [
        ("BTCUSD", "trades", 3000, 3000),
        ("BTCUSD", "1m", 1998, 1998),
        ("BTCUSD", "12h", 20, 20),
        ("ETHBTC", "1d", 30, 30),
    ]
    assert trades_in(out, "BTCUSD") == rows_of(trade_lines(3000))
    (entry,) = [one for one in read_entries(out) if one.interval == "1m"]
    candles = load(out, entry)
    printed = np.array([line.split(",")[:6] for line in candle_lines(2000, skip=(5, 6))], np.float64)
    assert np.array_equal(candles.time_ms, (printed[:, 0] * 1000).astype(np.int64))
    assert np.array_equal(candles.close, printed[:, 4])
    assert (entry.quote, entry.first) == ("USD", "2024-01-01")
    assert [f for f in verify_path(out, max_log_move=9.0) if f.severity == "error"] == []


def test_a_second_time_nothing_is_read_and_nothing_changes(archive, tmp_path):
    out = tmp_path / "data"
    imported(archive, out)
    before = read_entries(out)

    again = imported(archive, out)

    assert all(one.was_done and one.added == 0 for one in again)
    assert read_entries(out) == before


def test_overlapping_archives_leave_each_row_once(tmp_path):
    lines, candles = trade_lines(4000), candle_lines(3000)
    out = tmp_path / "data"

    imported(archive_of(tmp_path / "a.zip", {"XBTUSD.csv": lines[:2500], "XBTUSD_1.csv": candles[:2000]}), out)
    imported(archive_of(tmp_path / "c.zip", {"XBTUSD.csv": lines[3500:], "XBTUSD_1.csv": candles[2500:]}), out)
    members = imported(
        archive_of(tmp_path / "b.zip", {"XBTUSD.csv": lines[1000:3600], "XBTUSD_1.csv": candles[1000:2600]}), out
    )

    assert [one.added for one in members] == [1000, 500]
    assert sorted(trades_in(out, "BTCUSD")) == sorted(rows_of(lines))
    (entry,) = [one for one in read_entries(out) if one.interval == "1m"]
    assert load(out, entry).close.tolist() == [float(line.split(",")[4]) for line in candles]


def test_trades_are_filed_by_quarter(tmp_path):
    out, lines = tmp_path / "data", trade_lines(3000, first_s=QUARTER_S - 4000)

    imported(archive_of(tmp_path / "a.zip", {"XBTUSD.csv": lines}), out)

    entries = read_entries(out)
    assert [Path(one.path).name for one in entries] == ["2023-Q4.parquet", "2024-Q1.parquet"]
    assert sum(one.rows for one in entries) == 3000
    assert entries[0].last < "2024-01-01" <= entries[1].first


def test_only_what_is_asked_for_is_imported(archive, tmp_path):
    members = imported(archive, tmp_path / "data", symbols=frozenset({"XBT/USD"}), kinds=frozenset({"1m"}))

    assert [(one.symbol, one.kind) for one in members] == [("BTCUSD", "1m")]
    with pytest.raises(NotFound, match="2 pair"):
        imported(archive, tmp_path / "data", symbols=frozenset({"SOLUSD"}))


@pytest.mark.parametrize(
    ("member", "line", "reason"),
    [
        ("XBTUSD.csv", "1704070000,abc,1.0", "'abc' is no number"),
        ("XBTUSD.csv", "1704070000,42000.1", r"has 2 column\(s\), not 3"),
        ("XBTUSD.csv", "1704070000,-1.0,1.0", "price is not positive"),
        ("XBTUSD.csv", "1600000000,42000.1,1.0", "its time is before"),
        ("XBTUSD_1.csv", "1704067200,1,1,1,1,1,1", "its time is not after"),
        ("XBTUSD_1.csv", "1704970000,1,1,1,1,1", r"has 6 column\(s\), not 7"),
    ],
)
def test_a_bad_line_is_named_and_nothing_of_its_member_is_stored(tmp_path, member, line, reason):
    lines = trade_lines(500) if member == "XBTUSD.csv" else candle_lines(500)
    bad = archive_of(tmp_path / "bad.zip", {"ETHUSD.csv": trade_lines(10), member: [*lines, line]})
    out = tmp_path / "data"

    with pytest.raises(DataError, match=rf"bad.zip: {member}: line 501: {reason}"):
        imported(bad, out)

    assert [one.symbol for one in read_entries(out)] == ["ETHUSD"]
    assert list(out.rglob("*.partial")) == []


@pytest.mark.parametrize("damage", ["flipped", "truncated", "no zip"])
def test_a_damaged_archive_is_one_error(tmp_path, damage):
    path = archive_of(tmp_path / "bad.zip", {"XBTUSD.csv": trade_lines(5000)})
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    path.write_bytes(
        content[: len(content) // 2] if damage == "truncated" else content if damage == "flipped" else b"x"
    )
    out = tmp_path / "data"

    with pytest.raises(DataError, match=r"bad\.zip: .*fetch it again"):
        imported(path, out)

    assert not (out / "catalogue.json").exists()


def test_a_killed_import_goes_on_where_it_was(tmp_path):
    lines = {f"{name}USD.csv": trade_lines(20_000, seed=seed) for seed, name in enumerate(("ETH", "SOL", "XBT"))}
    archive, out = archive_of(tmp_path / "big.zip", lines), tmp_path / "data"
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from mycelial.adapters.data import kraken_archive\n"
        "kraken_archive.BLOCK_BYTES = 1 << 14\n"
        f"archive, out = Path({str(archive)!r}), Path({str(out)!r})\n"
        "def progress(fraction, rows):\n"
        "    if rows > 21_000 and list(out.rglob('*.partial')): os.kill(os.getpid(), signal.SIGKILL)\n"
        "list(kraken_archive.import_archive(archive, out, imported_at='x', progress=progress))\n"
    )
    killed = subprocess.run([sys.executable, "-c", script], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list(out.rglob("*.partial"))  # the member it was in

    members = imported(archive, out)

    assert [one.was_done for one in members] == [True, False, False]
    assert list(out.rglob("*.partial")) == []
    for name in ("ETH", "SOL", "XBT"):
        assert trades_in(out, catalogue_symbol(f"{name}USD")) == rows_of(lines[f"{name}USD.csv"])


def test_memory_does_not_grow_with_the_archive(tmp_path):
    line = trade_lines(1000)
    small, large = tmp_path / "small.zip", tmp_path / "large.zip"
    for path, seconds in ((small, 50), (large, 800)):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("XBTUSD.csv", "w") as member:
            for second in range(seconds):
                rows = (f"{QUARTER_S + second},{one.split(',', 1)[1]}\n" for one in line)
                member.write("".join(rows).encode())
    script = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from mycelial.adapters.data.kraken_archive import import_archive\n"
        "(one,) = import_archive(Path(sys.argv[1]), Path(sys.argv[2]), imported_at='x')\n"
        "print(one.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    found = []
    for path in (small, large):
        run = subprocess.run(
            [sys.executable, "-c", script, path, tmp_path / path.stem], check=True, capture_output=True, text=True
        )
        found.append([int(x) for x in run.stdout.split()])

    assert [rows for rows, _ in found] == [50_000, 800_000]
    assert found[1][1] - found[0][1] < 24  # MiB; the rows alone are 32


def test_symbols_are_those_other_sources_use():
    names = {"XBTUSD": "BTCUSD", "ETHXBT": "ETHBTC", "XDGUSD": "DOGEUSD", "XTZUSD": "XTZUSD", "XDGXBT": "DOGEBTC"}
    assert {name: catalogue_symbol(name) for name in names} == names


# Merging, against the plainest possible oracle.

trade = st.tuples(st.integers(0, 4), st.integers(1, 2), st.integers(1, 2))
sources = st.lists(st.lists(trade, min_size=1, max_size=12).map(sorted), min_size=1, max_size=4)


def block_of(rows, first_id=None):
    decimals = [pa.array([Decimal(row[column]) for row in rows], DECIMAL) for column in (1, 2)]
    time = np.array([(QUARTER_S + row[0]) * 10**9 for row in rows], np.int64)
    ids = None if first_id is None else [first_id + row[3] for row in rows]
    return trade_table(time, *decimals, trade_id=ids)


@settings(max_examples=25)
@given(sources)
def test_unnumbered_trades_merge_as_the_richer_of_two_bags(tmp_path_factory, offered):
    out = tmp_path_factory.mktemp("data")
    expected: dict[tuple[int, int, int], int] = {}

    for rows in offered:
        blocks = [block_of([row]) for row in rows]  # the smallest blocks, so that every cut is tried
        store_trades(out, "BTCUSD", "USD", blocks, venue="kraken", source="a test", imported_at="x")
        for row in set(rows):
            expected[row] = max(expected.get(row, 0), rows.count(row))

    found = [(t - QUARTER_S, int(p), int(v)) for t, p, v in trades_in(out, "BTCUSD")]
    assert found == sorted(found, key=lambda row: row[0])
    assert sorted(found) == sorted(row for row, count in expected.items() for _ in range(count))


def test_an_archive_adds_nothing_to_the_same_trades_fetched_with_numbers(tmp_path):
    rows = [(0, 1, 1, 0), (0, 1, 1, 1), (1, 2, 1, 2), (2, 1, 2, 3)]
    for source in ([*rows], [row[:3] for row in rows]):
        block = block_of(source, first_id=70 if len(source[0]) == 4 else None)
        store_trades(tmp_path, "BTCUSD", "USD", [block], venue="kraken", source="a test", imported_at="x")

    table = pa.concat_tables(iter_trades(tmp_path, "BTCUSD", venue="kraken"))
    assert table["trade_id"].to_pylist() == [70, 71, 72, 73]


def test_the_command_imports_an_archive(archive, tmp_path, monkeypatch, capsys):
    from mycelial.cli import main as command_line

    out = str(tmp_path / "data")
    arguments = ["data", "import", "kraken-zip", str(archive), "--interval", "1d", "--out", out, "--json"]
    monkeypatch.setattr(sys, "argv", ["mycelial", *arguments])

    with pytest.raises(SystemExit, match="0"):
        command_line.main()

    stdout, stderr = capsys.readouterr()
    (member,) = json.loads(stdout)["members"]
    assert (member["symbol"], member["added"]) == ("ETHBTC", 30)
    assert "neither candles nor trades" in stderr
    assert stderr.splitlines()[-1] == f"next: mycelial data verify {out}"
