"""python-kraken-sdk, as its users install it, through a trader's day at our exchange."""

from __future__ import annotations

import pytest

from support.bots import fine


@pytest.fixture(scope="module")
def sdk(visits):
    return visits["kraken_sdk"]


def test_it_reads_the_market(sdk):
    fine(sdk, "status", "assets", "pairs", "ticker", "book", "trades", "candles", "spreads")

    assert sdk["status"] == "online"
    assert {"XXBT", "ZUSD", "XETH"} <= set(sdk["assets"])
    assert list(sdk["pairs"]) == ["BTC/USD"]  # keyed as it was asked for
    assert sdk["pairs"]["BTC/USD"]["altname"] == "XBTUSD"
    assert list(sdk["ticker"]) == list(sdk["book"]) == ["XXBTZUSD"]
    assert len(sdk["book"]["XXBTZUSD"]["bids"]) == 20
    assert sdk["trades"]["XXBTZUSD"][-1][6] > sdk["trades"]["XXBTZUSD"][0][6]
    assert isinstance(sdk["trades"]["last"], str)
    assert sdk["candles"]["last"] == sdk["candles"]["XXBTZUSD"][-2][0]
    assert sdk["spreads"]["XXBTZUSD"]


def test_it_reads_the_account(sdk):
    fine(sdk, "balance", "balances", "trade_balance", "volume", "closed")

    assert float(sdk["balance"]["ZUSD"]) > 0
    assert set(sdk["balances"]["ZUSD"]) >= {"balance", "hold_trade"}
    assert float(sdk["trade_balance"]["eb"]) > 0
    assert float(sdk["volume"]["fees"]["XXBTZUSD"]["fee"]) > 0
    assert sdk["closed"] > 0


def test_its_orders_are_placed_amended_edited_and_cancelled(sdk):
    fine(sdk, "limit", "open", "amend", "amended", "amends", "edit", "cancel", "validate", "truncated")

    (txid,) = sdk["limit"]["txid"]
    assert sdk["limit"]["descr"]["order"].startswith("buy 0.01000000 XBTUSD @ limit ")
    order = sdk["open"]["open"][txid]
    assert (order["cl_ord_id"], order["status"], order["descr"]["pair"]) == ("sdk-1", "open", "XBTUSD")
    assert "post" in order["oflags"]
    assert sdk["amended"][txid]["vol"] == "0.02000000"
    assert sdk["amends"]["count"] == 2  # as placed, and amended
    assert sdk["edit"]["originaltxid"] == txid
    assert sdk["edit"]["txid"] != txid
    assert sdk["cancel"] == {"count": 1}
    assert "txid" not in sdk["validate"]
    assert " 0.01234567 XBTUSD @ limit " in sdk["truncated"]


def test_its_batches_market_orders_and_history_agree(sdk):
    fine(sdk, "batch", "cancel_batch", "market", "bought", "history", "dead_man", "disarmed", "cancel_all")

    assert all(isinstance(row["txid"], str) for row in sdk["batch"]["orders"])
    assert sdk["cancel_batch"] == {"count": 2}
    order = sdk["bought"][sdk["market"]]
    assert (order["status"], order["vol_exec"]) == ("closed", "0.00400000")
    assert set(order["trades"]) == set(sdk["history"])
    assert sum(float(trade["vol"]) for trade in sdk["history"].values()) == pytest.approx(0.004)
    assert sdk["disarmed"]["triggerTime"] == "0"
    assert sdk["cancel_all"]["count"] == 1  # the truncated one


def test_refusals_are_the_exceptions_it_has_for_them(sdk):
    assert sdk["too_dear"]["raised"] == "KrakenInsufficientFundsError"
    assert sdk["unknown_pair"]["raised"] == "KrakenUnknownAssetError"  # its name for EQuery:Unknown asset pair


def test_its_streams_subscribe_and_trade(sdk):
    fine(sdk, "streams", "ws_add", "ws_amend", "ws_cancel", "ws_batch", "ws_cancel_batch", "ws_market", "ws_bad")

    assert {"ticker", "trade", "ohlc", "instrument", "status"} <= set(sdk["ws_public"])
    for ack in sdk["ws_acks"]:
        assert ack["success"]
        assert isinstance(ack["result"].get("symbol", ""), str)
    assert sdk["ws_add"]["success"]
    assert sdk["ws_add"]["result"]["cl_ord_id"] == "sdk-ws-1"
    assert sdk["ws_amend"]["result"]["cl_ord_id"] == "sdk-ws-1"
    assert len(sdk["ws_batch"]["result"]) == 2
    assert sdk["ws_cancel_batch"]["result"]["count"] == 2
    assert sdk["ws_bad"] == sdk["ws_bad"] | {
        "success": False,
        "error": "Currency pair not supported XBT/USD",
        "req_id": 17,
    }


def test_its_own_order_stream_is_whole_and_in_order(sdk):
    fine(sdk, "streams", "ws_add", "ws_market")

    numbers = [message["sequence"] for message in sdk["executions"]]
    assert numbers == list(range(1, len(numbers) + 1))
    sold = sdk["ws_market"]["result"]["order_id"]
    reports = [report for message in sdk["executions"][1:] for report in message["data"]]
    kinds = [report["exec_type"] for report in reports if report["order_id"] == sold]
    assert kinds[:2] == ["pending_new", "new"]
    assert kinds[-1] == "filled"
    assert set(kinds[2:-1]) == {"trade"}
    filled = [report for report in reports if report["order_id"] == sold][-1]
    assert filled["cum_qty"] == 0.003
    rested = sdk["ws_add"]["result"]["order_id"]
    assert [report["exec_type"] for report in reports if report["order_id"] == rested] == [
        "pending_new",
        "new",
        "amended",
        "canceled",
    ]
    amounts = [entry["amount"] for message in sdk["ws_balances"][1:] for entry in message["data"]]
    assert pytest.approx(-0.003) == sum(amount for amount in amounts if -1 < amount < 0)


def test_its_order_book_stays_valid(sdk):
    fine(sdk, "order_book")

    book = sdk["order_book"]
    assert book["updates"] > 100
    assert (book["errors"], book["valid"]) == ([], True)
    assert float(book["best"][0]) < float(book["best"][1])
