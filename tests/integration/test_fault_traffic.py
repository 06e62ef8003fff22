"""Messages lost, late, doubled, swapped and cut short; tokens, clocks, nonces, outages, names and disks that fail.

After each drill orders, fills and money of the client equal the exchange's own books.
"""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.support.drills import LOTS, SECOND, House, StubbornTrader, drill, house, settled
from tests.support.exchange_ports import SYMBOL, simulated_account, watching
from tests.support.fault_proxy import Seen, Verdict, proxying

from mycelial.adapters.clock import WallClock
from mycelial.adapters.exchanges.kraken import KrakenExchange
from mycelial.adapters.exchanges.kraken.nonce_floor import StoredNonces
from mycelial.adapters.exchanges.kraken_server.faults import COUNTED
from mycelial.adapters.state import SqliteLedger
from mycelial.domain.errors import DataError, ExchangeError, OrderRejected, StorageError
from mycelial.domain.orders import NewOrder, OrderStatus, Side
from mycelial.kraken.client.scheduler import Scheduler
from mycelial.market.book.records import Mode
from mycelial.trader.decide import Maker
from mycelial.trader.node import Node

# A network can lose or hold what we send; only on the way back can a venue's own relays double or swap it.
THERE = (Verdict.DROP, Verdict.HOLD, Verdict.CUT_BEFORE, Verdict.CUT_AFTER)
BACK = (*THERE, Verdict.DOUBLE, Verdict.SWAP, Verdict.TRUNCATE)


class Weather:
    """Does something bad to one message in `rarity`, at most `most` times."""

    def __init__(self, seed: int, rarity: int = 6, most: int = 5) -> None:
        self.rng, self.rarity, self.left = Random(seed), rarity, most

    def __call__(self, seen: Seen) -> Verdict:
        if seen.document.get("channel") == "heartbeat" or self.left == 0 or self.rng.randrange(self.rarity):
            return Verdict.PASS
        self.left -= 1
        return self.rng.choice(THERE if seen.to_exchange else BACK)


class Once:
    """Does one thing to the first message that fits."""

    def __init__(self, verdict: Verdict, *, to_exchange: bool, holds: str) -> None:
        self.verdict, self.to_exchange, self.holds, self.done = verdict, to_exchange, holds, False

    def __call__(self, seen: Seen) -> Verdict:
        if self.done or seen.to_exchange is not self.to_exchange or self.holds not in seen.text:
            return Verdict.PASS
        self.done = True
        return self.verdict


def test_bad_weather_on_the_private_connection() -> None:
    async def whole() -> None:
        async with house(12) as place:

            async def one(number: int) -> None:
                weather = Weather(number)
                async with proxying(place.addresses.ws_auth, weather) as proxy:
                    proxy.hold_s = 0.7  # beyond the deadline of an order
                    await drill(place, number, place.client(number, ws_auth=proxy.url, seed=number))
                    assert weather.left < 5

            async with asyncio.TaskGroup() as tasks:
                for number in range(12):
                    tasks.create_task(one(number), name=f"weather {number}")

    asyncio.run(whole())


@pytest.mark.parametrize("verdict", [Verdict.DROP, Verdict.TRUNCATE, Verdict.SWAP])
def test_a_book_message_that_is_wrong_brings_a_fresh_book_and_never_a_wrong_one(verdict: Verdict) -> None:
    async def whole() -> None:
        judge = Once(verdict, to_exchange=False, holds='"channel":"book","type":"update"')
        async with house(1) as place, proxying(place.addresses.ws, judge) as proxy:
            client = place.client(0, ws=proxy.url)
            async with watching(client, WallClock()) as watched:
                await watched.until(lambda: judge.done, 90.0)
                await watched.until(
                    lambda: client.market.resyncs > 0 or proxy.connections > 1, 40.0
                )  # noticed by the checksum, or by the frame itself
                await watched.until(lambda: client.book(SYMBOL).is_verified, 90.0)
                assert client.book(SYMBOL).is_two_sided

    asyncio.run(whole())


def test_a_reply_that_never_comes_is_looked_up_and_not_sent_again() -> None:
    async def whole() -> None:
        judge = Once(Verdict.DROP, to_exchange=False, holds='"method":"add_order"')
        async with house(1) as place, proxying(place.addresses.ws_auth, judge) as proxy:
            client = place.client(0, ws_auth=proxy.url, answer_ns=SECOND, deadline_ns=5 * SECOND)
            trader = await drill(place, 0, client)

            assert judge.done
            assert len(trader.names) == 2  # the order whose reply was lost was found, not replaced
            assert sum('"add_order"' in one.text for one in proxy.seen if one.to_exchange) == 2

    asyncio.run(whole())


def test_a_request_that_never_arrives_counts_until_its_deadline_has_passed() -> None:
    async def whole() -> None:
        judge = Once(Verdict.DROP, to_exchange=True, holds='"add_order"')
        async with house(1) as place, proxying(place.addresses.ws_auth, judge) as proxy:
            client = place.client(0, ws_auth=proxy.url, answer_ns=SECOND)
            async with watching(client, WallClock()) as watched:
                await watched.until(lambda: client.book(SYMBOL).is_two_sided and client.is_ready())
                name, sent = watched.name(), watched.clock.now_ns()
                bid = client.book(SYMBOL).bids[0][0] // 2

                report = await client.submit(NewOrder(name, SYMBOL, Side.BUY, LOTS, bid))

                assert report.status is OrderStatus.UNKNOWN
                assert client.tracker.exposure(SYMBOL).buy_lots == LOTS
                ended = await watched.ended(name)
                assert watched.clock.now_ns() - sent > client.settings.deadline_ns
                assert ended.status is OrderStatus.REFUSED
                assert client.tracker.exposure(SYMBOL).buy_lots == 0
                assert place.exchange.open_orders(0) == ()

    asyncio.run(whole())


def test_tokens_that_are_stale_before_they_are_used_are_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def whole() -> None:
        async with house(1) as place:
            tokens, stale = place.server.desk.tokens, 0
            issue = tokens.issue

            def issue_late(*arguments: Any) -> Any:
                nonlocal stale
                token = issue(*arguments)
                if stale < 2:
                    stale += 1
                    tokens.expire_all()
                return token

            monkeypatch.setattr(tokens, "issue", issue_late)
            await drill(place, 0, place.client(0))

            assert stale == 2

    asyncio.run(whole())


class SkewedClock(WallClock):
    """A clock that is wrong by so much."""

    def __init__(self, skew_ns: int) -> None:
        super().__init__()
        self.skew_ns = skew_ns

    def now_ns(self) -> int:
        return super().now_ns() + self.skew_ns


@pytest.mark.parametrize("skew_s", [-3_600, 3_600])
def test_a_clock_that_is_wrong_by_an_hour(skew_s: int) -> None:
    async def whole() -> None:
        async with house(1) as place:
            client = place.client(0, clock=SkewedClock(skew_s * SECOND), deadline_ns=5 * SECOND)
            trader = await drill(place, 0, client)

            assert len(trader.names) == 2  # no order was refused for its deadline
            assert client.offset.is_skewed()
            assert abs(client.offset.offset_ns + skew_s * SECOND) < SECOND

    asyncio.run(whole())


def test_a_simulation_that_runs_twenty_times_as_fast() -> None:
    async def whole() -> None:
        async with house(1) as place:
            place.server.desk.clock.set_speed(20.0)
            client = place.client(0, dead_man_ns=0)
            async with watching(client, WallClock()) as watched:
                await watched.until(lambda: not client.offset.keeps_pace(), 30.0)
                trader = StubbornTrader(watched)
                await watched.until(lambda: client.book(SYMBOL).is_two_sided and client.is_ready())
                resting = await trader.place(Side.BUY, client.book(SYMBOL).bids[0][0] // 2)
                await trader.cancel(resting)

                assert len(trader.names) == 1

    asyncio.run(whole())


def test_a_clock_set_back_between_runs_does_not_lock_the_key_out(tmp_path: Path) -> None:
    async def whole() -> None:
        floor = tmp_path / "nonce"
        async with house(1) as place:
            await drill(place, 0, place.client(0, nonce_file=floor))
            late = place.client(0, clock=SkewedClock(-3_600 * SECOND), nonce_file=floor)
            async with watching(late, WallClock()):
                assert (await late.account()).balances["BTC"] > 0

    asyncio.run(whole())


def test_a_nonce_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nonce"
    path.write_text("soon")

    with pytest.raises(DataError, match="no nonce"):
        StoredNonces(path)


def test_an_outage_and_its_end() -> None:
    async def whole() -> None:
        async with house(1) as place:
            client = place.client(0)
            async with watching(client, WallClock()) as watched:
                trader = StubbornTrader(watched)
                await watched.until(lambda: client.book(SYMBOL).is_two_sided and client.is_ready())
                bid = client.book(SYMBOL).bids[0][0] // 2
                resting = await trader.place(Side.BUY, bid)

                _outage(place, True)
                await watched.until(lambda: not client.is_ready())
                assert client.tracker[resting].status is OrderStatus.UNKNOWN
                assert client.tracker.exposure(SYMBOL).buy_lots == LOTS
                with pytest.raises(OrderRejected, match="not sent"):
                    await client.submit(NewOrder(watched.name(), SYMBOL, Side.BUY, LOTS, bid))
                _outage(place, False)
                await settled(watched)
                await watched.until(lambda: client.tracker[resting].status is OrderStatus.OPEN)

                await trader.cancel(resting)
                assert place.exchange.open_orders(0) == ()

    asyncio.run(whole())


def _outage(place: House, is_on: bool) -> None:
    place.server.desk.unavailable = is_on
    if is_on:
        for connection in list(place.server.hub.audience.connections):
            connection.abort()


def test_a_market_that_takes_cancels_only_and_opens_again() -> None:
    async def whole() -> None:
        async with house(1) as place:
            client = place.client(0)
            async with watching(client, WallClock()) as watched:
                trader = StubbornTrader(watched)
                await watched.until(lambda: client.book(SYMBOL).is_two_sided and client.is_ready())
                bid = client.book(SYMBOL).bids[0][0] // 2
                resting = await trader.place(Side.BUY, bid)

                place.exchange.set_mode(Mode.CANCEL_ONLY)
                place.server.desk.pump()
                refused = watched.name()
                try:
                    report = await client.submit(NewOrder(refused, SYMBOL, Side.BUY, LOTS, bid))
                    assert report.status is OrderStatus.REFUSED
                except OrderRejected:
                    assert refused not in client.tracker  # the new status was here already
                await trader.cancel(resting)
                place.exchange.set_mode(Mode.ONLINE)
                place.server.desk.pump()
                await watched.until(lambda: client.rules[SYMBOL].status == "online")
                await trader.cancel(await trader.place(Side.BUY, bid))
                assert place.exchange.open_orders(0) == ()

    asyncio.run(whole())


def test_the_dead_man_s_switch_fires_when_the_client_is_gone() -> None:
    async def whole() -> None:
        async with house(1) as place:
            client = place.client(0, dead_man_ns=6 * SECOND, dead_man_refresh_ns=SECOND)
            async with watching(client, WallClock()) as watched:
                trader = StubbornTrader(watched)
                await watched.until(lambda: client.book(SYMBOL).is_two_sided and client.is_ready())
                await trader.place(Side.BUY, client.book(SYMBOL).bids[0][0] // 2)
                await client.stop()
                assert len(place.exchange.open_orders(0)) == 1
                await watched.until(lambda: place.exchange.open_orders(0) == (), 10.0)

    asyncio.run(whole())


@pytest.mark.parametrize("which", ["rest", "ws_auth"])
def test_a_name_that_cannot_be_resolved_is_one_clear_error(which: str) -> None:
    async def whole() -> None:
        async with house(1) as place:
            good = place.client(0, answer_ns=SECOND, start_ns=3 * SECOND)
            scheme = "http" if which == "rest" else "ws"
            settings = replace(good.settings, **{which: f"{scheme}://no-such-host.invalid:1"})
            client = KrakenExchange(settings, place.credentials(0), WallClock(), good._venue)

            with pytest.raises(ExchangeError, match=r"no-such-host\.invalid"):
                await client.start()

    asyncio.run(whole())


def test_a_wrong_secret_is_fatal_and_not_tried_again_and_again() -> None:
    async def whole() -> None:
        async with house(2) as place:
            good, other = place.credentials(0), place.credentials(1)
            client = place.client(0)
            client._credentials = replace(good, secret=other.secret)

            with pytest.raises(ExchangeError, match="Invalid signature"):
                await client.start()

    asyncio.run(whole())


def test_secrets_show_in_no_text() -> None:
    async def whole() -> tuple[str, Any, str]:
        async with house(1) as place:
            client = place.client(0)
            await client.start()
            key = place.exchange.keys[0]
            text = repr((client._credentials, client.settings, client.accounts.token, str(client._credentials)))
            await client.stop()
            return text, key, client.accounts.token.text

    text, key, token = asyncio.run(whole())

    assert key.key not in text
    assert key.secret not in text
    assert not token or token not in text


def test_a_full_disk_stops_the_trader_before_anything_is_sent_that_is_not_written_down(tmp_path: Path) -> None:
    account = simulated_account()
    ledger = SqliteLedger(tmp_path, lambda symbol, lots: account.rules[symbol].base_amount(lots))
    end = account.now_ns() + 120 * SECOND

    def fill_up() -> bool:
        pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
        if account.now_ns() > end - 110 * SECOND:
            ledger._db.execute(f"PRAGMA max_page_count={pages}")  # as if the disk were full from now on
        return account.now_ns() > end

    node = Node(
        account,
        ledger,
        account,
        Scheduler(account.budget),
        {"maker": (SYMBOL, Maker(LOTS, 10 * LOTS, half_spread_ppm=20.0, width=0.3))},
        {SYMBOL: 20 * LOTS},
        should_stop=fill_up,
    )

    with pytest.raises(StorageError, match="ledger cannot be written"):
        asyncio.run(node.run())

    assert account.exchange.open_orders(0) == ()
    placed = {one.cl_ord_id for one in account.exchange.closed_orders(0, most=1_000).rows}
    with sqlite3.connect(ledger.path) as database:
        written = {row[0] for row in database.execute("SELECT client_id FROM orders")}
    assert placed
    assert placed <= written


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        ("duplicate", 5),
        ("reorder", 3),
        ("truncate", 2),
        ("lose_reply", 2),
        ("bad_gateway", 3),
        ("latency_ns", SECOND // 10),
    ],
)
def test_faults_of_the_exchange_itself(kind: str, amount: int) -> None:
    async def whole() -> None:
        async with house(1) as place:
            setattr(place.server.faults, kind, amount)
            began = WallClock().now_ns()
            await drill(place, 0, place.client(0, answer_ns=2 * SECOND))

            if kind in COUNTED:
                assert getattr(place.server.faults, kind) < amount, "the fault never happened"
            else:
                assert WallClock().now_ns() - began > 4 * amount, "nothing was late"

    asyncio.run(whole())
