"""Does the compiled order book equal the plain-Python one on a million random messages, and keep every invariant?

python -m benchmarks.book_sweep --messages 1000000 --out runs/book-sweep.json

Streams of a few hundred messages each, valid and invalid: cramped hostile markets and plausible ones, under all fee
schedules, with and without credit. For each: the events are the oracle's, byte for byte; every invariant of the tests
holds after every input; batches cut anywhere, a snapshot restored anywhere, and another thread at the same time give
the same fingerprint. Progress is kept after every stream: a sweep that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tests.property.test_book_invariants import INVARIANTS
from tests.support.book_inputs import (
    Inputs,
    Setup,
    aim,
    hostile_setup,
    hostile_stream,
    realistic_setup,
    realistic_stream,
)
from tests.support.book_transcript import transcribe
from tests.support.oracle_book import OracleBook

from benchmarks.measuring import heading
from mycelial.market.book import EventKind, OrderBook

LENGTH = 500  # messages of one stream
_EVERY_REALISTIC = 5  # one stream in so many is plausible rather than hostile


class Different(Exception):
    """A stream on which something does not hold."""


def stream(number: int) -> tuple[Setup, Inputs]:
    """Return stream `number` of the sweep."""
    if number % _EVERY_REALISTIC == _EVERY_REALISTIC - 1:
        return realistic_setup(8), realistic_stream(10_000 + number, LENGTH, accounts=8)
    rng = np.random.default_rng([number, 77])
    credit = tuple(bool(x) for x in rng.integers(0, 2, 5)) if number % 3 == 0 else False
    setup = hostile_setup(number, max_orders=int(rng.choice([8, 12, 16])), may_borrow=credit)
    return setup, aim(hostile_stream(10_000 + number, LENGTH, setup), setup, number)


def examined(number: int, pool: ThreadPoolExecutor) -> tuple[int, Counter[str]]:
    """Examine one stream; return its fingerprint and how often each kind of event came.

    Raises
    ------
    Different
        With the number of the stream and what does not hold.
    """
    setup, inputs = stream(number)
    expected = setup.open(OracleBook).apply(inputs)
    book = setup.open(OrderBook)
    elsewhere = pool.submit(_fingerprint, setup, inputs, (len(inputs),))
    events = book.apply(inputs)
    if events.tobytes() != expected.tobytes():
        both = enumerate(zip(events, expected, strict=False))
        first = next((n for n, (a, b) in both if a.tobytes() != b.tobytes()), min(len(events), len(expected)))
        raise Different(f"stream {number}: event {first} is not the oracle's")
    rng = np.random.default_rng(number)
    cuts = tuple(sorted(rng.integers(1, len(inputs), 7).tolist()))
    half = setup.open(OrderBook)
    half.apply(inputs[: cuts[3]])
    restored = OrderBook.restore(half.snapshot())
    restored.apply(inputs[cuts[3] :])
    digests = {
        "one call": book.digest,
        "batches": _fingerprint(setup, inputs, cuts),
        "snapshot": restored.digest,
        "another thread": elsewhere.result(),
    }
    if len(set(digests.values())) != 1:
        raise Different(f"stream {number}: fingerprints differ: {digests}")
    transcript = transcribe(OrderBook, setup, inputs)
    for name, check in INVARIANTS.items():
        try:
            check(transcript)
        except AssertionError as error:
            raise Different(f"stream {number}: {name}: {error}") from None
    return book.digest, Counter(EventKind(int(kind)).name for kind in events["kind"])


def _fingerprint(setup: Setup, inputs: Inputs, cuts: tuple[int, ...]) -> int:
    book, before = setup.open(OrderBook), 0
    for cut in (*cuts, len(inputs)):
        book.apply(inputs[before:cut])
        before = cut
    return int(book.digest)


def sweep(messages: int, out: Path | None = None, *, say: Any = print) -> dict[str, Any]:
    """Examine streams until so many messages are done; go on from `out` where there is one, and keep it up to date."""
    state: dict[str, Any] = {"streams": 0, "messages": 0, "events": {}, "fingerprint": 0, "cpu_seconds": 0.0}
    if out is not None and out.is_file():
        state = json.loads(out.read_text(encoding="utf-8"))
    said = 0.0
    with ThreadPoolExecutor(1) as pool:
        while state["messages"] < messages:
            started = time.process_time()
            digest, kinds = examined(state["streams"], pool)
            state["streams"] += 1
            state["messages"] += LENGTH
            state["events"] = dict(sorted((Counter(state["events"]) + kinds).items()))
            state["fingerprint"] = (state["fingerprint"] * 1_099_511_628_211 ^ digest) % 2**64
            state["cpu_seconds"] = round(state["cpu_seconds"] + time.process_time() - started, 3)
            if out is not None:
                out.parent.mkdir(parents=True, exist_ok=True)
                out.with_suffix(".new").write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
                out.with_suffix(".new").replace(out)
            if state["messages"] / messages >= said + 0.05:
                said = state["messages"] / messages
                say(f"   {said:.0%}: {state['messages']:,} messages, {state['cpu_seconds']:,.0f} CPU-s")
    return state


def main(*, quick: bool = False, messages: int | None = None, out: Path | None = None) -> None:
    """Sweep and print."""
    heading("order book: random messages, valid and invalid, against the plain-Python book")
    wanted = messages or (5_000 if quick else 100_000)
    try:
        state = sweep(wanted, out)
    except Different as different:
        print(f"   NOT EQUAL: {different}")
        raise SystemExit(7) from None
    print(
        f"   {state['messages']:,} messages in {state['streams']:,} streams: every event is the oracle's, all "
        f"{len(INVARIANTS)} invariants hold after every input, batches, snapshots and threads give equal fingerprints"
    )
    print(f"   events: {', '.join(f'{count:,} {kind}' for kind, count in state['events'].items())}")
    print(f"   {state['cpu_seconds']:,.0f} CPU-s; fingerprint of all {state['fingerprint']:016x}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--out", type=Path, help="where progress is kept; a sweep goes on from there")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    main(quick=options.quick and "--messages" not in sys.argv, messages=options.messages, out=options.out)
