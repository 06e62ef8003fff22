"""How fast are logs written, read and replayed, snapshots taken and restored (B9)?"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring import heading, measured, peak_mib
from benchmarks.order_streams import mix
from mycelial.adapters.market_logs import LogReader, LogWriter
from mycelial.compose import INPUTS_LOG, record_market, replay_market
from mycelial.market.book import OrderBook
from mycelial.market.log import LogHeader


def main(*, quick: bool = False) -> None:
    """Measure and print."""
    heading("logs and snapshots")
    stream = mix(100_000 if quick else 1_000_000, 20_000)
    stream.check()
    runs, inputs, size = 3 if quick else 9, len(stream.inputs), stream.inputs.nbytes / 2**20
    with tempfile.TemporaryDirectory() as folder:
        path, parts = Path(folder) / "some.log", np.array_split(stream.inputs, 100)

        def write(_: None) -> int:
            with LogWriter(path, LogHeader("inputs", stream.terms)) as writer:
                for part in parts:
                    writer.append(part)
            return writer.digest

        def read(_: None) -> int:
            reader = LogReader(path)
            for _chunk in reader.chunks():
                pass
            return reader.digest

        for name, work in (("write", write), ("read", read)):
            timing, digests = measured(work, lambda: None, runs)
            bytes_rate = f"{size / timing.cpu_s:,.0f} MiB/CPU-s"
            print(f"   {name:<9} {timing.rate(inputs)} records, {bytes_rate}; digest {digests[0]:016x}")
        book = record_market(Path(folder) / "market", stream.terms, parts)
        timing, done = measured(lambda log: replay_market(log).fingerprint, lambda: Path(folder) / "market", 3)
        if done[0] != f"{book.digest:016x}":
            raise SystemExit("the replay differs from the run")
        print(f"   replay, every event compared {timing.rate(inputs)} inputs; fingerprint {done[0]}")
        (Path(folder) / "alone").mkdir()
        (Path(folder) / "market" / INPUTS_LOG).rename(Path(folder) / "alone" / INPUTS_LOG)
        timing, _ = measured(lambda log: replay_market(log).fingerprint, lambda: Path(folder) / "alone", 3)
        print(f"   replay to the fingerprint    {timing.rate(inputs)} inputs")
    data = book.snapshot()
    live = len(book.orders())
    taking, _ = measured(lambda _: book.snapshot(), lambda: None, runs)
    restoring, back = measured(lambda _: OrderBook.restore(data).digest, lambda: None, runs)
    if set(back) != {book.digest}:
        raise SystemExit("a restored book differs")
    print(
        f"   snapshot of {live:,} orders, {len(data) / 2**20:.1f} MiB: taken in {taking.cpu_s * 1e3:.1f} CPU-ms, "
        f"restored in {restoring.cpu_s * 1e3:.1f} CPU-ms"
    )
    print(f"   peak memory of this process {peak_mib():,.0f} MiB")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
