"""Kraken's trading and call counters: the worked examples of its documentation, and what must hold for any traffic."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.domain.errors import ConfigError
from mycelial.market import rate_kernels
from mycelial.market.rate_counters import (
    MICRO,
    POINT,
    SECOND,
    Charge,
    Cost,
    Counter,
    Limits,
    Tariff,
    Transaction,
    Verdict,
    charge,
    wait_ns,
)
from mycelial.market.venues import packaged_venue

KRAKEN = packaged_venue("kraken")
TARIFF = KRAKEN.tariff
TIERS = [KRAKEN.limits(tier) for tier in ("starter", "intermediate", "pro")]
STARTER, INTERMEDIATE, PRO = TIERS
ADD = TARIFF.cost(Transaction.ADD)


def points(cost: Cost) -> Fraction:
    return Fraction(cost.total, 1_000_000)


def cancel_at(seconds: float) -> Cost:
    return TARIFF.cost(Transaction.CANCEL, [int(seconds * SECOND)])


# ------------------------------------------------------------------------------------------------------ the price list


@pytest.mark.parametrize(
    ("transaction", "by_age"),
    [  # ages of 0, 5, 10, 15, 45, 90, 300 s: each the first moment of its bracket
        (Transaction.ADD, [1, 1, 1, 1, 1, 1, 1]),
        (Transaction.AMEND, [4, 3, 2, 1, 1, 1, 1]),
        (Transaction.EDIT, [7, 6, 5, 3, 2, 1, 1]),
        (Transaction.CANCEL, [8, 6, 5, 4, 2, 1, 0]),
    ],
)
def test_the_price_of_each_transaction_by_age(transaction: Transaction, by_age: list[int]):
    ages_s = [0, 5, 10, 15, 45, 90, 300]

    assert [points(TARIFF.cost(transaction, [age * SECOND])) for age in ages_s] == by_age


def test_a_bracket_ends_one_nanosecond_before_its_edge():
    assert points(TARIFF.cost(Transaction.CANCEL, [5 * SECOND - 1])) == 8


def test_batches_are_priced_by_their_orders():
    assert points(TARIFF.cost(Transaction.BATCH_ADD, orders=15)) == Fraction(15, 2)
    assert points(TARIFF.cost(Transaction.BATCH_CANCEL, [0, 0, 7 * SECOND, 600 * SECOND])) == 8 + 8 + 6 + 0


def test_cancelling_everything_costs_one_point_on_the_pair():
    assert points(TARIFF.cost(Transaction.CANCEL_ALL)) == 1


# --------------------------------------------------------------------------------------------------- worked examples


def test_quoting_and_cancelling_within_five_seconds_costs_nine():
    assert points(ADD) + points(cancel_at(4.9)) == 9


@pytest.mark.parametrize(("limits", "burst"), [(STARTER, 6), (INTERMEDIATE, 13), (PRO, 20)])
def test_burst_of_place_and_cancel_round_trips(limits: Limits, burst: int):
    counter, done = Counter(), 0
    while True:
        added, counter = charge(limits, counter, 0, ADD)
        cancelled, counter = charge(limits, counter, 0, cancel_at(0))
        if (added, cancelled) != (Verdict.ACCEPTED, Verdict.ACCEPTED):
            break
        done += 1

    assert done == burst


@pytest.mark.parametrize(
    ("limits", "per_minute"), [(STARTER, Fraction(60, 9)), (INTERMEDIATE, Fraction(1404, 90)), (PRO, Fraction(25))]
)
def test_sustained_round_trips(limits: Limits, per_minute: Fraction):
    """6.7, 15.6 and 25 a minute: at that pace a full counter never refuses, one per cent faster it does."""
    period_ns = int(60 * SECOND / per_minute) + 1

    assert sustained(limits, period_ns)
    assert not sustained(limits, period_ns * 99 // 100)


def sustained(limits: Limits, period_ns: int, trips: int = 3_000) -> bool:
    counter = Counter((limits.threshold - 9_000_000) * MICRO, 0)
    for trip in range(trips):
        added, counter = charge(limits, counter, trip * period_ns, ADD)
        cancelled, counter = charge(limits, counter, trip * period_ns, cancel_at(0))
        if added != Verdict.ACCEPTED or cancelled != Verdict.ACCEPTED:
            return False
    return True


def test_pro_round_trips_amends_and_old_amends_per_second():
    per_second = Fraction(PRO.decay, 1_000_000)

    assert round(float(per_second / 9), 2) == 0.42
    assert round(float(per_second / points(TARIFF.cost(Transaction.AMEND, [0]))), 2) == 0.94
    assert per_second / points(TARIFF.cost(Transaction.AMEND, [15 * SECOND])) == Fraction("3.75")


def test_reaching_the_threshold_is_allowed_and_passing_it_is_not():
    full = Counter((PRO.threshold - 1_000_000) * MICRO, 0)

    verdict, counter = charge(PRO, full, 0, ADD)
    refused, _ = charge(PRO, counter, 0, ADD)

    assert (verdict, refused) == (Verdict.ACCEPTED, Verdict.RATE_LIMIT)


def test_a_refused_message_pays_its_fixed_part_only():
    full = Counter(PRO.threshold * MICRO, 0)

    _, after_edit = charge(PRO, full, 0, TARIFF.cost(Transaction.EDIT, [0]))
    _, after_cancel = charge(PRO, full, 0, cancel_at(0))

    assert after_edit.level - full.level == POINT
    assert after_cancel.level == full.level


def test_flooding_delays_by_a_bounded_time():
    counter = Counter()
    for _ in range(10_000):
        _, counter = charge(PRO, counter, 0, ADD)

    assert counter.level == 2 * PRO.threshold * MICRO
    assert wait_ns(PRO, counter, 0, ADD) == pytest.approx(181 / 3.75 * SECOND, abs=1)


def test_the_cap_of_open_orders_refuses_after_the_rate():
    verdict, counter = charge(PRO, Counter(), 0, ADD, opens=1, open_orders=225)
    allowed, _ = charge(PRO, Counter(), 0, ADD, opens=1, open_orders=224)
    full, _ = charge(PRO, Counter(PRO.threshold * MICRO, 0), 0, ADD, opens=1, open_orders=225)

    assert (verdict, allowed, full) == (Verdict.ORDERS_LIMIT, Verdict.ACCEPTED, Verdict.RATE_LIMIT)
    assert counter.level == POINT


def test_a_clock_going_backwards_changes_nothing():
    counter = Counter(5 * POINT, 1_000)

    assert charge(PRO, counter, 999, ADD) == (Verdict.BAD_CLOCK, counter)


def test_the_call_counter_is_the_same_machine():
    limits, counter = KRAKEN.rest_limits("intermediate"), Counter()
    for _ in range(20):
        verdict, counter = charge(limits, counter, 0, Cost(KRAKEN.rest.cost("Balance") * 1_000_000))
        assert verdict == Verdict.ACCEPTED

    refused, counter = charge(limits, counter, 0, Cost(1_000_000))

    assert refused == Verdict.RATE_LIMIT
    assert wait_ns(limits, counter, 0, Cost(1_000_000)) == 4 * SECOND  # the refused call counted: 22 -> 20 at 0.5/s


def test_a_careful_client_keeps_to_a_share():
    mirror = PRO.share(800_000)

    assert (mirror.threshold, mirror.decay, mirror.open_orders) == (144_000_000, PRO.decay, 180)


def test_impossible_limits_and_prices_are_errors():
    with pytest.raises(ConfigError, match="threshold 0 must be from 1"):
        Limits(0, 1)
    with pytest.raises(ConfigError, match="CANCEL prices 1 age brackets; there are 2: give one price for each"):
        Tariff((1, 2), {Transaction.CANCEL: Charge(aged_each=(1,))})


# --------------------------------------------------------------------------------------------------------- properties

transactions = st.tuples(
    st.integers(0, 20 * SECOND),  # wait since the last
    st.sampled_from(list(Transaction)),
    st.lists(st.integers(0, 400 * SECOND), min_size=1, max_size=15),  # ages
)
traffic = st.lists(transactions, max_size=60)


def play(limits: Limits, messages: list[tuple[int, Transaction, list[int]]]) -> tuple[list[Verdict], list[Counter]]:
    now, counter = 0, Counter()
    verdicts, counters = [], []
    for wait, transaction, ages in messages:
        now += wait
        verdict, counter = charge(limits, counter, now, TARIFF.cost(transaction, ages))
        verdicts.append(verdict)
        counters.append(counter)
    return verdicts, counters


@given(limits=st.sampled_from(TIERS), messages=traffic)
def test_a_level_is_never_negative_and_what_passes_never_lifts_it_above_the_threshold(limits, messages):
    verdicts, counters = play(limits, messages)

    for verdict, counter in zip(verdicts, counters, strict=True):
        assert 0 <= counter.level <= 2 * limits.threshold * MICRO
        if verdict == Verdict.ACCEPTED:
            assert counter.level <= limits.threshold * MICRO


@given(
    limits=st.sampled_from(TIERS),
    level=st.integers(0, 180 * POINT),
    waits=st.lists(st.integers(0, 40 * SECOND), max_size=20),
)
def test_splitting_a_wait_changes_nothing(limits, level, waits):
    counter = Counter(level, 0)
    now = 0
    for wait in waits:
        now += wait
        _, counter = charge(limits, counter, now, Cost(0))

    assert counter.level == Counter(level, 0).level_at(limits, sum(waits))


@given(limits=st.sampled_from(TIERS), level=st.integers(0, 180 * POINT), wait=st.integers(0, 10**12))
def test_decay_is_linear_to_zero(limits, level, wait):
    expected = max(Fraction(0), Fraction(level, POINT) - Fraction(wait, SECOND) * Fraction(limits.decay, 10**6))

    assert Fraction(Counter(level, 0).level_at(limits, wait), POINT) == expected


@given(messages=traffic)
def test_traffic_that_a_tighter_tier_lets_pass_passes_in_every_looser_one(messages):
    for tight, loose in pairwise(TIERS):
        refused = [verdict != Verdict.ACCEPTED for verdict in play(tight, messages)[0]]
        until = refused.index(True) if True in refused else len(messages)

        assert set(play(loose, messages[:until])[0]) <= {Verdict.ACCEPTED}


@given(level=st.integers(0, 200 * POINT), message=transactions)
def test_at_the_same_level_a_tighter_tier_never_allows_more(level, message):
    wait, transaction, ages = message
    allowed = [
        charge(limits, Counter(level, 0), wait, TARIFF.cost(transaction, ages))[0] == Verdict.ACCEPTED
        for limits in TIERS
    ]

    assert allowed == sorted(allowed)


@given(limits=st.sampled_from(TIERS), level=st.integers(0, 360 * POINT), message=transactions)
def test_the_announced_wait_is_the_shortest_that_helps(limits, level, message):
    _, transaction, ages = message
    cost, counter = TARIFF.cost(transaction, ages), Counter(level, 0)

    wait = wait_ns(limits, counter, 0, cost)

    if wait is None:
        assert cost.total > limits.threshold
        return
    assert charge(limits, counter, wait, cost)[0] == Verdict.ACCEPTED
    if wait > 0:
        assert charge(limits, counter, wait - 1, cost)[0] == Verdict.RATE_LIMIT


# ------------------------------------------------------------------------------------------------------------ kernels

kernel_traffic = st.lists(
    st.tuples(
        st.integers(0, 2),  # account, one of each tier
        st.integers(-SECOND, 20 * SECOND),  # wait; the clock may go backwards
        st.sampled_from(list(Transaction)),
        st.integers(1, 15),  # orders
        st.integers(0, 400 * SECOND),  # their age
        st.integers(0, 2),  # opens
        st.integers(0, 230),  # open already
    ),
    max_size=80,
)


@given(messages=kernel_traffic)
def test_the_kernel_agrees_with_the_readable_rules(messages):
    table, accounts = rate_kernels.tariff_table(TARIFF), rate_kernels.counters(TIERS)
    readable = [Counter()] * len(TIERS)
    now = 0
    for account, wait, transaction, orders, age, opens, already in messages:
        now = max(0, now + wait)

        verdict = rate_kernels.charge(accounts, table, account, now, transaction, orders, age, opens, already)
        expected, readable[account] = charge(
            TIERS[account],
            readable[account],
            now,
            TARIFF.cost(transaction, [age] * orders),
            opens=opens,
            open_orders=already,
        )

        assert verdict == expected
        assert (accounts.level[account], accounts.at_ns[account]) == (
            readable[account].level,
            readable[account].at_ns,
        )


@pytest.mark.parametrize("waited_ns", [26, 27, 28, 2**62])
def test_the_kernel_decays_to_zero_and_no_further(waited_ns: int):
    accounts = rate_kernels.counters([PRO])
    accounts.level[0] = 27 * PRO.decay - 1

    assert rate_kernels.level_at(accounts, 0, waited_ns) == max(0, 27 * PRO.decay - 1 - waited_ns * PRO.decay)


def test_the_kernel_reads_as_plain_python_too():
    table, accounts = rate_kernels.tariff_table(TARIFF), rate_kernels.counters(TIERS)

    verdict = rate_kernels.charge_points.py_func(accounts, 2, 10, 1_000_000, 8_000_000, 1, 0)

    assert verdict == Verdict.ACCEPTED
    assert accounts.level.tolist() == [0, 0, 9 * POINT]
    assert table.aged_each.dtype == np.int64
