"""The format of a log: a header, then chunks of records, each sealed by a running digest.

A log holds the inputs of a run or the events it caused; both are plain arrays in chunks, so a log is written and read
in bounded memory. The terms of the market and the inputs give the events again, so the log of events may be thrown
away.

==========  =======================================================================================================
header      magic, length and CRC-32 of a JSON text: version, what the log holds, its dtype, the terms of the market
            and their digest, the number of the first record
chunk       `CHUNK`: magic, number of records, number of the first one, digest of the log up to and with this chunk;
            then the records
==========  =======================================================================================================

The digest is that of the order book's own events (`market.book.output`), folded record by record; for a log of events
the last one equals `OrderBook.digest` and is the fingerprint of the run.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mycelial.domain.errors import DataError
from mycelial.domain.kernels import entry
from mycelial.market.book import EVENT, INPUT
from mycelial.market.terms import MarketTerms

MAGIC, CHUNK_MAGIC, VERSION = b"MYCLOG\r\n", b"CHNK", 1
CHUNK = np.dtype([("magic", "S4"), ("count", "<u4"), ("first", "<i8"), ("digest", "<u8")])
CHUNK_RECORDS = 1 << 16
DTYPES = {"inputs": INPUT, "events": EVENT}
PREFIX = struct.Struct("<8sII")  # magic, length of the JSON text, its CRC-32
MOST_TEXT = 1 << 26

Holds = Literal["inputs", "events"]
Records = NDArray[Any]

_PRIME, _SPIN, _BACK = np.uint64(0x9E3779B97F4A7C15), np.uint64(29), np.uint64(35)
_MOST_WORDS = 16
_SALT = np.array([(0xD6E8FEB86659FD93 * (2 * n + 1)) % 2**64 for n in range(_MOST_WORDS + 1)], np.uint64)


@dataclass(frozen=True)
class LogHeader:
    """What a log begins with."""

    holds: Holds
    terms: MarketTerms
    first: int = 0

    @property
    def dtype(self) -> np.dtype[np.void]:
        """Records of the log."""
        return DTYPES[self.holds]


def encode_header(header: LogHeader) -> bytes:
    """Return a header as bytes."""
    text = json.dumps(
        {
            "version": VERSION,
            "holds": header.holds,
            "dtype": _layout(header.dtype),
            "config_digest": header.terms.digest,
            "first": header.first,
            "terms": header.terms.to_json(),
        }
    ).encode()
    return PREFIX.pack(MAGIC, len(text), zlib.crc32(text)) + text


def header_length(prefix: bytes) -> int:
    """Return how many bytes follow the prefix of a log.

    Raises
    ------
    DataError
        If this is no log.
    """
    if len(prefix) < PREFIX.size or not prefix.startswith(MAGIC):
        raise DataError("is no log of a market")
    length = int(PREFIX.unpack(prefix[: PREFIX.size])[1])
    if length > MOST_TEXT:
        raise DataError(f"has a header of {length} bytes, which cannot be")
    return length


def decode_header(prefix: bytes, text: bytes) -> LogHeader:
    """Return the header that `encode_header` wrote.

    Raises
    ------
    DataError
        If it is damaged or of another version.
    """
    if len(text) != header_length(prefix) or zlib.crc32(text) != PREFIX.unpack(prefix)[2]:
        raise DataError("has a damaged header")
    document = json.loads(text)
    if document.get("version") != VERSION or document.get("holds") not in DTYPES:
        raise DataError(f"is of version {document.get('version')}, this program reads version {VERSION}")
    header = LogHeader(document["holds"], MarketTerms.from_json(document["terms"]), int(document["first"]))
    if document["dtype"] != _layout(header.dtype):
        raise DataError("has records of another layout")
    if document["config_digest"] != header.terms.digest:
        raise DataError("has terms that do not match their digest")
    return header


def encode_chunk(records: Records, first: int, digest: int) -> tuple[bytes, int]:
    """Return a chunk as bytes, and the digest of the log with it."""
    digest = folded(digest, records)
    head = np.array([(CHUNK_MAGIC, len(records), first, digest)], CHUNK)
    return head.tobytes() + records.tobytes(), digest


def check_chunk_head(head: bytes, expected_first: int) -> int:
    """Return how many records a chunk holds.

    Raises
    ------
    DataError
        If this is no head of a chunk, or not of the next one.
    """
    if len(head) < CHUNK.itemsize:
        raise DataError("ends in the middle of a chunk")
    row = np.frombuffer(head, CHUNK)[0]
    if row["magic"] != CHUNK_MAGIC or not 0 < row["count"] <= CHUNK_RECORDS:
        raise DataError("has no chunk where one should begin")
    if row["first"] != expected_first:
        raise DataError(f"goes on with record {int(row['first'])} instead of {expected_first}")
    return int(row["count"])


def decode_chunk(head: bytes, body: bytes, dtype: np.dtype[np.void], digest: int) -> tuple[Records, int]:
    """Return the records of a chunk, and the digest of the log with it.

    Raises
    ------
    DataError
        If it is cut short, or its records are not those that were written.
    """
    row = np.frombuffer(head, CHUNK)[0]
    if len(body) != int(row["count"]) * dtype.itemsize:
        raise DataError("ends in the middle of a chunk")
    records = np.frombuffer(body, dtype)
    digest = folded(digest, records)
    if digest != int(row["digest"]):
        raise DataError("has a damaged chunk")
    return records, digest


def folded(digest: int, records: Records) -> int:
    """Return the running digest after `records`; 0 is that of nothing."""
    words = np.frombuffer(np.ascontiguousarray(records), np.uint64).reshape(-1, records.dtype.itemsize // 8)
    return int(_fold(np.uint64(digest), words))


@entry
def _fold(digest: Any, words: NDArray[np.uint64]) -> Any:
    width = words.shape[1]
    for n in range(words.shape[0]):
        total = _SALT[width]
        if width & 1:
            total += words[n, width - 1]
        for pair in range(width // 2):
            total += (words[n, 2 * pair] + _SALT[2 * pair]) * (words[n, 2 * pair + 1] + _SALT[2 * pair + 1])
        digest = (digest ^ total) * _PRIME
        digest = (digest << _SPIN) | (digest >> _BACK)
    return digest


def _layout(dtype: np.dtype[np.void]) -> list[list[Any]]:
    """Return names, types and places of the fields of a dtype."""
    return [[name, dtype.fields[name][0].str, dtype.fields[name][1]] for name in dtype.names or ()]  # type: ignore[index]
