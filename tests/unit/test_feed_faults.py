"""Market data gone wrong on its way: every fault is seen by a subscriber who looks, and the market is sound."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from mycelial.agents.intraday import PopulationConfig
from mycelial.domain.errors import DataError
from mycelial.domain.instrument import Instrument
from mycelial.market.feeds import BookMirror, FeedSpec, MarketFeeds, Published, View
from mycelial.simulation.intraday import IntradayMarket
from mycelial.simulation.scenarios import Delivery, FaultyFeed, FeedFault, Scenario

SECOND = 10**9
INSTRUMENT = Instrument(
    "BTC/USD", Decimal("0.1"), Decimal("0.0001"), max_lots=10**7, ladder_ticks=2**18, max_orders=2**14
)


@pytest.fixture(scope="module")
def published() -> list[tuple[int, Published]]:
    """Ten seconds of a market's L2 feed by the tenth of a second, after its snapshot: (time, messages)."""
    market = IntradayMarket(INSTRUMENT, PopulationConfig().scaled(150), 1)
    market.run_until(SECOND)
    feeds = MarketFeeds(market.book, [FeedSpec(View.L2, checksum=True)])
    told = market.book.state.scalar("event_seq")
    parts = [(market.now, feeds.snapshot(0))]
    for beat in range(1, 101):
        market.run_until(SECOND + beat * SECOND // 10)
        (one,) = feeds.publish(market.events_since(told))
        told = market.book.state.scalar("event_seq")
        parts.append((market.now, one))
    return parts


def heard(published: list[tuple[int, Published]], *faults: FeedFault, seed: int = 1) -> list[Delivery]:
    feed = FaultyFeed(Scenario("faulty", faults), "BTC/USD", seed)
    return [one for time, part in published for one in feed.pass_on(part, time)]


def complaints(deliveries: list[Delivery]) -> int:
    """Return how often a subscriber finds something wrong; it goes on from what comes next as if resubscribed."""
    mirror, found = BookMirror(View.L2, 10), 0
    for one in deliveries:
        try:
            mirror.apply(one.published)
        except DataError:
            found += 1
            mirror.seq = int(one.published.messages["seq"][-1])
    return found


def fault(name: str, share: float = 0.2, **more: int) -> FeedFault:
    return FeedFault(start_ns=3 * SECOND, duration_ns=4 * SECOND, fault=name, share_ppm=round(share * 1e6), **more)  # type: ignore[arg-type]


def test_without_a_fault_everything_arrives_once_and_in_order(published: list[tuple[int, Published]]):
    arrived = heard(published)

    numbers = [int(one.published.messages["seq"][0]) for one in arrived]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert complaints(arrived) == 0


@pytest.mark.parametrize("name", ["gap", "checksum", "duplicate", "reorder", "freeze", "crossed", "negative_price"])
def test_a_subscriber_who_looks_finds_every_fault(published: list[tuple[int, Published]], name: str):
    arrived = heard(published, fault(name, 1.0 if name == "freeze" else 0.2))

    assert complaints(arrived) > 0
    outside = [one for one in arrived if not 3 * SECOND <= int(one.published.messages["ts"][0]) < 7 * SECOND]
    assert all(not one.faults for one in outside)


def test_the_share_of_messages_is_hit(published: list[tuple[int, Published]]):
    whole = len(heard(published, fault("duplicate", 1.0))) - len(heard(published))
    part = len(heard(published, fault("duplicate", 0.2))) - len(heard(published))

    assert 0.1 * whole < part < 0.3 * whole


def test_a_skewed_clock_moves_times_and_nothing_else(published: list[tuple[int, Published]]):
    skewed = heard(published, fault("skew", 1.0, skew_ns=-SECOND))

    moved = [one for one in skewed if "skew" in one.faults]
    assert complaints(skewed) == 0
    assert moved
    plain = {int(one.published.messages["seq"][0]): int(one.published.messages["ts"][0]) for one in heard(published)}
    for one in moved:
        assert int(one.published.messages["ts"][0]) == plain[int(one.published.messages["seq"][0])] - SECOND


def test_the_same_seed_spoils_a_feed_alike_and_leaves_the_original_alone(published: list[tuple[int, Published]]):
    before = [part.rows.copy() for _, part in published]
    faults = (fault("gap"), fault("crossed"), fault("reorder"))

    first, second, other = (heard(published, *faults, seed=seed) for seed in (1, 1, 2))

    def as_bytes(deliveries: list[Delivery]) -> list[bytes]:
        return [one.published.messages.tobytes() + one.published.rows.tobytes() for one in deliveries]

    assert as_bytes(first) == as_bytes(second) != as_bytes(other)
    assert all(np.array_equal(a, part.rows) for a, (_, part) in zip(before, published, strict=True))
