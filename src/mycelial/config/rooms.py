"""What rooms of `mycelial.toml` are made of: strict tables, and texts that carry a unit."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict

_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "min": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_NUMBER = r"(?P<number>\d+(?:\.\d+)?)"
_QUANTITY = re.compile(rf"{_NUMBER} (?P<unit>[A-Z][A-Z0-9]{{1,9}})")
_SHARE = re.compile(rf"{_NUMBER} ?%")
_DURATION = re.compile(rf"{_NUMBER} ?(?P<unit>{'|'.join(_SECONDS)})")
_PAIR = re.compile(r"[A-Z][A-Z0-9]{1,9}/[A-Z][A-Z0-9]{1,9}")


class Room(BaseModel):
    """A table of the configuration: unknown keys and wrong types are errors, values never change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Amount(NamedTuple):
    """A number of something."""

    number: Decimal
    asset: str  # modern code, ``BTC``


def amount(text: str) -> Amount:
    """Read ``"0.5 BTC"``, exactly; raise `ValueError` when it is something else."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is not an amount with its asset; write it like "0.5 BTC"')
    return Amount(Decimal(found["number"]), found["unit"])


def share(text: str) -> Decimal:
    """Read ``"2 %"`` as 0.02, exactly; raise `ValueError` when it is something else."""
    found = _SHARE.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is not a share; write it like "2 %"')
    return Decimal(found["number"]) / 100


def duration_s(text: str) -> Decimal:
    """Read ``"60 s"`` or ``"5 min"`` in seconds, exactly; raise `ValueError` when it is something else."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is not a duration; write it like "60 s" (units: {", ".join(_SECONDS)})')
    return Decimal(found["number"]) * _SECONDS[found["unit"]]


def _checked(read: object) -> AfterValidator:
    def check(text: str) -> str:
        read(text)  # type: ignore[operator]
        return text

    return AfterValidator(check)


def _pair(text: str) -> None:
    if _PAIR.fullmatch(text) is None:
        raise ValueError(f'{text!r} is not a pair; write it like "BTC/USD"')


AmountText = Annotated[str, _checked(amount)]
ShareText = Annotated[str, _checked(share)]
DurationText = Annotated[str, _checked(duration_s)]
PairText = Annotated[str, _checked(_pair)]
