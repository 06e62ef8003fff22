"""How many messages does the order book work off per CPU-second (B1, B2, B3), and how much faster is that than Python?

Timed is messages in memory to state and events in memory, 8,192 messages a call. Every run starts from a book of its
own and must give the same fingerprint. The peer is the plain-Python order book of the tests, on the beginning of the
same stream, and its events must be the same bytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import Timing, heading, measured, peak_mib
from benchmarks.order_streams import MESSAGES, REGIMES, Stream, mix, regime
from mycelial.market.book import EventKind, Kind, OrderBook

FLOOR_FULL, GOAL_FULL = 10.0, 30.0  # million messages per CPU-second, B3
FLOOR_REGIME, GOAL_REGIME = 5.0, 15.0  # the same, worst regime of B2
ORACLE_MESSAGES = 20_000
BATCH = 8_192
_FIRST_STEP = """
import sys, time
started, cpu = time.perf_counter(), time.process_time()
from decimal import Decimal
import numpy as np
from mycelial.domain.instrument import Instrument
from mycelial.market.book import INPUT, OrderBook
ready = time.perf_counter()
book = OrderBook(Instrument("A/B", Decimal(1), Decimal(1), ladder_ticks=4096, max_orders=64, max_lots=1000), 2)
book.apply(np.zeros(1, INPUT))
print(ready - started, time.perf_counter() - ready, time.process_time() - cpu)
"""


def first_step(cache: str) -> tuple[float, float, float]:
    """Return seconds of a fresh process: imports, first input (wall), and CPU time of both."""
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_STEP],
        env=os.environ | {"NUMBA_CACHE_DIR": cache},
        check=True,
        capture_output=True,
        text=True,
    )
    imports, first, cpu = map(float, done.stdout.split())
    return imports, first, cpu


def worked_off(book: OrderBook, messages: NDArray[Any]) -> tuple[int, int]:
    """Apply messages in batches; return the number of events and the fingerprint."""
    events = 0
    for start in range(0, len(messages), BATCH):
        events += len(book.apply(messages[start : start + BATCH]))
    return events, book.digest


def timed(stream: Stream, runs: int) -> Timing:
    """Print and return the time of a stream."""
    timing, results = measured(lambda book: worked_off(book, stream.messages), stream.opened, runs)
    if len(set(results)) != 1:
        raise SystemExit(f"{stream.name}: runs differ: {results}")
    events, fingerprint = results[0]
    kinds = np.bincount(stream.messages["kind"], minlength=len(Kind))
    shares = ", ".join(f"{100 * kinds[kind] / kinds.sum():.0f} % {kind.name}" for kind in Kind if kinds[kind])
    print(f"   {stream.name:<15} {timing.rate(len(stream.messages))}")
    print(f"   {'':<15} {shares}; {events:,} events, {timing.rate(events)}; fingerprint {fingerprint:016x}")
    return timing


def against_python(stream: Stream) -> float:
    """Return how many times faster the book is than the plain-Python one on the same messages, results checked."""
    from tests.support.oracle_book import OracleBook

    inputs = stream.inputs[: stream.opening + ORACLE_MESSAGES]
    terms = stream.terms
    oracle = OracleBook(terms.instrument, terms.accounts, fee_tiers=terms.fee_tiers, may_borrow=terms.may_borrow)
    started = time.process_time()
    expected = oracle.apply(inputs)
    slow = time.process_time() - started
    timing, results = measured(lambda book: book.apply(inputs), terms.open)
    if results[0].tobytes() != expected.tobytes():
        raise SystemExit(f"{stream.name}: kernel and plain-Python book give different events")
    trades = int(np.count_nonzero(expected["kind"] == EventKind.TRADE))
    ratio = slow / timing.cpu_s
    print(
        f"   plain-Python book on the first {len(inputs):,} inputs of {stream.name}: {len(inputs) / slow / 1e3:.1f} "
        f"k/CPU-s; equal events ({len(expected):,}, {trades:,} trades); the kernel is {ratio:,.0f} x as fast"
    )
    return ratio


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    messages, runs = (100_000, 3) if quick else (MESSAGES, 9)
    heading("order book: messages per CPU-second")
    with tempfile.TemporaryDirectory() as cache:
        imports, cold, cpu = first_step(cache)
        print(
            f"   kernels of the book, cold: first input after {cold:.1f} s ({cpu:.1f} CPU-s with imports {imports:.1f})"
        )
        os.chmod(cache, 0o555)
        imports, cached, cpu = first_step(cache)
        os.chmod(cache, 0o755)
        print(f"   the same from a read-only cache: first input after {cached:.2f} s ({cpu:.1f} CPU-s with imports)")
    for live in (100, 2_000, 20_000):
        stream = mix(messages, live)
        stream.check()
        timed(stream, runs)
    full = mix(messages, 2_000, full=True)
    full.check()
    speed = messages / timed(full, runs).cpu_s / 1e6
    print(f"   B3 {speed:.1f} M/CPU-s; floor {FLOOR_FULL:.0f}, goal {GOAL_FULL:.0f}")
    against_python(full)
    speeds = {}
    for name in REGIMES:
        stream = regime(name, messages)
        stream.check()
        speeds[name] = messages / timed(stream, runs).cpu_s / 1e6
    worst = min(speeds, key=speeds.__getitem__)
    print(f"   B2 worst regime {worst}: {speeds[worst]:.1f} M/CPU-s; floor {FLOOR_REGIME:.0f}, goal {GOAL_REGIME:.0f}")
    print(f"   peak memory of this process {peak_mib():,.0f} MiB")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
