"""A client that ignores every limit is refused exactly as documented: the counter, message by message, to 10^-9.

The oracle is the table of Kraken's "Spot Trading Limits" in fractions, written apart from the code under test.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from mycelial.market.venues import packaged_venue
from mycelial.simulation.exchange import SimulatedExchange
from mycelial.simulation.exchange.commands import (
    AddBatch,
    Added,
    AddedBatch,
    AddOrder,
    Amend,
    Amended,
    Cancel,
    CancelBatch,
    Canceled,
    Edit,
    Edited,
    OrderType,
    Price,
    Refused,
    Reject,
    Side,
)
from mycelial.simulation.exchange.listing import listing

SYMBOL = "BTC/USD"
SECOND = 10**9
# (threshold, decay a second, open orders): docs.kraken.com, Spot Trading Limits.
TIERS = {"starter": (60, "1", 60), "intermediate": (125, "2.34", 80), "pro": (180, "3.75", 225)}
ACCOUNTS = [(0, "pro"), (3, "intermediate"), (4, "starter")]
EDGES = (5, 10, 15, 45, 90, 300)
AGED = {"amend": (3, 2, 1, 0, 0, 0), "edit": (6, 5, 4, 2, 1, 0), "cancel": (8, 6, 5, 4, 2, 1)}
FIXED = {"add": 1, "amend": 1, "edit": 1, "cancel": 0}


class Oracle:
    """One account's counter on one pair."""

    def __init__(self, tier: str, now_ns: int) -> None:
        threshold, decay, self.most_open = TIERS[tier]
        self.threshold, self.decay = Fraction(threshold), Fraction(decay)
        self.level, self.at_ns = Fraction(0), now_ns

    def at(self, now_ns: int) -> Fraction:
        return max(Fraction(0), self.level - self.decay * Fraction(now_ns - self.at_ns, SECOND))

    def verdict(self, now_ns: int, fixed: Fraction, aged: Fraction, opens: int = 0, n_open: int = 0) -> Reject | None:
        level, refused = self.at(now_ns), None
        if level + fixed + aged > self.threshold:
            refused = Reject.RATE_LIMIT
        elif opens and n_open + opens > self.most_open:
            refused = Reject.ORDERS_LIMIT
        level += fixed if refused else fixed + aged  # "always on receipt", and the documents set no ceiling
        self.level, self.at_ns = level, now_ns
        return refused


def aged(what: str, age_ns: int) -> Fraction:
    return Fraction(next((price for edge, price in zip(EDGES, AGED[what], strict=True) if age_ns < edge * SECOND), 0))


class Flooder:
    """Sends whatever it likes and keeps the books of what it may expect."""

    def __init__(self, exchange: SimulatedExchange, account: int, tier: str, seed: int) -> None:
        self.exchange, self.account = exchange, account
        self.oracle = Oracle(tier, exchange.now)
        self.random = np.random.default_rng(seed)
        self.open: dict[str, int] = {}  # id: when it was made or last amended
        self.refusals: dict[Reject, int] = {}
        self.sent = 0

    def order(self) -> AddOrder:
        # Far below the market: nothing fills, so only the flooder changes what is open.
        price = Price(int(self.random.integers(100_000, 110_000)))
        return AddOrder(symbol=SYMBOL, side=Side.BUY, type=OrderType.LIMIT, qty=10_000, limit=price)

    def step(self) -> None:
        kind = self.random.choice(["add", "add", "too small", "amend", "edit", "cancel", "batch", "cancel batch"])
        if kind in ("amend", "edit", "cancel") and not self.open:
            kind = "add"
        getattr(self, kind.replace(" ", "_"))()
        self.sent += 1
        found = Fraction(self.exchange.counter(self.account, SYMBOL), 10**15)
        assert abs(found - self.oracle.at(self.exchange.now)) < Fraction(1, 10**9)

    def expect(self, outcome: object, expected: Reject | None, accepted: type) -> bool:
        if expected is None:
            assert isinstance(outcome, accepted), outcome
            return True
        assert isinstance(outcome, Refused), outcome
        assert outcome.reason is expected
        self.refusals[expected] = self.refusals.get(expected, 0) + 1
        return False

    def add(self) -> None:
        now = self.exchange.now
        expected = self.oracle.verdict(now, Fraction(1), Fraction(0), 1, len(self.open))
        outcome = self.exchange.submit(self.account, self.order())
        if self.expect(outcome, expected, Added):
            self.open[outcome.order_id] = now

    def too_small(self) -> None:
        """A message that fails its checks is charged all the same."""
        opens = (1, len(self.open))
        expected = self.oracle.verdict(self.exchange.now, Fraction(1), Fraction(0), *opens) or Reject.ORDER_MINIMUM
        self.expect(self.exchange.submit(self.account, replace(self.order(), qty=1)), expected, Added)

    def batch(self) -> None:
        now, n = self.exchange.now, int(self.random.integers(2, 16))
        expected = self.oracle.verdict(now, Fraction(n, 2), Fraction(0), n, len(self.open))
        outcome = self.exchange.submit(self.account, AddBatch(orders=tuple(self.order() for _ in range(n))))
        if self.expect(outcome, expected, AddedBatch):
            self.open.update({row.order_id: now for row in outcome.rows})

    def chosen(self) -> str:
        return str(self.random.choice(list(self.open)))

    def amend(self) -> None:
        now, order = self.exchange.now, self.chosen()
        expected = self.oracle.verdict(now, Fraction(1), aged("amend", now - self.open[order]))
        price = Price(int(self.random.integers(120_000, 10**6 // 2)))
        outcome = self.exchange.submit(self.account, Amend(order_id=order, limit=price))
        if self.expect(outcome, expected, Amended):
            self.open[order] = now

    def edit(self) -> None:
        now, order = self.exchange.now, self.chosen()
        expected = self.oracle.verdict(now, Fraction(1), aged("edit", now - self.open[order]))
        price = Price(int(self.random.integers(120_000, 10**6 // 2)))
        outcome = self.exchange.submit(self.account, Edit(order_id=order, symbol=SYMBOL, limit=price))
        if self.expect(outcome, expected, Edited):
            del self.open[order]
            self.open[outcome.order_id] = now

    def cancel(self) -> None:
        now, order = self.exchange.now, self.chosen()
        expected = self.oracle.verdict(now, Fraction(0), aged("cancel", now - self.open[order]))
        if self.expect(self.exchange.submit(self.account, Cancel(order_id=order)), expected, Canceled):
            del self.open[order]

    def cancel_batch(self) -> None:
        if len(self.open) < 2:
            return
        now, n = self.exchange.now, int(self.random.integers(2, min(len(self.open), 50) + 1))
        orders = [str(one) for one in self.random.choice(list(self.open), n, replace=False)]
        expected = self.oracle.verdict(now, Fraction(0), sum(aged("cancel", now - self.open[o]) for o in orders))
        outcome = self.exchange.submit(self.account, CancelBatch(orders=tuple(Cancel(order_id=o) for o in orders)))
        if self.expect(outcome, expected, Canceled):
            for order in orders:
                del self.open[order]


def quiet_exchange() -> SimulatedExchange:
    """Return an exchange whose residents are few, so that minutes cost little."""
    crowd = listing(packaged_venue("kraken"), SYMBOL).population
    few = {
        name: replace(getattr(crowd, name), count=0) for name in ("chartist", "arbitrageur", "stop_holder", "learner")
    }
    few |= {"noise": replace(crowd.noise, count=20), "maker": replace(crowd.maker, count=1, rate_hz=1.0)}
    few |= {"value": replace(crowd.value, count=1), "executor": replace(crowd.executor, count=0)}
    return SimulatedExchange([SYMBOL], seed=5, warm_up_ns=SECOND, populations={SYMBOL: replace(crowd, **few)})


@pytest.mark.parametrize(("account", "tier"), ACCOUNTS)
@pytest.mark.parametrize(("mean_s", "sent"), [(0.02, 500), (0.5, 500), (6.0, 200)])
def test_a_flood_is_refused_exactly_as_documented(account, tier, mean_s, sent):
    exchange = quiet_exchange()
    flooder = Flooder(exchange, account, tier, seed=int(account + 10 * mean_s))

    for _ in range(sent):
        exchange.advance(exchange.now + int(flooder.random.exponential(mean_s * SECOND)))
        flooder.step()

    assert len(exchange.open_orders(account)) == len(flooder.open)
    assert flooder.sent == sent
    if mean_s < 0.1:
        assert flooder.refusals[Reject.RATE_LIMIT] > sent // 2


@pytest.mark.parametrize(("account", "tier"), ACCOUNTS)
def test_the_cap_of_open_orders_is_the_documented_one(account, tier):
    exchange = quiet_exchange()
    flooder = Flooder(exchange, account, tier, seed=1)

    for _ in range(TIERS[tier][2] + 5):
        exchange.advance(exchange.now + 2 * SECOND)
        flooder.add()

    assert len(flooder.open) == TIERS[tier][2]
    assert flooder.refusals == {Reject.ORDERS_LIMIT: 5}
