"""Moments on the wire: RFC 3339, fractional epoch seconds and RFC 1123; inside, nanoseconds since 1970 UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache

from mycelial.kraken.errors import ProtocolError
from mycelial.kraken.numbers import units

SECOND = 10**9
DAY_S = 86_400
LAST_NS = 2**63 - 1

_RFC3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,12}))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_EPOCH = date(1970, 1, 1).toordinal()


def rfc3339(at_ns: int, decimals: int = 6) -> str:
    """Print a moment, truncated to `decimals` of a second; 0 prints whole seconds."""
    seconds, rest = divmod(at_ns, SECOND)
    if decimals == 0:
        return f"{_second(seconds)}Z"
    return f"{_second(seconds)}.{rest // 10 ** (9 - decimals):0{decimals}d}Z"


def from_rfc3339(moment: str, what: str = "time") -> int:
    """Read a moment with any number of decimals and any offset.

    Raises
    ------
    ProtocolError
        If it is not RFC 3339 or lies outside of 1970 to 2262.
    """
    parts = _RFC3339.fullmatch(moment)
    if parts is None:
        raise ProtocolError(f"{what} {moment!r} is not RFC 3339; write it like 2026-11-11T00:17:10Z")
    year, month, day, hour, minute, second = (int(part) for part in parts.groups()[:6])
    fraction = int((parts[7] or "").ljust(9, "0")[:9])
    zone = parts[8]
    offset = 0
    if zone not in "Zz":
        offset = (int(zone[1:3]) * 60 + int(zone[4:6])) * 60 * (-1 if zone[0] == "-" else 1)
    try:
        days = date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        raise ProtocolError(f"{what} {moment!r} names a day that does not exist") from None
    if hour > 23 or minute > 59 or second > 60:
        raise ProtocolError(f"{what} {moment!r} names a time of day that does not exist")
    at_ns = (days * DAY_S + hour * 3600 + minute * 60 + second - offset) * SECOND + fraction
    if not 0 <= at_ns <= LAST_NS:
        raise ProtocolError(f"{what} {moment!r} lies outside of 1970 to 2262")
    return at_ns


def epoch_seconds(at_ns: int, decimals: int = 4) -> Decimal:
    """Return a moment as seconds since 1970, truncated to `decimals`: what REST prints as a JSON number."""
    seconds, rest = divmod(at_ns, SECOND)
    if decimals == 0:
        return Decimal(seconds)
    return Decimal(f"{seconds}.{rest // 10 ** (9 - decimals):0{decimals}d}")


def from_epoch_seconds(seconds: Decimal | int | str, what: str = "time") -> int:
    """Read seconds since 1970, fractions below a nanosecond cut off."""
    value = seconds if isinstance(seconds, Decimal) else Decimal(seconds)
    at_ns = units(round(value, 9), 9, what)
    if not 0 <= at_ns <= LAST_NS:
        raise ProtocolError(f"{what} {seconds} lies outside of 1970 to 2262")
    return at_ns


def rfc1123(at_ns: int) -> str:
    """Print a moment as `Time` does: ``Sun, 21 Mar 21 14:23:14 +0000``."""
    moment = datetime.fromtimestamp(at_ns // SECOND, UTC)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.weekday()]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.month - 1]
    return f"{day}, {moment.day:02d} {month} {moment.year % 100:02d} {moment:%H:%M:%S} +0000"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Print a whole second; neighbouring messages share theirs, so most calls are answered from memory."""
    days, rest = divmod(seconds, DAY_S)
    day = date.fromordinal(days + _EPOCH)
    return f"{day.isoformat()}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
