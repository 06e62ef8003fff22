"""Statistics of a panel against slow, obvious versions of their formulas and against known figures of a real market."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mycelial.domain.errors import DataError
from mycelial.facts import DISTANCE_KEYS, STATISTICS, Panel, samples, summarise
from mycelial.facts.autocorrelation import autocorrelation, coin_correlation, leverage
from mycelial.facts.correlation import lagged_correlation, window_correlation
from mycelial.facts.returns import crash_days, hill_index, log_returns
from mycelial.facts.volatility import volatility

Rows = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def slow_volatility(price: Rows, p: int) -> Rows:
    return np.array([[w.std() / w.mean() for w in (row[t - p : t + 1] for t in range(p, row.size))] for row in price])


def slow_correlation(x: Rows, p: int, d: int) -> Rows:
    out = []
    for row in x:
        for t in range(p + d, row.size):
            new, old = row[t - p : t + 1], row[t - d - p : t - d + 1]
            constant = np.ptp(new) == 0 or np.ptp(old) == 0
            out.append(np.nan if constant else float(np.corrcoef(new, old)[0, 1]))
    return np.array(out).reshape(x.shape[0], -1)


def slow_correlation_with_zeros(x: Rows, p: int, d: int) -> Rows:
    out = np.zeros(x.shape)
    for s, row in enumerate(x):
        for t in range(p, row.size):
            new = row[np.arange(t - p, t + 1)]
            old = row[np.maximum(np.arange(t - p - d, t - d + 1), 0)]
            if np.ptp(new) > 0 and np.ptp(old) > 0:
                out[s, t] = np.corrcoef(new, old)[0, 1]
    return out


def random_panel(n_series: int, n_days: int, seed: int, group: tuple[int, ...] | None = None) -> Panel:
    rng = np.random.default_rng(seed)
    r = 0.03 * rng.standard_t(3, size=(n_series, n_days)) * (rng.random((n_series, n_days)) > 0.1)
    return Panel(
        names=tuple(f"coin {n}" for n in range(n_series)),
        price=np.exp(r.cumsum(axis=1)),
        volume=np.exp(3 * rng.standard_normal((n_series, n_days))),
        label=f"random {seed}",
        group=group,
    )


# Values on a coarse grid, so that flat stretches (no variance) are common; scales and spikes strain running sums.
@st.composite
def awkward_rows(draw: st.DrawFn) -> Rows:
    shape = (draw(st.integers(1, 2)), draw(st.integers(12, 60)))
    steps = draw(arrays(np.float64, shape, elements=st.integers(0, 3).map(float)))
    scale = draw(st.sampled_from([1e-8, 1.0, 1e7]))
    spikes = draw(arrays(np.float64, shape, elements=st.sampled_from([0.0] * 20 + [1e4])))
    return (1.0 + steps + spikes) * scale


@given(price=awkward_rows(), p=st.integers(2, 9))
def test_volatility_equals_std_over_mean_of_each_window(price: Rows, p: int):
    assert volatility(price, p) == pytest.approx(slow_volatility(price, p), rel=1e-6, abs=1e-12)


@given(x=awkward_rows(), p=st.integers(2, 5), d=st.integers(1, 5))
def test_lagged_correlation_equals_pearson_of_the_two_windows(x: Rows, p: int, d: int):
    np.testing.assert_allclose(lagged_correlation(x, p, d), slow_correlation(x, p, d), rtol=1e-6, atol=1e-6)


@given(x=awkward_rows(), p=st.integers(2, 5), d=st.integers(1, 5))
def test_with_zeros_reads_before_the_start_as_the_first_value(x: Rows, p: int, d: int):
    found = lagged_correlation(x, p, d, with_zeros=True)

    np.testing.assert_allclose(found, slow_correlation_with_zeros(x, p, d), rtol=1e-6, atol=1e-6)


@given(scale=st.floats(1e-6, 1e6), shift=st.floats(-50, 50))
def test_correlation_does_not_change_with_units(scale: float, shift: float):
    x = random_panel(2, 80, seed=1).volume
    before = window_correlation(x, 10)

    after = window_correlation(scale * (x + shift), 10)

    np.testing.assert_allclose(after, before, atol=1e-5)


@pytest.mark.parametrize("spike", [1e6, 1e9])
def test_a_spike_leaves_no_trace_once_it_has_left_the_window(spike: float):
    x = np.random.default_rng(12).random((1, 200)) + 1.0
    spiked = x.copy()
    spiked[0, 50] = spike  # its square would swallow the others' digits in a running sum

    np.testing.assert_allclose(volatility(spiked, 10)[:, 60:], volatility(x, 10)[:, 60:], rtol=1e-6)
    np.testing.assert_allclose(
        lagged_correlation(spiked, 10, 3)[:, 60:], lagged_correlation(x, 10, 3)[:, 60:], atol=1e-6
    )


def test_kernels_give_the_same_when_run_as_plain_python():
    from mycelial.facts import correlation
    from mycelial.facts import volatility as module_volatility

    price = random_panel(2, 90, seed=2).price
    run, vol, corr = np.empty(90, np.int64), np.empty((2, 80)), np.empty((2, 75))

    module_volatility._volatility.py_func(price, 10, run, vol)
    correlation._lagged_correlation.py_func(price, 10, 5, run, corr)

    np.testing.assert_allclose(vol, volatility(price, 10), rtol=1e-9)
    np.testing.assert_allclose(corr, lagged_correlation(price, 10, 5), rtol=1e-9, atol=1e-12)


def test_volatility_of_volatility_windows_uses_volatility_one_window_earlier():
    panel = random_panel(2, 120, seed=3)

    found = samples(panel, ["corr_vol_10"])["corr_vol_10"]

    expected = slow_correlation(slow_volatility(panel.price, 10), 10, 10)
    assert found.shape == (2, 120 - 30)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_samples_without_zeros_hold_only_full_windows():
    panel = random_panel(3, 300, seed=4)

    found = samples(panel, STATISTICS)

    for key, statistic in STATISTICS.items():
        lost = {"returns": 1, "vol": statistic.window, "corr_vol": 3 * statistic.window, "blend": None}.get(
            statistic.family, 2 * statistic.window
        )
        if statistic.family.startswith("corr_") and statistic.family not in {"corr_vol", "corr_volume"}:
            lost = 2 * statistic.window + 1
        if lost is None:
            lost = 1 + statistic.window + statistic.delay
        assert found[key].shape == (3, max(300 - lost, 0)), key


def test_with_zeros_keeps_one_value_per_day_and_series():
    panel = random_panel(2, 300, seed=5)

    found = samples(panel, DISTANCE_KEYS, with_zeros=True)

    assert all(np.isfinite(rows).all() for rows in found.values())
    assert all(rows.shape[1] in {299, 300} for rows in found.values())
    assert (found["vol_63"][:, :63] == 0).all()
    assert (found["vol_63"][:, 63:] > 0).all()


def test_an_unknown_statistic_is_refused_by_name():
    with pytest.raises(DataError, match="corr_r_11"):
        samples(random_panel(1, 50, seed=6), ["corr_r_11"])


def test_autocorrelation_is_the_mean_pearson_correlation_with_the_past():
    x = random_panel(3, 200, seed=7).volume

    found = autocorrelation(x, 4)

    expected = [np.mean([np.corrcoef(row[:-k], row[k:])[0, 1] for row in x]) for k in range(1, 5)]
    assert found == pytest.approx(expected, abs=1e-10)


def test_leverage_looks_from_a_return_to_later_magnitudes():
    rng = np.random.default_rng(8)
    sign = np.where(rng.random((1, 4000)) < 0.5, -1.0, 1.0)
    r = sign.copy()
    r[0, 1:] *= np.where(sign[0, :-1] < 0, 3.0, 1.0)  # a loss makes tomorrow three times wilder

    found = leverage(r, 2)

    assert found[0] < -0.5
    assert abs(found[1]) < 0.1


def test_autocorrelation_leaves_out_series_that_never_change():
    moving = random_panel(1, 100, seed=9).volume
    both = np.vstack([moving, np.full((1, 100), 0.1)])

    assert autocorrelation(both, 3) == pytest.approx(autocorrelation(moving, 3))
    assert np.isnan(autocorrelation(both[1:], 3)).all()


def test_coin_correlation_counts_pairs_within_a_world_only():
    r = log_returns(random_panel(5, 150, seed=10).price)
    group = (0, 0, 1, 1, 1)

    found = coin_correlation(r, group)

    c = np.corrcoef(r)
    pairs = [c[i, j] for i in range(5) for j in range(i) if group[i] == group[j]]
    assert len(pairs) == 4
    assert found == pytest.approx(np.mean(pairs), abs=1e-12)
    assert np.isnan(coin_correlation(r, (0, 1, 2, 3, 4)))


@given(exponent=st.floats(1.5, 5.0))
def test_hill_index_recovers_the_exponent_of_a_power_law(exponent: float):
    n = 40_000
    magnitude = (1 - (np.arange(n) + 0.5) / n) ** (-1 / exponent)

    assert hill_index(magnitude) == pytest.approx(exponent, rel=0.01)


def test_a_crash_is_a_week_one_fifth_below_the_week_before():
    price = np.array([[100.0] * 5 + [79.0] * 5 + [79.0] * 5])

    assert np.flatnonzero(crash_days(price)[0]).tolist() == [9]
    assert not crash_days(price[:, :9]).any()


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_an_impossible_price_is_refused_with_series_and_day(value: float):
    price = np.ones((2, 5))
    price[1, 3] = value

    with pytest.raises(DataError, match="'DOGE' on day 3"):
        Panel(("BTC", "DOGE"), price, np.ones((2, 5)), "test")


def test_a_negative_volume_and_wrong_shapes_are_refused():
    ones = np.ones((1, 5))
    with pytest.raises(DataError, match="volume of series 'BTC' on day 0"):
        Panel(("BTC",), ones, -ones, "test")
    with pytest.raises(DataError, match=r"shape \(1, 5\) and volume \(1, 4\)"):
        Panel(("BTC",), ones, ones[:, 1:], "test")
    with pytest.raises(DataError, match="2 days"):
        Panel(("BTC",), ones[:, :1], ones[:, :1], "test")
    with pytest.raises(DataError, match="2 names for 1 series"):
        Panel(("BTC", "ETH"), ones, ones, "test")
    with pytest.raises(DataError, match="2 group numbers for 1 series"):
        Panel(("BTC",), ones, ones, "test", group=(0, 1))


def test_summary_of_a_panel_too_short_for_a_window_has_no_numbers_there():
    summary = summarise(random_panel(2, 40, seed=11)).to_dict()

    assert np.isfinite(summary["volatility"]["10"]["0.5"])
    assert np.isnan(summary["volatility"]["63"]["0.5"])


def test_the_real_market_shows_its_known_figures(shared_data: Path):
    candles = pd.read_parquet(shared_data / "daily_panel_train.parquet", filters=[("quote", "==", "BTC")])
    candles["date"] = pd.to_datetime(candles["date"])
    days = pd.date_range("2018-09-01", "2022-09-30")
    price = candles.pivot(index="symbol", columns="date", values="close").reindex(columns=days).dropna()
    volume = candles.pivot(index="symbol", columns="date", values="volume").loc[price.index, days]

    summary = summarise(Panel(tuple(price.index), price.to_numpy(), volume.to_numpy(), "W-BTC"))

    assert (summary.n_series, summary.n_days) == (27, 1491)
    assert summary.returns.std == pytest.approx(0.0513, abs=5e-5)
    assert summary.returns.skew_median == pytest.approx(0.93, abs=5e-3)
    assert summary.returns.excess_kurtosis_median == pytest.approx(8.1, abs=0.05)
    assert summary.returns.unchanged == pytest.approx(0.0240, abs=5e-5)
    assert summary.acf_r[0] == pytest.approx(-0.047, abs=5e-4)
    assert summary.mean_acf_abs_r == pytest.approx(0.109, abs=5e-4)
    assert summary.acf_volume[0] == pytest.approx(0.611, abs=5e-4)
    assert summary.coin_correlation == pytest.approx(0.335, abs=5e-4)
