"""The room of the exchange: whose rules hold and where it is found."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mycelial.config.rooms import PairText, Room


class Exchange(Room):
    """An exchange and the account's standing there. Keys are secrets: they come from the environment only."""

    profile: Literal["kraken"] = Field(default="kraken", description="rules: ticks, lots, fees, rate counters")
    tier: Literal["starter", "intermediate", "pro"] = Field(default="pro", description="verification tier: limits")
    pairs: list[PairText] = Field(default=["BTC/USD"], min_length=1, max_length=64, description="what is traded")
    rest_url: str = Field(default="https://api.kraken.com", description="base of REST, without /0")
    ws_url: str = Field(default="wss://ws.kraken.com", description="public WebSocket, without /v2")
    ws_auth_url: str = Field(default="wss://ws-auth.kraken.com", description="private WebSocket, without /v2")
