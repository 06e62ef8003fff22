"""REST of Kraken: what is read and written is what travels, in both directions."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import kraken_orders as drawn

from mycelial.kraken import orders
from mycelial.kraken.descriptions import Description, describe, parse
from mycelial.kraken.errors import ProtocolError, Refused
from mycelial.kraken.json_writing import dumps
from mycelial.kraken.rest import account_answers as account
from mycelial.kraken.rest import market_answers as market
from mycelial.kraken.rest import order_writing, queries
from mycelial.kraken.rest.bodies import FORM, JSON, decode_body, encode_form, encode_json
from mycelial.kraken.rest.envelope import Answered, NoAnswer, failed, result_of, succeeded
from mycelial.kraken.rest.methods import METHODS, method, query_fields
from mycelial.kraken.rest.signing_requests import private_request, public_request
from mycelial.kraken.signing import Secret

SECRET = Secret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==")


def there_and_back(command: orders.Command, *, as_json: bool) -> orders.Command:
    """Write a command as a body and read it as the exchange does."""
    name, fields = order_writing.fields_of(command)
    body = encode_json(fields) if as_json else encode_form(fields)
    read = METHODS[name].read(decode_body(body, JSON if as_json else FORM))
    assert isinstance(read, orders.Command)
    return read


@given(order=drawn.new_orders(), deadline=st.none() | drawn.moments, validate=st.booleans(), as_json=st.booleans())
def test_orders_survive_the_wire(order: orders.NewOrder, deadline: int, validate: bool, as_json: bool) -> None:
    command = orders.AddOrder(order=order, deadline_ns=deadline, validate=validate)

    assert there_and_back(command, as_json=as_json) == command


@given(command=drawn.batches() | drawn.amends(), as_json=st.booleans())
def test_batches_and_amendments_survive_the_wire(command: orders.Command, as_json: bool) -> None:
    assert there_and_back(command, as_json=as_json) == command


@given(ids=st.lists(drawn.order_ids, min_size=1, max_size=5), refs=st.lists(drawn.userrefs, max_size=3))
def test_cancels_survive_the_wire(ids: list[str], refs: list[int]) -> None:
    batch = orders.CancelOrders(order_ids=tuple(ids), userrefs=tuple(refs), cl_ord_ids=("a-1", "b"), batch=True)

    assert there_and_back(batch, as_json=True) == batch
    for single in (
        orders.CancelOrders(order_ids=(ids[0],)),
        orders.CancelOrders(cl_ord_ids=("mine",)),
        orders.CancelOrders(userrefs=tuple(refs[:1]) or (0,)),
        orders.CancelAllAfter(timeout_s=60),
        orders.CancelAll(),
    ):
        assert there_and_back(single, as_json=False) == single


def test_an_edit_means_prices_by_the_type_of_the_order() -> None:
    edit = there_and_back(
        orders.EditOrder(
            order_id="OABCDE-ABCDE-ABCDEF", pair="XBTUSD", volume=Decimal("0.10"), userref=7, post_only=True,
            price=orders.Price(Decimal("10.5")), price2=orders.Price(Decimal("2"), "pct", "-"),
        ),
        as_json=False,
    )  # fmt: skip

    assert isinstance(edit, orders.EditOrder)
    assert edit.prices("limit") == (orders.Price(Decimal("10.5")), None)
    assert edit.prices("stop-loss-limit") == (orders.Price(Decimal("2"), "pct", "-"), orders.Price(Decimal("10.5")))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("type=buy&ordertype=limit&volume=1&price=1", "pair"),
        ("pair=XBTUSD&ordertype=limit&volume=1&price=1", "type"),
        ("pair=XBTUSD&type=hold&ordertype=limit&volume=1&price=1", "type"),
        ("pair=XBTUSD&type=buy&ordertype=limits&volume=1&price=1", "ordertype"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=x&price=1", "volume"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=-1&price=1", "volume"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=1e999999&price=1", "volume"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=NaN&price=1", "volume"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=1", "price"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=1&price=1e5", "price"),
        ("pair=XBTUSD&type=buy&ordertype=stop-loss-limit&volume=1&price=1", "price2"),
        ("pair=XBTUSD&type=buy&ordertype=trailing-stop&volume=1&price=1", "price"),
        ("pair=XBTUSD&type=buy&ordertype=iceberg&volume=1&price=1", "displayvol"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=1&price=1&oflags=posts", "oflags"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=1&price=1&oflags=fcib,fciq", "oflags"),
        ("pair=XBTUSD&type=sell&ordertype=market&volume=1&oflags=viqc", "oflags"),
        ("pair=XBTUSD&type=buy&ordertype=market&volume=1&timeinforce=FOK", "timeinforce"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=1&price=1&timeinforce=GTD", "expiretm"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=1&price=1&expiretm=soon", "expiretm"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=1&price=1&expiretm=%2B4", "expiretm"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=1&price=1&userref=2147483648", "userref"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=1&price=1&userref=1&cl_ord_id=a", "cl_ord_id"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=1&price=1&cl_ord_id=" + "a" * 19, "cl_ord_id"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=1&price=1&deadline=tomorrow", "deadline"),
        ("pair=XBTUSD&type=buy&ordertype=limit&volume=1&price=1&close[ordertype]=limit", "close[price]"),
    ],
)
def test_a_wrong_field_is_named(body: str, field: str) -> None:
    with pytest.raises(Refused) as refused:
        METHODS["AddOrder"].read(decode_body(body.encode(), FORM))

    assert refused.value.text == f"EGeneral:Invalid arguments:{field}"


def test_forms_of_other_clients_are_read() -> None:
    body = (
        b"nonce=1&pair=XBTUSD&type=buy&ordertype=stop-loss-limit&volume=1.25&price=%2B5%25&price2=%23100&leverage=none"
        b"&oflags=fciq,nompp&starttm=0&expiretm=%2B60&validate=True&trading_agreement=agree&userref=&close[ordertype]="
        b"limit&close[price]=40000"
    )

    read = METHODS["AddOrder"].read(decode_body(body, "application/x-www-form-urlencoded; charset=utf-8"))

    assert isinstance(read, orders.AddOrder)
    assert read.validate
    assert read.order.trigger_price == orders.Price(Decimal(5), "pct", "+")
    assert read.order.limit_price == orders.Price(Decimal(100), "quote", "#")
    assert read.order.expires == orders.Moment(60 * 10**9, from_receipt=True)
    assert (read.order.fee_in, read.order.time_in_force, read.order.leverage) == ("quote", "gtd", None)
    assert read.order.close == orders.Close(order_type="limit", limit_price=orders.Price(Decimal(40_000)))


def test_json_numbers_are_exact() -> None:
    read = METHODS["AddOrder"].read(
        decode_body(
            b'{"nonce":1,"pair":"XBTUSD","type":"buy","ordertype":"limit","volume":0.1234567890123456789,"price":37500.50}',
            JSON,
        )
    )

    assert isinstance(read, orders.AddOrder)
    assert str(read.order.volume) == "0.1234567890123456789"
    assert read.order.limit_price == orders.Price(Decimal("37500.50"))


def test_unknown_methods_are_refused() -> None:
    for name, is_public in (("AddOrders", False), ("AddOrder", True), ("Time", False)):
        with pytest.raises(Refused, match="EGeneral:Unknown method"):
            method(name, is_public=is_public)


@given(
    query=st.one_of(
        st.builds(queries.OHLC, pair=st.just("XBTUSD"), interval=st.sampled_from([1, 5, 21600]), since=st.none()),
        st.builds(queries.Trades, pair=st.just("BTC/USD"), since=st.none() | drawn.amounts, count=st.integers(1, 1000)),
        st.builds(queries.Ticker, pair=st.none() | st.just(("XBTUSD", "ETH/BTC"))),
        st.builds(
            queries.ClosedOrders, trades=st.booleans(), userref=st.none() | drawn.userrefs,
            start=st.none() | st.just("1700000000.5"), ofs=st.integers(0, 100),
            closetime=st.sampled_from(["open", "both"]),
        ),
        st.builds(queries.QueryOrders, txid=st.lists(drawn.order_ids, min_size=1, max_size=3).map(tuple)),
        st.builds(queries.TradesHistory, type=st.just("closed position"), without_count=st.booleans()),
    )
)  # fmt: skip
def test_queries_survive_the_wire(query: queries.Query) -> None:
    name, fields = query_fields(query)

    assert METHODS[name].read(decode_body(encode_form(fields), FORM)) == query
    assert METHODS[name].read(decode_body(encode_json(fields), JSON)) == query


def test_requests_are_signed_over_what_is_sent() -> None:
    cancel = orders.CancelOrders(order_ids=("OAAAAA-BBBBB-CCCCCC", "ODDDDD-EEEEE-FFFFFF"), batch=True)

    request = private_request(cancel, "key", SECRET, 1_700_000_000_000)

    assert request.body == b'{"nonce":"1700000000000","orders":["OAAAAA-BBBBB-CCCCCC","ODDDDD-EEEEE-FFFFFF"]}'
    assert request.headers["API-Sign"].startswith("I91WTcmHqGugrtTzMuAJ49XzuWqq9pn74NHP")
    assert "I91W" not in repr(request)
    assert public_request(queries.Depth(pair="BTC/USD", count=5)).path == "/0/public/Depth?pair=BTC%2FUSD&count=5"
    assert public_request(queries.Time()).path == "/0/public/Time"


EXAMPLES = {
    "http_add_order_spot": "AddOrder",
    "http_asset_pairs": "AssetPairs",
    "http_asset_pairs_tokenized": "AssetPairs",
    "http_cancel_order_spot": "CancelOrder",
    "http_closed_orders": "ClosedOrders",
    "http_ohlc": "OHLC",
    "http_open_orders_spot": "OpenOrders",
    "http_open_orders": "OpenOrders",
    "http_order_book": "Depth",
    "http_server_time": "Time",
    "http_spot_balance": "Balance",
    "http_spot_open_positions": "OpenPositions",
    "http_spot_trade_balance": "TradeBalance",
    "http_system_status": "SystemStatus",
    "http_ticker": "Ticker",
    "http_trades": "Trades",
    "http_trades_history": "TradesHistory",
}


def holds(ours: Any, theirs: Any, where: str = "") -> None:
    """Assert that everything ours says stands in theirs, number text included."""
    if isinstance(ours, dict):
        for name, value in ours.items():
            if name in theirs:  # ours prints defaults that a recording leaves out
                holds(value, theirs[name], f"{where}.{name}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), where
        for at, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            holds(one, other, f"{where}[{at}]")
    else:
        assert type(ours) is type(theirs), where
        assert str(ours) == str(theirs), where


def test_recorded_answers_are_read_and_written_as_they_were(shared_data: Path) -> None:
    examples = drawn.recorded_examples(shared_data)
    seen = [name for name in examples if name in EXAMPLES]

    for name in seen:
        result = result_of(EXAMPLES[name], 200, examples[name])
        if isinstance(result, market.Series):
            written = succeeded(market.series_fields(result, quotes_last=EXAMPLES[name] == "Trades"))
        else:
            written = succeeded(result)

        loads = {"parse_float": Decimal}
        holds(json.loads(written, **loads)["result"], json.loads(examples[name], **loads)["result"], name)

    assert len(seen) >= 14


def test_the_recorded_pairs_are_read_whole(shared_data: Path) -> None:
    with gzip.open(shared_data / "kraken_rest_AssetPairs_20210417.json.gz") as file:
        body = file.read()

    rows = result_of("AssetPairs", 200, body)

    assert len(rows) == 304
    assert rows["XXBTZUSD"].fees[0] == (0, Decimal("0.26"))
    written = json.loads(succeeded(rows))["result"]
    raw = json.loads(body)["result"]
    holds(written, raw)
    for key, row in raw.items():
        assert set(row) - set(written[key]) <= {"lot_multiplier", "margin_call", "margin_stop", "aclass_base"}


@given(
    row=st.builds(
        account.OrderRow, userref=st.none() | drawn.userrefs, cl_ord_id=st.none() | drawn.client_ids,
        status=st.sampled_from(["open", "closed"]), opentm=st.just(Decimal("1688583840.8648")),
        descr=st.just(account.OrderDescription(pair="XBTUSDT", type="buy", ordertype="limit", price="29500.0")),
        vol=drawn.amounts, vol_exec=drawn.amounts, cost=drawn.amounts, fee=drawn.amounts, price=drawn.amounts,
        trades=st.none() | st.just(("TAAAAA-BBBBB-CCCCCC",)), reason=st.none() | st.text(max_size=10),
    )
)  # fmt: skip
def test_order_rows_survive_the_wire(row: account.OrderRow) -> None:
    body = succeeded(account.OpenOrdersAnswer({"OAAAAA-BBBBB-CCCCCC": row}))

    assert result_of("OpenOrders", 200, body).open["OAAAAA-BBBBB-CCCCCC"] == row
    assert b'"refid":null' in body
    assert b"E-" not in body


def test_small_numbers_never_print_in_scientific_form() -> None:
    tiny = Decimal("0.00000005")

    assert dumps({"a": tiny, "b": [Decimal("0E-8")]}) == b'{"a":0.00000005,"b":[0.00000000]}'
    assert dumps({"a": tiny}, quoted=True) == b'{"a":"0.00000005"}'


def test_errors_and_pages_of_html_are_told_apart() -> None:
    with pytest.raises(Answered) as answered:
        result_of("AddOrder", 200, failed("EOrder:Insufficient funds"))
    assert not answered.value.meaning.fate_unknown
    assert result_of("CancelAll", 200, b'{"error":["WFunding:Careful"],"result":{"count":4}}').count == 4
    for status, body in ((520, b"<html>"), (502, b""), (200, b'{"error":'), (503, b'{"error":[],"result":{}}')):
        with pytest.raises(NoAnswer, match="unknown"):
            result_of("AddOrder", status, body)


@pytest.mark.parametrize(
    "sentence",
    [
        "buy 1.25000000 XBTUSD @ limit 27500.0",
        "sell 1.00000000 ETHUSDT @ market",
        "sell 0.10000000 XBTUSD @ stop loss 26000.0",
        "sell 0.10000000 XBTUSD @ take profit 31000.0",
        "sell 0.10000000 XBTUSD @ stop loss 26000.0 -> limit 25900.0",
        "buy 0.10000000 XBTUSD @ trailing stop +5.0%",
        "buy 1.00000000 XBTUSD @ limit 27500.0 with 5:1 leverage",
        "close position @ stop loss 38000.0 -> limit 36000.0",
    ],
)
def test_descriptions_follow_the_grammar(sentence: str) -> None:
    assert describe(parse(sentence)) == sentence


@given(order=drawn.new_orders())
def test_any_order_can_be_described(order: orders.NewOrder) -> None:
    trigger, limit = order.trigger_price, order.limit_price
    first, second = (trigger, limit) if trigger else (limit, None)
    text = {True: "", False: "1.5"}
    one = Description(order.order_type, order.side, "1.00000000", "XBTUSD", text[first is None], text[second is None])

    assert parse(describe(one)) == one


def test_mutated_bodies_only_ever_raise_our_own_errors() -> None:
    rng = random.Random(5)
    seeds = [
        encode_form({"nonce": "1", "pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "1", "price": "1"}),
        b"orders[0][price]=1&orders[1][volume]=2&close[ordertype]=limit&txid[]=a&txid[]=b",
        encode_json({"nonce": "1", "orders": ["OAAAAA-BBBBB-CCCCCC", 5], "cl_ord_ids": ["a"], "timeout": 60}),
        b'{"pair":"XBTUSD","orders":[{"type":"buy","ordertype":"limit","volume":"1","price":"2"}],"deadline":"2026-01-01T"}',
    ]
    names = list(METHODS)
    begun = time.process_time()

    for turn in range(20_000):
        body = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(body) + 1)
            body[at : at + rng.randrange(3)] = rng.choice(
                [b"[", b"%", b"\xff", b"&&", b"=", b"{}", b"9e9", b'"', b"0" * 9]
            )
        with contextlib.suppress(ProtocolError, Refused):
            METHODS[names[turn % len(names)]].read(decode_body(bytes(body), rng.choice([FORM, JSON, ""])))

    assert time.process_time() - begun < 20


def test_hostile_bodies_are_refused_cheaply() -> None:
    for body in (
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"a[b]" * 50_000 + b"=1",
        b"&".join([b"a=1"] * 2000),
        b'{"a":1e99999999999}',
    ):
        with pytest.raises((ProtocolError, Refused)):
            METHODS["AddOrder"].read(decode_body(body, JSON if body[:1] in b"[{" else FORM))
