"""Kraken's order-book checksums, from integer ticks and lots: proof that two sides hold the same book.

Format, as Kraken documents it for the channels ``book`` and ``level3`` (docs.kraken.com, guides
``websockets/book-checksum-v2`` and ``websockets/l3-checksum-v2``, read 2026-11): write the best ten asks from low to
high, then the best ten bids from high to low (fewer when the book is shorter); each level is its price followed by its
quantity, each printed with all decimals of the pair, without the point and without leading zeros. The checksum is the
CRC-32 (polynomial of zlib) of that ASCII text, an unsigned 32-bit number. In ``level3`` every order of the ten best
price levels counts, price and quantity, in queue order; so it proves queue positions as well.

Without the point a printed number is an integer: ``ticks * price_step`` and ``lots * lot_step``, where a step is the
tick (or lot) size in units of the last printed decimal, 1 for most pairs. So the kernels print integers, four digits at
a time, straight into the CRC; no text is ever made. The recorded books of both protocol versions agree, message by
message.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mycelial.domain.kernels import allocating_entry

Ints = NDArray[np.int64]

LEVELS = 10  # whatever the depth of the subscription

_POLYNOMIAL = 0xEDB88320

# Everything below is unsigned: signed division and indices would cost the kernel half of its speed.
_ALL_ONES = np.uint64(0xFFFFFFFF)
START = _ALL_ONES  # of the register of `with_entry`
_BYTE = np.uint64(0xFF)
_S8, _S16, _S24 = (np.uint64(n) for n in (8, 16, 24))
_ASCII_0, _TEN, _HUNDRED, _THOUSAND, _MYRIAD = (np.uint64(n) for n in (48, 10, 100, 1000, 10_000))
_EIGHT_DIGITS = np.uint64(10**8)


def _crc_tables() -> NDArray[np.uint64]:
    """Return uint64[4, 256]: the CRC of one byte, and of one byte with 1, 2 and 3 zero bytes behind it."""
    tables = np.empty((4, 256), np.uint64)
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        tables[0, byte] = crc
    for zeros in range(1, 4):
        before = tables[zeros - 1]
        tables[zeros] = before >> _S8 ^ tables[0, before & _BYTE]
    return tables


_CRC_0, _CRC_1, _CRC_2, _CRC_3 = (np.ascontiguousarray(table) for table in _crc_tables())
_TWO_DIGITS = np.array([int.from_bytes(f"{n:02d}".encode(), "little") for n in range(100)], np.uint64)


@allocating_entry
def l2_checksum(
    ask_ticks: Ints, ask_lots: Ints, bid_ticks: Ints, bid_lots: Ints, price_step: int = 1, lot_step: int = 1
) -> int:
    """Return the checksum of a book of price levels.

    Parameters
    ----------
    ask_ticks, ask_lots : int64[n]
        Asks from low to high, all above zero; what lies beyond the tenth is not read.
    bid_ticks, bid_lots : int64[m]
        Bids from high to low.
    price_step, lot_step : int
        Tick and lot size in units of the last printed decimal.
    """
    crc = _ALL_ONES
    for level in range(min(LEVELS, ask_ticks.size)):
        crc = _append(crc, np.uint64(ask_ticks[level] * price_step))
        crc = _append(crc, np.uint64(ask_lots[level] * lot_step))
    for level in range(min(LEVELS, bid_ticks.size)):
        crc = _append(crc, np.uint64(bid_ticks[level] * price_step))
        crc = _append(crc, np.uint64(bid_lots[level] * lot_step))
    return int(crc ^ _ALL_ONES)


@allocating_entry
def l3_checksum(
    ask_ticks: Ints, ask_lots: Ints, bid_ticks: Ints, bid_lots: Ints, price_step: int = 1, lot_step: int = 1
) -> int:
    """Return the checksum of a book of single orders.

    Parameters are those of `l2_checksum`, one entry per order: best price first, then by place in the queue. Orders
    beyond the tenth different price are not read.
    """
    crc = _ALL_ONES
    crc = _append_orders(crc, ask_ticks, ask_lots, price_step, lot_step)
    crc = _append_orders(crc, bid_ticks, bid_lots, price_step, lot_step)
    return int(crc ^ _ALL_ONES)


@njit
def with_entry(crc: np.uint64, price: int, lots: int) -> np.uint64:
    """Return the register after one level or order; begin with `START`, end with `finished`."""
    return _append(_append(crc, np.uint64(price)), np.uint64(lots))


@njit
def finished(crc: np.uint64) -> int:
    """Return the checksum of what went into the register."""
    return int(crc ^ _ALL_ONES)


@njit
def _append_orders(crc: np.uint64, ticks: Ints, lots: Ints, price_step: int, lot_step: int) -> np.uint64:
    prices = 0
    for order in range(ticks.size):
        if order == 0 or ticks[order] != ticks[order - 1]:
            prices += 1
            if prices > LEVELS:
                break
        crc = _append(crc, np.uint64(ticks[order] * price_step))
        crc = _append(crc, np.uint64(lots[order] * lot_step))
    return crc


@njit
def _append(crc: np.uint64, number: np.uint64) -> np.uint64:
    """Return the CRC register after the digits of `number`; zero has no digit that is not a leading zero."""
    if number < _MYRIAD:
        return _append_head(crc, number)
    if number < _EIGHT_DIGITS:
        return _append_four(_append_head(crc, number // _MYRIAD), number % _MYRIAD)
    upper, lower = number // _EIGHT_DIGITS, number % _EIGHT_DIGITS
    if upper < _MYRIAD:
        crc = _append_head(crc, upper)
    elif number < _EIGHT_DIGITS * _EIGHT_DIGITS:
        crc = _append_four(_append_head(crc, upper // _MYRIAD), upper % _MYRIAD)
    else:
        crc = _append_head(crc, upper // _EIGHT_DIGITS)
        rest = upper % _EIGHT_DIGITS
        crc = _append_four(_append_four(crc, rest // _MYRIAD), rest % _MYRIAD)
    return _append_four(_append_four(crc, lower // _MYRIAD), lower % _MYRIAD)


@njit
def _append_head(crc: np.uint64, number: np.uint64) -> np.uint64:
    """Append a number below 10,000 without leading zeros."""
    if number >= _THOUSAND:
        return _append_four(crc, number)
    if number >= _HUNDRED:
        crc = _append_digit(crc, number // _HUNDRED)
        return _append_two(crc, number % _HUNDRED)
    if number >= _TEN:
        return _append_two(crc, number)
    return _append_digit(crc, number) if number > 0 else crc


@njit
def _append_digit(crc: np.uint64, digit: np.uint64) -> np.uint64:
    return crc >> _S8 ^ _CRC_0[(crc ^ (_ASCII_0 + digit)) & _BYTE]


@njit
def _append_two(crc: np.uint64, number: np.uint64) -> np.uint64:
    """Append exactly two digits."""
    crc ^= _TWO_DIGITS[number]
    return crc >> _S16 ^ _CRC_1[crc & _BYTE] ^ _CRC_0[crc >> _S8 & _BYTE]


@njit
def _append_four(crc: np.uint64, number: np.uint64) -> np.uint64:
    """Append exactly four digits."""
    crc ^= _TWO_DIGITS[number // _HUNDRED] | _TWO_DIGITS[number % _HUNDRED] << _S16
    return _CRC_3[crc & _BYTE] ^ _CRC_2[crc >> _S8 & _BYTE] ^ _CRC_1[crc >> _S16 & _BYTE] ^ _CRC_0[crc >> _S24]
