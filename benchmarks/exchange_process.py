"""The exchange as a process to be measured: `python -m benchmarks.exchange_process [--relaxed] [--speed N]`.

The same server as `mycelial exchange serve`; `--relaxed` lifts Kraken's limits on how many orders an account may send,
which would otherwise be what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from dataclasses import replace

from mycelial.adapters.exchanges.kraken_server import session
from mycelial.adapters.exchanges.kraken_server.opening import Opened, open_exchange
from mycelial.market.rate_counters import MOST_THRESHOLD, Limits
from mycelial.market.venues import packaged_venue


async def serve(opened: Opened) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    async with opened.server.listening("127.0.0.1", 0) as addresses:
        print(json.dumps(opened.ready(addresses)), flush=True)
        await opened.server.live()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exchange_process", description=__doc__)
    parser.add_argument("--relaxed", action="store_true")
    parser.add_argument("--speed", type=float, default=1.0)
    chosen = parser.parse_args()
    venue = packaged_venue("kraken")
    if chosen.relaxed:
        limits = Limits(MOST_THRESHOLD, MOST_THRESHOLD, None)
        venue = replace(venue, trading=dict.fromkeys(venue.trading, limits))
        session.MESSAGES_PER_S = session.MESSAGE_BURST = 1e9
    opened = open_exchange(seed=23, speed=chosen.speed, venue=venue)
    try:
        asyncio.run(serve(opened))
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    main()
