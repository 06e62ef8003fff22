"""The simulated exchange over WebSocket: books proved by checksum, own streams, orders, faults and bad frames."""

from __future__ import annotations

import asyncio
import json
import random
import zlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.support.kraken_server import Running, Talk, running_server

from mycelial.kraken.checksums import book_checksum, level3_checksum

BOOK = {"channel": "book", "symbol": ["BTC/USD"], "depth": 10}


@pytest.fixture(scope="module")
def exchange() -> Iterator[Running]:
    with running_server(["BTC/USD", "ETH/USD"], seed=2) as running:
        yield running


class Book:
    """A client's book, cut to its depth after every update."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}

    def apply(self, message: Any) -> None:
        (data,) = message["data"]
        for name, held in self.sides.items():
            if message["type"] == "snapshot":
                held.clear()
            for level in data[name]:
                held[level["price"]] = level["qty"]
                if not level["qty"]:
                    del held[level["price"]]
            for price in sorted(held, reverse=name == "bids")[self.depth :]:
                del held[price]

    @property
    def checksum(self) -> int:
        return book_checksum(sorted(self.sides["asks"].items()), sorted(self.sides["bids"].items(), reverse=True))


@pytest.mark.parametrize("depth", [10, 25, 1000])
def test_books_agree_with_their_checksums(exchange: Running, depth: int) -> None:
    async def follow(talk: Talk) -> Book:
        ack = await talk.ask("subscribe", {**BOOK, "depth": depth}, 7)
        assert ack["result"] == {"channel": "book", "depth": depth, "snapshot": True, "symbol": "BTC/USD"}
        book = Book(depth)
        for n in range(60):
            message = await talk.data("book")
            assert message["type"] == ("snapshot" if n == 0 else "update")
            book.apply(message)
            assert book.checksum == message["data"][0]["checksum"]
        return book

    book = exchange.talk(follow)

    assert min(book.sides["asks"]) > max(book.sides["bids"])
    assert all(-price.as_tuple().exponent == 1 for price in book.sides["asks"])
    assert all(-qty.as_tuple().exponent == 8 for qty in book.sides["asks"].values())


def test_level3_agrees_with_its_checksums(exchange: Running) -> None:
    token = exchange.token("pro-1")

    async def follow(talk: Talk) -> None:
        fields = {"channel": "level3", "symbol": ["BTC/USD"], "depth": 10, "token": token}
        assert (await talk.ask("subscribe", fields))["success"]
        sides: dict[str, dict[str, Any]] = {}
        for _ in range(40):
            message = await talk.data("level3")
            (data,) = message["data"]
            if message["type"] == "snapshot":
                sides = {name: {one["order_id"]: one for one in data[name]} for name in ("bids", "asks")}
            else:
                for name in ("bids", "asks"):
                    apply_orders(sides[name], data[name], falls=name == "bids")
            rows = [in_queue(sides[name], falls=name == "bids") for name in ("asks", "bids")]
            assert level3_checksum(*rows) == data["checksum"]

    exchange.talk(follow, private=True)


def apply_orders(held: dict[str, Any], changes: list[Any], *, falls: bool) -> None:
    """Apply changes of level3 and cut to ten levels; a modified order keeps its place, an added one queues last."""
    for change in changes:
        if change["event"] == "delete":
            held.pop(change["order_id"], None)
        elif change["event"] == "modify" and held[change["order_id"]]["limit_price"] == change["limit_price"]:
            held[change["order_id"]] = {**held[change["order_id"]], **change}
        else:
            held.pop(change["order_id"], None)
            held[change["order_id"]] = change
    prices = sorted({one["limit_price"] for one in held.values()}, reverse=falls)[10:]
    for order_id in [order_id for order_id, one in held.items() if one["limit_price"] in prices]:
        del held[order_id]


def in_queue(held: dict[str, Any], *, falls: bool) -> list[tuple[Decimal, Decimal]]:
    """Return (price, quantity) by price, then by place in the queue."""
    rows = sorted(held.values(), key=lambda one: one["limit_price"], reverse=falls)
    return [(one["limit_price"], one["order_qty"]) for one in rows]


def test_every_public_channel_answers(exchange: Running) -> None:
    async def follow(talk: Talk) -> dict[str, Any]:
        seen = {"status": await talk.hear()}
        for n, (channel, extra) in enumerate(
            [
                ("ticker", {"symbol": ["BTC/USD"], "event_trigger": "bbo"}),
                ("trade", {"symbol": ["BTC/USD"], "snapshot": True}),
                ("ohlc", {"symbol": ["BTC/USD"], "interval": 5}),
                ("instrument", {}),
            ]
        ):
            ack = await talk.ask("subscribe", {"channel": channel, **extra}, n)
            assert ack["success"], ack
            seen[channel] = await talk.data(channel)
            if channel == "instrument":
                assert ack["result"]["warnings"]
        return seen

    seen = exchange.talk(follow)

    assert seen["status"]["data"][0]["system"] == "online"
    assert 0 <= seen["status"]["data"][0]["connection_id"] < 2**64
    assert seen["ticker"]["data"][0]["ask"] > seen["ticker"]["data"][0]["bid"]
    assert len(seen["trade"]["data"]) == 50
    assert seen["ohlc"]["data"][-1]["interval_begin"].endswith("000000000Z")
    assert [pair["symbol"] for pair in seen["instrument"]["data"]["pairs"]] == ["BTC/USD", "ETH/USD"]


def test_each_symbol_gets_an_acknowledgement_of_its_own(exchange: Running) -> None:
    async def ask(talk: Talk) -> list[Any]:
        await talk.hear()
        await talk.say("subscribe", {"channel": "ticker", "symbol": ["BTC/USD", "XBT/USD", "ETH/USD"]}, 9)
        replies = [await talk.until(lambda one: one.get("req_id") == 9) for _ in range(3)]
        again = await talk.ask("subscribe", {"channel": "ticker", "symbol": ["BTC/USD"]}, 10)
        left = await talk.ask("unsubscribe", {"channel": "ticker", "symbol": ["BTC/USD"]}, 11)
        gone = await talk.ask("unsubscribe", {"channel": "ticker", "symbol": ["BTC/USD"]}, 12)
        return [*replies, again, left, gone]

    one, wrong, two, again, left, gone = exchange.talk(ask)

    assert one["result"] == {"channel": "ticker", "event_trigger": "trades", "snapshot": True, "symbol": "BTC/USD"}
    assert wrong["error"] == "Currency pair not supported XBT/USD"
    assert (wrong["symbol"], wrong["success"], "result" in wrong) == ("XBT/USD", False, False)
    assert two["result"]["symbol"] == "ETH/USD"
    assert again["error"] == "Already subscribed"
    assert left["success"]
    assert gone["error"] == "Subscription Not Found"


def test_each_host_refuses_the_traffic_of_the_other(exchange: Running) -> None:
    token = exchange.token("pro-1")

    async def private_here(talk: Talk) -> list[Any]:
        executions = await talk.ask("subscribe", {"channel": "executions", "token": token})
        return [executions, await talk.ask("cancel_all", {"token": token})]

    async def public_here(talk: Talk) -> Any:
        return await talk.ask("subscribe", BOOK)

    for refused in exchange.talk(private_here):
        assert refused["error"].startswith("Private data and trading are unavailable on this endpoint")
    assert exchange.talk(public_here, private=True)["error"].startswith("Public market data subscriptions are unavail")


def test_own_orders_tell_their_story_in_sequence(exchange: Running) -> None:
    token = exchange.token("pro-2")
    low = Decimal(round(exchange.price() * 0.5))

    async def trade(talk: Talk) -> dict[str, Any]:
        for n, channel in enumerate(("executions", "balances")):
            ack = await talk.ask("subscribe", {"channel": channel, "token": token, "snap_trades": True}, n)
            assert ack["success"], ack
        order = {"symbol": "BTC/USD", "token": token, "side": "buy"}
        resting = {**order, "order_type": "limit", "order_qty": 0.01, "limit_price": float(low), "cl_ord_id": "ws-1"}
        replies = {
            "limit": await talk.ask("add_order", resting, 10),
            "amend": await talk.ask("amend_order", {"cl_ord_id": "ws-1", "order_qty": 0.02, "token": token}, 11),
            "cancel": await talk.ask("cancel_order", {"cl_ord_id": ["ws-1"], "token": token}, 12),
            "gone": await talk.ask("cancel_order", {"cl_ord_id": ["ws-1"], "token": token}, 13),
            "market": await talk.ask("add_order", {**order, "order_type": "market", "order_qty": 0.001}, 14),
        }
        await talk.ask("ping", None, 15)
        return replies

    talks: list[Talk] = []

    async def kept(talk: Talk) -> dict[str, Any]:
        talks.append(talk)
        return await trade(talk)

    replies = exchange.talk(kept, private=True)
    frames = talks[0].heard
    reports = [one for one in frames if one.get("channel") == "executions"]
    story = [(one["order_id"], one["exec_type"]) for frame in reports[2:] for one in frame["data"]]
    resting, market = replies["limit"]["result"]["order_id"], replies["market"]["result"]["order_id"]

    assert replies["limit"]["result"]["cl_ord_id"] == "ws-1"
    assert replies["amend"]["result"]["cl_ord_id"] == "ws-1"
    assert replies["cancel"]["result"] == {"cl_ord_id": "ws-1"}
    assert replies["gone"]["error"] == "EOrder:Unknown order"
    assert [one["sequence"] for one in reports] == list(range(1, len(reports) + 1))
    assert [kind for order, kind in story if order == resting] == ["pending_new", "new", "amended", "canceled"]
    kinds = [kind for order, kind in story if order == market]
    assert kinds[:2] == ["pending_new", "new"]
    assert set(kinds[2:-1]) == {"trade"}
    assert kinds[-1] == "filled"
    assert all(len(frame["data"]) == 1 for frame in reports[2:])
    trades = [one for frame in reports for one in frame["data"] if one["order_id"] == market and "exec_id" in one]
    assert sum(one["last_qty"] for one in trades) == Decimal("0.001")
    changes = [one for frame in frames if frame.get("channel") == "balances" and frame["type"] == "update"
               for one in frame["data"]]  # fmt: skip
    assert {one["asset"] for one in changes} == {"USD", "BTC"}
    assert {one["ref_id"] for one in changes} == {one["exec_id"] for one in trades}


def test_other_accounts_hear_nothing(exchange: Running) -> None:
    token = exchange.token("pro-3")
    low = f"{exchange.price() * 0.5:.1f}"

    async def listen(talk: Talk) -> list[Any]:
        await talk.ask("subscribe", {"channel": "executions", "token": token}, 1)
        await talk.ask("subscribe", {"channel": "balances", "token": token}, 2)
        await asyncio.to_thread(
            exchange.private,
            "pro-1",
            "AddOrder",
            pair="XBTUSD",
            type="buy",
            ordertype="limit",
            volume="0.001",
            price=low,
        )
        await asyncio.to_thread(exchange.private, "pro-1", "CancelAll")
        await talk.ask("ping", None, 3)
        return talk.heard

    heard = exchange.talk(listen, private=True)

    assert [one["type"] for one in heard if one.get("channel") in ("executions", "balances")] == [
        "snapshot",
        "snapshot",
    ]


def test_batches_answer_with_rows(exchange: Running) -> None:
    token = exchange.token("pro-3")
    low = float(round(exchange.price() * 0.5))
    good = {"order_type": "limit", "side": "buy", "order_qty": 0.001, "limit_price": low}

    async def ask(talk: Talk) -> list[Any]:
        both = await talk.ask("batch_add", {"symbol": "BTC/USD", "token": token, "orders": [good, good]}, 1)
        dear = {**good, "order_qty": 9000}
        part = await talk.ask("batch_add", {"symbol": "BTC/USD", "token": token, "orders": [good, dear]}, 2)
        ids = [row["order_id"] for row in (*both["result"], *part["result"]) if "order_id" in row]
        gone = await talk.ask("batch_cancel", {"orders": ids, "token": token}, 3)
        return [both, part, ids, gone]

    both, part, ids, gone = exchange.talk(ask, private=True)

    assert both["success"]
    assert part["error"] == "EOrder:Insufficient funds"
    assert len(ids) == 3
    assert gone["result"] == {"count": 3}


def test_tokens_must_be_there_and_fresh(exchange: Running) -> None:
    stale, held = exchange.token("pro-1"), exchange.token("pro-1")

    async def ask(talk: Talk) -> list[Any]:
        subscribed = await talk.ask("subscribe", {"channel": "executions", "token": held}, 1)
        await asyncio.to_thread(exchange.admin, "expire-tokens")
        none = await talk.ask("cancel_all", {}, 2)
        old = await talk.ask("cancel_all", {"token": stale}, 3)
        mine = await talk.ask("cancel_all", {"token": held}, 4)
        return [subscribed, none, old, mine]

    subscribed, none, old, mine = exchange.talk(ask, private=True)

    assert subscribed["result"]["maxratecount"] == 180
    assert none["error"] == "ESession:Invalid session"
    assert old["error"] == "EAPI:Invalid token"
    assert mine["success"]  # what it opened stays open


def test_permissions_hold_over_sockets_too(exchange: Running) -> None:
    read_only, cancel_only = exchange.token("read-only"), exchange.token("cancel-only")
    order = {"symbol": "BTC/USD", "side": "buy", "order_type": "market", "order_qty": 0.001}

    async def ask(talk: Talk) -> list[Any]:
        return [
            await talk.ask("add_order", {**order, "token": read_only}, 1),
            await talk.ask("add_order", {**order, "token": cancel_only}, 2),
            await talk.ask("cancel_all", {"token": cancel_only}, 3),
            await talk.ask("subscribe", {"channel": "balances", "token": cancel_only}, 4),
        ]

    add, also, cancel, balances = exchange.talk(ask, private=True)

    assert add["error"] == also["error"] == "EGeneral:Permission denied"
    assert cancel["success"]
    assert (balances["error"], balances["channel"], balances["status"]) == (
        *("EGeneral:Permission denied", "balances"),
        "error",
    )


def test_quiet_subscriptions_get_heartbeats_and_pings_their_pong(exchange: Running) -> None:
    token = exchange.token("pro-3")

    async def wait(talk: Talk) -> Any:
        await talk.ask("subscribe", {"channel": "balances", "token": token})
        await talk.raw('{"method":"ping"}')
        pong = await talk.until(lambda one: one.get("method") == "pong")
        return pong, await talk.until(lambda one: one.get("channel") == "heartbeat")

    pong, beat = exchange.talk(wait, private=True)

    assert "req_id" not in pong
    assert beat == {"channel": "heartbeat"}


def test_faults_reach_the_book(exchange: Running) -> None:
    async def follow(talk: Talk) -> list[bool]:
        book, right = Book(10), []
        await talk.ask("subscribe", BOOK)
        for n in range(40):
            if n == 10:
                await asyncio.to_thread(exchange.admin, "gap", count=2)
            message = await talk.data("book")
            book.apply(message)
            right.append(book.checksum == message["data"][0]["checksum"])
        return right

    right = exchange.talk(follow)
    exchange.admin("clear")

    assert all(right[:10])
    assert not all(right[10:])


def test_a_silent_exchange_answers_nothing_private(exchange: Running) -> None:
    token = exchange.token("pro-1")
    faults = exchange.server.faults

    async def ask(talk: Talk) -> list[Any]:
        for silent, lost in ((True, 0), (False, 1_000_000), (False, 0)):
            faults.silent, faults.loss_ppm = silent, lost
            await talk.say("cancel_all", {"token": token}, 5)
            await talk.ask("ping", None, 6)
        return [one.get("req_id") for one in talk.heard if "method" in one]

    def without_a_word() -> None:
        faults.silent = True
        exchange.private("pro-1", "Balance")

    pace, exchange.server._weather = exchange.server._weather, lambda: None  # no scenario shall undo what we set
    try:
        assert exchange.talk(ask, private=True) == [6, 6, 5, 6]
        with pytest.raises(OSError):  # noqa: PT011  (which one depends on when the peer hangs up)
            without_a_word()
        assert exchange.public("Time")["error"] == []
    finally:
        faults.clear()
        exchange.server._weather = pace
    assert exchange.private("pro-1", "Balance")["error"] == []


def test_a_cut_connection_ends_and_an_outage_is_announced(exchange: Running) -> None:
    async def wait(talk: Talk) -> None:
        await talk.ask("subscribe", BOOK)
        await asyncio.to_thread(exchange.admin, "disconnect", who="public")
        with pytest.raises(ConnectionError):
            await talk.until(lambda one: False)

    async def status(talk: Talk) -> list[str]:
        await asyncio.to_thread(exchange.admin, "mode", mode="post_only")
        changed = await talk.until(lambda one: one["data"][0]["system"] == "post_only")
        await asyncio.to_thread(exchange.admin, "mode", mode="online")
        back = await talk.until(lambda one: one["data"][0]["system"] == "online")
        return [changed["channel"], back["channel"]]

    exchange.talk(wait)
    assert exchange.talk(status) == ["status", "status"]


def test_old_clients_get_books_and_own_orders_over_v1(exchange: Running) -> None:
    token = exchange.token("pro-1")
    low = f"{exchange.price() * 0.5:.1f}"

    async def book(talk: Talk) -> None:
        greeting = await talk.hear()
        assert greeting["event"] == "systemStatus"
        await talk.raw('{"event":"subscribe","pair":["XBT/USD"],"subscription":{"name":"book","depth":25}}')
        ack = await talk.hear()
        assert (ack["status"], ack["channelName"], ack["pair"]) == ("subscribed", "book-25", "XBT/USD")
        sides: dict[str, dict[str, str]] = {"b": {}, "a": {}}
        for n in range(40):
            message = await talk.until(lambda one: isinstance(one, list))
            parts = {name: rows for part in message[1:-2] for name, rows in part.items()}
            for name in ("a", "b"):
                for price, qty, _ in parts.get(name, parts.get(f"{name}s", [])):
                    sides[name][price] = qty
                    if float(qty) == 0:
                        del sides[name][price]
                for price in sorted(sides[name], key=float, reverse=name == "b")[25:]:
                    del sides[name][price]
            if n:
                assert int(parts["c"]) == v1_checksum(sides)

    async def own(talk: Talk) -> list[Any]:
        await talk.raw(json.dumps({"event": "subscribe", "subscription": {"name": "openOrders", "token": token}}))
        await talk.until(lambda one: isinstance(one, list))
        fields = {
            "pair": "XBTUSD",
            "type": "buy",
            "ordertype": "limit",
            "volume": "0.001",
            "price": low,
            "userref": "5",
        }
        placed = await asyncio.to_thread(exchange.private, "pro-1", "AddOrder", **fields)
        first = await talk.until(lambda one: isinstance(one, list))
        await asyncio.to_thread(exchange.private, "pro-1", "CancelAll")
        last = await talk.until(lambda one: isinstance(one, list) and "canceled" in json.dumps(one, default=str))
        return [placed["result"]["txid"][0], first, last]

    exchange.talk(book, path="/")
    txid, first, last = exchange.talk(own, private=True, path="/")

    assert (first[1], first[2]["sequence"]) == ("openOrders", 2)
    assert first[0][0][txid]["status"] == "pending"
    assert first[0][0][txid]["userref"] == 5
    assert last[0][0][txid]["status"] == "canceled"


def v1_checksum(sides: dict[str, dict[str, str]]) -> int:
    """Return the checksum over the texts v1 prints."""
    parts = []
    for name in ("a", "b"):
        for price in sorted(sides[name], key=float, reverse=name == "b")[:10]:
            parts += [text.replace(".", "").lstrip("0") for text in (price, sides[name][price])]
    return zlib.crc32("".join(parts).encode())


def test_bad_frames_get_an_answer_and_harm_nobody(exchange: Running) -> None:
    rng = random.Random(3)
    token = exchange.token("pro-3")
    seeds = [
        json.dumps({"method": "subscribe", "params": BOOK, "req_id": 1}),
        json.dumps({"method": "cancel_order", "params": {"order_id": ["OAAAAA-BBBBB-CCCCCC"], "token": token}}),
        json.dumps({"method": "add_order", "params": {"symbol": "BTC/USD", "side": "buy", "token": token}}),
        '{"method":"ping"}',
    ]

    async def shout(talk: Talk) -> Any:
        for _ in range(3_000):
            frame = list(rng.choice(seeds))
            for _ in range(rng.randrange(1, 4)):
                at = rng.randrange(len(frame) + 1)
                frame[at : at + rng.randrange(3)] = rng.choice(["{", '"', "1e999", "[", "null", "\\", "\x00", "é"])
            await talk.raw("".join(frame))
        await talk.raw("[" * 20_000)
        await talk.raw('{"method":"ping","req_id":"x"}')
        bad = await talk.until(lambda one: one.get("method") == "ping")
        assert (bad["success"], bad["error"]) == (False, "Malformed request")
        return await talk.ask("ping", None, 424_242)

    for private in (False, True):
        assert exchange.talk(shout, private=private)["method"] == "pong"
    assert exchange.public("SystemStatus")["result"]["status"] == "online"
