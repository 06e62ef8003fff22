"""What an operator can do to an exchange: modes, scenarios, recordings; and what the public sees of it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.support.exchanges import CROSS, ETH, QTY, SECOND_NS, UNITS, held, limit, market, reports, small_exchange

from mycelial.market.book import Mode
from mycelial.market.rerun import replay
from mycelial.simulation.exchange.commands import Amend, Cancel, Canceled, Refused, Reject, Side
from mycelial.simulation.exchange.exchange import SimulatedExchange
from mycelial.simulation.exchange.reports import CandlesChanged, ModeChanged, PublicTrades
from mycelial.simulation.scenarios import (
    LimitExhaustion,
    Outage,
    Scenario,
    Sweep,
    concerns,
    stress_test,
    stress_test_names,
)

FAR = 50_000
ASSETS = ("USD", "BTC", "ETH")


@pytest.mark.parametrize("name", stress_test_names())
def test_every_stress_test_of_the_catalogue_runs_and_conserves_money(name):
    exchange = small_exchange()
    before = {asset: exchange.total(asset) for asset in ASSETS}
    price = exchange.ticker(ETH).bid
    for step in range(10):
        exchange.submit(0, limit(Side.BUY, 2 * QTY, price - step))
        exchange.submit(1, limit(Side.SELL, 2 * QTY, price + 2 + step))
    level = list(stress_test(name).levels.values())[-1]
    starts = [one.start_ns for one in level.injections if concerns(one, ETH)]

    exchange.play(level)
    exchange.advance(exchange.now + max(starts, default=0) + 70 * SECOND_NS)

    assert len(exchange.happened(ETH)) >= len(starts)
    assert {asset: exchange.total(asset) for asset in ASSETS} == before


def test_sweep_moves_the_price_and_fills_customers_on_its_way():
    exchange = small_exchange()
    bid = exchange.ticker(ETH).bid
    exchange.submit(0, limit(Side.BUY, 5 * QTY, bid - 30))
    exchange.drain()

    exchange.play(Scenario("crash", (Sweep(start_ns=SECOND_NS, side="sell", size_ppm=400 * 10**6, target=ETH),)))
    exchange.advance(exchange.now + 2 * SECOND_NS)

    told = exchange.drain()
    assert [one.kind.value for one in reports(told)][-1] == "filled"
    assert min(trade.price for one in told if isinstance(one, PublicTrades) for trade in one.trades) < bid - 30


def test_outage_refuses_everything_tells_the_mode_and_reopens_with_the_orders_it_had():
    exchange = small_exchange()
    order = exchange.submit(0, limit(Side.BUY, QTY, exchange.ticker(ETH).bid - FAR)).order_id
    exchange.drain()
    exchange.play(Scenario("out", (Outage(start_ns=SECOND_NS, duration_ns=20 * SECOND_NS),)))

    exchange.advance(exchange.now + 5 * SECOND_NS)
    assert exchange.mode is Mode.MAINTENANCE
    assert exchange.submit(0, limit(Side.BUY, QTY, 300_000)) == Refused(Reject.UNAVAILABLE)
    assert exchange.submit(0, Cancel(order_id=order)) == Refused(Reject.UNAVAILABLE)
    exchange.advance(exchange.now + 25 * SECOND_NS)

    modes = [one.mode for one in exchange.drain() if isinstance(one, ModeChanged) and one.symbol == ""]
    assert modes[0] is Mode.MAINTENANCE
    assert modes[-1] is Mode.ONLINE
    assert exchange.submit(0, Cancel(order_id=order)) == Canceled((order,))


def test_limits_lowered_without_notice_bind_customers_too():
    exchange = small_exchange()
    order = exchange.submit(2, limit(Side.BUY, QTY, exchange.ticker(ETH).bid - FAR)).order_id
    lowered = LimitExhaustion(start_ns=0, duration_ns=60 * SECOND_NS, limits_ppm=500_000, used_ppm=1_000_000)
    exchange.play(Scenario("tight", (lowered,)))
    exchange.advance(exchange.now + SECOND_NS)

    assert exchange.submit(2, Amend(order_id=order, qty=2 * QTY)) == Refused(Reject.RATE_LIMIT)
    exchange.advance(exchange.now + 61 * SECOND_NS)
    assert not isinstance(exchange.submit(2, Amend(order_id=order, qty=2 * QTY)), Refused)


def test_recording_replays_to_the_fingerprint_of_every_engine():
    exchange = small_exchange(record=True)
    for n in range(20):
        exchange.submit(n % 3, market(Side(n % 2), QTY, (ETH, CROSS)[n % 2]))
        exchange.advance(exchange.now + SECOND_NS // 3)

    for name, (terms, recording) in exchange.take_recordings().items():
        done = replay(terms.open, lambda log=recording: [log.inputs], lambda log=recording: [log.events])
        assert done.difference is None
        assert done.book.digest == exchange._house.floors[name].market.digest
        assert done.events == len(recording.events)
    assert len(exchange.recorded) == 20


def test_public_trades_are_numbered_without_holes_and_add_up_to_the_candles():
    exchange = small_exchange()
    first = exchange.forming_candle(ETH, 1440)
    start = exchange.trades(ETH, 1)[-1].number
    exchange.drain()
    for _ in range(40):
        exchange.submit(0, market(Side.BUY, QTY // 20))
        exchange.advance(exchange.now + SECOND_NS)

    told = exchange.drain()
    trades = [trade for one in told if isinstance(one, PublicTrades) and one.symbol == ETH for trade in one.trades]
    assert [trade.number for trade in trades] == list(range(start + 1, start + 1 + len(trades)))
    own = {trade.number: trade for trade in exchange.own_trades(0, most=200).rows}
    for trade in trades:
        if trade.number in own:
            assert (trade.price, trade.qty, trade.market) == (own[trade.number].price, own[trade.number].qty, True)
    assert any(isinstance(one, CandlesChanged) for one in told)
    last = exchange.forming_candle(ETH, 1440)
    assert last.volume - first.volume == sum(trade.qty for trade in trades)
    assert last.turnover - first.turnover == sum(trade.qty * trade.price for trade in trades)
    assert last.close == trades[-1].price


def test_past_gives_720_candles_that_agree_with_each_other():
    exchange = small_exchange(history=True)

    for interval in (1, 5, 15, 30, 60, 240, 1440):
        rows = exchange.candles(ETH, interval)
        assert len(rows) == 720
        assert {later.start_ns - one.start_ns for one, later in pairwise(rows)} == {interval * 60 * SECOND_NS}
        assert all(row.low <= min(row.open, row.close) <= max(row.open, row.close) <= row.high for row in rows)
    fine = {row.start_ns: row for row in exchange.candles(ETH, 1)}
    for row in exchange.candles(ETH, 5)[-100:-1]:
        parts = [fine[row.start_ns + n * 60 * SECOND_NS] for n in range(5)]
        assert row.volume == sum(part.volume for part in parts)
        assert (row.open, row.close) == (parts[0].open, parts[-1].close)
    day = exchange.ticker(ETH)
    assert day.volume[0] <= day.volume[1]
    assert day.low[1] <= day.last <= day.high[1]


def test_empty_intervals_get_flat_candles():
    exchange = small_exchange()
    exchange.set_mode(Mode.CANCEL_ONLY)

    exchange.advance(exchange.now + 200 * SECOND_NS)

    rows = exchange.candles(ETH, 1)[-3:]
    assert all(row.trades == row.volume == 0 and row.open == row.high == row.low == row.close for row in rows)
    assert rows[1].start_ns - rows[0].start_ns == 60 * SECOND_NS


def test_cross_pair_is_worth_the_ratio_of_its_assets():
    exchange = SimulatedExchange(("BTC/USD", ETH, CROSS), warm_up_ns=SECOND_NS, history=False)
    exchange.advance(exchange.now + 5 * SECOND_NS)

    ticks = {name: floor.market.worth for name, floor in exchange._house.floors.items()}
    assert ticks[CROSS] / 10**6 == pytest.approx((ticks[ETH] / 10**2) / (ticks["BTC/USD"] / 10), rel=1e-9)


def test_how_time_is_cut_makes_no_difference():
    def run(pieces: int) -> str:
        exchange = SimulatedExchange(("BTC/USD", ETH, CROSS), warm_up_ns=SECOND_NS, history=False)
        exchange.submit(0, limit(Side.BUY, QTY, exchange.ticker(ETH).bid))
        start = exchange.now
        for n in range(1, pieces + 1):
            exchange.advance(start + 3 * SECOND_NS * n // pieces)
        return exchange.digest

    assert run(1) == run(7) == run(331)


def test_a_cheap_asset_is_held_for_and_paid_to_the_last_unit():
    exchange = SimulatedExchange(("DOGE/USD",), warm_up_ns=SECOND_NS, history=False)
    price, qty = exchange.ticker("DOGE/USD").bid // 2, 1_000 * 10**8

    exchange.submit(0, limit(Side.BUY, qty, price, "DOGE/USD"))

    cost = price * qty * UNITS // 10**15
    assert held(exchange, 0, "USD") == cost + cost * 4 // 1_000
    exchange.submit(0, market(Side.BUY, qty, "DOGE/USD"))
    before = exchange.total("USD"), exchange.total("DOGE")
    exchange.advance(exchange.now + SECOND_NS)
    assert (exchange.total("USD"), exchange.total("DOGE")) == before
