"""Fault drills: an exchange in this process, a trader who does not give up, and the comparison at the end.

The exchange runs in the same event loop as the client, so that its own books can be read as they are: they are the
truth. Every drill has an account of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.support.exchange_ports import SYMBOL, Watched, watching

from mycelial.adapters.clock import WallClock
from mycelial.adapters.exchanges.kraken import Credentials, KrakenExchange, Settings
from mycelial.adapters.exchanges.kraken_server.server import Addresses, Server
from mycelial.adapters.exchanges.simulated import TO_AMOUNT
from mycelial.domain.errors import OrderRejected
from mycelial.domain.orders import Amendment, NewOrder, OrderReport, OrderStatus, Side, TimeInForce
from mycelial.kraken.client.tracker import NEVER_ARRIVED
from mycelial.kraken.signing import Secret
from mycelial.market.venues import packaged_venue
from mycelial.simulation.exchange import SimulatedExchange
from mycelial.simulation.exchange.accounts import EVERYTHING, FUNDS, Account

LOTS = 100_000
SECOND = 10**9
DRILL_S = 240.0  # a stubborn trader tries again for ever; a test does not


@dataclass
class House:
    """A running exchange with many like accounts."""

    exchange: SimulatedExchange
    server: Server
    addresses: Addresses

    def credentials(self, number: int) -> Credentials:
        """Return the key of an account."""
        key = self.exchange.keys[number]
        return Credentials(key.key, Secret(key.secret))

    def client(self, number: int, clock: WallClock | None = None, **changes: Any) -> KrakenExchange:
        """Return a client for an account, quick to give up and to come back; `changes` of its settings."""
        where = {"rest": self.addresses.rest, "ws": self.addresses.ws, "ws_auth": self.addresses.ws_auth}
        patience = {
            "deadline_ns": 2 * SECOND,  # longer than a busy loop may lag, or a drill never gets an order in
            "answer_ns": 3 * SECOND,
            "silence_ns": 4 * SECOND,
            "start_ns": 90 * SECOND,
        }
        settings = Settings(**{**where, **patience, "pairs": (SYMBOL,), "reconnect_most_ns": SECOND, **changes})
        return KrakenExchange(settings, self.credentials(number), clock or WallClock(), packaged_venue("kraken"))


@asynccontextmanager
async def house(accounts: int, *, seed: int = 9) -> AsyncIterator[House]:
    """Run an exchange with so many accounts while the block runs."""
    clock = WallClock()
    exchange = SimulatedExchange(
        [SYMBOL],
        seed,
        accounts=[Account(f"a{number}", "pro", FUNDS) for number in range(accounts)],
        keys=[(f"a{number}", number, EVERYTHING) for number in range(accounts)],
        now_ns=clock.now_ns(),
        warm_up_ns=2 * SECOND,
    )
    exchange.advance(clock.now_ns())
    exchange.drain()
    server = Server(exchange)
    async with server.listening("127.0.0.1", 0) as addresses:
        living = asyncio.create_task(server.live())
        try:
            yield House(exchange, server, addresses)
        finally:
            living.cancel()
            with suppress(asyncio.CancelledError):
                await living


class StubbornTrader:
    """Does what it set out to do, through whatever happens, and never sends anything twice without knowing."""

    def __init__(self, watched: Watched) -> None:
        self.watched, self.exchange = watched, watched.exchange
        self.names: list[str] = []

    async def trade(self) -> None:
        """Rest a bid, move it, buy something, take the bid back."""
        bid = self.exchange.book(SYMBOL).bids[0][0] * 9 // 10
        resting = await self.place(Side.BUY, bid, post_only=True)
        await self.amend(resting, bid - 100)
        await self.place(Side.BUY, bid * 10 // 9 * 21 // 20, time_in_force=TimeInForce.IOC)
        await self.cancel(resting)

    async def place(self, side: Side, price: int, **terms: Any) -> str:
        """Place an order; a fresh one only when the last is proven not to exist."""
        while True:
            await self.ready()
            name = self.watched.name()
            try:
                await self.exchange.submit(NewOrder(name, SYMBOL, side, LOTS, price, **terms))
            except OrderRejected:
                continue
            self.names.append(name)
            report = await self.known(name)
            if report.status is OrderStatus.REFUSED:
                assert report.reason == NEVER_ARRIVED or "sent" in report.reason or ":" in report.reason, report
                continue
            return name

    async def amend(self, name: str, price: int) -> None:
        """Move an order until it is there."""
        while (await self.known(name)).status.is_live and self.exchange.tracker[name].price_ticks != price:
            await self.ready()
            with suppress(OrderRejected):
                await self.exchange.amend(Amendment(name, price_ticks=price))
            await self.pause()

    async def cancel(self, name: str) -> None:
        """Take an order back until it is gone."""
        while (await self.known(name)).status.is_live:
            with suppress(OrderRejected):
                await self.exchange.cancel(name)
            await self.pause()

    async def known(self, name: str) -> OrderReport:
        """Return the state of an order once it is known and nothing about it is under way."""

        def is_known() -> bool:
            order = self.exchange.tracker[name]
            return order.status not in (OrderStatus.SENDING, OrderStatus.UNKNOWN) and not order.changes

        await self.watched.until(is_known, 90.0)
        report: OrderReport = self.exchange.tracker[name].report()
        return report

    async def ready(self) -> None:
        """Wait until the exchange takes orders."""
        await self.watched.until(self.exchange.is_ready, 90.0)

    async def pause(self) -> None:
        """Give the exchange's words a moment to arrive."""
        await self.watched.clock.sleep_until(self.watched.clock.now_ns() + 20_000_000)


async def drill(place: House, number: int, client: KrakenExchange) -> StubbornTrader:
    """Trade through whatever is wrong with the way to the exchange; then compare everything with its own books."""
    before = {one.asset: one.total * TO_AMOUNT for one in place.exchange.balances(number)}
    async with asyncio.timeout(DRILL_S), watching(client, WallClock()) as watched:
        trader = StubbornTrader(watched)
        await watched.until(lambda: client.book(SYMBOL).is_two_sided, 90.0)
        await trader.trade()
        await settled(watched)
        await watched.until(lambda: _is_equal(place, number, watched, before), 60.0)
        compare(place, number, watched, before)
        return trader


def _is_equal(place: House, number: int, watched: Watched, before: dict[str, int]) -> bool:
    """Whether the comparison would pass now: the last words of a session may still be on their way."""
    try:
        compare(place, number, watched, before)
    except AssertionError:
        return False
    return True


async def settled(watched: Watched) -> None:
    """Wait until nothing is in doubt."""
    tracker, clock = watched.exchange.tracker, watched.clock

    def is_settled() -> bool:
        return not (tracker.unresolved(clock.now_ns()) or tracker.with_missing_fills() or tracker.strangers)

    await watched.until(lambda: is_settled() and watched.exchange.is_ready(), 90.0)


def compare(place: House, number: int, watched: Watched, before: dict[str, int]) -> None:
    """Hold the client's orders, fills and money against the exchange's own books."""
    exchange, tracker = place.exchange, watched.exchange.tracker
    orders = [*exchange.open_orders(number), *exchange.closed_orders(number, most=1_000).rows]
    by_name: dict[str, list[Any]] = {}
    for order in orders:
        by_name.setdefault(order.cl_ord_id, []).append(order)

    assert all(len(found) == 1 for found in by_name.values()), "an order exists twice"
    for name, (order,) in by_name.items():
        mine = tracker[name]
        assert mine.order_id == order.order_id
        assert mine.status.is_live == order.status.is_open, f"{name}: {mine.status} but {order.status}"
        assert mine.done_lots == order.cum_qty
        assert mine.lots == order.terms.qty or not order.status.is_open
    unknown_there = {one.client_id for one in tracker.live()} - set(by_name)
    assert not unknown_there, f"the client believes in {unknown_there}"

    truth = {trade.trade_id: trade for trade in exchange.own_trades(number, most=1_000).rows}
    assert sorted(fill.exec_id for fill in watched.fills) == sorted(truth), "a fill is missing or was told twice"
    moved: dict[str, int] = {}
    for fill in watched.fills:
        assert fill.cost == truth[fill.exec_id].cost * TO_AMOUNT
        rules = watched.exchange.rules[fill.symbol]
        for asset, amount in (
            (rules.base, fill.side.sign * rules.base_amount(fill.lots)),
            (rules.quote, -fill.side.sign * fill.cost),
            (fill.fee_asset, -fill.fee),
        ):
            moved[asset] = moved.get(asset, 0) + amount
    for one in exchange.balances(number):
        there = one.total * TO_AMOUNT
        assert abs(before[one.asset] + moved.get(one.asset, 0) - there) <= 10**12, one.asset
