"""Downloading with the real ccxt client from a small Binance on this machine, through every kind of trouble."""

from __future__ import annotations

import json
import sys
from collections import deque
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mycelial.adapters.data.candles import DAY_MS
from mycelial.adapters.data.catalogue import load, read_entries
from mycelial.adapters.data.downloading import MAX_ATTEMPTS, Shell, download
from mycelial.adapters.data.venue import Venue
from mycelial.adapters.data.verify import verify_path
from mycelial.cli.main import app
from mycelial.domain.errors import ConfigError, ExchangeError, Interrupted, MissingExtra, NotFound, StorageError
from support.binance_server import BinanceServer, daily_klines, serving

ccxt = pytest.importorskip("ccxt")

FIRST_MS = 17_775 * DAY_MS  # 2018-09-01
N_DAYS = 60
CLOSES = [100.0 + day for day in range(N_DAYS)]


@pytest.fixture
def server():
    markets = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")}
    candles = {"BTCUSDT": daily_klines(FIRST_MS, CLOSES), "ETHUSDT": []}
    with serving(BinanceServer(markets, candles, page_size=7)) as running:
        yield running


class World:
    """A shell whose clock stands still and whose sleep is a list."""

    def __init__(self, now_ms: int = FIRST_MS + N_DAYS * DAY_MS) -> None:
        self.now_ms, self.slept_s, self.warnings, self.fractions = now_ms, [], [], []

    def shell(self, progress=None) -> Shell:
        record = progress or (lambda fraction, count: self.fractions.append(fraction))
        return Shell(lambda: self.now_ms, self.slept_s.append, record, self.warnings.append)


def fetch(server: BinanceServer, folder: Path, world: World | None = None, progress=None, **changed):
    world = world or World()
    arguments = {"since_ms": FIRST_MS, "until_ms": None} | changed
    symbol = arguments.pop("symbol", "BTC/USDT")
    venue = Venue("binance", base_url=server.url, request_gap_ms=0)
    return download(venue, symbol, "1d", folder, shell=world.shell(progress), **arguments)


def closes_in(folder: Path) -> list[float]:
    (entry,) = read_entries(folder)
    return load(folder, entry).close.tolist()


def test_every_closed_candle_arrives_once_over_many_pages(server, tmp_path):
    world = World()

    result = fetch(server, tmp_path, world)

    assert closes_in(tmp_path) == CLOSES
    assert (result.n_added, result.first, result.last) == (60, "2018-09-01", "2018-10-30")
    assert len(server.requests) == 9
    assert verify_path(tmp_path) == []
    assert world.fractions == sorted(world.fractions)
    assert world.fractions[-1] == 1.0
    (entry,) = read_entries(tmp_path)
    assert (entry.venue, entry.symbol, entry.quote) == ("binance", "BTCUSDT", "USDT")


@pytest.mark.parametrize(("late_ms", "n_closed"), [(0, 60), (-1, 59), (DAY_MS - 1, 60)])
def test_the_open_candle_is_never_written(server, tmp_path, late_ms, n_closed):
    fetch(server, tmp_path, World(FIRST_MS + N_DAYS * DAY_MS + late_ms))

    assert closes_in(tmp_path) == CLOSES[:n_closed]


def test_until_is_the_end(server, tmp_path):
    fetch(server, tmp_path, until_ms=FIRST_MS + 10 * DAY_MS)

    assert closes_in(tmp_path) == CLOSES[:10]


def test_only_what_the_catalogue_lacks_is_asked_for(server, tmp_path):
    fetch(server, tmp_path, since_ms=FIRST_MS + 20 * DAY_MS, until_ms=FIRST_MS + 40 * DAY_MS)
    server.requests.clear()

    result = fetch(server, tmp_path)

    asked = [(int(request["startTime"]) - FIRST_MS) // DAY_MS for request in server.requests]
    assert asked == [0, 7, 14, 40, 47, 54]
    assert result.n_added == 40
    assert closes_in(tmp_path) == CLOSES
    server.requests.clear()
    assert fetch(server, tmp_path).n_added == 0
    assert server.requests == []


@pytest.mark.parametrize("fault", ["429", "500", "truncated", "not json", "reset"])
def test_a_passing_fault_costs_a_wait_and_no_candle(server, tmp_path, fault):
    server.faults = deque([None, fault, None, fault, fault])
    world = World()

    fetch(server, tmp_path, world)

    assert closes_in(tmp_path) == CLOSES
    assert world.slept_s == ([7.0, 7.0, 7.0] if fault == "429" else [1.0, 1.0, 2.0])
    assert len(world.warnings) == 3


def test_what_a_venue_asked_for_once_does_not_slow_later_failures(server, tmp_path):
    server.faults = deque(["429", "reset", "reset"])
    world = World()

    fetch(server, tmp_path, world)

    assert world.slept_s == [7.0, 2.0, 4.0]


def test_faults_that_stay_end_the_download_with_what_was_fetched(server, tmp_path):
    server.faults = deque([None, None] + ["500"] * MAX_ATTEMPTS)
    world = World()

    with pytest.raises(ExchangeError, match=r"gave up after 6 attempt.*resumes later"):
        fetch(server, tmp_path, world)

    assert closes_in(tmp_path) == CLOSES[:14]
    assert world.slept_s == [1.0, 2.0, 4.0, 8.0, 16.0]
    fetch(server, tmp_path)
    assert closes_in(tmp_path) == CLOSES


def test_ctrl_c_keeps_the_pages_fetched_and_the_same_command_resumes(server, tmp_path):
    def interrupt_at_page_three(fraction: float, count: int) -> None:
        if count >= 21:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"BTCUSDT: interrupted; 21 new candle\(s\) are stored"):
        fetch(server, tmp_path, progress=interrupt_at_page_three)

    assert closes_in(tmp_path) == CLOSES[:21]
    assert fetch(server, tmp_path).n_added == 39
    assert closes_in(tmp_path) == CLOSES


def test_a_full_disk_stops_the_download_and_keeps_the_catalogue(server, tmp_path, monkeypatch):
    fetch(server, tmp_path, until_ms=FIRST_MS + 10 * DAY_MS)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        fetch(server, tmp_path)
    monkeypatch.undo()

    assert closes_in(tmp_path) == CLOSES[:10]
    assert verify_path(tmp_path) == []


def test_a_market_listed_later_is_found_after_empty_pages(server, tmp_path):
    result = fetch(server, tmp_path, since_ms=FIRST_MS - 2500 * DAY_MS)

    assert result.first == "2018-09-01"
    assert closes_in(tmp_path) == CLOSES


def test_days_the_venue_does_not_have_are_said(server, tmp_path):
    fetch(server, tmp_path, until_ms=FIRST_MS + 10 * DAY_MS)
    del server.candles["BTCUSDT"][:30]
    world = World()

    fetch(server, tmp_path, world)

    assert world.warnings == ["BTC/USDT: no candles from 2018-09-11 until 2018-10-01 there"]
    assert [finding.message for finding in verify_path(tmp_path)] == ["20 candle(s) are missing before it"]


def test_a_market_without_candles_stores_nothing(server, tmp_path):
    result = fetch(server, tmp_path, symbol="ETHUSDT")

    assert (result.rows, result.first) == (0, None)
    assert not (tmp_path / "catalogue.json").exists()


def test_unknown_names_are_told_apart_and_suggest_the_nearest(server):
    venue = Venue("binance", base_url=server.url, request_gap_ms=0)

    with pytest.raises(NotFound, match=r"no market 'BTC/USDX'; did you mean BTC/USDT"):
        venue.market("BTC/USDX")
    with pytest.raises(NotFound, match=r"no venue 'krakn'; did you mean .*kraken"):
        Venue("krakn")
    with pytest.raises(ConfigError, match="has no 7m candles"):
        venue.refuse_interval("7m")
    with pytest.raises(ConfigError, match="is no address"):
        Venue("binance", base_url="localhost")


def test_without_ccxt_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ccxt", None)

    with pytest.raises(MissingExtra, match=r"pip install 'mycelial\[data\]'"):
        Venue("binance")


def test_the_command_downloads_lists_and_verifies(server, tmp_path):
    where = ["--out", str(tmp_path), "--base-url", server.url]
    ended = CliRunner().invoke(
        app, ["data", "download", "binance", "BTC/USDT", "--since", "2018-09-01", "--json", *where]
    )

    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout)["symbols"][0]["rows"] == 60
    assert f"next: mycelial data verify {tmp_path}" in ended.stderr
    listed = CliRunner().invoke(app, ["data", "list", str(tmp_path), "--json"])
    assert [file["symbol"] for file in json.loads(listed.stdout)["files"]] == ["BTCUSDT"]
    assert CliRunner().invoke(app, ["data", "verify", str(tmp_path)]).exit_code == 0
