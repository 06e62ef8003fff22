"""Updates of the book suit clients that cut theirs to the depth after every entry, as python-kraken-sdk does."""

from __future__ import annotations

import zlib

import pytest

from mycelial.simulation.exchange import SimulatedExchange
from mycelial.simulation.exchange.reports import BookUpdate

SYMBOL, DEPTH = "BTC/USD", 10
STEP_NS = 20_000_000


def cut_after_every_entry(book: tuple[dict[int, int], dict[int, int]], update: BookUpdate) -> None:
    for side, entries in zip(book, (update.bids, update.asks), strict=True):
        for price, qty in entries.tolist():
            if qty:
                side[price] = qty
            else:
                side.pop(price, None)
            for worst in sorted(side, reverse=side is book[0])[DEPTH:]:
                del side[worst]


def checksum(book: tuple[dict[int, int], dict[int, int]]) -> int:
    levels = [*sorted(book[1].items()), *sorted(book[0].items(), reverse=True)]
    return zlib.crc32("".join(f"{price}{qty}" for price, qty in levels).encode())


@pytest.mark.parametrize("seed", [3, 4])
def test_a_client_that_cuts_after_every_entry_keeps_the_exchanges_book(seed):
    exchange = SimulatedExchange([SYMBOL], seed=seed, warm_up_ns=10**9)
    snapshot = exchange.watch_levels(SYMBOL, DEPTH)
    book = (dict(snapshot.bids.tolist()), dict(snapshot.asks.tolist()))
    exchange.drain()
    updates = mixed = 0

    for _ in range(1500):
        exchange.advance(exchange.now + STEP_NS)
        for update in exchange.drain():
            if isinstance(update, BookUpdate):
                cut_after_every_entry(book, update)
                assert checksum(book) == update.checksum
                updates += 1
                mixed += any(0 < (side[:, 1] > 0).sum() < len(side) for side in (update.bids, update.asks))

    assert updates > 300
    assert mixed > 100  # where the order matters
