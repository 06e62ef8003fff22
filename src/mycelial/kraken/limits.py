"""What Kraken's limits make of a request: which charge an order command is, and budgets of connections.

The counters themselves are `mycelial.market.rate_counters`; the exchange and a client's mirror share them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from mycelial.kraken.orders import AddBatch, AddOrder, AmendOrder, CancelAll, CancelAllAfter, CancelOrders, Command
from mycelial.market.rate_counters import Transaction


def transaction_of(command: Command) -> Transaction:
    """Return what a command is charged as on the trading counter of its pair.

    Cancelling many orders in one call counts each as it would alone; only batch_cancel is a batch.
    """
    match command:
        case AddOrder():
            return Transaction.ADD
        case AddBatch():
            return Transaction.BATCH_ADD
        case AmendOrder():
            return Transaction.AMEND
        case CancelOrders():
            return Transaction.BATCH_CANCEL if command.batch else Transaction.CANCEL
        case CancelAll() | CancelAllAfter():
            return Transaction.CANCEL_ALL
    return Transaction.EDIT


@dataclass(slots=True)
class Budget:
    """So many in a second, with a burst of the same size: messages of a connection, calls of an address.

    Parameters
    ----------
    per_s : sustained rate.
    burst : how many at once.
    """

    per_s: float
    burst: float
    level: float = 0.0
    at_ns: int = 0

    def take(self, now_ns: int, cost: float = 1.0) -> bool:
        """Spend `cost` if there is room; False spends nothing."""
        self.level = max(0.0, self.level - (now_ns - self.at_ns) * 1e-9 * self.per_s)
        self.at_ns = now_ns
        if self.level + cost > self.burst:
            return False
        self.level += cost
        return True


class Attempts:
    """At most `most` attempts within `within_ns`, then a ban of `ban_ns`: connections and bad keys of one address.

    Parameters
    ----------
    extends : whether an attempt during a ban starts it again.
    """

    def __init__(self, most: int, within_ns: int, ban_ns: int, *, extends: bool = False) -> None:
        self.most, self.within_ns, self.ban_ns, self.extends = most, within_ns, ban_ns, extends
        self._recent: deque[int] = deque()
        self._banned_until = -1

    def banned(self, now_ns: int) -> bool:
        """Whether the ban holds now."""
        return now_ns < self._banned_until

    def attempt(self, now_ns: int) -> bool:
        """Count an attempt and say whether it may pass."""
        if self.banned(now_ns):
            if self.extends:
                self._banned_until = now_ns + self.ban_ns
            return False
        while self._recent and self._recent[0] <= now_ns - self.within_ns:
            self._recent.popleft()
        self._recent.append(now_ns)
        if len(self._recent) > self.most:
            self._recent.clear()
            self._banned_until = now_ns + self.ban_ns
            return False
        return True
