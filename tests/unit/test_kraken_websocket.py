"""WebSocket v2 and v1 of Kraken: frames survive both ways, recordings come out byte for byte."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import kraken_orders as drawn

from mycelial.kraken import orders, times
from mycelial.kraken.checksums import book_checksum, level3_checksum
from mycelial.kraken.errors import ProtocolError, Reaction, Refused
from mycelial.kraken.json_writing import dumps
from mycelial.kraken.numbers import decimal, units
from mycelial.kraken.ws import account_data as account
from mycelial.kraken.ws import market_data as market
from mycelial.kraken.ws import replies, v1
from mycelial.kraken.ws.order_requests import TRADING_METHODS, read_command
from mycelial.kraken.ws.order_writing import params_of
from mycelial.kraken.ws.printing import PairPrinter, PrintedCandle, PrintedOrder, PrintedTicker, PrintedTrade
from mycelial.kraken.ws.reading import ChannelFrame, Heartbeat, Reply, read_message, read_result
from mycelial.kraken.ws.requests import (
    CHANNELS,
    Subscription,
    read_envelope,
    read_subscription,
    request,
    salvaged,
    subscription_params,
)
from mycelial.market import checksum
from mycelial.market.venues.loading import packaged_venue
from mycelial.market.venues.rules import Pair

BITCOIN = packaged_venue("kraken").pair("BTC/USD")
NOW = 1_690_730_998_343_415_000

# docs.kraken.com: the worked examples of book-checksum-v2 and l3-checksum-v2, in wire text
ASKS = """45285.2/0.00100000 45286.4/1.54571953 45286.6/1.54571109 45289.6/1.54560911 45290.2/0.15890660
45291.8/1.54553491 45294.7/0.04454749 45296.1/0.35380000 45297.5/0.09945542 45299.5/0.18772827"""
BIDS = """45283.5/0.10000000 45283.4/1.54582015 45282.1/0.10000000 45281.0/0.10000000 45280.3/1.54592586
45279.0/0.07990000 45277.6/0.03310103 45277.5/0.30000000 45277.3/1.54602737 45276.6/0.15445238"""


def side(text: str) -> list[tuple[Decimal, Decimal]]:
    """Read levels written as price/quantity."""
    return [(Decimal(price), Decimal(qty)) for price, qty in (level.split("/") for level in text.split())]


def test_documented_checksums_come_out() -> None:
    asks, bids = side(ASKS), side(BIDS)
    assert book_checksum(asks, bids) == 3310070434

    asks[0] = (asks[0][0], Decimal("0.00200000"))
    bids = [*bids[1:], *side("45276.5/0.20000000")]
    assert book_checksum(asks, bids) == 2638955127

    short = (
        side("0.05005/0.00000500 0.05010/0.00000500 0.05015/0.00000500"),
        side("0.05000/0.00000500 0.04995/12.00000000"),
    )
    assert book_checksum(*short) == 2831665504
    single = (
        side("44939.5/4.52308393 44939.5/0.10000000 44940.0/1.00000000"),
        side("44939.4/0.25000000 44939.4/2.00000000"),
    )
    assert level3_checksum(*single) == 2349695164


@given(
    asks=st.lists(st.tuples(st.integers(1, 10**7), st.integers(1, 10**12)), max_size=14),
    bids=st.lists(st.tuples(st.integers(1, 10**7), st.integers(1, 10**12)), max_size=14),
)
def test_client_and_exchange_compute_the_same_checksum(asks: list[Any], bids: list[Any]) -> None:
    sides = [np.array(one, np.int64).reshape(-1, 2) for one in (asks, bids)]
    columns = [column.copy() for one in sides for column in (one[:, 0], one[:, 1])]
    wire = [[(decimal(ticks, 1), decimal(lots, 8)) for ticks, lots in one] for one in (asks, bids)]

    assert book_checksum(*wire) == checksum.l2_checksum(*columns)
    assert level3_checksum(*wire) == checksum.l3_checksum(*columns)


# ------------------------------------------------------------------------------------------------------- recordings


def lines(path: Path) -> Iterator[bytes]:
    """Return the lines of a recording."""
    with gzip.open(path) as file:
        yield from file


def frames(path: Path) -> list[bytes]:
    """Return the frames of a recording, byte for byte."""
    rows = (msgspec.json.decode(line, type=dict[str, msgspec.Raw]) for line in lines(path))
    return [bytes(row["frame"]) for row in rows if "frame" in row]


class Follower:
    """A client's book: applies what it reads and cuts to its depth."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}

    def apply(self, kind: str, book: market.Book) -> None:
        for name, levels in (("bids", book.bids), ("asks", book.asks)):
            held = self.sides[name]
            if kind == "snapshot":
                held.clear()
            for level in levels:
                held.pop(level.price, None)
                if level.qty:
                    held[level.price] = level.qty
            for price in sorted(held, reverse=name == "bids")[self.depth :]:
                del held[price]

    def best(self, name: str) -> list[tuple[Decimal, Decimal]]:
        return sorted(self.sides[name].items(), reverse=name == "bids")[:10]


def printed(pair: Pair, frame: ChannelFrame) -> bytes:
    """Print a frame of book the way the exchange does, from integers."""
    (book,) = frame.data
    at_ns = NOW if book.timestamp is None else times.from_rfc3339(book.timestamp)
    levels = [
        [(units(one.price, pair.price_decimals), units(one.qty, pair.lot_decimals)) for one in half]
        for half in (book.bids, book.asks)
    ]
    return PairPrinter(pair).book(frame.kind, *levels, book.checksum, at_ns)


def test_the_verbatim_recording_is_printed_byte_for_byte(shared_data: Path) -> None:
    pair = replace(BITCOIN, symbol="MINA/GBP", price_decimals=4, tick_size=Decimal("0.0001"))
    follower, books = Follower(25), 0

    for raw in frames(shared_data / "kraken_v2_book25_MINA-GBP_20260816.jsonl.gz"):
        if b'"method":"subscribe","params"' in raw:
            wanted = read_subscription(read_envelope(raw))
            assert (wanted.channel, wanted.symbols, wanted.depth) == ("book", ("MINA/GBP",), 25)
            continue
        message = read_message(raw)
        if isinstance(message, Heartbeat):
            assert raw == replies.HEARTBEAT
        elif isinstance(message, Reply):
            began, ended = (times.from_rfc3339(text or "") for text in (message.time_in, message.time_out))
            assert replies.succeeded("subscribe", wanted.result("MINA/GBP"), began, ended) == raw
        elif message.channel == "status":
            assert message.data[0].connection_id == 3007355780899554854
        else:
            assert printed(pair, message) == raw
            follower.apply(message.kind, message.data[0])
            assert book_checksum(follower.best("asks"), follower.best("bids")) == message.data[0].checksum
            books += 1

    assert books == 30


def test_the_bitcoin_recording_survives_and_its_checksums_come_out(shared_data: Path) -> None:
    follower = Follower(10)
    count = 0

    for line in lines(shared_data / "kraken_v2_book10_BTC-USD_20230730.jsonl.gz"):
        message = read_message(line.strip())
        assert isinstance(message, ChannelFrame)
        again = read_message(printed(BITCOIN, message))  # with the trailing zeros the recording has lost
        assert isinstance(again, ChannelFrame)
        assert again.data[0].bids == message.data[0].bids
        assert again.data[0].asks == message.data[0].asks
        follower.apply(again.kind, again.data[0])
        assert book_checksum(follower.best("asks"), follower.best("bids")) == again.data[0].checksum
        count += 1

    assert count == 510


def test_recorded_examples_are_read(shared_data: Path) -> None:
    examples = drawn.recorded_examples(shared_data)
    read = {name: read_message(raw) for name, raw in examples.items() if is_v2_message(name)}

    for name, message in read.items():
        if isinstance(message, ChannelFrame):
            again = read_message(replies.channel(message.channel, message.kind, message.data))
            assert again == message, name
    refusal = read["ws_add_order_response_failure"]
    assert isinstance(refusal, Reply)
    assert (refusal.req_id, refusal.meaning.reaction) == (99, Reaction.NOT_AFFORDABLE)
    assert len(read) >= 14

    for name in ("ws_add_order_request", "ws_amend_order_request", "ws_batch_add_request", "ws_cancel_order_request"):
        envelope = read_envelope(examples[name])
        trading = read_command(envelope)
        method, params = params_of(trading.command, trading.token or "")
        theirs = json.loads(examples[name], parse_float=Decimal)
        ours = json.loads(request(method, params, envelope.req_id), parse_float=Decimal)
        theirs["params"].pop("time_in_force", None)  # ours leaves defaults out
        assert ours == theirs


def is_v2_message(name: str) -> bool:
    """Whether an example was sent by the v2 exchange."""
    return name.startswith("ws_") and "futures" not in name and not name.endswith("_request")


@pytest.mark.parametrize(("channel", "least"), [("book1000", 4_269), ("trade", 1), ("ticker", 15)])
def test_recorded_v1_messages_are_read(shared_data: Path, channel: str, least: int) -> None:
    seen = 0
    for raw in frames(shared_data / f"kraken_v1_{channel}_10pairs_20210417.jsonl.gz"):
        if b'"event":"subscribe",' in raw:
            asked = v1.read_request(raw)
            assert asked.pair is not None
            assert len(asked.pair) == 10
            assert json.loads(v1.request(asked)) == json.loads(raw)
            continue
        message = v1.read_message(raw)
        if isinstance(message, v1.Data):
            assert message.channel_id is not None
            seen += 1
        elif message["event"] == "subscriptionStatus":
            wanted = v1.Wanted(name=message["subscription"]["name"], depth=message["subscription"].get("depth"))
            assert v1.subscribed(wanted, message["channelID"], message["pair"], None) == raw
        elif message["event"] == "heartbeat":
            assert raw == v1.HEARTBEAT

    assert seen >= least


def test_recorded_v1_books_are_printed_byte_for_byte(shared_data: Path) -> None:
    pair = replace(BITCOIN, symbol="BTC/CHF", wsname="XBT/CHF", price_decimals=1)
    printer = v1.V1Printer(pair)
    count = 0

    for raw in frames(shared_data / "kraken_v1_book1000_10pairs_20210417.jsonl.gz"):
        message = v1.read_message(raw)
        if isinstance(message, v1.Data) and message.pair == "XBT/CHF" and message.channel_id is not None:
            sides: dict[str, Any] = {key: value for part in message.parts for key, value in part.items()}
            if any(len(level) > 3 for name in ("a", "b") for level in sides.get(name, ())):
                continue  # republished levels carry a fourth item
            found = {
                name: [(units(p, 1), units(q, 8), units(t, 9)) for p, q, t, *_ in sides[name]]
                for name in ("as", "bs", "a", "b")
                if name in sides
            }
            if "as" in found:
                ours = printer.book_snapshot(message.channel_id, 1000, found["bs"], found["as"])
            else:
                ours = printer.book_update(
                    message.channel_id, 1000, found.get("b", []), found.get("a", []), int(sides["c"])
                )
            assert ours == raw
            count += 1

    assert count > 50


def test_v1_trades_tickers_and_private_messages_are_read_back() -> None:
    printer = v1.V1Printer(BITCOIN)
    trade = PrintedTrade(True, 452852, 100000, False, 7, NOW)
    ticker = PrintedTicker(452835, 10000000, 452852, 100000, 452852, 10**9, 452840, 452800, 452900, -10, -2, 3, NOW)

    trades = v1.read_message(printer.trades(0, [trade]))
    quoted = v1.read_message(printer.ticker(1, ticker, 452800))
    own = v1.read_message(v1.private("ownTrades", [{"TAAAAA": {"vol": Decimal("0.10")}}], 4))

    assert isinstance(trades, v1.Data)
    assert trades.parts == ([["45285.20000", "0.00100000", "1690730998.343415", "b", "l", ""]],)
    assert isinstance(quoted, v1.Data)
    assert quoted.parts[0]["b"] == ["45283.50000", 0, "0.10000000"]
    assert own == v1.Data("ownTrades", ([{"TAAAAA": {"vol": "0.10"}}],), sequence=4)
    assert v1.pong(5) == b'{"event":"pong","reqid":5}'
    assert json.loads(v1.refused("Currency pair not supported X", "book", "X", 3)) == {
        "errorMessage": "Currency pair not supported X",
        "event": "subscriptionStatus",
        "pair": "X",
        "reqid": 3,
        "status": "error",
        "subscription": {"name": "book"},
    }


# ---------------------------------------------------------------------------------------------- fast printers, structs

lots = st.integers(0, 10**13)
ticks = st.integers(0, 10**8)
instants = st.integers(0, 4 * 10**18)
pairs = st.sampled_from([packaged_venue("kraken").pair(one) for one in ("BTC/USD", "DOGE/USD", "ETH/BTC")])


signed = st.integers(-(10**8), 10**8)


@given(pair=pairs, bids=st.lists(st.tuples(signed, lots)), asks=st.lists(st.tuples(ticks, lots)), at=instants)
def test_fast_books_equal_written_structs(pair: Pair, bids: list[Any], asks: list[Any], at: int) -> None:
    halves = [
        tuple(market.Level(decimal(p, pair.price_decimals), decimal(q * 10, pair.lot_decimals)) for p, q in half)
        for half in (bids, asks)
    ]
    book = market.Book(symbol=pair.symbol, bids=halves[0], asks=halves[1], checksum=7, timestamp=times.rfc3339(at))

    fast = PairPrinter(pair, lot_step=10).book("update", bids, asks, 7, at)

    assert fast == replies.channel("book", "update", [book])
    message = read_message(fast)
    assert isinstance(message, ChannelFrame)
    assert message.data == (book,)


@given(pair=pairs, p=ticks, q=lots, at=instants, number=st.integers(0, 2**40), flag=st.booleans())
def test_other_fast_printers_equal_written_structs(
    pair: Pair, p: int, q: int, at: int, number: int, flag: bool
) -> None:
    printer = PairPrinter(pair)
    price, qty, moment = decimal(p, pair.price_decimals), decimal(q, pair.lot_decimals), times.rfc3339(at)
    trade = market.Trade(
        symbol=pair.symbol, side="buy" if flag else "sell", price=price, qty=qty,
        ord_type="limit" if flag else "market", trade_id=number, timestamp=moment,
    )  # fmt: skip
    candle = market.Candle(
        symbol=pair.symbol, open=price, high=price, low=price, close=price, trades=number, volume=qty, vwap=price,
        interval_begin=times.rfc3339(at, 9), interval=5, timestamp=moment,
    )  # fmt: skip
    ticker = market.Ticker(
        symbol=pair.symbol, bid=price, bid_qty=qty, ask=price, ask_qty=qty, last=price, volume=qty, vwap=price,
        low=price, high=price, change=-price, change_pct=decimal(-number, 2), trades=number, timestamp=moment,
    )  # fmt: skip
    order = market.Level3Order(
        event="add" if flag else None,
        order_id="OAAAAA",
        limit_price=price,
        order_qty=qty,
        timestamp=moment,
    )
    level3 = market.Level3(symbol=pair.symbol, bids=(order,), asks=(), checksum=number, timestamp=moment)

    assert printer.trades("update", [PrintedTrade(flag, p, q, not flag, number, at)]) == replies.channel(
        "trade", "update", [trade]
    )
    fast_candle = json.loads(printer.candles("update", 5, [PrintedCandle(p, p, p, p, number, q, p, at, at)], at))
    assert fast_candle == json.loads(replies.channel("ohlc", "update", [candle], at_ns=at, decimals=9))
    fast_ticker = PrintedTicker(p, q, p, q, p, q, p, p, p, -p, -number, number, at)
    expected = dumps(ticker) if p else dumps(ticker).replace(b'"change":-0', b'"change":0')
    assert printer.ticker("update", fast_ticker) == b'{"channel":"ticker","type":"update","data":[%b]}' % expected
    one = PrintedOrder("add" if flag else "", "OAAAAA", p, q, at)
    assert printer.level3("update", [one], [], number, at) == replies.channel("level3", "update", [level3])


@given(
    report=st.builds(
        account.Execution, order_id=drawn.order_ids, exec_type=st.just("trade"), cl_ord_id=st.none() | drawn.client_ids,
        order_userref=st.none() | drawn.userrefs, last_qty=st.none() | drawn.amounts,
        cum_cost=st.none() | drawn.amounts,
        fees=st.none() | st.tuples(st.builds(account.Fee, st.just("USD"), drawn.amounts)),
        triggers=st.none() | st.builds(account.Triggers, price=drawn.amounts), post_only=st.none() | st.booleans(),
    ),
    sequence=st.integers(1, 2**40),
)  # fmt: skip
def test_private_frames_survive(report: account.Execution, sequence: int) -> None:
    row = account.BalanceRow(asset="BTC", balance=Decimal("0.00000001"), wallets=(account.Wallet(balance=Decimal(1)),))

    message = read_message(replies.channel("executions", "update", [report], sequence=sequence))
    balances = read_message(replies.channel("balances", "snapshot", [row], sequence=1))

    assert message == ChannelFrame(channel="executions", kind="update", data=(report,), sequence=sequence)
    assert balances == ChannelFrame(channel="balances", kind="snapshot", data=(row,), sequence=1)


def test_instruments_are_an_object() -> None:
    pair = market.InstrumentPair(
        symbol="BTC/USD", base="BTC", quote="USD", status="online", qty_precision=8,
        qty_increment=Decimal("0.00000001"),
        price_precision=1, price_increment=Decimal("0.1"), cost_precision=5, cost_min=Decimal("0.5"),
        qty_min=Decimal("0.00005000"),
    )  # fmt: skip
    data = market.Instruments(pairs=(pair,))

    message = read_message(replies.channel("instrument", "snapshot", data))

    assert message == ChannelFrame(channel="instrument", kind="snapshot", data=data)


# ------------------------------------------------------------------------------------------------------------ requests


def there_and_back(command: orders.Command) -> orders.Command:
    """Write a command as a frame and read it as the exchange does."""
    method, params = params_of(command, "token")
    envelope = read_envelope(request(method, params, 5))
    assert (envelope.method, envelope.req_id) == (method, 5)
    trading = read_command(envelope)
    assert trading.token == "token"
    return trading.command


@given(order=drawn.new_orders(pair="BTC/USD"), deadline=st.none() | drawn.moments, validate=st.booleans())
def test_orders_survive_the_wire(order: orders.NewOrder, deadline: int, validate: bool) -> None:
    command = orders.AddOrder(order=order, deadline_ns=deadline, validate=validate)

    assert there_and_back(command) == command


@given(command=drawn.batches() | drawn.amends())
def test_batches_and_amendments_survive_the_wire(command: orders.Command) -> None:
    assert there_and_back(command) == command


@given(ids=st.lists(drawn.order_ids, min_size=2, max_size=5), refs=st.lists(drawn.userrefs, max_size=3))
def test_cancels_survive_the_wire(ids: list[str], refs: list[int]) -> None:
    for command in (
        orders.CancelOrders(order_ids=tuple(ids), userrefs=tuple(refs), cl_ord_ids=("a",)),
        orders.CancelOrders(order_ids=tuple(ids), userrefs=tuple(refs), batch=True),
        orders.CancelAllAfter(timeout_s=60),
        orders.CancelAll(),
        orders.EditOrder(order_id=ids[0], pair="BTC/USD", trigger_price=orders.Price(Decimal("1.50"))),
    ):
        assert there_and_back(command) == command


def test_what_only_rest_can_say_is_not_written() -> None:
    order = orders.NewOrder(pair="BTC/USD", side="buy", order_type="market", volume=Decimal(1), leverage="5")
    later = replace_struct(order, leverage=None, expires=orders.Moment(5, from_receipt=True))
    toward = orders.AmendOrder(order_id="O", limit_price=orders.Price(Decimal(1), "pct", "#"))

    for command in (orders.AddOrder(order=order), orders.AddOrder(order=later), toward):
        with pytest.raises(ProtocolError, match="over REST only"):
            params_of(command, "token")


def replace_struct(struct: Any, **changes: Any) -> Any:
    """Return a struct with some fields changed."""
    return msgspec.structs.replace(struct, **changes)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ('{"order_type":"limit","side":"buy","order_qty":1,"symbol":"BTC/USD","price":1}',
         "Unsupported field: 'price' for the given msg type: add order"),
        ('{"order_type":"limit","side":"buy","order_qty":1,"symbol":"BTC/USD","limit_price":1,"leverage":5}',
         "Unsupported field: 'leverage' for the given msg type: add order"),
        ('{"order_type":"limit","side":"buy","order_qty":1,"limit_price":1}', "EGeneral:Invalid arguments:symbol"),
        ('{"order_type":"limit","side":"buy","order_qty":1,"symbol":"BTC/USD"}', "EGeneral:Invalid arguments:price"),
        ('{"order_type":"limit","side":"bid","order_qty":1,"symbol":"BTC/USD"}', "EGeneral:Invalid arguments:side"),
        ('{"order_type":"limit","side":"buy","order_qty":"x","symbol":"BTC/USD"}',
         "EGeneral:Invalid arguments:order_qty"),
        ('{"order_type":"limit","side":"buy","order_qty":1e999999,"symbol":"BTC/USD","limit_price":1}',
         "EGeneral:Invalid arguments:order_qty"),
        ('{"order_type":"limit","side":"buy","symbol":"BTC/USD","limit_price":1}',
         "EGeneral:Invalid arguments:order_qty"),
        ("[]", "EGeneral:Invalid arguments"),
    ],
)  # fmt: skip
def test_wrong_orders_are_refused_in_kraken_s_words(params: str, error: str) -> None:
    with pytest.raises(Refused) as refused:
        read_command(read_envelope(f'{{"method":"add_order","params":{params}}}'))

    assert refused.value.text == error


def test_older_names_of_fields_are_read() -> None:
    trading = read_command(
        read_envelope(
            '{"method":"add_order","params":{"order_type":"stop-loss","side":"sell","order_qty":0.5,"symbol":"BTC/USD",'
            '"trigger":{"price":100.0,"reference":"index"},"time_in_force":"GTC","no_mpp":true,"token":"t"}}'
        )
    )

    assert isinstance(trading.command, orders.AddOrder)
    assert trading.command.order.trigger_price == orders.Price(Decimal("100.0"))
    assert (trading.command.order.reference, trading.command.order.time_in_force) == ("index", "gtc")


@given(
    channel=st.sampled_from([one for one in CHANNELS if one != "status"]),
    depth=st.sampled_from([10, 100, 1000]),
    interval=st.sampled_from([1, 21600]),
    snapshot=st.booleans(),
    trigger=st.sampled_from(["trades", "bbo"]),
    token=st.none() | st.just("t"),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
)
def test_subscriptions_survive_the_wire(
    channel: str, depth: int, interval: int, snapshot: bool, trigger: Any, token: str | None, flags: tuple[bool, ...]
) -> None:
    has_symbols = channel in ("book", "level3", "trade", "ticker", "ohlc")
    wanted = Subscription(
        channel=channel, symbols=("BTC/USD", "ETH/USD") if has_symbols else (),
        depth=depth if channel in ("book", "level3") else None, interval=interval if channel == "ohlc" else None,
        event_trigger=trigger if channel == "ticker" else None, snapshot=snapshot, token=token,
        snap_orders=flags[0], snap_trades=flags[1], order_status=flags[2], ratecounter=flags[3],
    )  # fmt: skip

    read = read_subscription(read_envelope(request("subscribe", subscription_params(wanted))))

    assert read == wanted
    symbol = "BTC/USD" if has_symbols else None
    replayed = {**wanted.result(symbol), **({"symbol": [symbol]} if symbol else {})}
    again = read_subscription(read_envelope(request("subscribe", replayed)))
    named = ("channel", "depth", "interval", "event_trigger")
    flagged = (
        ("snap_orders", "snap_trades", "order_status", "ratecounter") if channel == "executions" else ("snapshot",)
    )
    for name in named + (flagged if channel != "heartbeat" else ()):
        assert getattr(again, name) == getattr(wanted, name)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"channel": "status"}, "Symbol(s) not found"),
        ({"channel": "tickers", "symbol": ["BTC/USD"]}, "Subscription name invalid"),
        ({"channel": "book", "symbol": ["BTC/USD"], "depth": 20}, "Subscription depth not supported"),
        ({"channel": "book", "symbol": "BTC/USD"}, "Symbol field must be an array"),
        ({"channel": "book"}, "Symbol field must be an array"),
        ({"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 2}, "Subscription ohlc interval not supported"),
    ],
)
def test_wrong_subscriptions_are_refused_in_kraken_s_words(params: dict[str, Any], error: str) -> None:
    with pytest.raises(Refused) as refused:
        read_subscription(read_envelope(request("subscribe", params)))

    assert refused.value.text == error


def test_replies_have_kraken_s_form() -> None:
    error = replies.refused("subscribe", replies.pair_not_supported("XBT/USD"), NOW, NOW, 3, symbol="XBT/USD")
    private = replies.refused("subscribe", "ESession:Invalid session", NOW, NOW, channel="executions")

    assert json.loads(error) == {
        "error": "Currency pair not supported XBT/USD",
        "method": "subscribe",
        "success": False,
        "symbol": "XBT/USD",
        "req_id": 3,
        "time_in": "2023-07-30T15:29:58.343415Z",
        "time_out": "2023-07-30T15:29:58.343415Z",
    }
    assert json.loads(private)["channel"] == "executions"
    assert json.loads(private)["status"] == "error"
    assert b'"result"' not in error
    assert json.loads(replies.pong(NOW, NOW, 1))["method"] == "pong"
    assert (
        json.loads(replies.status("online", 18125794168470749634))["data"][0]["connection_id"] == 18125794168470749634
    )
    reply = read_message(replies.succeeded("batch_cancel", {"count": 3}, NOW, NOW, 7))
    assert isinstance(reply, Reply)
    assert read_result(reply, dict[str, int]) == {"count": 3}
    assert read_message(replies.malformed("Malformed request", None, NOW, NOW)) == Reply(
        success=False,
        error="Malformed request",
        time_in="2023-07-30T15:29:58.343415Z",
        time_out="2023-07-30T15:29:58.343415Z",
    )


def test_mutated_frames_only_ever_raise_our_own_errors() -> None:
    rng = random.Random(11)
    order = orders.NewOrder(
        pair="BTC/USD", side="buy", order_type="limit", volume=Decimal(1), limit_price=orders.Price(Decimal(5))
    )
    asked = [
        request("subscribe", {"channel": "book", "symbol": ["BTC/USD"], "depth": 10}, 1),
        request(*params_of(orders.AddOrder(order=order), "t"), 2),
        request(*params_of(orders.CancelOrders(order_ids=("OAAAAA-BBBBB-CCCCCC",)), "t"), 3),
        request("ping"),
        b'{"event":"subscribe","pair":["XBT/USD"],"subscription":{"name":"book","depth":10}}',
    ]
    book = PairPrinter(BITCOIN).book("update", [(452835, 10**8)], [(452852, 0)], 5, NOW)
    answered = [
        book, replies.status("online", 2**63), replies.succeeded("add_order", {"order_id": "O"}, NOW, NOW, 1),
        replies.channel("executions", "update", [account.Execution(order_id="O", exec_type="new")], sequence=1),
        v1.V1Printer(BITCOIN).trades(1, [PrintedTrade(True, 1, 1, True, 1, NOW)]),
    ]  # fmt: skip
    pieces = [b"{", b"[", b"\xff", b'"', b"1e9999", b"null", b"-", b",", b":", b"\\u0000", b"9" * 30, b"true"]
    kinds = ((asked, (read_any_request, v1.read_request)), (answered, (read_message, v1.read_message)))
    begun = time.process_time()

    for _ in range(50_000):
        for seeds, readers in kinds:
            frame = bytearray(rng.choice(seeds))
            for _ in range(rng.randrange(1, 4)):
                at = rng.randrange(len(frame) + 1)
                frame[at : at + rng.randrange(4)] = rng.choice(pieces)
            with contextlib.suppress(ProtocolError, Refused):
                readers[0](bytes(frame))
            with contextlib.suppress(ProtocolError, Refused):
                readers[1](bytes(frame))

    assert time.process_time() - begun < 30


def read_any_request(frame: bytes) -> object:
    """Read a frame as the exchange does."""
    envelope = read_envelope(frame)
    if envelope.method in TRADING_METHODS:
        return read_command(envelope)
    return read_subscription(envelope)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        ('{"method":"ping","req_id":"x"}', ("ping", None)),
        ('{"method":5,"req_id":7}', (None, 7)),
        ('{"req_id":true}', (None, None)),
        ("[1]", (None, None)),
        ("{", (None, None)),
    ],
)
def test_what_can_be_told_of_a_bad_frame_is_told(frame: str, told: tuple[str | None, int | None]) -> None:
    with pytest.raises(ProtocolError):
        read_envelope(frame)

    assert salvaged(frame) == told


def test_hostile_frames_are_refused_cheaply() -> None:
    for frame in (
        b"[" * 100_000,
        b'{"method":' * 50_000,
        b'{"method":"ping","req_id":1.5}',
        b'{"method":"x","req_id":"1"}',
    ):
        with pytest.raises(ProtocolError):
            read_envelope(frame)
        with pytest.raises(ProtocolError):
            read_message(frame[:50_000])
