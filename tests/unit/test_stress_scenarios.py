"""Stress scenarios as data: the catalogue X01 to X10, how scenarios combine, and errors that say what to fix."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.domain.errors import ConfigError, NotFound
from mycelial.simulation.scenarios import (
    KINDS,
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
    stress_test_from_mapping,
    stress_test_from_text,
    stress_test_names,
)

SECOND = 10**9
MINUTE = 60 * SECOND


# ------------------------------------------------------------------------------------------------------- the catalogue


def test_ten_stress_tests_are_packaged_each_with_its_anchor():
    assert stress_test_names() == tuple(f"X{number:02}" for number in range(1, 11))
    for name in stress_test_names():
        test = stress_test(name)
        assert test.id == name
        assert len(test.anchor) > 60
        assert len(test.source) > 20
        assert len(test.levels) >= 3


def test_the_flash_crash_seller_keeps_to_nine_per_cent_of_the_last_minute():
    (seller,) = stress_test("X01").levels["seller"].injections

    assert seller == VolumeShareSeller(
        start_ns=MINUTE, duration_ns=20 * MINUTE, side="sell", share_ppm=90_000, window_ns=MINUTE
    )


@pytest.mark.parametrize(
    ("name", "kind", "field", "severities"),
    [
        ("X01", Sweep, "size_ppm", {50_000_000}),
        ("X02", Drought, "depth_ppm", {500_000, 100_000, 20_000}),
        ("X02", Drought, "spread_ppm", {2_000_000, 10_000_000}),
        ("X02", Drought, "duration_ns", {10 * MINUTE, 360 * MINUTE}),
        ("X03", ForcedLiquidation, "share_ppm", {100_000, 330_000, 500_000}),
        ("X03", Drought, "depth_ppm", {100_000, 20_000}),
        ("X04", Outage, "duration_ns", {30 * SECOND, 10 * MINUTE, 120 * MINUTE}),
        ("X04", Outage, "reopen_gap_ppm", {0, -50_000, 50_000, -150_000, 150_000}),
        ("X06", FatFinger, "size_ppm", {10_000_000, 1_000_000_000}),
        ("X06", FatFinger, "price_ppm", {1_000_000, 100_000, 10_000_000}),
        ("X07", Depeg, "price_ppm", {980_000, 880_000, 650_000}),
        ("X08", RegimeSwitch, "volatility_ppm", {3_000_000, 8_000_000}),
        ("X09", LatencyStorm, "latency_ppm", {10_000_000, 100_000_000}),
        ("X09", LatencyStorm, "loss_ppm", {0, 50_000, 200_000}),
        ("X10", LimitExhaustion, "limits_ppm", {1_000_000, 500_000}),
    ],
)
def test_the_severities_of_the_catalogue(name: str, kind: type[Any], field: str, severities: set[int]):
    found = {getattr(one, field) for scenario in stress_test(name).levels.values() for one in scenario.of(kind)}

    assert found == severities


def test_every_fault_of_a_feed_occurs():
    faults = {one.fault for scenario in stress_test("X05").levels.values() for one in scenario.of(FeedFault)}

    assert faults == {"gap", "checksum", "duplicate", "reorder", "freeze", "crossed", "negative_price", "skew"}


def test_every_kind_is_used_by_the_catalogue():
    used = {
        injection.kind
        for name in stress_test_names()
        for scenario in stress_test(name).levels.values()
        for injection in scenario.injections
    }

    assert used == set(KINDS)


# --------------------------------------------------------------------------------------------------------- composition


def test_two_scenarios_together_are_both_in_order_of_time():
    crash, storm = stress_test("X01").levels["sweep"], stress_test("X09").levels["tenfold"]

    both = crash.shifted(5 * MINUTE) | storm

    assert [one.kind for one in both.injections] == ["latency_storm", "sweep"]
    assert both.name == "X01-sweep+X09-tenfold"
    assert both.end_ns == storm.end_ns


@given(at=st.integers(0, 3_000))
def test_what_is_active_follows_from_start_and_duration(at: int):
    storm = LatencyStorm(start_ns=MINUTE, duration_ns=10 * MINUTE, latency_ppm=2_000_000)

    assert (storm in Scenario("one", (storm,)).active(at * SECOND)) == (60 <= at < 660)


injections = st.one_of(
    st.builds(Sweep, start_ns=st.integers(0, 100), size_ppm=st.integers(1, 5)),
    st.builds(
        ForcedLiquidation, start_ns=st.integers(0, 100), duration_ns=st.integers(1, 50), share_ppm=st.integers(1, 9)
    ),
    st.builds(FeedFault, start_ns=st.integers(0, 100), duration_ns=st.integers(1, 9), fault=st.just("gap")),
)
scenarios = st.lists(injections, max_size=4).map(lambda some: Scenario("any", tuple(some)))


@given(a=scenarios, b=scenarios, c=scenarios)
def test_union_neither_depends_on_order_nor_counts_twice(a: Scenario, b: Scenario, c: Scenario):
    assert (a | b).injections == (b | a).injections
    assert ((a | b) | c).injections == (a | (b | c)).injections
    assert (a | a).injections == a.injections


@given(a=injections, b=injections)
def test_meeting_is_mutual_and_means_a_common_moment(a: Injection, b: Injection):
    moments = [set(range(one.start_ns, max(one.end_ns, one.start_ns + 1))) for one in (a, b)]

    assert a.meets(b) == b.meets(a) == bool(moments[0] & moments[1])


@given(a=scenarios, b=scenarios, later=st.integers(0, 10**6))
def test_shifting_a_union_shifts_its_parts(a: Scenario, b: Scenario, later: int):
    assert (a | b).shifted(later).injections == (a.shifted(later) | b.shifted(later)).injections


# ------------------------------------------------------------------------------------------------------ contradictions


def test_two_settings_of_one_dial_at_once_are_refused():
    drought = stress_test("X02").levels["half"]
    other = Scenario("other", (Drought(start_ns=65 * SECOND, duration_ns=SECOND, depth_ppm=1, spread_ppm=1_000_000),))

    with pytest.raises(ConfigError, match=r"drought on \* and drought on \* overlap at 65 s; only one can hold"):
        drought | other


def test_the_same_dial_one_after_the_other_or_on_another_target_is_fine():
    first = Drought(start_ns=0, duration_ns=10, depth_ppm=1, target="BTC/USD")
    after = Drought(start_ns=10, duration_ns=10, depth_ppm=2, target="BTC/USD")
    elsewhere = Drought(start_ns=5, duration_ns=10, depth_ppm=3, target="ETH/USD")

    assert len(Scenario("three", (first, after, elsewhere)).injections) == 3


def test_no_order_arrives_during_an_outage():
    outage = Outage(start_ns=0, duration_ns=MINUTE, target="BTC/USD")
    into_it = Sweep(start_ns=SECOND, size_ppm=50_000_000, target="BTC/USD")

    with pytest.raises(ConfigError, match=r"overlap at 1 s; no order arrives during an outage, move the sweep"):
        Scenario("both", (outage, into_it))
    assert Scenario("elsewhere", (outage, Sweep(start_ns=SECOND, size_ppm=1, target="ETH/USD"))).end_ns == MINUTE


# ------------------------------------------------------------------------------------------------------ what is refused


def file_with(injection: str) -> str:
    words = 'id = "Y01"\ntitle = "Mine"\nanchor = "none"\nsource = "none"\n[levels]\n'
    return f"{words}only = [{{ {injection} }}]\n"


@pytest.mark.parametrize(
    ("injection", "message"),
    [
        ('kind = "sweap", start_s = 1', r"my\.toml: levels\.only\.0\.kind = 'sweap': unknown; did you mean sweep"),
        ("start_s = 1", r"levels\.only\.0\.kind = None: unknown; "),
        ('kind = "sweep", size = 5', r"levels\.only\.0\.start_s is missing; a sweep needs it"),
        ('kind = "sweep", start_s = 1, sise = 5', r"levels\.only\.0\.sise is not a key of sweep; did you mean size"),
        ('kind = "sweep", start_s = -1, size = 5', r"sweep: start_s -1 must be from 0"),
        ('kind = "sweep", start_s = 1, size = 5, duration_s = 3', r"duration 3 s; it is an instant, leave it out"),
        ('kind = "sweep", start_s = 1, size = 5, side = "long"', r"side 'long' must be one of buy, sell"),
        ('kind = "drought", start_s = 1, depth = 0.5', r"drought: duration 0 s; give duration_s"),
        ('kind = "drought", start_s = 1, duration_s = -5', r"drought: duration_s -5 must be from 0"),
        ('kind = "drought", start_s = 1, duration_s = 5, depth = 2', r"drought: depth 2 must be from 0 to 1"),
        ('kind = "drought", start_s = 1, duration_s = 5, depth = nan', r"depth = NaN: must be a whole number of ppm"),
        ('kind = "drought", start_s = 1, duration_s = 5, depth = true', r"depth = True: must be an exact decimal"),
        ('kind = "drought", start_s = 0.0000000001, duration_s = 5', r"start_s = 1E-10: must be a whole number of ns"),
        ('kind = "feed_fault", start_s = 1, duration_s = 5, fault = "skew"', r"skew_s and only skew needs one"),
        ('kind = "fat_finger", start_s = 1', r"give the factor by which one of them is wrong"),
        ('kind = "depeg", start_s = 1, duration_s = 5, price = 0.9, ramp_s = 9', r"shorten ramp_s"),
        ('kind = "regime_switch", start_s = 1, duration_s = 5, drift_flip = 1', r"drift_flip 1 must be bool"),
        ('kind = "forced_liquidation", start_s = 1, duration_s = 5, share = 1, slices = 2.5', r"slices .* must be int"),
    ],
)
def test_a_mistake_is_named_with_file_place_value_and_remedy(injection: str, message: str):
    with pytest.raises(ConfigError, match=message):
        stress_test_from_text(file_with(injection), "my.toml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"titel": "x"}, "titel is not a key; did you mean title"),
        ({"anchor": " "}, "anchor = ' ': give it as text"),
        ({"levels": {}}, "levels = {}: give at least one list"),
        ({"levels": {"a": 3}}, r"levels\.a = 3: give a list of injections"),
        ({"levels": {"a": [3]}}, r"levels\.a\.0 = 3: an injection is a table such as"),
    ],
)
def test_a_document_of_another_form_is_named(change: dict[str, Any], message: str):
    document = tomllib.loads(file_with('kind = "sweep", start_s = 1, size = 5'), parse_float=Decimal)

    with pytest.raises(ConfigError, match=message):
        stress_test_from_mapping(document | change)


def test_unknown_tests_and_broken_text_are_named():
    with pytest.raises(NotFound, match="choose one of: X01, X02"):
        stress_test("X99")
    with pytest.raises(ConfigError, match=r"my\.toml: is not TOML"):
        stress_test_from_text("id = ", "my.toml")
