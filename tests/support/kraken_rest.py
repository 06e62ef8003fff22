"""The public half of Kraken's REST on 127.0.0.1, as far as filling gaps needs it, with refusals on request.

Written from Kraken's documentation and apart from our own exchange, so that neither can hide a mistake of the other.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAIR = {
    "altname": "XBTUSD",
    "wsname": "XBT/USD",
    "aclass_base": "currency",
    "base": "XXBT",
    "aclass_quote": "currency",
    "quote": "ZUSD",
    "lot": "unit",
    "cost_decimals": 5,
    "pair_decimals": 1,
    "lot_decimals": 8,
    "lot_multiplier": 1,
    "leverage_buy": [],
    "leverage_sell": [],
    "fees": [[0, 0.4]],
    "fees_maker": [[0, 0.25]],
    "fee_volume_currency": "ZUSD",
    "margin_call": 80,
    "margin_stop": 40,
    "ordermin": "0.00005",
    "costmin": "0.5",
    "tick_size": "0.1",
    "status": "online",
}
ASSETS = {
    "XXBT": {"aclass": "currency", "altname": "XBT", "decimals": 10, "display_decimals": 5, "status": "enabled"},
    "ZUSD": {"aclass": "currency", "altname": "USD", "decimals": 4, "display_decimals": 2, "status": "enabled"},
}


@dataclass
class KrakenRest:
    """What the server knows: trades as (time ns, price, volume, side), numbered from 1."""

    trades: list[tuple[int, str, str, str]]
    now_ns: int
    page: int = 1000
    refusals: deque[str | None] = field(default_factory=deque)  # one for each Trades or OHLC request
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, method: str, query: dict[str, str]) -> dict[str, Any]:
        if method == "AssetPairs":
            return {"XXBTZUSD": PAIR}
        if method == "Assets":
            return ASSETS
        if method == "Trades":
            since = int(query.get("since", 0))
            rows = [(i, row) for i, row in enumerate(self.trades, start=1) if since < row[0] <= self.now_ns][
                : self.page
            ]
            last = rows[-1][1][0] if rows else since
            listed = [[p, v, _Seconds(t), side, "l", "", i] for i, (t, p, v, side) in rows]
            return {"XXBTZUSD": listed, "last": str(last)}
        if method == "OHLC":
            return self._candles(int(query["interval"]) * 60, int(query.get("since", 0)))
        raise KeyError(method)

    def _candles(self, length_s: int, since_s: int) -> dict[str, Any]:
        now_s = self.now_ns // 10**9
        rows, close = [], "0"
        for begin in range(now_s // length_s * length_s - 719 * length_s, now_s + 1, length_s):
            inside = [
                row for row in self.trades if begin <= row[0] // 10**9 < begin + length_s and row[0] <= self.now_ns
            ]
            prices = [row[1] for row in inside] or [close]
            close = prices[-1]
            volume = sum(float(row[2]) for row in inside)
            if begin > since_s and float(close) > 0:
                high, low = max(prices, key=float), min(prices, key=float)
                rows.append([begin, prices[0], high, low, close, close, f"{volume:.8f}", len(inside)])
        return {"XXBTZUSD": rows, "last": rows[-2][0] if len(rows) > 1 else 0}


@dataclass(frozen=True)
class _Seconds:
    """A time that is printed as seconds with nine decimals, as Kraken does."""

    time_ns: int


@contextmanager
def serving(server: KrakenRest) -> Iterator[KrakenRest]:
    """Run the server on a free port while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            method = address.path.rsplit("/", 1)[-1]
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            refusal = None
            if method in ("Trades", "OHLC"):
                server.requests.append(method)
                refusal = server.refusals.popleft() if server.refusals else None
            document = {"error": [refusal]} if refusal else {"error": [], "result": server.answer(method, query)}
            body = _json(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def _json(value: Any) -> str:
    if isinstance(value, _Seconds):
        return f"{value.time_ns // 10**9}.{value.time_ns % 10**9:09d}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return json.dumps(value)
