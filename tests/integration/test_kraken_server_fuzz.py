"""Thousands of bent frames against a whole server in one process: no defect comes to light and no money is lost."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from typing import Any

import pytest

from mycelial.adapters.exchanges.kraken_server.connection import Connection
from mycelial.adapters.exchanges.kraken_server.server import Server
from mycelial.adapters.exchanges.kraken_server.session import Session
from mycelial.adapters.exchanges.kraken_server.session_v1 import SessionV1
from mycelial.simulation.exchange.exchange import SECOND_NS, SimulatedExchange

FRAMES = 8_000
PIECES = [
    "9",
    "-",
    "0",
    ".",
    "{",
    '"',
    "null",
    "1e5",
    "[",
    "]",
    "true",
    "\\u0000",
    "é",
    '"market"',
    '"sell"',
    ",",
    "e-9",
]


class Told(Connection):
    """A connection that keeps what is said."""

    def __init__(self, server: Server, number: int) -> None:
        nowhere: Any = None
        loop = asyncio.get_running_loop()
        super().__init__(nowhere, server.faults, loop, number=number, is_private=True, address="x")
        self.frames: list[bytes] = []

    def _write(self, frame: bytes) -> None:
        self.frames.append(frame)


def requests(token: str) -> list[str]:
    """Return one request of every kind."""
    order = {"order_type": "limit", "side": "buy", "order_qty": 0.01, "limit_price": 101_000.0, "symbol": "BTC/USD"}
    order["token"] = token
    trailing = {"order_type": "trailing-stop", "side": "sell", "triggers": {"price": 1, "price_type": "pct"}}
    stop = {"order_type": "stop-loss-limit", "triggers": {"price": 90_000.0}}
    close = {"order_type": "iceberg", "display_qty": 0.001, "conditional": {"order_type": "limit", "limit_price": 12e4}}
    book = {"channel": "book", "symbol": ["BTC/USD"], "depth": 10}
    balances = {"channel": "balances", "token": token}
    said: list[tuple[str, dict[str, Any]]] = [
        *(("add_order", {**order, **more}) for more in ({}, trailing, stop, close, {"cl_ord_id": "a"})),
        ("amend_order", {"cl_ord_id": "a", "order_qty": 0.02, "limit_price": 99_999.9, "token": token}),
        ("edit_order", {"order_id": "O", "symbol": "BTC/USD", "token": token}),
        ("batch_add", {"symbol": "BTC/USD", "orders": [order, order], "token": token}),
        ("cancel_order", {"order_userref": [1], "token": token}),
        ("cancel_all", {"token": token}),
        ("cancel_all_orders_after", {"timeout": 60, "token": token}),
        *((verb, one) for verb in ("subscribe", "unsubscribe") for one in (book, balances)),
        ("subscribe", {"channel": "executions", "token": token}),
        ("subscribe", {"channel": "level3", "symbol": ["BTC/USD"], "token": token}),
    ]
    return [json.dumps({"method": method, "params": params, "req_id": 1}) for method, params in said]


def test_bent_frames_bring_no_defect_to_light_and_lose_no_money(caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(9)
    exchange = SimulatedExchange(["BTC/USD"], 3, warm_up_ns=5 * SECOND_NS, history=False)
    owned = [exchange.total(asset) for asset in ("USD", "BTC")]

    async def talk() -> list[bytes]:
        server = Server(exchange)
        new, old = Told(server, 1), Told(server, 2)
        session = Session(server.desk, server.hub, server.faults, new, mixed=True)
        session_v1 = SessionV1(server.desk, server.hub, old, mixed=True)
        token = server.desk.tokens.issue(exchange.keys[0])
        new_requests = requests(token)
        wanted = {"name": "book", "depth": 10}
        old_requests = [
            json.dumps({"event": "subscribe", "pair": ["XBT/USD"], "subscription": wanted}),
            json.dumps({"event": "subscribe", "subscription": {"name": "openOrders", "token": token}}),
        ]
        for n in range(FRAMES):
            speaker, seeds = (session_v1, old_requests) if n % 10 == 0 else (session, new_requests)
            frame = list(rng.choice(seeds))
            for _ in range(rng.randrange(3)):
                at = rng.randrange(len(frame) + 1)
                frame[at : at + rng.randrange(4)] = rng.choice(PIECES)
            speaker.receive("".join(frame))
            if n % 200 == 0:
                exchange.advance(exchange.now + 2 * SECOND_NS)
                server.desk.pump()
        return new.frames + old.frames

    with caplog.at_level(logging.WARNING):
        frames = asyncio.run(talk())

    assert len(frames) > FRAMES // 2
    assert not any(b"Internal error" in frame for frame in frames)
    assert not caplog.records
    assert [exchange.total(asset) for asset in ("USD", "BTC")] == owned
    assert any(b'"exec_type":"filled"' in frame for frame in frames)  # some of it was understood
