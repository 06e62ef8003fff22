"""Fifty eager agents on one account over the loopback: the exchange refuses none of their messages for rate."""

from __future__ import annotations

import asyncio
from random import Random

from tests.support.drills import house
from tests.support.exchange_ports import SYMBOL, watching

from mycelial.adapters.clock import WallClock
from mycelial.domain.errors import OrderRejected
from mycelial.domain.orders import Amendment, NewOrder, OrderReport, OrderStatus, Side
from mycelial.kraken.client.scheduler import Move, Scheduler
from mycelial.market.rate_counters import MICRO, POINT

AGENTS, SECONDS = 50, 12
LOTS = 10_000


def test_fifty_eager_agents_over_the_loopback() -> None:
    async def whole() -> None:
        async with house(1) as place:
            client = place.client(0)
            async with watching(client, WallClock()) as watched:
                await watched.until(lambda: client.book(SYMBOL).is_two_sided and client.is_ready())
                rng, clock = Random(5), watched.clock
                scheduler = Scheduler(client.budget)
                bid = client.book(SYMBOL).bids[0][0]
                names: dict[str, str] = {}
                refusals: list[OrderReport] = []
                most = 0

                def wish(slot: str) -> None:
                    price = bid * rng.randint(500, 900) // 1_000
                    scheduler.want(slot, SYMBOL, Side.BUY, price, LOTS, clock.now_ns())

                async def send(slot: str, move: Move, price: int) -> None:
                    try:
                        if move is Move.PLACE:
                            names[slot] = watched.name()
                            order = NewOrder(names[slot], SYMBOL, Side.BUY, LOTS, price, post_only=True)
                            report = await client.submit(order)
                        else:
                            report = await client.amend(Amendment(names[slot], price_ticks=price))
                        if report.status is not OrderStatus.OPEN:
                            refusals.append(report)
                        scheduler.rests(slot, price, LOTS, clock.now_ns())
                    except OrderRejected:  # kept back here: the mirror had no room after all
                        scheduler.failed(slot)
                    wish(slot)

                for agent in range(AGENTS):
                    wish(f"agent {agent}")
                began = clock.now_ns()
                used_before = place.exchange.counter(0, SYMBOL)
                async with asyncio.TaskGroup() as tasks:
                    while clock.now_ns() < began + SECONDS * 10**9:
                        action = scheduler.next(clock.now_ns())
                        if action is None:
                            await asyncio.sleep(0.01)
                            continue
                        scheduler.sending(action.slot)
                        tasks.create_task(send(action.slot, action.move, action.price_ticks))
                        # Of the same moment: on a busy machine the exchange's time falls behind the wall clock's.
                        theirs = place.exchange.counter(0, SYMBOL)
                        ours = client.budget.level(SYMBOL, min(clock.now_ns(), place.exchange.now))
                        most = max(most, theirs)
                        assert theirs <= ours + POINT // 100, "the mirror shows less than the exchange counts"

                threshold = client.budget.limits.threshold * MICRO
                assert refusals == []
                assert used_before == 0
                assert most > 0.7 * threshold  # eager indeed: up to the part kept for cancels

    asyncio.run(whole())
