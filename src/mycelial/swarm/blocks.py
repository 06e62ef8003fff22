"""What of an agent's parameters is shared: named blocks of one float32 vector, federated or personal.

The swarm never sees a network, only a vector float32[P] and this table. Federated blocks travel, personal ones
(models of peers, heads of another role) never leave. Two agents can mix only when their tables, their inputs and
outputs and their roles agree; the hash of all that is their compatibility class.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import ConfigError

CLASS_BYTES = 16
ROW_LIMIT = 1 << 16


@dataclass(frozen=True)
class Block:
    """One tensor, seen as a matrix.

    Parameters
    ----------
    name : str
        Unique in its table.
    rows, columns : int
        Its shape; int8 compression keeps one scale a row.
    federated : bool
        Whether it may leave the agent.
    """

    name: str
    rows: int
    columns: int
    federated: bool = True

    @property
    def size(self) -> int:
        """Number of values."""
        return self.rows * self.columns


@dataclass(frozen=True)
class BlockTable:
    """The blocks of a parameter vector, in their order in it."""

    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        names = [block.name for block in self.blocks]
        if len(set(names)) != len(names):
            raise ConfigError(f"block names must differ, got {names}")
        for block in self.blocks:
            if block.rows < 1 or block.columns < 1:
                raise ConfigError(f"block {block.name} has shape {block.rows} x {block.columns}; both must be >= 1")

    @classmethod
    def of(cls, shapes: Iterable[tuple[str, tuple[int, ...], bool]]) -> BlockTable:
        """Make a table from (name, shape, federated); the last axis is the column."""
        return cls(
            tuple(
                Block(name, int(np.prod(shape[:-1], dtype=np.int64)), int(shape[-1]) if shape else 1, federated)
                for name, shape, federated in shapes
            )
        )

    @classmethod
    def plain(cls, size: int) -> BlockTable:
        """Make the table of a vector without structure, all of it federated."""
        return cls((Block("all", 1, size),))

    @cached_property
    def size(self) -> int:
        """P, the length of the whole vector."""
        return sum(block.size for block in self.blocks)

    @cached_property
    def federated_index(self) -> NDArray[np.int64]:
        """Positions of the federated values in the whole vector, int64[F]."""
        parts, start = [np.zeros(0, np.int64)], 0
        for block in self.blocks:
            if block.federated:
                parts.append(np.arange(start, start + block.size))
            start += block.size
        return np.concatenate(parts)

    @cached_property
    def row_starts(self) -> NDArray[np.int64]:
        """Where each row of the federated vector begins, int64[R + 1]; the last entry is F."""
        columns = [block.columns for block in self.blocks if block.federated for _ in range(block.rows)]
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(columns, np.int64))]).astype(np.int64)

    @property
    def federated_size(self) -> int:
        """F, the number of values that travel."""
        return len(self.federated_index)

    def gather(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the federated part of a whole vector, float32[F], a copy."""
        return np.ascontiguousarray(vector[self.federated_index], np.float32)

    def scatter(self, vector: NDArray[np.float32], federated: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a copy of `vector` whose federated part is replaced; the personal part is its own."""
        merged = np.array(vector, np.float32)
        merged[self.federated_index] = federated
        return merged

    def compatibility(self, *, features: str, actions: str, role: str = "") -> bytes:
        """Return the 16-byte compatibility class: architecture, schemas of inputs and outputs, role."""
        digest = blake2b(digest_size=CLASS_BYTES)
        for block in self.blocks:
            if block.federated:  # personal blocks are nobody's business, their shapes neither
                digest.update(f"{block.name}\x1f{block.rows}\x1f{block.columns}\x1e".encode())
        digest.update(f"\x1d{features}\x1d{actions}\x1d{role}".encode())
        return digest.digest()
