"""Scenarios applied to a living market: exact in money, the same from the same seed, and each does what it says."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from mycelial.agents.intraday import PopulationConfig
from mycelial.domain.errors import ConfigError
from mycelial.domain.instrument import Instrument
from mycelial.market.book import EventKind, Mode, OrderBook, Reject
from mycelial.simulation.intraday import IntradayMarket
from mycelial.simulation.scenarios import (
    Depeg,
    Drought,
    FatFinger,
    FeedFault,
    ForcedLiquidation,
    Injection,
    LatencyStorm,
    LimitExhaustion,
    Outage,
    RegimeSwitch,
    Scenario,
    Sweep,
    VolumeShareSeller,
    stress_test,
    stress_test_names,
)
from mycelial.simulation.stress import StressedMarket, Trial, run_trial
from mycelial.simulation.stress.dials import usual_spread
from mycelial.simulation.stress.orders import mean_order_lots, record
from mycelial.simulation.stress.trial import check_ledger

SECOND = 10**9
INSTRUMENT = Instrument(
    "BTC/USD", Decimal("0.1"), Decimal("0.0001"), max_lots=10**7, ladder_ticks=2**18, max_orders=2**14
)
FEES = ((0, 1_600, 2_600), (10**9, 1_400, 2_400))
PEOPLE = PopulationConfig().scaled(200)


def market(seed: int = 1, **options: Any) -> IntradayMarket:
    one = IntradayMarket(INSTRUMENT, PEOPLE, seed, **({"externals": 2, "fee_tiers": FEES} | options))
    one.run_until(20 * SECOND)
    return one


def after(*injections: Injection, seconds: int, seed: int = 1, **options: Any) -> StressedMarket:
    stressed = StressedMarket(market(seed, **options), Scenario("test", injections))
    stressed.run_until((20 + seconds) * SECOND)
    return stressed


def spread(one: IntradayMarket) -> float:
    return float(one.book.best_ask - one.book.best_bid)


def near_lots(one: IntradayMarket) -> int:
    mid = 0.5 * (one.book.best_ask + one.book.best_bid)
    levels = np.concatenate([one.book.levels(side, 4_000) for side in (0, 1)])
    return int(levels[np.abs(levels[:, 0] - mid) < 0.005 * mid, 1].sum())


# ------------------------------------------------------------------------------------------------------ in every one


@pytest.mark.parametrize("name", stress_test_names())
def test_money_and_assets_are_conserved_to_the_last_unit_in_every_scenario(name: str):
    for scenario in stress_test(name).levels.values():
        first = min(one.start_ns for one in scenario.injections)
        renamed = Instrument("USDE/USDT", Decimal("0.1"), Decimal("0.0001"), 1, 1, 10**7, 0, 2**18, 2**14)
        one = IntradayMarket(renamed, PEOPLE, 1, externals=2, fee_tiers=FEES, record=True)
        one.run_until(20 * SECOND)
        stressed = StressedMarket(one, scenario.shifted(SECOND - first))

        stressed.run_until(80 * SECOND)

        check_ledger(one)
        assert stressed.happened
        assert not stressed.left_out
        assert one.lost == 0
        replayed = OrderBook(renamed, PEOPLE.agents + 2, fee_tiers=FEES)
        replayed.apply(one.take_recording().inputs)
        assert replayed.digest == one.digest


def test_a_ledger_that_is_off_by_one_unit_is_noticed():
    one = market()
    one.book.state.arrays["accounts"]["cash_free"][3] += 1

    with pytest.raises(Exception, match="off by 1 cash"):
        check_ledger(one)


@pytest.mark.parametrize("name", ["X01", "X02", "X03", "X04", "X07", "X08", "X09", "X10"])
def test_the_same_seed_gives_the_same_bytes_however_the_run_is_cut(name: str):
    scenario = list(stress_test(name).levels.values())[-1]
    first = min(one.start_ns for one in scenario.injections)
    digests = []
    for steps in (1, 7, 1):
        one = market()
        stressed = StressedMarket(one, scenario.shifted(SECOND - first), pair="USDE/USDT")
        for step in range(1, steps + 1):
            stressed.run_until(20 * SECOND + 45 * SECOND * step // steps)
        digests.append(one.digest)

    assert digests[0] == digests[1] == digests[2]
    plain = market()
    plain.run_until(65 * SECOND)
    assert digests[0] != plain.digest


def test_without_a_scenario_the_market_is_the_same_to_the_last_bit():
    calm, plain = after(seconds=30).market, market()
    plain.run_until(50 * SECOND)

    assert calm.digest == plain.digest


def test_after_a_scenario_every_dial_is_back_where_it_was():
    everything = (
        Drought(start_ns=SECOND, duration_ns=5 * SECOND, depth_ppm=100_000, spread_ppm=5_000_000),
        LatencyStorm(start_ns=SECOND, duration_ns=5 * SECOND, latency_ppm=10_000_000, loss_ppm=200_000),
        LimitExhaustion(start_ns=SECOND, duration_ns=5 * SECOND, limits_ppm=500_000, used_ppm=1_000_000),
        RegimeSwitch(start_ns=SECOND, duration_ns=5 * SECOND, volatility_ppm=8_000_000),
        FeedFault(start_ns=SECOND, duration_ns=5 * SECOND, fault="freeze"),
    )
    untouched = market()

    one = after(*everything, seconds=10).market

    people = ("depth", "shy_ticks", "frozen_at", "drift_bps", "fundamental_bps", "maker_close_ticks", "worth_shift")
    loop = ("loss", "cancel_ack_ns", "throttle_limit", "throttle_decay_hz")
    for name in people:
        assert one.population.header[name][0] == untouched.population.header[name][0], name
    for name in loop:
        assert one.header[name][0] == untouched.header[name][0], name
    for way in ("up", "down"):
        assert np.array_equal(one.population.arrays["agents"][way], untouched.population.arrays["agents"][way])


def test_scenarios_composed_both_happen():
    storm = LatencyStorm(start_ns=5 * SECOND, duration_ns=20 * SECOND, latency_ppm=10_000_000)
    sweep = Sweep(start_ns=10 * SECOND, size_ppm=50_000_000)
    both = Scenario("storm", (storm,)) | Scenario("sweep", (sweep,))

    stressed = StressedMarket(market(), both)
    stressed.run_until(35 * SECOND)

    assert [one.kind for one in stressed.happened] == ["latency_storm", "sweep"]
    assert stressed.conditions.latency == storm
    check_ledger(stressed.market)


# ---------------------------------------------------------------------------------------------- X01, X03, X06: orders


def test_a_sweep_sells_fifty_mean_orders_at_any_price():
    stressed = StressedMarket(market(), Scenario("sweep", (Sweep(start_ns=SECOND, size_ppm=50_000_000),)))
    stressed.run_until(21 * SECOND)
    bid = stressed.market.book.best_bid

    stressed.run_until(21 * SECOND + 100_000_000)

    hand = PEOPLE.agents + 1
    tape = stressed.market.tape(1_000)
    mine = tape[tape["taker"] == hand]
    assert int(mine["lots"].sum()) == round(50 * mean_order_lots(PEOPLE))
    assert mine["price"].min() < bid
    assert stressed.market.book.best_bid < bid


def test_the_seller_keeps_to_its_share_of_volume():
    plan = VolumeShareSeller(start_ns=SECOND, duration_ns=300 * SECOND, share_ppm=90_000)

    one = after(plan, seconds=301).market

    tape = one.tape(4_096)
    tape = tape[tape["time"] > 21 * SECOND]
    sold = tape["lots"][(tape["taker"] == PEOPLE.agents + 1) & (tape["side"] == 1)].sum()
    assert 0.06 < sold / tape["lots"].sum() < 0.10


def test_forced_liquidation_takes_its_share_of_positions_from_the_most_leveraged_first():
    stressed = StressedMarket(
        market(), Scenario("fall", (ForcedLiquidation(start_ns=SECOND, duration_ns=60 * SECOND, share_ppm=500_000),))
    )
    one = stressed.market
    stressed.run_until(21 * SECOND)
    (work,) = stressed._liquidations
    accounts = one.book.accounts()[: PEOPLE.agents]
    held = accounts["asset_free"] + accounts["asset_held"]
    long = np.maximum(held - one.population.arrays["agents"]["start_lots"][: PEOPLE.agents], 0)
    to_go = sum(int(held[owner]) - goal for owner, goal in work.goal.items())

    stressed.run_until(82 * SECOND)

    assert to_go == int(long.sum()) // 2
    sold = one.tape(4_096)
    sold = sold[(sold["side"] == 1) & (sold["time"] > 21 * SECOND) & np.isin(sold["taker"], list(work.goal))]
    assert int(sold["lots"].sum()) >= 0.9 * to_go


def test_a_finger_too_fat_on_price_sells_far_below_and_whoever_owns_it_pays():
    slip = FatFinger(start_ns=SECOND, who="own", side="sell", size_ppm=100_000_000, price_ppm=100_000)
    one = market()
    one.fund(PEOPLE.agents, lots=10**7)
    before = one.book.best_bid

    stressed = StressedMarket(one, Scenario("slip", (slip,)))
    stressed.run_until(25 * SECOND)

    tape = one.tape(4_096)
    mine = tape[tape["taker"] == PEOPLE.agents]
    assert int(mine["lots"].sum()) > 0
    assert mine["price"].min() < 0.995 * before
    assert "sell" in stressed.happened[0].what


def test_orders_of_the_scenario_need_somebody_to_send_them():
    lonely = IntradayMarket(INSTRUMENT, PEOPLE, 1)

    with pytest.raises(ConfigError, match="externals=1"):
        StressedMarket(lonely, stress_test("X01").levels["sweep"])


# --------------------------------------------------------------------------------------------------- X02: a drought


def test_in_a_drought_depth_falls_and_the_spread_widens_and_both_come_back():
    dry = Drought(start_ns=10 * SECOND, duration_ns=120 * SECOND, depth_ppm=100_000, spread_ppm=10_000_000)
    stressed = StressedMarket(market(), Scenario("dry", (dry,)))
    one = stressed.market
    stressed.run_until(30 * SECOND - 1)
    usual, lots = usual_spread(one), near_lots(one)

    spreads, depths = [], []
    for second in range(35, 150, 5):
        stressed.run_until(second * SECOND)
        spreads.append(spread(one))
        depths.append(near_lots(one))
    stressed.run_until(400 * SECOND)

    assert np.mean(spreads) > 5 * usual
    assert 0.03 * lots < np.mean(depths) < 0.25 * lots
    assert spread(one) < 4 * usual
    assert near_lots(one) > 0.4 * lots


# ----------------------------------------------------------------------------------------------------- X04: an outage


def test_while_the_exchange_is_out_nothing_trades_and_orders_are_refused():
    out = Outage(start_ns=10 * SECOND, duration_ns=30 * SECOND)
    stressed = StressedMarket(market(), Scenario("out", (out,)))
    one, owner = stressed.market, PEOPLE.agents
    one.fund(owner, cash=10**12)
    stressed.run_until(31 * SECOND)
    trades = int(one.header["tape_count"][0])

    one.submit(record(0, side=0, price=50_000, lots=10), owner)  # type: ignore[arg-type]
    stressed.run_until(59 * SECOND)
    refused = one.inbox()[0]["event"][-1]

    assert int(one.header["tape_count"][0]) == trades
    assert one.book.mode == Mode.MAINTENANCE
    assert (int(refused["kind"]), int(refused["reason"])) == (int(EventKind.REJECTED), int(Reject.MODE))
    stressed.run_until(120 * SECOND)
    assert one.book.mode == Mode.ONLINE
    assert int(one.header["tape_count"][0]) > trades


def test_a_gateway_that_times_out_answers_nothing():
    out = Outage(start_ns=SECOND, duration_ns=30 * SECOND, answers="timeouts")
    stressed = StressedMarket(market(), Scenario("out", (out,)))
    one, owner = stressed.market, PEOPLE.agents
    one.fund(owner, cash=10**12)
    stressed.run_until(25 * SECOND)
    heard = one.inbox()[1]

    one.submit(record(0, side=0, price=50_000, lots=10), owner)  # type: ignore[arg-type]
    stressed.run_until(50 * SECOND)

    assert one.inbox(heard)[1] == heard
    assert int(one.header["dropped"][0]) >= 1


@pytest.mark.parametrize(("gap", "cancel"), [(-0.05, False), (0.15, True)])
def test_trading_resumes_where_the_gap_says(gap: float, cancel: bool):
    out = Outage(
        start_ns=10 * SECOND,
        duration_ns=30 * SECOND,
        answers="timeouts",
        reopen_gap_ppm=round(gap * 1e6),
        cancel_resting=cancel,
    )
    stressed = StressedMarket(market(), Scenario("out", (out,)))
    one = stressed.market
    stressed.run_until(30 * SECOND - 1)
    before = 0.5 * (one.book.best_bid + one.book.best_ask)

    stressed.run_until(90 * SECOND)

    after_gap = 0.5 * (one.book.best_bid + one.book.best_ask)
    assert after_gap / before - 1.0 == pytest.approx(gap, abs=0.004)
    check_ledger(one)


def test_no_resident_is_left_waiting_for_an_order_that_never_arrived():
    out = Outage(start_ns=10 * SECOND, duration_ns=5 * SECOND)
    storm = LatencyStorm(start_ns=0, duration_ns=10 * SECOND, latency_ppm=50_000_000)  # so that much is on its way
    stressed = StressedMarket(market(), Scenario("out", (out, storm)))
    one = stressed.market

    stressed.run_until(30 * SECOND + 500_000_000)

    assert int(one.header["dropped"][0]) > 0
    agents = one.population.arrays["agents"][: PEOPLE.agents]
    assert not (agents["bid"] == -1).any()
    assert not (agents["ask"] == -1).any()
    assert not (one.population.arrays["quotes"]["handle"] == -1).any()


# ----------------------------------------------------------------------------------- X05, X07, X08, X09, X10: the rest


def test_when_feeds_freeze_residents_act_on_what_they_saw_last():
    freeze = FeedFault(start_ns=SECOND, duration_ns=20 * SECOND, fault="freeze")
    jump = RegimeSwitch(start_ns=SECOND, duration_ns=60 * SECOND, volatility_ppm=2_000_000)

    stressed = after(freeze, jump, seconds=10)

    assert int(stressed.market.population.header["frozen_at"][0]) == 21 * SECOND
    stressed.run_until(60 * SECOND)
    assert int(stressed.market.population.header["frozen_at"][0]) > 10**17


@pytest.mark.parametrize(
    ("pair", "target", "price", "factor"),
    [("BTC/USDT", "USDT", 0.88, 1 / 0.88), ("USDE/USD", "USDE", 0.65, 0.65), ("BTC/USD", "USDT", 0.88, 1.0)],
)
def test_a_depeg_moves_the_price_of_pairs_with_the_asset_and_of_no_others(
    pair: str, target: str, price: float, factor: float
):
    run = Depeg(
        start_ns=SECOND, duration_ns=400 * SECOND, target=target, price_ppm=round(price * 1e6), ramp_ns=60 * SECOND
    )
    stressed = StressedMarket(market(), Scenario("run", (run,)), pair=pair)
    calm = market()
    stressed.run_until(240 * SECOND)
    calm.run_until(240 * SECOND)

    assert stressed.market.worth / calm.worth == pytest.approx(factor, rel=1e-9)
    mid = 0.5 * (stressed.market.book.best_bid + stressed.market.book.best_ask)
    assert mid == pytest.approx(stressed.market.worth, rel=0.01)
    assert len(stressed.left_out) == (pair == "BTC/USD")


def test_a_depeg_of_one_venue_leaves_the_value_in_the_world_alone():
    here = Depeg(start_ns=SECOND, duration_ns=400 * SECOND, target="USD", price_ppm=900_000, scope="venue")
    stressed, calm = after(here, seconds=120).market, market()
    calm.run_until(140 * SECOND)

    assert stressed.worth == calm.worth
    assert float(stressed.population.header["reference_shift"][0]) == pytest.approx(-math.log(0.9))
    assert stressed.book.best_bid > 1.001 * calm.book.best_ask


def test_a_regime_switch_multiplies_volatility():
    wild = RegimeSwitch(start_ns=SECOND, duration_ns=900 * SECOND, volatility_ppm=8_000_000)
    rv = {}
    for name, scenario in (("wild", Scenario("wild", (wild,))), ("calm", Scenario("calm"))):
        stressed = StressedMarket(market(), scenario)
        worth = []
        for second in range(21, 600):
            stressed.run_until(second * SECOND)
            worth.append(stressed.market.worth)
        rv[name] = float((np.diff(np.log(worth)) ** 2).sum())

    assert 4.0 < math.sqrt(rv["wild"] / rv["calm"]) < 12.0


def test_when_correlations_go_to_one_markets_that_share_the_seed_move_together():
    together = RegimeSwitch(
        start_ns=SECOND, duration_ns=900 * SECOND, volatility_ppm=8_000_000, towards_one_ppm=950_000
    )
    paths = []
    for seed in (1, 2):
        stressed = StressedMarket(market(seed), Scenario("all", (together,)), seed=5)
        path = []
        for second in range(21, 321, 5):
            stressed.run_until(second * SECOND)
            path.append(math.log(stressed.market.worth))
        paths.append(np.diff(path))

    assert np.corrcoef(paths)[0, 1] > 0.85


def test_a_drift_flips_its_sign():
    path = np.array([100_000.0, 110_000.0])
    config = PEOPLE.replace(day_s=200.0, drift_bps=0.0, fundamental_bps=0.0)
    flipped = RegimeSwitch(start_ns=SECOND, duration_ns=500 * SECOND, drift_flip=True)
    one = IntradayMarket(INSTRUMENT, config, 1, path=path)
    stressed = StressedMarket(one, Scenario("flip", (flipped,)))

    stressed.run_until(101 * SECOND)

    rise = math.log(1.1) * 1.0 / 200.0
    assert math.log(one.worth / 100_000.0) == pytest.approx(rise - 100.0 * rise, rel=1e-6)


def test_in_a_latency_storm_everybody_is_slower_and_messages_get_lost():
    storm = LatencyStorm(
        start_ns=SECOND, duration_ns=100 * SECOND, latency_ppm=10_000_000, loss_ppm=200_000, cancel_ack_delay_ns=SECOND
    )
    base = market().population.arrays["agents"]["up"]
    stressed = after(storm, seconds=60)
    one = stressed.market

    sends = int(one.population.arrays["agents"]["sends"].sum())
    assert np.array_equal(one.population.arrays["agents"]["up"], 10 * base)
    assert 0.1 < int(one.header["dropped"][0]) / sends < 0.25


def test_word_of_a_cancel_comes_late_in_a_storm():
    storm = LatencyStorm(start_ns=SECOND, duration_ns=100 * SECOND, cancel_ack_delay_ns=3 * SECOND)
    stressed = StressedMarket(market(), Scenario("late", (storm,)))
    one, owner = stressed.market, PEOPLE.agents
    one.fund(owner, cash=10**12)
    stressed.run_until(22 * SECOND)
    one.submit(record(0, side=0, price=50_000, lots=10, client_id=9), owner)  # type: ignore[arg-type]
    stressed.run_until(23 * SECOND)
    one.submit(record(1, client_id=9), owner)  # type: ignore[arg-type]
    stressed.run_until(30 * SECOND)

    arrived = one.inbox()[0]
    done = arrived[arrived["event"]["kind"] == int(EventKind.DONE)]
    assert (done["time"] - done["event"]["ts"]).min() >= 3 * SECOND


def test_a_full_counter_refuses_and_a_limit_nobody_felt_returns():
    full = LimitExhaustion(start_ns=SECOND, duration_ns=30 * SECOND, limits_ppm=500_000, used_ppm=1_000_000)

    stressed = after(full, seconds=20)

    assert int(stressed.market.header["throttled"][0]) > 10
    stressed.run_until(60 * SECOND)
    refused = int(stressed.market.header["throttled"][0])
    stressed.run_until(90 * SECOND)
    assert int(stressed.market.header["throttled"][0]) == refused


# ------------------------------------------------------------------------------------------------------------- trials


def test_a_trial_measures_every_group_of_stability_figures_and_its_pair_shows_the_difference():
    scenario = Scenario(
        "thin", (Drought(start_ns=30 * SECOND, duration_ns=90 * SECOND, depth_ppm=100_000),)
    ) | Scenario("sweep", (Sweep(start_ns=40 * SECOND, size_ppm=50_000_000),))
    trial = Trial(INSTRUMENT, PEOPLE, scenario, seconds=240, warm_up_s=10.0, fee_tiers=FEES)

    stressed, calm = run_trial(trial), run_trial(trial.calm)

    assert stressed.digest == run_trial(trial).digest != calm.digest
    assert stressed.figures["rv_1s"] > 3 * calm.figures["rv_1s"]
    assert stressed.figures["depth_25bp"] < 0.8 * calm.figures["depth_25bp"]
    assert stressed.figures["least_depth_25bp"] < 0.3 * calm.figures["least_depth_25bp"]
    finite = {name for name, value in stressed.figures.items() if math.isfinite(value)}
    assert finite >= {
        *("rv_1s", "rv_60s", "deepest_fall", "branching_trades", "quoted_spread_bp", "effective_spread_bp"),
        *("depth_5bp", "cost_1", "cost_10", "amihud", "maker_share", "kyle_lambda", "ofi_slope", "rmse_worth"),
        *("half_life_worth_s", "variance_ratio_10", "pricing_error_share", "lsv", "action_correlation"),
        *("effective_agents", "stop_overlap"),
    }
