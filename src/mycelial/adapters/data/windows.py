"""The named windows of days that facts are measured on.

A set is a window and a rule; its members are computed from the file at hand: every symbol of the quote that has each
calendar day of the window. Sets are therefore survivor-biased by construction.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from mycelial.domain.errors import NotFound


@dataclass(frozen=True)
class Window:
    """A named range of days, both ends included."""

    name: str
    first: dt.date
    last: dt.date
    default_quote: str  # taken when the file offers several quotes and none was asked for
    genuine_only: bool  # leave out rows computed from other markets (source other than "pair")

    @property
    def n_days(self) -> int:
        """Return the number of calendar days."""
        return (self.last - self.first).days + 1


WINDOWS = {
    window.name: window
    for window in (
        # September 2018 to September 2022: the window and numeraire of the SYMBA paper.
        Window("W", dt.date(2018, 9, 1), dt.date(2022, 9, 30), "BTC", genuine_only=False),
        Window("A", dt.date(2018, 9, 16), dt.date(2021, 2, 14), "BTC", genuine_only=True),
        Window("C", dt.date(2019, 10, 1), dt.date(2022, 9, 30), "BTC", genuine_only=False),
        Window("B", dt.date(2021, 1, 1), dt.date(2022, 9, 30), "USDT", genuine_only=False),
    )
}


def window_named(name: str) -> Window:
    """Return the window of that name, or raise `NotFound` with the names there are."""
    if name not in WINDOWS:
        spans = ", ".join(f"{w.name} ({w.first}..{w.last})" for w in WINDOWS.values())
        raise NotFound(f"unknown set {name!r}; choose --set-name from {spans}")
    return WINDOWS[name]
