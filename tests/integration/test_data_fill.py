"""Filling gaps with the real ccxt client from Kraken's public REST on this machine."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from mycelial.adapters.data.catalogue import load, read_entries
from mycelial.adapters.data.downloading import Shell
from mycelial.adapters.data.filling import candles_of_trades, fill_candles, fill_trades
from mycelial.adapters.data.kraken_archive import import_archive
from mycelial.adapters.data.trade_files import iter_trades, times_ns
from mycelial.adapters.data.venue import Market, Venue
from mycelial.adapters.data.verify import verify_path
from mycelial.domain.errors import ConfigError, Interrupted, NotFound
from support.kraken_archives import QUARTER_S, archive_of
from support.kraken_rest import KrakenRest, serving

ccxt = pytest.importorskip("ccxt")
pa = pytest.importorskip("pyarrow")

MINUTES = 3000
QUIET_MINUTES = {50, 51, 2990}


def history() -> list[tuple[int, str, str, str]]:
    """Two trades in every minute but the quiet ones, at nanoseconds nobody would guess."""
    random = np.random.default_rng(3)
    price = 420_000 + np.cumsum(random.integers(-9, 10, 2 * MINUTES))
    return [
        (
            (QUARTER_S + 60 * minute + 20 * half) * 10**9 + int(random.integers(10**9)),
            f"{price[2 * minute + half] / 10:.5f}",
            f"{random.integers(1, 10**9) / 1e8:.8f}",
            "bs"[half],
        )
        for minute in range(MINUTES)
        for half in range(2)
        if minute not in QUIET_MINUTES
    ]


TRADES = history()


@pytest.fixture
def server():
    with serving(KrakenRest(TRADES, now_ns=(QUARTER_S + 60 * MINUTES) * 10**9, page=97)) as running:
        yield running


def shell_of(server: KrakenRest, slept: list[float], progress=lambda fraction, count: None) -> Shell:
    return Shell(lambda: server.now_ns // 1_000_000, slept.append, progress, lambda message: None)


def venue_of(server: KrakenRest) -> Venue:
    return Venue("kraken", base_url=server.url, request_gap_ms=0)


def true_candles():
    rows = [(t, Decimal(p), Decimal(v)) for t, p, v, _ in TRADES]
    table = pa.table(
        {
            "time": pa.array([row[0] for row in rows], pa.timestamp("ns", tz="UTC")),
            "price": [row[1] for row in rows],
            "volume": [row[2] for row in rows],
        }
    )
    return candles_of_trades(table, Market("BTC/USD", "USD"), 60_000)


def with_candles(folder: Path, keep) -> None:
    """Store the candles of the minutes chosen, the way an archive brings them."""
    candles = true_candles()
    minutes = (candles.time_ms // 1000 - QUARTER_S) // 60
    lines = [
        f"{candles.time_ms[i] // 1000},{candles.open[i]},{candles.high[i]},{candles.low[i]},{candles.close[i]},"
        f"{candles.volume[i]:.8f},2"
        for i in np.flatnonzero([keep(minute) for minute in minutes])
    ]
    list(import_archive(archive_of(folder / "a.zip", {"XBTUSD_1.csv": lines}), folder / "data", imported_at="x"))


def stored_candles(folder: Path):
    (entry,) = [one for one in read_entries(folder) if one.interval == "1m"]
    return load(folder, entry)


def test_old_gaps_are_made_from_trades_and_the_end_is_fetched(server, tmp_path):
    with_candles(tmp_path, lambda minute: not 40 <= minute < 60 and not 1000 <= minute < 1100 and minute < 2900)
    slept: list[float] = []

    filled = fill_candles(
        venue_of(server), "BTC/USD", "1m", tmp_path / "data", until_ms=None, shell=shell_of(server, slept)
    )

    found, true = stored_candles(tmp_path / "data"), true_candles()
    at = np.isin(found.time_ms, true.time_ms)
    for column in ("time_ms", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(found, column)[at], getattr(true, column)), column
    # Minutes without a trade: not there when made from trades, flat and empty in the venue's own candles.
    assert found.volume[~at].tolist() == [0.0]
    assert (filled.n_gaps, filled.n_quiet) == (3, 2)
    assert set(server.requests) == {"Trades", "OHLC"}
    assert [f for f in verify_path(tmp_path / "data") if f.severity == "error"] == []


def test_what_was_found_quiet_is_not_asked_for_again(server, tmp_path):
    with_candles(tmp_path, lambda minute: True)
    first = fill_candles(
        venue_of(server), "BTC/USD", "1m", tmp_path / "data", until_ms=None, shell=shell_of(server, [])
    )
    server.requests.clear()

    again = fill_candles(
        venue_of(server), "BTC/USD", "1m", tmp_path / "data", until_ms=None, shell=shell_of(server, [])
    )

    assert (first.n_gaps, first.n_quiet, again.n_gaps) == (2, 2, 0)
    assert server.requests == []


def test_missing_trade_numbers_are_found_and_fetched(server, tmp_path):
    venue, out = venue_of(server), tmp_path / "data"
    everything, server.trades = server.trades, []

    def fetch(rows, since=None):
        server.trades = rows
        return fill_trades(venue, "BTC/USD", out, since_ms=since, until_ms=None, shell=shell_of(server, []))

    # The numbers are the venue's, so a hole is made by trades that were not told.
    hidden = [row if not 500 <= i < 700 else (2**60, *row[1:]) for i, row in enumerate(everything[:3000])]
    fetch(hidden, since=QUARTER_S * 1000)
    filled = fetch(everything)

    table = pa.concat_tables(iter_trades(out, "BTCUSD", venue="kraken"))
    assert table["trade_id"].to_pylist() == list(range(1, len(everything) + 1))
    assert times_ns(table).tolist() == [row[0] for row in everything]
    assert [str(value.normalize()) for value in table["price"].to_pylist()[:3]] == [
        str(Decimal(row[1]).normalize()) for row in everything[:3]
    ]
    assert table["side"].to_pylist()[:2] == ["buy", "sell"]
    assert (filled.n_gaps, filled.n_added) == (2, 200 + len(everything) - 3000)
    assert fetch(everything).n_added == 0


def test_a_refusal_for_the_rate_is_waited_out(server, tmp_path):
    server.refusals = deque(["EAPI:Rate limit exceeded", None, "EGeneral:Too many requests"])
    slept: list[float] = []

    fill_trades(
        venue_of(server), "BTC/USD", tmp_path, since_ms=QUARTER_S * 1000, until_ms=None, shell=shell_of(server, slept)
    )

    assert slept == [1.0, 1.0]
    assert sum(block.num_rows for block in iter_trades(tmp_path, "BTCUSD", venue="kraken")) == len(TRADES)


def test_an_interrupted_fill_goes_on(server, tmp_path):
    def stop_halfway(fraction: float, count: int) -> None:
        if fraction > 0.5:
            raise KeyboardInterrupt

    arguments = {"since_ms": QUARTER_S * 1000, "until_ms": None}
    with pytest.raises(Interrupted, match=r"trade\(s\) are stored"):
        fill_trades(venue_of(server), "BTC/USD", tmp_path, shell=shell_of(server, [], stop_halfway), **arguments)
    half = len(server.requests)

    filled = fill_trades(venue_of(server), "BTC/USD", tmp_path, shell=shell_of(server, []), **arguments)

    assert 0 < filled.n_added < len(TRADES)
    assert len(server.requests) - half < half + 3
    table = pa.concat_tables(iter_trades(tmp_path, "BTCUSD", venue="kraken"))
    assert table["trade_id"].to_pylist() == list(range(1, len(TRADES) + 1))


def test_without_ends_there_is_no_gap(server, tmp_path):
    with pytest.raises(NotFound, match="import an archive or download"):
        fill_candles(venue_of(server), "BTC/USD", "1m", tmp_path, until_ms=None, shell=shell_of(server, []))
    with pytest.raises(NotFound, match="--since"):
        fill_trades(venue_of(server), "BTC/USD", tmp_path, since_ms=None, until_ms=None, shell=shell_of(server, []))
    with pytest.raises(ConfigError, match="only Kraken's trades"):
        Venue("binance").trades_page(Market("BTC/USDT", "USDT"), 0)
