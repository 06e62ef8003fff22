"""A day of a ccxt.pro user: streams of the market proved by checksum, orders and own streams over the WebSocket."""

from __future__ import annotations

import asyncio
import zlib

import ccxt.pro
from common import Seen, ccxt_urls, key_of

SYMBOL = "BTC/USD"
UPDATES = 60
seen = Seen()


class Watched(ccxt.pro.kraken):
    """ccxt as it is, and a note of whether its book has the exchange's checksum (its own check is out of order)."""

    proved = wrong = 0

    def handle_order_book(self, client, message):
        super().handle_order_book(client, message)
        (data,) = message["data"]
        book = self.orderbooks[data["symbol"]]
        levels = [*book["asks"][:10], *book["bids"][:10]]
        text = "".join(_digits(f"{price:.1f}") + _digits(f"{qty:.8f}") for price, qty in levels)
        if zlib.crc32(text.encode()) == data["checksum"]:
            self.proved += 1
        else:
            self.wrong += 1


def _digits(text: str) -> str:
    return text.replace(".", "").lstrip("0")


async def book_updates(kraken) -> dict:
    books = []
    for _ in range(UPDATES):
        book = await kraken.watch_order_book(SYMBOL, 10)
        books.append((book["bids"][0][0], book["asks"][0][0], len(book["bids"]), len(book["asks"])))
    return {
        "updates": len(books),
        "crossed": sum(bid >= ask for bid, ask, *_ in books),
        "depth": books[-1][2:],
        "proved": kraken.proved >= UPDATES,
        "wrong": kraken.wrong,
    }


async def watched(watch, times: int) -> list:
    found = []
    for _ in range(times):
        found += await watch()
    return found


async def main() -> None:
    key = key_of("intermediate")
    kraken = Watched({"apiKey": key["key"], "secret": key["secret"], "urls": ccxt_urls(), "rateLimit": 150})
    try:
        await kraken.load_markets()
        ticker = await seen.astep("ticker", asyncio.wait_for(kraken.watch_ticker(SYMBOL), 20))
        await seen.astep("book", asyncio.wait_for(book_updates(kraken), 40))
        await seen.astep("trades", asyncio.wait_for(watched(lambda: kraken.watch_trades(SYMBOL), 2), 40))
        await seen.astep("candles", asyncio.wait_for(kraken.watch_ohlcv(SYMBOL, "1m"), 20))
        await seen.astep("bids_asks", asyncio.wait_for(kraken.watch_bids_asks([SYMBOL]), 20))
        await seen.astep("balance", asyncio.wait_for(kraken.watch_balance(), 20))

        # Own streams first, then orders whose reports must come through them.
        orders: dict[str, list] = {}
        trades: list = []

        async def follow_orders() -> None:
            while True:
                for order in await kraken.watch_orders():  # reports of the end of an order carry no symbol
                    orders.setdefault(order["id"], []).append((order["status"], order["filled"]))

        async def follow_trades() -> None:
            while True:
                trades.extend(await kraken.watch_my_trades(SYMBOL))

        following = [asyncio.create_task(follow_orders()), asyncio.create_task(follow_trades())]
        await asyncio.sleep(1.0)
        low = float(kraken.price_to_precision(SYMBOL, ticker["bid"] * 0.8))
        rested = await seen.astep(
            "limit", asyncio.wait_for(kraken.create_order_ws(SYMBOL, "limit", "buy", 0.01, low), 10)
        )
        await seen.astep(
            "amend", asyncio.wait_for(kraken.edit_order_ws(rested["id"], SYMBOL, "limit", "buy", 0.02, low - 5), 10)
        )
        await seen.astep("cancel", asyncio.wait_for(kraken.cancel_order_ws(rested["id"]), 10))
        bought = await seen.astep(
            "market", asyncio.wait_for(kraken.create_order_ws(SYMBOL, "market", "buy", 0.005), 10)
        )
        for name, amount, params in (("post_only", 0.01, {"postOnly": True}), ("second", 0.011, {})):
            await seen.astep(
                name, asyncio.wait_for(kraken.create_order_ws(SYMBOL, "limit", "buy", amount, low, params), 10)
            )
        await seen.astep("cancel_all", asyncio.wait_for(kraken.cancel_all_orders_ws(), 10))
        await seen.astep("too_dear", asyncio.wait_for(kraken.create_order_ws(SYMBOL, "limit", "buy", 1e6, low), 10))
        await seen.astep("unknown", asyncio.wait_for(kraken.cancel_order_ws("OAAAAA-BBBBB-CCCCCC"), 10))
        for _ in range(50):
            if any(trade["order"] == bought["id"] for trade in trades) and "canceled" in {
                status for status, _ in orders.get(rested["id"], [])
            }:
                break
            await asyncio.sleep(0.1)
        for task in following:
            task.cancel()
        seen.facts["orders"] = orders
        seen.facts["my_trades"] = trades
        seen.facts["rested"], seen.facts["bought"] = rested["id"], bought["id"]
        await seen.astep("balance_after", kraken.fetch_balance())
    finally:
        await kraken.close()
    seen.tell()


asyncio.run(main())
