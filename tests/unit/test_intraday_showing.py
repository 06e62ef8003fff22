"""What the public sees of a simulated market agrees with its book."""

from __future__ import annotations

from decimal import Decimal

from mycelial.agents.intraday import PRESETS, PopulationConfig, preset
from mycelial.domain.instrument import Instrument
from mycelial.domain.recording import SNAPSHOT
from mycelial.simulation.intraday import IntradayMarket
from mycelial.simulation.intraday.showing import shown

SECOND = 10**9
INSTRUMENT = Instrument(
    "BTC/USD", Decimal("0.1"), Decimal("0.0001"), max_lots=10**7, ladder_ticks=2**18, max_orders=2**14
)


def test_quotes_and_levels_of_a_recording_are_those_of_the_book():
    market = IntradayMarket(INSTRUMENT, PopulationConfig().scaled(300), 5, record=True)
    market.run_until(30 * SECOND)
    view = market.observe(1)

    seen = shown(market.take_recording(), INSTRUMENT, start_ns=10 * SECOND, batch_ns=1)

    last = seen.quotes[-1]
    assert (int(last["bid"]), int(last["bid_lots"])) == tuple(view.bids[0].tolist())
    assert (int(last["ask"]), int(last["ask_lots"])) == tuple(view.asks[0].tolist())
    assert seen.batches["kind"][0] == SNAPSHOT
    assert (seen.quotes["bid"] < seen.quotes["ask"]).all()
    levels: dict[tuple[int, int], int] = {}
    for level in seen.levels[: seen.batches["first"][-1]]:
        levels[int(level["side"]), int(level["price"])] = int(level["lots"])
    assert min(levels.values()) >= 0
    trades = market.tape(len(seen.trades))
    assert seen.trades["price"].tolist() == trades["price"].tolist()
    assert seen.trades["lots"].sum() == trades["lots"].sum() > 0


def test_every_preset_lives_and_loses_no_news():
    for name in PRESETS:
        instrument, population = preset(name)
        market = IntradayMarket(instrument, population, 2)

        market.run_until(10 * SECOND)

        assert market.messages > 0
        assert market.lost == 0
        assert 0 < market.book.best_bid < market.book.best_ask
