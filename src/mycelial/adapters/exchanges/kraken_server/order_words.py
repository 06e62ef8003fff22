"""What an order asks for in the words of REST: its sentence, its `price` and `price2`, its flags."""

from __future__ import annotations

from mycelial.adapters.exchanges.kraken_server.amounts import Amounts
from mycelial.kraken.descriptions import Description, describe
from mycelial.kraken.numbers import decimal, plain, text
from mycelial.kraken.symbols import SymbolTable
from mycelial.market.venues.rules import Pair
from mycelial.simulation.exchange.commands import AddOrder, Close, OrderType, Price, PriceKind, Side
from mycelial.simulation.exchange.reports import Terms


class OrderWords:
    """Describes orders."""

    def __init__(self, table: SymbolTable, amounts: Amounts) -> None:
        self.table, self.amounts = table, amounts

    def sentence(self, terms: Terms) -> str:
        """Return the description of an order."""
        pair = self.table.pairs[terms.symbol]
        first, second = self.prices(terms, pair)
        return describe(
            Description(
                terms.type.value,
                side_text(terms.side),
                text(terms.qty, pair.lot_decimals),
                pair.altname,
                first,
                second if second != "0" else "",
            )
        )

    def command_sentence(self, command: AddOrder, pair: Pair, limit: int, trigger: int) -> str:
        """Return the description of an order just placed; prices as the exchange understood them."""
        first, second = self.command_prices(command, pair, limit, trigger)
        volume = (
            text(command.qty, pair.lot_decimals) if command.qty else plain(self.amounts.cost(command.cash_qty, pair))
        )
        return describe(Description(command.type.value, side_text(command.side), volume, pair.altname, first, second))

    def command_prices(self, command: AddOrder, pair: Pair, limit: int, trigger: int) -> tuple[str, str]:
        """Return `price` and `price2` of an order just placed; empty where it has none."""
        if command.type.trails:
            return self._price_text(command.trigger, pair), self._price_text(command.limit, pair)
        at_limit = text(limit, pair.price_decimals) if command.type.has_limit else ""
        if command.type.waits:
            return text(trigger, pair.price_decimals), at_limit
        return at_limit, ""

    def close_sentence(self, close: Close | None, pair: Pair) -> str:
        """Return the description of a conditional close, empty if there is none."""
        if close is None:
            return ""
        limit, trigger = self._price_text(close.limit, pair), self._price_text(close.trigger, pair)
        first, second = (trigger, limit) if trigger else (limit, "")
        return describe(Description(close.type.value, price=first, price2=second))

    def prices(self, terms: Terms, pair: Pair) -> tuple[str, str]:
        """Return `price` and `price2` of an order in REST."""
        limit = text(terms.limit, pair.price_decimals) if terms.limit else "0"
        if terms.type is OrderType.MARKET:
            return "0", "0"
        if not terms.type.waits:
            return limit, "0"
        trigger = text(terms.trigger, pair.price_decimals)
        if terms.type.trails:
            distance = plain(decimal(terms.offset_ppm, 4)) + "%" if terms.offset_ppm else ""
            trigger = "+" + (distance or text(terms.offset, pair.price_decimals))
            offset = terms.limit_offset
            limit = f"{'+' if offset >= 0 else '-'}{text(abs(offset), pair.price_decimals)}"
        return trigger, limit if terms.type.has_limit else "0"

    def _price_text(self, price: Price | None, pair: Pair) -> str:
        if price is None:
            return ""
        if price.kind is PriceKind.STATIC:
            return text(price.value, pair.price_decimals)
        sign = "#" if price.by_side else "-" if price.value < 0 else "+"
        if price.kind is PriceKind.PERCENT:
            return f"{sign}{text(abs(price.value), 4)}%"
        return f"{sign}{text(abs(price.value), pair.price_decimals)}"


def side_text(side: Side) -> str:
    """Return ``buy`` or ``sell``."""
    return "buy" if side is Side.BUY else "sell"


def flags(terms: Terms) -> str:
    """Return the flags of an order, comma-separated."""
    words = [
        *(["post"] if terms.post_only else []),
        "fcib" if terms.fee_in_base else "fciq",
        *(["viqc"] if terms.cash_qty else []),
    ]
    return ",".join(words)
