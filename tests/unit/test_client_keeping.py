"""Back-off, sequences, tokens, the dead man's switch and the exchange's clock; amounts and rules of a pair."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.domain.amounts import ONE, amount_of, text_of
from mycelial.domain.errors import ConfigError, DataError, OrderRejected
from mycelial.domain.orders import Amendment, NewOrder, Side, TimeInForce
from mycelial.domain.trading_rules import TradingRules
from mycelial.kraken.client.keeping import (
    SECOND,
    Backoff,
    ClockOffset,
    DeadManSwitch,
    SequenceWatch,
    Step,
    TokenState,
)

RULES = TradingRules(
    "BTC/USD",
    Decimal("0.1"),
    Decimal("0.00000001"),
    price_decimals=1,
    lot_decimals=8,
    cost_decimals=5,
    min_lots=5_000,
    min_cost=ONE // 2,
)


@given(st.integers(0, 50), st.integers(0, 2**32))
def test_back_off_is_immediate_first_then_jittered_within_doubling_bounds(failures: int, seed: int) -> None:
    backoff = Backoff(seed, "x", base_ns=SECOND, most_ns=8 * SECOND, at_once=1)

    delays = [backoff.next_ns() for _ in range(failures + 1)]

    assert delays[0] == 0
    for number, delay in enumerate(delays[1:]):
        assert 0 <= delay <= min(8, 2**number) * SECOND
    backoff.succeeded()
    assert backoff.next_ns(least_ns=5) == 5


def test_two_clients_do_not_come_back_at_the_same_moment() -> None:
    first, second = (Backoff(7, "kraken", name, at_once=0) for name in ("public", "private"))

    assert [first.next_ns() for _ in range(5)] != [second.next_ns() for _ in range(5)]


def test_a_back_off_without_bounds_is_refused() -> None:
    with pytest.raises(ConfigError, match="back-off"):
        Backoff(7, "x", base_ns=2, most_ns=1)


def test_a_sequence_tells_the_next_from_a_repeated_and_a_missing_one() -> None:
    watch = SequenceWatch()

    assert [watch.take(number) for number in (1, 2, 2, 1, 4, 3)] == [
        *(Step.NEXT, Step.NEXT, Step.REPEATED, Step.REPEATED, Step.GAP, Step.NEXT)
    ]
    watch.restart()
    assert watch.take(1) is Step.NEXT


def test_a_token_must_be_used_in_time_and_then_lives_with_its_connection() -> None:
    token = TokenState()
    assert not token.is_usable(0)

    token.received("secret", 900, now_ns=0)
    assert token.is_usable(800 * SECOND)
    assert not token.is_usable(880 * SECOND)
    assert "secret" not in repr(token)

    token.subscribed()
    assert token.is_usable(10_000 * SECOND)
    token.dropped()
    assert not token.is_usable(1)


def test_the_dead_man_s_switch_counts_from_when_the_request_left() -> None:
    switch = DeadManSwitch(60 * SECOND, 15 * SECOND)
    assert switch.due_ns() == 0
    assert not switch.is_armed(0)

    switch.asking(100 * SECOND)
    assert not switch.is_armed(100 * SECOND)  # asked is not answered
    switch.confirmed(100 * SECOND)

    assert switch.is_armed(154 * SECOND)
    assert not switch.is_armed(155 * SECOND)  # five seconds before it may fire nothing new is risked
    assert switch.due_ns() == 115 * SECOND
    assert not switch.may_have_fired(159 * SECOND)
    assert switch.may_have_fired(160 * SECOND)
    switch.disarmed()
    assert not switch.may_have_fired(10**18)


def test_a_switch_that_is_wound_up_too_late_is_refused() -> None:
    with pytest.raises(ConfigError, match="refresh must be shorter"):
        DeadManSwitch(SECOND, SECOND)


@given(
    st.integers(-(10**13), 10**13),
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=20),
)
def test_the_offset_of_clocks_is_known_to_half_the_best_round_trip(offset: int, trips: list[tuple[int, int]]) -> None:
    clock, now = ClockOffset(), 10**15
    for up, down in trips:
        clock.measured(now, now + up + offset, now + up + down)
        now += up + down + 10**9

        assert abs(clock.offset_ns - offset) <= clock.uncertainty_ns + 1
    assert not clock.is_skewed(abs(offset))
    assert clock.theirs(now) == now + clock.offset_ns


def test_a_clock_of_another_pace_is_noticed() -> None:
    clock, fast = ClockOffset(), ClockOffset()
    for second in range(5):
        clock.measured(second * SECOND, second * SECOND + 3_600 * SECOND, second * SECOND + 1_000)
        fast.measured(second * SECOND, second * 10 * SECOND, second * SECOND + 1_000)

    assert clock.keeps_pace()
    assert not fast.keeps_pace()
    assert ClockOffset().keeps_pace()


def test_only_a_certain_skew_is_called_one() -> None:
    clock = ClockOffset()
    assert not clock.is_skewed()

    clock.measured(0, 10**9, 4 * 10**9)  # 1 s ahead of the middle or less, known to 2 s
    assert not clock.is_skewed()
    clock.measured(0, 10**9, 1_000)
    assert clock.is_skewed()


@given(st.decimals(-(10**12), 10**12, places=16))
def test_amounts_are_exact_both_ways(value: Decimal) -> None:
    assert Decimal(text_of(amount_of(value))) == value


@pytest.mark.parametrize("text", ["nan", "Infinity", "x", "1e-17", "1e400", ""])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        amount_of(text)


def test_prices_and_quantities_are_printed_as_the_exchange_prints_them_and_read_back() -> None:
    assert RULES.price_text(1_000_000) == "100000.0"
    assert RULES.quantity_text(44_780) == "0.00044780"
    assert RULES.ticks("100000.0") == 1_000_000
    assert RULES.lots(Decimal("5e-05")) == 5_000
    assert RULES.cost(1_000_000, 5_000) == 5 * ONE
    with pytest.raises(DataError, match="multiple of its step"):
        RULES.ticks("100000.05")


def _order(**changes: object) -> NewOrder:
    values = {"lots": 5_000, "price_ticks": 1_000_000, **changes}
    return NewOrder("a", "BTC/USD", Side.BUY, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (_order(lots=4_999), "minimum"),
        (_order(price_ticks=10), "worth"),
        (_order(price_ticks=-1), "above zero"),
        (_order(price_ticks=None, post_only=True), "give a price"),
        (_order(post_only=True, time_in_force=TimeInForce.IOC), "drop one"),
    ],
)
def test_an_order_that_would_be_refused_is_stopped_here(order: NewOrder, words: str) -> None:
    with pytest.raises(OrderRejected, match=words):
        RULES.check(order)


@pytest.mark.parametrize(
    ("status", "order", "passes"),
    [
        ("online", _order(), True),
        ("cancel_only", _order(), False),
        ("post_only", _order(), False),
        ("post_only", _order(post_only=True), True),
        ("limit_only", _order(price_ticks=None), False),
        ("maintenance", _order(), False),
        ("a word nobody knows", _order(), False),
    ],
)
def test_the_status_of_a_pair_decides_what_may_be_sent(status: str, order: NewOrder, passes: bool) -> None:
    from dataclasses import replace

    rules = replace(RULES, status=status)
    if passes:
        rules.check(order)
    else:
        with pytest.raises(OrderRejected):
            rules.check(order)


def test_an_amendment_is_checked_like_the_order_it_would_become() -> None:
    RULES.check_amendment(Amendment("a", lots=6_000), 5_000, 1_000_000)
    for change, words in (
        (Amendment("a"), "changes nothing"),
        (Amendment("a", lots=5_000, price_ticks=1_000_000), "changes nothing"),
        (Amendment("a", lots=1), "minimum"),
        (Amendment("a", price_ticks=1), "worth"),
    ):
        with pytest.raises(OrderRejected, match=words):
            RULES.check_amendment(change, 5_000, 1_000_000)
