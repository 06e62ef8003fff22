"""Where a running exchange is and which keys it takes, as `mycelial exchange serve --json` printed it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mycelial.domain.errors import ConfigError, NotFound


@dataclass(frozen=True, repr=False)
class Key:
    """A key of play money; its text never shows the secret."""

    key: str
    secret: str
    tier: str
    permissions: frozenset[str]

    def __repr__(self) -> str:
        return f"Key({self.tier})"


@dataclass(frozen=True)
class Addresses:
    """A running exchange: base addresses without ``/0`` and without ``/v2``."""

    rest: str
    ws: str
    ws_auth: str
    keys: tuple[Key, ...]

    def trading_key(self, nth: int = 0, tier: str = "pro") -> Key:
        """Return the nth key of a tier that may place and cancel orders.

        Clients count nonces in different units and must never share a key, so give each its own.

        Raises
        ------
        NotFound
            If there is none.
        """
        able = [one for one in self.keys if one.tier == tier and any("modify" in word for word in one.permissions)]
        if nth >= len(able):
            raise NotFound(f"the exchange has {len(able)} trading key(s) of tier {tier}, no number {nth + 1}")
        return able[nth]

    def ccxt_urls(self) -> dict[str, Any]:
        """Return what ccxt, and what builds on it, takes in place of Kraken's addresses."""
        sockets = {
            "public": self.ws,
            "private": self.ws_auth,
            "publicV2": f"{self.ws}/v2",
            "privateV2": f"{self.ws_auth}/v2",
            "beta": self.ws,
            "beta-private": self.ws_auth,
        }
        return {"api": {"public": self.rest, "private": self.rest, "zendesk": self.rest, "ws": sockets}}


def read_addresses(path: Path) -> Addresses:
    """Read the line that `mycelial exchange serve --json` printed.

    Raises
    ------
    NotFound, ConfigError
        If there is no such file, or it is no such line.
    """
    if not path.is_file():
        raise NotFound(f"{path}: no such file; start the exchange with: mycelial exchange serve --json > {path}")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        document = json.loads(lines[0])
        keys = tuple(
            Key(one["key"], one["secret"], one["tier"], frozenset(one["permissions"])) for one in document["keys"]
        )
        ws, ws_auth = (str(document[name]).removesuffix("/v2") for name in ("ws", "ws_auth"))
        return Addresses(str(document["rest"]), ws, ws_auth, keys)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ConfigError(
            f"{path}: is not what the exchange prints ({error}); wait until it is ready, or start it again"
        ) from error
