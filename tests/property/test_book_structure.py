"""What must be true inside the kernel's memory after every input: queues, bitmaps, slots, names and expiries agree."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from tests.support.book_inputs import Inputs, Setup, aim, aimed_streams, hostile_setup, hostile_stream

from mycelial.domain.instrument import Instrument
from mycelial.market.book import INPUT, OrderBook
from mycelial.market.book.records import Tif

Structure = Callable[[Any], None]


def live_slots(state: Any) -> list[int]:
    """Return the slots that hold an order."""
    return [slot for slot in range(1, state.scalar("high") + 1) if state.arrays["terms"]["serial"][slot] >= 0]


def check_queues(state: Any) -> None:
    """Links agree both ways, priorities rise, levels sum up, and every live order is in exactly one queue."""
    orders, terms, levels, hidden = (state.arrays[name] for name in ("orders", "terms", "levels", "hidden"))
    seen = []
    for place in np.flatnonzero(levels["head"]).tolist():
        level, behind, queue = levels[place], 0, []
        at = int(level["head"])
        while at != 0:
            assert orders["prev"][at] == behind
            assert (orders["tick"][at], terms["side"][at]) == divmod(place, 2)
            queue.append(at)
            behind, at = at, int(orders["next"][at])
        assert level["tail"] == behind
        assert (np.diff(orders["priority"][queue]) > 0).all()
        assert level["shown"] == orders["shown"][queue].sum()
        assert hidden["lots"][place] == orders["hidden"][queue].sum()
        assert (orders["shown"][queue] > 0).all()
        seen += queue
    assert sorted(seen) == live_slots(state)
    empty = levels["head"] == 0
    assert not levels["tail"][empty].any()
    assert not levels["shown"][empty].any()
    assert not hidden["lots"][empty].any()


def check_bitmaps(state: Any) -> None:
    """A bit is set exactly where there is something below it, on every floor."""
    filled = state.arrays["levels"]["head"] != 0
    for name in ("words", "groups", "top"):
        bits = state.arrays[name]["bits"]
        for side in (0, 1):
            below = filled[side::2]
            padded = np.zeros(64 * len(bits[side::2]), bool)
            padded[: len(below)] = below
            weights = np.uint64(1) << np.arange(64, dtype=np.uint64)
            expected = (padded.reshape(-1, 64) * weights).sum(axis=1, dtype=np.uint64)
            assert (bits[side::2] == expected).all(), name
        filled = bits != 0
    ticks = [np.flatnonzero(state.arrays["levels"]["head"][side::2]) for side in (0, 1)]
    assert state.scalar("best_bid") == max(ticks[0], default=0)
    assert state.scalar("best_ask") == min(ticks[1], default=state.scalar("ladder"))


def check_slots(state: Any) -> None:
    """Every slot that was ever handed out is either live or once in the chain of free ones."""
    orders, free = state.arrays["orders"], []
    at = state.scalar("free")
    while at != 0:
        assert len(free) < state.scalar("high")
        free.append(at)
        at = int(orders["next"][at])
    live = live_slots(state)
    assert sorted([*free, *live]) == list(range(1, state.scalar("high") + 1))
    assert state.scalar("live") == len(live)
    assert state.scalar("high") <= state.scalar("max_orders")
    assert state.scalar("icebergs") == (state.arrays["terms"]["display"][live] != 0).sum()


def check_names(state: Any) -> None:
    """The table of client ids holds the named live orders, each once."""
    named = [slot for slot in live_slots(state) if state.arrays["terms"]["client_id"][slot] != 0]
    table = state.arrays["ids"]
    entries = table["slot"]
    assert sorted(entries[entries != 0].tolist()) == named


def check_expiries(state: Any) -> None:
    """The heap is one, and every live good-till-date order is in it once."""
    heap = state.arrays["expiries"][: state.scalar("expiry_count")]
    keys = list(zip(heap["expire"].tolist(), heap["serial"].tolist(), strict=True))
    assert all(keys[(at - 1) // 2] <= keys[at] for at in range(1, len(keys)))
    terms, orders = state.arrays["terms"], state.arrays["orders"]
    waiting = [
        (int(terms["expire"][slot]), int(terms["serial"][slot]), int(orders["generation"][slot]) << 32 | slot)
        for slot in live_slots(state)
        if terms["tif"][slot] == Tif.GTD
    ]
    entries = heap[["expire", "serial", "handle"]].tolist()
    for entry in waiting:
        assert entries.count(entry) == 1


STRUCTURES: list[Structure] = [check_queues, check_bitmaps, check_slots, check_names, check_expiries]


def check_after_every_input(setup: Setup, inputs: Inputs) -> None:
    book = setup.open(OrderBook)
    for at in range(len(inputs)):
        book.apply(inputs[at : at + 1])
        for check in STRUCTURES:
            check(book.state)


@given(case=aimed_streams())
def test_the_memory_of_a_book_is_sound_after_every_input(case: tuple[Setup, Inputs]):
    check_after_every_input(*case)


@pytest.mark.parametrize("seed", [50, 51])
def test_the_memory_of_a_book_is_sound_on_a_long_stream(seed: int):
    setup = hostile_setup(seed, max_orders=20)
    inputs = aim(hostile_stream(seed, 800, setup), setup, seed)
    inputs["expire"] += (np.arange(len(inputs)) % 3 == 0) * 10**6  # some stay in the heap long after they are gone

    check_after_every_input(setup, inputs)


def test_a_restored_memory_is_sound():
    setup = hostile_setup(52, max_orders=20)
    book = setup.open(OrderBook)
    book.apply(aim(hostile_stream(52, 500, setup), setup, 52))

    for check in STRUCTURES:
        check(OrderBook.restore(book.snapshot()).state)


def test_events_handed_out_stay_what_they_are_however_many_inputs_follow():
    book = OrderBook(Instrument("A/B", Decimal(1), Decimal(1), ladder_ticks=64, max_orders=16, max_lots=1_000), 1)
    many, few = np.zeros(2_000, INPUT), np.zeros(3, INPUT)
    for inputs in (many, few):  # every one is refused: the account is empty
        inputs["lots"], inputs["price"], inputs["group"] = 1, 5, -1

    handed_out = [book.apply(inputs) for inputs in (many, few, many, few, few)]

    assert [len(events) for events in handed_out] == [2_000, 3, 2_000, 3, 3]
    assert np.array_equal(np.concatenate([events["event_seq"] for events in handed_out]), np.arange(4_009))
