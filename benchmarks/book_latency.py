"""How long does one message take through `apply_one` (B4): what a Python program that trades order by order feels."""

from __future__ import annotations

import sys
import time

import numpy as np

from benchmarks.measuring import heading
from benchmarks.order_streams import mix


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    heading("order book: one message at a time, from Python")
    stream = mix(20_000 if quick else 200_000, 2_000)
    stream.check()
    book = stream.opened()
    messages = [stream.messages[n : n + 1] for n in range(len(stream.messages))]
    book.apply_one(messages[0])
    taken = np.empty(len(messages) - 1)
    cpu = time.process_time()
    for n, message in enumerate(messages[1:]):
        before = time.perf_counter_ns()
        book.apply_one(message)
        taken[n] = time.perf_counter_ns() - before
    cpu = time.process_time() - cpu
    p50, p99, p999 = np.percentile(taken, (50, 99, 99.9)) / 1e3
    print(f"   p50 {p50:.1f} us, p99 {p99:.1f} us, p99.9 {p999:.1f} us; {cpu / len(taken) * 1e6:.1f} CPU-us a message")
    whole = stream.opened()
    whole.apply(stream.messages)
    if whole.digest != book.digest:
        raise SystemExit("one by one and all at once give different events")
    print(f"   fingerprint {book.digest:016x}, the same as all at once")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
