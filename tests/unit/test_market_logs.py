"""Markets on disk: logs that notice damage, replays that notice change, snapshots to go on from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.book_inputs import realistic_setup, realistic_stream
from typer.testing import CliRunner

from mycelial.adapters.market_logs import LogReader, LogWriter, read_snapshot, write_snapshot
from mycelial.cli.main import app
from mycelial.compose import EVENTS_LOG, INPUTS_LOG, record_market, replay_market
from mycelial.domain.errors import DataError, NotFound, StorageError, VerificationFailed
from mycelial.market.book import EVENT, INPUT, OrderBook
from mycelial.market.log import CHUNK, CHUNK_RECORDS, LogHeader, folded
from mycelial.market.terms import MarketTerms

STREAM = realistic_stream(3, 4_000)


def terms() -> MarketTerms:
    setup = realistic_setup()
    return MarketTerms(setup.instrument, setup.accounts, setup.fee_tiers)


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, OrderBook]:
    folder = tmp_path / "market"
    return folder, record_market(folder, terms(), np.array_split(STREAM, 7))


def rewrite_events(folder: Path, change: Any) -> None:
    """Write the log of events again with other records; its digests are right."""
    reader = LogReader(folder / EVENTS_LOG)
    events = np.concatenate(list(reader.chunks()))
    with LogWriter(folder / EVENTS_LOG, reader.header) as writer:
        writer.append(change(events))


def test_a_log_gives_back_what_was_written(recorded: tuple[Path, OrderBook]) -> None:
    folder, book = recorded
    inputs, events = LogReader(folder / INPUTS_LOG), LogReader(folder / EVENTS_LOG)

    assert np.concatenate(list(inputs.chunks())).tobytes() == STREAM.tobytes()
    assert np.concatenate(list(events.chunks())).tobytes() == terms().open().apply(STREAM).tobytes()
    assert events.digest == book.digest
    assert inputs.header.terms == terms()


def test_the_digest_of_a_log_is_that_of_the_book() -> None:
    book = terms().open()

    events = book.apply(STREAM)

    assert folded(folded(0, events[:100]), events[100:]) == book.digest


def test_long_logs_are_cut_into_chunks(tmp_path: Path) -> None:
    path, many = tmp_path / "long.log", np.zeros(2 * CHUNK_RECORDS + 5, INPUT)
    many["ts"] = np.arange(len(many))
    with LogWriter(path, LogHeader("inputs", terms(), first=7)) as writer:
        for part in np.array_split(many, 50):
            writer.append(part)

    chunks = list(LogReader(path).chunks())

    assert [len(chunk) for chunk in chunks] == [CHUNK_RECORDS, CHUNK_RECORDS, 5]
    assert np.concatenate(chunks).tobytes() == many.tobytes()


def test_a_replay_gives_the_fingerprint_of_the_run(recorded: tuple[Path, OrderBook], tmp_path: Path) -> None:
    folder, book = recorded

    shown = CliRunner().invoke(app, ["sim", "replay", str(folder), "--json"])

    document = json.loads(shown.stdout)
    assert shown.exit_code == 0
    assert document["fingerprint"] == f"{book.digest:016x}"
    assert (document["inputs"], document["events"]) == (len(STREAM), book.state.scalar("event_seq"))
    assert document["difference"] is None


def test_a_replay_stops_at_the_first_event_that_differs(recorded: tuple[Path, OrderBook]) -> None:
    folder, _ = recorded

    def dearer(events: Any) -> Any:
        events["lots"][1234] += 1
        events["price"][2000] += 1
        return events

    rewrite_events(folder, dearer)

    shown = CliRunner().invoke(app, ["sim", "replay", str(folder)])

    assert isinstance(shown.exception, VerificationFailed)
    assert shown.exception.exit_code == 7
    assert shown.stdout.startswith("first difference: event 1234 lots\n")
    difference = replay_market(folder).difference
    assert difference is not None
    assert difference.fields == ("lots",)
    assert difference.written["lots"] == difference.found["lots"] + 1
    seq = int(difference.found["cause"])
    assert difference.cause == STREAM[seq]
    before = terms().open()
    before.apply(STREAM[:seq])
    np.testing.assert_array_equal(difference.bids, before.levels(0, 5))
    np.testing.assert_array_equal(difference.asks, before.levels(1, 5))


@pytest.mark.parametrize("count", [-3, 3])
def test_missing_and_surplus_events_are_differences(recorded: tuple[Path, OrderBook], count: int) -> None:
    folder, book = recorded
    rewrite_events(folder, lambda events: events[:count] if count < 0 else np.append(events, events[:count]))

    difference = replay_market(folder).difference

    assert difference is not None
    if count < 0:
        assert (difference.event_seq, difference.written) == (book.state.scalar("event_seq") + count, None)
    else:
        assert difference.found is None


@pytest.mark.parametrize("place", [3, 30, -100, -4_000])
def test_damage_is_named_with_its_place(recorded: tuple[Path, OrderBook], place: int) -> None:
    folder, _ = recorded
    path = folder / INPUTS_LOG
    data = bytearray(path.read_bytes())
    data[place] ^= 0x40
    path.write_bytes(data)

    with pytest.raises(DataError, match=rf"{INPUTS_LOG}.*offset \d+.*; (record|choose)"):
        replay_market(folder)


def test_a_log_cut_short_is_named_with_its_place(recorded: tuple[Path, OrderBook]) -> None:
    folder, _ = recorded
    path = folder / INPUTS_LOG
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(DataError, match=r"ends in the middle of a chunk at offset \d+ \(record 0\)"):
        replay_market(folder)


def test_a_log_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    def half_of_the_market() -> Iterator[Any]:
        yield STREAM
        raise RuntimeError("something else went wrong")

    with pytest.raises(RuntimeError):
        record_market(tmp_path, terms(), half_of_the_market())

    assert list(tmp_path.iterdir()) == []


def test_a_refusing_disk_is_one_storage_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")

    with pytest.raises(StorageError, match="cannot be written"):
        LogWriter(tmp_path / "taken" / "inputs.log", LogHeader("inputs", terms()))


def test_a_market_goes_on_from_a_snapshot_on_disk(tmp_path: Path) -> None:
    whole = terms().open()
    whole.apply(STREAM)
    first = record_market(tmp_path / "morning", terms(), [STREAM[:2_500]])
    done = replay_market(tmp_path / "morning", snapshot=tmp_path / "noon.book")
    noon = read_snapshot(tmp_path / "noon.book")
    record_market(tmp_path / "afternoon", terms(), [STREAM[2_500:]], since=noon)

    afternoon = replay_market(tmp_path / "afternoon", since=tmp_path / "noon.book")

    assert done.book.digest == first.digest
    assert afternoon.difference is None
    assert afternoon.book.digest == whole.digest
    with pytest.raises(DataError, match="begins with input 2500"):
        replay_market(tmp_path / "afternoon")


def test_snapshots_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.book"
    with pytest.raises(NotFound, match=r"a\.book"):
        read_snapshot(path)
    book = terms().open()
    book.apply(STREAM)
    write_snapshot(path, book)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    with pytest.raises(DataError, match=r"a\.book"):
        read_snapshot(path)


def test_a_missing_log_and_a_log_of_events_are_refused(recorded: tuple[Path, OrderBook], tmp_path: Path) -> None:
    folder, _ = recorded
    with pytest.raises(NotFound, match="there is no such log"):
        replay_market(tmp_path / "nothing.log")
    with pytest.raises(DataError, match="holds events, not inputs"):
        replay_market(folder / EVENTS_LOG)


def test_the_layout_of_the_records_is_pinned() -> None:
    assert (INPUT.itemsize, EVENT.itemsize, CHUNK.itemsize) == (80, 104, 24)
