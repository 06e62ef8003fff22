"""Small keepers of a connection: back-off, sequence numbers, tokens, the dead man's switch, the exchange's clock.

Times come in as arguments, in nanoseconds; nothing here waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mycelial.domain.errors import ConfigError
from mycelial.domain.seeds import generator

SECOND = 10**9


class Backoff:
    """How long to wait before trying again: at once first, then doubling with full jitter.

    Many clients that lost the same exchange at the same moment must not come back at the same moment, so each delay is
    uniform between 0 and its bound, from a random stream of its own.

    Parameters
    ----------
    names : name of the random stream under `seed`.
    base_ns, most_ns : bound of the first delay and of any.
    at_once : tries without delay after a success (Kraken: "a few times after a random drop").
    """

    def __init__(
        self, seed: int, *names: str | int, base_ns: int = SECOND // 4, most_ns: int = 30 * SECOND, at_once: int = 1
    ) -> None:
        if not 0 < base_ns <= most_ns:
            raise ConfigError(f"back-off of {base_ns} ns must be above 0 and at most {most_ns} ns")
        self._random = generator(seed, "backoff", *names)
        self._base_ns, self._most_ns, self._at_once = base_ns, most_ns, at_once
        self.failures = 0

    def next_ns(self, least_ns: int = 0) -> int:
        """Count a failure and return how long to wait; not less than `least_ns`."""
        self.failures += 1
        doublings = self.failures - 1 - self._at_once
        if doublings < 0:
            return least_ns
        bound = min(self._most_ns, self._base_ns << min(doublings, 32))
        return least_ns + int(self._random.random() * bound)

    def succeeded(self) -> None:
        """Begin again with short delays."""
        self.failures = 0


class Step(StrEnum):
    """What a numbered message is."""

    NEXT = "next"
    REPEATED = "repeated"
    GAP = "gap"


@dataclass(slots=True)
class SequenceWatch:
    """Numbers of one subscription: 1 with its snapshot, then one more each."""

    last: int = 0

    def take(self, number: int) -> Step:
        """Judge a number: apply the message, drop it, or subscribe again."""
        if number == self.last + 1:
            self.last = number
            return Step.NEXT
        return Step.REPEATED if number <= self.last else Step.GAP

    def restart(self) -> None:
        """A new subscription counts from the beginning."""
        self.last = 0


@dataclass(slots=True)
class TokenState:
    """The token of private connections: to be used within 15 minutes, then alive as long as the connection."""

    text: str = field(default="", repr=False)
    got_ns: int = 0
    valid_ns: int = 0
    in_use: bool = False

    def received(self, text: str, valid_s: int, now_ns: int) -> None:
        """Take a fresh token."""
        self.text, self.got_ns, self.valid_ns, self.in_use = text, now_ns, valid_s * SECOND, False

    def subscribed(self) -> None:
        """A private subscription was made with it: it holds as long as that connection."""
        self.in_use = True

    def dropped(self) -> None:
        """The connection is gone, or the exchange does not know the token any more."""
        self.text, self.in_use = "", False

    def is_usable(self, now_ns: int, margin_ns: int = 30 * SECOND) -> bool:
        """Return whether a request with this token can be answered."""
        return bool(self.text) and (self.in_use or now_ns < self.got_ns + self.valid_ns - margin_ns)


@dataclass(slots=True)
class DeadManSwitch:
    """The exchange's timer that cancels everything unless it is wound up again.

    Reckoned from when a request left, so that we never believe in more time than there is. The timer is of the account,
    disarms itself when it fires, and is wound up every `refresh_ns` (Kraken advises 15 to 30 s for 60 s).
    """

    timeout_ns: int = 60 * SECOND
    refresh_ns: int = 15 * SECOND
    fires_ns: int = 0  # earliest moment at which it may fire; 0 when not armed
    asked_ns: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.refresh_ns < self.timeout_ns:
            raise ConfigError(
                f"the dead man's switch is wound up every {self.refresh_ns} ns but fires after {self.timeout_ns}; "
                "refresh must be shorter"
            )

    def due_ns(self) -> int:
        """Return when to send the next request."""
        return 0 if self.fires_ns == 0 else self.asked_ns + self.refresh_ns

    def asking(self, now_ns: int) -> None:
        """A request leaves."""
        self.asked_ns = now_ns

    def confirmed(self, asked_ns: int) -> None:
        """The exchange answered a request that left at `asked_ns`."""
        self.fires_ns = max(self.fires_ns, asked_ns + self.timeout_ns)

    def disarmed(self) -> None:
        """It was switched off on purpose."""
        self.fires_ns = 0

    def is_armed(self, now_ns: int, margin_ns: int = 5 * SECOND) -> bool:
        """Return whether it protects us for at least `margin_ns` more: without it nothing new may be risked."""
        return now_ns + margin_ns < self.fires_ns

    def may_have_fired(self, now_ns: int) -> bool:
        """Return whether every order may be gone: look before believing in any."""
        return 0 < self.fires_ns <= now_ns


@dataclass(slots=True)
class ClockOffset:
    """The exchange's clock less ours, from request and answer: known to half a round trip, kept from the shortest."""

    offset_ns: int = 0
    uncertainty_ns: int = 1 << 62
    first: tuple[int, int] | None = None  # ours and theirs, of the first measurement
    last: tuple[int, int] = (0, 0)

    def measured(self, sent_ns: int, theirs_ns: int, got_ns: int) -> None:
        """Take one exchange of messages."""
        half = max(0, got_ns - sent_ns) // 2
        self.last = (sent_ns + half, theirs_ns)
        self.first = self.first or self.last
        # An old figure ages, so that a drifting clock is noticed: it loses a tenth of its weight with each new one.
        aged = self.uncertainty_ns + self.uncertainty_ns // 10
        if half <= aged:
            self.offset_ns, self.uncertainty_ns = theirs_ns - (sent_ns + half), half
        else:
            self.uncertainty_ns = aged

    def keeps_pace(self) -> bool:
        """Return whether their clock runs like ours; that of a simulation may stand, or run a hundred times faster."""
        if self.first is None:
            return True
        ours, theirs = self.last[0] - self.first[0], self.last[1] - self.first[1]
        return abs(theirs - ours) <= max(ours // 20, SECOND // 2)

    def theirs(self, ours_ns: int) -> int:
        """Return the exchange's time at a time of ours."""
        return ours_ns + self.offset_ns

    def is_skewed(self, most_ns: int = 250_000_000) -> bool:
        """Return whether the clocks differ by more than `most_ns` for certain."""
        return abs(self.offset_ns) - min(self.uncertainty_ns, 1 << 62) > most_ns
