"""Vector reads of short stretches against plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from mycelial.domain.lanes import at_most, below, bits_set, filled, highest, largest_of, lowest, scale, sum_before

_NINE, _TWENTY_SEVEN, _SIXTEEN, _THIRTY_TWO, _SIXTY_FOUR = 9, 27, 16, 32, 64


@njit
def _read(floats: Any, shorts: Any, count: int) -> Any:
    nine, all_of_them = largest_of(floats, (1, 0), _NINE), largest_of(floats, (2, 0), _TWENTY_SEVEN)
    return (
        (nine, all_of_them, filled(shorts, (1, 0), _SIXTEEN)),
        sum_before(shorts, (1, 0), _THIRTY_TWO, count),
        (bits_set(nine), lowest(nine), highest(all_of_them)),
    )


@njit
def _scale(floats: Any, factor: Any, extra: Any, least: Any) -> None:
    scale(floats, (1, 0), _TWENTY_SEVEN, factor, extra, least)


@njit
def _compare(codes: Any, x: Any) -> Any:
    return below(codes, (1, 3), _SIXTY_FOUR, x), at_most(codes, (1, 3), _SIXTY_FOUR, x)


def _places(flags: Any) -> int:
    return int(sum(1 << int(k) for k in np.nonzero(flags)[0]))


def test_reads_agree_with_numpy() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        floats = rng.integers(0, 9, (3, 27)).astype(np.float32)
        shorts, count = rng.integers(-2, 3, (2, 32)).astype(np.int16), int(rng.integers(0, 33))
        masks, total, (ties, first, last) = _read(floats, shorts, count)
        nine, row = floats[1, :9], floats[2]
        best, top = np.nonzero(nine == nine.max())[0], np.nonzero(row == row.max())[0]
        assert [int(m) for m in masks] == [
            _places(nine == nine.max()),
            _places(row == row.max()),
            _places(shorts[1, :16]),
        ]
        assert total == shorts[1, :count].sum()
        assert (ties, first, last) == (best.size, best[0], top[-1])


def test_scaling_changes_one_row_only() -> None:
    floats = np.random.default_rng(2).random((3, 27)).astype(np.float32)
    factor, extra, least = np.float32(0.7), np.float32(0.01), np.float32(0.3)
    expected = floats.copy()
    expected[1] = np.maximum(expected[1] * factor + extra, least)
    _scale(floats, factor, extra, least)
    assert np.array_equal(floats, expected)


def test_comparisons_agree_with_numpy_at_both_ends_of_the_scale() -> None:
    rng = np.random.default_rng(3)
    for x in (-32768, -1, 0, 2, 32767):
        codes = rng.choice(np.array([-32768, -1, 0, 1, 2, 32767], np.int16), (2, 80))
        stretch = codes[1, 3:67]
        assert [int(m) for m in _compare(codes, np.int16(x))] == [_places(stretch < x), _places(stretch <= x)]
