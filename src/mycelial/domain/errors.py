"""Every error mycelial raises on purpose, as one tree.

Each class carries the exit code its command ends with (see ``docs/reference/exit-codes.md``). A message has three
parts: what happened, the values, what to do next.
"""

from __future__ import annotations


class MycelialError(Exception):
    """Something the user can act upon; the command line prints it without a traceback."""

    exit_code = 1


class DataError(MycelialError):
    """A file or message holds something that cannot be right (corrupt, missing column, negative price)."""


class StorageError(MycelialError):
    """The disk refused a write; nothing half-written is left behind."""


class NotFound(MycelialError):
    """A named thing (file, run, set of symbols) does not exist."""

    exit_code = 3


class ConfigError(MycelialError):
    """A configuration key or value is unknown, out of range or contradicts another."""

    exit_code = 4


class MissingExtra(ConfigError):
    """An optional dependency is needed for this and is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}, which is not installed; run: pip install 'mycelial[{extra}]'")


class VerificationFailed(MycelialError):
    """A check the user asked for found something wrong."""

    exit_code = 7


class TimedOut(MycelialError):
    """Something that was waited for did not happen in time."""

    exit_code = 5


class ExchangeError(MycelialError):
    """An exchange refused, limited or garbled a request."""

    exit_code = 8


class GateRefused(MycelialError):
    """The deployment gate stays shut: evidence that it asks for is missing."""

    exit_code = 6


class OrderRejected(MycelialError):
    """An order cannot enter a book as it is (not a multiple of the tick, absurd size); nothing was sent."""


class Interrupted(MycelialError):
    """The user stopped long work; state is saved and the message says how to resume."""

    exit_code = 130
