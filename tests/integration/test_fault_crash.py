"""The exchange's process is killed while an order is on its way, and comes back without a memory."""

from __future__ import annotations

import asyncio
import socket

from tests.support.exchange_ports import SYMBOL, kraken_client, watching
from tests.support.served import served

from mycelial.adapters.clock import WallClock
from mycelial.domain.orders import NewOrder, OrderStatus, Side
from mycelial.kraken.client.tracker import NOT_IN_RECORDS

LOTS = 100_000
SECOND = 10**9


def free_ports() -> int:
    """Return the first of four ports in a row that nobody uses now."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = int(probe.getsockname()[1])
        if first < 60_000:
            return first


def test_a_server_killed_in_mid_order_leaves_exposure_until_its_successor_has_spoken() -> None:
    port = free_ports()

    async def whole() -> None:
        with served(("BTC/USD",), "--port", str(port)) as server:
            client = kraken_client(
                server, deadline_ns=5 * SECOND, answer_ns=5 * SECOND, silence_ns=6 * SECOND, reconnect_most_ns=SECOND
            )
            async with watching(client, WallClock()) as watched:
                await watched.until(lambda: client.book(SYMBOL).is_two_sided and client.is_ready())
                bid = client.book(SYMBOL).bids[0][0] // 2
                resting, crossing = watched.name(), watched.name()
                await client.submit(NewOrder(resting, SYMBOL, Side.BUY, LOTS, bid))

                under_way = asyncio.create_task(client.submit(NewOrder(crossing, SYMBOL, Side.BUY, 2 * LOTS, bid)))
                await asyncio.sleep(0)
                server.kill()
                await under_way
                await watched.until(lambda: not client.is_ready())

                # Nobody can say what became of them: both count.
                assert client.tracker[resting].status is OrderStatus.UNKNOWN
                assert client.tracker[crossing].status in (OrderStatus.UNKNOWN, OrderStatus.REFUSED)
                sent = client.tracker[crossing].status is OrderStatus.UNKNOWN
                assert client.tracker.exposure(SYMBOL).buy_lots == LOTS + 2 * LOTS * sent
                assert not client.book(SYMBOL).is_verified

                loop = asyncio.get_running_loop()
                again = served(("BTC/USD",), "--port", str(port))
                await loop.run_in_executor(None, again.__enter__)
                try:
                    await watched.until(client.is_ready, 120.0)
                    await watched.until(lambda: not client.tracker.live(), 120.0)
                    await watched.until(lambda: client.book(SYMBOL).is_two_sided, 20.0)

                    listed = (await client.account()).open_orders
                    assert list(listed) == []
                    assert client.tracker[resting].reason == NOT_IN_RECORDS
                    assert client.tracker.exposure(SYMBOL).buy_lots == 0
                    assert watched.fills == []
                finally:
                    await loop.run_in_executor(None, again.__exit__, None, None, None)

    asyncio.run(whole())
