"""Counters that rise with every message and fall with time: how an exchange limits what an account may send.

One counter per account and pair limits order messages, one per API key limits calls. Both are the same machine: state
in, state out, no clock of its own, so that the exchange, a client's mirror of it and a simulated population agree to
the last unit. All arithmetic is in whole numbers: points come in **micro-points**, and a level is kept in micro-points
times nanoseconds per second (10^15 to a point), so that the decay over any stretch of time is exact: waiting one second
twice equals waiting two.

Rules, as Kraken documents them (docs.kraken.com, Spot Trading Limits, read 2026-11):

* The fixed part of a charge is due on receipt, even if the message is then refused; the part that depends on the age of
  the order is due only if the message is carried out.
* A message is refused when its whole charge would lift the counter above the threshold; reaching it exactly is allowed.

Where the documents are silent: cancels can be refused too; the rate is checked before the number of open orders; and
the level saturates at twice the threshold, so that flooding delays a sender by a bounded time.

`rate_kernels` holds the same for arrays of accounts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from mycelial.domain.errors import ConfigError

MICRO = 10**9  # level of one micro-point
POINT = 10**15  # level of one point
SECOND = 10**9  # ns
CEILING = 2  # a level never exceeds this many thresholds
MOST_THRESHOLD = 1_000_000_000  # micro-points: 1,000 points keep every sum below 2^63


class Transaction(IntEnum):
    """What is charged."""

    ADD = 0
    AMEND = 1
    EDIT = 2
    CANCEL = 3
    BATCH_ADD = 4
    BATCH_CANCEL = 5
    CANCEL_ALL = 6


class Verdict(IntEnum):
    """What became of a charge."""

    ACCEPTED = 0
    RATE_LIMIT = 1
    ORDERS_LIMIT = 2
    BAD_CLOCK = 3  # time went backwards; nothing changed


@dataclass(frozen=True, slots=True)
class Limits:
    """What one account may do.

    Parameters
    ----------
    threshold : most micro-points the counter may hold.
    decay : micro-points it loses in a second.
    open_orders : most orders open at once; None where there is no such limit.
    """

    threshold: int
    decay: int
    open_orders: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= MOST_THRESHOLD:
            raise ConfigError(f"threshold {self.threshold} must be from 1 to {MOST_THRESHOLD} micro-points")
        if not 0 < self.decay <= MOST_THRESHOLD:
            raise ConfigError(f"decay {self.decay} must be from 1 to {MOST_THRESHOLD} micro-points a second")
        if self.open_orders is not None and self.open_orders < 0:
            raise ConfigError(f"open_orders {self.open_orders} must not be negative")

    def share(self, ppm: int) -> Limits:
        """Return the limits with a share of threshold and open orders: what a careful client lets itself use."""
        if not 0 < ppm <= 1_000_000:
            raise ConfigError(f"share {ppm} must be from 1 to 1,000,000 parts per million")
        orders = None if self.open_orders is None else self.open_orders * ppm // 1_000_000
        return Limits(max(1, self.threshold * ppm // 1_000_000), self.decay, orders)


@dataclass(frozen=True, slots=True)
class Charge:
    """Price of one transaction in micro-points: per message, per order in it, and per order by age bracket."""

    fixed: int = 0
    fixed_each: int = 0
    aged_each: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """What one message costs, micro-points: due on receipt, and due when it is carried out."""

    fixed: int
    aged: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.fixed + self.aged


@dataclass(frozen=True, slots=True)
class Tariff:
    """The price list: bracket k holds ages below ``age_edges_ns[k]``; older than the last costs nothing for age."""

    age_edges_ns: tuple[int, ...]
    charges: Mapping[Transaction, Charge]

    def __post_init__(self) -> None:
        if list(self.age_edges_ns) != sorted(set(self.age_edges_ns)) or min(self.age_edges_ns, default=1) <= 0:
            raise ConfigError(f"age edges {self.age_edges_ns} must rise from above 0")
        for transaction, charge in self.charges.items():
            if len(charge.aged_each) not in (0, len(self.age_edges_ns)):
                raise ConfigError(
                    f"{transaction.name} prices {len(charge.aged_each)} age brackets; "
                    f"there are {len(self.age_edges_ns)}: give one price for each"
                )

    def cost(self, transaction: Transaction, ages_ns: Sequence[int] = (), *, orders: int = 1) -> Cost:
        """Return what a message costs.

        Parameters
        ----------
        ages_ns : age of each order it touches since that was created or last amended.
        orders : how many orders it carries, where it touches none that exist.
        """
        charge = self.charges.get(transaction, Charge())
        count = len(ages_ns) or orders
        aged = sum(self._aged(charge, age) for age in ages_ns)
        return Cost(charge.fixed + count * charge.fixed_each, aged)

    def _aged(self, charge: Charge, age_ns: int) -> int:
        for edge, price in zip(self.age_edges_ns, charge.aged_each, strict=False):
            if age_ns < edge:
                return price
        return 0


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter: `level` in 10^-15 points as it was at `at_ns`."""

    level: int = 0
    at_ns: int = 0

    def level_at(self, limits: Limits, now_ns: int) -> int:
        """Return the level at a later time."""
        return max(0, self.level - (now_ns - self.at_ns) * limits.decay)


def charge(
    limits: Limits, counter: Counter, now_ns: int, cost: Cost, *, opens: int = 0, open_orders: int = 0
) -> tuple[Verdict, Counter]:
    """Charge one message and say whether it may pass.

    Parameters
    ----------
    opens : orders the message would open.
    open_orders : orders of the account that are open now on this pair.
    """
    if now_ns < counter.at_ns:
        return Verdict.BAD_CLOCK, counter
    level = counter.level_at(limits, now_ns)
    if level + cost.total * MICRO > limits.threshold * MICRO:
        verdict, points = Verdict.RATE_LIMIT, cost.fixed
    elif limits.open_orders is not None and opens > 0 and open_orders + opens > limits.open_orders:
        verdict, points = Verdict.ORDERS_LIMIT, cost.fixed
    else:
        verdict, points = Verdict.ACCEPTED, cost.total
    ceiling = CEILING * limits.threshold * MICRO
    return verdict, Counter(min(level + points * MICRO, ceiling), now_ns)


def wait_ns(limits: Limits, counter: Counter, now_ns: int, cost: Cost) -> int | None:
    """Return how long to wait until `cost` passes, in ns; None if it never can."""
    room = (limits.threshold - cost.total) * MICRO
    if room < 0:
        return None
    excess = counter.level_at(limits, now_ns) - room
    return max(0, -(-excess // limits.decay))
