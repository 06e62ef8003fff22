"""What the scripts share: where the exchange is, and one JSON document of what was seen at the end.

These files run inside the bots' environment, without mycelial. Each step is a fact or an error; judging is the tests'.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

EXCHANGE: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}


def key_of(tier: str = "pro", nth: int = 0) -> dict[str, Any]:
    """Return the nth key of a tier; the first three of pro may do everything."""
    return [one for one in EXCHANGE["keys"] if one["tier"] == tier][nth]


def ccxt_urls() -> dict[str, Any]:
    """Return what ccxt takes in place of its own addresses."""
    rest, ws, ws_auth = EXCHANGE["rest"], EXCHANGE["ws"], EXCHANGE["ws_auth"]
    ws, ws_auth = ws.removesuffix("/v2"), ws_auth.removesuffix("/v2")
    sockets = {"public": ws, "private": ws_auth, "publicV2": f"{ws}/v2", "privateV2": f"{ws_auth}/v2"}
    return {
        "api": {"public": rest, "private": rest, "zendesk": rest, "ws": {**sockets, "beta": ws, "beta-private": ws}}
    }


class Seen:
    """Facts by name."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}

    def step(self, name: str, work: Callable[[], Any]) -> Any:
        """Note what `work` returns; an exception is noted too and does not end the script."""
        try:
            self.facts[name] = work()
        except Exception as error:
            self.facts[name] = {"raised": type(error).__name__, "message": str(error)[:400]}
            traceback.print_exc(limit=6, file=sys.stderr)
        return self.facts[name]

    async def astep(self, name: str, work: Any) -> Any:
        """Do the same with an awaitable."""
        try:
            self.facts[name] = await work
        except Exception as error:
            self.facts[name] = {"raised": type(error).__name__, "message": str(error)[:400]}
            traceback.print_exc(limit=6, file=sys.stderr)
        return self.facts[name]

    def tell(self) -> None:
        """Print the facts as the last line."""
        print(json.dumps(self.facts, default=str))
