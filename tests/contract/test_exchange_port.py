"""What every exchange behind the port must do. A new adapter is done when this passes for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.support.exchange_ports import SYMBOL, Watched, dry_run, kraken_client, simulated_account, watching
from tests.support.served import Served, served

from mycelial.adapters.clock import WallClock
from mycelial.domain.errors import OrderRejected
from mycelial.domain.orders import Amendment, NewOrder, OrderStatus, Side, TimeInForce

LOTS = 100_000
Body = Callable[[Watched], Awaitable[None]]


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """Give a server to all tests of this file."""
    with served() as one:
        yield one


@pytest.fixture(params=["simulated", "kraken", "dry-run"])
def run(request: pytest.FixtureRequest) -> Callable[[Body], None]:
    """Return what runs a test's body against a started exchange."""
    kind = request.param

    def make() -> tuple[Any, Any]:
        if kind == "simulated":
            account = simulated_account()
            return account, account
        one: Served = request.getfixturevalue("server")
        return (kraken_client(one) if kind == "kraken" else dry_run(one)), WallClock()

    def go(body: Body) -> None:
        async def whole() -> None:
            exchange, clock = make()
            async with watching(exchange, clock) as watched:
                await watched.until(lambda: exchange.book(SYMBOL).is_two_sided and exchange.is_ready())
                await body(watched)

        asyncio.run(whole())

    return go


def far_bid(watched: Watched, share: float = 0.9) -> int:
    """Return a price at which nobody sells."""
    return int(watched.exchange.book(SYMBOL).bids[0][0] * share)


async def rest(watched: Watched, lots: int = LOTS) -> str:
    """Place an order that rests; return its client id once it does."""
    name = watched.name()
    await watched.exchange.submit(NewOrder(name, SYMBOL, Side.BUY, lots, far_bid(watched), post_only=True))
    await watched.until(lambda: name in watched.reports and watched.reports[name].status is OrderStatus.OPEN)
    return name


def test_an_order_that_rests_is_told_and_listed(run: Any) -> None:
    async def body(watched: Watched) -> None:
        name = await rest(watched)

        listed = {one.client_id: one for one in (await watched.exchange.account()).open_orders}
        assert watched.reports[name].order_id != ""
        assert listed[name].order_id == watched.reports[name].order_id
        assert (listed[name].lots, listed[name].price_ticks) == (LOTS, watched.reports[name].price_ticks)

    run(body)


def test_a_cancelled_order_ends_and_never_fills_again(run: Any) -> None:
    async def body(watched: Watched) -> None:
        name = await rest(watched)

        await watched.exchange.cancel(name)
        ended = await watched.ended(name)
        again = await watched.exchange.cancel(name)

        assert ended.status is OrderStatus.CANCELED
        assert (ended.filled_lots, ended.open_lots) == (0, 0)
        assert again.status is OrderStatus.CANCELED
        assert name not in {one.client_id for one in (await watched.exchange.account()).open_orders}
        assert not [fill for fill in watched.fills if fill.client_id == name]

    run(body)


def test_an_amended_order_keeps_its_name_and_takes_the_new_values(run: Any) -> None:
    async def body(watched: Watched) -> None:
        name = await rest(watched)
        before = watched.reports[name]
        assert before.price_ticks is not None
        price = before.price_ticks - 10

        await watched.exchange.amend(Amendment(name, lots=2 * LOTS, price_ticks=price))
        await watched.until(lambda: watched.reports[name].price_ticks == price)

        after = watched.reports[name]
        assert (after.lots, after.order_id, after.status) == (2 * LOTS, before.order_id, OrderStatus.OPEN)

    run(body)


def test_taking_moves_balances_by_exactly_cost_and_fee_and_tells_each_fill_once(run: Any) -> None:
    async def body(watched: Watched) -> None:
        before = (await watched.exchange.account()).balances
        began = watched.clock.now_ns() - 600 * 10**9  # the exchange's clock may be behind
        name, best = watched.name(), watched.exchange.book(SYMBOL).asks[0][0]

        await watched.exchange.submit(NewOrder(name, SYMBOL, Side.BUY, LOTS, best + 500, time_in_force=TimeInForce.IOC))
        ended = await watched.ended(name)
        fills = [fill for fill in watched.fills if fill.client_id == name]
        after = (await watched.exchange.account()).balances

        assert ended.status is OrderStatus.FILLED
        assert sum(fill.lots for fill in fills) == ended.filled_lots == LOTS
        assert len({fill.exec_id for fill in fills}) == len(fills)
        assert all(fill.price_ticks <= best + 500 and not fill.is_maker and fill.fee > 0 for fill in fills)
        paid = sum(fill.cost + fill.fee for fill in fills)
        assert before["USD"] - after["USD"] == pytest.approx(paid, abs=10**12)  # REST prints four decimals
        assert after["BTC"] - before["BTC"] == watched.exchange.rules[SYMBOL].base_amount(LOTS)
        recorded = {fill.exec_id: fill for fill in await watched.exchange.fills(began)}
        assert {fill.exec_id for fill in fills} <= set(recorded)
        assert all(recorded[fill.exec_id].cost == fill.cost for fill in fills)

    run(body)


def test_post_only_never_takes(run: Any) -> None:
    async def body(watched: Watched) -> None:
        name, best = watched.name(), watched.exchange.book(SYMBOL).asks[0][0]

        await watched.exchange.submit(NewOrder(name, SYMBOL, Side.BUY, LOTS, best + 2_000, post_only=True))
        ended = await watched.ended(name)

        assert ended.status in (OrderStatus.REFUSED, OrderStatus.CANCELED)
        assert ended.filled_lots == 0
        assert not [fill for fill in watched.fills if fill.client_id == name]

    run(body)


@pytest.mark.parametrize(
    ("lots", "price", "words"),
    [(1, 500_000, "minimum"), (LOTS, 0, "above zero"), (5_000, 1, "worth")],
)
def test_what_the_exchange_would_refuse_is_not_sent(run: Any, lots: int, price: int, words: str) -> None:
    async def body(watched: Watched) -> None:
        name = watched.name()

        with pytest.raises(OrderRejected, match=words):
            await watched.exchange.submit(NewOrder(name, SYMBOL, Side.BUY, lots, price))

        assert name not in watched.reports
        with pytest.raises(OrderRejected, match="never placed"):
            await watched.exchange.cancel(name)

    run(body)


def test_an_order_that_is_not_affordable_is_refused(run: Any) -> None:
    async def body(watched: Watched) -> None:
        name = watched.name()

        report = await watched.exchange.submit(
            NewOrder(name, SYMBOL, Side.SELL, 2_000_000_000, 2 * far_bid(watched), post_only=True)
        )

        assert report.status is OrderStatus.REFUSED
        assert "nsufficient" in report.reason
        assert report.open_lots == 0

    run(body)


def test_cancel_all_leaves_nothing(run: Any) -> None:
    async def body(watched: Watched) -> None:
        names = [await rest(watched) for _ in range(3)]

        await watched.exchange.cancel_all()
        ended = [await watched.ended(name) for name in names]

        assert {one.status for one in ended} == {OrderStatus.CANCELED}
        assert list((await watched.exchange.account()).open_orders) == []

    run(body)


def test_resolving_tells_what_was_told(run: Any) -> None:
    async def body(watched: Watched) -> None:
        name = await rest(watched)

        resolved = await watched.exchange.resolve(name)

        assert resolved == watched.reports[name]

    run(body)


def test_an_amendment_that_changes_nothing_or_of_an_unknown_order_is_not_sent(run: Any) -> None:
    async def body(watched: Watched) -> None:
        name = await rest(watched)

        with pytest.raises(OrderRejected, match="changes nothing"):
            await watched.exchange.amend(Amendment(name, lots=LOTS))
        with pytest.raises(OrderRejected, match="never placed"):
            await watched.exchange.amend(Amendment("nobody", lots=LOTS))

        assert watched.reports[name].lots == LOTS

    run(body)


def test_the_book_is_in_order_and_never_crossed(run: Any) -> None:
    async def body(watched: Watched) -> None:
        for _ in range(20):
            book = watched.exchange.book(SYMBOL)
            if book.is_two_sided:
                bids, asks = [p for p, _ in book.bids], [p for p, _ in book.asks]
                assert bids == sorted(bids, reverse=True)
                assert asks == sorted(asks)
                assert bids[0] < asks[0]
                assert all(lots > 0 for _, lots in (*book.bids, *book.asks))
            await watched.clock.sleep_until(watched.clock.now_ns() + 50_000_000)

    run(body)
