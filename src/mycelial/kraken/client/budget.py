"""A mirror of the exchange's rate counters that never shows less than the exchange counts.

What the exchange counts is known only through messages that take time both ways, so the mirror errs on one side. A
message under way is charged in full and does not decay until its answer is here; the exchange began to let it decay
earlier. The age of an order is counted from when we heard that it exists, and it is older than that; a penalty for age
falls with age. So when a message reaches the exchange the counter there is at most what the mirror showed when it
left, and a message that fits the mirror is not refused.

Part of the threshold is kept for cancels alone: whoever has used up the budget with quotes can still take them back.

`Limits`, `Tariff` and the arithmetic are those of `market.rate_counters`; Kraken's figures are in `market.venues`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mycelial.domain.errors import ConfigError
from mycelial.market.rate_counters import MICRO, Charge, Cost, Counter, Limits, Tariff, Transaction, wait_ns

CANCELS = (Transaction.CANCEL, Transaction.BATCH_CANCEL, Transaction.CANCEL_ALL)
WHOLE_PPM = 1_000_000


@dataclass(slots=True)
class _Account:
    """One counter: what was answered, and what is under way."""

    counter: Counter = field(default_factory=Counter)
    underway: int = 0  # micro-points


@dataclass(frozen=True, slots=True)
class Ticket:
    """A charge of a message that has left."""

    name: str
    cost: Cost


class Budget:
    """Counters by name: one for each pair, or one for a key.

    Parameters
    ----------
    limits : of the account's tier.
    reserve_ppm : share of the threshold that only cancels may use.
    """

    def __init__(self, limits: Limits, *, reserve_ppm: int = 200_000) -> None:
        if not 0 <= reserve_ppm < WHOLE_PPM:
            raise ConfigError(f"reserve {reserve_ppm} must be from 0 to 999,999 parts per million")
        self.limits = limits
        self.quoting = limits.share(WHOLE_PPM - reserve_ppm)
        self._accounts: dict[str, _Account] = {}

    def level(self, name: str, now_ns: int) -> int:
        """Return the counter as we know it, in 10^-15 points: never less than the exchange's."""
        account = self._of(name)
        return account.counter.level_at(self.limits, now_ns) + account.underway * MICRO

    def wait_ns(self, name: str, now_ns: int, cost: Cost, *, is_cancel: bool = False) -> int | None:
        """Return how long until `cost` fits; None if only an answer under way can make room, or nothing can."""
        account = self._of(name)
        limits = self.limits if is_cancel else self.quoting
        return wait_ns(limits, account.counter, now_ns, Cost(cost.fixed, cost.aged + account.underway))

    def fits(self, name: str, now_ns: int, cost: Cost, *, is_cancel: bool = False) -> bool:
        """Return whether a message of this cost may leave now."""
        return self.wait_ns(name, now_ns, cost, is_cancel=is_cancel) == 0

    def sending(self, name: str, cost: Cost) -> Ticket:
        """Charge a message that leaves now."""
        self._of(name).underway += cost.total
        return Ticket(name, cost)

    def answered(self, ticket: Ticket, now_ns: int, *, carried_out: bool) -> None:
        """The answer is here: what was charged decays from now on; a refused message paid its fixed part."""
        account = self._of(ticket.name)
        account.underway -= ticket.cost.total
        points = ticket.cost.total if carried_out else ticket.cost.fixed
        level = account.counter.level_at(self.limits, now_ns) + points * MICRO
        account.counter = Counter(level, max(now_ns, account.counter.at_ns))

    def refused_for_rate(self, name: str, now_ns: int) -> None:
        """The exchange says its counter is full, whoever filled it: believe it."""
        account = self._of(name)
        level = max(account.counter.level_at(self.limits, now_ns), self.limits.threshold * MICRO)
        account.counter = Counter(level, max(now_ns, account.counter.at_ns))

    def told(self, name: str, points: float, now_ns: int) -> None:
        """The exchange told its counter: others may use the account too. It may only raise what we believe.

        What is under way may be part of that figure already and is charged when its answer comes, so it is left out.
        """
        account = self._of(name)
        told = (int(points * 1_000_000) - account.underway) * MICRO
        level = max(account.counter.level_at(self.limits, now_ns), told)
        account.counter = Counter(level, max(now_ns, account.counter.at_ns))

    def _of(self, name: str) -> _Account:
        return self._accounts.setdefault(name, _Account())


class TradingBudget(Budget):
    """The per-pair counter of order messages, with prices by kind of message and age of order."""

    def __init__(self, limits: Limits, tariff: Tariff, *, reserve_ppm: int = 200_000) -> None:
        super().__init__(limits, reserve_ppm=reserve_ppm)
        self.tariff = tariff

    def cost(self, transaction: Transaction, now_ns: int, touched_ns: Sequence[int] = (), *, orders: int = 1) -> Cost:
        """Return what a message costs that touches orders of which we heard at `touched_ns`."""
        return self.tariff.cost(transaction, [now_ns - since for since in touched_ns], orders=orders)

    def affordable_ns(
        self, name: str, now_ns: int, transaction: Transaction, touched_ns: int = 0, *, is_cancel: bool = False
    ) -> int | None:
        """Return the first moment at which a message about one order fits, counting that its price falls with age.

        None while only an answer under way can make room.
        """
        account = self._of(name)
        charge = self.tariff.charges.get(transaction, Charge())
        limits = self.limits if is_cancel else self.quoting
        room = limits.threshold - account.underway - charge.fixed - charge.fixed_each
        level = account.counter.level_at(self.limits, now_ns)
        begin = now_ns
        for edge, aged in zip((*self.tariff.age_edges_ns, None), (*charge.aged_each, 0), strict=False):
            end = None if edge is None or not charge.aged_each else touched_ns + edge
            if end is not None and end <= begin:
                continue
            excess = level - (room - aged) * MICRO
            if room >= aged:
                moment = max(begin, now_ns + max(0, -(-excess // self.limits.decay)))
                if end is None or moment < end:
                    return moment
            if end is None:
                return None
            begin = end
        return None
