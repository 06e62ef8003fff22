"""Nonces: the rising numbers that make each signed request a new one, on both sides of the wire.

A nonce is an unsigned 64-bit number above the last one accepted of the same key. Clients count in seconds, milliseconds
or nanoseconds, so two of them must never share a key. A key may have a window: then a late request passes if its nonce
is at most that far below the highest and was not used before.
"""

from __future__ import annotations

from mycelial.kraken.errors import INVALID_NONCE, Refused

MOST_NONCE = 2**64 - 1
MOST_REMEMBERED = 10_000  # nonces of one key inside its window


def read_nonce(value: str | int) -> int:
    """Read a nonce of a form or JSON body.

    Raises
    ------
    Refused
        ``EAPI:Invalid nonce`` if it is no whole number from 0 to 2^64 - 1.
    """
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 20):
            raise Refused(INVALID_NONCE)
        value = int(value)
    if isinstance(value, bool) or not 0 <= value <= MOST_NONCE:
        raise Refused(INVALID_NONCE)
    return value


class NonceSource:
    """The client's nonces: its clock in nanoseconds, never repeating or going back.

    Parameters
    ----------
    floor : the last nonce this key has used, as far as is known; keep `floor` on disk between runs.
    """

    def __init__(self, floor: int = 0) -> None:
        self.floor = floor

    def next(self, now_ns: int) -> int:
        """Return the nonce of a request made now; send requests in the order of their nonces."""
        self.floor = max(now_ns, self.floor + 1)
        return self.floor


class NonceGuard:
    """The exchange's memory of one key.

    Parameters
    ----------
    window : how far below the highest a late nonce may lie; 0 accepts rising ones only.
    """

    def __init__(self, window: int = 0) -> None:
        self.window = window
        self.highest = -1
        self._floor = -1  # nonces up to here are refused
        self._seen: set[int] = set()  # those above it

    def accept(self, nonce: int) -> None:
        """Take note of a nonce.

        Raises
        ------
        Refused
            ``EAPI:Invalid nonce`` if it was used before or comes too late; nothing changes then.
        """
        if nonce <= self._floor or nonce in self._seen:
            raise Refused(INVALID_NONCE)
        self.highest = max(self.highest, nonce)
        self._floor = max(self._floor, self.highest - self.window - 1) if self.window else self.highest
        if self.window:
            self._seen.add(nonce)
            if len(self._seen) > MOST_REMEMBERED:
                self._forget()

    def _forget(self) -> None:
        """Drop what the floor refuses anyway; if that is not enough, raise the floor to the middle of the rest."""
        kept = sorted(one for one in self._seen if one > self._floor)
        if len(kept) > MOST_REMEMBERED // 2:
            self._floor = kept[-MOST_REMEMBERED // 2 - 1]
            kept = kept[-MOST_REMEMBERED // 2 :]
        self._seen = set(kept)
