"""How does a batch of B independent books scale (B5): rate per core, gain of a second core, memory per book?"""

from __future__ import annotations

import sys
import time

import numpy as np

from benchmarks.measuring import heading, resident_mib
from benchmarks.order_streams import Stream, mix
from mycelial.domain.copying import joined
from mycelial.market.books import OrderBooks

MESSAGES, DIFFERENT, AT_ONCE = 20_000, 8, 200_000  # messages a book, different streams, messages in memory at once
FLOOR = 1.8


def run(streams: list[Stream], books: int, threads: int) -> tuple[float, float, int, OrderBooks]:
    """Feed a batch; return wall and CPU seconds, messages, and the batch."""
    batch = OrderBooks([streams[b % len(streams)].terms for b in range(books)], threads=threads)
    each = min(MESSAGES, max(8, AT_ONCE // books))
    opening = streams[0].opening
    batch.apply_many([streams[b % len(streams)].inputs[:opening] for b in range(books)])
    wall = cpu = 0.0
    for start in range(0, MESSAGES - each + 1, each):
        parts = [streams[b % len(streams)].messages[start : start + each] for b in range(books)]
        inputs, first = joined(parts), np.arange(books + 1) * each
        wall_before, cpu_before = time.perf_counter(), time.process_time()
        batch.apply_joined(inputs, first)
        cpu += time.process_time() - cpu_before
        wall += time.perf_counter() - wall_before
    batch.close()
    return wall, cpu, books * (MESSAGES // each) * each, batch


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    heading("batch of order books: 4,096 ticks, 20,000 messages each")
    streams = [mix(MESSAGES, 500, small=True, seed=23 + n) for n in range(DIFFERENT)]
    streams[0].check()
    run(streams, 2, 2)
    for books in (1, 10, 100) if quick else (1, 10, 100, 1_000, 4_096):
        before = resident_mib()
        wall, cpu, count, batch = run(streams, books, 1)
        memory = (resident_mib() - before) / books
        alone = streams[(books - 1) % DIFFERENT].opened()
        fed = count // books
        alone.apply(streams[(books - 1) % DIFFERENT].messages[:fed])
        if int(batch.digests()[-1]) != alone.digest:
            raise SystemExit("a book in a batch differs from the book alone")
        line = f"   B = {books:>5}: {count / cpu / 1e6:6.2f} M/CPU-s on one thread, {memory:.2f} MiB a book"
        del batch
        if books > 1:
            both, cpu_both, count, _ = run(streams, books, 2)
            line += f"; two threads {wall / both:.2f} x sooner, {count / cpu_both / 1e6:.2f} M/CPU-s each"
        print(line)
    print(f"   floor for two threads on two idle cores {FLOOR} x; on a busy machine read the rate per CPU-second")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
