"""How much traffic does the exchange carry on this machine, and how far is that from what the machine can do?

Four questions: book updates to many subscribers without a drop, orders a second, the time from an order to its answer,
and memory over time (`--soak MINUTES`). Server and clients share the machine. The peer of each figure is a server that
does nothing but write ready frames (or one answer to each frame), read by the same clients: the physical limit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.measuring import heading
from benchmarks.socket_clients import BookReader, Client, connect, subscription, token
from mycelial.simulation.exchange.house import HISTORY

SUBSCRIBERS = 200
FLOOR_UPDATES, GOAL_UPDATES = 25, 100  # a second, each
FLOOR_ORDERS, GOAL_ORDERS = 1_000, 3_000  # a second
CLIENTS = 10
IN_FLIGHT = 16  # orders of one client that wait for their answer
SYMBOLS = ["BTC/USD", "ETH/USD", "SOL/USD"]
TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@contextmanager
def exchange(*options: str) -> Iterator[dict[str, Any]]:
    """Run an exchange; gives what it prints, with its process id."""
    command = [sys.executable, "-m", "benchmarks.exchange_process", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield {**json.loads(process.stdout.readline()), "pid": process.pid}
        finally:
            process.terminate()


def cpu_s(pid: int) -> float:
    """Return the CPU time a process has used."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_mib(pid: int) -> float:
    """Return the memory a process uses."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


# ------------------------------------------------------------------------------------------------------ subscribers ---


async def _subscribe(url: str, count: int, symbols: list[str], seconds: float, pid: int) -> dict[str, float]:
    readers = [BookReader() for _ in range(count)]
    clients = [await connect(url, reader) for reader in readers]
    for client in clients:
        client.send(subscription(symbols))
    await asyncio.sleep(1.0)
    first = [len(reader.prints) for reader in readers]
    cpu, own, began = cpu_s(pid), time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    wall = time.perf_counter() - began
    cpu, own = cpu_s(pid) - cpu, time.process_time() - own
    last = [len(reader.prints) for reader in readers]
    for client in clients:
        client.transport.close()
    received = [end - start for start, end in zip(first, last, strict=True)]
    return {
        "rate": statistics.median(received) / wall,
        "slowest": min(received) / wall,
        "frames": sum(received) / wall,
        "drops": float(sum(_differs(readers[0].prints[first[0] : last[0]], r.prints) for r in readers)),
        "lost": float(sum(client.is_lost for client in clients)),
        "server": cpu / wall,
        "clients": own / wall,
        "bytes": statistics.mean(r.sizes / max(1, len(r.prints)) for r in readers),
    }


def _differs(reference: Any, prints: Any) -> bool:
    """Tell whether a reader missed, doubled or reordered one of the updates another reader had."""
    whole, wanted = prints.tobytes(), reference.tobytes()[: -8 * 20]  # the last may still be on their way
    return wanted not in whole


def subscribers(seconds: float) -> None:
    """Measure book updates to many subscribers."""
    heading(f"book updates to {SUBSCRIBERS} subscribers")
    cases = [("one market in real time", 1.0, 1), ("one market, 4 times as fast", 4.0, 1), ("three, 8 times", 8.0, 3)]
    for title, speed, n_symbols in cases:
        with exchange("--speed", str(speed)) as ready:
            found = asyncio.run(
                _subscribe(f"{ready['ws']}/v2", SUBSCRIBERS, SYMBOLS[:n_symbols], seconds, ready["pid"])
            )
        print(
            f"   {title}: {found['rate']:.0f} updates/s each (slowest {found['slowest']:.0f}), "
            f"{found['frames']:,.0f} frames/s of {found['bytes']:.0f} bytes, {found['drops']:.0f} subscriber(s) with a "
            f"drop, {found['lost']:.0f} cut off; server {found['server']:.0%}, clients {found['clients']:.0%} of a core"
        )
        best = found
    with _bare(int(best["bytes"]), answers=False) as (url, pid):
        limit = asyncio.run(_subscribe(url, SUBSCRIBERS, SYMBOLS[:1], seconds, pid))["frames"]
    print(f"   physical limit (ready frames to {SUBSCRIBERS} sockets, the same readers): {limit:,.0f} frames/s")
    print(f"   floor {FLOOR_UPDATES}, goal {GOAL_UPDATES} updates/s each; at {best['frames'] / limit:.0%} of the limit")


def _bare_server(port: Any, size: int, answers: bool) -> None:
    """Write ready frames to everybody as fast as they are taken, or one to each frame that comes."""
    payload = b'{"channel":"book","type":"update"'.ljust(max(size, 40), b" ")
    frame = b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload

    class Bare(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport, self.upgraded, self.left = transport, False, bytearray()

        def connection_lost(self, error: Exception | None) -> None:
            if self.transport in everybody:
                everybody.remove(self.transport)

        def data_received(self, data: bytes) -> None:
            if not self.upgraded:
                self.upgraded = True
                self.transport.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                )
                everybody.append(self.transport)
            elif answers and not self.transport.is_closing():
                self.left += data
                while len(self.left) >= 8:
                    length = self.left[1] & 0x7F
                    head = 6 if length < 126 else 8
                    length = length if length < 126 else int.from_bytes(self.left[2:4], "big")
                    if len(self.left) < head + length:
                        break
                    del self.left[: head + length]
                    self.transport.write(frame)

    everybody: list[asyncio.Transport] = []

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        while True:
            for transport in list(everybody):
                if not answers and transport.get_write_buffer_size() == 0 and not transport.is_closing():
                    transport.write(frame)
            await asyncio.sleep(0 if not answers else 0.05)

    asyncio.run(main())


# ----------------------------------------------------------------------------------------------------------- orders ---


class Trader:
    """Sends orders and times their answers; each misses the market, so that only the exchange's work is measured."""

    def __init__(self, url: str, opened: str, symbol: str) -> None:
        self.url, self.symbol = url, symbol
        self.params = {
            "order_type": "limit",
            "side": "buy",
            "order_qty": 0.1,
            "symbol": symbol,
            "limit_price": 10.0,
            "time_in_force": "ioc",
            "token": opened,
        }
        self.sent: dict[int, float] = {}
        self.took: list[float] = []
        self.answers = self.refused = 0
        self.number = 0
        self.on_answer = lambda: None
        self.client: Client

    async def open(self) -> None:
        self.client = await connect(self.url, self.heard)

    def place(self) -> None:
        self.number += 1
        request = {"method": "add_order", "params": self.params, "req_id": self.number}
        self.sent[self.number] = time.perf_counter()
        self.client.send(json.dumps(request).encode())

    def heard(self, payload: bytes) -> None:
        if b'"method":"add_order"' not in payload:
            return
        at = payload.rindex(b'"req_id":') + 9
        number = int(payload[at:].split(b"}")[0].split(b",")[0])
        self.took.append(time.perf_counter() - self.sent.pop(number))
        self.answers += 1
        self.refused += b'"success":false' in payload
        self.on_answer()


async def _traders(ready: dict[str, Any]) -> list[Trader]:
    tokens = [token(ready, nth) for nth in range(5)]
    traders = [
        Trader(f"{ready['ws_auth']}/v2", tokens[n % len(tokens)], SYMBOLS[n % len(SYMBOLS)]) for n in range(CLIENTS)
    ]
    for trader in traders:
        await trader.open()
    return traders


async def _flood(ready: dict[str, Any], seconds: float) -> dict[str, float]:
    traders = await _traders(ready)
    for trader in traders:
        trader.on_answer = trader.place
        for _ in range(IN_FLIGHT):
            trader.place()
    await asyncio.sleep(0.5)
    for trader in traders:
        trader.answers = trader.refused = 0
    cpu, own, began = cpu_s(ready["pid"]), time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    wall = time.perf_counter() - began
    found = {
        "orders": sum(trader.answers for trader in traders) / wall,
        "refused": float(sum(trader.refused for trader in traders)),
        "server": (cpu_s(ready["pid"]) - cpu) / wall,
        "clients": (time.process_time() - own) / wall,
    }
    for trader in traders:
        trader.on_answer = lambda: None
        trader.client.transport.close()
    return found


async def _paced(traders: list[Trader], seconds: float, rate: float) -> list[float]:
    """Let each client send at a steady rate; return the seconds each order took."""

    began = time.perf_counter()

    async def send(trader: Trader, offset: float) -> None:
        # At times fixed beforehand, so that a hold-up does not make all clients send at once from then on.
        for n in range(int(seconds * rate)):
            await asyncio.sleep(max(0.0, began + offset + n / rate - time.perf_counter()))
            trader.place()

    await asyncio.gather(*(send(trader, n / rate / CLIENTS) for n, trader in enumerate(traders)))
    await asyncio.sleep(0.3)
    for trader in traders:
        trader.client.transport.close()
    return [took for trader in traders for took in trader.took[3:]]


def orders(seconds: float) -> None:
    """Measure orders a second and their round trip."""
    heading(f"orders through the WebSocket, {CLIENTS} clients")
    with exchange("--relaxed") as ready:
        found = asyncio.run(_flood(ready, seconds))
        each = found["server"] / max(1.0, found["orders"]) * 1e6
        print(
            f"   {found['orders']:,.0f} orders/s with {IN_FLIGHT} under way each, {found['refused']:.0f} refused; "
            f"server {found['server']:.0%} of a core ({each:.0f} us an order), clients {found['clients']:.0%}; "
            f"floor {FLOOR_ORDERS:,}, goal {GOAL_ORDERS:,}"
        )
        for rate in (5.0, 20.0):
            took = asyncio.run(_trip(ready, seconds, rate))
            print(f"   round trip at {CLIENTS * rate:.0f} orders/s: {took}; asked p50 1, p99 10")
        took = asyncio.run(_one_by_one(ready, seconds))
        print(f"   round trip when each sends its next at once: {took}; all wait for each other")
    with _bare(300, answers=True) as (url, _):
        limit = asyncio.run(_bare_flood(url, seconds))
        print(f"   physical limit (an answer to each frame, the same clients): {limit:,.0f} orders/s")
        print(f"   round trip of it at {CLIENTS * 20} frames/s: {asyncio.run(_bare_trip(url, seconds, 20.0))}")
    print(f"   at {found['orders'] / limit:.0%} of the limit")


async def _trip(ready: dict[str, Any], seconds: float, rate: float) -> str:
    return _times(await _paced(await _traders(ready), seconds, rate))


async def _one_by_one(ready: dict[str, Any], seconds: float) -> str:
    traders = await _traders(ready)
    for trader in traders:
        trader.on_answer = trader.place
        trader.place()
    await asyncio.sleep(seconds)
    for trader in traders:
        trader.on_answer = lambda: None
    await asyncio.sleep(0.1)
    for trader in traders:
        trader.client.transport.close()
    return _times([took for trader in traders for took in trader.took[3:]])


def _times(took: list[float]) -> str:
    took = sorted(took)
    p50, p99 = took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, longest {took[-1] * 1e3:.1f} ms ({len(took)})"


async def _bare_trip(url: str, seconds: float, rate: float) -> str:
    traders = [Trader(url, "x" * 40, SYMBOLS[n % 3]) for n in range(CLIENTS)]
    for trader in traders:

        def heard(payload: bytes, of: Trader = trader) -> None:
            number = min(of.sent)  # answers come in order
            of.took.append(time.perf_counter() - of.sent.pop(number))

        trader.client = await connect(url, heard)
    return _times(await _paced(traders, seconds, rate))


@contextmanager
def _bare(size: int, *, answers: bool) -> Iterator[tuple[str, int]]:
    """Run the server that does nothing; gives its address and process id."""
    context = multiprocessing.get_context("spawn")
    port = context.Queue()
    process = context.Process(target=_bare_server, args=(port, size, answers), daemon=True)
    process.start()
    try:
        yield f"ws://127.0.0.1:{port.get()}/v2", process.pid or 0
    finally:
        process.terminate()
        process.join()


async def _bare_flood(url: str, seconds: float) -> float:
    traders = [Trader(url, "x" * 40, SYMBOLS[n % 3]) for n in range(CLIENTS)]
    count, done = 0, False

    def place_of(trader: Trader) -> Any:
        def heard(payload: bytes) -> None:
            nonlocal count
            count += 1
            trader.sent.clear()
            if not done:
                trader.place()

        return heard

    for trader in traders:
        trader.client = await connect(url, place_of(trader))
        for _ in range(IN_FLIGHT):
            trader.place()
    await asyncio.sleep(0.5)
    count, began = 0, time.perf_counter()
    await asyncio.sleep(seconds)
    rate, done = count / (time.perf_counter() - began), True
    for trader in traders:
        trader.client.transport.close()
    return rate


# ------------------------------------------------------------------------------------------------------------- soak ---


async def _fill(ready: dict[str, Any]) -> None:
    """Send so many orders that every account remembers as many as it ever will."""
    traders = await _traders(ready)
    for trader in traders:
        trader.on_answer = trader.place
        for _ in range(IN_FLIGHT):
            trader.place()
    while min(trader.answers for trader in traders) < HISTORY:
        await asyncio.sleep(0.5)
    for trader in traders:
        trader.on_answer = lambda: None
        trader.client.transport.close()


async def _soak(ready: dict[str, Any], minutes: float) -> list[tuple[float, float]]:
    readers = [BookReader() for _ in range(20)]
    clients = [await connect(f"{ready['ws']}/v2", reader) for reader in readers]
    for client in clients:
        client.send(subscription(SYMBOLS))
    samples: list[tuple[float, float]] = []
    began = time.monotonic()

    async def sample() -> None:
        while True:
            samples.append((time.monotonic() - began, resident_mib(ready["pid"])))
            for reader in readers:
                del reader.prints[:]
            await asyncio.sleep(2.0)

    sampling = asyncio.create_task(sample())
    await _paced(await _traders(ready), 60 * minutes, 10.0)
    sampling.cancel()
    assert not any(client.is_lost for client in clients)
    return samples


def soak(minutes: float) -> None:
    """Measure memory over time under a steady load of 100 orders a second and 20 subscribers to three books."""
    heading(f"soak of {minutes:g} minutes")
    with exchange("--relaxed") as ready:
        at_first = resident_mib(ready["pid"])
        asyncio.run(_fill(ready))
        samples = asyncio.run(_soak(ready, minutes))
    half = samples[len(samples) // 2 :]
    slope, _ = statistics.linear_regression([t for t, _ in half], [m for _, m in half])
    print(
        f"   memory {at_first:.0f} MiB at first, {samples[0][1]:.0f} with full histories, {half[0][1]:.0f} halfway, "
        f"{samples[-1][1]:.0f} at the end; "
        f"slope of the second half {slope * 3600:+.1f} MiB an hour"
    )


def main(quick: bool = False, soak_minutes: float = 0.0) -> None:
    """Answer the questions."""
    seconds = 4.0 if quick else 15.0
    subscribers(seconds)
    orders(seconds)
    if soak_minutes:
        soak(soak_minutes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exchange_load", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--soak", type=float, default=0.0, metavar="MINUTES", help="30 is what is asked for")
    chosen = parser.parse_args()
    main(quick=chosen.quick, soak_minutes=chosen.soak)
