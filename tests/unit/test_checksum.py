"""Kraken's checksums: the worked examples of its documentation, and a plain-Python oracle on any book."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mycelial.market import checksum

Levels = Sequence[tuple[int, int]]

# docs.kraken.com/api/docs/guides/spot-ws-book-v2: ticks of 0.1, lots of 1e-8
ASKS = [
    *((452852, 100000), (452864, 154571953), (452866, 154571109), (452896, 154560911), (452902, 15890660)),
    *((452918, 154553491), (452947, 4454749), (452961, 35380000), (452975, 9945542), (452995, 18772827)),
]
BIDS = [
    *((452835, 10000000), (452834, 154582015), (452821, 10000000), (452810, 10000000), (452803, 154592586)),
    *((452790, 7990000), (452776, 3310103), (452775, 30000000), (452773, 154602737), (452766, 15445238)),
]
# docs.kraken.com/api/docs/guides/spot-ws-l3-v2: every order in queue order
L3_ASKS = [
    *((449395, 452308393), (449395, 111261), (449395, 100000), (449395, 1000000), (449500, 10334926)),
    *((449530, 64537), (449550, 250000), (449596, 35630000), (449596, 35630000), (449601, 338072)),
    *((449602, 88967575), (449670, 314392283), (449785, 6778960), (449792, 35630000)),
]
L3_BIDS = [
    *((449394, 88968699), (449394, 45210000), (449394, 10000000), (449394, 14296323), (449394, 25000000)),
    *((449394, 10292988), (449394, 33880000), (449394, 128140860), (449371, 3346877), (449347, 35630000)),
    *((449302, 22734299), (449302, 1000000), (449302, 5550000), (449302, 70000000), (449302, 15000000)),
    *((449280, 105240), (449196, 33870000), (449195, 7610000), (449120, 35630000), (449097, 6690000)),
    (449019, 88982),
]

levels = st.lists(st.tuples(st.integers(1, 2**31), st.integers(1, 2**31)), max_size=15)
wide_numbers = st.integers(0, 18).flatmap(lambda digits: st.integers(0, 10**digits))


def by_zlib(asks: Levels, bids: Levels) -> int:
    """Return the checksum the slow, obvious way: write the text, then ask zlib."""
    return zlib.crc32("".join(str(n).lstrip("0") for level in (*asks, *bids) for n in level).encode())


def columns(side: Levels) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(side, np.int64).reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()


def l2(asks: Levels, bids: Levels, **steps: int) -> int:
    return checksum.l2_checksum(*columns(asks), *columns(bids), **steps)


def l3(asks: Levels, bids: Levels, **steps: int) -> int:
    return checksum.l3_checksum(*columns(asks), *columns(bids), **steps)


def test_the_documented_book_gives_the_documented_checksum():
    assert l2(ASKS, BIDS) == 3310070434


def test_the_documented_update_gives_the_documented_checksum():
    asks = [(452852, 200000), *ASKS[1:]]
    bids = [*BIDS[1:], (452765, 20000000)]

    assert l2(asks, bids) == 2638955127


def test_a_book_of_fewer_than_ten_levels_uses_what_there_is():
    asks = [(5005, 500), (5010, 500), (5015, 500)]
    bids = [(5000, 500), (4995, 1200000000)]

    assert l2(asks, bids) == 2831665504


def test_levels_beyond_the_tenth_do_not_matter():
    assert l2([*ASKS, (999_999, 1)], [*BIDS, (1, 1)]) == l2(ASKS, BIDS)


def test_the_documented_orders_give_the_documented_l3_checksum():
    assert l3(L3_ASKS, L3_BIDS) == 1063832831


def test_a_small_l3_book():
    asks = [(449395, 452308393), (449395, 10000000), (449400, 100000000)]
    bids = [(449394, 25000000), (449394, 200000000)]

    assert l3(asks, bids) == 2349695164


def test_the_l3_checksum_proves_the_places_in_the_queue():
    swapped = [L3_ASKS[1], L3_ASKS[0], *L3_ASKS[2:]]

    assert l3(swapped, L3_BIDS) != l3(L3_ASKS, L3_BIDS)


def test_orders_beyond_the_tenth_price_do_not_matter():
    asks = [(100 + price, 7) for price in range(10) for _ in range(3)]

    assert l3([*asks, (110, 1)], []) == l3(asks, []) == by_zlib(asks, [])


@given(levels, levels, st.sampled_from([1, 5, 10, 25]), st.sampled_from([1, 10, 1000]))
def test_the_kernel_agrees_with_zlib_on_any_book(asks, bids, price_step, lot_step):
    printed = [[(price * price_step, lots * lot_step) for price, lots in side[:10]] for side in (asks, bids)]

    assert l2(asks, bids, price_step=price_step, lot_step=lot_step) == by_zlib(*printed)


@given(st.lists(st.tuples(wide_numbers, wide_numbers), max_size=10))
def test_numbers_of_any_length_are_printed_right(asks):
    assert l2(asks, []) == by_zlib(asks, [])


@given(levels)
def test_with_one_order_a_level_both_checksums_are_the_same(bids):
    bids = sorted(dict(bids).items(), reverse=True)

    assert l3([], bids) == l2([], bids)
