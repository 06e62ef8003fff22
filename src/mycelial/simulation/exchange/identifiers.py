"""Ids in Kraken's form, ``O`` + 5-5-6 letters and digits, from a seeded stream: the same run gives the same ids."""

from __future__ import annotations

from mycelial.domain.seeds import stream_key

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_MASK = (1 << 64) - 1
_TRIPLES = tuple(a + b + c for a in _LETTERS for b in _LETTERS for c in _LETTERS)  # 15 bits at a time


def _mixed(word: int) -> int:
    """Return a word through SplitMix64's finaliser (see `domain.draws`), as plain integers."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _MASK
    return word ^ (word >> 31)


def written(letter: str, high: int, low: int) -> str:
    """Return the id of 80 random bits: 60 of `high`, 20 of `low`."""
    first, second = _TRIPLES[high & 0x7FFF], _TRIPLES[(high >> 15) & 0x7FFF]
    third, fourth = _TRIPLES[(high >> 30) & 0x7FFF], _TRIPLES[(high >> 45) & 0x7FFF]
    last = _TRIPLES[low & 0x7FFF]
    return f"{letter}{first}{second[:2]}-{second[2]}{third}{fourth[0]}-{fourth[1:]}{last}{_LETTERS[(low >> 15) & 31]}"


class Identifiers:
    """A stream of ids that never repeats in practice (80 random bits)."""

    def __init__(self, seed: int, *names: str) -> None:
        self._key = int(stream_key(seed, "exchange", "ids", *names))
        self.drawn = 0

    def next(self, letter: str) -> str:
        """Return a fresh id that begins with `letter`."""
        self.drawn += 1
        return self.of(letter, self.drawn)

    def of(self, letter: str, number: int) -> str:
        """Return the id that belongs to a number."""
        base = (self._key + 2 * number * 0x9E3779B97F4A7C15) & _MASK
        return written(letter, _mixed(base), _mixed((base + 0x9E3779B97F4A7C15) & _MASK))
