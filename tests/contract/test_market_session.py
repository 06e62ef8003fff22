"""One suite for every market one can trade in time: a recorded one and a living one keep the same promises."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest

from mycelial.agents.intraday import PopulationConfig
from mycelial.domain.errors import OrderRejected
from mycelial.domain.instrument import Instrument
from mycelial.domain.recording import BATCH, LEVEL, TRADE, MarketRecording
from mycelial.market.book import INPUT, Done, EventKind, Kind, Side, Tif
from mycelial.market.replay import Replay
from mycelial.market.session import MarketSession
from mycelial.simulation.intraday import IntradayMarket
from mycelial.simulation.intraday.session import Seat

SECOND = 10**9


def recorded() -> MarketSession:
    """Return a recording of a book that stands still."""
    shown = [(100, 50, Side.BUY), (99, 50, Side.BUY), (103, 50, Side.SELL), (104, 50, Side.SELL)]
    session = Replay(
        MarketRecording(
            "toy",
            Decimal(1),
            Decimal(1),
            batches=np.array([(0, 0, 0, -1, -1, 0, 1), (100 * SECOND, 0, 4, -1, -1, 1, 0)], BATCH),
            levels=np.array([*shown, (99, 50, Side.BUY)], LEVEL),
            trades=np.zeros(0, TRADE),
        )
    )
    session.advance(SECOND)
    return session


def living() -> MarketSession:
    """Return a seat in a market of two hundred agents, with money."""
    instrument = Instrument(
        "BTC/USD", Decimal("0.1"), Decimal("0.0001"), max_lots=10**7, ladder_ticks=2**18, max_orders=2**14
    )
    market = IntradayMarket(instrument, PopulationConfig().scaled(200), 1, externals=1)
    market.fund(market.config.agents, cash=10**12, lots=10**6)
    session = Seat(market)
    session.advance(SECOND)
    return session


@pytest.fixture(params=[recorded, living])
def session(request: pytest.FixtureRequest) -> MarketSession:
    make: Callable[[], MarketSession] = request.param
    made = make()
    made.events()
    return made


def record(session: MarketSession, kind: Kind = Kind.NEW, **fields: int) -> np.ndarray:
    wish = np.zeros(1, INPUT)
    wish["ts"], wish["kind"], wish["handle"], wish["group"] = session.time_ns, kind, -1, -1
    for name, value in fields.items():
        wish[name] = value
    return wish


def kinds(events: np.ndarray) -> list[str]:
    return [EventKind(int(event["kind"])).name for event in events]


def test_the_best_levels_come_first_and_do_not_cross(session: MarketSession):
    top = session.top(2)

    assert np.all(np.diff(top.bid) < 0)
    assert np.all(np.diff(top.ask) > 0)
    assert top.bid[0] < top.ask[0]
    assert min(top.bid_lots.min(), top.ask_lots.min()) > 0


def test_an_order_far_from_the_market_rests_and_is_told_once(session: MarketSession):
    session.submit(record(session, side=Side.BUY, price=1, lots=3, client_id=7))
    session.advance(session.time_ns + SECOND)

    assert kinds(session.events()) == ["ACCEPTED", "RESTED"]
    assert len(session.events()) == 0


def test_a_cancelled_order_is_done_and_never_speaks_again(session: MarketSession):
    session.submit(record(session, side=Side.BUY, price=1, lots=3, client_id=7))
    session.submit(record(session, Kind.CANCEL, client_id=7))
    session.advance(session.time_ns + SECOND)
    told = session.events()
    session.advance(session.time_ns + SECOND)

    assert kinds(told) == ["ACCEPTED", "RESTED", "DONE"]
    assert (told["reason"][-1], told["leaves"][-1]) == (Done.USER, 3)
    assert len(session.events()) == 0


def test_a_taker_fills_at_its_limit_or_better_and_never_more_than_it_asked_for(session: MarketSession):
    limit = int(session.top(1).ask[0]) + 1
    session.submit(record(session, side=Side.BUY, price=limit, lots=2, tif=Tif.IOC))
    session.advance(session.time_ns + SECOND)

    told = session.events()
    fills = told[told["kind"] == EventKind.TRADE]
    assert np.all(fills["price"] <= limit)
    assert 0 < fills["lots"].sum() <= 2
    assert kinds(told)[-1] == "DONE"


def test_nothing_happens_before_time_is_advanced(session: MarketSession):
    before = session.top(1)
    session.submit(record(session, side=Side.BUY, price=1, lots=3))

    assert len(session.events()) == 0
    assert session.top(1).bid[0] == before.bid[0]


def test_time_never_goes_back(session: MarketSession):
    with pytest.raises(OrderRejected, match="cannot go back"):
        session.advance(session.time_ns - 1)


def test_a_record_cannot_be_sent_in_the_past_or_out_of_order(session: MarketSession):
    now = session.time_ns
    with pytest.raises(OrderRejected, match="send in order, from now on"):
        session.submit(record(session, side=Side.BUY, price=1, lots=3, ts=now - 1))
    session.submit(record(session, side=Side.BUY, price=1, lots=3, ts=now + 10))
    with pytest.raises(OrderRejected, match="send in order, from now on"):
        session.submit(record(session, side=Side.BUY, price=1, lots=3, ts=now + 5))
