"""Distances between panels: against scipy, as metrics, and as the objective of a calibrator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mycelial import facts
from mycelial.domain.errors import DataError
from mycelial.facts.distance import bootstrap_interval, distance

sorted_values = st.lists(st.integers(-20, 20).map(lambda n: n / 4), min_size=1, max_size=60).map(
    lambda values: np.sort(np.array(values))
)


def random_panel(seed: int, n_series: int = 6, n_days: int = 900, scale: float = 0.03) -> facts.Panel:
    rng = np.random.default_rng(seed)
    r = scale * rng.standard_t(4, size=(n_series, n_days))
    volume = np.exp(rng.standard_normal((n_series, n_days)))
    return facts.Panel(tuple(map(str, range(n_series))), np.exp(r.cumsum(axis=1)), volume, f"random {seed}")


@given(a=sorted_values, b=sorted_values)
def test_distances_of_two_samples_equal_those_of_scipy(a, b):
    found = distance(a, b)

    assert found.ks == pytest.approx(stats.ks_2samp(a, b, method="exact").statistic, abs=1e-12)
    assert found.w1 == pytest.approx(stats.wasserstein_distance(a, b), abs=1e-12)


@given(a=sorted_values, b=sorted_values, c=sorted_values)
def test_distances_are_metrics(a, b, c):
    ab, ba, ac, cb = distance(a, b), distance(b, a), distance(a, c), distance(c, b)

    assert distance(a, a) == facts.Distance(0.0, 0.0)
    assert ab.ks == pytest.approx(ba.ks)
    assert ab.w1 == pytest.approx(ba.w1)
    assert ab.ks <= ac.ks + cb.ks + 1e-12
    assert ab.w1 <= ac.w1 + cb.w1 + 1e-12


@given(a=sorted_values, shift=st.integers(-8, 8))
def test_a_shift_costs_its_length_in_w1(a, shift):
    assert distance(a, a + shift).w1 == pytest.approx(abs(shift))


def test_a_panel_has_no_distance_to_itself():
    panel = random_panel(1)

    found = facts.distances(panel, facts.prepare(panel))

    assert set(found) == set(facts.DISTANCE_KEYS)
    assert all(one.ks == 0 and one.w1 == 0 for one in found.values())


def test_wider_returns_show_as_distance_and_correlations_do_not_care():
    calm, wild = random_panel(1, scale=0.02), random_panel(2, scale=0.06)

    found = facts.distances(wild, facts.prepare(calm), ["returns", "vol_10", "corr_r_10"])

    assert found["returns"].ks > 0.2
    assert found["vol_10"].ks > 0.6
    assert found["corr_r_10"].ks < 0.05


def test_distances_refuse_statistics_the_reference_does_not_hold():
    reference = facts.prepare(random_panel(1), ["returns"])

    with pytest.raises(DataError, match="holds no vol_10"):
        facts.distances(random_panel(2), reference, ["returns", "vol_10"])


def test_distances_refuse_to_mix_samples_with_and_without_zeros():
    panel = random_panel(1)

    with pytest.raises(DataError, match="with_zeros=True"):
        facts.distances(facts.prepare(panel), facts.prepare(panel, with_zeros=True))


def test_a_panel_too_short_for_a_statistic_has_nan_distance_there():
    found = facts.distances(random_panel(1, n_days=100), facts.prepare(random_panel(2)), ["vol_10", "vol_252"])

    assert np.isfinite(found["vol_10"].ks)
    assert np.isnan(found["vol_252"].ks)
    assert np.isnan(found["vol_252"].w1)


def test_bootstrap_intervals_contain_the_distance_of_clearly_different_markets():
    found = facts.compare(random_panel(1, 12), facts.prepare(random_panel(2, 12, scale=0.06), ["returns"]), seed=3)

    low, high = found["returns"].ci
    assert low < found["returns"].ks < high
    assert high - low < 0.1


def test_bootstrap_repeats_with_its_seed_and_only_with_it():
    reference = facts.prepare(random_panel(2), ["returns"])

    first, same, other = (facts.compare(random_panel(1), reference, seed=seed)["returns"].ci for seed in (5, 5, 6))

    assert first == same
    assert first != other


def test_bootstrap_draws_whole_series():
    # Two coins of opposite sign: a replicate holds either one of them or both, so three values of KS are possible.
    a = np.array([[-1.0] * 50, [1.0] * 50])

    low, high = bootstrap_interval(a, np.full((1, 10), 2.0), 300, np.random.default_rng(0))
    assert (low, high) == (1.0, 1.0)

    low, high = bootstrap_interval(a, np.zeros((1, 10)), 300, np.random.default_rng(0))
    assert (low, high) == (0.5, 1.0)


def test_real_versus_real_is_small_for_alike_coins_and_seeded():
    panel = random_panel(1, 10)

    found = facts.real_versus_real(panel, seed=4, names=["returns", "vol_10"])

    assert 0 < found["returns"].ks < 0.05
    assert found == facts.real_versus_real(panel, seed=4, names=["returns", "vol_10"])
    assert found != facts.real_versus_real(panel, seed=5, names=["returns", "vol_10"])


def test_real_versus_real_needs_two_coins():
    with pytest.raises(DataError, match="at least 2"):
        facts.real_versus_real(random_panel(1, 1))


def test_two_halves_share_no_coin_and_lose_none():
    panel = random_panel(1, 7)

    first, second = facts.two_halves(panel, seed=1)

    assert set(first.names).isdisjoint(second.names)
    assert sorted(first.names + second.names) == sorted(panel.names)


def test_normalised_distance_is_the_mean_over_figures_in_units_of_the_baseline():
    found = {key: facts.Distance(0.2, 2.0) for key in facts.DISTANCE_KEYS}
    baseline = {key: facts.Distance(0.1, 0.5) for key in facts.DISTANCE_KEYS}
    found["returns"] = facts.Distance(0.2, 5.0)  # figure 7 is one of six figures
    found["vol_10"] = facts.Distance(0.2, 3.5)  # figure 8 has three statistics
    found["blend_21_4"] = facts.Distance(0.9, 99.0)  # figure 14 does not count

    assert facts.normalised_distance(found, baseline) == pytest.approx((10 + (7 + 4 + 4) / 3 + 4 * 4) / 6)
    assert facts.normalised_distance(found, baseline, "ks") == pytest.approx(2.0)


def test_normalised_distance_refuses_missing_figures_and_useless_baselines():
    found = {key: facts.Distance(0.2, 2.0) for key in facts.DISTANCE_KEYS}
    with pytest.raises(DataError, match="vol_63"):
        facts.normalised_distance(found, found | {"vol_63": facts.Distance(0.0, 0.0)})
    with pytest.raises(DataError, match="figure 9"):
        facts.normalised_distance({k: d for k, d in found.items() if not k.startswith("corr_r_")}, found)


def test_a_market_passes_its_own_checklist_except_what_no_random_walk_has():
    panel = random_panel(1, 10)
    summary = facts.summarise(panel)
    found = facts.distances(panel, facts.prepare(panel))

    failed = {c.name for c in facts.check(summary, summary, found, facts.real_versus_real(panel)) if not c.passed}

    assert failed == {"acf1_volume", "unchanged", "hill"} - ({"hill"} if 2.4 <= summary.returns.hill <= 3.3 else set())


@pytest.mark.parametrize(
    ("field", "value", "passed"),
    [
        ("unchanged", 0.0, False),
        ("unchanged", 0.001, True),
        ("unchanged", 0.03, True),
        ("unchanged", 0.031, False),
        ("hill", 2.39, False),
        ("hill", 2.4, True),
        ("hill", 3.3, True),
        ("hill", 3.31, False),
        ("skew_median", 0.44, False),
        ("skew_median", 0.47, True),
        ("skew_median", -0.93, False),
    ],
)
def test_a_check_on_returns_passes_within_its_bounds_only(field, value, passed):
    real = facts.packaged_reference("binance-btc-2018-2022").summary
    sim = replace(real, returns=replace(real.returns, **{field: value}))

    verdict = {c.name: c for c in facts.check(sim, real, {}, {})}

    assert verdict[field].passed is passed
    assert verdict[field].value == value


@pytest.mark.parametrize(
    ("name", "change", "passed"),
    [
        ("acf1_r", {"acf_r": (0.0,) * 5}, True),
        ("acf1_r", {"acf_r": (0.01,) * 5}, False),
        ("mean_acf_abs_r", {"acf_abs_r": (0.14,) * 20}, True),
        ("mean_acf_abs_r", {"acf_abs_r": (0.06,) * 20}, False),
        ("acf1_volume", {"acf_volume": (0.5,) * 20}, True),
        ("acf1_volume", {"acf_volume": (0.49,) * 20}, False),
        ("coin_correlation", {"coin_correlation": 0.43}, True),
        ("coin_correlation", {"coin_correlation": 0.44}, False),
    ],
)
def test_a_check_on_memory_passes_within_its_tolerance_only(name, change, passed):
    real = facts.packaged_reference("binance-btc-2018-2022").summary

    verdict = {c.name: c for c in facts.check(replace(real, **change), real, {}, {})}

    assert verdict[name].passed is passed


def test_a_negative_skew_must_be_matched_on_its_own_side():
    real = facts.packaged_reference("binance-usdt-2018-2022").summary  # skew_median -0.85
    sim = replace(real, returns=replace(real.returns, skew_median=-0.5))
    wrong = replace(real, returns=replace(real.returns, skew_median=0.5))

    assert {c.name: c.passed for c in facts.check(sim, real, {}, {})}["skew_median"]
    assert not {c.name: c.passed for c in facts.check(wrong, real, {}, {})}["skew_median"]


@pytest.mark.parametrize(("key", "limit"), [("returns", 0.034), ("vol_10", 0.10), ("vol_63", 0.12), ("vol_252", 0.16)])
def test_distributions_of_returns_and_volatility_have_fixed_limits(key, limit):
    real = facts.packaged_reference("binance-btc-2018-2022").summary

    at, above = (facts.check(real, real, {key: facts.Distance(ks, 0)}, {})[0] for ks in (limit, limit + 1e-6))

    assert (at.name, at.passed, above.passed) == (f"ks_{key}", True, False)


def test_checks_on_correlations_allow_three_times_real_versus_real_but_at_least_three_hundredths():
    summary = facts.summarise(random_panel(1))
    found = {"corr_r_10": facts.Distance(0.05, 0), "blend_5_1": facts.Distance(0.05, 0)}
    baseline = {"corr_r_10": facts.Distance(0.02, 0), "blend_5_1": facts.Distance(0.005, 0)}

    verdict = {c.name: c for c in facts.check(summary, summary, found, baseline)}

    assert verdict["ks_corr_r_10"].passed
    assert verdict["ks_corr_r_10"].target == "<= 0.06"
    assert not verdict["ks_blend_5_1"].passed
    assert verdict["ks_blend_5_1"].target == "<= 0.03"


def test_an_undefined_figure_never_passes_a_check():
    summary = facts.summarise(random_panel(1))
    found = {"returns": facts.Distance(float("nan"), float("nan"))}

    assert not facts.check(summary, summary, found, {})[0].passed
