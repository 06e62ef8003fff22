"""The report page and the commands around it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from typer.testing import CliRunner

from mycelial import facts
from mycelial.cli.facts import app
from mycelial.domain.errors import DataError, NotFound, StorageError

pytest.importorskip("plotly")
from mycelial.lab.figures import MOST_POINTS, PriceSample
from mycelial.lab.report import NOTICE, market_report, render, write_report

PACKAGED = "binance-btc-2018-2022"


def random_panel(seed: int, n_series: int = 4, n_days: int = 900) -> facts.Panel:
    rng = np.random.default_rng(seed)
    r = 0.04 * rng.standard_t(4, size=(n_series, n_days))
    volume = np.exp(rng.standard_normal((n_series, n_days)))
    names = tuple(f"coin {n}" for n in range(n_series))
    return facts.Panel(names, np.exp(r.cumsum(axis=1)), volume, f"<world> {seed}")


@pytest.fixture
def candles(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, str | None, str | None]]:
    """Stand in for the loader: any path is a random panel; returns what it was asked for."""
    asked: list[tuple[Path, str | None, str | None]] = []

    def load_panel(path: Path, set_name: str | None = None, quote: str | None = None) -> facts.Panel:
        asked.append((path, set_name, quote))
        return random_panel(len(path.name))

    module = ModuleType("mycelial.adapters.data.panels")
    module.load_panel = load_panel
    for name in ("mycelial.adapters", "mycelial.adapters.data"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return asked


@pytest.fixture(scope="module")
def page() -> str:
    sample = PriceSample("coin 0", np.arange(5000.0), np.linspace(1, 2, 5000), np.linspace(2, 1, 5000))
    return render(market_report(random_panel(1), facts.packaged_reference(PACKAGED), sample=sample))


def test_the_page_is_one_file_that_needs_no_network(page: str):
    assert page.count("<script>") == 2
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", page)
    assert len(page.encode()) < 5.2e6


def test_the_page_promises_nothing_and_says_so_twice(page: str):
    assert page.count(NOTICE) == 2


def test_every_figure_of_the_paper_is_on_the_page(page: str):
    for number in ("3", "5", "7", "8", "9", "10", "11", "12"):
        assert f"<h2>Figure {number}." in page
    assert "<h2>Figures 13 and 14." in page
    assert "<h2>Autocorrelations" in page


def test_verdicts_are_words_and_names_are_escaped(page: str):
    assert "✔ met" in page
    assert "✘ missed" in page
    assert "&lt;world&gt; 1" in page
    assert "<world>" not in page


def test_no_trace_holds_more_points_than_a_screen_can_show(page: str):
    plots = json.loads(page.split("const plots = ")[1].split(";\nconst dark")[0])

    assert len(plots) == 10
    assert max(len(trace["x"]) for plot in plots for trace in plot["data"]) <= MOST_POINTS
    assert all(len(trace["x"]) == len(trace["y"]) for plot in plots for trace in plot["data"])


def test_a_report_of_a_short_run_leaves_out_what_it_cannot_show():
    page = render(market_report(random_panel(1, n_days=60), facts.packaged_reference(PACKAGED)))

    assert page.count('<td class="number">undefined</td>') > 5  # the rest of the page is plotly.js, which says it too
    assert "Figure 3." not in page


def test_a_refused_write_says_where(tmp_path: Path):
    report = market_report(random_panel(1), facts.packaged_reference(PACKAGED))

    with pytest.raises(StorageError, match=r"no/such/report\.html"):
        write_report(tmp_path / "no/such/report.html", report)


def test_compute_prints_one_json_document(candles):
    result = CliRunner().invoke(app, ["compute", "panel.csv", "--set-name", "W", "--quote", "BTC", "--json"])

    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert candles == [(Path("panel.csv"), "W", "BTC")]
    assert document["returns"]["n"] == 4 * 899
    assert list(document["volatility"]["10"]) == ["0.01", "0.05", "0.25", "0.5", "0.75", "0.95", "0.99"]
    assert [len(document[key]) for key in ("acf_r", "acf_abs_r", "acf_volume")] == [5, 20, 20]
    assert {"coin_correlation", "leverage"} <= set(document)


def test_compare_with_a_panel_reports_distances_summaries_and_checks(candles, tmp_path: Path):
    (tmp_path / "real.csv").touch()
    command = ["compare", "run", str(tmp_path / "real.csv"), "--set-name", "W", "--json", "--bootstrap", "20"]

    document = json.loads(CliRunner().invoke(app, command).stdout)

    assert set(document["distances"]) == set(facts.DISTANCE_KEYS)
    low, high = document["distances"]["returns"]["ci"]
    assert 0 <= low <= high <= 1
    assert document["simulated"]["returns"]["n"] == document["real"]["returns"]["n"]
    assert {"name", "value", "target", "passed"} <= set(document["checks"][0])
    assert document["with_zeros"] is False


def test_compare_gives_a_run_no_window_and_candles_theirs(candles, tmp_path: Path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "series.parquet").touch()
    (tmp_path / "real.csv").touch()
    command = [
        "compare",
        str(tmp_path / "run"),
        str(tmp_path / "real.csv"),
        "--set-name",
        "W",
        "--with-zeros",
        "--json",
    ]

    document = json.loads(CliRunner().invoke(app, [*command, "--bootstrap", "0"]).stdout)

    assert candles == [(tmp_path / "run", None, None), (tmp_path / "real.csv", "W", None)]
    assert document["with_zeros"] is True
    assert document["distances"]["returns"]["ci"] is None


def test_compare_takes_packaged_figures_by_name(candles):
    document = json.loads(CliRunner().invoke(app, ["compare", "run", PACKAGED, "--json"]).stdout)

    assert document["real"]["returns"]["std"] == pytest.approx(0.0513, abs=5e-5)
    assert document["distances"]["returns"]["ci"] is not None


def test_compare_refuses_zeros_with_packaged_figures_and_names_that_are_none(candles):
    zeros = CliRunner().invoke(app, ["compare", "run", PACKAGED, "--with-zeros"])
    unknown = CliRunner().invoke(app, ["compare", "run", "binance-eur"])
    absent = CliRunner().invoke(app, ["compare", "run", "absent.json"])

    assert isinstance(zeros.exception, DataError)
    assert isinstance(unknown.exception, NotFound)
    assert isinstance(absent.exception, NotFound)


def test_reference_written_by_command_serves_compare_and_report(candles, tmp_path: Path):
    out, page = tmp_path / "figures.json", tmp_path / "report.html"

    written = CliRunner().invoke(app, ["reference", "real.csv", "--out", str(out), "--label", "our market"])
    compared = CliRunner().invoke(app, ["compare", "run", str(out)])
    reported = CliRunner().invoke(app, ["report", "run", str(out), "--out", str(page)])

    assert (written.exit_code, compared.exit_code, reported.exit_code) == (0, 0, 0)
    assert compared.stdout == ""
    assert "our market" in compared.stderr
    assert "our market" in page.read_text(encoding="utf-8")
