"""A client on the wire that ignores the limits: what it is refused, and nothing else that it could break."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from mycelial.kraken.signing import Secret
from support.bots import serving_exchange

aiohttp = pytest.importorskip("aiohttp")

SENT = 400
THRESHOLD, DECAY = 180, 3.75  # of the pro tier


async def token_of(session: Any, exchange: dict[str, Any], key: dict[str, Any]) -> str:
    path, nonce = "/0/private/GetWebSocketsToken", str(time.time_ns())
    body = f"nonce={nonce}".encode()
    headers = {
        "API-Key": key["key"],
        "API-Sign": Secret(key["secret"]).signature(path, nonce, body),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    async with session.post(exchange["rest"] + path, data=body, headers=headers) as answer:
        return (await answer.json())["result"]["token"]


async def flooded(exchange: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Send orders without a pause; return the replies in order and the reports of own orders."""
    async with aiohttp.ClientSession() as session:
        token = await token_of(session, exchange, exchange["keys"][0])
        async with session.ws_connect(f"{exchange['ws_auth']}/v2") as socket:
            follow = {"channel": "executions", "token": token, "ratecounter": True, "snap_orders": False}
            await socket.send_json({"method": "subscribe", "params": follow})
            order = {"order_type": "limit", "side": "buy", "order_qty": 0.001, "limit_price": 10_000.0}
            for number in range(SENT):
                params = {**order, "symbol": "BTC/USD", "token": token}
                await socket.send_json({"method": "add_order", "params": params, "req_id": number})
            replies, reports = [], []
            async with asyncio.timeout(60):
                while len(replies) < SENT:
                    message = json.loads(await socket.receive_str())
                    if message.get("method") == "add_order":
                        replies.append(message)
                    elif message.get("channel") == "executions" and message["type"] == "update":
                        reports += message["data"]
            return replies, reports


def test_a_flood_is_refused_on_the_wire_when_the_counter_is_full():
    with serving_exchange("--pair", "BTC/USD", "--seed", "11") as exchange:
        replies, reports = asyncio.run(flooded(exchange))

    assert [reply["req_id"] for reply in replies] == list(range(SENT))
    refused = [reply["error"] for reply in replies if not reply["success"]]
    first = next(number for number, reply in enumerate(replies) if not reply["success"])
    elapsed_s = seconds(replies[first]["time_in"]) - seconds(replies[0]["time_in"])
    # A refused message is charged too, so nothing passes while the flood goes on faster than the counter falls.
    assert THRESHOLD <= first <= THRESHOLD + DECAY * elapsed_s + 1
    assert set(refused) == {"EOrder:Rate limit exceeded"}
    counts = [report["ratecount"] for report in reports if report["exec_type"] == "pending_new"]
    assert counts[0] == pytest.approx(1.0, abs=1e-6)
    assert max(counts) <= THRESHOLD
    assert counts[first - 1] > THRESHOLD - 1 - DECAY * 0.1


def seconds(text: str) -> float:
    hours, minutes, rest = text[11:-1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)
