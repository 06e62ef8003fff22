"""Reference figures: they stand in for the data they came from, survive JSON, and refuse to be anything else."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mycelial import facts
from mycelial.domain.errors import DataError, NotFound
from mycelial.facts import packaged
from mycelial.facts.density import histogram
from mycelial.facts.reference import LEVELS, from_json, to_json


def random_panel(seed: int, n_series: int = 6, n_days: int = 900, scale: float = 0.03) -> facts.Panel:
    rng = np.random.default_rng(seed)
    r = scale * rng.standard_t(4, size=(n_series, n_days)) * (rng.random((n_series, n_days)) > 0.03)
    volume = np.exp(rng.standard_normal((n_series, n_days)))
    return facts.Panel(tuple(map(str, range(n_series))), np.exp(r.cumsum(axis=1)), volume, f"random {seed}")


@pytest.fixture(scope="module")
def reference() -> facts.ReferenceFigures:
    return facts.build_reference(random_panel(1), "drawn at random")


def test_distances_to_reference_figures_are_those_to_the_panel_within_one_part_in_512(reference):
    sim = random_panel(2, scale=0.05)

    to_panel = facts.distances(sim, facts.prepare(random_panel(1)))
    to_figures = facts.distances(sim, reference.prepared())

    assert set(to_figures) == set(to_panel)
    for key, exact in to_panel.items():
        assert to_figures[key].ks == pytest.approx(exact.ks, abs=1 / 512), key
        assert to_figures[key].w1 == pytest.approx(exact.w1, abs=0.05 * reference.baseline[key].w1), key


def test_reference_figures_survive_json_to_six_digits(reference):
    restored = from_json(to_json(reference))

    assert restored.label == reference.label
    assert restored.provenance == "drawn at random"
    for key in facts.DISTANCE_KEYS:
        assert restored.quantiles[key] == pytest.approx(reference.quantiles[key], rel=1e-5)
        assert restored.mean[key] == pytest.approx(reference.mean[key], rel=1e-5)
        assert restored.baseline[key].ks == pytest.approx(reference.baseline[key].ks, rel=1e-5)
    assert restored.summary.acf_abs_r == pytest.approx(reference.summary.acf_abs_r, rel=1e-5)
    assert restored.summary.volatility.keys() == {10, 63, 252}
    assert len(restored.halves) == 2
    assert to_json(restored) == to_json(reference)


def test_a_short_panel_gives_figures_for_what_it_is_long_enough_for():
    short = facts.build_reference(random_panel(3, n_days=100), "short")

    restored = from_json(to_json(short))

    assert "vol_63" in restored.quantiles
    assert "vol_252" not in restored.quantiles
    assert np.isnan(restored.summary.volatility[252]).all()
    assert "vol_252" not in facts.distances(random_panel(4), restored.prepared())


def test_one_coin_gives_figures_without_a_baseline():
    single = facts.build_reference(random_panel(3, n_series=1), "one coin")

    assert single.baseline == {}
    assert single.halves == ()
    assert from_json(to_json(single)).baseline == {}


def test_text_that_is_not_reference_figures_is_refused(reference):
    with pytest.raises(DataError, match=r"a\.json is not JSON"):
        from_json("{", "a.json")
    with pytest.raises(DataError, match="format None"):
        from_json("{}", "a.json")
    with pytest.raises(DataError, match="format 'other/1'"):
        from_json('{"format": "other/1"}')


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("summary"), "field summary"),
        (lambda d: d["summary"]["returns"].update(std="large"), "field summary.returns.std"),
        (lambda d: d["quantiles"]["vol_10"].pop(), "quantiles of vol_10"),
        (lambda d: d["quantiles"]["vol_10"].reverse(), "quantiles of vol_10"),
        (lambda d: d["quantiles"].pop("returns"), "no 'returns'"),
        (lambda d: d["mean"].pop("vol_10"), "vol_10 has quantiles but no mean"),
        (lambda d: d["histogram"]["vol_10"].update(width=0), "histogram of vol_10"),
    ],
)
def test_a_damaged_field_is_refused_by_its_name(reference, change, message):
    document = json.loads(to_json(reference))
    change(document)

    with pytest.raises(DataError, match=message):
        from_json(json.dumps(document))


def test_packaged_references_hold_every_statistic_and_no_series_of_prices():
    assert packaged.names() == ("binance-btc-2018-2022", "binance-usdt-2018-2022")
    for name in packaged.names():
        reference = facts.packaged_reference(name)
        assert set(reference.quantiles) == set(reference.baseline) == set(facts.DISTANCE_KEYS)
        assert all(len(values) == LEVELS.size for values in reference.quantiles.values())
        assert len(to_json(reference)) < 300_000
        assert "no prices" in reference.provenance


def test_packaged_btc_figures_show_the_known_facts():
    summary = facts.packaged_reference("binance-btc-2018-2022").summary

    assert (summary.n_series, summary.n_days) == (27, 1491)
    assert summary.returns.std == pytest.approx(0.0513, abs=5e-5)
    assert summary.coin_correlation == pytest.approx(0.335, abs=5e-4)


def test_an_unknown_packaged_name_lists_those_there_are():
    with pytest.raises(NotFound, match="binance-btc-2018-2022"):
        facts.packaged_reference("binance-eur")


def test_histograms_integrate_to_one_and_share_bins_when_asked():
    rng = np.random.default_rng(0)
    real, wider = rng.standard_normal(5000), 2 * rng.standard_normal(5000)

    a = histogram(real)
    b = histogram(wider, like=a)

    assert sum(a.density) * a.width == pytest.approx(1)
    assert sum(b.density) * b.width == pytest.approx(1)
    assert len(a.density) == 100
    assert len(b.density) > 100
    assert b.width == a.width
    assert ((a.low - b.low) / a.width) % 1 == pytest.approx(0, abs=1e-6)


def test_a_histogram_far_wider_than_its_model_stays_small_and_counts_what_it_cannot_show():
    a = histogram(np.linspace(0, 1, 100))

    b = histogram(np.array([-1000.0, 0.5, 0.6, 1000.0]), like=a)

    assert len(b.density) <= 400
    assert sum(b.density) * b.width == pytest.approx(0.5)
    assert histogram(np.empty(0)) is None
    assert sum(histogram(np.full(10, 3.0)).density) > 0


def test_labels_do_not_matter_to_distances(reference):
    renamed = replace(reference, label="another name")

    assert facts.distances(random_panel(2), renamed.prepared()) == facts.distances(
        random_panel(2), reference.prepared()
    )
