"""What a message carries, by kind: parameters whole, changed, sparse or rounded; scalars; an intention; a retraction.

Writers are trusted, readers trust nothing: every count is checked against the length before an array is made, and
every number must be finite.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mycelial.swarm.compression import from_int8
from mycelial.swarm.messages import HASH_BYTES, Kind
from mycelial.swarm.refusals import MessageRefused, Reason

LARGEST_VALUE = 1e6  # no parameter, scale or change of ours comes near
MAX_SCALARS = 1 << 16

_COUNT = struct.Struct("<I")
_TWO_COUNTS = struct.Struct("<II")
_SCALARS = struct.Struct("<HQIIH")
_INTENT = struct.Struct("<QIiI")
_RETRACT = struct.Struct(f"<{HASH_BYTES}s16sQ")


@dataclass(frozen=True)
class Scalars:
    """A small table of numbers about one topic.

    Parameters
    ----------
    topic : int
        What they are; agreed in the deployment.
    tag : int
        Which episode or which sum.
    start : int
        Index of the first row (a time step).
    values : float64[n, columns]
    """

    topic: int
    tag: int
    start: int
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Intent:
    """A leader's announced action: in `episode`, at `step`, for `lasting` steps."""

    episode: int
    step: int
    action: int
    lasting: int


@dataclass(frozen=True)
class Retraction:
    """A policy proved toxic, and how anybody can see it: the scenario set and the seed that fails."""

    policy: bytes
    scenarios: bytes
    seed: int


def write_full(vector: NDArray[np.float32]) -> bytes:
    """Write a whole vector; a FULL or a DELTA."""
    return _COUNT.pack(len(vector)) + np.ascontiguousarray(vector, "<f4").tobytes()


def write_sparse(size: int, index: NDArray[np.int64], values: NDArray[np.float32]) -> bytes:
    """Write some values of a vector of length `size`; a TOPK."""
    return _TWO_COUNTS.pack(size, len(index)) + index.astype("<u4").tobytes() + values.astype("<f4").tobytes()


def write_int8(codes: NDArray[np.int8], scales: NDArray[np.float32]) -> bytes:
    """Write a rounded vector; an INT8."""
    return _TWO_COUNTS.pack(len(codes), len(scales)) + scales.astype("<f4").tobytes() + codes.tobytes()


def write_scalars(scalars: Scalars) -> bytes:
    """Write a table of numbers."""
    rows, columns = scalars.values.shape
    head = _SCALARS.pack(scalars.topic, scalars.tag, scalars.start, rows, columns)
    return head + np.ascontiguousarray(scalars.values, "<f8").tobytes()


def write_intent(intent: Intent) -> bytes:
    """Write an announced action."""
    return _INTENT.pack(intent.episode, intent.step, intent.action, intent.lasting)


def write_retraction(retraction: Retraction) -> bytes:
    """Write a retraction."""
    return _RETRACT.pack(retraction.policy, retraction.scenarios, retraction.seed)


def read_change(
    kind: Kind, payload: bytes, base: NDArray[np.float32] | None, row_starts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the vector a parameter message leads to.

    Parameters
    ----------
    kind : Kind
        FULL, DELTA, TOPK or INT8.
    payload : bytes
    base : float32[F], optional
        What a difference applies to; not changed.
    row_starts : int64[R + 1]
        Rows of the federated vector; fixes its length F.

    Raises
    ------
    MessageRefused
        MALFORMED, NON_FINITE or OUT_OF_RANGE; UNKNOWN_BASE for a difference without a base.
    """
    size, rows = int(row_starts[-1]), len(row_starts) - 1
    if kind is Kind.FULL:
        return _floats(payload, _COUNT.size, _counted(payload, _COUNT, size))
    if base is None:
        raise MessageRefused(Reason.UNKNOWN_BASE, "a difference to a vector that never came")
    if kind is Kind.DELTA:
        change = _floats(payload, _COUNT.size, _counted(payload, _COUNT, size))
        return _checked(base + change)
    if kind is Kind.INT8:
        _counted(payload, _TWO_COUNTS, size, rows)
        _must_be_long(payload, _TWO_COUNTS.size + 4 * rows + size)
        scales = _floats(payload[: _TWO_COUNTS.size + 4 * rows], _TWO_COUNTS.size, rows)
        if (scales < 0).any():
            raise MessageRefused(Reason.MALFORMED, "a negative scale")
        codes = np.frombuffer(payload, np.int8, size, _TWO_COUNTS.size + 4 * rows)
        return _checked(base + from_int8(codes, scales, row_starts))
    if kind is Kind.TOPK:
        if len(payload) < _TWO_COUNTS.size:
            raise MessageRefused(Reason.MALFORMED, "no counts")
        stated, count = _TWO_COUNTS.unpack_from(payload)
        if stated != size or count > size:
            raise MessageRefused(Reason.MALFORMED, f"{count} of {stated} values, the vector has {size}")
        _must_be_long(payload, _TWO_COUNTS.size + 8 * count)
        index = np.frombuffer(payload, "<u4", count, _TWO_COUNTS.size).astype(np.int64)
        if count and (index[-1] >= size or (np.diff(index) <= 0).any()):
            raise MessageRefused(Reason.MALFORMED, "positions must ascend and lie in the vector")
        vector = base.copy()
        vector[index] += _floats(payload, _TWO_COUNTS.size + 4 * count, count)
        return _checked(vector)
    raise MessageRefused(Reason.MALFORMED, f"{kind.name} carries no parameters")


def read_scalars(payload: bytes) -> Scalars:
    """Read a table of numbers.

    Raises
    ------
    MessageRefused
        MALFORMED or NON_FINITE.
    """
    if len(payload) < _SCALARS.size:
        raise MessageRefused(Reason.MALFORMED, "no counts")
    topic, tag, start, rows, columns = _SCALARS.unpack_from(payload)
    if rows * columns > MAX_SCALARS or not columns:
        raise MessageRefused(Reason.MALFORMED, f"{rows} x {columns} scalars, at most {MAX_SCALARS}")
    _must_be_long(payload, _SCALARS.size + 8 * rows * columns)
    values = np.frombuffer(payload, "<f8", rows * columns, _SCALARS.size).astype(np.float64)
    if not np.isfinite(values).all():
        raise MessageRefused(Reason.NON_FINITE, "a scalar is not finite")
    return Scalars(topic, tag, start, values.reshape(rows, columns))


def read_intent(payload: bytes) -> Intent:
    """Read an announced action.

    Raises
    ------
    MessageRefused
        MALFORMED.
    """
    _must_be_long(payload, _INTENT.size)
    return Intent(*_INTENT.unpack(payload))


def read_retraction(payload: bytes) -> Retraction:
    """Read a retraction.

    Raises
    ------
    MessageRefused
        MALFORMED.
    """
    _must_be_long(payload, _RETRACT.size)
    return Retraction(*_RETRACT.unpack(payload))


def read_request(payload: bytes) -> bytes:
    """Return the public key of the peer that is asked.

    Raises
    ------
    MessageRefused
        MALFORMED.
    """
    _must_be_long(payload, 32)
    return payload


def _must_be_long(payload: bytes, length: int) -> None:
    if len(payload) != length:
        raise MessageRefused(Reason.MALFORMED, f"payload of {len(payload)} bytes, its counts say {length}")


def _counted(payload: bytes, layout: struct.Struct, *expected: int) -> int:
    if len(payload) < layout.size:
        raise MessageRefused(Reason.MALFORMED, "no counts")
    stated = layout.unpack_from(payload)
    if stated != expected:
        raise MessageRefused(Reason.MALFORMED, f"counts {stated}, the class has {expected}")
    return expected[0]


def _floats(payload: bytes, start: int, count: int) -> NDArray[np.float32]:
    """Read `count` float32 that reach to the end of the payload."""
    _must_be_long(payload, start + 4 * count)
    return _checked(np.frombuffer(payload, "<f4", count, start).astype(np.float32))


def _checked(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(vector).all():
        raise MessageRefused(Reason.NON_FINITE, "a value is not finite")
    if len(vector) and float(np.abs(vector).max()) > LARGEST_VALUE:
        raise MessageRefused(Reason.OUT_OF_RANGE, f"a value exceeds {LARGEST_VALUE:g}")
    return vector
