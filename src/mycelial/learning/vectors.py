"""One agent as one float32 vector: named tensors in named blocks, and which of them peers may share.

Learners compute on the vector, peers exchange it, policies are evaluated from it; nobody else needs to know what a
network is. A manifest says where each tensor lies. Vectors with the same manifest can be mixed; `family` is its hash.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import DataError

# Blocks that peers of one family may mix; the others are an agent's own affair and never leave it.
FEDERATED = frozenset({"normaliser", "encoder", "memory", "head", "dyadic", "macro"})
PERSONAL = frozenset({"peer_model", "cost"})


@dataclass(frozen=True)
class Tensor:
    """Where one tensor of an agent lies in its vector."""

    block: str
    name: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """Number of figures."""
        return math.prod(self.shape)

    @property
    def stop(self) -> int:
        """Index behind the last figure."""
        return self.start + self.size

    @property
    def key(self) -> str:
        """Full name, such as ``encoder.weight``."""
        return f"{self.block}.{self.name}"


@dataclass(frozen=True)
class Manifest:
    """The tensors of an agent, one behind the other."""

    tensors: tuple[Tensor, ...]

    @classmethod
    def of(cls, layout: Iterable[tuple[str, str, tuple[int, ...]]]) -> Manifest:
        """Lay out (block, name, shape) in the order given."""
        tensors: list[Tensor] = []
        for block, name, shape in layout:
            if block not in FEDERATED | PERSONAL:
                raise DataError(f"block {block!r} is unknown; known are {', '.join(sorted(FEDERATED | PERSONAL))}")
            tensors.append(Tensor(block, name, tuple(shape), tensors[-1].stop if tensors else 0))
        return cls(tuple(tensors))

    @property
    def size(self) -> int:
        """P, figures of one agent."""
        return self.tensors[-1].stop if self.tensors else 0

    @cached_property
    def family(self) -> bytes:
        """16 bytes that are equal for vectors which may be mixed."""
        said = ";".join(f"{one.key}{one.shape}" for one in self.tensors)
        return blake2b(said.encode(), digest_size=16).digest()

    @property
    def federated(self) -> NDArray[np.bool_]:
        """bool[P], true where peers may share."""
        return self.mask(FEDERATED)

    def mask(self, blocks: Iterable[str]) -> NDArray[np.bool_]:
        """Return bool[P], true for the figures of `blocks`."""
        wanted, found = set(blocks), np.zeros(self.size, np.bool_)
        for one in self.tensors:
            found[one.start : one.stop] = one.block in wanted
        return found

    def tensor(self, key: str) -> Tensor:
        """Return the tensor called `key`, e.g. ``encoder.weight``."""
        for one in self.tensors:
            if one.key == key:
                return one
        raise DataError(f"there is no tensor {key!r} here; there are {', '.join(one.key for one in self.tensors)}")

    def views(self, vectors: Any) -> dict[str, Any]:
        """Return every tensor of ``[..., P]`` by name as ``[..., *shape]``; NumPy arrays are not copied."""
        lead = vectors.shape[:-1]
        return {one.key: vectors[..., one.start : one.stop].reshape(*lead, *one.shape) for one in self.tensors}

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as it is written to JSON."""
        return {"tensors": [{"block": one.block, "name": one.name, "shape": list(one.shape)} for one in self.tensors]}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Manifest:
        """Read what `to_dict` wrote."""
        try:
            rows = [
                (str(one["block"]), str(one["name"]), tuple(int(n) for n in one["shape"]))
                for one in document["tensors"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"this is no manifest of an agent ({error!r}); export the policy again") from error
        if any(n < 1 for _, _, shape in rows for n in shape):
            raise DataError("the manifest names a tensor without figures; export the policy again")
        return cls.of(rows)
