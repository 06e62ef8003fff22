"""Intraday facts: known answers on small markets, and the recorded ones against figures measured elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from mycelial.adapters.data.feeds import read_binance_feed
from mycelial.domain.depth import depth_after_batches
from mycelial.domain.errors import DataError, NotFound
from mycelial.domain.recording import BATCH, LEVEL, QUOTE, SNAPSHOT, TRADE, MarketRecording
from mycelial.facts.frame import STEP_NS, frame_of, order_flow_imbalance
from mycelial.facts.intraday import FIGURES, REQUIRED, summarise_intraday
from mycelial.facts.intraday_reference import IntradayReference, compare_intraday, from_json, to_json
from mycelial.facts.level_changes import level_changes
from mycelial.facts.minutes import minute_bars, summarise_minutes
from mycelial.facts.packaged.intraday import names, packaged_intraday

MS = 1_000_000


def quotes_of(rows: list[tuple[int, int, int, int, int]]) -> np.ndarray:
    """Return quotes of (ms, bid, bid lots, ask, ask lots)."""
    out = np.zeros(len(rows), QUOTE)
    for n, (ms, bid, bid_lots, ask, ask_lots) in enumerate(rows):
        out[n] = (ms * MS, 0, bid, bid_lots, ask, ask_lots, -1)
    return out


def trades_of(rows: list[tuple[int, int, int, int]]) -> np.ndarray:
    """Return trades of (ms, price, lots, taker side)."""
    out = np.zeros(len(rows), TRADE)
    for n, (ms, price, lots, side) in enumerate(rows):
        out[n] = (ms * MS, 0, price, lots, n, side)
    return out


def book_of(batches: list[tuple[int, list[tuple[int, int, int]]]]) -> dict[str, np.ndarray]:
    """Return batches and levels of (ms, [(price, lots, side)]), the first a snapshot."""
    table = np.zeros(len(batches), BATCH)
    table["ts"] = [ms * MS for ms, _ in batches]
    table["first"] = np.cumsum([0, *(len(levels) for _, levels in batches[:-1])])
    table["kind"][0] = SNAPSHOT
    return {"batches": table, "levels": np.array([level for _, levels in batches for level in levels], LEVEL)}


def toy_market(seed: int = 3, seconds: int = 120, follow: float = 0.0) -> MarketRecording:
    """Return a market whose mid is a random walk; takers of `follow` > 0 push it their way."""
    rng = np.random.default_rng(seed)
    n = seconds * 20
    sign = rng.choice([-1, 1], n)
    pushed = np.where(rng.random(n) < follow, sign, rng.choice([-1, 0, 1], n))
    bid = 10_000 + np.cumsum(pushed)
    rows = [
        (50 * k + 1, int(bid[k]), int(rng.integers(1, 50)), int(bid[k]) + 1, int(rng.integers(1, 50))) for k in range(n)
    ]
    trades = [(50 * k, int(bid[k]), int(rng.integers(1, 20)), int(sign[k] < 0)) for k in range(1, n)]
    return MarketRecording("toy", Decimal("0.01"), Decimal(1), quotes=quotes_of(rows), trades=trades_of(trades))


@pytest.fixture(scope="module")
def ethereum(shared_data):
    return read_binance_feed(shared_data / "binance_spot_l2_ethusdt_20240808.feed.gz")


# What each level update meant.


def test_what_leaves_a_level_with_a_trade_was_traded_and_what_leaves_without_was_cancelled():
    recording = MarketRecording(
        "toy",
        Decimal(1),
        Decimal(1),
        **book_of([(0, [(10, 5, 0), (11, 8, 1)]), (100, [(11, 2, 1)]), (200, [(10, 4, 0)]), (300, [(11, 6, 1)])]),
        trades=trades_of([(50, 11, 4, 0), (250, 11, 1, 0)]),
    )

    found = level_changes(recording)

    assert found.traded.tolist() == [4, 0, 1]
    assert found.cancelled.tolist() == [2, 1, 0]
    assert found.joined.tolist() == [0, 0, 5]  # 2 lots, 1 traded, 6 shown: 5 joined
    assert found.distance.tolist() == [0, 0, 0]
    assert found.mid.tolist() == [10.5, 10.5, 10.5]


def test_changes_away_from_the_touch_know_their_distance():
    recording = MarketRecording(
        "toy",
        Decimal(1),
        Decimal(1),
        **book_of([(0, [(10, 5, 0), (13, 8, 1)]), (100, [(12, 1, 1), (7, 1, 0), (15, 1, 1)])]),
    )

    assert level_changes(recording).distance.tolist() == [-1, 3, 2]


def test_order_flow_imbalance_follows_its_definition():
    quotes = quotes_of(
        [
            (0, 10, 5, 12, 5),
            (1, 10, 7, 12, 5),  # 2 join the bid
            (2, 11, 3, 12, 5),  # the bid improves with 3
            (3, 10, 4, 12, 5),  # and those 3 leave
            (4, 10, 4, 11, 6),  # the ask improves with 6
            (5, 10, 4, 13, 2),  # and those 6 leave
        ]
    )

    assert order_flow_imbalance(quotes).tolist() == [0, 2, 3, -3, -6, 6]


# Figures of markets whose answer is known.


def test_a_random_walk_has_a_flat_signature_and_no_memory():
    figures = summarise_intraday(toy_market(seconds=600)).figures

    assert figures["spread_one_tick"] == 1
    assert figures["signature_1s"] == pytest.approx(1, abs=0.35)
    assert abs(figures["sign_acf_1"]) < 0.05
    assert abs(figures["acf_abs_1s"]) < 0.05
    assert figures["imbalance_r2"] < 0.01


def test_takers_that_move_the_price_show_as_impact():
    pushed = summarise_intraday(toy_market(follow=0.9)).figures
    ignored = summarise_intraday(toy_market()).figures

    assert pushed["impact_r2"] > 0.3 > 0.1 > ignored["impact_r2"]
    assert 0.2 < pushed["impact_exponent"] < 1.2


def test_trades_of_one_moment_and_side_are_one_order():
    quotes = quotes_of([(0, 10, 1, 11, 1), (21_000, 10, 1, 11, 1)])
    trades = trades_of([(100, 11, 1, 0), (100, 11, 2, 0), (100, 10, 1, 1), (400, 11, 1, 0)])
    recording = MarketRecording("toy", Decimal(1), Decimal(1), quotes=quotes, trades=trades)

    frame = frame_of(recording)

    assert frame.trades.begins.tolist() == [1, 0, 1, 1]
    assert frame.trades.gap_ms[[2, 3]].tolist() == [0, 300]


def test_quotes_are_taken_from_the_book_where_the_feed_has_none():
    steps = [(100 * n, [(10, 5 + n % 3, 0), (11 + n % 2, 8, 1), (12 - n % 2, 0, 1)]) for n in range(1, 250)]
    recording = MarketRecording("toy", Decimal(1), Decimal(1), **book_of([(0, [(10, 5, 0), (11, 8, 1)]), *steps]))

    figures = summarise_intraday(recording).figures

    assert figures["spread_one_tick"] == pytest.approx(0.5, abs=0.01)
    assert np.isnan(figures["sign_acf_1"])


def test_the_bootstrap_is_repeatable_and_holds_the_figure():
    market = toy_market(follow=0.5)

    one, other = (summarise_intraday(market, replicates=30, seed=1) for _ in range(2))

    assert one.intervals == other.intervals
    low, high = one.intervals["vol_1s_bp"]
    assert low < one.figures["vol_1s_bp"] < high
    assert high / low < 1.5


def test_a_market_too_short_to_measure_is_refused():
    with pytest.raises(DataError, match="are too few; intraday facts need 20 s"):
        summarise_intraday(toy_market(seconds=10))


def test_a_market_without_quotes_is_refused():
    with pytest.raises(DataError, match="no best bid and ask"):
        summarise_intraday(MarketRecording("toy", Decimal(1), Decimal(1), trades=trades_of([(0, 1, 1, 0)])))


# Recorded markets against figures that were measured by other code.


def test_the_recorded_market_shows_what_other_code_measured(ethereum, shared_data):
    known = json.loads((shared_data / "microstructure_summary.json").read_text())[
        "binance_spot_l2_ethusdt_20240808.feed.gz"
    ]
    tick, lot = float(ethereum.tick_size), float(ethereum.lot_size)
    figures = summarise_intraday(ethereum).figures
    top = depth_after_batches(ethereum, 5)
    spread = (ethereum.quotes["ask"] - ethereum.quotes["bid"]) * tick

    for level in ("25", "50", "90", "99"):
        assert np.quantile(spread, int(level) / 100) == pytest.approx(known["spread_quote_units"][level])
        assert np.quantile(ethereum.trades["lots"] * lot, int(level) / 100) == pytest.approx(known["trade_qty"][level])
    assert figures["taker_buy_share"] == pytest.approx(known["taker_buy_share"])
    assert figures["sign_acf_1"] == pytest.approx(known["trade_sign_acf1"], abs=0.001)
    assert figures["sign_acf_10"] == pytest.approx(known["trade_sign_acf10"], abs=0.003)
    for levels, key in ((1, "top1_qty_bid_ask_median"), (5, "top5_qty_bid_ask_median")):
        medians = [np.median(side[:, :levels].sum(axis=1)) * lot for side in (top.bid_lots, top.ask_lots)]
        assert medians == pytest.approx(known[key], rel=0.02)


def test_the_packaged_figures_are_those_of_the_recorded_market(ethereum):
    (packaged,) = (one for one in packaged_intraday("binance-2024-08-08").markets if "ETH" in one.label)

    measured = summarise_intraday(ethereum).figures

    for name, value in packaged.figures.items():
        assert measured[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name


# Comparing.


def test_every_recorded_market_lies_in_the_range_of_all():
    for name in names():
        reference = packaged_intraday(name)
        for one in reference.markets:
            assert all(check.passed for check in compare_intraday(one, reference.markets))
        for bars in reference.minutes:
            assert all(check.passed for check in compare_intraday(bars, reference.minutes))


def test_a_toy_market_misses_and_every_miss_is_told():
    checks = compare_intraday(summarise_intraday(toy_market()), packaged_intraday("binance-2024-08-08").markets)
    by_name = {one.name: one for one in checks}

    assert set(by_name) == set(FIGURES)
    assert {one.name for one in checks if one.required} == set(REQUIRED)
    assert not by_name["sign_acf_1"].passed  # takers of the toy forget
    assert not by_name["depth_1bp_in_trades"].passed  # undefined never passes
    assert by_name["spread_one_tick"].high <= 1


def test_an_interval_that_reaches_in_is_told_but_does_not_pass():
    real = packaged_intraday("binance-2024-08-08").markets
    simulated = replace(real[0], figures={"sign_acf_1": 0.5}, intervals={"sign_acf_1": (0.4, 0.8)})

    (check,) = compare_intraday(simulated, real)

    assert not check.passed
    assert check.overlaps
    assert check.real_low > 0.7


def test_reference_figures_survive_their_file():
    reference = packaged_intraday("binance-2024-08-08")

    again = from_json(to_json(reference))

    assert to_json(again) == to_json(reference)
    assert again.markets[0].figures.keys() == FIGURES.keys()


def test_broken_reference_files_are_refused():
    with pytest.raises(DataError, match="here is not JSON"):
        from_json("{", "here")
    with pytest.raises(DataError, match="here has format None"):
        from_json("{}", "here")
    with pytest.raises(DataError, match="here: field markets"):
        from_json('{"format": "mycelial-intraday-figures/1", "label": "a", "provenance": "b", "markets": 3}', "here")
    with pytest.raises(NotFound, match="choose one of: binance-2024-08-08"):
        packaged_intraday("nowhere")
    with pytest.raises(DataError, match="no real market"):
        compare_intraday(summarise_intraday(toy_market()), IntradayReference("a", "b", ()).markets)


# One-minute bars.


def test_clustered_volatility_shows_in_minutes():
    rng = np.random.default_rng(1)
    size = np.exp(np.repeat(rng.normal(0, 1, 72), 60))  # hours of their own volatility
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-4, size.size) * size))
    flat = 100 * np.exp(np.cumsum(rng.normal(0, 1e-4, size.size)))

    clustered, calm = (summarise_minutes(one, size, "toy", replicates=60) for one in (close, flat))

    assert clustered.figures["minute_acf_abs_1"] > 0.2 > 0.05 > abs(calm.figures["minute_acf_abs_1"])
    assert clustered.figures["minute_kurtosis"] > 1 > calm.figures["minute_kurtosis"]
    assert clustered.figures["minute_acf_volume_1"] > 0.8
    assert clustered.intervals["minute_vol_bp"][0] < clustered.figures["minute_vol_bp"]


def test_bars_hold_every_lot_of_their_minutes():
    market = toy_market(seconds=150)

    close, volume = minute_bars(market)

    inside = market.trades["ts"] < market.quotes["ts"][0] + 2 * 60_000 * MS
    late = market.trades["ts"] >= market.quotes["ts"][0]
    assert close.shape == volume.shape == (2,)
    assert volume.sum() == market.trades["lots"][inside & late].sum()


def test_too_few_minutes_are_refused():
    with pytest.raises(DataError, match="60 minutes are too few"):
        summarise_minutes(np.ones(60), np.ones(60), "toy")


def test_the_report_shows_misses_plainly():
    pytest.importorskip("plotly")
    from mycelial.lab.intraday_report import intraday_report
    from mycelial.lab.report import render

    reference = packaged_intraday("binance-2024-08-08")
    page = render(intraday_report(summarise_intraday(toy_market(), label="a toy", replicates=3), reference))

    assert "✘ below" in page
    assert "✘ undefined" in page
    assert "✔ inside" in page
    assert "a toy" in page
    assert page.count('class="plot"') == 8


def test_a_grid_step_is_a_tenth_of_a_second():
    assert STEP_NS == 100 * MS
