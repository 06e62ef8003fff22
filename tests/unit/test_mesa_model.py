"""The Mesa front: the same prices, agents that are rows of the arrays, and nothing left behind."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mesa")

from mycelial.agents.symba.presets import preset
from mycelial.domain.errors import ConfigError, MissingExtra, MycelialError
from mycelial.simulation.model import MarketAgent, MarketModel
from mycelial.simulation.run import simulate_world

PARAMS = preset("paper").replace(agents=30, days=60, learning_days=20)
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "mesa_market.py"


@pytest.mark.parametrize("assets", [1, 2])
def test_the_same_seed_gives_the_prices_of_a_plain_run(assets: int):
    run = simulate_world(PARAMS, assets, 4)

    with MarketModel(PARAMS, assets, seed=4) as market:
        market.run_model()

        assert market.day == PARAMS.days - 1
        assert np.array_equal(market.prices, run.price)
        assert np.array_equal(market.volumes, run.volume)


def test_agents_read_and_write_rows_of_the_population():
    with MarketModel(PARAMS, 2, seed=4) as market:
        agent = next(iter(market.agents.select(lambda a: a.row == 7)))
        world = market.world

        agent.cash = 123.5
        agent.lots[1] = 9
        agent.rho = 0.25

        assert world.purse.cash[7] == 123.5
        assert world.purse.lots[1, 7] == 9
        assert world.traits.rho[7] == agent.rho == 0.25
        agent.holdings = [3, 4]
        assert world.purse.lots[:, 7].tolist() == [3, 4]
        assert agent.nav == pytest.approx(123.5 + 3 * market.price[0] + 4 * market.price[1])
        assert isinstance(agent.tau, int)
        assert agent.bankrupt is False


def test_what_is_written_to_an_agent_changes_the_market():
    untouched = simulate_world(PARAMS, 1, 4)

    with MarketModel(PARAMS, seed=4) as market:
        while market.day < 30:
            market.step()
        for agent in market.agents:
            agent.cash = 0.0
        market.run_model()

        assert np.array_equal(market.prices[:, :31], untouched.price[:, :31])
        assert not np.array_equal(market.prices, untouched.price)


def test_agent_sets_select_do_aggregate_and_group():
    class Beggar(MarketAgent):
        def give(self, amount: float) -> None:
            self.cash += amount

    with MarketModel(PARAMS, seed=4, agent_class=Beggar) as market:
        total = market.agents.agg("cash", sum)
        short = market.agents.select(lambda a: a.tau < 15)

        short.do("give", 10.0)

        assert 0 < len(short) < 30
        assert market.agents.agg("cash", sum) == pytest.approx(total + 10.0 * len(short))
        sizes = market.agents.groupby("bankrupt").count()
        assert sizes == {False: 30}


def test_the_data_collector_records_model_and_agents_every_day():
    with MarketModel(PARAMS, seed=4, agent_reporters={"cash": "cash", "nav": "nav"}) as market:
        for _ in range(5):
            market.step()
        prices = market.datacollector.get_model_vars_dataframe()["price"]
        agents = market.datacollector.get_agent_vars_dataframe()

        assert prices.tolist() == market.prices[0, 1:].tolist()
        assert agents.shape == (5 * 30, 2)
        assert (agents["nav"] >= agents["cash"]).all()


def test_closing_frees_the_arrays():
    market = MarketModel(PARAMS, seed=4)
    market.step()
    policies, model = weakref.ref(market.world.trader.policy), weakref.ref(market)

    market.close()
    gc.collect()

    assert policies() is None
    assert len(market.agents) == 0
    with pytest.raises(MycelialError, match="closed"):
        market.step()
    market.close()
    del market
    gc.collect()
    assert model() is None


def test_days_beyond_the_last_are_refused():
    with MarketModel(PARAMS, seed=4) as market:
        market.run_model()

        with pytest.raises(MycelialError, match="60 days"):
            market.step()


def test_presets_are_known_by_name_and_mistakes_are_named():
    with pytest.raises(ConfigError, match="did you mean paper"):
        MarketModel("papper")


def test_without_mesa_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "mesa", None)
    monkeypatch.delitem(sys.modules, "mycelial.simulation.model")

    with pytest.raises(MissingExtra, match=r"mycelial\[mesa\]"):
        importlib.import_module("mycelial.simulation.model")


def test_the_example_runs(capsys: pytest.CaptureFixture[str]):
    spec = importlib.util.spec_from_file_location("mesa_market", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)

    result = example.main(agents=40, days=50)

    assert result["days"] == 50.0
    assert "last price" in capsys.readouterr().out
    assert result["cash put aside"] > 0.0
