"""Where the exchange is and how patient the client is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Settings:
    """Addresses, standing and patience; nothing secret.

    Parameters
    ----------
    rest, ws, ws_auth : bases as `exchange serve` prints them; ``/0`` and ``/v2`` are added.
    deadline_ns : how long an order may take to reach the exchange before it refuses it (0.5 to 60 s).
    answer_ns : how long to wait for the answer to a request.
    start_ns : how long to try before a start has failed.
    silence_ns : a connection that says nothing for so long is dead.
    reconnect_most_ns : bound of the back-off.
    dead_man_ns : timeout of the dead man's switch; 0 goes without.
    """

    rest: str
    ws: str
    ws_auth: str
    tier: str = "pro"
    pairs: tuple[str, ...] = ("BTC/USD",)
    depth: int = 10
    seed: int = 7
    nonce_file: Path | None = None
    deadline_ns: int = 2 * SECOND
    answer_ns: int = 5 * SECOND
    start_ns: int = 30 * SECOND
    silence_ns: int = 10 * SECOND
    reconnect_most_ns: int = 30 * SECOND
    dead_man_ns: int = 60 * SECOND
    dead_man_refresh_ns: int = 15 * SECOND
    cancel_reserve_ppm: int = 200_000
