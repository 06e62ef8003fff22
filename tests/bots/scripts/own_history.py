"""What the exchange has of one key's account, for comparison with a bot's own record."""

from __future__ import annotations

import ccxt
from common import Seen, ccxt_urls, key_of

key = key_of("pro", 2)
kraken = ccxt.kraken({"apiKey": key["key"], "secret": key["secret"], "urls": ccxt_urls(), "rateLimit": 150})
seen = Seen()
names = ("id", "order", "side", "amount", "price", "cost")
seen.step("trades", lambda: [{name: one[name] for name in names} for one in kraken.fetch_my_trades("BTC/USD")])
seen.step("open", lambda: [one["id"] for one in kraken.fetch_open_orders()])
seen.tell()
