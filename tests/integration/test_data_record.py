"""Recording a WebSocket v2: what is kept replays with every checksum, whatever happens on the way."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mycelial.adapters.data.feeds import read_kraken_v2
from mycelial.adapters.data.recorder import RecordingPlan, Tally, connection, record
from mycelial.adapters.data.recorder.connection import Shell
from mycelial.adapters.data.recorder.recorder import Recorder
from mycelial.adapters.data.recorder.segments import manifest, recover, wrong_files
from mycelial.adapters.data.recorder.watching import WatchedBook
from mycelial.adapters.data.verify import verify_path
from mycelial.domain.errors import ConfigError, ExchangeError, StorageError

pytest.importorskip("aiohttp")
from support.v2_server import V2Server, serving

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

SYMBOL = "MINA/GBP"
TRADE = (
    '{"channel":"trade","type":"update","data":[{"symbol":"MINA/GBP","side":"sell","price":0.0279,"qty":%s,'
    '"ord_type":"limit","trade_id":%d,"timestamp":"2026-08-16T23:37:06.000000Z"}]}'
)


@pytest.fixture(scope="module")
def frames(shared_data: Path) -> list[str]:
    """Return the frames of a real connection: a snapshot, updates and heartbeats, numbers as on the wire."""
    with gzip.open(shared_data / "kraken_v2_book25_MINA-GBP_20260816.jsonl.gz", "rt") as file:
        lines = [line.strip() for line in file if '"frame"' in line]
    texts = [line.split('"frame": ', 1)[1].removesuffix("}") for line in lines if '"dir"' not in line]
    return [text for text in texts if '"method"' not in text]


def books_of(frames: list[str]) -> list[str]:
    return [frame for frame in frames if '"channel":"book"' in frame]


def plan_of(server: V2Server, folder: Path, **options) -> RecordingPlan:
    return RecordingPlan(server.url, (SYMBOL,), folder, **{"depth": 25, **options})


def recorded(server: V2Server, folder: Path, **options):
    """Record until everything was played; return the tally and the warnings."""
    warnings: list[str] = []
    stop = asyncio.Event()

    async def main() -> Tally:
        task = asyncio.create_task(record(plan_of(server, folder, **options), shell, stop))
        deadline = time.monotonic() + 20
        while not task.done() and time.monotonic() < deadline and not server.played.is_set():
            await asyncio.sleep(0.01)
        stop.set()
        return await task

    shell = Shell(time.time_ns, lambda: 0.0, warnings.append, lambda tally: None, "0")
    return asyncio.run(main()), warnings


def text_of(log: Path) -> str:
    return gzip.decompress(log.read_bytes()).decode()


def updates(folder: Path) -> list[dict]:
    """Return the book messages that replay sees, those we made left out."""
    lines = [json.loads(line) for log in sorted(folder.glob("*.jsonl.gz")) for line in text_of(log).splitlines()]
    return [
        line["frame"]
        for line in lines
        if line.get("frame", {}).get("channel") == "book" and not line.get("made", False)
    ]


# The recorder without its socket.


@pytest.mark.parametrize(
    ("name", "depth"), [("kraken_v2_book25_MINA-GBP_20260816", 25), ("kraken_v2_book10_BTC-USD_20230730", 10)]
)
def test_every_recorded_checksum_is_reproduced_from_the_text(shared_data, name, depth):
    proved = 0
    with gzip.open(shared_data / f"{name}.jsonl.gz", "rt") as file:
        for line in file:
            document = json.loads(line, parse_float=str)
            frame = document.get("frame", document)
            if frame.get("channel") != "book" or name.endswith("20230730"):
                continue  # the older recording lost its trailing zeros
            if frame["type"] == "snapshot":
                book = WatchedBook(frame["data"][0]["symbol"], depth)
            assert book.take(frame["type"], frame["data"][0])
            proved += 1
    assert proved == (30 if depth == 25 else 0)


def test_a_snapshot_we_write_is_the_book_and_proves_itself(frames):
    book, copy = WatchedBook(SYMBOL, 25), WatchedBook(SYMBOL, 25)
    for frame in books_of(frames):
        document = json.loads(frame, parse_float=str)
        book.take(document["type"], document["data"][0])

    document = json.loads(book.snapshot_text("2026-08-16T23:37:06.000000Z"), parse_float=str)

    assert copy.take("snapshot", document["data"][0])
    assert (copy.bids(), copy.asks()) == (book.bids(), book.asks())


def test_a_wrong_checksum_drops_the_book_and_asks_again_once(frames):
    recorder = Recorder(RecordingPlan("ws://x/v2", (SYMBOL,), Path(), depth=25))
    recorder.connected()
    snapshot, first, second, third = books_of(frames)[:4]
    recorder.take(1, snapshot)

    broken = recorder.take(2, first.replace('"checksum":', '"checksum":9'))
    after = recorder.take(3, second)
    healed = recorder.take(4, snapshot)

    assert [json.loads(text)["method"] for text in broken.requests] == ["unsubscribe", "subscribe"]
    assert json.loads(broken.requests[1])["params"] == {"channel": "book", "symbol": [SYMBOL], "depth": 25}
    assert '"dropped":' in broken.line
    assert (after.requests, '"dropped":' in after.line) == ([], True)
    assert '"frame":' in healed.line
    assert '"frame":' in recorder.take(5, first).line
    assert (recorder.tally.resyncs, recorder.tally.dropped) == (1, 2)
    assert third != second


def test_missing_trade_numbers_are_counted():
    recorder = Recorder(RecordingPlan("ws://x/v2", (SYMBOL,), Path(), depth=25))
    for number in (7, 8, 11):
        recorder.take(1, TRADE % ("1.00000000", number))
    assert (recorder.tally.trades, recorder.tally.missed_trades) == (3, 2)


def test_a_clock_set_back_does_not_turn_the_log_around():
    recorder = Recorder(RecordingPlan("ws://x/v2", (SYMBOL,), Path(), depth=25))
    lines = [recorder.take(ns, '{"channel":"heartbeat"}').line for ns in (5, 3, 9)]
    assert [json.loads(line)["rx_ns"] for line in lines] == [5, 5, 9]


# With a socket.


def test_a_recording_replays_with_every_checksum(frames, tmp_path):
    played = [*frames[:20], TRADE % ("12.50000000", 1), TRADE % ("5e-05", 2), *frames[20:]]
    with serving(V2Server([played])) as server:
        tally, warnings = recorded(server, tmp_path)

    (log,) = tmp_path.glob("*.jsonl.gz")
    (recording,) = read_kraken_v2(log).values()  # refuses a checksum that does not come out
    assert recording.batches.size == len(books_of(frames)) == tally.books
    assert recording.depth == 25
    assert recording.trades["trade_id"].tolist() == [1, 2]
    assert (tally.trades, tally.resyncs, warnings) == (2, 0, [])
    assert [one.kind for one in manifest(tmp_path)] == ["log", "book", "trades"]
    assert verify_path(tmp_path) == []
    book = parquet.read_table(next(tmp_path.glob("*.book.parquet")))
    raw = [
        (side, str(level["price"]), str(level["qty"]))
        for frame in books_of(frames)
        for side in ("bids", "asks")
        for level in json.loads(frame, parse_float=str)["data"][0][side]
    ]
    assert book.num_rows == len(raw)
    assert [float(x) for x in book["price"].to_pylist()] == [float(price) for _, price, _ in raw]
    assert [float(x) for x in book["volume"].to_pylist()] == [float(qty) for _, _, qty in raw]
    trades = parquet.read_table(next(tmp_path.glob("*.trades.parquet")))
    assert [float(x) for x in trades["volume"].to_pylist()] == [12.5, 0.00005]


def test_after_a_wrong_checksum_the_book_comes_anew(frames, tmp_path):
    books = books_of(frames)
    wrong = [*books[:5], books[5].replace('"checksum":', '"checksum":9')]
    with serving(V2Server([wrong], again=books)) as server:
        tally, warnings = recorded(server, tmp_path)

    assert tally.resyncs == 1
    assert len(warnings) == 2
    (recording,) = read_kraken_v2(next(tmp_path.glob("*.jsonl.gz"))).values()
    assert recording.batches["kind"].tolist() == [1, 0, 0, 0, 0, 1, *[0] * (len(books) - 1)]


def test_a_lost_connection_is_made_again(frames, tmp_path):
    books = books_of(frames)
    with serving(V2Server([[*books[:10], "close"], books])) as server:
        tally, warnings = recorded(server, tmp_path)

    assert tally.connections == 2
    assert "connecting again" in warnings[0]
    (recording,) = read_kraken_v2(next(tmp_path.glob("*.jsonl.gz"))).values()
    assert recording.batches.size == 10 + len(books)
    assert np.flatnonzero(recording.batches["kind"]).tolist() == [0, 10]


def test_each_segment_stands_alone(frames, tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "LINES_PER_WRITE", 4)  # however fast the frames come
    with serving(V2Server([books_of(frames)])) as server:
        recorded(server, tmp_path, rotate_bytes=2000)

    logs = sorted(tmp_path.glob("*.jsonl.gz"))
    assert len(logs) > 2
    parts = [next(iter(read_kraken_v2(log).values())) for log in logs if '"channel":"book"' in text_of(log)]
    assert all(part.batches["kind"][0] == 1 for part in parts)
    assert len(updates(tmp_path)) == len(books_of(frames))
    assert wrong_files(tmp_path) == []


def test_a_full_disk_stops_with_one_error_and_keeps_what_was_written(frames, tmp_path, monkeypatch):
    from mycelial.adapters.data.recorder.segments import Segment

    write, calls = Segment.write, []

    def full(segment, lines):
        calls.append(1)
        if len(calls) > 2:
            raise StorageError("no space")
        write(segment, lines)

    monkeypatch.setattr(Segment, "write", full)
    with serving(V2Server([books_of(frames)] * 3)) as server, pytest.raises(StorageError, match="no space"):
        recorded(server, tmp_path, queue=1)

    assert wrong_files(tmp_path) == []
    assert len(list(tmp_path.glob("*.jsonl.gz"))) == 1


def test_an_exchange_that_refuses_everything_ends_the_recording(tmp_path):
    refusal = '{"error":"Currency pair not supported X","method":"subscribe","success":false,"symbol":"X"}'
    with serving(V2Server([[refusal, refusal]])) as server, pytest.raises(ExchangeError, match="not supported"):
        recorded(server, tmp_path)


def test_a_plan_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="wss://"):
        RecordingPlan("https://x", (SYMBOL,), tmp_path)
    with pytest.raises(ConfigError, match="--depth 7"):
        RecordingPlan("ws://x", (SYMBOL,), tmp_path, depth=7)


# The command.


def command(server: V2Server, folder: Path, *more: str) -> list[str]:
    arguments = ["data", "record", SYMBOL, "--url", server.url, "--depth", "25", "--out", str(folder), *more]
    return [sys.executable, "-m", "mycelial.cli.main", *arguments]


def started(server: V2Server, folder: Path, n_lines: int, *more: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command(server, folder, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        logs = list(folder.glob("*.jsonl"))
        if logs and logs[0].read_bytes().count(b"\n") >= n_lines:
            return process
        time.sleep(0.02)
    raise AssertionError(process.communicate())


def test_after_a_kill_the_next_recorder_finishes_what_was_left(frames, tmp_path):
    with serving(V2Server([frames])) as server:
        process = started(server, tmp_path, 40)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    (log,) = tmp_path.glob("*.jsonl")
    with log.open("ab") as file:
        file.write(b'{"rx_ns":17,"frame":{"chan')  # torn
    n_books = log.read_text().count('"channel":"book","type":"update"')
    assert n_books > 5

    assert recover(tmp_path) == [log]

    (recording,) = read_kraken_v2(next(tmp_path.glob("*.jsonl.gz"))).values()
    assert recording.batches.size == n_books + 1
    assert list(tmp_path.glob("*.jsonl")) == []
    assert wrong_files(tmp_path) == []


def test_ctrl_c_finishes_the_segment(frames, tmp_path):
    with serving(V2Server([frames])) as server:
        process = started(server, tmp_path, 20, "--json")
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert json.loads(out)["segments"] == [path.name for path in tmp_path.glob("*.jsonl.gz")]
    assert err.splitlines()[-1] == f"next: mycelial data verify {tmp_path}"
    assert wrong_files(tmp_path) == []
