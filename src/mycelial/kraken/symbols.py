"""Names of assets and pairs: id, altname, wsname and modern symbol of the same thing.

Old ids carry a class letter (``XXBT``, ``ZUSD``), newer ones do not (``SOL``); ``XTZ`` and ``ZEUS`` are whole names. So
a name is looked up in a table and never guessed by stripping letters. A table comes from the packaged rules of the
exchange or, for a live client, from the answers `AssetPairs` and `Assets`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mycelial.kraken.errors import UNKNOWN_ASSET, UNKNOWN_PAIR, Refused
from mycelial.market.venues.rules import Asset, Pair, Venue

MODERN = {"XBT": "BTC", "XDG": "DOGE"}  # altnames that have a newer name; all others are their own
EARN_SUFFIXES = (".S", ".M", ".B", ".F")  # balances that are staked or earn; read-only


def modern_asset(altname: str) -> str:
    """Return the modern name of an asset's altname: XBT is BTC."""
    return MODERN.get(altname, altname)


def modern_symbol(wsname: str) -> str:
    """Return the modern symbol of a published wsname: XBT/USD is BTC/USD."""
    return "/".join(modern_asset(part) for part in wsname.split("/"))


class SymbolTable:
    """Every name of every pair and asset of one exchange.

    Parameters
    ----------
    pairs, assets : rows; the order of pairs is kept.
    """

    def __init__(self, pairs: Iterable[Pair], assets: Iterable[Asset]) -> None:
        self.pairs: Mapping[str, Pair] = {pair.symbol: pair for pair in pairs}
        self.assets: Mapping[str, Asset] = {asset.name: asset for asset in assets}
        self._pairs: dict[str, Pair] = {}
        for pair in self.pairs.values():
            for name in (pair.symbol, pair.key, pair.altname, pair.wsname):
                self._pairs.setdefault(name.upper(), pair)
        self._by_wsname = {pair.wsname: pair for pair in self.pairs.values()}
        self._assets: dict[str, Asset] = {}
        for asset in self.assets.values():
            for name in (asset.name, asset.id, asset.altname):
                self._assets.setdefault(name.upper(), asset)

    @classmethod
    def of_venue(cls, venue: Venue, symbols: Iterable[str] | None = None) -> SymbolTable:
        """Return the names of an exchange's packaged rules; `symbols` keeps only those pairs and their assets."""
        pairs = list(venue.pairs.values()) if symbols is None else [venue.pair(one) for one in symbols]
        used = {name for pair in pairs for name in (pair.base, pair.quote)}
        return cls(pairs, [asset for name, asset in venue.assets.items() if name in used])

    def pair(self, name: str) -> Pair:
        """Return the pair of any of its names, as REST takes them: case does not matter.

        Raises
        ------
        Refused
            ``EQuery:Unknown asset pair``.
        """
        found = self._pairs.get(name.upper())
        if found is None:
            raise Refused(UNKNOWN_PAIR)
        return found

    def by_symbol(self, symbol: str) -> Pair | None:
        """Return the pair of a modern symbol, the only name WebSocket v2 takes."""
        return self.pairs.get(symbol)

    def by_wsname(self, wsname: str) -> Pair | None:
        """Return the pair of a published wsname, the name WebSocket v1 takes; the modern symbol will do."""
        return self._by_wsname.get(wsname) or self.pairs.get(wsname)

    def answer_key(self, requested: str, pair: Pair) -> str:
        """Return the key of a pair in a REST result: its id, but its slash name if it was asked for by that."""
        if "/" not in requested:
            return pair.key
        return pair.wsname if requested.upper() == pair.wsname.upper() else pair.symbol

    def asset(self, name: str) -> Asset:
        """Return the asset of any of its names.

        Raises
        ------
        Refused
            ``EQuery:Unknown asset``.
        """
        found = self._assets.get(name.upper())
        if found is None:
            raise Refused(UNKNOWN_ASSET)
        return found

    def modern(self, asset_id: str) -> str:
        """Return the modern name behind a balance key; suffixes and unknown names stay as they are."""
        head, dot, suffix = asset_id.partition(".")
        found = self._assets.get(head.upper())
        return f"{found.name if found else modern_asset(head)}{dot}{suffix}"
