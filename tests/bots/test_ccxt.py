"""ccxt, REST and WebSocket, as its users install it, through a trader's day at our exchange."""

from __future__ import annotations

import re

import pytest

from support.bots import fine

ORDER_ID = re.compile(r"O[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}")


@pytest.fixture(scope="module")
def rest(visits):
    return visits["ccxt_rest"]


@pytest.fixture(scope="module")
def pro(visits):
    return visits["ccxt_pro"]


def test_ccxt_reads_the_rules_of_a_market(rest):
    fine(rest, "market", "status", "time", "fee")

    market = rest["market"]
    assert (market["id"], market["altname"], market["active"]) == ("XXBTZUSD", "XBTUSD", True)
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.1, 1e-8)
    assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.00005, 0.5)
    assert (market["taker"], market["maker"]) == (0.004, 0.0025)
    assert {"BTC/USD", "ETH/USD", "SOL/USD"} <= set(rest["symbols"])
    assert rest["status"] == "ok"
    assert 0 < rest["fee"]["maker"] < rest["fee"]["taker"] <= 0.004


def test_ccxt_reads_prices_books_trades_and_candles(rest):
    fine(rest, "ticker", "tickers", "book", "trades", "trades_since", "candles", "hours")

    ticker, book = rest["ticker"], rest["book"]
    assert 0 < ticker["low"] <= ticker["last"] <= ticker["high"]
    assert ticker["bid"] < ticker["ask"]
    assert set(rest["tickers"]) == set(rest["symbols"])
    assert [len(book[side]) for side in ("bids", "asks")] == [50, 50]
    assert book["bids"] == sorted(book["bids"], reverse=True)
    assert book["asks"] == sorted(book["asks"])
    assert book["bids"][0][0] < book["asks"][0][0]
    numbers = [int(one["id"]) for one in rest["trades"]]
    assert numbers == list(range(numbers[0], numbers[0] + 200))
    assert rest["trades"][0]["side"] in ("buy", "sell")
    assert rest["trades_since"][0]["timestamp"] >= rest["trades"][50]["timestamp"] // 1000 * 1000
    times = [row[0] for row in rest["candles"]]
    assert times == [times[0] + 60_000 * n for n in range(720)]
    assert all(low <= min(o, c) <= max(o, c) <= high for _, o, high, low, c, _ in rest["candles"])
    assert rest["hours"][1][0] - rest["hours"][0][0] == 3_600_000


def test_a_limit_order_rests_is_amended_and_cancelled(rest):
    fine(rest, "limit", "open_orders", "fetched", "amend", "amended", "used", "cancel", "canceled")

    order_id = rest["limit"]["id"]
    assert ORDER_ID.fullmatch(order_id)
    (listed,) = [one for one in rest["open_orders"] if one["id"] == order_id]
    assert (listed["clientOrderId"], listed["status"], listed["filled"]) == ("ccxt-rest-1", "open", 0)
    fetched, amended = rest["fetched"], rest["amended"]
    assert (fetched["symbol"], fetched["type"], fetched["side"], fetched["amount"]) == ("BTC/USD", "limit", "buy", 0.01)
    assert (amended["id"], amended["amount"], amended["status"]) == (order_id, 0.02, "open")
    assert amended["price"] == pytest.approx(fetched["price"] - 10)
    assert rest["used"] >= 0.02 * amended["price"]
    assert rest["canceled"]["status"] == "canceled"
    assert rest["cancel_again"]["raised"] == "OrderNotFound"


def test_post_only_ioc_and_market_orders_do_what_they_say(rest):
    fine(rest, "post_only", "ioc_missing", "ioc_missed", "market_buy", "bought", "ioc_sell", "sold", "after")

    assert "EOrder:Post only order" in rest["post_only_crossing"]["message"]
    assert (rest["ioc_missed"]["status"], rest["ioc_missed"]["filled"]) == ("canceled", 0)
    bought, sold = rest["bought"], rest["sold"]
    assert (bought["status"], bought["filled"], bought["type"]) == ("closed", 0.01, "market")
    assert (sold["status"], sold["filled"], sold["side"]) == ("closed", 0.004, "sell")
    assert bought["cost"] == pytest.approx(bought["average"] * 0.01, rel=1e-4)
    fees = {one["id"]: float(one["fee"]["cost"]) for one in (bought, sold)}
    assert fees[bought["id"]] == pytest.approx(bought["cost"] * 0.004, abs=1e-3)
    before, after = rest["balance"], rest["after"]
    assert after["BTC"] - before["BTC"] == pytest.approx(0.006, abs=1e-10)
    paid = bought["cost"] - sold["cost"] + sum(fees.values())
    assert before["USD"] - after["USD"] == pytest.approx(paid, abs=1e-3)


def test_stops_batches_and_the_dead_mans_switch_work(rest):
    fine(rest, "stop", "stop_open", "batch", "cancel_batch", "cancel_all", "none_open", "dead_man", "disarmed")

    assert rest["stop"] in [order_id for order_id, trigger in rest["stop_open"] if trigger]
    assert len(set(rest["batch"])) == 3
    # Left of all: one of the batch, the stop, and the post-only order.
    assert (rest["cancel_batch"], int(rest["cancel_all"]), rest["none_open"]) == (2, 3, 0)
    assert rest["dead_man"]["triggerTime"] > rest["dead_man"]["currentTime"]
    assert rest["disarmed"]["triggerTime"] == "0"


def test_history_agrees_with_what_was_done(rest):
    fine(rest, "my_trades", "order_trades", "closed", "ledger")

    by_order: dict[str, float] = {}
    for trade in rest["my_trades"]:
        by_order[trade["order"]] = by_order.get(trade["order"], 0.0) + trade["amount"]
    assert by_order == pytest.approx({rest["market_buy"]: 0.01, rest["ioc_sell"]: 0.004})
    fees = sum(float(trade["fee"]["cost"]) for trade in rest["my_trades"])
    assert fees == pytest.approx(sum(float(rest[name]["fee"]["cost"]) for name in ("bought", "sold")), abs=1e-4)
    assert set(rest["order_trades"]) == {rest["market_buy"]}
    assert {rest["limit"]["id"], rest["market_buy"]} <= {one["id"] for one in rest["closed"]}
    assert {kind for kind, *_ in rest["ledger"]} - {"transaction"} == {"trade"}  # and the opening deposit


def test_refusals_are_the_exceptions_ccxt_has_for_them(rest):
    raised = {name: rest[name]["raised"] for name in ("too_dear", "too_small", "wrong_secret", "wrong_key")}

    assert raised == {
        "too_dear": "InsufficientFunds",
        "too_small": "InvalidOrder",
        "wrong_secret": "ExchangeError",  # ccxt has none for EAPI:Invalid signature
        "wrong_key": "AuthenticationError",
    }
    assert "EAPI:Invalid signature" in rest["wrong_secret"]["message"]


def test_ccxt_pro_follows_the_book_with_its_checksum(pro):
    fine(pro, "ticker", "book", "trades", "candles", "bids_asks", "balance")

    assert pro["book"] == {"updates": 60, "crossed": 0, "depth": [10, 10], "proved": True, "wrong": 0}
    assert pro["ticker"]["bid"] < pro["ticker"]["ask"]
    assert {one["symbol"] for one in pro["trades"]} == {"BTC/USD"}
    assert len(pro["candles"][-1]) == 6
    assert pro["balance"]["BTC"]["total"] > 0


def test_ccxt_pro_trades_and_hears_of_its_own_orders(pro):
    fine(pro, "limit", "amend", "cancel", "market", "post_only", "second", "cancel_all", "balance_after")

    assert ORDER_ID.fullmatch(pro["rested"])
    assert pro["amend"]["id"] == pro["rested"]
    statuses = [status for status, _ in pro["orders"][pro["rested"]]]
    assert (statuses[0], statuses[-1]) == ("open", "canceled")
    fills = [trade for trade in pro["my_trades"] if trade["order"] == pro["bought"]]
    assert sum(trade["amount"] for trade in fills) == pytest.approx(0.005)
    assert {trade["symbol"] for trade in fills} == {"BTC/USD"}
    assert pro["orders"][pro["bought"]][-1] == ["closed", 0.005]
    assert pro["balance_after"]["BTC"]["total"] - pro["balance"]["BTC"]["total"] == pytest.approx(0.005)
    assert "EOrder:Insufficient funds" in pro["too_dear"]["message"]
    assert pro["unknown"]["raised"] == "OrderNotFound"
