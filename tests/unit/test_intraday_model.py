"""The Mesa front of the intraday market: agents are row views, the market is the same."""

from __future__ import annotations

import gc
import weakref
from decimal import Decimal

import pytest

from mycelial.agents.intraday import PopulationConfig
from mycelial.domain.errors import MycelialError
from mycelial.domain.instrument import Instrument
from mycelial.simulation.intraday import IntradayMarket
from mycelial.simulation.intraday.model import IntradayModel

INSTRUMENT = Instrument(
    "BTC/USD", Decimal("0.1"), Decimal("0.0001"), max_lots=10**7, ladder_ticks=2**18, max_orders=2**14
)
SMALL = PopulationConfig().scaled(120)


def test_steps_of_the_model_are_the_market_itself():
    plain = IntradayMarket(INSTRUMENT, SMALL, 3)
    plain.run_until(10 * 10**9)

    with IntradayModel(INSTRUMENT, SMALL, 3, step_s=0.5) as model:
        for _ in range(20):
            model.step()

        assert model.market.digest == plain.digest
        frame = model.datacollector.get_model_vars_dataframe()
        assert frame["messages"].tolist()[-1] == plain.messages
        assert (frame["spread"].dropna() > 0).all()


def test_agents_are_rows_of_the_population_and_writing_to_them_changes_the_market():
    untouched = IntradayMarket(INSTRUMENT, SMALL, 3)
    untouched.run_until(5 * 10**9)

    with IntradayModel(INSTRUMENT, SMALL, 3, agent_reporters={"inventory": "inventory"}) as model:
        makers = model.agents.select(lambda a: a.kind == "maker")
        for maker in makers:
            maker.down = 500_000_000
        for _ in range(5):
            model.step()

        rows = model.market.population.arrays["agents"]
        assert {int(rows["down"][maker.row]) for maker in makers} == {500_000_000}
        assert model.market.digest != untouched.digest
        accounts = model.market.book.accounts()
        assert model.agents.agg("cash", sum) == -int(accounts["cash_free"][-1])
        assert model.agents.agg("inventory", sum) == 0
        assert model.agents.groupby("kind").count()["maker"] == SMALL.maker.count


def test_balances_are_read_only_and_a_closed_market_is_gone():
    model = IntradayModel(INSTRUMENT, SMALL, 3)
    agent = next(iter(model.agents))
    arrays = weakref.ref(model.market)

    with pytest.raises(MycelialError, match="ledger"):
        agent.cash = 5
    model.close()
    gc.collect()

    assert arrays() is None
    with pytest.raises(MycelialError, match="closed"):
        model.step()
