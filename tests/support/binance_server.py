"""A small Binance on 127.0.0.1: public REST of spot (exchangeInfo, klines), and faults on request.

Enough of the protocol for the real ccxt client. Faults are scripted one per klines request: the first request takes the
first fault, and so on; None answers normally. Fields as in Binance's documentation, "Market Data endpoints".
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

Fault = Literal["429", "500", "truncated", "not json", "reset"]
DAY_MS = 86_400_000


@dataclass
class BinanceServer:
    """What the server knows; `requests` records the klines asked for."""

    markets: dict[str, tuple[str, str]]  # symbol: (base, quote)
    candles: dict[str, list[list[Any]]]  # symbol: klines, ascending
    page_size: int = 500
    faults: deque[Fault | None] = field(default_factory=deque)
    requests: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


def daily_klines(first_ms: int, closes: list[float]) -> list[list[Any]]:
    """Return klines of consecutive days with these closes, numbers as text like the venue sends them."""
    return [
        [
            *(first_ms + day * DAY_MS, f"{close:.2f}", f"{close + 1:.2f}", f"{close - 1:.2f}", f"{close:.2f}"),
            *(f"{10 + day}.5", first_ms + (day + 1) * DAY_MS - 1, "1", 1, "1", "1", "0"),
        ]
        for day, close in enumerate(closes)
    ]


@contextmanager
def serving(server: BinanceServer) -> Iterator[BinanceServer]:
    """Run the server on a free port while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            if address.path == "/api/v3/exchangeInfo":
                self._answer(200, {"timezone": "UTC", "symbols": [_symbol(s, *m) for s, m in server.markets.items()]})
            elif address.path == "/api/v3/klines":
                server.requests.append(query)
                fault = server.faults.popleft() if server.faults else None
                self._klines(query) if fault is None else self._fail(fault, query)
            else:
                self._answer(404, {"code": -1, "msg": f"no such path {address.path}"})

        def _klines(self, query: dict[str, str]) -> None:
            since = int(query.get("startTime", 0))
            limit = min(int(query.get("limit", 500)), server.page_size)
            rows = [row for row in server.candles.get(query["symbol"], []) if row[0] >= since]
            self._answer(200, rows[:limit])

        def _fail(self, fault: Fault, query: dict[str, str]) -> None:
            if fault == "429":
                self._answer(429, {"code": -1003, "msg": "Too many requests"}, {"Retry-After": "7"})
            elif fault == "500":
                self._answer(500, {"code": -1000, "msg": "unknown error"})
            elif fault == "truncated":
                body = json.dumps(server.candles[query["symbol"]]).encode()
                self._send(200, body[: len(body) // 2], {"Content-Length": str(len(body))})
                self.close_connection = True
            elif fault == "not json":
                self._send(200, b"[[15357600", {"Content-Length": "10"})
            else:  # a reset: closing with a zero linger sends RST in place of a farewell
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

        def _answer(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
            body = json.dumps(document).encode()
            self._send(status, body, {"Content-Length": str(len(body)), **(headers or {})})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

        def finish(self) -> None:
            try:
                super().finish()
            except (OSError, ValueError):
                return  # the connection was reset on purpose

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


def _symbol(symbol: str, base: str, quote: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001"},
        ],
    }
