"""The rules of Kraken as data: figures, the instruments and fee tiers they make, and errors that say what to fix."""

from __future__ import annotations

import copy
import gzip
import json
import tomllib
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelial.domain.errors import ConfigError, NotFound
from mycelial.market.book.records import Mode
from mycelial.market.venues import packaged_venue, venue_from_mapping, venue_from_text, venue_names

KRAKEN = packaged_venue("kraken")
NEAR = {
    "BTC/USD": "100000", "BTC/USDT": "100000", "ETH/USD": "3000", "ETH/BTC": "0.03", "SOL/USD": "150",
    "DOGE/USD": "0.25", "XRP/USD": "2.5", "ADA/USD": "0.8", "LTC/USD": "100", "LINK/USD": "15", "DOT/USD": "4",
    "AVAX/USD": "20", "ACA/EUR": "0.03",
}  # fmt: skip


@pytest.fixture
def document() -> dict[str, Any]:
    """Kraken's file as tables, to be spoilt."""
    text = files("mycelial.market.venues").joinpath("kraken.toml").read_text(encoding="utf-8")
    return copy.deepcopy(tomllib.loads(text, parse_float=Decimal))


# ------------------------------------------------------------------------------------------------------------ figures


def test_the_founding_report_table_of_account_tiers_is_reproduced_exactly():
    intermediate, pro = KRAKEN.limits("Intermediate"), KRAKEN.limits("Pro")

    assert (intermediate.threshold, intermediate.decay) == (125_000_000, 2_340_000)  # micro-points
    assert (pro.threshold, pro.decay) == (180_000_000, 3_750_000)


def test_the_founding_report_range_of_fees_is_reproduced_exactly():
    tiers = KRAKEN.fee_schedules["spot-crypto"].tiers

    assert (tiers[0].maker_ppm, tiers[-1].maker_ppm) == (2_500, 0)  # 0.25 % -> 0.00 %
    assert (tiers[0].taker_ppm, tiers[-1].taker_ppm) == (4_000, 800)  # 0.40 % -> 0.08 %


def test_the_whole_fee_ladder():
    ladder = [(tier.volume, tier.maker_ppm, tier.taker_ppm) for tier in KRAKEN.fee_schedules["spot-crypto"].tiers]

    assert ladder == [
        (0, 2_500, 4_000),
        (10_000, 2_000, 3_500),
        (50_000, 1_400, 2_400),
        (100_000, 1_200, 2_200),
        (250_000, 1_000, 2_000),
        (500_000, 800, 1_800),
        (1_000_000, 600, 1_600),
        (2_500_000, 400, 1_400),
        (5_000_000, 200, 1_200),
        (10_000_000, 0, 1_000),
        (100_000_000, 0, 800),
    ]


@pytest.mark.parametrize(("volume", "taker_ppm"), [(0, 4_000), (9_999, 4_000), (10_000, 3_500), (10**9, 800)])
def test_a_fee_tier_holds_from_its_threshold_on(volume: int, taker_ppm: int):
    assert KRAKEN.fee_schedules["spot-crypto"].at(volume).taker_ppm == taker_ppm


@pytest.mark.parametrize(
    ("tier", "threshold", "decay", "open_orders", "calls", "call_decay"),
    [
        ("starter", 60, "1.00", 60, 15, "0.33"),
        ("intermediate", 125, "2.34", 80, 20, "0.5"),
        ("pro", 180, "3.75", 225, 20, "1"),
    ],
)
def test_limits_of_each_tier(tier: str, threshold: int, decay: str, open_orders: int, calls: int, call_decay: str):
    trading, rest = KRAKEN.limits(tier), KRAKEN.rest_limits(tier)

    assert (trading.threshold, trading.decay) == (threshold * 10**6, Decimal(decay) * 10**6)
    assert trading.open_orders == open_orders
    assert (rest.threshold, rest.decay) == (calls * 10**6, Decimal(call_decay) * 10**6)


def test_every_pair_answers_to_all_its_names():
    for pair in KRAKEN.pairs.values():
        for name in (pair.symbol, pair.key, pair.altname, pair.wsname, pair.symbol.lower()):
            assert KRAKEN.pair(name) is pair


def test_modern_names_are_not_the_old_ones():
    doge = KRAKEN.pair("DOGE/USD")

    assert (doge.key, doge.altname, doge.wsname) == ("XDGUSD", "XDGUSD", "XDG/USD")
    assert KRAKEN.assets["BTC"].id == "XXBT"


def test_a_pair_that_takes_cancels_only_makes_a_book_in_that_mode():
    assert KRAKEN.pair("ACA/EUR").mode == Mode.CANCEL_ONLY
    assert KRAKEN.pair("BTC/USD").mode == Mode.ONLINE


def test_calls_that_place_orders_cost_nothing_in_the_call_counter():
    assert [KRAKEN.rest.cost(method) for method in ("AddOrder", "Balance", "Ledgers")] == [0, 1, 2]


def test_what_is_uncertain_is_listed():
    listed = "\n".join(KRAKEN.uncertain())

    assert "XRP/USD" in listed
    assert "BTC/USD" not in listed
    assert "spot-crypto-2023-trial" in listed


def test_prices_agree_with_the_recorded_pairs_where_nothing_changed(shared_data: Path):
    with gzip.open(shared_data / "kraken_rest_AssetPairs_20210417.json.gz") as file:
        recorded = json.load(file)["result"]
    changed = {"XETHXXBT"}  # 5 decimals then, 6 now

    for pair in KRAKEN.pairs.values():
        row = recorded.get(pair.key)
        if row is None or pair.key in changed:
            continue
        assert (row["altname"], row["wsname"]) == (pair.altname, pair.wsname)
        assert (row["pair_decimals"], row["lot_decimals"]) == (pair.price_decimals, pair.lot_decimals)
        assert row["base"] == KRAKEN.assets[pair.base].id
        assert row["quote"] == KRAKEN.assets[pair.quote].id


# -------------------------------------------------------------------------------------------------------- instruments


@pytest.mark.parametrize("symbol", KRAKEN.pairs)
def test_every_pair_makes_an_instrument_with_its_smallest_order_and_room_above(symbol: str):
    pair = KRAKEN.pair(symbol)

    instrument = KRAKEN.instrument(symbol, reference_price=NEAR[symbol])

    assert instrument.tick_size == pair.tick_size
    assert instrument.quantity(instrument.min_lots) == pair.min_quantity
    assert instrument.money(instrument.min_notional) == pair.min_cost
    assert instrument.ladder_ticks >= 8 * instrument.ticks(NEAR[symbol])
    assert instrument.quantity(instrument.max_lots) * Decimal(NEAR[symbol]) >= pair.min_cost * 1_000_000
    assert instrument.lot_size >= pair.lot_size


def test_bitcoin_keeps_the_lot_of_the_exchange():
    instrument = KRAKEN.instrument("BTC/USD", reference_price="100000")

    assert instrument.lot_size == Decimal("1e-8")
    assert instrument.cash_unit == Decimal("1e-9")
    assert (instrument.min_lots, instrument.min_notional, instrument.ladder_ticks) == (5_000, 500_000_000, 2**23)


def test_a_larger_order_makes_a_coarser_lot():
    instrument = KRAKEN.instrument("BTC/USD", reference_price="100000", largest_order="500")

    assert instrument.lot_size == Decimal("1e-6")
    assert instrument.quantity(instrument.max_lots) >= 500


def test_a_price_with_eightfold_room_beyond_the_longest_ladder_gets_the_longest():
    instrument = KRAKEN.instrument("DOGE/USD", reference_price="2")

    assert instrument.ladder_ticks == 2**26


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reference_price": "5"}, "leaves it no room to rise"),
        ({"reference_price": "0"}, "must be a finite number above zero"),
        ({"reference_price": "cheap"}, "is not a number"),
        ({"reference_price": "0.25", "lot_size": "1e-8"}, "choose a coarser lot_size"),
        ({"reference_price": "0.25", "lot_size": "0.003"}, "must be a power of ten"),
        ({"reference_price": "0.25", "lot_size": "1e-9"}, "at least the exchange's"),
    ],
)
def test_what_no_book_of_integers_can_hold_is_an_error(arguments: dict[str, str], message: str):
    with pytest.raises(ConfigError, match=message):
        KRAKEN.instrument("DOGE/USD", **arguments)


@given(
    symbol=st.sampled_from(list(KRAKEN.pairs)),
    price=st.decimals("0.0001", "1000000", allow_nan=False, places=6),
)
def test_any_price_makes_an_instrument_that_fits_or_an_error(symbol: str, price: Decimal):
    try:
        instrument = KRAKEN.instrument(symbol, reference_price=price)
    except ConfigError as error:
        assert "no room to rise" in str(error)  # noqa: PT017
        return
    assert instrument.ladder_ticks >= 2 * price / instrument.tick_size
    assert instrument.min_lots <= instrument.max_lots


# --------------------------------------------------------------------------------------------------------- fee tiers


def test_fee_tiers_come_in_cash_units_of_the_instrument():
    instrument = KRAKEN.instrument("BTC/USD", reference_price="100000")

    tiers = KRAKEN.fee_tiers(instrument)

    assert tiers[0] == (0, 2_500, 4_000)
    assert tiers[1] == (instrument.cash("10000"), 2_000, 3_500)
    assert tiers[-1] == (instrument.cash("100000000"), 0, 800)


def test_volume_in_another_asset_needs_its_value():
    instrument = KRAKEN.instrument("ETH/BTC", reference_price="0.03")

    with pytest.raises(ConfigError, match="give quote_value, the worth of one BTC in USD"):
        KRAKEN.fee_tiers(instrument)
    assert KRAKEN.fee_tiers(instrument, quote_value="100000")[1][0] == instrument.cash("0.1")


def test_a_stablecoin_counts_at_par():
    instrument = KRAKEN.instrument("BTC/USDT", reference_price="100000")

    assert KRAKEN.fee_tiers(instrument)[1][0] == instrument.cash("10000")


def test_another_schedule_can_be_asked_for():
    instrument = KRAKEN.instrument("BTC/USD", reference_price="100000")

    assert KRAKEN.fee_tiers(instrument, schedule="spot-crypto-2023-trial")[-1][2] == 400
    with pytest.raises(NotFound, match="choose one of: spot-crypto, "):
        KRAKEN.fee_tiers(instrument, schedule="free")


def test_a_threshold_beyond_62_bits_is_an_error_that_names_the_remedy():
    instrument = KRAKEN.instrument("DOGE/USD", reference_price="0.25", largest_order="200")

    with pytest.raises(ConfigError, match="does not fit 62 bits; build the instrument with a coarser lot_size"):
        KRAKEN.fee_tiers(instrument)


# ------------------------------------------------------------------------------------------------------------- errors


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(NotFound, match=r"has no pair 'BTC/USB'.*did you mean BTC/USD"):
        KRAKEN.pair("BTC/USB")
    with pytest.raises(NotFound, match="choose one of: starter, intermediate, pro"):
        KRAKEN.limits("platinum")
    with pytest.raises(NotFound, match="choose one of: kraken"):
        packaged_venue("mtgox")


def spoil(document: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a path of keys joined by bars."""
    *rooms, name = path.split("|")
    table = document
    for room in rooms:
        table = table[room]
    table[name] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("pairs|BTC/USD|tick_sise", "0.1", r"my\.toml: pairs\.BTC/USD\.tick_sise is not a key; did you mean tick_size"),
        ("pairs|BTC/USD|tick_size", Decimal(-1), r"my\.toml: pairs\.BTC/USD\.tick_size = -1: input should be greater"),
        ("pairs|BTC/USD|tick_size", 0.1, r"tick_size = 0\.1: must be an exact decimal"),
        (
            "pairs|BTC/USD|tick_size",
            "0.01",
            r"my\.toml: pairs\.BTC/USD: tick_size 0\.01 needs more than price_decimals = 1",
        ),
        ("pairs|BTC/USD|status", "asleep", r"pairs\.BTC/USD\.status = 'asleep': input should be 'online'"),
        (
            "pairs|BTC/USD|fees",
            "none",
            r"my\.toml: pairs\.BTC/USD\.fees = 'none' is no fee schedule; choose one of: spot",
        ),
        ("pairs|BTC/USD|base", "ETH", r"pairs\.BTC/USD trades ETH/USD; name it so"),
        ("names|assets|BTC|id", 3, r"names\.assets\.BTC\.id = 3: input should be a valid string"),
        ("fees|schedules|spot-crypto|tiers", [[5, "0.1", "0.2"]], "must begin at volume 0 and rise"),
        ("fees|schedules|spot-crypto|tiers", [[0, "0.00001", "0.2"]], "not a whole number of ppm"),
        ("trading|tiers|pro|decay_per_s", "0.0000001", "not a whole number of micro-points"),
        ("trading|charges|cancel|aged", [8, 6], r"cancel\.aged has 2 prices for 6 age brackets"),
        ("rest|tiers", {}, "must have the same tiers"),
        ("orders|deadline_default_ms", 1, "must lie from deadline_least_ms"),
    ],
)
def test_a_mistake_is_named_with_file_key_value_and_remedy(
    document: dict[str, Any], path: str, value: Any, message: str
):
    spoil(document, path, value)

    with pytest.raises(ConfigError, match=message):
        venue_from_mapping(document, "my.toml")


def test_a_missing_key_is_named(document: dict[str, Any]):
    del document["pairs"]["BTC/USD"]["tick_size"]

    with pytest.raises(ConfigError, match=r"my\.toml: pairs\.BTC/USD\.tick_size is missing; add it"):
        venue_from_mapping(document, "my.toml")


def test_text_that_is_not_toml_is_named():
    with pytest.raises(ConfigError, match=r"my\.toml: is not TOML"):
        venue_from_text("name = ", "my.toml")


def test_another_venue_is_another_file(document: dict[str, Any]):
    document["name"] = "my-exchange"
    document["pairs"] = {"BTC/USD": document["pairs"]["BTC/USD"]}
    document["trading"]["tiers"]["pro"]["threshold"] = 90

    venue = venue_from_mapping(document)

    assert venue_names() == ("kraken",)
    assert venue.name == "my-exchange"
    assert venue.limits("pro").threshold == 90_000_000
