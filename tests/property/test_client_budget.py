"""Whatever a client that asks its mirror sends, however long messages travel, it is never refused for rate.

The exchange's truth is `market.rate_counters`, charged at the moment a message arrives. Latency is drawn anew for every
message in both directions.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.eager_agents import DAY, KRAKEN, SECOND, World

from mycelial.domain.errors import ConfigError
from mycelial.domain.orders import Side
from mycelial.kraken.client.budget import Budget, TradingBudget
from mycelial.kraken.client.scheduler import NEVER, Move, Scheduler
from mycelial.market.rate_counters import POINT, Cost, Limits, Transaction


@pytest.mark.parametrize(("tier", "until"), [("starter", DAY), ("intermediate", DAY // 24), ("pro", DAY // 24)])
def test_fifty_eager_agents_use_the_whole_budget_and_are_never_refused(tier: str, until: int) -> None:
    world = World(Random(11), tier, ["BTC/USD"], 50, most_latency_ns=80_000_000)

    world.run(until)

    assert world.refused == 0
    assert world.used() >= 0.8
    assert world.messages > until // SECOND * world.limits.decay // 4_000_000  # amends, not cancels and replacements


@settings(max_examples=40)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["starter", "intermediate", "pro"]),
    st.integers(1, 30),
    st.integers(0, 3_000_000_000),
    st.sampled_from([0.0, 0.3, 0.9]),
)
def test_no_latency_and_no_mix_of_wishes_is_refused(
    seed: int, tier: str, agents: int, most_latency_ns: int, cancels: float
) -> None:
    world = World(Random(seed), tier, ["BTC/USD", "ETH/USD"], agents, most_latency_ns, cancels)

    world.run(120 * SECOND)

    assert world.refused == 0
    assert world.messages > 0


@given(st.integers(1, 100), st.integers(0, 60))
def test_quotes_cannot_touch_what_is_kept_for_cancels(adds: int, seconds: int) -> None:
    limits = KRAKEN.limits("pro")
    budget = TradingBudget(limits, KRAKEN.tariff, reserve_ppm=200_000)
    place = budget.cost(Transaction.ADD, 0)
    while budget.fits("X", 0, place):
        budget.answered(budget.sending("X", place), 0, carried_out=True)

    cancel = budget.cost(Transaction.CANCEL, 0, (0,))
    assert not budget.fits("X", 0, place)
    assert budget.fits("X", 0, cancel, is_cancel=True)
    assert limits.threshold * 10**9 - budget.level("X", 0) == limits.threshold * 10**9 // 5


def test_a_message_under_way_does_not_decay_and_its_answer_starts_the_decay() -> None:
    budget = Budget(Limits(threshold=10_000_000, decay=1_000_000), reserve_ppm=0)
    ticket = budget.sending("X", Cost(4_000_000))
    assert budget.level("X", 100 * SECOND) == 4 * POINT
    assert not budget.fits("X", 100 * SECOND, Cost(7_000_000))

    budget.answered(ticket, 100 * SECOND, carried_out=True)

    assert budget.level("X", 102 * SECOND) == 2 * POINT
    assert budget.level("X", 110 * SECOND) == 0


def test_a_refusal_for_rate_by_the_exchange_is_believed() -> None:
    budget = Budget(Limits(threshold=10_000_000, decay=1_000_000))

    budget.refused_for_rate("X", 5)

    assert budget.level("X", 5) == 10 * POINT
    assert budget.wait_ns("X", 5, Cost(1_000_000)) == 3 * SECOND  # down to 8, less 1


def test_a_reserve_of_everything_is_refused() -> None:
    with pytest.raises(ConfigError, match="reserve"):
        Budget(Limits(threshold=1, decay=1), reserve_ppm=1_000_000)


def _scheduler() -> tuple[Scheduler, TradingBudget]:
    budget = TradingBudget(KRAKEN.limits("pro"), KRAKEN.tariff)
    return Scheduler(budget), budget


def test_a_quote_that_moves_is_amended_and_one_that_is_not_wanted_is_taken_back_first() -> None:
    scheduler, _ = _scheduler()
    scheduler.want("a", "X/Y", Side.BUY, 100, 5, now_ns=0)
    scheduler.rests("a", 100, 5, 0)
    scheduler.want("b", "X/Y", Side.BUY, 99, 5, now_ns=0)
    scheduler.rests("b", 99, 5, 0)
    assert scheduler.next(0) is None

    scheduler.want("a", "X/Y", Side.BUY, 101, 5, now_ns=1)
    scheduler.want("b", "X/Y", Side.BUY, 0, 0, now_ns=2)

    first = scheduler.next(3)
    assert first is not None
    assert (first.move, first.slot, first.cost) == (Move.CANCEL, "b", Cost(0, 8_000_000))
    scheduler.sending("b")
    second = scheduler.next(3)
    assert second is not None
    assert (second.move, second.slot, second.price_ticks, second.cost.total) == (Move.AMEND, "a", 101, 4_000_000)
    scheduler.sending("a")
    assert scheduler.next(3) is None


def test_a_quote_never_trades_with_an_own_order() -> None:
    scheduler, _ = _scheduler()
    scheduler.want("bid", "X/Y", Side.BUY, 100, 5, now_ns=0)
    scheduler.rests("bid", 100, 5, 0)
    scheduler.want("ask", "X/Y", Side.SELL, 100, 5, now_ns=0)
    assert scheduler.next(0) is None

    scheduler.want("ask", "X/Y", Side.SELL, 101, 5, now_ns=0)
    scheduler.want("bid", "X/Y", Side.BUY, 101, 5, now_ns=1)

    action = scheduler.next(2)
    assert action is not None
    assert action.slot == "ask"  # the bid may only follow once the ask is known to rest higher
    scheduler.sending("ask")
    assert scheduler.next(2) is None


def test_the_cap_on_open_orders_is_never_passed() -> None:
    budget = TradingBudget(KRAKEN.limits("pro"), KRAKEN.tariff)
    scheduler = Scheduler(budget, open_orders=2)
    for slot in "abc":
        scheduler.want(slot, "X/Y", Side.BUY, 100, 1, now_ns=0)
    for _ in range(2):
        action = scheduler.next(0)
        assert action is not None
        scheduler.sending(action.slot)

    assert scheduler.next(0) is None
    assert scheduler.wake_ns(0) == NEVER

    scheduler.gone("a")
    scheduler.want("a", "X/Y", Side.BUY, 0, 0, now_ns=1)
    action = scheduler.next(1)
    assert action is not None
    assert action.slot == "c"


def test_pairs_take_turns_by_the_room_they_have() -> None:
    scheduler, budget = _scheduler()
    budget.told("A/Y", 100.0, 0)
    for symbol in ("A/Y", "B/Y"):
        scheduler.want(symbol, symbol, Side.BUY, 100, 1, now_ns=0)

    action = scheduler.next(0)

    assert action is not None
    assert action.symbol == "B/Y"


def test_what_the_exchange_tells_of_its_counter_raises_the_mirror_and_never_counts_a_message_twice() -> None:
    budget = TradingBudget(KRAKEN.limits("pro"), KRAKEN.tariff)
    ticket = budget.sending("X", Cost(4_000_000))

    budget.told("X", 4.0, 0)  # the exchange has the message already; its answer is still on the way
    assert budget.level("X", 0) == 4 * POINT
    budget.answered(ticket, 0, carried_out=True)
    assert budget.level("X", 0) == 4 * POINT

    budget.told("X", 50.0, 0)  # somebody else uses the account
    assert budget.level("X", 0) == 50 * POINT
    budget.told("X", 1.0, 0)
    assert budget.level("X", 0) == 50 * POINT
