"""Faults injected on purpose, so that clients can be tried: what may go wrong between them and the exchange."""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import attrgetter

from mycelial.domain.seeds import stream_key

COUNTED = ("gap", "duplicate", "reorder", "truncate", "lose_reply", "bad_gateway")


@dataclass(slots=True)
class Faults:
    """What goes wrong from now on; counts fall by one with each time.

    Attributes
    ----------
    latency_ns : delay of every frame and answer, each way.
    storm_ns : the same, as a scenario has it.
    silent : private requests are neither carried out nor answered: an outage of the worse kind.
    loss_ppm : share of private requests, and of their answers, that get lost on their way.
    cancel_ack_ns : how much later cancels are confirmed.
    gap, duplicate, reorder, truncate : so many of the next channel frames, whoever they go to, are left out, sent
        twice, swapped with the one after, cut in half.
    lose_reply : so many requests are carried out and not answered.
    bad_gateway : so many REST requests are not carried out and answered by a page of HTML with status 520.
    """

    latency_ns: int = 0
    storm_ns: int = 0
    silent: bool = False
    loss_ppm: int = 0
    cancel_ack_ns: int = 0
    gap: int = 0
    duplicate: int = 0
    reorder: int = 0
    truncate: int = 0
    lose_reply: int = 0
    bad_gateway: int = 0
    drawn: int = 0  # messages whose loss was drawn

    @property
    def delay_ns(self) -> int:
        """Delay of every message, each way."""
        return self.latency_ns + self.storm_ns

    @property
    def active(self) -> bool:
        """Whether anything is wrong with frames."""
        return any(_values(self))

    def take(self, kind: str) -> bool:
        """Spend one of a counted fault; False if there is none left."""
        left: int = getattr(self, kind)
        if left > 0:
            setattr(self, kind, left - 1)
        return left > 0

    def loses(self, seed: int) -> bool:
        """Draw whether a message gets lost; the nth one of an exchange fares alike in every run."""
        if not self.loss_ppm:
            return False
        self.drawn += 1
        return int(stream_key(seed, "gateway", self.drawn)) % 1_000_000 < self.loss_ppm

    def clear(self) -> None:
        """Let everything be well again."""
        for one in fields(self):
            setattr(self, one.name, type(getattr(self, one.name))(0))


# What concerns frames; asked for every one that is sent.
_values = attrgetter("latency_ns", "storm_ns", "gap", "duplicate", "reorder", "truncate")
