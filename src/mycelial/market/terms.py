"""What a market was opened with: everything that a run needs beside its inputs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any

import numpy as np

from mycelial.domain.errors import ConfigError, DataError
from mycelial.domain.instrument import Instrument
from mycelial.market.book import OrderBook


@dataclass(frozen=True)
class MarketTerms:
    """The parameters of an `OrderBook`.

    Parameters
    ----------
    instrument : Instrument
    accounts : int
    fee_tiers : tuple of (threshold, maker_ppm, taker_ppm)
    may_borrow : bool or tuple of bool
        For every account, or one each.
    """

    instrument: Instrument
    accounts: int
    fee_tiers: tuple[tuple[int, int, int], ...] = ((0, 0, 0),)
    may_borrow: bool | tuple[bool, ...] = False

    def open(self) -> OrderBook:
        """Return an empty book on these terms."""
        return OrderBook(
            self.instrument, self.accounts, fee_tiers=self.fee_tiers, may_borrow=np.array(self.may_borrow, np.bool_)
        )

    def to_json(self) -> str:
        """Return the terms as text, always the same for the same terms."""
        document = asdict(self)
        for name in ("tick_size", "lot_size"):
            document["instrument"][name] = str(document["instrument"][name])
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> MarketTerms:
        """Return the terms that `to_json` wrote.

        Raises
        ------
        DataError
            If the text says something else.
        """
        try:
            document: dict[str, Any] = json.loads(text)
            instrument = document["instrument"]
            exact: dict[str, Any] = {name: Decimal(instrument.pop(name)) for name in ("tick_size", "lot_size")}
            may_borrow = document["may_borrow"]
            return cls(
                Instrument(**instrument, **exact),
                int(document["accounts"]),
                tuple((int(a), int(b), int(c)) for a, b, c in document["fee_tiers"]),
                tuple(map(bool, may_borrow)) if isinstance(may_borrow, list) else bool(may_borrow),
            )
        except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation, ConfigError) as error:
            raise DataError(f"these are no terms of a market of this version ({error}); record the run again") from None

    @property
    def digest(self) -> str:
        """Fingerprint of the terms, 16 hexadecimal digits."""
        return blake2b(self.to_json().encode(), digest_size=8).hexdigest()
