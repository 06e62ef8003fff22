"""The simulated exchange over HTTP: markets, keys, orders, limits and bad manners, on a real server."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.support.kraken_server import Running, running_server

PATIENCE_S = 1.0


@pytest.fixture(scope="module")
def exchange() -> Iterator[Running]:
    with running_server(["BTC/USD", "ETH/USD"], patience_s=PATIENCE_S) as running:
        yield running


def place(exchange: Running, name: str, **fields: Any) -> Any:
    """Place an order of BTC/USD."""
    return exchange.private(name, "AddOrder", **{"pair": "XBTUSD", "type": "buy", "ordertype": "limit", **fields})


def low(exchange: Running, share: float = 0.5) -> str:
    """Return a price far below the market."""
    return f"{exchange.price() * share:.1f}"


def test_public_answers_have_kraken_s_form(exchange: Running) -> None:
    status = exchange.public("SystemStatus")["result"]
    by_slash = exchange.public("AssetPairs", pair="BTC/USD")["result"]
    candles = exchange.public("OHLC", pair="ETHUSD", interval=1)["result"]
    depth = exchange.public("Depth", pair="xbtusd", count=5)["result"]["XXBTZUSD"]
    trades = exchange.public("Trades", pair="XBTUSD", count=10)["result"]
    ticker = exchange.public("Ticker")["result"]

    assert status["status"] == "online"
    assert abs(exchange.public("Time")["result"]["unixtime"] - time.time()) < 5
    assert by_slash["BTC/USD"]["altname"] == "XBTUSD"
    assert by_slash["BTC/USD"]["fees"][0] == [0, 0.4]
    starts = [row[0] for row in candles["XETHZUSD"]]
    assert len(starts) == 720
    assert all(later - sooner == 60 for sooner, later in pairwise(starts))
    assert candles["last"] == starts[-2]
    assert [len(depth[side]) for side in ("asks", "bids")] == [5, 5]
    assert float(depth["asks"][0][0]) > float(depth["bids"][0][0])
    assert len(trades["XXBTZUSD"][0]) == 7
    assert trades["last"].isdigit()
    later = exchange.public("Trades", pair="XBTUSD", since=trades["last"])["result"]["XXBTZUSD"]
    assert all(row[6] > trades["XXBTZUSD"][-1][6] for row in later)
    assert set(ticker) == {"XXBTZUSD", "XETHZUSD"}
    assert len(ticker["XXBTZUSD"]["a"][0].partition(".")[2]) == 5


@pytest.mark.parametrize(
    ("method", "fields", "error"),
    [
        ("Ticker", {"pair": "NOPE"}, "EQuery:Unknown asset pair"),
        ("Depth", {}, "EGeneral:Invalid arguments:pair"),
        ("Depth", {"pair": "XBTUSD", "count": "9999"}, "EGeneral:Invalid arguments:count"),
        ("OHLC", {"pair": "XBTUSD", "interval": "7"}, "EGeneral:Invalid arguments:interval"),
        ("Assets", {"asset": "NOPE"}, "EQuery:Unknown asset"),
        ("Balance", {}, "EGeneral:Unknown method"),
        ("Nothing", {}, "EGeneral:Unknown method"),
    ],
)
def test_wrong_public_calls_get_kraken_s_errors(
    exchange: Running, method: str, fields: dict[str, str], error: str
) -> None:
    assert exchange.public(method, **fields) == {"error": [error]}


def test_keys_signatures_and_nonces_are_checked_in_this_order(exchange: Running) -> None:
    path, body = "/0/private/Balance", b"nonce=5"
    unknown = {"API-Key": "A" * 56, "API-Sign": "AAAA"}
    unsigned = {"API-Key": exchange.key("pro-3")["key"], "API-Sign": "AAAA"}

    assert exchange.http("POST", path, body, unknown)[1] == {"error": ["EAPI:Invalid key"]}
    assert exchange.http("POST", path, body, {})[1] == {"error": ["EAPI:Invalid key"]}
    assert exchange.http("POST", path, body, unsigned)[1] == {"error": ["EAPI:Invalid signature"]}
    assert exchange.http("GET", path, None, unsigned)[1] == {"error": ["EAPI:Bad request"]}
    assert not exchange.private("pro-3", "Balance", nonce=10**18)["error"]
    assert exchange.private("pro-3", "Balance", nonce=10**18)["error"] == ["EAPI:Invalid nonce"]
    assert exchange.private("pro-3", "Balance", nonce=10**17)["error"] == ["EAPI:Invalid nonce"]
    assert exchange.private("pro-3", "Balance", nonce="x")["error"] == ["EAPI:Invalid nonce"]
    assert exchange.private("pro-3", "Balance", nonce=2**64)["error"] == ["EAPI:Invalid nonce"]
    assert not exchange.private("pro-3", "Balance")["error"]


def test_a_key_that_fails_again_and_again_is_locked_out(exchange: Running) -> None:
    bad = {"API-Key": "B" * 56, "API-Sign": "AAAA"}

    errors = [exchange.http("POST", "/0/private/Balance", b"nonce=5", bad)[1]["error"][0] for _ in range(12)]

    assert errors == ["EAPI:Invalid key"] * 10 + ["EGeneral:Temporary lockout"] * 2
    assert not exchange.private("pro-1", "Balance")["error"]  # others are not


def test_keys_may_do_only_what_they_may(exchange: Running) -> None:
    denied = ["EGeneral:Permission denied"]
    txid = place(exchange, "pro-1", volume="0.001", price=low(exchange))["result"]["txid"][0]

    assert place(exchange, "read-only", volume="0.001", price=low(exchange))["error"] == denied
    assert exchange.private("read-only", "CancelOrder", txid=txid)["error"] == denied
    assert txid in exchange.private("read-only", "OpenOrders")["result"]["open"]
    assert exchange.private("no-withdraw", "Withdraw")["error"] == denied
    assert exchange.private("pro-1", "Withdraw")["error"] == ["EAPI:Feature disabled"]
    assert place(exchange, "cancel-only", volume="0.001", price=low(exchange))["error"] == denied
    assert exchange.private("cancel-only", "Balance")["error"] == denied
    assert exchange.private("cancel-only", "CancelOrder", txid=txid)["result"] == {"count": 1}


def test_an_order_lives_from_placing_to_history(exchange: Running) -> None:
    price = low(exchange)
    placed = place(exchange, "pro-2", volume="0.01", price=price, cl_ord_id="mine-1")["result"]
    txid = placed["txid"][0]
    assert placed["descr"]["order"] == f"buy 0.01000000 XBTUSD @ limit {price}"

    row = exchange.private("pro-2", "OpenOrders", cl_ord_id="mine-1")["result"]["open"][txid]
    held = Decimal(exchange.private("pro-2", "BalanceEx")["result"]["ZUSD"]["hold_trade"])
    assert (row["status"], row["vol"], row["descr"]["price"]) == ("open", "0.01000000", price)
    assert held > Decimal(price) / 100

    again = place(exchange, "pro-2", volume="0.01", price=price, cl_ord_id="mine-1")
    assert again["error"][0].startswith("EGeneral:Invalid arguments:cl_ord_id")
    amended = exchange.private("pro-2", "AmendOrder", cl_ord_id="mine-1", order_qty="0.02")["result"]
    assert amended["amend_id"].startswith("T")
    assert exchange.private("pro-2", "QueryOrders", txid=txid)["result"][txid]["vol"] == "0.02000000"
    history = exchange.private("pro-2", "OrderAmends", order_id=txid)["result"]["amends"]
    assert [(one["amend_type"], one["order_qty"]) for one in history] == [
        *(("original", "0.01000000"), ("user", "0.02000000"))
    ]
    assert exchange.private("pro-2", "CancelOrder", txid=txid)["result"] == {"count": 1}
    assert exchange.private("pro-2", "CancelOrder", txid=txid)["error"] == ["EOrder:Unknown order"]
    closed = exchange.private("pro-2", "ClosedOrders")["result"]["closed"][txid]
    assert (closed["status"], closed["reason"]) == ("canceled", "User requested")


def test_money_adds_up_after_a_market_order(exchange: Running) -> None:
    def balances() -> dict[str, Decimal]:
        return {name: Decimal(text) for name, text in exchange.private("intermediate", "Balance")["result"].items()}

    before = balances()
    txid = place(exchange, "intermediate", ordertype="market", volume="0.02")["result"]["txid"][0]
    after = balances()
    order = exchange.private("intermediate", "QueryOrders", txid=txid, trades="true")["result"][txid]
    trades = exchange.private("intermediate", "QueryTrades", txid=",".join(order["trades"][:20]))["result"]
    ledger = exchange.private("intermediate", "Ledgers")["result"]["ledger"].values()

    assert (order["status"], order["vol_exec"]) == ("closed", "0.02000000")
    assert after["XXBT"] - before["XXBT"] == Decimal("0.02")
    assert abs(after["ZUSD"] - before["ZUSD"] + Decimal(order["cost"]) + Decimal(order["fee"])) < Decimal("0.0001")
    moved = sum(Decimal(one["amount"]) - Decimal(one["fee"]) for one in ledger if one["asset"] == "ZUSD")
    assert moved == after["ZUSD"]  # the opening deposit is the first entry
    assert sum(Decimal(one["vol"]) for one in trades.values()) == Decimal("0.02")
    assert all(one["ordertxid"] == txid and not one["maker"] for one in trades.values())


def test_batches_are_checked_as_a_whole_and_filled_one_by_one(exchange: Running) -> None:
    price = low(exchange)
    good = {"ordertype": "limit", "type": "buy", "volume": "0.001", "price": price}
    dear = {**good, "volume": "500"}

    mixed = exchange.private("pro-2", "AddOrderBatch", as_json=True, pair="XBTUSD", orders=[good, dear, good])
    wrong = exchange.private(
        "pro-2", "AddOrderBatch", as_json=True, pair="XBTUSD", orders=[good, {**good, "price": "1.55"}]
    )
    rows = mixed["result"]["orders"]
    ids = [row["txid"] for row in rows if "txid" in row]

    assert [set(row) & {"txid", "error"} for row in rows] == [{"txid"}, {"error"}, {"txid"}]
    assert rows[1]["error"] == "EOrder:Insufficient funds"
    assert wrong["error"] == ["EOrder:Invalid price:XBTUSD price can only be specified up to 1 decimals."]
    assert exchange.private("pro-2", "CancelOrderBatch", as_json=True, orders=ids)["result"] == {"count": 2}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"pair": "NOPE"}, "EQuery:Unknown asset pair"),
        ({"volume": "0.00001"}, "EOrder:Order minimum not met"),
        ({"volume": "0.00005", "price": "10.0"}, "EOrder:Cost minimum not met"),
        ({"volume": "1000000"}, "EOrder:Insufficient funds"),
        ({"price": "1.55"}, "EOrder:Invalid price:XBTUSD price can only be specified up to 1 decimals."),
        ({"leverage": "5"}, "EOrder:Margin allowance exceeded"),
        ({"deadline": "2020-01-01T00:00:00Z"}, "EService:Deadline elapsed"),
        ({"deadline": "2099-01-01T00:00:00Z"}, "EGeneral:Invalid arguments:deadline"),
        ({"volume": "0.123456789"}, "EGeneral:Invalid arguments:volume"),
    ],
)
def test_orders_that_cannot_be_are_refused_in_kraken_s_words(
    exchange: Running, fields: dict[str, str], error: str
) -> None:
    order = {"volume": "0.001", "price": low(exchange), **fields}

    assert place(exchange, "pro-3", **order)["error"] == [error]


def test_post_only_and_validation(exchange: Running) -> None:
    high = f"{exchange.price() * 1.01:.1f}"

    assert place(exchange, "pro-3", volume="0.001", price=high, oflags="post")["error"] == ["EOrder:Post only order"]
    checked = place(exchange, "pro-3", volume="0.001", price=low(exchange), validate="true")["result"]
    assert "txid" not in checked
    assert "descr" in checked


def test_accounts_see_nothing_of_each_other(exchange: Running) -> None:
    txid = place(exchange, "pro-1", volume="0.001", price=low(exchange), userref="77")["result"]["txid"][0]

    assert exchange.private("pro-2", "QueryOrders", txid=txid)["error"] == ["EOrder:Unknown order"]
    assert exchange.private("pro-2", "CancelOrder", txid=txid)["error"] == ["EOrder:Unknown order"]
    assert exchange.private("pro-2", "CancelOrder", txid="77")["error"] == ["EOrder:Unknown order"]
    assert exchange.private("pro-2", "AmendOrder", txid=txid, order_qty="1")["error"] == ["EOrder:Unknown order"]
    assert txid not in exchange.private("pro-2", "OpenOrders")["result"]["open"]
    assert exchange.private("pro-1", "CancelOrder", txid="77")["result"] == {"count": 1}


def test_calls_beyond_the_counter_are_refused_and_orders_are_not_counted(exchange: Running) -> None:
    errors = [exchange.private("starter", "TradesHistory")["error"] for _ in range(10)]

    assert errors[0] == []
    assert ["EAPI:Rate limit exceeded"] in errors  # 15 points, 2 each
    assert place(exchange, "starter", volume="0.001", price=low(exchange), validate="true")["error"] == []


def test_modes_of_the_market_close_the_door_one_by_one(exchange: Running) -> None:
    price = low(exchange)
    txid = place(exchange, "pro-3", volume="0.001", price=price)["result"]["txid"][0]
    try:
        assert exchange.admin("mode", mode="cancel_only")["mode"] == "cancel_only"
        assert place(exchange, "pro-3", volume="0.001", price=price)["error"] == ["EService:Market in cancel_only mode"]
        exchange.admin("mode", mode="post_only")
        refused = place(exchange, "pro-3", volume="0.001", price=price)
        assert refused["error"] == ["EService:Market in post_only mode"]
        exchange.admin("mode", mode="maintenance")
        assert exchange.private("pro-3", "CancelOrder", txid=txid)["error"] == ["EService:Unavailable"]
        assert exchange.public("SystemStatus")["result"]["status"] == "maintenance"
    finally:
        exchange.admin("mode", mode="online")
    assert exchange.private("pro-3", "CancelOrder", txid=txid)["result"] == {"count": 1}


def test_bad_bodies_get_an_envelope_and_never_html(exchange: Running) -> None:
    path, key = "/0/private/AddOrder", {"API-Key": exchange.key("pro-1")["key"]}
    as_json = {**key, "Content-Type": "application/json"}

    assert exchange.http("POST", path, b"x" * 300_000, key) == (413, {"error": ["EAPI:Bad request"]})
    for body in (b"{", b"[1]", b'{"nonce":' + b"[" * 9_000, b"\xff\xfe"):
        assert exchange.http("POST", path, body, as_json) == (200, {"error": ["EGeneral:Invalid arguments"]})
    assert exchange.http("POST", path, b"%ff=%zz", key)[1]["error"] == ["EGeneral:Invalid arguments"]
    assert exchange.http("GET", "/")[1] == {"error": ["EGeneral:Unknown method"]}
    assert exchange.http("GET", "/0/public/Time/x")[1] == {"error": ["EGeneral:Unknown method"]}
    assert exchange.public("Time")["error"] == []


def test_slow_senders_are_cut_off(exchange: Running) -> None:
    address = urlsplit(exchange.ready["rest"])
    heads = [b"GET /0/public/Ti", b"POST /0/private/Balance HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nnonce="]

    for head in heads:
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as slow:
            slow.sendall(head)
            began = time.monotonic()
            while slow.recv(4096):
                pass
            assert time.monotonic() - began < PATIENCE_S + 4
    assert exchange.public("Time")["error"] == []


def test_faults_can_be_injected_and_cleared(exchange: Running) -> None:
    address = urlsplit(exchange.ready["rest"])
    exchange.admin("bad-gateway", count=1)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as asking:
        asking.sendall(b"GET /0/public/Time HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"520" in asking.recv(4096)

    price = low(exchange, 0.4)
    exchange.admin("lose-reply", count=1)
    with pytest.raises(OSError):  # noqa: PT011  (which one depends on when the peer hangs up)
        exchange.private("pro-3", "AddOrder", pair="XBTUSD", type="buy", ordertype="limit", volume="0.001",
                         price=price, cl_ord_id="lost-1")  # fmt: skip
    assert exchange.private("pro-3", "OpenOrders", cl_ord_id="lost-1")["result"]["open"]  # carried out all the same
    exchange.private("pro-3", "CancelAll")

    exchange.admin("outage", seconds=60)
    assert exchange.private("pro-1", "Balance")["error"] == ["EService:Unavailable"]
    assert exchange.admin("reopen")["unavailable"] is False
    assert exchange.private("pro-1", "Balance")["error"] == []


def test_a_crash_moves_the_market(exchange: Running) -> None:
    before = exchange.price()
    exchange.admin("crash", symbol="BTC/USD", percent=10, seconds=600)
    exchange.admin("speed", speed=20)
    try:
        deadline = time.monotonic() + 10
        while exchange.price() > before * 0.95 and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        state = exchange.admin("speed", speed=1)
    assert exchange.price() < before * 0.95
    assert any("sweep" in line for line in state["happened"]["BTC/USD"])


def test_the_admin_endpoint_says_what_is_wrong(exchange: Running) -> None:
    from tests.support.kraken_server import _http

    def ask(deed: str, **wishes: Any) -> Any:
        return _http(exchange.ready["admin"], "POST", f"/{deed}", json.dumps(wishes).encode(), {})

    assert ask("explode")[0] == 404
    assert ask("speed", speed=0)[0] == 400
    assert ask("mode", mode="open")[0] == 400
    assert "X01" in ask("scenario", name="X99")[1]["error"]
    assert ask("speed", tempo=1)[0] == 400
    assert _http(exchange.ready["admin"], "GET", "/", None, {})[1]["mode"] == "online"
