"""A day of a ccxt user: markets, prices, an account, every kind of order, history, and what goes wrong."""

from __future__ import annotations

import time

import ccxt
from common import EXCHANGE, Seen, ccxt_urls, key_of

SYMBOL = "BTC/USD"
seen = Seen()


def client(key: dict) -> ccxt.kraken:
    return ccxt.kraken({"apiKey": key["key"], "secret": key["secret"], "urls": ccxt_urls(), "rateLimit": 150})


kraken = client(key_of("pro", 0))


def picked(order: dict, *names: str) -> dict:
    return {name: order[name] for name in ("id", "status", "filled", "remaining", "average", "cost", *names)}


def until_done(order_id: str) -> dict:
    for _ in range(20):
        order = kraken.fetch_order(order_id, SYMBOL)
        if order["status"] != "open":
            break
        time.sleep(0.2)
    return {**picked(order, "type", "side", "amount"), "fee": order["fee"]}


def order_trades(order_id: str) -> list:
    ids = kraken.fetch_order(order_id, SYMBOL)["info"]["trades"]
    return kraken.fetch_order_trades(order_id, SYMBOL, params={"trades": ids})


# Market data.
seen.step("market", lambda: kraken.load_markets()[SYMBOL])
seen.step("symbols", lambda: sorted(kraken.markets))
seen.step("time", lambda: kraken.fetch_time())
seen.step("status", lambda: kraken.fetch_status()["status"])
ticker = seen.step("ticker", lambda: kraken.fetch_ticker(SYMBOL))
seen.step("tickers", lambda: {name: one["last"] for name, one in kraken.fetch_tickers().items()})
seen.step("book", lambda: kraken.fetch_order_book(SYMBOL, 50))
trades = seen.step("trades", lambda: kraken.fetch_trades(SYMBOL, limit=200))
seen.step("trades_since", lambda: kraken.fetch_trades(SYMBOL, since=trades[50]["timestamp"] // 1000 * 1000))
seen.step("candles", lambda: kraken.fetch_ohlcv(SYMBOL, "1m"))
seen.step("hours", lambda: kraken.fetch_ohlcv(SYMBOL, "1h")[-3:])

# Account and orders.
before = seen.step("balance", lambda: kraken.fetch_balance()["total"])
seen.step("fee", lambda: kraken.fetch_trading_fee(SYMBOL))
bid, ask = ticker["bid"], ticker["ask"]
low = float(kraken.price_to_precision(SYMBOL, bid * 0.8))

rested = seen.step(
    "limit", lambda: kraken.create_order(SYMBOL, "limit", "buy", 0.01, low, {"clientOrderId": "ccxt-rest-1"})
)
seen.step("open_orders", lambda: [picked(one, "clientOrderId", "price") for one in kraken.fetch_open_orders(SYMBOL)])
seen.step(
    "fetched", lambda: picked(kraken.fetch_order(rested["id"], SYMBOL), "price", "amount", "symbol", "type", "side")
)
seen.step("amend", lambda: kraken.edit_order(rested["id"], SYMBOL, "limit", "buy", 0.02, low - 10)["id"])
seen.step("amended", lambda: picked(kraken.fetch_order(rested["id"], SYMBOL), "price", "amount"))
seen.step("used", lambda: kraken.fetch_balance()["used"]["USD"])
seen.step("cancel", lambda: bool(kraken.cancel_order(rested["id"], SYMBOL)))
seen.step("canceled", lambda: picked(kraken.fetch_order(rested["id"], SYMBOL)))
seen.step("cancel_again", lambda: kraken.cancel_order(rested["id"], SYMBOL))

seen.step(
    "post_only_crossing", lambda: kraken.create_order(SYMBOL, "limit", "buy", 0.01, ask * 1.01, {"postOnly": True})
)
post = seen.step("post_only", lambda: kraken.create_order(SYMBOL, "limit", "buy", 0.01, low, {"postOnly": True})["id"])
ioc = seen.step(
    "ioc_missing", lambda: kraken.create_order(SYMBOL, "limit", "buy", 0.01, low, {"timeInForce": "IOC"})["id"]
)
seen.step("ioc_missed", lambda: until_done(ioc))
bought = seen.step("market_buy", lambda: kraken.create_order(SYMBOL, "market", "buy", 0.01)["id"])
seen.step("bought", lambda: until_done(bought))
sold = seen.step(
    "ioc_sell", lambda: kraken.create_order(SYMBOL, "limit", "sell", 0.004, low, {"timeInForce": "IOC"})["id"]
)
seen.step("sold", lambda: until_done(sold))
seen.step("after", lambda: kraken.fetch_balance()["total"])
stop = seen.step(
    "stop", lambda: kraken.create_order(SYMBOL, "market", "sell", 0.002, None, {"stopLossPrice": low})["id"]
)
seen.step("stop_open", lambda: [(one["id"], one["triggerPrice"]) for one in kraken.fetch_open_orders(SYMBOL)])
batch = seen.step(
    "batch",
    lambda: [
        one["id"]
        for one in kraken.create_orders(
            [
                {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": low - step}
                for step in (1, 2, 3)
            ]
        )
    ],
)
seen.step("cancel_batch", lambda: kraken.cancel_orders(batch[:2])[0]["info"]["result"]["count"])
seen.step("cancel_all", lambda: kraken.cancel_all_orders()[0]["info"]["result"]["count"])
seen.step("none_open", lambda: len(kraken.fetch_open_orders()))
seen.step("dead_man", lambda: kraken.cancel_all_orders_after(60_000)["result"])
seen.step("disarmed", lambda: kraken.cancel_all_orders_after(0)["result"])

# History.
seen.step("my_trades", lambda: [one for one in kraken.fetch_my_trades(SYMBOL) if one["order"] in (bought, sold)])
seen.step("order_trades", lambda: [one["order"] for one in order_trades(bought)])
seen.step("closed", lambda: [picked(one) for one in kraken.fetch_closed_orders(SYMBOL)])
seen.step(
    "ledger", lambda: [(one["type"], one["currency"], one["amount"]) for one in kraken.fetch_ledger("USD", limit=5)]
)

# What goes wrong.
seen.step("too_dear", lambda: kraken.create_order(SYMBOL, "limit", "buy", 1e6, low))
seen.step("too_small", lambda: kraken.create_order(SYMBOL, "limit", "buy", 0.00001, low))
seen.step("wrong_secret", lambda: client({**key_of("pro", 2), "secret": key_of("pro", 1)["secret"]}).fetch_balance())
seen.step("wrong_key", lambda: client({"key": "A" * 56, "secret": key_of("pro", 1)["secret"]}).fetch_balance())
seen.facts["rest"] = EXCHANGE["rest"]
seen.tell()
