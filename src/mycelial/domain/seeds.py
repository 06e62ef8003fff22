"""Named random streams, all derived from one root seed.

A stream is a 64-bit key; a draw is a pure function of (key, counter). So a number never depends on who drew before, on
the number of workers or on the order of agents. The compiled side of the same idea is `mycelial.domain.draws`.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

_SEPARATOR = b"\x1f"


def stream_key(seed: int, *names: str | int) -> np.uint64:
    """Return the 64-bit key of the stream called `names` under root `seed`.

    >>> stream_key(7, "symba", "estimate", 0) == stream_key(7, "symba", "estimate", 0)
    True
    """
    digest = blake2b(digest_size=8)
    for part in (seed, *names):
        digest.update(str(part).encode() + _SEPARATOR)
    return np.uint64(int.from_bytes(digest.digest(), "little"))


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return a NumPy generator for set-up draws (populations, bootstrap); never used inside a day."""
    return np.random.Generator(np.random.PCG64(int(stream_key(seed, *names))))
