"""A dry run sees the real market and sends nothing: no private request, no order, not even a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.drills import LOTS, SECOND, house
from tests.support.exchange_ports import SYMBOL, Watched, watching
from tests.support.fault_proxy import proxying

from mycelial.adapters.clock import WallClock
from mycelial.adapters.exchanges.dry_run import DryRunExchange
from mycelial.adapters.exchanges.kraken import Settings
from mycelial.domain.amounts import ONE
from mycelial.domain.orders import Amendment, NewOrder, OrderStatus, Side, TimeInForce
from mycelial.market.venues import packaged_venue
from mycelial.simulation.exchange import commands as wish

FUNDS = {"USD": 1_000_000 * ONE, "BTC": 10 * ONE}


@asynccontextmanager
async def wire_tap(port: int) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Forward connections to a port of this machine and keep every byte that is sent there."""
    sent: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, keep: bool) -> None:
            while data := await source.read(65_536):
                if keep:
                    sent.append(data)
                sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, far_writer, True), pump(far_reader, writer, False), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", sent
    finally:
        server.close()


async def trade_a_little(watched: Watched) -> None:
    exchange = watched.exchange
    await watched.until(lambda: exchange.book(SYMBOL).is_two_sided)
    best_bid, best_ask = exchange.book(SYMBOL).bids[0][0], exchange.book(SYMBOL).asks[0][0]
    resting, taking = watched.name(), watched.name()
    await exchange.submit(NewOrder(resting, SYMBOL, Side.BUY, LOTS, best_bid - 300, post_only=True))
    await exchange.submit(NewOrder(taking, SYMBOL, Side.SELL, LOTS, best_bid - 500, time_in_force=TimeInForce.IOC))
    ended = await watched.ended(taking)
    assert (ended.status, ended.filled_lots) == (OrderStatus.FILLED, LOTS)
    await watched.until(lambda: exchange.tracker[resting].status is OrderStatus.OPEN)
    await exchange.amend(Amendment(resting, price_ticks=best_bid - 400))
    await watched.until(lambda: exchange.tracker[resting].price_ticks == best_bid - 400)
    await exchange.cancel(resting)
    assert (await watched.ended(resting)).status is OrderStatus.CANCELED
    assert best_ask > best_bid


def test_nothing_private_ever_leaves() -> None:
    async def whole() -> None:
        async with (
            house(1) as place,
            wire_tap(int(place.addresses.rest.rpartition(":")[2])) as (rest, rest_bytes),
            wire_tap(int(place.addresses.ws_auth.rpartition(":")[2])) as (ws_auth, private_bytes),
            proxying(place.addresses.ws) as public,
        ):
            settings = Settings(rest, public.url, ws_auth, pairs=(SYMBOL,))
            dry = DryRunExchange(settings, WallClock(), packaged_venue("kraken"), FUNDS, latency_ns=SECOND // 1_000)
            async with watching(dry, WallClock()) as watched:
                await trade_a_little(watched)
                bought_and_sold = [(fill.side, fill.lots) for fill in watched.fills]

            lines = [data.split(b"\r\n", 1)[0] for data in rest_bytes]
            assert lines
            assert all(line.startswith(b"GET /0/public/") for line in lines), lines
            assert private_bytes == []
            methods = {one.document.get("method") for one in public.seen if one.to_exchange}
            assert methods <= {"subscribe", "unsubscribe", "ping"}
            assert "token" not in "".join(one.text for one in public.seen if one.to_exchange)
            assert place.exchange.open_orders(0) == ()
            assert place.exchange.closed_orders(0).rows == ()
            assert bought_and_sold
            assert {side for side, _ in bought_and_sold} == {Side.SELL}

    asyncio.run(whole())


def test_resting_orders_fill_as_makers_at_their_price_and_money_follows_exactly() -> None:
    async def whole() -> None:
        async with house(1) as place:
            where = place.addresses
            settings = Settings(where.rest, where.ws, "ws://127.0.0.1:1", pairs=(SYMBOL,))
            dry = DryRunExchange(settings, WallClock(), packaged_venue("kraken"), FUNDS, latency_ns=SECOND // 1_000)
            async with watching(dry, WallClock()) as watched:
                await watched.until(lambda: dry.book(SYMBOL).is_two_sided)
                name = watched.name()
                price = dry.book(SYMBOL).bids[0][0]
                await dry.submit(NewOrder(name, SYMBOL, Side.BUY, 10 * LOTS, price, post_only=True))
                await watched.until(lambda: dry.tracker[name].status is OrderStatus.OPEN)
                # Somebody real sells through the price at which the paper order stands.
                sale = wish.AddOrder(symbol=SYMBOL, side=wish.Side.SELL, type=wish.OrderType.MARKET, qty=8 * 10**8)
                place.exchange.submit(0, sale)
                place.server.desk.pump()
                await watched.until(lambda: any(fill.client_id == name for fill in watched.fills), 60.0)
                await dry.cancel_all()
                await watched.until(lambda: not watched.reports[name].status.is_live)

                fills = [fill for fill in watched.fills if fill.client_id == name]
                rules = dry.rules[SYMBOL]
                assert all(fill.is_maker and fill.price_ticks == price for fill in fills)
                assert all(fill.fee * 400 == fill.cost or abs(fill.fee * 400 - fill.cost) < ONE for fill in fills)
                bought = sum(fill.lots for fill in fills)
                assert watched.reports[name].filled_lots == bought
                after = (await dry.account()).balances
                assert after["BTC"] - FUNDS["BTC"] == rules.base_amount(bought)
                assert FUNDS["USD"] - after["USD"] == sum(fill.cost + fill.fee for fill in fills)
                assert dry.wallet.free("USD") == after["USD"]

    asyncio.run(whole())


def test_money_of_open_orders_cannot_be_spent_twice() -> None:
    async def whole() -> None:
        async with house(1) as place:
            where = place.addresses
            settings = Settings(where.rest, where.ws, "ws://127.0.0.1:1", pairs=(SYMBOL,))
            poor = {"USD": 1_000 * ONE, "BTC": 0}
            dry = DryRunExchange(settings, WallClock(), packaged_venue("kraken"), poor, latency_ns=0)
            async with watching(dry, WallClock()) as watched:
                await watched.until(lambda: dry.book(SYMBOL).is_two_sided)
                bid = dry.book(SYMBOL).bids[0][0] // 2
                lots = 1_500_000  # 0.015 BTC at half price: about 750 USD

                first = await dry.submit(NewOrder(watched.name(), SYMBOL, Side.BUY, lots, bid))
                second = await dry.submit(NewOrder(watched.name(), SYMBOL, Side.BUY, lots, bid))
                await dry.cancel(first.client_id)
                third = await dry.submit(NewOrder(watched.name(), SYMBOL, Side.BUY, lots, bid))

                assert [one.status for one in (first, second, third)] == [
                    OrderStatus.OPEN,
                    OrderStatus.REFUSED,
                    OrderStatus.OPEN,
                ]

    asyncio.run(whole())
