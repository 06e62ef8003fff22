"""Streams of orders for benchmarks: the same bytes on every machine.

Decisions come from SplitMix64 and integer tables; no logarithm and no square root of a library is on their path. A
stream is made along a book of its own, so that cancels and amends speak of orders that live. Its digest is pinned below
and checked before anything is timed.

* `mix` (B1, B3): 53 % limit orders at a geometric distance (mean 12 ticks) from the other side's best price, 38 %
  cancels of a live order drawn at random, 9 % market orders; the number of live orders is held near a target.
* `regimes` (B2): limit orders at a power-law distance around a mid that walks at random within 0, 2, 25, 40 or 60 % of
  its start; 15 % immediate-or-cancel that cross, 20 % of the rest amended, 95 % of the rest cancelled. After the
  statistical design that Flash One published with its survey (arXiv 2606.01183); the code is our own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.domain.draws import bits
from mycelial.domain.instrument import Instrument
from mycelial.domain.seeds import stream_key
from mycelial.market.book import INPUT, EventFlag, EventKind, Flag, Kind, OrderBook, Tif
from mycelial.market.book.kernel import process, room_needed
from mycelial.market.book.state import event_of, terms_of
from mycelial.market.log import folded
from mycelial.market.terms import MarketTerms

SEED, OWNERS = 23, 64
MESSAGES = 2_000_000
REGIMES = {"static": 0, "normal": 2, "swing": 25, "storm": 40, "crash": 60}  # range of the mid, per cent
MID = 100_000

_NEW, _CANCEL, _AMEND, _FUND = int(Kind.NEW), int(Kind.CANCEL), int(Kind.AMEND), int(Kind.FUND)
_MARKET, _NO_PROTECTION = int(Flag.MARKET), int(Flag.NO_PROTECTION)
_IOC = int(Tif.IOC)
_RESTED, _DONE, _RESTING = int(EventKind.RESTED), int(EventKind.DONE), int(EventFlag.RESTING)
_SLOT = 0xFFFFFFFF
_S32 = np.uint64(32)

# Digests of streams at seed 23 by (name, messages): whoever changes a generator changes a benchmark.
PINNED = {
    ("mix-100", MESSAGES): 0x41FE8739DA298238,
    ("mix-2000", MESSAGES): 0xBB2FA70064A61592,
    ("mix-20000", MESSAGES): 0x80568E5978C34999,
    ("full-2000", MESSAGES): 0x925BF587E6B7B2E2,
    ("regime-static", MESSAGES): 0x1437F20F61396A5B,
    ("regime-normal", MESSAGES): 0x5C170101A75053D9,
    ("regime-swing", MESSAGES): 0xC38F8AB12D7BE6BA,
    ("regime-storm", MESSAGES): 0x1B51722DF18345E8,
    ("regime-crash", MESSAGES): 0x0D672F6BB1AE3AAF,
    ("mix-100", 100_000): 0x6D2788E924A318B3,
    ("mix-2000", 20_000): 0xA1066CF3C8E1A570,
    ("mix-2000", 50_000): 0xE25AEC1E8F7B1143,
    ("mix-2000", 100_000): 0xD9F558D4E3EB4A13,
    ("mix-2000", 200_000): 0x32B308B3A9567042,
    ("mix-2000", 500_000): 0x234E6701CBA0369E,
    ("mix-20000", 100_000): 0xE5E347EA78235442,
    ("mix-20000", 1_000_000): 0xCE3D338B0757F4B4,
    ("mix-500-small", 20_000): 0xCC3F3367945B0A7D,
    ("full-2000", 100_000): 0x4EEA84653F120211,
    ("regime-static", 100_000): 0xFCB7E1B1D7113D56,
    ("regime-normal", 100_000): 0x1C1AF5DDD08B7EB4,
    ("regime-swing", 100_000): 0xBE6566F5AC831012,
    ("regime-storm", 100_000): 0xEE7A60BDF2FCE16F,
    ("regime-crash", 100_000): 0x7ACA10FAD2FB5A79,
}


@dataclass(frozen=True, eq=False)
class Stream:
    """Inputs and the market that they were made for."""

    name: str
    terms: MarketTerms
    inputs: NDArray[Any]
    opening: int = 0  # inputs at the start that set the market up and are not timed

    @property
    def messages(self) -> NDArray[Any]:
        """Inputs that are timed."""
        return self.inputs[self.opening :]

    def opened(self) -> OrderBook:
        """Return a book after the opening."""
        book = self.terms.open()
        book.apply(self.inputs[: self.opening])
        return book

    def check(self) -> None:
        """Stop if the stream is not the one that was pinned."""
        digest, pinned = folded(0, self.inputs), PINNED.get((self.name, len(self.messages)))
        if pinned is not None and digest != pinned:
            raise SystemExit(f"stream {self.name}: digest {digest:016x}, pinned is {pinned:016x}; do not compare it")
        print(f"   stream {self.name}, {len(self.messages):,} messages, digest {digest:016x}", end="")
        print(" (as pinned)" if pinned is not None else " (not pinned)")


def instrument(ladder_ticks: int = 2**18, max_orders: int = 2**17) -> Instrument:
    """Return the market of the benchmarks."""
    return Instrument(
        "BENCH/USD", Decimal("0.1"), Decimal("0.001"), ladder_ticks=ladder_ticks, max_orders=max_orders, max_lots=10**6
    )


def geometric_table(mean: int, size: int = 512) -> NDArray[np.uint64]:
    """Return thresholds of 32 bits: the distance is the number of them above a draw."""
    table, left = [], 1 << 32
    for _ in range(size):
        left = left * mean // (mean + 1)
        table.append(left)
    return np.array(table, np.uint64)


def power_table(scale: int = 8, size: int = 2048) -> NDArray[np.uint64]:
    """Return thresholds of a survival function (scale / (scale + k))^2."""
    return np.array([(scale**2 << 32) // (scale + k) ** 2 for k in range(1, size + 1)], np.uint64)


def mix(messages: int, live: int, *, full: bool = False, seed: int = SEED, small: bool = False) -> Stream:
    """Return stream B1 around a number of live orders; with `full` fees, limited funds and groups matter (B3)."""
    market = instrument(2**12, 2**12) if small else instrument()
    fees = ((0, 2_500, 4_000), (10**12, 2_000, 3_500), (10**14, 1_000, 2_000)) if full else ((0, 0, 0),)
    terms = MarketTerms(market, OWNERS, fees, may_borrow=not full)
    name = f"{'full' if full else 'mix'}-{live}{'-small' if small else ''}"
    mid = market.ladder_ticks // 2
    return _made(name, terms, _mix, messages, live, geometric_table(12), np.uint64(mid), full, stream_key(seed, name))


def regime(name: str, messages: int, *, seed: int = SEED) -> Stream:
    """Return stream B2 in one of `REGIMES`."""
    terms = MarketTerms(instrument(), OWNERS, may_borrow=True)
    reach = MID * REGIMES[name] // 200
    step = 0 if reach == 0 else max(1, 1024 * 2 * reach // max(1, math.isqrt(messages)))
    inputs = np.zeros(messages, INPUT)
    _run(_regime, terms.open(), inputs, power_table(), reach, step, stream_key(seed, "regime", name))
    return Stream(f"regime-{name}", terms, inputs)


def _made(name: str, terms: MarketTerms, make: Any, messages: int, live: int, *arguments: Any) -> Stream:
    funds = 2 * OWNERS if not terms.may_borrow else 0
    opening = funds + live
    inputs = np.zeros(opening + messages, INPUT)
    if funds:
        inputs["kind"][:funds], inputs["owner"][:funds] = _FUND, np.arange(funds) % OWNERS
        inputs["side"][:funds] = np.arange(funds) // OWNERS
        inputs["aux"][:funds] = np.where(inputs["side"][:funds] == 0, 10**15, 10**8)
    _run(make, terms.open(), inputs, funds, opening, live, *arguments)
    return Stream(name, terms, inputs, opening)


def _run(make: Any, book: OrderBook, inputs: NDArray[Any], *arguments: Any) -> None:
    """Let a generator fill `inputs` along a scratch book."""
    book.state.make_room(1 << 20)
    slots = book.instrument.max_orders + 1
    make(book.state.header, inputs, np.zeros(slots, np.int64), np.zeros(slots, np.int64), *arguments)


@njit
def _distance(table: NDArray[np.uint64], draw: np.uint64) -> int:
    """Return how many thresholds lie above a draw of 32 bits; the table falls."""
    low, high = 0, table.size
    while low < high:
        middle = (low + high) // 2
        if table[middle] > draw:
            low = middle + 1
        else:
            high = middle
    return low


@njit
def _below(draw: np.uint64, limit: int) -> int:
    """Return a whole number below `limit` from a draw of 64 bits."""
    return np.int64(((draw >> _S32) * np.uint64(limit)) >> _S32)


@njit
def _play(book: Any, wish: Any, alive: NDArray[np.int64], place: NDArray[np.int64], count: int) -> int:
    """Apply one input and keep the list of live handles; return how many there are."""
    book.written = 0
    if book.events_room < room_needed(book):
        raise ValueError("the scratch book has too little room for events")
    process(book, wish)
    for n in range(book.written):
        event = event_of(book, n)
        slot = event.handle & _SLOT
        if event.kind == _RESTED and place[slot] == 0:
            alive[count] = event.handle
            count += 1
            place[slot] = count
        elif event.kind == _DONE and place[slot] != 0:
            count -= 1
            last = alive[count]
            alive[place[slot] - 1] = last
            place[last & _SLOT] = place[slot]
            place[slot] = 0
    return count


@njit
def _mix(
    header: NDArray[Any],
    inputs: NDArray[Any],
    alive: NDArray[np.int64],
    place: NDArray[np.int64],
    funds: int,
    opening: int,
    target: int,
    table: NDArray[np.uint64],
    mid: np.uint64,
    full: bool,
    key: np.uint64,
) -> None:
    book, count, slack = header[0], 0, target // 16 + 4
    for n in range(len(inputs)):
        wish = inputs[n]
        wish.ts = 1_000 * n
        if n < funds:
            _play(book, wish, alive, place, count)
            continue
        what, which = bits(key, np.uint64(4 * n)), bits(key, np.uint64(4 * n + 1))
        how = bits(key, np.uint64(4 * n + 2))
        share = _below(what, 100)
        if n < opening or count < target - slack or (share >= 53 and count == 0):
            share = 0
        elif count > target + slack and share < 53:
            share = 60
        wish.group = -1
        wish.owner = np.int64(how & np.uint64(OWNERS - 1))
        if full:
            wish.group = wish.owner // 4
        if share >= 53 and share < 91:
            handle = alive[_below(which, count)]
            wish.kind, wish.handle = _CANCEL, handle
            wish.owner = _owner_of(book, handle)
        else:
            side = np.int64((how >> np.uint64(8)) & np.uint64(1))
            wish.kind, wish.side = _NEW, side
            wish.lots = 1 + _below(which, 40)
            if share < 53:
                distance = 1 + _distance(table, which & np.uint64(0xFFFFFFFF))
                if side == 0:
                    best = book.best_ask if book.best_ask < book.ladder else max(book.best_bid, np.int64(mid)) + 1
                    wish.price = max(1, best - distance)
                else:
                    best = book.best_bid if book.best_bid > 0 else min(book.best_ask, np.int64(mid)) - 1
                    wish.price = min(book.ladder - 1, best + distance)
            else:
                wish.lots = 1 + _below(which, 68)
                wish.flags = _MARKET | _NO_PROTECTION
        count = _play(book, wish, alive, place, count)


@njit
def _owner_of(book: Any, handle: int) -> int:
    return terms_of(book, handle & _SLOT).owner


@njit
def _regime(
    header: NDArray[Any],
    inputs: NDArray[Any],
    alive: NDArray[np.int64],
    place: NDArray[np.int64],
    table: NDArray[np.uint64],
    reach: int,
    step: int,
    key: np.uint64,
) -> None:
    book, count = header[0], 0
    centre, position = 1024 * MID, 1024 * MID
    for n in range(len(inputs)):
        wish = inputs[n]
        wish.ts = 1_000 * n
        what, which = bits(key, np.uint64(4 * n)), bits(key, np.uint64(4 * n + 1))
        how = bits(key, np.uint64(4 * n + 2))
        position += step if how >> np.uint64(63) else -step
        if abs(position - centre) > 1024 * reach:
            position = 2 * (centre + (1024 * reach if position > centre else -1024 * reach)) - position
        mid = position >> 10
        # Of 198 messages 100 are new (15 of them immediate), 17 amend and 81 cancel.
        share = _below(what, 198)
        if share >= 100 and count == 0:
            share = 50
        elif share < 100 and count > 100_000:
            share = 150
        side = np.int64((how >> np.uint64(8)) & np.uint64(1))
        distance = _distance(table, which & np.uint64(0xFFFFFFFF))
        wish.group = -1
        wish.owner = np.int64(how & np.uint64(OWNERS - 1))
        if share < 100:
            wish.kind, wish.side, wish.lots = _NEW, side, 1 + _below(which, 100)
            if share < 15:
                wish.tif = _IOC
                wish.price = mid + 4 + distance if side == 0 else mid - 4 - distance
            else:
                wish.price = mid - 1 - distance if side == 0 else mid + 1 + distance
        else:
            handle = alive[_below(which, count)]
            wish.handle, wish.owner = handle, _owner_of(book, handle)
            wish.kind = _CANCEL
            if share < 117:
                wish.kind, wish.display = _AMEND, -1
                side = terms_of(book, handle & _SLOT).side
                wish.lots = -1 if how & np.uint64(1 << 20) else 1 + _below(how, 100)
                wish.price = mid - 1 - distance if side == 0 else mid + 1 + distance
        wish.price = min(max(wish.price, 1 if wish.kind != _CANCEL else 0), book.ladder - 1)
        count = _play(book, wish, alive, place, count)


if __name__ == "__main__":
    for stream in [
        *(mix(MESSAGES, live) for live in (100, 2_000, 20_000)),
        mix(MESSAGES, 2_000, full=True),
        *(regime(name, MESSAGES) for name in REGIMES),
    ]:
        stream.check()
