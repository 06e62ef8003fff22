"""What to record, and what was recorded so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mycelial.domain.errors import ConfigError

DEPTHS = (10, 25, 100, 500, 1000)


@dataclass(frozen=True)
class RecordingPlan:
    """One recording.

    Parameters
    ----------
    url : WebSocket address with its path, wss://ws.kraken.com/v2.
    symbols : modern names, BTC/USD.
    folder : where segments go.
    depth : levels a side.
    rotate_s : length of a segment.
    rotate_bytes : a segment ends at this size too.
    seconds : stop after this long; None records until stopped.
    queue : messages that may wait for the disk before the exchange has to.
    """

    url: str
    symbols: tuple[str, ...]
    folder: Path
    depth: int = 10
    rotate_s: float = 3600.0
    rotate_bytes: int = 256 * 2**20
    seconds: float | None = None
    queue: int = 4096

    def __post_init__(self) -> None:
        if not self.url.startswith(("ws://", "wss://")):
            raise ConfigError(f"--url {self.url!r} is no WebSocket address; write it like wss://ws.kraken.com/v2")
        if self.depth not in DEPTHS:
            raise ConfigError(f"--depth {self.depth} is not offered; choose from {', '.join(map(str, DEPTHS))}")
        if not self.symbols:
            raise ConfigError("nothing to record; name at least one market, like BTC/USD")


@dataclass
class Tally:
    """Counts of one recording; only ever grow."""

    messages: int = 0
    books: int = 0
    trades: int = 0
    resyncs: int = 0  # the checksum was not ours: book dropped and asked for again
    dropped: int = 0  # book messages kept aside between a wrong checksum and the next snapshot
    connections: int = 0
    waits: int = 0  # times the queue was full, so that the exchange had to wait
    missed_trades: int = 0  # numbers that never came; `mycelial data fill` can fetch them
    segments: list[str] = field(default_factory=list)
