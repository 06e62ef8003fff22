"""A living market: the same from the same seed, exact in money, ordered in time."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mycelial.agents.intraday import PopulationConfig
from mycelial.domain.errors import ConfigError, DataError, MycelialError
from mycelial.domain.instrument import Instrument
from mycelial.market.book import INPUT, EventKind, Flag, Kind, Mode, OrderBook, Reject
from mycelial.simulation.intraday import IntradayMarket
from mycelial.simulation.intraday.outsiders import marked_value

SECOND = 10**9
INSTRUMENT = Instrument(
    "BTC/USD", Decimal("0.1"), Decimal("0.0001"), max_lots=10**7, ladder_ticks=2**18, max_orders=2**14
)
SMALL = PopulationConfig().scaled(200)
FEES = ((0, 1_600, 2_600), (10**9, 1_400, 2_400))


def market(seed: int = 1, config: PopulationConfig = SMALL, **options: Any) -> IntradayMarket:
    return IntradayMarket(INSTRUMENT, config, seed, **options)


def order(kind: Kind = Kind.NEW, **values: Any) -> NDArray[np.void]:
    record = np.zeros(1, INPUT)
    record["kind"], record["group"], record["handle"] = int(kind), -1, -1
    for name, value in values.items():
        record[name] = value
    return record


def empty(**latency: Any) -> PopulationConfig:
    """Return a population of one agent that never wakes: a market to oneself."""
    kinds = {
        name: {"count": 0}
        for name in ("value", "chartist", "maker", "arbitrageur", "stop_holder", "executor", "learner")
    }
    return PopulationConfig().replace(noise={"count": 1, "rate_hz": 0.0}, latency=latency, **kinds)


def test_the_same_seed_gives_the_same_market_and_another_seed_another():
    digests = []
    for seed in (1, 1, 2):
        one = market(seed)
        one.run_until(30 * SECOND)
        digests.append(one.digest)

    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_cutting_a_run_into_calls_changes_nothing():
    whole, cut = market(), market()

    whole.run_until(20 * SECOND)
    for step in range(1, 201):
        cut.run_until(step * SECOND // 10)

    assert cut.digest == whole.digest
    assert cut.messages == whole.messages > 200


def test_what_the_engine_took_replays_in_an_order_book_to_the_same_events():
    living = market(record=True, fee_tiers=FEES)
    living.run_until(30 * SECOND)
    record = living.take_recording()

    book = OrderBook(INSTRUMENT, SMALL.agents, fee_tiers=FEES)
    events = book.apply(record.inputs)

    assert book.digest == living.digest
    assert events.tobytes() == record.events.tobytes()
    assert np.all(np.diff(record.inputs["ts"]) >= 0)


def test_a_record_has_room_for_every_tip_of_swept_icebergs():
    alone = market(config=empty(jitter="none"), externals=2, record=True)
    seller, buyer = alone.config.agents, alone.config.agents + 1
    alone.fund(seller, lots=10**6)
    alone.fund(buyer, cash=10**15)
    tips = np.concatenate([order(side=1, price=50_000, lots=15, display=1, flags=int(Flag.ICEBERG))] * 300)

    for at in range(1, 21):  # 9,000 events a sweep, far more than the book has orders
        alone.submit(tips, seller, at=at * SECOND)
        alone.submit(order(side=0, price=50_000, lots=300 * 15), buyer, at=at * SECOND + SECOND // 2)
    alone.run_until(30 * SECOND)

    record = alone.take_recording()
    events = OrderBook(INSTRUMENT, alone.config.agents + 2).apply(record.inputs)
    replenished = np.count_nonzero(events["kind"] == EventKind.REPLENISHED)
    assert replenished > 19 * 300 * 14  # some tips of the first sweep met the opening orders
    assert events.tobytes() == record.events.tobytes()


def test_cash_and_assets_are_conserved_to_the_last_unit_with_fees():
    living = market(fee_tiers=FEES)

    for step in range(1, 6):
        living.run_until(30 * step * SECOND)
        rows = living.book.accounts()

        assert int((rows["cash_free"] + rows["cash_held"]).sum()) == 0  # the world's row owes what agents own
        assert int((rows["asset_free"] + rows["asset_held"]).sum()) == 0
        people = rows[: SMALL.agents]
        for column in ("cash_free", "cash_held", "asset_free", "asset_held"):
            assert people[column].min() >= 0
    assert rows["cash_free"][SMALL.agents] > 0  # fees were paid


def test_every_kind_of_agent_sends_orders_and_makers_amend_rather_than_replace():
    living = market(record=True, config=PopulationConfig())
    living.run_until(120 * SECOND)

    record = living.take_recording()

    live = record.inputs[record.inputs["ts"] > 0]
    kinds = living.population.arrays["agents"]["kind"][live["owner"]]
    assert set(kinds.tolist()) >= {0, 1, 2, 3, 4, 6, 7}  # stops wait for their price
    makers = Counter(live["kind"][kinds == 3].tolist())
    assert makers[int(Kind.AMEND)] > 5 * makers[int(Kind.CANCEL)]
    assert makers[int(Kind.AMEND)] > makers[int(Kind.NEW)]
    assert living.lost == 0


def test_an_order_arrives_after_its_latency_and_news_of_it_comes_back_after_the_way_home():
    alone = market(
        config=empty(jitter="none", service_ns=7_000), externals=1, external_latency_ns=(1_000_000, 2_000_000)
    )
    alone.fund(1, cash=10**12)
    alone.run_until(1_000)

    alone.submit(order(side=0, price=50_000, lots=10), 1, at=5_000)
    alone.run_until(10 * SECOND)

    arrived, _ = alone.inbox()
    rested = arrived[arrived["event"]["kind"] == int(EventKind.RESTED)]
    assert rested["event"]["ts"].tolist() == [1_005_000]
    assert rested["time"].tolist() == [1_005_000 + 7_000 + 2_000_000]


@pytest.mark.parametrize("jitter", ["uniform", "lognormal", "gamma", "empirical"])
def test_jitter_delays_but_messages_of_one_sender_never_overtake(jitter: str):
    config = empty(jitter=jitter, jitter_scale=5.0, jitter_shape=1.5, quantiles=(0.0, 1.0, 9.0))
    alone = market(config=config, externals=1, external_latency_ns=1_000_000, record=True)
    alone.fund(1, cash=10**15)

    for n in range(50):
        alone.submit(order(side=0, price=1_000 + n, lots=1), 1, at=n * 100_000)
    alone.run_until(SECOND)

    taken = alone.take_recording().inputs
    mine = taken[(taken["kind"] == int(Kind.NEW)) & (taken["owner"] == 1)]
    delay = mine["ts"] - np.arange(50) * 100_000
    assert mine["price"].tolist() == list(range(1_000, 1_050))
    assert delay.min() >= 1_000_000
    assert delay.max() > 1_500_000


def test_the_engine_serves_one_message_at_a_time():
    alone = market(config=empty(service_ns=10_000, cancel_ns=4_000), externals=1, record=True)
    alone.fund(1, cash=10**15)
    alone.run_until(0)

    alone.submit(np.concatenate([order(side=0, price=100 + n, lots=1) for n in range(3)]), 1, at=50_000)
    alone.submit(order(Kind.CANCEL_ALL, side=2), 1, at=50_000)
    alone.submit(order(side=0, price=99, lots=1), 1, at=50_000)
    alone.run_until(SECOND)

    taken = alone.take_recording().inputs
    assert taken["ts"][taken["ts"] >= 50_000].tolist() == [50_000, 60_000, 70_000, 80_000, 84_000]


def test_at_one_instant_the_operator_comes_before_orders():
    alone = market(config=empty(), externals=2)
    alone.fund(1, cash=10**12)
    alone.run_until(0)

    alone.submit(order(side=0, price=100, lots=1), 1, at=1_000)
    alone.submit(order(Kind.CONTROL, aux=int(Mode.CANCEL_ONLY)), 2, at=1_000)
    alone.run_until(SECOND)

    events = alone.events_since(0)
    rejected = events[(events["kind"] == int(EventKind.REJECTED)) & (events["owner"] == 1)]
    assert rejected["reason"].tolist() == [int(Reject.MODE)]


def test_orders_expire_on_time_while_nothing_else_happens():
    alone = market(config=empty(), externals=1)
    alone.fund(1, cash=10**12)

    alone.submit(order(side=0, price=100, lots=1, tif=1, expire=30_000), 1, at=10_000)
    alone.run_until(29_999)
    before = alone.book.best_bid
    alone.run_until(30_000)

    done = alone.events_since(0)[-1]
    assert before > 0
    assert (int(done["kind"]), int(done["ts"]), int(done["reason"])) == (int(EventKind.DONE), 30_000, 5)


def test_the_throttle_refuses_what_is_beyond_its_counter():
    config = empty(throttle_limit=5.0, throttle_decay_hz=1.0)
    alone = market(config=config, externals=1)
    alone.fund(1, cash=10**12)
    alone.run_until(0)

    refused = alone.submit(np.concatenate([order(side=0, price=100, lots=1)] * 8), 1)
    alone.run_until(3 * SECOND)
    later = alone.submit(np.concatenate([order(side=0, price=100, lots=1)] * 8), 1)

    assert (refused, later) == (3, 5)


def test_a_run_can_stop_at_the_first_news_for_somebody_outside():
    living = market(externals=1, external_latency_ns=5_000_000)
    living.fund(SMALL.agents, cash=10**12)
    living.run_until(SECOND)
    heard = living.inbox()[1]
    bid = int(living.observe(1).bids[0, 0])

    living.submit(order(side=0, price=bid, lots=50, flags=int(Flag.POST_ONLY)), SMALL.agents)
    reached = living.run_until(60 * SECOND, stop_on_delivery=True)

    assert SECOND + 10_000_000 <= reached < 60 * SECOND
    assert len(living.inbox(heard)[0]) == 1


def test_a_restored_market_goes_on_with_the_same_bytes():
    whole, first = market(fee_tiers=FEES), market(fee_tiers=FEES)
    whole.run_until(20 * SECOND)
    first.run_until(7 * SECOND + 1)

    second = IntradayMarket.restore(first.snapshot())
    second.run_until(20 * SECOND)

    assert second.digest == whole.digest
    assert second.snapshot() == IntradayMarket.restore(whole.snapshot()).snapshot() or second.wakes == whole.wakes
    with pytest.raises(DataError, match="damaged"):
        IntradayMarket.restore(first.snapshot()[:-5] + b"12345")


def test_prices_follow_the_days_of_a_given_fundamental():
    rising = np.array([100_000.0, 103_000.0, 100_000.0])
    config = PopulationConfig(day_s=60.0, drift_bps=0.0).replace(arbitrageur={"count": 30}, maker={"anchor": 1.0})
    living = market(config=config, path=rising)

    mids = []
    for second in (1, 60, 120):
        living.run_until(second * SECOND)
        view = living.observe(1)
        mids.append(0.5 * float(view.bids[0, 0] + view.asks[0, 0]))

    assert mids == pytest.approx([100_000.0, 103_000.0, 100_000.0], rel=0.008)
    assert mids[1] > 1.01 * mids[0]


def test_stops_set_each_other_off():
    config = PopulationConfig().replace(stop_holder={"count": 200, "rate_hz": 1.0, "nearest_bps": 20.0})
    seen = {}
    for sale in (0, 100_000):
        living = market(config=config, externals=1)
        living.fund(config.agents, lots=500_000)
        living.run_until(30 * SECOND)
        if sale:
            dump = order(side=1, price=99_000, lots=sale, tif=2)
            living.submit(dump, config.agents)
        count = living._scalar("tape_count")
        living.run_until(32 * SECOND)
        tape = living.tape(living._scalar("tape_count") - count)
        kinds = living.population.arrays["agents"]["kind"][tape["taker"]]
        seen[sale] = int(tape["lots"][(kinds == 5) & (tape["side"] == 1)].sum())

    assert seen[100_000] > 5 * max(seen[0], 1)


def test_mistakes_are_named():
    living = market(externals=1)
    living.run_until(10)

    with pytest.raises(DataError, match="cannot go back"):
        living.run_until(5)
    with pytest.raises(DataError, match="no participant from outside"):
        living.submit(order(), 0)
    with pytest.raises(DataError, match="cannot be sent"):
        living.submit(order(), SMALL.agents, at=5)
    with pytest.raises(MycelialError, match="record=True"):
        living.take_recording()
    with pytest.raises(ConfigError, match="nobody is there"):
        PopulationConfig().replace(**{name: {"count": 0} for name in SMALL.to_dict() if name in KINDS_HERE})
    with pytest.raises(ConfigError, match="excitation"):
        PopulationConfig().replace(noise={"excitation": 1.0})


KINDS_HERE = ("noise", "value", "chartist", "maker", "arbitrageur", "stop_holder", "executor", "learner")


def test_the_value_of_an_account_counts_cash_and_assets_at_the_mid():
    living = market(externals=1)
    living.fund(SMALL.agents, cash=1_000, lots=3)
    living.run_until(SECOND)

    view = living.observe(1)

    assert marked_value(living, SMALL.agents) == 1_000 + 1.5 * float(view.bids[0, 0] + view.asks[0, 0])
