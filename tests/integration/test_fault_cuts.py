"""The private connection is cut before and after every message of a trading session; nothing is lost or doubled."""

from __future__ import annotations

import asyncio

from tests.support.drills import SECOND, drill, house
from tests.support.fault_proxy import Seen, Verdict, proxying


def is_a_step(seen: Seen) -> bool:
    """Whether a message belongs to the session itself; heartbeats come when they like."""
    return seen.document.get("channel") != "heartbeat"


class CutAt:
    """Cuts once, at the step with a number."""

    def __init__(self, step: int, how: Verdict) -> None:
        self.step, self.how, self.steps, self.done = step, how, 0, False

    def __call__(self, seen: Seen) -> Verdict:
        if self.done or not is_a_step(seen):
            return Verdict.PASS
        self.steps += 1
        self.done = self.steps > self.step
        return self.how if self.done else Verdict.PASS


def test_a_session_without_faults_and_how_many_steps_it_has() -> None:
    async def whole() -> None:
        async with house(1) as place, proxying(place.addresses.ws_auth) as proxy:
            trader = await drill(place, 0, place.client(0, ws_auth=proxy.url, deadline_ns=5 * SECOND))

            assert len(trader.names) == 2
            assert len([one for one in proxy.seen if is_a_step(one)]) >= 20

    asyncio.run(whole())


def test_the_connection_is_cut_at_every_step() -> None:
    cuts = [(step, how) for step in range(24) for how in (Verdict.CUT_BEFORE, Verdict.CUT_AFTER)]

    async def whole() -> None:
        async with house(len(cuts)) as place:
            turns = asyncio.Semaphore(6)

            async def one(number: int, step: int, how: Verdict) -> None:
                judge = CutAt(step, how)
                async with turns, proxying(place.addresses.ws_auth, judge) as proxy:
                    await drill(place, number, place.client(number, ws_auth=proxy.url, seed=number))
                    assert judge.done, f"step {step} was never reached"
                    assert proxy.connections >= 2

            async with asyncio.TaskGroup() as tasks:
                for number, (step, how) in enumerate(cuts):
                    tasks.create_task(one(number, step, how), name=f"{how.value} step {step}")

    asyncio.run(whole())
