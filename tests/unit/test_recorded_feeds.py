"""Recorded feeds: the exchange's own books come out, exactly, and what cannot be right is refused with its line."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mycelial.adapters.data.feeds import read_binance_feed, read_kraken_v1, read_kraken_v2, read_trades
from mycelial.adapters.data.feeds.numbers import wire_integer
from mycelial.domain.depth import depth_after_batches, depth_at
from mycelial.domain.errors import DataError, NotFound
from mycelial.domain.recording import BATCH, LEVEL, SNAPSHOT, TRADE, MarketRecording, clocks

BINANCE = (
    "binance_spot_l2_btcusdt_20240808",
    "binance_spot_l2_ethusdt_20240808",
    "binance_usdm_l2_btcusdt_20240808",
    "binance_cm_l2_btcusd_perp_20240808",
)


@pytest.fixture(scope="module")
def binance(shared_data: Path) -> dict[str, MarketRecording]:
    return {name: read_binance_feed(shared_data / f"{name}.feed.gz") for name in BINANCE}


# The real recordings.


def test_every_book_checksum_of_kraken_v1_is_reproduced(shared_data):
    pairs = read_kraken_v1(
        shared_data / "kraken_v1_book1000_10pairs_20210417.jsonl.gz",
        trades=shared_data / "kraken_v1_trade_10pairs_20210417.jsonl.gz",
        ticker=shared_data / "kraken_v1_ticker_10pairs_20210417.jsonl.gz",
    )  # refuses a checksum that does not come out

    assert len(pairs) == 10
    assert sum(int((one.batches["checksum"] >= 0).sum()) for one in pairs.values()) == 4269
    assert pairs["XMR/USD"].tick_size == Decimal("0.01")
    assert pairs["XMR/USD"].trades[0]["price"] == 35411
    assert sum(one.trades.size for one in pairs.values()) == 10


@pytest.mark.parametrize(
    ("name", "checksums", "depth"),
    [("kraken_v2_book10_BTC-USD_20230730", 510, 10), ("kraken_v2_book25_MINA-GBP_20260816", 30, 25)],
)
def test_every_book_checksum_of_kraken_v2_is_reproduced(shared_data, name, checksums, depth):
    (recording,) = read_kraken_v2(shared_data / f"{name}.jsonl.gz").values()

    assert (recording.batches["checksum"] >= 0).sum() == checksums == recording.batches.size
    assert recording.depth == depth
    assert 50 < recording.seconds < 60


def test_a_wrong_checksum_is_refused_with_its_line(shared_data, tmp_path):
    whole = gzip.decompress((shared_data / "kraken_v2_book10_BTC-USD_20230730.jsonl.gz").read_bytes())
    lines = whole.decode().splitlines()
    lines[99] = lines[99].replace('"qty":', '"qty":1', 1)
    broken = tmp_path / "broken.jsonl"
    broken.write_text("\n".join(lines))

    with pytest.raises(DataError, match=r"broken\.jsonl: line 100: BTC/USD book checksum is \d+, the exchange says"):
        read_kraken_v2(broken)


def test_binance_sequences_are_whole_and_books_never_cross(binance, shared_data):
    expected = json.loads((shared_data / "microstructure_summary.json").read_text())

    for name, recording in binance.items():
        of = expected[f"{name}.feed.gz"]
        assert recording.quotes.size == of["messages"]["bookTicker"]
        assert recording.trades.size == of["messages"]["trade"]
        # a few diffs before the snapshot are held by it already; the snapshot itself is a batch too
        assert 0 <= of["messages"]["depthUpdate"] + 1 - recording.batches.size <= 25


def test_binance_units_are_those_of_the_exchange(binance):
    sizes = {name: (str(one.tick_size), f"{one.lot_size:f}") for name, one in binance.items()}

    assert sizes["binance_usdm_l2_btcusdt_20240808"] == ("0.1", "0.001")
    assert sizes["binance_cm_l2_btcusd_perp_20240808"] == ("0.1", "1")
    assert sizes["binance_spot_l2_btcusdt_20240808"][0] == "0.01"


@pytest.mark.parametrize("name", BINANCE[:2])
def test_after_every_message_the_best_of_the_book_is_what_the_quotes_said(binance, name):
    """Quotes come at once and carry update numbers; spot diffs come every 100 ms: compare at equal numbers."""
    spot = binance[name]
    top = depth_after_batches(spot, 1)
    quote = np.searchsorted(spot.quotes["sequence"], spot.batches["sequence"], side="right") - 1
    known = quote >= 0

    for column in ("bid", "bid_lots", "ask", "ask_lots"):
        assert (getattr(top, column)[known, 0] == spot.quotes[column][quote[known]]).all()
    assert known.sum() > 3000


def test_the_table_of_trades_agrees_with_the_feed(binance, shared_data):
    feed = binance["binance_spot_l2_btcusdt_20240808"]

    table = read_trades(shared_data / "binance_spot_trades_BTCUSDT_20240808.csv.gz")

    assert (table.trades["trade_id"] == feed.trades["trade_id"]).all()
    assert (table.trades["side"] == feed.trades["side"]).all()
    assert (table.trades["ts"] == feed.trades["exchange_ts"]).all()
    assert (table.trades["price"] * table.tick_size == feed.trades["price"] * feed.tick_size).all()
    assert (table.trades["lots"] * table.lot_size == feed.trades["lots"] * feed.lot_size).all()


def test_kraken_trade_tables_are_read_to_the_nanosecond(shared_data):
    usdt = read_trades(shared_data / "kraken_trades_XBTUSDT_20251110.csv.gz")
    eur = read_trades(shared_data / "kraken_trades_BCHEUR_20230101-02.csv.gz")

    assert (usdt.trades.size, eur.trades.size) == (1000, 634)
    assert usdt.trades["ts"][0] % 10**9 == 971_744_537
    assert (np.diff(usdt.trades["trade_id"]) == 1).all()
    assert (usdt.tick_size, usdt.lot_size) == (Decimal("0.1"), Decimal("1e-8"))
    assert (eur.trades["side"] == -1).all()


def test_kraken_candles_are_read_like_any_candles(shared_data):
    from mycelial.adapters.data.reading import read_candles

    with gzip.open(shared_data / "kraken_ohlc1m_XBTUSDT_20251110.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))

    candles = read_candles(shared_data / "kraken_ohlc1m_XBTUSDT_20251110.csv.gz")

    assert len(candles) == len(rows)
    assert candles.close[-1] == float(rows[-1]["close"])


# Binance's rule for the snapshot, and broken files, on feeds small enough to read.


def feed(tmp_path: Path, *messages: dict[str, Any]) -> Path:
    path = tmp_path / "small.feed"
    path.write_text("".join(f"{1000 + n} {json.dumps(message)}\n" for n, message in enumerate(messages)))
    return path


def diff(first: int, last: int, bids: Any = (), asks: Any = (), **more: int) -> dict[str, Any]:
    data = {"e": "depthUpdate", "E": 5, "s": "ABC", "U": first, "u": last, "b": bids, "a": asks, **more}
    return {"stream": "abc@depth", "data": data}


SNAPSHOT_20 = {"lastUpdateId": 20, "bids": [["10.0", "1.00"], ["9.5", "4.00"]], "asks": [["10.5", "2.00"]]}


def best(recording: MarketRecording) -> list[tuple[int, int, int, int]]:
    top = depth_after_batches(recording, 1)
    return [
        (int(top.bid[n, 0]), int(top.bid_lots[n, 0]), int(top.ask[n, 0]), int(top.ask_lots[n, 0]))
        for n in range(top.ts.size)
    ]


def test_diffs_before_the_snapshot_wait_and_are_applied_when_newer(tmp_path):
    path = feed(
        tmp_path,
        diff(10, 15, [["10.0", "9.00"]]),  # older than the snapshot: held by it
        diff(16, 22, [["10.0", "3.00"]]),  # reaches across it
        SNAPSHOT_20,
        diff(23, 25, [], [["10.5", "0.00"], ["11.0", "7.00"]]),
    )

    recording = read_binance_feed(path)

    assert (recording.tick_size, recording.lot_size) == (Decimal("0.1").normalize() * 5 / 5, Decimal("1"))
    assert recording.batches["line"].tolist() == [3, 2, 4]
    assert recording.batches["ts"].tolist() == [1002, 1002, 1003]  # known once the snapshot was
    assert best(recording) == [(100, 1, 105, 2), (100, 3, 105, 2), (100, 3, 110, 7)]


def test_an_update_lost_after_the_snapshot_is_refused(tmp_path):
    path = feed(tmp_path, SNAPSHOT_20, diff(23, 24))

    with pytest.raises(DataError, match=r"line 2: updates 21 to 22 are missing after the snapshot; take the snapshot"):
        read_binance_feed(path)


def test_an_update_lost_between_two_diffs_is_refused(tmp_path):
    path = feed(tmp_path, SNAPSHOT_20, diff(21, 24), diff(26, 27))

    with pytest.raises(DataError, match=r"line 3: follows update 25, but the last one seen is 24"):
        read_binance_feed(path)


def test_futures_are_chained_by_their_previous_update(tmp_path):
    chained = feed(tmp_path, SNAPSHOT_20, diff(15, 24, pu=14), diff(30, 31, pu=24))
    assert read_binance_feed(chained).batches.size == 3

    broken = feed(tmp_path, SNAPSHOT_20, diff(15, 24, pu=14), diff(30, 31, pu=29))
    with pytest.raises(DataError, match="line 3: follows update 29"):
        read_binance_feed(broken)


def test_a_crossed_book_is_refused(tmp_path):
    path = feed(tmp_path, SNAPSHOT_20, diff(21, 22, [["10.5", "1.00"]]))

    with pytest.raises(DataError, match=r"line 2: crosses the ABC book \(best bid 10.5, best ask 10.5\)"):
        read_binance_feed(path)


@pytest.mark.parametrize(
    "garbage",
    [
        "1001 {not json",
        "no-time {}",
        "1001 []",
        '1001 {"data":{"e":"trade","t":1}}',
        '1001 {"data":{"e":"depthUpdate","s":"ABC","U":21,"u":22,"E":1,"b":[["1e400","1"]],"a":[]}}',
        '1001 {"data":{"e":"depthUpdate","s":"ABC","U":21,"u":22,"E":1,"b":[["-1","1"]],"a":[]}}',
        '1001 {"data":{"e":"depthUpdate","s":"ABC","U":21,"u":22,"E":1,"b":[["0.0","1"]],"a":[]}}',
        '1001 {"data":{"e":"depthUpdate","s":"ABC","U":21,"u":22,"E":1,"b":[[10.1,"1"]],"a":[]}}',
        '999 {"data":{"e":"depthUpdate","s":"ABC","U":21,"u":22,"E":1,"b":[],"a":[]}}',
    ],
)
def test_a_corrupt_line_is_refused_by_number(tmp_path, garbage):
    path = feed(tmp_path, SNAPSHOT_20)
    path.write_text(path.read_text() + garbage + "\n")

    with pytest.raises(DataError, match=r"small\.feed: line 2: is no message of a Binance feed .*; remove the line"):
        read_binance_feed(path)


def test_a_truncated_archive_is_refused(tmp_path):
    path = tmp_path / "cut.feed.gz"
    whole = gzip.compress(feed(tmp_path, SNAPSHOT_20, *(diff(n, n) for n in range(21, 200))).read_bytes())
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(DataError, match=r"cut\.feed\.gz: broken after line \d+"):
        read_binance_feed(path)


def test_a_feed_without_a_snapshot_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no depth snapshot"):
        read_binance_feed(feed(tmp_path, diff(1, 2)))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NotFound, match=r"nowhere\.feed"):
        read_binance_feed(tmp_path / "nowhere.feed")


def test_a_given_tick_size_must_fit_every_price(tmp_path):
    with pytest.raises(DataError, match=r"holds 9\.5, no multiple of the tick size 1; give the exchange's own"):
        read_binance_feed(feed(tmp_path, SNAPSHOT_20), tick_size=Decimal(1))


def test_trade_numbers_that_go_back_are_refused(tmp_path):
    path = tmp_path / "trades.csv"
    path.write_text("time,price,volume,trade_id\n2025-01-01 00:00:00+00:00,1.5,2,7\n2025-01-01 00:00:00+00:00,1,2,7\n")

    with pytest.raises(DataError, match=r"trades\.csv: line 3: is no trade \(trade 7 comes after trade 7\)"):
        read_trades(path)


@pytest.mark.parametrize(
    ("text", "value", "printed"),
    [("0.50930100", 50930100, 8), ("4", 400000000, 0), ("8e-05", 8000, 5), ("61800.20", 6180020000000, 2)],
)
def test_decimal_text_becomes_integers_exactly(text, value, printed):
    assert wire_integer(text, 8) == (value, printed)


@pytest.mark.parametrize("text", ["", ".", "1_0", "+1", "-1", "nan", "Infinity", "0.123456789", "1e30", "٣", " 1"])
def test_what_is_no_exact_number_is_refused(text):
    with pytest.raises(ValueError, match=r"number|decimals|large"):
        wire_integer(text, 8)


# Rebuilding depth.


def recording_of(batches: list[list[tuple[int, int, int]]], depth: int = 0) -> MarketRecording:
    """Return a recording of batches of (price, lots, side); the first is a snapshot."""
    levels = np.array([level for batch in batches for level in batch], LEVEL)
    table = np.zeros(len(batches), BATCH)
    table["ts"] = np.arange(len(batches)) * 100
    table["first"] = np.cumsum([0, *(len(batch) for batch in batches[:-1])])
    table["kind"][0] = SNAPSHOT
    return MarketRecording("toy", Decimal(1), Decimal(1), batches=table, levels=levels, depth=depth)


def test_depth_equals_a_book_kept_in_dictionaries():
    rng = np.random.default_rng(5)
    batches = [
        [(int(p), int(q), int(p > 50)) for p, q in zip(rng.permutation(100), rng.integers(1, 9, 30), strict=False)]
    ]
    for _ in range(200):
        batches.append(
            [(int(p), int(rng.choice([0, 0, 3, 7])), int(p > 50)) for p in rng.integers(0, 100, rng.integers(1, 8))]
        )
    sampled = depth_after_batches(recording_of(batches), 4)

    book: dict[int, dict[int, int]] = {0: {}, 1: {}}
    for n, batch in enumerate(batches):
        for price, lots, side in batch:
            book[side][price] = lots
            if lots == 0:
                del book[side][price]
        bids = sorted(book[0].items(), reverse=True)[:4]
        asks = sorted(book[1].items())[:4]
        assert [(p, q) for p, q in zip(sampled.bid[n], sampled.bid_lots[n], strict=True) if q] == bids
        assert [(p, q) for p, q in zip(sampled.ask[n], sampled.ask_lots[n], strict=True) if q] == asks


def test_a_feed_of_limited_depth_forgets_what_falls_out():
    recording = recording_of(
        [
            [(10, 1, 0), (9, 1, 0), (11, 1, 1)],
            [(12, 5, 1), (10, 0, 0), (8, 1, 0)],
            [(11, 0, 1), (13, 2, 1)],
            [(9, 0, 0)],
        ],
        depth=1,
    )

    assert best(recording) == [(10, 1, 11, 1), (8, 1, 11, 1), (8, 1, 13, 2), (8, 1, 13, 2)]


def test_before_the_first_message_there_is_no_book():
    recording = recording_of([[(10, 1, 0), (11, 1, 1)], [(10, 2, 0)]])

    sampled = depth_at(recording, np.array([-1, 0, 99, 100]), 1)

    assert sampled.bid_lots[:, 0].tolist() == [0, 1, 1, 2]
    assert sampled.is_whole.tolist() == [False, True, True, True]


def test_time_going_back_is_refused():
    table = np.zeros(2, BATCH)
    table["ts"] = [5, 4]

    with pytest.raises(DataError, match="time goes back after batches row 0"):
        MarketRecording("toy", Decimal(1), Decimal(1), batches=table)


def test_records_share_the_exchanges_clock_only_when_both_have_it():
    book = recording_of([[(10, 1, 0)], [(10, 2, 0)], [(10, 3, 0)]])
    trades = np.zeros(1, TRADE)
    trades["ts"], trades["exchange_ts"], trades["side"] = 150, 1150, 1
    assert [times.tolist() for times in clocks(replace(book, trades=trades))] == [[0, 100, 200], [150]]

    book.batches["exchange_ts"] = [0, 1100, 1200]  # a snapshot without a time gets that of the next message

    assert [times.tolist() for times in clocks(replace(book, trades=trades))] == [[1100, 1100, 1200], [1150]]
