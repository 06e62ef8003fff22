"""Kraken's rules driving the order book: smallest orders, fees by role and by 30-day volume."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from mycelial.domain.instrument import Instrument
from mycelial.market.book.book import OrderBook
from mycelial.market.book.records import INPUT, EventKind, Kind, Reject, Side
from mycelial.market.venues import packaged_venue

KRAKEN = packaged_venue("kraken")
MAKER, TAKER = 0, 1


def market() -> tuple[Instrument, OrderBook]:
    """BTC/USD with Kraken's fees and two rich accounts."""
    instrument = KRAKEN.instrument("BTC/USD", reference_price="50000", max_orders=64)
    book = OrderBook(instrument, accounts=2, fee_tiers=KRAKEN.fee_tiers(instrument))
    for owner in (MAKER, TAKER):
        send(book, kind=Kind.FUND, owner=owner, side=0, aux=instrument.cash("1000000"))
        send(book, kind=Kind.FUND, owner=owner, side=1, aux=instrument.lots("20"))
    return instrument, book


def send(book: OrderBook, **fields: int) -> np.ndarray:
    record = np.zeros(1, INPUT)
    record["handle"], record["group"] = -1, -1
    for name, value in fields.items():
        record[name] = value
    return book.apply(record)


def trade(instrument: Instrument, book: OrderBook, price: str, quantity: str) -> np.ndarray:
    """The maker offers, the taker buys; return the trade."""
    order = {"kind": Kind.NEW, "price": instrument.ticks(price), "lots": instrument.lots(quantity)}
    send(book, owner=MAKER, side=Side.SELL, **order)
    events = send(book, owner=TAKER, side=Side.BUY, **order)
    (found,) = events[events["kind"] == EventKind.TRADE]
    return found


def test_a_first_trade_pays_the_lowest_tier_to_the_last_unit():
    instrument, book = market()

    done = trade(instrument, book, "50000.0", "0.1")

    assert instrument.money(int(done["maker_fee"])) == Decimal("12.5")  # 0.25 % of 5,000 USD
    assert instrument.money(int(done["taker_fee"])) == Decimal("20")  # 0.40 %


def test_volume_brings_both_sides_to_the_next_tier():
    instrument, book = market()
    trade(instrument, book, "50000.0", "0.2")  # 10,000 USD: the second tier begins

    done = trade(instrument, book, "50000.0", "0.1")

    assert instrument.money(int(done["maker_fee"])) == Decimal("10")  # 0.20 %
    assert instrument.money(int(done["taker_fee"])) == Decimal("17.5")  # 0.35 %


def test_orders_below_the_minimums_are_refused():
    instrument, book = market()
    smallest = instrument.lots("0.00005")

    too_few = send(book, kind=Kind.NEW, owner=MAKER, price=instrument.ticks("50000"), lots=smallest - 1)
    too_cheap = send(book, kind=Kind.NEW, owner=MAKER, price=instrument.ticks("9999.9"), lots=smallest)
    enough = send(book, kind=Kind.NEW, owner=MAKER, price=instrument.ticks("10000"), lots=smallest)

    assert too_few["reason"].tolist() == [Reject.MIN_LOTS]
    assert too_cheap["reason"].tolist() == [Reject.MIN_NOTIONAL]  # 0.499995 of the 0.5 USD it must cost
    assert enough["kind"].tolist() == [EventKind.ACCEPTED, EventKind.RESTED]
