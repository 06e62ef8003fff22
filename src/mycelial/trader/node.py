"""The node: one trader from start to stop.

It begins with what the ledger remembers, takes up those orders, books the fills it missed, and compares; only then does
it trade. It ends by taking every order back. Whatever goes wrong in between ends the same way: nothing new is sent,
what rests is cancelled, and the reason is reported. What cannot be cancelled, because the exchange is gone, is left to
the dead man's switch, and to the next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mycelial.domain.errors import ExchangeError, MycelialError, VerificationFailed
from mycelial.domain.ports import Clock, Exchange, Ledger
from mycelial.kraken.client.keeping import SECOND
from mycelial.kraken.client.scheduler import Scheduler
from mycelial.trader.decide import Strategy
from mycelial.trader.observe import Observer
from mycelial.trader.reconcile import Reconciler, differences
from mycelial.trader.report import Reporter
from mycelial.trader.settle import Settler
from mycelial.trader.submit import ClientIds, Submitter

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often things are done, ns of the clock."""

    decide_ns: int = SECOND // 10
    reconcile_ns: int = 5 * SECOND
    report_ns: int = SECOND
    farewell_ns: int = 10 * SECOND


@dataclass
class Node:
    """One trader on one exchange.

    Parameters
    ----------
    strategies : by name, each with the pair it trades.
    most_lots : by pair, the largest position either way; a pair without one is not traded.
    should_stop : asked between decisions.
    write_status : takes the report.
    """

    exchange: Exchange
    ledger: Ledger
    clock: Clock
    scheduler: Scheduler
    strategies: Mapping[str, tuple[str, Strategy]]
    most_lots: Mapping[str, int]
    should_stop: Callable[[], bool] = lambda: False
    write_status: Callable[[dict[str, Any]], None] = lambda _: None
    rhythm: Rhythm = field(default_factory=Rhythm)

    def __post_init__(self) -> None:
        self.observer = Observer(self.exchange)
        self.submitter = Submitter(
            self.exchange,
            self.ledger,
            self.scheduler,
            self.clock,
            ClientIds(self.clock.now_ns()),
            dict(self.most_lots),
            self.ledger.position_lots,
        )
        self.settler = Settler(self.ledger, self.submitter, self.clock)
        self.reconciler = Reconciler()
        symbols = tuple(dict.fromkeys(symbol for symbol, _ in self.strategies.values()))
        self.reporter = Reporter(
            *(self.exchange, self.ledger, self.observer, self.submitter, self.settler, self.scheduler),
            *(self.reconciler, self.clock, symbols, self.write_status),
        )

    async def run(self) -> None:
        """Trade until told to stop.

        Raises
        ------
        VerificationFailed
            If our books and the exchange's stay different.
        MycelialError
            Whatever else ended it; every order was cancelled if the exchange could be reached.
        """
        unfinished = self.ledger.unfinished()
        self.exchange.remember([order for order, _ in unfinished])
        await self.exchange.start()
        for order, slot in unfinished:
            self.submitter.adopt(order.report, slot)
        reading = asyncio.create_task(self._read(), name="observe and settle")
        reason = ""
        try:
            await self._take_up()
            async with asyncio.TaskGroup() as tasks:
                quoting = tasks.create_task(self._quote(), name="decide and submit")
                chores = [
                    tasks.create_task(self._reconcile(), name="reconcile"),
                    tasks.create_task(self._report(), name="report"),
                    tasks.create_task(self._guard(reading), name="guard"),
                ]
                await quoting
                for chore in chores:
                    chore.cancel()
        except BaseExceptionGroup as group:
            failure = _first(group)
            reason = str(failure)
            raise failure from None
        except MycelialError as error:
            reason = str(error)
            raise
        finally:
            await self._farewell(reason)
            reading.cancel()
            with suppress(asyncio.CancelledError, MycelialError):
                await reading
            await self.exchange.stop()

    # ---- steps -----------------------------------------------------------------------------------------------------

    async def _take_up(self) -> None:
        """Settle the past before the first new order."""
        # What the former run sent is not known message by message: the counters may have been full when it ended.
        ended = self.ledger.latest_word_ns()
        for symbol, _ in self.strategies.values() if ended else ():
            self.scheduler.budget.refused_for_rate(symbol, ended)
        opening = await self.exchange.account()
        self.ledger.open_with(opening.balances)
        booked = await self.settler.catch_up(self.exchange)
        if booked:
            log.warning("booked %d fills that came while nobody was here", booked)
        for _ in range(20):
            if not any(order.status.value in ("unknown", "sending") for order in self.submitter.orders.values()):
                break
            await self.clock.sleep_until(self.clock.now_ns() + SECOND // 2)
        await self._compare()
        await self.clock.sleep_until(self.clock.now_ns() + SECOND // 2)
        standing = await self._compare()
        if standing:
            raise VerificationFailed(_difference_text(standing))

    async def _read(self) -> None:
        async for event in self.exchange.events():
            self.observer.take(event, self.clock.now_ns())
            self.settler.take(event)

    async def _guard(self, reading: asyncio.Task[None]) -> None:
        """End with the reader: without it nothing is known."""
        await asyncio.shield(reading)
        raise ExchangeError("the exchange has nothing more to tell; the connection was given up")

    async def _quote(self) -> None:
        while not self.should_stop():
            if self.submitter.failure is not None:
                raise self.submitter.failure
            if self.exchange.is_ready() and self.observer.system in ("online", "post_only", "unknown"):
                self._wish()
                self.submitter.step()
            else:
                self.submitter.wish_nothing()
                self.submitter.step(only_cancels=True)
            await self.clock.sleep_until(self.clock.now_ns() + self.rhythm.decide_ns)

    def _wish(self) -> None:
        now = self.clock.now_ns()
        for name, (symbol, strategy) in self.strategies.items():
            rules = self.exchange.rules[symbol]
            picture = self.observer.picture(symbol, self.ledger.position_lots(symbol), now)
            if picture is None:
                for slot in self.scheduler.slots():
                    if slot.id.startswith(f"{name}/"):
                        self.submitter.wish(slot.id, symbol, slot.side, 0, 0)
                continue
            for quote in strategy.quotes(picture, rules):
                slot_id = f"{name}/{symbol}/{quote.name}"
                self.submitter.wish(slot_id, symbol, quote.side, quote.price_ticks, quote.lots)

    async def _reconcile(self) -> None:
        while True:
            await self.clock.sleep_until(self.clock.now_ns() + self.rhythm.reconcile_ns)
            try:
                standing = await self._compare()
            except ExchangeError as error:
                log.warning("no comparison: %s", error)  # unknown is not different; nothing new is sent while down
                continue
            if standing:
                raise VerificationFailed(_difference_text(standing))

    async def _compare(self) -> Any:
        account = await self.exchange.account()
        live = [order for order in self.submitter.orders.values() if order.status.is_live]
        return self.reconciler.compare(differences(account, self.ledger.balances(), live))

    async def _report(self) -> None:
        while True:
            self.reporter.publish("trading" if self.exchange.is_ready() else "waiting")
            await self.clock.sleep_until(self.clock.now_ns() + self.rhythm.report_ns)

    async def _farewell(self, reason: str) -> None:
        """Take every order back, as far as the exchange can be reached."""
        until = self.clock.now_ns() + self.rhythm.farewell_ns
        await self.submitter.settled()
        while self.submitter.orders and self.clock.now_ns() < until:
            try:
                await self.exchange.cancel_all()
            except MycelialError as error:
                log.error("orders could not be cancelled: %s", error)
            await self.clock.sleep_until(self.clock.now_ns() + SECOND // 4)
        with suppress(MycelialError):
            self.reporter.publish("failed" if reason else "stopped", reason)


def _difference_text(standing: Any) -> str:
    listed = "; ".join(sorted(str(one) for one in standing))
    return f"our books and the exchange's differ, trading stopped: {listed}; find the cause before starting again"


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    one = group.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one
