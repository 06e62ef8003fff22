"""A followed book equals the exchange's after every message, and is not shown when it does not."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mycelial.kraken.client.books import BookFollower, BookState, book_checksum
from mycelial.market.checksum import l2_checksum

Levels = list[tuple[int, int]]

# The worked examples of Kraken's guide to book checksums.
ASKS = [
    *((452852, 100000), (452864, 154571953), (452866, 154571109), (452896, 154560911), (452902, 15890660)),
    *((452918, 154553491), (452947, 4454749), (452961, 35380000), (452975, 9945542), (452995, 18772827)),
]
BIDS = [
    *((452835, 10000000), (452834, 154582015), (452821, 10000000), (452810, 10000000), (452803, 154592586)),
    *((452790, 7990000), (452776, 3310103), (452775, 30000000), (452773, 154602737), (452766, 15445238)),
]


def test_the_worked_example_of_the_documentation() -> None:
    book = BookFollower("BTC/USD")

    assert book.snapshot(BIDS, ASKS, 3310070434, now_ns=1) is BookState.GOOD
    assert book.update([(452835, 0), (452765, 20000000)], [(452852, 200000)], 2638955127, now_ns=2) is BookState.GOOD

    assert book.view().asks[0] == (452852, 200000)
    assert book.view().bids[-1] == (452765, 20000000)


def test_a_wrong_checksum_hides_the_book_until_a_new_snapshot() -> None:
    book = BookFollower("BTC/USD")
    book.snapshot(BIDS, ASKS, 3310070434, now_ns=1)

    assert book.update([], [(452852, 200001)], 2638955127, now_ns=2) is BookState.BROKEN
    assert not book.view().is_verified
    assert book.view().bids == ()
    assert book.update([(452835, 0), (452765, 20000000)], [(452852, 200000)], 2638955127, 3) is BookState.BROKEN

    book.reset()
    assert book.snapshot(BIDS, ASKS, 3310070434, now_ns=4) is BookState.GOOD
    assert book.view().is_two_sided
    assert book.mismatches == 1


def test_silence_with_heartbeats_keeps_a_book_fresh_and_only_a_good_one() -> None:
    book = BookFollower("BTC/USD")
    book.seen(5)
    assert book.view().time_ns == 0

    book.snapshot(BIDS, ASKS, 3310070434, now_ns=7)
    book.seen(9)

    assert book.view().time_ns == 9


def _true_book(rng: Random, levels: int) -> tuple[dict[int, int], dict[int, int]]:
    mid = rng.randint(500, 600)
    bids = {mid - i: rng.randint(1, 10**9) for i in range(1, 1 + rng.randint(0, levels))}
    asks = {mid + i: rng.randint(1, 10**9) for i in range(1, 1 + rng.randint(0, levels))}
    return bids, asks


def _best(side: dict[int, int], depth: int, *, high: bool) -> Levels:
    return sorted(side.items(), reverse=high)[:depth]


@given(st.randoms(use_true_random=False), st.integers(1, 25), st.sampled_from([10, 25]))
def test_a_follower_equals_a_changing_book_at_its_depth(rng: Random, changes: int, depth: int) -> None:
    bids, asks = _true_book(rng, 40)
    book = BookFollower("X/Y", depth)
    shown = _best(bids, depth, high=True), _best(asks, depth, high=False)
    book.snapshot(*shown, book_checksum(shown[1], shown[0]), now_ns=0)

    for now in range(changes):
        for side in (bids, asks):
            for price in rng.sample(range(480, 640), 3):
                if rng.random() < 0.5:
                    side.pop(price, None)
                elif price not in bids and price not in asks:
                    side[price] = rng.randint(1, 10**9)
        new = _best(bids, depth, high=True), _best(asks, depth, high=False)
        # The exchange sends what changed inside the depth, and levels that move in; not what falls out below.
        deltas = []
        for before, after in zip(shown, new, strict=True):
            told = dict(after)
            edge = after[-1][0] if len(after) == depth else None
            gone = [(p, 0) for p, _ in before if p not in told and (edge is None or _inside(p, edge, after))]
            deltas.append(gone + [level for level in after if level not in before])
        state = book.update(*deltas, book_checksum(new[1], new[0]), now_ns=now)

        assert state is BookState.GOOD
        assert (list(book.view().bids), list(book.view().asks)) == new
        shown = new


def _inside(price: int, edge: int, after: Levels) -> bool:
    best = after[0][0]
    return min(best, edge) <= price <= max(best, edge) or (price > best) == (best > edge)


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 10**12)), max_size=14),
    st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 10**12)), max_size=14),
    st.sampled_from([1, 5]),
)
def test_the_sum_is_that_of_the_compiled_kernel(asks: Levels, bids: Levels, price_step: int) -> None:
    a, b = (np.array(side, np.int64).reshape(-1, 2) for side in (asks, bids))
    compiled = l2_checksum(*(np.ascontiguousarray(x) for x in (a[:, 0], a[:, 1], b[:, 0], b[:, 1])), price_step, 1)

    assert book_checksum(asks, bids, price_step) == compiled
