"""Units of listed pairs: exact between what is printed, what an engine counts and what a wallet holds."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mycelial.market.venues import packaged_venue
from mycelial.simulation.exchange.commands import UNITS
from mycelial.simulation.exchange.fees import HOUR_NS, RateTable, VolumeMeter, fee_of, reserve_of
from mycelial.simulation.exchange.identifiers import Identifiers
from mycelial.simulation.exchange.listing import listing

VENUE = packaged_venue("kraken")


@pytest.mark.parametrize("symbol", VENUE.pairs)
def test_every_pair_can_be_listed_and_its_units_are_exact(symbol):
    one = listing(VENUE, symbol)
    pair, instrument = one.pair, one.instrument

    assert Decimal(one.tick_step).scaleb(-pair.price_decimals) == instrument.tick_size
    assert Decimal(one.lot_step).scaleb(-pair.lot_decimals) == instrument.lot_size
    assert Decimal(one.lot_units) / UNITS == instrument.lot_size
    assert Decimal(one.cash_units) / UNITS == instrument.cash_unit
    assert one.qty_units * one.lot_step == one.lot_units
    assert one.cost(3 * one.tick_step, 7 * one.lot_step) == 21 * one.cash_units
    largest = instrument.max_lots * instrument.lot_size * Decimal(one.population.price_ticks) * instrument.tick_size
    worth = {"BTC": 100_000, "EUR": 1}.get(pair.quote, 1)
    assert largest * worth > 30_000  # dollars or euros that one order may be worth


def test_rates_follow_the_published_tiers():
    table = RateTable(VENUE.fee_schedules["spot-crypto"])

    assert [table.rates(usd * 10**6) for usd in (0, 9_999, 10_000, 49_999, 50_000, 10**7, 10**9)] == [
        (2_500, 4_000),
        (2_500, 4_000),
        (2_000, 3_500),
        (2_000, 3_500),
        (1_400, 2_400),
        (0, 1_000),
        (0, 800),
    ]


def test_volume_drops_out_after_thirty_days():
    meter = VolumeMeter(30)
    meter.add(0, 500)
    meter.add(5 * HOUR_NS, 70)

    assert meter.volume(29 * 24 * HOUR_NS) == 570
    assert meter.volume(30 * 24 * HOUR_NS) == 70
    assert meter.volume(31 * 24 * HOUR_NS) == 0


def test_fees_round_half_up_and_reserves_round_up():
    assert fee_of(1_250, 4_000, 10) == 10  # 5.0 is half a step
    assert fee_of(1_249, 4_000, 10) == 0
    assert reserve_of(1, 4_000, 10) == 10
    assert reserve_of(0, 4_000, 10) == 0


def test_ids_have_kraken_s_form_and_never_repeat():
    ids = Identifiers(5, "test")

    made = [ids.next("O") for _ in range(5_000)]

    assert len(set(made)) == len(made)
    for one in made[:100]:
        assert [len(part) for part in one.split("-")] == [6, 5, 6]
        assert one[0] == "O"
        assert one.replace("-", "").isalnum()
        assert one == one.upper()
    assert Identifiers(5, "test").next("O") == made[0]
    assert Identifiers(6, "test").next("O") != made[0]
