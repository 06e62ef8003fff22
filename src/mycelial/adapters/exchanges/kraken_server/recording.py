"""Keep everything that enters and leaves the engines of an exchange: logs that `mycelial sim replay` runs again."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from mycelial.adapters.market_logs import LogWriter
from mycelial.market.log import LogHeader
from mycelial.simulation.exchange.exchange import SimulatedExchange

INPUTS_LOG, EVENTS_LOG = "inputs.log", "events.log"  # in one folder for each pair


class Recorder:
    """Writes the logs of every pair under ``<folder>/<BASE>-<QUOTE>``; use it as a context manager.

    The logs get their names when the block is left, so a server that is killed leaves none that is half.

    Parameters
    ----------
    exchange : opened with ``record=True``.

    Raises
    ------
    StorageError
        If the disk refuses.
    """

    def __init__(self, exchange: SimulatedExchange, folder: Path) -> None:
        self._exchange, self._folder = exchange, folder
        self._writers: dict[str, tuple[LogWriter, LogWriter]] = {}
        self._stack = ExitStack()

    def take(self) -> None:
        """Write what happened since the last call."""
        for symbol, (terms, recording) in self._exchange.take_recordings().items():
            if symbol not in self._writers:
                home = self._folder / symbol.replace("/", "-")
                inputs = LogWriter(home / INPUTS_LOG, LogHeader("inputs", terms))
                events = LogWriter(home / EVENTS_LOG, LogHeader("events", terms))
                self._writers[symbol] = self._stack.enter_context(inputs), self._stack.enter_context(events)
            for writer, records in zip(self._writers[symbol], recording, strict=True):
                if len(records):
                    writer.append(records)

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.take()
        self._stack.__exit__(kind, error, traceback)
