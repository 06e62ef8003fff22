"""Write structs as JSON with exact numbers: decimals as they are, never in scientific form, never through a float.

msgspec reads JSON numbers into decimals exactly, but prints small ones as ``5E-7``, which Kraken never does. So writing
goes through a plan made once per struct. A field that is None, or UNSET, is left out, unless its struct names it in
`WRITES_NULL`. REST quotes its decimals except in fields named in `BARE`, the WebSocket quotes none; one plan does both.
"""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct
from msgspec.structs import astuple

_encode = msgspec.json.encode


def dumps(value: Any, *, quoted: bool = False) -> bytes:
    """Return JSON of structs, mappings, sequences and scalars; `quoted` prints decimals as strings."""
    return _text(value, quoted).encode()


def quote(text: str) -> str:
    """Return a JSON string."""
    return _encode(text).decode()


def _text(value: Any, quoted: bool) -> str:
    kind = type(value)
    if kind is str:
        return quote(value)
    if kind is Decimal:
        return f'"{value:f}"' if quoted else f"{value:f}"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return "null"
    if kind is int:
        return str(value)
    if isinstance(value, Struct):
        return _members(value, quoted)
    if kind is dict:
        return "{" + ",".join(f"{quote(str(key))}:{_text(one, quoted)}" for key, one in value.items()) + "}"
    if kind in (list, tuple):
        return "[" + ",".join(_text(one, quoted) for one in value) + "]"
    if kind is Raw:
        return bytes(value).decode()
    if kind is float:
        return repr(value)
    if isinstance(value, Enum):
        return _text(value.value, quoted)
    raise TypeError(f"{kind.__name__} has no form in JSON here")


def _members(struct: Struct, quoted: bool) -> str:
    members, array = _plan(type(struct))
    parts = []
    for (name, writes_null, bare), value in zip(members, astuple(struct), strict=True):
        if array:
            parts.append(_text(value, quoted and not bare))
        elif (value is not None or writes_null) and value is not UNSET:
            parts.append(name + _text(value, quoted and not bare))
    return f"[{','.join(parts)}]" if array else "{" + ",".join(parts) + "}"


@cache
def _plan(kind: type[Struct]) -> tuple[tuple[tuple[str, bool, bool], ...], bool]:
    """Return (name with colon, writes None, never quotes) of each field, and whether it is an array."""
    nulls: frozenset[str] = getattr(kind, "WRITES_NULL", frozenset())
    bare: frozenset[str] = getattr(kind, "BARE", frozenset())
    members = tuple(
        (f"{quote(name)}:", field in nulls, field in bare)
        for name, field in zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True)
    )
    return members, kind.__struct_config__.array_like
