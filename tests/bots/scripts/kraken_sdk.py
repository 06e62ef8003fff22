"""A day of a python-kraken-sdk user: REST clients, the WebSocket client, and its order book with checksums."""

from __future__ import annotations

import asyncio
import time

from common import EXCHANGE, Seen, key_of
from kraken.base_api import SpotClient
from kraken.spot import Market, SpotOrderBookClient, SpotWSClient, Trade, User
from kraken.spot.websocket import SpotWSClientBase

REST = EXCHANGE["rest"]
WS, WS_AUTH = EXCHANGE["ws"].removesuffix("/v2"), EXCHANGE["ws_auth"].removesuffix("/v2")
SYMBOL, PAIR = "BTC/USD", "XBTUSD"
KEY = key_of("pro", 1)
# The order book client takes no addresses.
SpotClient.URL = REST
SpotWSClientBase.WS_URL = WS
SpotWSClientBase.AUTH_WS_URL = WS_AUTH

seen = Seen()
market = Market(url=REST)
user = User(key=KEY["key"], secret=KEY["secret"], url=REST)
trade = Trade(key=KEY["key"], secret=KEY["secret"], url=REST)

PAUSE_S = 0.4  # public requests are limited


def slowly(work):
    time.sleep(PAUSE_S)
    return work()


seen.step("status", lambda: market.get_system_status()["status"])
seen.step("assets", lambda: sorted(market.get_assets()))
seen.step("pairs", lambda: market.get_asset_pairs(pair=SYMBOL))
ticker = seen.step("ticker", lambda: slowly(lambda: market.get_ticker(pair=PAIR)))
seen.step("book", lambda: slowly(lambda: market.get_order_book(pair=PAIR, count=20)))
seen.step("trades", lambda: slowly(lambda: market.get_recent_trades(pair=PAIR)))
seen.step("candles", lambda: slowly(lambda: market.get_ohlc(pair=PAIR, interval=5)))
seen.step("spreads", lambda: slowly(lambda: market.get_recent_spreads(pair=PAIR)))
seen.step("balance", lambda: user.get_account_balance())
seen.step("balances", lambda: user.get_balances())
seen.step("trade_balance", lambda: user.get_trade_balance())
seen.step("volume", lambda: user.get_trade_volume(pair=PAIR))

bid = float(next(iter(ticker.values()))["b"][0])
low = round(bid * 0.8, 1)
rested = seen.step(
    "limit",
    lambda: trade.create_order(
        ordertype="limit", side="buy", pair=PAIR, volume=0.01, price=low, cl_ord_id="sdk-1", oflags="post"
    ),
)
txid = rested["txid"][0]
seen.step("open", lambda: user.get_open_orders())
seen.step("amend", lambda: trade.amend_order(txid=txid, order_qty="0.02", limit_price=str(low - 10)))
seen.step("amended", lambda: user.get_orders_info(txid=txid))
seen.step("amends", lambda: user.get_order_amends(order_id=txid))
seen.step("edit", lambda: trade.edit_order(txid=txid, pair=PAIR, volume=0.03, price=low))
edited = seen.facts["edit"].get("txid", txid)
seen.step("cancel", lambda: trade.cancel_order(txid=edited))
seen.step("validate", lambda: trade.create_order("limit", "sell", PAIR, 0.01, low * 2, validate=True))
seen.step(
    "truncated",
    lambda: trade.create_order("limit", "buy", PAIR, 0.0123456789, low + 0.123456, truncate=True)["descr"]["order"],
)
batch = seen.step(
    "batch",
    lambda: trade.create_order_batch(
        orders=[
            {
                "ordertype": "limit",
                "price": low - step,
                "timeinforce": "GTC",
                "type": "buy",
                "volume": 0.01,
                "userref": 5,
            }
            for step in (1, 2)
        ],
        pair=SYMBOL,
    ),
)
seen.step("cancel_batch", lambda: trade.cancel_order_batch(orders=[one["txid"] for one in batch["orders"]]))
bought = seen.step("market", lambda: trade.create_order("market", "buy", PAIR, "0.004")["txid"][0])
seen.step("bought", lambda: user.get_orders_info(txid=bought, trades=True))
seen.step("history", lambda: {k: v for k, v in user.get_trades_history()["trades"].items() if v["ordertxid"] == bought})
seen.step("closed", lambda: user.get_closed_orders()["count"])
seen.step("dead_man", lambda: trade.cancel_all_orders_after_x(timeout=60))
seen.step("disarmed", lambda: trade.cancel_all_orders_after_x(timeout=0))
seen.step("cancel_all", lambda: trade.cancel_all_orders())
seen.step("too_dear", lambda: trade.create_order("limit", "buy", PAIR, 1e6, low))
seen.step("unknown_pair", lambda: trade.create_order("limit", "buy", "NOPE", 1, low))


async def streams() -> None:
    public: list[dict] = []
    private: list[dict] = []

    async def on_public(message: dict) -> None:
        public.append(message)

    async def on_private(message: dict) -> None:
        private.append(message)

    client = SpotWSClient(callback=on_public, rest_url=REST, ws_url=WS, auth_ws_url=WS_AUTH)
    own = SpotWSClient(
        key=KEY["key"],
        secret=KEY["secret"],
        callback=on_private,
        no_public=True,
        rest_url=REST,
        ws_url=WS,
        auth_ws_url=WS_AUTH,
    )
    await client.start()
    await own.start()
    for channel in ("ticker", "trade", "ohlc", "instrument"):
        params = {"channel": channel, **({} if channel == "instrument" else {"symbol": [SYMBOL]})}
        if channel == "ohlc":
            params["interval"] = 1
        await client.subscribe(params=params)
    await own.subscribe(params={"channel": "executions", "snap_orders": True, "snap_trades": True})
    await own.subscribe(params={"channel": "balances"})

    async def reply(method: str, params: dict, req_id: int) -> dict:
        await own.send_message({"method": method, "params": params, "req_id": req_id})
        for _ in range(100):
            for message in private:
                if message.get("req_id") == req_id and message.get("method") == method:
                    return message
            await asyncio.sleep(0.05)
        raise TimeoutError(f"no reply to {method}")

    order = {"order_type": "limit", "side": "buy", "order_qty": 0.01, "limit_price": low, "symbol": SYMBOL}
    added = await seen.astep("ws_add", reply("add_order", {**order, "cl_ord_id": "sdk-ws-1"}, 11))
    await seen.astep("ws_amend", reply("amend_order", {"cl_ord_id": "sdk-ws-1", "order_qty": 0.015}, 12))
    await seen.astep("ws_cancel", reply("cancel_order", {"order_id": [added["result"]["order_id"]]}, 13))
    rows = [{k: v for k, v in order.items() if k != "symbol"} | {"limit_price": low - step} for step in (1, 2)]
    await seen.astep("ws_batch", reply("batch_add", {"symbol": SYMBOL, "orders": rows}, 14))
    ids = [row["order_id"] for row in seen.facts["ws_batch"].get("result", [])]
    await seen.astep("ws_cancel_batch", reply("batch_cancel", {"orders": ids}, 15))
    market_order = {"order_type": "market", "side": "sell", "order_qty": 0.003, "symbol": SYMBOL}
    sold = await seen.astep("ws_market", reply("add_order", market_order, 16))
    await seen.astep("ws_bad", reply("add_order", {**order, "symbol": "XBT/USD"}, 17))

    for _ in range(100):
        channels = {message.get("channel") for message in public}
        kinds = {
            report["exec_type"]
            for message in private
            if message.get("channel") == "executions"
            for report in message["data"]
            if report["order_id"] == sold["result"]["order_id"]
        }
        if {"ticker", "trade", "ohlc", "instrument"} <= channels and "filled" in kinds:
            break
        await asyncio.sleep(0.1)
    seen.facts["ws_public"] = sorted(str(channel) for channel in channels)
    seen.facts["ws_acks"] = [message for message in public if message.get("method") == "subscribe"]
    seen.facts["executions"] = [message for message in private if message.get("channel") == "executions"]
    seen.facts["ws_balances"] = [message for message in private if message.get("channel") == "balances"]
    await client.close()
    await own.close()


async def order_book() -> dict:
    errors: list[str] = []
    updates = 0

    class Book(SpotOrderBookClient):
        async def on_book_update(self, pair: str, message: dict) -> None:
            nonlocal updates
            updates += 1
            if "error" in message:
                errors.append(message["error"])

    client = Book(depth=10)
    await client.start()
    await client.add_book(pairs=[SYMBOL])
    for _ in range(300):
        if updates > 100:
            break
        await asyncio.sleep(0.1)
    book = client.get(pair=SYMBOL)
    best = [next(iter(book["bid"])), next(iter(book["ask"]))]
    await client.close()
    return {"updates": updates, "errors": errors, "best": best, "valid": book["valid"]}


async def main() -> None:
    await seen.astep("streams", streams())
    await seen.astep("order_book", order_book())


asyncio.run(main())
seen.tell()
