"""The state of one order book as plain arrays, and how it is laid out.

Slots of orders are numbered from 1, so that 0 means "none" and fresh memory is an empty book. The ladder is indexed by
the tick itself; memory of ticks that nobody uses is never touched (docs/decisions/0009-order-book.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError
from mycelial.domain.instrument import Instrument

VOLUME_DAYS = 30
DAY_NS = 86_400 * 10**9
NEVER = np.iinfo(np.int64).max

# Hot half of an order, two to a cache line: what walking and cutting a queue needs.
ORDER = np.dtype(
    [
        ("priority", "<i8"),  # counter of queue joins
        ("next", "<u4"),  # slot behind in the queue; in a free slot: the next free one
        ("prev", "<u4"),
        ("tick", "<u4"),
        ("generation", "<u4"),  # rises when the slot is freed
        ("shown", "<i4"),
        ("hidden", "<i4"),
    ]
)

# The other half, one cache line: what settling and reporting need.
TERMS = np.dtype(
    [
        ("client_id", "<i8"),
        ("expire", "<i8"),
        ("serial", "<i8"),  # order of acceptance; -1 in a free slot
        ("hold", "<i8"),  # cash units of a buy, lots of a sell
        ("owner", "<i4"),
        ("group", "<i4"),  # -1: an owner alone
        ("filled", "<i4"),
        ("display", "<i4"),  # 0: all is shown
        ("hold_ppm", "<i4"),
        ("side", "u1"),
        ("tif", "u1"),
        ("flags", "u1"),
        ("resting", "u1"),  # 0, IN_BOOK or AMENDED_OUT
        ("stp", "u1"),
        ("_pad", "u1", 7),
    ]
)

LEVEL = np.dtype([("head", "<u4"), ("tail", "<u4"), ("shown", "<i8")])

ACCOUNT = np.dtype(
    [
        ("cash_free", "<i8"),
        ("cash_held", "<i8"),
        ("asset_free", "<i8"),
        ("asset_held", "<i8"),
        ("volume_30d", "<i8"),  # quote volume of the last 30 days, cash units
        ("next_threshold", "<i8"),  # volume at which the next tier begins
        ("maker_ppm", "<i4"),
        ("taker_ppm", "<i4"),
        ("day", "<i4"),  # day of the book's time that the volume was last brought up to
        ("may_borrow", "<i4"),
    ]
)

EXPIRY = np.dtype([("expire", "<i8"), ("serial", "<i8"), ("handle", "<i8")])

# Where each scalar lives in `Book.scalars`.
NOW, SEQ, EVENT_SEQ, MODE, BEST_BID, BEST_ASK, FREE, HIGH, LIVE, ICEBERGS, PRIORITY, SERIAL, EXPIRIES, DIGEST = range(14)
SCALARS = 16

# `resting` of an order: 0 not yet in the book, in it, or taken out by an amend to join again.
IN_BOOK, AMENDED_OUT = 1, 2


class Rules(NamedTuple):
    """What the kernels need of an `Instrument`, all int64."""

    ladder: int
    max_orders: int
    cash_per_tick_lot: int
    min_lots: int
    max_lots: int
    min_notional: int
    protection_ppm: int
    iceberg_parts: int
    accounts: int  # N; rows N and N + 1 are the exchange's fees and the world
    tiers: int


class Book(NamedTuple):
    """State of one book. W = ladder / 64."""

    rules: Rules
    scalars: NDArray[np.int64]  # [SCALARS]
    orders: NDArray[np.void]  # ORDER[max_orders + 1]
    terms: NDArray[np.void]  # TERMS[max_orders + 1]
    levels: NDArray[np.void]  # LEVEL[2, ladder]
    hidden: NDArray[np.int64]  # [2, ladder] hidden lots of icebergs
    words: NDArray[np.uint64]  # [2, W] bit per non-empty tick
    summary: NDArray[np.uint64]  # [2, W / 64] bit per non-zero word
    top: NDArray[np.uint64]  # [2, W / 4096] bit per non-zero summary word
    accounts: NDArray[np.void]  # ACCOUNT[N + 2]
    volumes: NDArray[np.int64]  # [N + 2, 30] quote volume by day
    thresholds: NDArray[np.int64]  # [tiers] cash units
    rates: NDArray[np.int64]  # [tiers, 2] maker and taker ppm
    ids: NDArray[np.uint32]  # [power of two >= 2 max_orders] slots by (owner, client id)
    expiries: NDArray[np.void]  # EXPIRY[2 max_orders + 2] heap, stale entries included


def allocate(
    instrument: Instrument, accounts: int, fee_tiers: Sequence[tuple[int, int, int]], may_borrow: NDArray[np.bool_]
) -> Book:
    """Return an empty book.

    Raises
    ------
    ConfigError
        If a fee schedule does not begin at volume 0, does not rise, or holds a rate beyond 100 %.
    """
    if not 1 <= accounts < 2**31 - 2:
        raise ConfigError(f"accounts = {accounts} must be from 1 to 2147483645")
    tiers = np.array(fee_tiers, np.int64).reshape(-1, 3)
    if len(tiers) == 0 or tiers[0, 0] != 0 or np.any(np.diff(tiers[:, 0]) <= 0):
        raise ConfigError("fee tiers must begin at volume 0 and rise")
    if np.any(np.abs(tiers[:, 1:]) > 1_000_000):
        raise ConfigError("a fee rate must be within 1,000,000 ppm (100 %)")
    ladder, slots = instrument.ladder_ticks, instrument.max_orders
    word_count = ladder // 64
    book = Book(
        rules=Rules(
            ladder=ladder,
            max_orders=slots,
            cash_per_tick_lot=instrument.cash_per_tick_lot,
            min_lots=instrument.min_lots,
            max_lots=instrument.max_lots,
            min_notional=instrument.min_notional,
            protection_ppm=instrument.protection_ppm,
            iceberg_parts=instrument.iceberg_parts,
            accounts=accounts,
            tiers=len(tiers),
        ),
        scalars=np.zeros(SCALARS, np.int64),
        orders=np.zeros(slots + 1, ORDER),
        terms=np.zeros(slots + 1, TERMS),
        levels=np.zeros((2, ladder), LEVEL),
        hidden=np.zeros((2, ladder), np.int64),
        words=np.zeros((2, word_count), np.uint64),
        summary=np.zeros((2, -(-word_count // 64)), np.uint64),
        top=np.zeros((2, -(-word_count // 4096)), np.uint64),
        accounts=np.zeros(accounts + 2, ACCOUNT),
        volumes=np.zeros((accounts + 2, VOLUME_DAYS), np.int64),
        thresholds=np.ascontiguousarray(tiers[:, 0]),
        rates=np.ascontiguousarray(tiers[:, 1:]),
        ids=np.zeros(1 << (2 * slots - 1).bit_length(), np.uint32),
        expiries=np.zeros(2 * slots + 2, EXPIRY),
    )
    book.scalars[BEST_ASK] = ladder
    book.accounts["next_threshold"] = tiers[1, 0] if len(tiers) > 1 else NEVER
    book.accounts["maker_ppm"], book.accounts["taker_ppm"] = tiers[0, 1:]
    book.accounts["may_borrow"][:accounts] = may_borrow
    return book
