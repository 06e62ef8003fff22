"""Agents that always want something else, on one account: scheduler and mirror here, the exchange's own counters there.

The exchange's truth is `market.rate_counters`, charged at the moment a message arrives; every message takes its time
both ways, drawn anew. So it shows whether a client that asks its mirror is ever refused, and how much it gets done.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from mycelial.domain.orders import Side
from mycelial.kraken.client.budget import TradingBudget
from mycelial.kraken.client.scheduler import NEVER, Action, Move, Scheduler
from mycelial.market.rate_counters import Counter, Transaction, Verdict, charge
from mycelial.market.venues import packaged_venue

KRAKEN = packaged_venue("kraken")
SECOND = 10**9
DAY = 86_400 * SECOND
KINDS = {Move.PLACE: Transaction.ADD, Move.AMEND: Transaction.AMEND, Move.CANCEL: Transaction.CANCEL}


@dataclass
class World:
    """Agents, scheduler and mirror on one side; the exchange's counters on the other; time and latency between.

    Agents always want something: as soon as a slot has what it asked for, its agent asks for something else.
    """

    rng: Random
    tier: str
    pairs: list[str]
    agents: int
    most_latency_ns: int
    cancels: float = 0.0  # share of wishes for nothing
    now: int = 0
    refused: int = 0
    carried_out: dict[str, int] = field(default_factory=dict)  # micro-points by pair
    messages: int = 0
    settled: int = 0  # wishes fulfilled
    order: int = 0
    agenda: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.limits = KRAKEN.limits(self.tier)
        self.budget = TradingBudget(self.limits, KRAKEN.tariff)
        self.scheduler = Scheduler(self.budget)
        self.counters = dict.fromkeys(self.pairs, Counter())
        self.carried_out = dict.fromkeys(self.pairs, 0)
        self.born: dict[str, int] = {}  # when the exchange made or amended the slot's order
        self.open = dict.fromkeys(self.pairs, 0)
        for agent in range(self.agents):
            for pair in self.pairs:
                self._wish(f"{agent}/{pair}", pair, Side.BUY if agent % 2 else Side.SELL)

    def run(self, until: int) -> None:
        while self.now < until:
            action = self.scheduler.next(self.now)
            if action is not None:
                self._send(action)
                continue
            wake = self.scheduler.wake_ns(self.now)
            if self.agenda and self.agenda[0][0] <= wake:
                self.now, _, event = heapq.heappop(self.agenda)
                event()
            elif wake >= NEVER:
                return
            else:
                assert wake > self.now, "the scheduler wakes for nothing"
                self.now = wake

    def _latency(self) -> int:
        return self.rng.randint(0, self.most_latency_ns)

    def _later(self, delay: int, event: Callable[[], None]) -> None:
        self.order += 1
        heapq.heappush(self.agenda, (self.now + delay, self.order, event))

    def _send(self, action: Action) -> None:
        ticket = self.budget.sending(action.symbol, action.cost)
        self.scheduler.sending(action.slot)
        self.messages += 1

        def arrives() -> None:
            age = [self.now - self.born[action.slot]] if action.move is not Move.PLACE else []
            cost = KRAKEN.tariff.cost(KINDS[action.move], age)
            opens = int(action.move is Move.PLACE)
            verdict, self.counters[action.symbol] = charge(
                *(self.limits, self.counters[action.symbol], self.now, cost),
                opens=opens,
                open_orders=self.open[action.symbol],
            )
            accepted = verdict is Verdict.ACCEPTED
            self.refused += not accepted
            if accepted:
                self.born[action.slot] = self.now
                self.carried_out[action.symbol] += cost.total
                self.open[action.symbol] += opens - (action.move is Move.CANCEL)
            self._later(self._latency(), lambda: answered(accepted))

        def answered(accepted: bool) -> None:
            self.budget.answered(ticket, self.now, carried_out=accepted)
            if action.move is Move.CANCEL:
                self.scheduler.gone(action.slot)
            else:
                self.scheduler.rests(action.slot, action.price_ticks, action.lots, self.now)
                self.settled += accepted
            self._wish(action.slot, action.symbol, action.side)

        self._later(self._latency(), arrives)

    def _wish(self, slot: str, pair: str, side: Side) -> None:
        """Want something else than there is: an agent who happened to want the same would fall silent."""
        present = (self.scheduler[slot].price, self.scheduler[slot].lots) if slot in self.scheduler else (0, 0)
        wanted = present
        while wanted == present:
            price = self.rng.randint(1, 1000) if side is Side.BUY else self.rng.randint(2000, 3000)
            wanted = price, self.rng.randint(1, 5)
        nothing = present[1] > 0 and self.rng.random() < self.cancels
        self.scheduler.want(slot, pair, side, wanted[0], 0 if nothing else wanted[1], self.now)

    def used(self) -> float:
        """Share of the budget used on the pair that used least."""
        allowed = self.limits.threshold + self.limits.decay * self.now // SECOND
        return min(self.carried_out.values()) / allowed
