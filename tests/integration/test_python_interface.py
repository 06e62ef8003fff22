"""`import mycelial as my`: the same market as the command line, in memory; and the examples run."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import mycelial as my

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SIZE = {"agents": 20, "days": 120, "learning_days": 40, "assets": 2}


@pytest.fixture(scope="module")
def run() -> my.MarketRun:
    return my.simulate(seed=7, runs=2, threads=1, preset="extended", **SIZE)


def test_series_leave_out_the_learning_phase_and_stack_the_runs(run: my.MarketRun):
    assert run.prices.shape == run.volumes.shape == run.fundamentals.shape == (4, 80)
    np.testing.assert_array_equal(run.prices[2], run.worlds[1].price[0, 40:])
    panel = run.panel("mine")
    assert (panel.names, panel.group, panel.label) == (("0/0", "0/1", "1/0", "1/1"), (0, 0, 1, 1), "mine")


def test_a_configuration_file_and_keywords_give_the_same_market(run: my.MarketRun, tmp_path: Path):
    file = tmp_path / "mycelial.toml"
    file.write_text(
        "seed = 7\n[simulation]\nassets = 2\nruns = 2\nthreads = 2\n"
        "[population.symba]\npreset = 'extended'\nagents = 20\ndays = 120\nlearning_days = 40\n"
    )

    assert my.simulate(file).fingerprint == run.fingerprint
    assert my.simulate(file, seed=8).fingerprint != run.fingerprint


def test_a_misspelt_parameter_is_refused_with_a_suggestion():
    with pytest.raises(my.errors.ConfigError, match=r"did you mean population\.symba\.agents\?"):
        my.simulate(agentz=5)


def test_presets_and_parameters_are_at_hand():
    assert my.preset("paper") == my.SymbaParameters(days_accounting=252)
    assert "simulate" in dir(my)
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        my.simulat  # noqa: B018


def test_the_example_measures_a_market(capsys: pytest.CaptureFixture[str]):
    example = runpy.run_path(str(EXAMPLES / "measure_a_simulated_market.py"))

    example["main"](agents=20, days=400, learning_days=100, assets=2)

    said = capsys.readouterr().out
    assert "2 coins, 300 days, fingerprint" in said
    assert "KS distance of daily returns to Binance BTC pairs, 2018-2022: 0." in said
    assert "No promise of returns" in said


def test_the_example_trades_in_an_order_book(capsys: pytest.CaptureFixture[str]):
    runpy.run_path(str(EXAMPLES / "trade_in_an_order_book.py"))["main"]()

    said = capsys.readouterr().out
    assert "0.01000 BTC at 65000.0, fees 2.600000 and 1.625000 USD" in said
    assert "cash of everybody, the exchange and the world: 0" in said
