"""A connection of the exchange server: standard frames, faults as they are asked for, slow readers cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.adapters.exchanges.kraken_server.clock import MarketClock
from mycelial.adapters.exchanges.kraken_server.connection import MOST_BUFFERED, Connection, payload_of, text_frame
from mycelial.adapters.exchanges.kraken_server.faults import Faults
from mycelial.kraken.limits import Attempts, Budget

SECOND = 10**9


class Wire:
    """Where a connection writes; not one of our own parts, so it may be played."""

    def __init__(self) -> None:
        self.written = b""
        self.unread = 0
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return self.unread

    def abort(self) -> None:
        self.closing = True

    close = abort

    @property
    def texts(self) -> list[str]:
        """Return the payloads of the frames written."""
        found, rest = [], self.written
        while rest:
            head = {126: 4, 127: 10}.get(rest[1], 2)
            size = int.from_bytes(rest[2:head], "big") if head > 2 else rest[1]
            found.append(rest[head : head + size].decode())
            rest = rest[head + size :]
        return found


def connected(work: Callable[[Connection, Wire, Faults], Awaitable[None]]) -> Wire:
    """Let a connection do its work inside an event loop, and return what it wrote to."""
    wire, faults = Wire(), Faults()

    async def run() -> None:
        transport: Any = wire
        loop = asyncio.get_running_loop()
        await work(Connection(transport, faults, loop, number=1, is_private=False, address="x"), wire, faults)
        await asyncio.sleep(0)  # what was said in this turn leaves at its end

    asyncio.run(run())
    return wire


@given(size=st.one_of(st.integers(0, 300), st.sampled_from([125, 126, 65_535, 65_536, 70_000])))
def test_frames_carry_their_payload_whatever_its_size(size: int) -> None:
    frame = text_frame(b"x" * size)

    assert frame[0] == 0x81
    assert payload_of(frame) == b"x" * size


def tampered(kind: str) -> list[str]:
    """Return what arrives of four frames when a fault is to strike once, after the first."""

    async def work(connection: Connection, wire: Wire, faults: Faults) -> None:
        connection.send_frame(text_frame(b"0000"))
        setattr(faults, kind, 1)
        for text in (b"1111", b"2222", b"3333"):
            connection.send_frame(text_frame(text))

    return connected(work).texts


@pytest.mark.parametrize(
    ("kind", "arrives"),
    [
        ("gap", ["0000", "2222", "3333"]),
        ("duplicate", ["0000", "1111", "1111", "2222", "3333"]),
        ("reorder", ["0000", "2222", "1111", "3333"]),
        ("truncate", ["0000", "11", "2222", "3333"]),
    ],
)
def test_a_fault_strikes_as_often_as_asked(kind: str, arrives: list[str]) -> None:
    assert tampered(kind) == arrives


def test_delays_keep_the_order_of_messages() -> None:
    async def work(connection: Connection, wire: Wire, faults: Faults) -> None:
        faults.latency_ns = 5_000_000
        for n in range(20):
            connection.send(b"%d" % n)
        assert wire.written == b""
        while len(wire.texts) < 20:
            await asyncio.sleep(0.001)

    assert connected(work).texts == [str(n) for n in range(20)]


def test_a_slow_reader_is_cut_off() -> None:
    async def work(connection: Connection, wire: Wire, faults: Faults) -> None:
        wire.unread = MOST_BUFFERED + 1
        connection.send(b"too much")

    wire = connected(work)

    assert wire.closing
    assert wire.written == b""


def test_market_time_follows_the_wall_at_its_speed_and_never_goes_back() -> None:
    wall = [100 * SECOND]
    clock = MarketClock(lambda: wall[0], 5 * SECOND, speed=10)

    wall[0] += SECOND
    assert clock.now() == 15 * SECOND
    clock.pause()
    wall[0] += SECOND
    assert clock.now() == 15 * SECOND
    clock.set_speed(2)
    clock.resume()
    wall[0] += SECOND
    assert clock.now() == 17 * SECOND


@given(gaps=st.lists(st.integers(0, 2 * SECOND), min_size=1, max_size=60))
def test_a_budget_lets_no_more_through_than_its_rate_and_burst(gaps: list[int]) -> None:
    budget, now, passed = Budget(3.0, 5.0), 0, 0

    for gap in gaps:
        now += gap
        passed += budget.take(now)

    assert passed <= 5 + 3 * now / SECOND + 1e-6
    assert passed >= min(len(gaps), 5)


def test_attempts_end_in_a_ban_that_tries_prolong_where_they_shall() -> None:
    plain, strict = (Attempts(2, 10 * SECOND, 60 * SECOND, extends=extends) for extends in (False, True))

    for attempts in (plain, strict):
        assert [attempts.attempt(n) for n in range(4)] == [True, True, False, False]
        assert not attempts.attempt(50 * SECOND)
    assert plain.attempt(61 * SECOND)
    assert not strict.attempt(61 * SECOND)
    assert strict.attempt(200 * SECOND)
