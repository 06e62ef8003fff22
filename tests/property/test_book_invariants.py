"""What is true of every order book after every input, whatever the inputs: the invariants of the market.

Each invariant is a function of a transcript (inputs, events, the book before and after each). Every one runs on long
seeded streams, and all of them together on short streams that hypothesis draws and shrinks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.book_inputs import (
    Inputs,
    Setup,
    aim,
    aimed_streams,
    hostile_setup,
    hostile_stream,
    instrument,
    realistic_setup,
    realistic_stream,
    record,
    streams,
)
from tests.support.book_transcript import Record, Step, Subscriber, Transcript, look, transcribe
from tests.support.books import EVERY_BOOK
from tests.support.oracle_book import OracleBook

from mycelial.market.book import OrderBook
from mycelial.market.book.records import (
    EVENT,
    Done,
    EventFlag,
    EventKind,
    Flag,
    Kind,
    Mode,
    Reject,
    Side,
    Stp,
    Tif,
)

Invariant = Callable[[Transcript], None]
INVARIANTS: dict[str, Invariant] = {}


def invariant(check: Invariant) -> Invariant:
    """Register a check under its name, which is a sentence."""
    INVARIANTS[check.__name__] = check
    return check


# ---- the book ------------------------------------------------------------------------------------------------------


@invariant
def the_best_bid_is_below_the_best_ask(transcript: Transcript) -> None:
    for step in transcript.steps:
        book = step.after
        assert book.best_bid == max((price for price, _ in book.bids), default=0)
        assert book.best_ask == min((price for price, _ in book.asks), default=0)
        assert not (book.best_bid and book.best_ask and book.best_bid >= book.best_ask), step


@invariant
def levels_are_the_sums_of_the_tips_of_their_orders(transcript: Transcript) -> None:
    for step in transcript.steps:
        for side, levels in ((Side.BUY, step.after.bids), (Side.SELL, step.after.asks)):
            shown: Counter[int] = Counter()
            for order in step.after.orders:
                if order.side == side:
                    shown[order.price] += order.shown
            assert levels == sorted(shown.items(), reverse=side == Side.BUY), step


@invariant
def an_iceberg_shows_its_tip_and_others_show_all(transcript: Transcript) -> None:
    for step in transcript.steps:
        for order in step.after.orders:
            if order.flags & Flag.ICEBERG:
                assert 1 <= order.shown <= min(order.display, order.leaves), step
            else:
                assert (order.display, order.shown) == (0, order.leaves), step


@invariant
def events_alone_rebuild_every_queue_in_order(transcript: Transcript) -> None:
    subscriber = Subscriber()
    for step in transcript.steps:
        for event in step.events:
            subscriber.hear(event)
        listed = [
            (o.handle, o.side, o.owner, o.client_id, o.price, o.leaves, o.shown, o.filled) for o in step.after.orders
        ]
        assert subscriber.book() == listed, step


@invariant
def the_order_next_in_line_trades_and_at_its_own_price(transcript: Transcript) -> None:
    """Nobody is overtaken: the maker is the head of the best level, and gives no more than it shows."""
    subscriber = Subscriber()
    for step, event in transcript.events():
        if event.kind == EventKind.TRADE:
            head = subscriber.head(1 - event.side)
            assert event.maker_handle == head.handle, step
            assert event.price == head.price, step
            assert 1 <= event.lots <= head.shown, step
        subscriber.hear(event)


@invariant
def no_trade_is_worse_than_the_limit_of_the_taker(transcript: Transcript) -> None:
    limit: dict[int, int] = {}
    for step, event in transcript.events():
        if event.kind in (EventKind.ACCEPTED, EventKind.AMENDED):
            limit[event.handle] = event.price
        elif event.kind == EventKind.TRADE:
            worst = limit[event.handle]
            assert event.price <= worst if event.side == Side.BUY else event.price >= worst, step


# ---- orders --------------------------------------------------------------------------------------------------------


@invariant
def filled_and_left_add_up_and_makers_give_what_takers_get(transcript: Transcript) -> None:
    total: dict[int, int] = {}
    filled: Counter[int] = Counter()
    gone: dict[int, tuple[int, int]] = {}
    for step, event in transcript.events():
        if event.kind == EventKind.ACCEPTED:
            assert event.lots == event.leaves > 0
            total[event.handle] = event.lots
        elif event.kind == EventKind.TRADE:
            filled[event.handle] += event.lots
            filled[event.maker_handle] += event.lots
            assert event.leaves == total[event.handle] - filled[event.handle] >= 0, step
        elif event.kind in (EventKind.RESTED, EventKind.REPLENISHED):
            assert event.leaves == total[event.handle] - filled[event.handle] >= event.lots > 0, step
        elif event.kind == EventKind.AMENDED:
            total[event.handle] = filled[event.handle] + event.leaves
            assert event.leaves >= event.lots > 0, step
        elif event.kind == EventKind.DONE:
            assert (event.lots, event.leaves) == (filled[event.handle], total[event.handle] - filled[event.handle]), (
                step
            )
            assert (event.reason == Done.FILLED) == (event.leaves == 0), step
            gone[event.handle] = (event.lots, event.leaves)
    for order in transcript.steps[-1].after.orders:
        assert order.filled == filled[order.handle]
        assert order.leaves == total[order.handle] - filled[order.handle]


@invariant
def every_accepted_order_is_done_once_and_never_heard_of_again(transcript: Transcript) -> None:
    accepted: set[int] = set()
    alive: set[int] = set()
    for step, event in transcript.events():
        if event.kind == EventKind.ACCEPTED:
            assert event.handle not in accepted, step
            accepted.add(event.handle)
            alive.add(event.handle)
        elif event.kind == EventKind.TRADE:
            assert {event.handle, event.maker_handle} <= alive, step
        elif event.kind in (EventKind.RESTED, EventKind.REPLENISHED, EventKind.AMENDED):
            assert event.handle in alive, step
        elif event.kind == EventKind.DONE:
            alive.remove(event.handle)
    assert alive == {order.handle for order in transcript.steps[-1].after.orders}


@invariant
def a_freed_slot_is_the_next_to_be_handed_out_as_a_new_generation(transcript: Transcript) -> None:
    capacity = transcript.setup.instrument.max_orders
    free = list(range(capacity, 0, -1))
    generation: Counter[int] = Counter()
    for step, event in transcript.events():
        if event.kind == EventKind.ACCEPTED:
            slot = free.pop()
            assert event.handle == generation[slot] << 32 | slot, step
        elif event.kind == EventKind.DONE:
            slot = event.handle & 0xFFFFFFFF
            generation[slot] += 1
            free.append(slot)
    assert len(free) + len(transcript.steps[-1].after.orders) == capacity


@invariant
def fill_or_kill_is_all_or_nothing(transcript: Transcript) -> None:
    for step in transcript.steps:
        if step.record.kind == Kind.NEW and step.record.tif == Tif.FOK and not step.rejected:
            traded = sum(e.lots for e in step.events if e.kind == EventKind.TRADE)
            assert traded in (0, step.record.lots), step


@invariant
def orders_for_now_never_rest_and_post_only_never_takes(transcript: Transcript) -> None:
    patient: set[int] = set()
    for step, event in transcript.events():
        if event.kind == EventKind.ACCEPTED and step.record.flags & Flag.POST_ONLY:
            patient.add(event.handle)
        if event.kind == EventKind.TRADE:
            assert event.handle not in patient, step
        if event.kind == EventKind.RESTED and step.record.kind == Kind.NEW:
            assert step.record.tif in (Tif.GTC, Tif.GTD), step
            assert not step.record.flags & Flag.MARKET, step


@invariant
def nobody_trades_with_themselves_unless_they_allow_it(transcript: Transcript) -> None:
    trader: dict[int, Record] = {}
    for step, event in transcript.events():
        if event.kind == EventKind.ACCEPTED:
            trader[event.handle] = step.record
        elif event.kind == EventKind.TRADE:
            taker, maker = trader[event.handle], trader[event.maker_handle]
            same = taker.owner == maker.owner or taker.group == maker.group >= 0
            assert not same or taker.stp == Stp.NONE, step


@invariant
def nothing_outlives_its_expiry(transcript: Transcript) -> None:
    for step in transcript.steps:
        for order in step.after.orders:
            assert (order.expire > step.after.now) if order.tif == Tif.GTD else (order.expire == 0), step
    for step, event in transcript.events():
        if event.kind == EventKind.DONE and event.reason == Done.EXPIRED:
            [order] = [order for order in step.before.orders if order.handle == event.handle]
            assert order.expire <= step.after.now, step


@invariant
def trades_happen_only_in_modes_that_match(transcript: Transcript) -> None:
    for step, event in transcript.events():
        if event.kind == EventKind.TRADE:
            assert step.before.mode in (Mode.ONLINE, Mode.LIMIT_ONLY, Mode.REDUCE_ONLY), step
        if event.kind == EventKind.ACCEPTED:
            assert step.before.mode not in (Mode.MAINTENANCE, Mode.CANCEL_ONLY, Mode.CLOSED), step
    for step in transcript.steps:
        assert step.after.mode != Mode.CLOSED or not step.after.orders, step


# ---- money ---------------------------------------------------------------------------------------------------------


@invariant
def cash_and_asset_sum_to_zero_over_all_accounts(transcript: Transcript) -> None:
    for step in transcript.steps:
        assert sum(a.cash_free + a.cash_held for a in step.after.accounts) == 0, step
        assert sum(a.asset_free + a.asset_held for a in step.after.accounts) == 0, step


@invariant
def who_may_not_borrow_never_owes(transcript: Transcript) -> None:
    borrowers = np.broadcast_to(np.asarray(transcript.setup.may_borrow), transcript.setup.accounts)
    for step in transcript.steps:
        for may_borrow, account in zip(borrowers, step.after.accounts, strict=False):
            assert min(account.cash_held, account.asset_held) >= 0, step
            assert may_borrow or min(account.cash_free, account.asset_free) >= 0, step


@invariant
def what_is_held_is_what_live_orders_hold(transcript: Transcript) -> None:
    tiers = transcript.setup.fee_tiers
    worst = max(*tiers[0][1:], 0)
    for step in transcript.steps:
        cash: Counter[int] = Counter()
        lots: Counter[int] = Counter()
        for order in step.after.orders:
            notional = order.price * order.leaves * transcript.setup.instrument.cash_per_tick_lot
            if order.side == Side.BUY:
                for_fees = -(-notional * worst // 10**6) + order.leaves if worst else 0
                cash[order.owner] += notional + for_fees
            else:
                lots[order.owner] += order.leaves
        for owner, account in enumerate(step.after.accounts):
            assert account.asset_held == lots[owner], step
            if len(tiers) == 1:  # otherwise the rate of each order's entry is not shown
                assert account.cash_held == cash[owner], step


@invariant
def balances_change_by_trades_fees_and_funding_only(transcript: Transcript) -> None:
    """So price improvement goes to the taker: it pays the maker's price and not a unit more."""
    exchange, world = transcript.setup.accounts, transcript.setup.accounts + 1
    for step in transcript.steps:
        cash: Counter[int] = Counter()
        asset: Counter[int] = Counter()
        for event in step.events:
            if event.kind == EventKind.TRADE:
                notional = event.price * event.lots * transcript.setup.instrument.cash_per_tick_lot
                taker_gets = event.lots if event.side == Side.BUY else -event.lots
                taker_pays = notional if event.side == Side.BUY else -notional
                asset[event.owner] += taker_gets
                asset[event.maker_owner] -= taker_gets
                cash[event.owner] -= taker_pays + event.taker_fee
                cash[event.maker_owner] += taker_pays - event.maker_fee
                cash[exchange] += event.taker_fee + event.maker_fee
            elif event.kind == EventKind.POSTED:
                account = asset if event.side else cash
                account[event.owner] += event.lots
                account[world] -= event.lots
        for owner, (before, after) in enumerate(zip(step.before.accounts, step.after.accounts, strict=True)):
            assert after.cash_free + after.cash_held - before.cash_free - before.cash_held == cash[owner], step
            assert after.asset_free + after.asset_held - before.asset_free - before.asset_held == asset[owner], step


def rounded_half_up(notional: int, ppm: int) -> int:
    """Return a fee by the exact quotient, which integers of any size allow."""
    size = (2 * notional * abs(ppm) + 10**6) // (2 * 10**6)
    return size if ppm >= 0 else -size


@invariant
def fees_follow_the_formula(transcript: Transcript) -> None:
    if len(transcript.setup.fee_tiers) > 1:
        return
    [(_, maker_ppm, taker_ppm)] = transcript.setup.fee_tiers
    for step, event in transcript.events():
        if event.kind == EventKind.TRADE:
            notional = event.price * event.lots * transcript.setup.instrument.cash_per_tick_lot
            assert event.taker_fee == rounded_half_up(notional, taker_ppm), step
            assert event.maker_fee == rounded_half_up(notional, maker_ppm), step


# ---- refusals and the form of events -------------------------------------------------------------------------------


@invariant
def what_is_rejected_changes_nothing(transcript: Transcript) -> None:
    for step in transcript.steps:
        if step.rejected and len(step.events) == 1:
            assert step.after.orders == step.before.orders, step
            assert [a[:4] for a in step.after.accounts] == [a[:4] for a in step.before.accounts], step
            assert step.after.mode == step.before.mode, step


@invariant
def a_handle_that_is_not_alive_cannot_be_cancelled_or_amended(transcript: Transcript) -> None:
    for step in transcript.steps:
        if step.record.kind in (Kind.CANCEL, Kind.AMEND) and step.record.handle != -1:
            alive = {order.handle for order in step.before.orders}
            assert step.rejected or step.record.handle in alive, step
            if step.events and step.events[-1].reason == Reject.NOT_OWNER and step.rejected:
                assert step.record.handle in alive, step


@invariant
def events_are_numbered_dated_and_caused(transcript: Transcript) -> None:
    assert transcript.log.dtype == EVENT
    assert transcript.log["event_seq"].tolist() == list(range(len(transcript.log)))
    for step, event in transcript.events():
        assert (event.cause, event.ts) == (step.seq, step.after.now), step
    for step in transcript.steps:
        clock_runs = step.record.ts >= step.before.now
        assert step.after.now == (step.record.ts if clock_runs else step.before.now), step
        assert clock_runs or [e.reason for e in step.events] == [Reject.BAD_CLOCK], step


MEANT = {
    EventKind.ACCEPTED: "side owner handle client_id price lots leaves",
    EventKind.REJECTED: "reason side owner handle client_id price lots",
    EventKind.TRADE: "side owner handle client_id price lots leaves maker_handle maker_owner taker_fee maker_fee",
    EventKind.RESTED: "side owner handle client_id price lots leaves",
    EventKind.DONE: "reason side flags owner handle client_id price lots leaves",
    EventKind.AMENDED: "side flags owner handle client_id price lots leaves maker_handle",
    EventKind.REPLENISHED: "side owner handle client_id price lots leaves",
    EventKind.MODE: "owner handle lots leaves",
    EventKind.POSTED: "side owner handle lots",
}


@invariant
def fields_without_a_meaning_are_zero(transcript: Transcript) -> None:
    for step, event in transcript.events():
        meant = {"event_seq", "ts", "cause", "kind", *MEANT[EventKind(event.kind)].split()}
        assert not any(value for name, value in vars(event).items() if name not in meant), (step, event)
        if event.kind == EventKind.REJECTED:
            came = step.record
            assert (event.side, event.owner, event.handle, event.client_id) == (
                came.side,
                came.owner,
                came.handle,
                came.client_id,
            )
            assert (event.price, event.lots) == (came.price, came.lots)
        elif event.kind in (EventKind.MODE, EventKind.POSTED):
            assert event.handle == -1


@invariant
def events_of_one_input_come_in_their_order(transcript: Transcript) -> None:
    """Expiries, then one head (ACCEPTED, REJECTED, AMENDED, MODE, POSTED), then matches, then the taker's end."""
    for step in transcript.steps:
        kinds = [event.kind for event in step.events]
        heads = [i for i, kind in enumerate(kinds) if kind in HEADS]
        assert len(heads) <= 1, step
        expired = [e.kind == EventKind.DONE and e.reason == Done.EXPIRED for e in step.events]
        assert expired == sorted(expired, reverse=True), step
        if heads:
            assert heads[0] == sum(expired), step
        if heads and kinds[heads[0]] in (EventKind.ACCEPTED, EventKind.AMENDED):
            _check_match_order(step, heads[0])


HEADS = (EventKind.ACCEPTED, EventKind.REJECTED, EventKind.AMENDED, EventKind.MODE, EventKind.POSTED)


def _check_match_order(step: Step, first: int) -> None:
    taker = step.events[first].handle
    tail = step.events[first + 1 :]
    for before, event in zip(step.events[first:], tail, strict=False):
        if event.kind == EventKind.REPLENISHED or (event.handle != taker and event.reason == Done.FILLED):
            assert before.kind in (EventKind.TRADE,) or event.kind == EventKind.TRADE, step
            assert event.kind == EventKind.TRADE or before.maker_handle == event.handle, step
    stays = step.events[first].kind == EventKind.AMENDED and step.events[first].flags & EventFlag.KEPT
    if stays:
        assert not tail, step
    else:
        assert tail[-1].handle == taker, step
        assert tail[-1].kind in (EventKind.RESTED, EventKind.DONE), step
        assert sum(e.handle == taker and e.kind in (EventKind.RESTED, EventKind.DONE) for e in tail) == 1, step


# ---- all of them, on long seeded streams and on short drawn ones ---------------------------------------------------


def _hostile(seed: int, messages: int = 700, **changes: Any) -> tuple[Setup, Inputs]:
    setup = hostile_setup(seed, **changes)
    return setup, aim(hostile_stream(seed, messages, setup), setup, seed)


LONG_STREAMS: dict[str, Callable[[], tuple[Setup, Inputs]]] = {
    "steep fees": lambda: _hostile(0),
    "flat fees": lambda: _hostile(1, max_orders=8),
    "rebates": lambda: _hostile(2, max_orders=12),
    "no fees, credit": lambda: _hostile(3, may_borrow=(True, False, True, False, False)),
    "realistic": lambda: (realistic_setup(8), realistic_stream(5, 400, accounts=8)),
}


@cache
def long_stream(name: str) -> tuple[Setup, Inputs]:
    return LONG_STREAMS[name]()


@cache
def long_transcript(make: Any, name: str) -> Transcript:
    return transcribe(make, *long_stream(name))


@pytest.mark.parametrize("make", EVERY_BOOK)
@pytest.mark.parametrize("stream", LONG_STREAMS)
@pytest.mark.parametrize("check", INVARIANTS)
def test_on_a_long_stream(check: str, stream: str, make: Any):
    INVARIANTS[check](long_transcript(make, stream))


@pytest.mark.parametrize("make", EVERY_BOOK)
@given(case=aimed_streams())
def test_every_invariant_holds_on_any_short_stream(make: Any, case: tuple[Setup, Inputs]):
    transcript = transcribe(make, *case)

    for check in INVARIANTS.values():
        check(transcript)


def test_long_streams_reach_every_kind_of_event_end_and_reject():
    seen: dict[str, set[int]] = defaultdict(set)
    for name in LONG_STREAMS:
        for _, event in long_transcript(OracleBook, name).events():
            seen["kind"].add(event.kind)
            if event.kind == EventKind.DONE:
                seen["done"].add(event.reason)
            if event.kind == EventKind.REJECTED:
                seen["reject"].add(event.reason)

    assert seen["kind"] == set(EventKind)
    assert seen["done"] == set(Done)
    assert set(Reject) - seen["reject"] == {Reject.RATE_LIMIT}  # throttling sits before the book


# ---- two runs that must agree --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", LONG_STREAMS)
def test_the_kernel_and_the_plain_book_agree_field_by_field_after_every_input(stream: str):
    for plain, fast in zip(
        long_transcript(OracleBook, stream).steps, long_transcript(OrderBook, stream).steps, strict=True
    ):
        assert [vars(e) for e in fast.events] == [vars(e) for e in plain.events], plain.record
        assert fast.after == plain.after, plain.record


@pytest.mark.parametrize("seed", [40, 41, 42])
def test_the_kernel_and_the_plain_book_agree_over_thousands_of_inputs(seed: int):
    setup, inputs = _hostile(seed, messages=4_000, max_orders=24, may_borrow=seed == 42)
    plain, fast = setup.open(OracleBook), setup.open(OrderBook)

    assert fast.apply(inputs).tobytes() == plain.apply(inputs).tobytes()
    assert look(fast) == look(plain)


@given(case=aimed_streams())
def test_the_kernel_and_the_plain_book_agree_on_any_short_stream(case: tuple[Setup, Inputs]):
    for plain, fast in zip(transcribe(OracleBook, *case).steps, transcribe(OrderBook, *case).steps, strict=True):
        assert [vars(e) for e in fast.events] == [vars(e) for e in plain.events], plain.record
        assert fast.after == plain.after, plain.record


@pytest.mark.parametrize("make", EVERY_BOOK)
@pytest.mark.parametrize("stream", LONG_STREAMS)
def test_any_split_into_batches_writes_the_same_log(make: Any, stream: str):
    setup, inputs = long_stream(stream)
    cuts = sorted(np.random.default_rng(3).integers(0, len(inputs), 9).tolist())

    book = setup.open(make)
    parts = [book.apply(part).copy() for part in np.split(inputs, cuts)]

    one_by_one = long_transcript(make, stream)
    assert np.concatenate(parts).tobytes() == one_by_one.log.tobytes()
    assert look(book) == one_by_one.steps[-1].after
    assert getattr(book, "digest", 0) == getattr(one_by_one.book, "digest", 0)


@pytest.mark.parametrize("stream", LONG_STREAMS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_restored_snapshot_goes_on_as_if_nothing_had_happened(stream: str, share: float):
    setup, inputs = long_stream(stream)
    cut = int(share * len(inputs))
    book = setup.open(OrderBook)
    book.apply(inputs[:cut])

    other = OrderBook.restore(book.snapshot())

    assert look(other) == look(book)
    assert other.apply(inputs[cut:]).tobytes() == book.apply(inputs[cut:]).tobytes()
    assert look(other) == look(book)
    assert other.digest == book.digest == long_transcript(OrderBook, stream).book.digest
    assert other.snapshot() == book.snapshot()


@given(case=aimed_streams(), share=st.floats(0.0, 1.0))
def test_a_snapshot_of_any_moment_restores(case: tuple[Setup, Inputs], share: float):
    setup, inputs = case
    cut = round(share * len(inputs))
    book = setup.open(OrderBook)
    book.apply(inputs[:cut])

    other = OrderBook.restore(book.snapshot())

    assert other.apply(inputs[cut:]).tobytes() == book.apply(inputs[cut:]).tobytes()
    assert (other.digest, look(other)) == (book.digest, look(book))


@pytest.mark.parametrize("make", EVERY_BOOK)
@given(case=streams(most=30))
def test_a_pool_holds_exactly_as_many_orders_as_it_says(make: Any, case: tuple[Setup, Inputs]):
    setup, inputs = case
    rules = setup.instrument
    book = setup.open(make)
    book.apply(inputs)
    now = int(book.now)
    for mode in (Mode.CLOSED, Mode.ONLINE):  # every order leaves
        book.apply_one(record(Kind.CONTROL, ts=now, aux=mode)[0])
    book.apply_one(record(Kind.FUND, ts=now, side=1, aux=5 * rules.max_orders)[0])

    sell = record(Kind.NEW, ts=now, side=Side.SELL, price=63, lots=3)
    events = book.apply(np.concatenate([sell] * (rules.max_orders + 3)))

    assert (events["kind"] == EventKind.ACCEPTED).sum() == rules.max_orders
    assert events["reason"][events["kind"] == EventKind.REJECTED].tolist() == [Reject.POOL_FULL] * 3
    assert len(set(book.orders()["handle"].tolist())) == rules.max_orders


def scaled(setup: Setup, inputs: Inputs, k: int) -> tuple[Setup, Inputs]:
    """Multiply every quantity by `k`, and the cash by as much."""
    rules = setup.instrument
    wide = instrument(
        **{name: getattr(rules, name) for name in ("ladder_ticks", "max_orders", "cash_per_tick_lot", "iceberg_parts")},
        protection_ppm=rules.protection_ppm,
        min_lots=rules.min_lots * k,
        max_lots=rules.max_lots * k,
        min_notional=rules.min_notional * k,
    )
    more = inputs.copy()
    for name in ("lots", "display"):
        more[name] = np.where(inputs[name] > 0, inputs[name] * k, inputs[name])
    more["aux"] = np.where(inputs["kind"] == Kind.FUND, inputs["aux"] * k, inputs["aux"])
    return Setup(wide, setup.accounts, setup.fee_tiers, setup.may_borrow), more


@pytest.mark.parametrize("make", EVERY_BOOK)
@given(case=streams(fees=False, garbage=False), k=st.integers(2, 9))
def test_k_times_the_lots_make_the_same_trades_with_k_times_the_lots(make: Any, case: tuple[Setup, Inputs], k: int):
    setup, inputs = case

    plain = setup.open(make).apply(inputs).copy()
    large_setup, large_inputs = scaled(setup, inputs, k)
    large = large_setup.open(make).apply(large_inputs)

    counted = plain["kind"] != EventKind.MODE
    for name in ("lots", "leaves"):
        positive = counted & (plain[name] != -1)
        plain[name] = np.where(positive, plain[name] * k, plain[name])
    assert large.tobytes() == plain.tobytes()


def mirrored(inputs: Inputs, ladder_ticks: int) -> Inputs:
    """Swap the sides and reflect prices about the middle of the ladder; who owned assets owes them."""
    other = inputs.copy()
    has_side = np.isin(inputs["kind"], (Kind.NEW, Kind.CANCEL_ALL)) & (inputs["side"] < 2)
    other["side"] = np.where(has_side, 1 - inputs["side"].astype(np.int64), inputs["side"])
    other["price"] = np.where(inputs["price"] > 0, ladder_ticks - inputs["price"], inputs["price"])
    asset = (inputs["kind"] == Kind.FUND) & (inputs["side"] == 1)
    other["aux"] = np.where(asset, -inputs["aux"], inputs["aux"])
    return other


@pytest.mark.parametrize("make", EVERY_BOOK)
@given(case=streams(fees=False, borrow=True, garbage=False))
def test_a_mirrored_stream_makes_mirrored_trades(make: Any, case: tuple[Setup, Inputs]):
    setup, inputs = case
    # A distance in parts per million and a smallest value are not symmetric in price.
    setup = Setup(
        instrument(max_orders=setup.instrument.max_orders, protection_ppm=0, iceberg_parts=15),
        setup.accounts,
        may_borrow=True,
    )
    ladder = setup.instrument.ladder_ticks

    def trades(stream: Inputs) -> list[tuple[int, ...]]:
        log = setup.open(make).apply(stream)
        log = log[log["kind"] == EventKind.TRADE]
        return log[["cause", "side", "price", "lots", "leaves", "owner", "maker_owner"]].tolist()

    plain, other = trades(inputs), trades(mirrored(inputs, ladder))

    assert other == [(cause, 1 - side, ladder - price, *rest) for cause, side, price, *rest in plain]
