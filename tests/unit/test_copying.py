"""Records copied as bytes are the same records, and nobody else's."""

from __future__ import annotations

import numpy as np

from mycelial.domain.copying import copied, joined

PAIR = np.dtype([("a", "<i8"), ("b", "u1"), ("_pad", "u1", 7)])


def pairs(*values: int) -> np.ndarray:
    made = np.zeros(len(values), PAIR)
    made["a"], made["b"] = values, np.array(values) % 7
    return made


def test_a_copy_holds_the_same_and_shares_nothing() -> None:
    original = pairs(1, 2, 3)

    copy = copied(original[1:])
    original["a"] = 0

    assert copy.dtype == PAIR
    assert copy["a"].tolist() == [2, 3]
    assert copy["b"].tolist() == [2, 3]


def test_parts_are_joined_in_order() -> None:
    whole = joined([pairs(1, 2), pairs(), pairs(3)])

    assert whole.dtype == PAIR
    assert whole.tobytes() == pairs(1, 2, 3).tobytes()
    assert joined([pairs(4)])["a"].tolist() == [4]
