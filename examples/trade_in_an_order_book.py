"""How do I use the order book by itself? Run: python examples/trade_in_an_order_book.py"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from mycelial.domain.instrument import Instrument
from mycelial.market.book import INPUT, Done, EventKind, Kind, OrderBook, Side

MAKER, TAKER = 0, 1
CASH, ASSET = 0, 1


def record(kind: Kind, owner: int, **fields: int) -> np.ndarray:
    """Return one input; fields left out are 0, the order spoken of is by default none."""
    wish = np.zeros(1, INPUT)
    wish["kind"], wish["owner"], wish["group"], wish["handle"] = kind, owner, -1, -1
    for name, value in fields.items():
        wish[name] = value
    return wish


def main() -> None:
    """Rest an offer, take half of it, cancel the rest, and show that every unit of money is accounted for."""
    instrument = Instrument("BTC/USD", tick_size=Decimal("0.1"), lot_size=Decimal("0.00001"))
    book = OrderBook(instrument, accounts=2, fee_tiers=((0, 2_500, 4_000),))  # 0.25 % maker, 0.40 % taker
    price, quantity = instrument.ticks("65000.0"), instrument.lots("0.02")

    events = book.apply(
        np.concatenate(
            [
                record(Kind.FUND, MAKER, side=ASSET, aux=instrument.lots("1")),
                record(Kind.FUND, TAKER, side=CASH, aux=instrument.cash("10000")),
                record(Kind.NEW, MAKER, side=Side.SELL, price=price, lots=quantity, client_id=1),
                record(Kind.NEW, TAKER, side=Side.BUY, price=price, lots=quantity // 2),
                record(Kind.CANCEL, MAKER, client_id=1),
            ]
        )
    )

    for event in events:
        kind = EventKind(event["kind"])
        note = Done(event["reason"]).name if kind == EventKind.DONE else ""
        amounts = ""
        if kind == EventKind.TRADE:
            amounts = (
                f"{instrument.quantity(int(event['lots']))} BTC at {instrument.price(int(event['price']))}, "
                f"fees {instrument.money(int(event['taker_fee']))} and {instrument.money(int(event['maker_fee']))} USD"
            )
        print(f"{event['event_seq']:>2} {kind.name:<9} owner {event['owner']} {note}{amounts}")

    accounts = book.accounts()
    print(f"cash of everybody, the exchange and the world: {(accounts['cash_free'] + accounts['cash_held']).sum()}")
    print(f"fingerprint {book.digest:016x}")


if __name__ == "__main__":
    main()
