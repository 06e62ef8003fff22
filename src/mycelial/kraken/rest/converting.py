"""Turn the untyped fields of a request into a struct, or into the error string Kraken answers."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Struct

from mycelial.kraken.errors import INVALID_ARGUMENTS, Refused, invalid_argument
from mycelial.kraken.numbers import is_sane

T = TypeVar("T", bound=Struct)

_FIELD = re.compile(r"`\$\.([A-Za-z_0-9]+)|field `([A-Za-z_0-9]+)`")


def converted(fields: dict[str, Any], kind: type[T]) -> T:
    """Read fields as a struct; text may stand for numbers, booleans and comma lists, and empty text for nothing.

    Raises
    ------
    Refused
        ``EGeneral:Invalid arguments:<field>`` for the first field that is missing or wrong.
    """
    lists, texts = _forms(kind)
    given = {}
    for name, value in fields.items():
        if value == "" or value is None:
            continue
        if name in lists and isinstance(value, str):
            value = [one.strip() for one in value.split(",") if one.strip()]
        elif name == "pair" and isinstance(value, list):  # TradeVolume may name pairs by objects
            value = [one.get("pair", one) if isinstance(one, dict) else one for one in value]
        elif name in texts and isinstance(value, int | Decimal) and not isinstance(value, bool):
            value = str(value) if isinstance(value, int) or not is_sane(value) else f"{value:f}"
        given[name] = value
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        found = _FIELD.search(str(error))
        if found is None:
            raise Refused(INVALID_ARGUMENTS) from None
        raise invalid_argument(found[1] or found[2]) from None
    except (ValueError, OverflowError, RecursionError):
        raise Refused(INVALID_ARGUMENTS) from None


@cache
def _forms(kind: type[Struct]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of fields that are lists and of those that are text."""
    hints = get_type_hints(kind)
    named = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    lists, texts = set(), set()
    for field, hint in hints.items():
        options = get_args(hint) or (hint,)
        if any(getattr(one, "__origin__", None) is tuple or one is tuple for one in (hint, *options)):
            lists.add(named[field])
        elif str in (hint, *options):
            texts.add(named[field])
    return frozenset(lists), frozenset(texts)
