"""Percentile memories (specification 6), as lists whose ranks are counted anew every time.

Values are remembered as logarithmic codes, by the rule that `mycelial.agents.symba.memory` documents: series and
profits in steps of a 1024th of an octave, errors and expected moves in steps of a 32nd.
"""

from __future__ import annotations

import math

import numpy as np


def _octave_and_rest(magnitude: float) -> tuple[int, float]:
    """Split a positive number into 2^octave x (1 + rest), as float32 sees it."""
    mantissa, exponent = math.frexp(float(np.float32(magnitude)))
    return exponent - 1, 2.0 * mantissa - 1.0


def series_code(x: float) -> int:
    """Return the signed code of x: 0 below 2^-12, then 1024 steps an octave."""
    if float(np.float32(abs(x))) < 2.0**-12:
        return 0
    octave, rest = _octave_and_rest(abs(x))
    code = 1 + min((octave + 12) * 1024 + int(rest * 1024), 32766)
    return code if x >= 0 else -code


def bin_code(magnitude: float, lowest_octave: int) -> int:
    """Return the code of a magnitude: 32 steps an octave, 16 octaves, everything outside at the ends."""
    if magnitude <= 0.0:
        return 0
    octave, rest = _octave_and_rest(magnitude)
    return min(max((octave - lowest_octave) * 32 + int(rest * 32), 0), 511)


class Memory:
    """What one agent remembers of one quantity, oldest first."""

    def __init__(self, cap: int, *, drops_smallest: bool, start: list[int]) -> None:
        self.cap = cap
        self.drops_smallest = drops_smallest
        self.codes = list(start)

    def remember(self, code: int) -> None:
        """Add a value; beyond the cap forget the smallest one, or the oldest (Q2)."""
        self.codes.append(code)
        if len(self.codes) > self.cap:
            self.codes.remove(min(self.codes) if self.drops_smallest else self.codes[0])

    def share_below(self, code: int) -> float:
        """Return the share of smaller values, equal ones counted half."""
        return (sum(c < code for c in self.codes) + 0.5 * self.codes.count(code)) / len(self.codes)

    def share_at_most(self, code: int) -> float:
        """Return the share of values that are not larger."""
        return sum(c <= code for c in self.codes) / len(self.codes)


class MoveMemory:
    """Expected moves m = 100 (H - P) / P, ranked among those of their own sign.

    Where the oldest value is forgotten both signs share one span; in the authors' simulator each sign has its own
    memory, which starts as [0] and forgets its smallest value: of negative moves the largest in magnitude.
    """

    def __init__(self, cap: int, *, drops_smallest: bool) -> None:
        self.cap = cap
        self.drops_smallest = drops_smallest
        self.moves: list[tuple[bool, int]] = [(True, 0), (False, 0)] if drops_smallest else []

    def expected(self, move: float) -> int:
        """Return s0 of algorithm T (0 fall, 1 flat, 2 rise) and remember the move."""
        rising, code = move >= 0.0, bin_code(abs(move), -9)
        same_sign = [c for sign, c in self.moves if sign == rising]
        smaller = sum(c < code for c in same_sign) + 0.5 * same_sign.count(code)
        if rising:
            percentile = smaller / len(same_sign) if same_sign else 1.0
            state = 1 if percentile < 0.05 else 2
        else:
            percentile = 1.0 - smaller / len(same_sign) if same_sign else 0.0
            state = 0 if percentile <= 0.95 else 1
        self.moves.append((rising, code))
        if not self.drops_smallest:
            if len(self.moves) > self.cap:
                self.moves.pop(0)
        elif len(same_sign) + 1 > self.cap:
            least = min(*same_sign, code) if rising else max(*same_sign, code)
            self.moves.remove((rising, least))
        return state


def share_of_series_below(series: list[int], code: int, cap: int, *, largest: bool) -> float:
    """Rank a value of a public series among its last `cap` values, or among its `cap` largest ones (Q2)."""
    if not series:
        return 0.5
    kept = sorted(series)[-cap:] if largest else series[-cap:]
    return sum(c < code for c in kept) / len(kept)


def reward_of(percentile: float) -> int:
    """Return the reward of a percentile where small is good (specification 7.3)."""
    for limit, reward in ((0.05, 4), (0.25, 2), (0.5, 1), (0.75, -1), (0.95, -2)):
        if percentile < limit:
            return reward
    return -4
