"""Replay with own orders: where they stand in the queue, what they take, and that no lot is ever used twice."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mycelial.domain.errors import ConfigError, DataError, OrderRejected
from mycelial.domain.recording import BATCH, LEVEL, SNAPSHOT, TRADE, MarketRecording
from mycelial.market.book.records import EVENT, INPUT, Done, EventKind, Flag, Kind, Reject, Stp, Tif
from mycelial.market.replay import Replay, ReplayRules
from mycelial.market.session import MarketSession

BUY, SELL = 0, 1
Step = tuple[str, Any]


def recording_of(*steps: Step) -> MarketRecording:
    """Return a recording: ("book", [(price, lots, side)]) or ("trade", (price, lots, taker)), one every 10 ns.

    The first step is a snapshot at time 0.
    """
    batches, levels, trades = [], [], []
    for n, (kind, what) in enumerate(steps):
        if kind == "trade":
            trades.append((10 * n, 0, *what[:2], n, what[2]))
        else:
            batches.append((10 * n, 0, len(levels), -1, -1, n, int(n == 0 or kind == "snapshot")))
            levels += what
    assert batches[0][-1] == SNAPSHOT
    return MarketRecording(
        "toy",
        Decimal(1),
        Decimal(1),
        batches=np.array(batches, BATCH),
        levels=np.array(levels, LEVEL),
        trades=np.array(trades, TRADE),
    )


def order(ts: int, side: int, price: int, lots: int, **more: int) -> np.ndarray:
    record = np.zeros(1, INPUT)
    for name, value in {
        "ts": ts,
        "side": side,
        "price": price,
        "lots": lots,
        "handle": -1,
        "group": -1,
        **more,
    }.items():
        record[name] = value
    return record


def cancel(ts: int, client_id: int) -> np.ndarray:
    return order(ts, 0, 0, 0, kind=Kind.CANCEL, client_id=client_id)


def told(events: np.ndarray) -> list[tuple[str, int, int]]:
    """Return (kind, price, lots) of events."""
    return [(EventKind(int(e["kind"])).name, int(e["price"]), int(e["lots"])) for e in events]


def fills(events: np.ndarray) -> list[tuple[int, int]]:
    return [(price, lots) for kind, price, lots in told(events) if kind == "TRADE"]


def session(recording: MarketRecording, **rules: Any) -> Replay:
    replay = Replay(recording, ReplayRules(**rules))
    replay.advance(0)
    return replay


SHOWN = ("book", [(10, 8, BUY), (9, 5, BUY), (12, 6, SELL), (13, 4, SELL)])


def test_a_replay_is_a_market_session():
    replay: MarketSession = session(recording_of(SHOWN))

    assert replay.time_ns == 0
    top = replay.top(1)
    assert (top.bid.tolist(), top.bid_lots.tolist(), top.ask.tolist(), top.ask_lots.tolist()) == ([10], [8], [12], [6])


# Waiting in the queue.


def test_an_order_waits_behind_what_was_shown():
    replay = session(recording_of(SHOWN, ("trade", (10, 5, SELL)), ("trade", (10, 4, SELL)), ("trade", (10, 9, SELL))))
    replay.submit(order(0, BUY, 10, 3))

    replay.advance(10)
    assert told(replay.events()) == [("ACCEPTED", 10, 3), ("RESTED", 10, 3)]
    replay.advance(20)  # 8 were ahead, 9 traded
    assert told(replay.events()) == [("TRADE", 10, 1)]
    replay.advance(30)
    assert told(replay.events()) == [("TRADE", 10, 2), ("DONE", 10, 3)]


def test_own_orders_fill_in_their_order():
    replay = session(recording_of(SHOWN, ("trade", (10, 11, SELL))))
    replay.submit(np.concatenate([order(0, BUY, 10, 2, client_id=1), order(0, BUY, 10, 2, client_id=2)]))

    replay.advance(10)

    makers = [(int(e["maker_handle"]), int(e["lots"])) for e in replay.events() if e["kind"] == EventKind.TRADE]
    assert makers == [(1, 2), (2, 1)]


def test_lots_that_join_later_stand_behind():
    replay = session(recording_of(SHOWN, ("book", [(10, 100, BUY)]), ("trade", (10, 9, SELL))))
    replay.submit(order(0, BUY, 10, 3))
    replay.advance(20)

    assert fills(replay.events()) == [(10, 1)]


@pytest.mark.parametrize(("cancels_ahead", "needed"), [("none", 8), ("proportional", 6), ("all", 2)])
def test_cancels_move_an_order_up_by_the_rule_chosen(cancels_ahead, needed):
    """8 ahead, 16 behind: when 6 of 24 are cancelled, a quarter of those ahead went, or none, or all six."""
    steps = [SHOWN, ("book", [(10, 24, BUY)]), ("book", [(10, 18, BUY)])]
    steps += [("trade", (10, 1, SELL))] * (needed + 1)
    replay = session(recording_of(*steps), cancels_ahead=cancels_ahead)
    replay.submit(order(0, BUY, 10, 1))

    replay.advance(20 + 10 * needed)
    assert fills(replay.events()) == []
    replay.advance(30 + 10 * needed)
    assert fills(replay.events()) == [(10, 1)]


def test_what_traded_is_not_counted_as_cancelled_again():
    steps = [
        SHOWN,
        ("trade", (10, 4, SELL)),
        ("book", [(10, 4, BUY)]),
        ("trade", (10, 4, SELL)),
        ("trade", (10, 1, SELL)),
    ]
    replay = session(recording_of(*steps), cancels_ahead="all")
    replay.submit(order(0, BUY, 10, 1))

    replay.advance(30)
    assert fills(replay.events()) == []
    replay.advance(40)
    assert fills(replay.events()) == [(10, 1)]


def test_never_more_ahead_than_is_shown():
    replay = session(recording_of(SHOWN, ("book", [(10, 2, BUY)]), ("trade", (10, 3, SELL))), cancels_ahead="none")
    replay.submit(order(0, BUY, 10, 1))
    replay.advance(20)

    assert fills(replay.events()) == [(10, 1)]


def test_a_better_price_is_met_first():
    replay = session(recording_of(SHOWN, ("trade", (10, 5, SELL))))
    replay.submit(order(0, BUY, 11, 3))
    replay.advance(10)

    assert fills(replay.events()) == [(11, 3)]


def test_lots_that_arrive_beyond_the_price_trade_once():
    """An ask of 4 appears at 10 while two bids of 3 wait there: 4 lots are sold, not 6."""
    replay = session(recording_of(SHOWN, ("book", [(10, 0, BUY), (10, 4, SELL)]), ("book", [(10, 4, SELL)])))
    replay.submit(np.concatenate([order(0, BUY, 10, 3), order(0, BUY, 10, 3)]))
    replay.advance(20)

    assert fills(replay.events()) == [(10, 3), (10, 1)]


def test_queue_places_survive_an_own_fill_before_them():
    """The own order fills 3 of the 4 sold; so of the 8 shown behind it, 7 are still there for the next own order."""
    first = [SHOWN, ("book", [(10, 0, BUY), (11, 0, BUY)]), ("book", [(10, 8, BUY)])]
    steps = [
        *first,
        ("trade", (10, 4, SELL)),
        ("book", [(10, 4, BUY)]),
        ("trade", (10, 6, SELL)),
        ("trade", (10, 9, SELL)),
    ]
    replay = session(recording_of(*steps))
    replay.advance(10)
    replay.submit(order(10, BUY, 10, 3))
    replay.advance(20)
    replay.submit(order(20, BUY, 10, 2))
    replay.events()

    replay.advance(30)
    assert fills(replay.events()) == [(10, 3)]
    replay.advance(50)  # 7 ahead, 6 sold
    assert fills(replay.events()) == []
    replay.advance(60)
    assert fills(replay.events()) == [(10, 2)]


# Taking.


def test_a_market_order_takes_what_is_shown_from_the_best_price_on():
    replay = session(recording_of(SHOWN), protection_ppm=500_000)
    replay.submit(order(0, BUY, 0, 8, flags=Flag.MARKET))
    replay.advance(1)

    assert told(replay.events()) == [("ACCEPTED", 18, 8), ("TRADE", 12, 6), ("TRADE", 13, 2), ("DONE", 18, 8)]


def test_lots_taken_are_gone_until_others_arrive():
    replay = session(
        recording_of(SHOWN, ("book", [(13, 9, SELL)]), ("book", [(12, 7, SELL)]), ("book", [(12, 5, SELL)]))
    )
    replay.submit(order(0, BUY, 12, 6, tif=Tif.IOC))
    replay.advance(10)
    assert fills(replay.events()) == [(12, 6)]
    assert replay.top(1).ask.tolist() == [13]

    replay.submit(order(10, BUY, 12, 6, tif=Tif.IOC))
    replay.advance(11)
    assert fills(replay.events()) == []
    replay.advance(20)  # one lot joined: 7 shown, 6 of them taken by us
    replay.submit(order(20, BUY, 12, 6, tif=Tif.IOC))
    replay.advance(21)
    assert fills(replay.events()) == [(12, 1)]
    replay.advance(30)  # 5 shown: all of what is left may be what we took
    replay.submit(order(30, BUY, 12, 6, tif=Tif.IOC))
    replay.advance(31)
    assert fills(replay.events()) == []


def test_what_traded_since_the_level_was_told_cannot_be_taken():
    replay = session(recording_of(SHOWN, ("trade", (12, 5, BUY))))
    replay.advance(10)
    replay.submit(order(10, BUY, 12, 6, tif=Tif.IOC))
    replay.advance(11)

    assert fills(replay.events()) == [(12, 1)]


def test_what_a_limit_order_cannot_take_rests():
    replay = session(recording_of(SHOWN, ("trade", (12, 2, SELL))))
    replay.submit(order(0, BUY, 12, 8))
    replay.advance(10)

    assert told(replay.events()) == [
        ("ACCEPTED", 12, 8),
        ("TRADE", 12, 6),
        ("RESTED", 12, 2),
        ("TRADE", 12, 2),
        ("DONE", 12, 8),
    ]


@pytest.mark.parametrize(
    ("more", "reason", "lots"),
    [
        ({"tif": Tif.FOK, "lots": 11}, Done.FOK_KILL, 0),
        ({"tif": Tif.IOC, "lots": 11}, Done.IOC_REST, 10),
        ({"flags": Flag.POST_ONLY}, Done.POST_ONLY, 0),
        ({"flags": Flag.MARKET, "lots": 11}, Done.PROTECTION, 10),
        ({"tif": Tif.FOK, "lots": 10}, Done.FILLED, 10),
    ],
)
def test_orders_end_as_their_kind_says(more, reason, lots):
    replay = session(recording_of(SHOWN), protection_ppm=100_000)
    record = order(0, BUY, 13, 2)
    for name, value in more.items():
        record[name] = value
    replay.submit(record)
    replay.advance(1)

    last = replay.events()[-1]
    assert (last["kind"], last["reason"], last["lots"]) == (EventKind.DONE, reason, lots)


def test_own_orders_never_trade_with_each_other():
    def after(stp: Stp) -> list[tuple[str, int, int]]:
        replay = session(recording_of(SHOWN))
        replay.submit(np.concatenate([order(0, SELL, 11, 2), order(0, BUY, 12, 8, stp=stp)]))
        replay.advance(1)
        return told(replay.events())[2:]

    assert after(Stp.CANCEL_NEWEST) == [("ACCEPTED", 12, 8), ("DONE", 12, 0)]
    assert after(Stp.CANCEL_OLDEST) == [("ACCEPTED", 12, 8), ("DONE", 11, 0), ("TRADE", 12, 6), ("RESTED", 12, 2)]
    assert after(Stp.CANCEL_BOTH) == [("ACCEPTED", 12, 8), ("DONE", 11, 0), ("DONE", 12, 0)]


def test_fees_follow_the_role():
    replay = session(recording_of(SHOWN, ("trade", (9, 20, SELL))), maker_ppm=-100_000, taker_ppm=250_000)
    replay.submit(np.concatenate([order(0, BUY, 12, 6), order(0, BUY, 9, 2)]))
    replay.advance(10)

    taken, made = (e for e in replay.events() if e["kind"] == EventKind.TRADE)
    assert (taken["taker_fee"], taken["maker_fee"]) == (18, 0)
    assert (made["taker_fee"], made["maker_fee"]) == (0, -2)  # -1.8


# Latency, amends, cancels, refusals.


def test_an_order_travels_up_and_its_answer_down():
    replay = session(recording_of(SHOWN, ("trade", (10, 30, SELL)), ("trade", (10, 30, SELL))), up_ns=15, down_ns=4)
    replay.submit(order(0, BUY, 10, 1))

    replay.advance(18)  # joined at 15, after the trade of 10
    assert told(replay.events()) == []
    replay.advance(19)
    assert told(replay.events()) == [("ACCEPTED", 10, 1), ("RESTED", 10, 1)]
    replay.advance(24)
    assert fills(replay.events()) == [(10, 1)]


def test_the_book_is_seen_one_latency_late():
    replay = session(recording_of(SHOWN, ("book", [(10, 0, BUY)])), down_ns=5)

    replay.advance(14)
    assert replay.top(1).bid.tolist() == [10]
    replay.advance(15)
    assert replay.top(1).bid.tolist() == [9]


def test_own_orders_are_seen_in_the_book():
    replay = session(recording_of(SHOWN))
    replay.submit(np.concatenate([order(0, BUY, 11, 3), order(0, BUY, 10, 2)]))
    replay.advance(1)

    top = replay.top(2)
    assert (top.bid.tolist(), top.bid_lots.tolist()) == ([11, 10], [3, 10])


def test_a_cancelled_order_never_fills_again():
    replay = session(recording_of(SHOWN, ("trade", (10, 50, SELL))))
    replay.submit(np.concatenate([order(0, BUY, 10, 3, client_id=7), cancel(5, 7), cancel(6, 7)]))
    replay.advance(10)

    events = replay.events()
    assert told(events) == [("ACCEPTED", 10, 3), ("RESTED", 10, 3), ("DONE", 10, 0), ("REJECTED", 0, 0)]
    assert events[-1]["reason"] == Reject.UNKNOWN_ORDER


def test_an_amend_that_shrinks_keeps_its_place_and_one_that_grows_does_not():
    def filled(lots: int) -> list[tuple[int, int]]:
        replay = session(recording_of(SHOWN, ("book", [(10, 100, BUY)]), ("trade", (10, 9, SELL))))
        replay.submit(order(0, BUY, 10, 3, client_id=7))
        replay.advance(10)
        replay.submit(order(15, 0, -1, lots, kind=Kind.AMEND, client_id=7))
        replay.advance(20)
        return fills(replay.events())

    assert filled(2) == [(10, 1)]
    assert filled(4) == []


def test_an_order_expires_in_time():
    replay = session(recording_of(SHOWN, ("trade", (10, 50, SELL))))
    replay.submit(order(0, BUY, 10, 3, tif=Tif.GTD, expire=10))
    replay.advance(9)
    replay.events()
    replay.advance(10)  # the trade of that moment comes first, the queue of 8 before us

    assert fills(replay.events()) == [(10, 3)]

    replay = session(recording_of(SHOWN, ("trade", (10, 50, SELL))))
    replay.submit(order(0, BUY, 10, 3, tif=Tif.GTD, expire=9))
    replay.advance(10)
    assert replay.events()[-1]["reason"] == Done.EXPIRED


def test_cancel_all_goes_bids_first_and_best_first():
    replay = session(recording_of(SHOWN))
    replay.submit(np.concatenate([order(0, SELL, 14, 1), order(0, BUY, 8, 1), order(0, BUY, 9, 1)]))
    replay.submit(order(0, 2, 0, 0, kind=Kind.CANCEL_ALL))
    replay.advance(1)

    assert [price for kind, price, _ in told(replay.events()) if kind == "DONE"] == [9, 8, 14]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"lots": 0}, Reject.BAD_LOTS),
        ({"price": -5}, Reject.BAD_TICK),
        ({"side": 2}, Reject.BAD_RECORD),
        ({"tif": 9}, Reject.BAD_RECORD),
        ({"kind": 99}, Reject.BAD_RECORD),
        ({"kind": Kind.FUND}, Reject.BAD_RECORD),
        ({"flags": Flag.ICEBERG}, Reject.BAD_RECORD),
        ({"tif": Tif.GTD, "expire": 0}, Reject.BAD_TIF),
        ({"tif": Tif.IOC, "flags": Flag.POST_ONLY}, Reject.BAD_TIF),
        ({"kind": Kind.CANCEL, "handle": 12345}, Reject.UNKNOWN_ORDER),
        ({"kind": Kind.AMEND, "client_id": 5}, Reject.UNKNOWN_ORDER),
    ],
)
def test_malformed_orders_are_refused_and_change_nothing(wrong, reason):
    replay = session(recording_of(SHOWN))
    record = order(0, BUY, 12, 1)
    for name, value in wrong.items():
        record[name] = value
    replay.submit(record)
    replay.advance(1)

    (event,) = replay.events()
    assert (event["kind"], event["reason"]) == (EventKind.REJECTED, reason)
    assert replay.top(1).ask_lots.tolist() == [6]


def test_client_ids_and_room_are_limited():
    replay = session(recording_of(SHOWN), max_orders=2)
    replay.submit(np.concatenate([order(0, BUY, 9, 1, client_id=c) for c in (1, 1, 2, 3)]))
    replay.advance(1)

    rejected = [e["reason"] for e in replay.events() if e["kind"] == EventKind.REJECTED]
    assert rejected == [Reject.DUP_CLIENT_ID, Reject.POOL_FULL]


def test_a_market_order_without_anything_to_take_is_refused():
    replay = session(recording_of(("book", [(10, 8, BUY), (11, 0, SELL)])))
    replay.submit(order(0, BUY, 0, 1, flags=Flag.MARKET))
    replay.advance(1)

    assert replay.events()[0]["reason"] == Reject.NO_LIQUIDITY


def test_time_never_goes_back():
    replay = session(recording_of(SHOWN))
    replay.advance(50)

    with pytest.raises(OrderRejected, match="time is 50 ns and cannot go back to 49"):
        replay.advance(49)
    with pytest.raises(OrderRejected, match="sent at 49 ns, but time is 50 ns already"):
        replay.submit(order(49, BUY, 10, 1))


def test_impossible_rules_and_recordings_are_refused():
    with pytest.raises(ConfigError, match="cancels_ahead 'some' is unknown; choose from"):
        ReplayRules(cancels_ahead="some")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="up_ns -1 must be at least 0"):
        ReplayRules(up_ns=-1)
    with pytest.raises(DataError, match="holds no book to trade in"):
        Replay(MarketRecording("toy", Decimal(1), Decimal(1)))


# Whatever happens.

prices = st.integers(8, 14)
level = st.tuples(prices, st.integers(0, 9), st.integers(0, 1))
recorded = st.one_of(
    st.tuples(st.just("book"), st.lists(level, min_size=1, max_size=4)),
    st.tuples(st.just("snapshot"), st.lists(level, min_size=1, max_size=6)),
    st.tuples(st.just("trade"), st.tuples(prices, st.integers(1, 9), st.integers(0, 1))),
)
ours = st.tuples(
    st.integers(0, 200),
    st.integers(0, 1),
    st.integers(7, 15),
    st.integers(1, 12),
    st.sampled_from([Tif.GTC, Tif.IOC, Tif.FOK]),
    st.sampled_from([0, Flag.MARKET, Flag.POST_ONLY]),
    st.sampled_from(list(Stp)[:3]),
    st.sampled_from([Kind.NEW, Kind.NEW, Kind.NEW, Kind.CANCEL, Kind.AMEND]),
)


@settings(max_examples=200)
@given(
    st.lists(recorded, max_size=20),
    st.lists(ours, max_size=12),
    st.sampled_from(["none", "proportional", "all"]),
    st.integers(0, 15),
)
def test_no_lot_is_ever_used_twice(steps, orders, cancels_ahead, up_ns):
    """What own orders get at a price never exceeds what joined there (taken) or what traded (given by takers)."""
    recording = recording_of(SHOWN, *steps)
    replay = session(recording, cancels_ahead=cancels_ahead, up_ns=up_ns)
    records = [
        order(ts, side, price, lots, tif=tif, flags=flags, stp=stp, kind=kind, client_id=1 + n % 5)
        for n, (ts, side, price, lots, tif, flags, stp, kind) in enumerate(sorted(orders))
    ]
    if records:
        replay.submit(np.concatenate(records))
    replay.advance(10 * len(steps) + 300)
    events = replay.events()

    joined: dict[tuple[int, int], int] = defaultdict(int)
    shown: dict[tuple[int, int], int] = defaultdict(int)
    traded_by: dict[int, int] = defaultdict(int)
    for kind, what in [SHOWN, *steps]:
        if kind == "trade":
            traded_by[what[2]] += what[1]
            continue
        if kind == "snapshot":
            named = {(side, price) for price, _, side in what}
            shown.update(dict.fromkeys([key for key in shown if key not in named], 0))
        for price, lots, side in what:
            joined[side, price] += max(0, lots - shown[side, price])
            shown[side, price] = lots

    got: dict[int, int] = defaultdict(int)  # by handle
    ordered = {int(e["handle"]): int(e["lots"]) for e in events if e["kind"] == EventKind.ACCEPTED}
    for e in events[events["kind"] == EventKind.AMENDED]:
        ordered[int(e["handle"])] = max(ordered[int(e["handle"])], int(e["leaves"]) + 12)
    taken, made = defaultdict(int), defaultdict(int)
    for e in events[events["kind"] == EventKind.TRADE]:
        assert e["lots"] > 0
        if e["handle"] >= 0:  # we took
            got[int(e["handle"])] += int(e["lots"])
            taken[1 - int(e["side"]), int(e["price"])] += int(e["lots"])
        else:
            got[int(e["maker_handle"])] += int(e["lots"])
            made[int(e["side"])] += int(e["lots"])
    for key, lots in taken.items():
        assert lots <= joined[key]
    for side, lots in made.items():  # given by recorded takers, or by recorded lots that came to our price
        assert lots <= traded_by[side] + sum(n for (one, _), n in joined.items() if one == side)
    for handle, lots in got.items():
        assert lots <= ordered[handle]
    assert (np.diff(events["ts"]) >= 0).all()
    assert events["event_seq"].tolist() == list(range(events.size))
    live = int(replay.state.at[4])
    assert (replay.state.own[:live, 5] > 0).all()
    assert (replay.state.ladder[:4] >= 0).all()
    assert events.dtype == EVENT


@settings(max_examples=100)
@given(st.lists(recorded, max_size=15), st.lists(ours, max_size=8), st.lists(st.integers(0, 460), max_size=6))
def test_it_does_not_matter_in_which_steps_time_advances(steps, orders, stops):
    recording = recording_of(SHOWN, *steps)
    records = np.concatenate(
        [order(0, BUY, 1, 1)]
        + [
            order(ts, side, price, lots, tif=tif, flags=flags, stp=stp)
            for ts, side, price, lots, tif, flags, stp, _ in sorted(orders)
        ]
    )
    at_once, in_steps = session(recording), session(recording)
    at_once.submit(records)
    in_steps.submit(records)
    at_once.advance(460)
    for stop in sorted(stops):
        in_steps.advance(stop)
    in_steps.advance(460)

    assert at_once.events().tobytes() == in_steps.events().tobytes()


@settings(max_examples=50)
@given(st.lists(recorded, max_size=20), st.integers(1, 9), st.integers(8, 14), st.integers(0, 1))
def test_pessimism_never_fills_more(steps, lots, price, side):
    got = []
    for cancels_ahead in ("none", "proportional", "all"):
        replay = session(recording_of(SHOWN, *steps), cancels_ahead=cancels_ahead)
        replay.submit(order(0, side, price, lots))
        replay.advance(10 * len(steps) + 10)
        got.append(sum(lots for _, lots in fills(replay.events())))

    assert got == sorted(got)


def test_a_recorded_market_can_be_traded(shared_data):
    from mycelial.adapters.data.feeds import read_kraken_v2

    (recording,) = read_kraken_v2(shared_data / "kraken_v2_book10_BTC-USD_20230730.jsonl.gz").values()
    replay = Replay(recording)
    replay.advance(replay.time_ns + 10**9)
    top = replay.top(10)

    replay.submit(order(replay.time_ns, BUY, 0, int(top.ask_lots[0]) + 5, flags=Flag.MARKET))
    replay.advance(replay.time_ns)

    assert fills(replay.events()) == [(int(top.ask[0]), int(top.ask_lots[0])), (int(top.ask[1]), 5)]
    assert replay.top(1).ask_lots[0] == top.ask_lots[1] - 5
