"""Bodies and query strings of REST requests: form or JSON in, one nested mapping out, and the way back.

Forms nest with brackets (``close[ordertype]=limit``, ``orders[0][price]=1``) and send lists with commas or repeated
names (``txid[]=..``). Values of a form are text; the structs they are converted into know their types.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import msgspec

from mycelial.kraken.errors import ProtocolError
from mycelial.kraken.json_writing import dumps

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
MOST_FIELDS = 1_000
MOST_NESTING = 4  # brackets behind a name

Fields = dict[str, Any]

_json = msgspec.json.Decoder(float_hook=Decimal)


def decode_body(body: bytes, content_type: str) -> Fields:
    """Read the fields of a body.

    Parameters
    ----------
    content_type : of the header; parameters like the charset do not matter. Anything but JSON is read as a form, but a
        body that begins with a brace is JSON whatever the header says.

    Raises
    ------
    ProtocolError
        If it cannot be read, has too many fields or nests too deep.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON or (kind != FORM and body.lstrip()[:1] == b"{"):
        return _decode_json(body)
    return decode_form(body)


def _decode_json(body: bytes) -> Fields:
    try:
        read = _json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ArithmeticError) as error:
        raise ProtocolError(f"the body is not JSON: {error}") from None
    if not isinstance(read, dict):
        raise ProtocolError("the body is JSON but no object")
    return read


def decode_form(text: bytes | str) -> Fields:
    """Read a form or query string; see `decode_body`."""
    try:
        plain = text.decode("ascii") if isinstance(text, bytes) else text
        parts = [part for part in plain.split("&") if part]
        if len(parts) > MOST_FIELDS:
            raise ProtocolError(f"the form has more than {MOST_FIELDS} fields")
        fields: Fields = {}
        for part in parts:
            name, _, value = part.partition("=")
            _put(fields, unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict"))
    except UnicodeError:
        raise ProtocolError("the form is not percent-encoded UTF-8") from None
    return _with_lists(fields)


def encode_form(fields: Mapping[str, Any]) -> bytes:
    """Write fields as a form, nested ones with brackets; None is left out."""
    parts: list[str] = []
    _form_parts("", fields, parts)
    return "&".join(parts).encode()


def encode_json(fields: Mapping[str, Any]) -> bytes:
    """Write fields as JSON with decimals as strings; None is left out."""
    return dumps({name: value for name, value in fields.items() if value is not None}, quoted=True)


def _put(fields: Fields, name: str, value: str) -> None:
    head, bracket, rest = name.partition("[")
    if not bracket:
        fields[head] = value
        return
    steps = rest.rstrip("]").split("][") if rest.endswith("]") else None
    if steps is None or len(steps) > MOST_NESTING:
        raise ProtocolError(f"the form field {name[:40]!r} nests wrongly or too deep")
    at = fields
    for inner in (head, *steps[:-1]):
        below = at.setdefault(inner, {})
        if not isinstance(below, dict):
            raise ProtocolError(f"the form field {head[:40]!r} is both a value and nested")
        at = below
    last = steps[-1] or str(len(at))  # txid[]=..&txid[]=.. counts by itself
    at[last] = value


def _with_lists(value: Any) -> Any:
    """Turn mappings with the keys 0, 1, 2, ... into lists."""
    if not isinstance(value, dict):
        return value
    inner = {key: _with_lists(one) for key, one in value.items()}
    if inner and all(key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def _form_parts(prefix: str, value: Any, parts: list[str]) -> None:
    if value is None:
        return
    if isinstance(value, Mapping):
        for name, one in value.items():
            _form_parts(f"{prefix}[{name}]" if prefix else name, one, parts)
    elif isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value):
        for number, one in enumerate(value):
            _form_parts(f"{prefix}[{number}]", one, parts)
    else:
        parts.append(f"{quote_plus(prefix, safe='[]')}={quote_plus(_form_text(value), safe=',')}")


def _form_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, list | tuple):
        return ",".join(_form_text(one) for one in value)
    return str(value)
