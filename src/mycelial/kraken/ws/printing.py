"""Print the frames that go out by the hundred thousand: book, level3, trade, ticker and ohlc of one pair.

A frame is printed once, from integers, and the same bytes go to every subscriber. What these printers write equals what
`replies.channel` writes of the structs in `market_data`; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mycelial.kraken.json_writing import quote
from mycelial.kraken.numbers import text
from mycelial.kraken.times import rfc3339
from mycelial.market.venues.rules import Pair

Levels = Iterable[tuple[int, int]]  # (ticks, lots)


class PrintedTrade(NamedTuple):
    """One public trade; side and order type are the taker's."""

    is_buy: bool
    ticks: int
    lots: int
    is_market: bool
    trade_id: int
    at_ns: int


class PrintedOrder(NamedTuple):
    """One order of level3; `event` is add, modify or delete, or empty in a snapshot."""

    event: str
    order_id: str
    ticks: int
    lots: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class PrintedTicker:
    """A ticker; prices in ticks, quantities in lots, `vwap` and `change` in units of the last printed decimal."""

    bid: int
    bid_lots: int
    ask: int
    ask_lots: int
    last: int
    volume_lots: int
    vwap: int
    low: int
    high: int
    change: int
    change_pct_hundredths: int
    trades: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class PrintedCandle:
    """A candle; units as in `PrintedTicker`."""

    open: int
    high: int
    low: int
    close: int
    trades: int
    volume_lots: int
    vwap: int
    begin_ns: int
    end_ns: int


class PairPrinter:
    """Prints one pair.

    Parameters
    ----------
    pair : its names and decimals.
    tick_step, lot_step : a tick and a lot of the caller in units of the last printed decimal.
    """

    def __init__(self, pair: Pair, *, tick_step: int = 1, lot_step: int = 1) -> None:
        self.pair = pair
        self.symbol = quote(pair.symbol)
        self.tick_step, self.lot_step = tick_step, lot_step
        self._price_one, self._price_digits = 10**pair.price_decimals, pair.price_decimals
        self._lot_one, self._lot_digits = 10**pair.lot_decimals, pair.lot_decimals

    def price(self, ticks: int) -> str:
        """Print a price with all decimals of the pair."""
        return text(ticks * self.tick_step, self._price_digits)

    def quantity(self, lots: int) -> str:
        """Print a quantity with all decimals of the pair."""
        return text(lots * self.lot_step, self._lot_digits)

    def book(self, kind: str, bids: Levels, asks: Levels, checksum: int, at_ns: int) -> bytes:
        """Print a snapshot or an update of the book; lots are totals, 0 removes a level."""
        return (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":{self.symbol},"bids":[{self._levels(bids)}],'
            f'"asks":[{self._levels(asks)}],"checksum":{checksum},"timestamp":"{rfc3339(at_ns)}"}}]}}'
        ).encode()

    def level3(
        self, kind: str, bids: Iterable[PrintedOrder], asks: Iterable[PrintedOrder], checksum: int, at_ns: int
    ) -> bytes:
        """Print a snapshot or an update of single orders."""
        return (
            f'{{"channel":"level3","type":"{kind}","data":[{{"symbol":{self.symbol},"bids":[{self._orders(bids)}],'
            f'"asks":[{self._orders(asks)}],"checksum":{checksum},"timestamp":"{rfc3339(at_ns)}"}}]}}'
        ).encode()

    def trades(self, kind: str, trades: Sequence[PrintedTrade]) -> bytes:
        """Print trades, oldest first."""
        rows = ",".join(
            f'{{"symbol":{self.symbol},"side":"{"buy" if one.is_buy else "sell"}","price":{self.price(one.ticks)},'
            f'"qty":{self.quantity(one.lots)},"ord_type":"{"market" if one.is_market else "limit"}",'
            f'"trade_id":{one.trade_id},"timestamp":"{rfc3339(one.at_ns)}"}}'
            for one in trades
        )
        return f'{{"channel":"trade","type":"{kind}","data":[{rows}]}}'.encode()

    def ticker(self, kind: str, one: PrintedTicker) -> bytes:
        """Print a ticker."""
        units = self._price_digits
        return (
            f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":{self.symbol},"bid":{self.price(one.bid)},'
            f'"bid_qty":{self.quantity(one.bid_lots)},"ask":{self.price(one.ask)},"ask_qty":{self.quantity(one.ask_lots)},'
            f'"last":{self.price(one.last)},"volume":{self.quantity(one.volume_lots)},"vwap":{text(one.vwap, units)},'
            f'"low":{self.price(one.low)},"high":{self.price(one.high)},"change":{text(one.change, units)},'
            f'"change_pct":{text(one.change_pct_hundredths, 2)},"trades":{one.trades},'
            f'"timestamp":"{rfc3339(one.at_ns)}"}}]}}'
        ).encode()

    def candles(self, kind: str, interval: int, candles: Sequence[PrintedCandle], at_ns: int) -> bytes:
        """Print candles of `interval` minutes; moments have nanoseconds here."""
        units = self._price_digits
        rows = ",".join(
            f'{{"symbol":{self.symbol},"open":{self.price(one.open)},"high":{self.price(one.high)},'
            f'"low":{self.price(one.low)},"close":{self.price(one.close)},"trades":{one.trades},'
            f'"volume":{self.quantity(one.volume_lots)},"vwap":{text(one.vwap, units)},'
            f'"interval_begin":"{rfc3339(one.begin_ns, 9)}","interval":{interval},'
            f'"timestamp":"{rfc3339(one.end_ns)}"}}'
            for one in candles
        )
        return f'{{"channel":"ohlc","type":"{kind}","timestamp":"{rfc3339(at_ns, 9)}","data":[{rows}]}}'.encode()

    def _levels(self, levels: Levels) -> str:
        tick, lot = self.tick_step, self.lot_step
        price_one, price_digits = self._price_one, self._price_digits
        lot_one, lot_digits = self._lot_one, self._lot_digits
        if price_digits == 0 or lot_digits == 0:
            return ",".join(f'{{"price":{self.price(ticks)},"qty":{self.quantity(lots)}}}' for ticks, lots in levels)
        rows = []
        for ticks, lots in levels:
            if ticks < 0:  # a falsified feed
                rows.append(f'{{"price":{self.price(ticks)},"qty":{self.quantity(lots)}}}')
                continue
            price, price_part = divmod(ticks * tick, price_one)
            qty, qty_part = divmod(lots * lot, lot_one)
            rows.append(f'{{"price":{price}.{price_part:0{price_digits}d},"qty":{qty}.{qty_part:0{lot_digits}d}}}')
        return ",".join(rows)

    def _orders(self, orders: Iterable[PrintedOrder]) -> str:
        return ",".join(
            ("{" if not one.event else f'{{"event":"{one.event}",')
            + f'"order_id":"{one.order_id}","limit_price":{self.price(one.ticks)},'
            f'"order_qty":{self.quantity(one.lots)},"timestamp":"{rfc3339(one.at_ns)}"}}'
            for one in orders
        )
