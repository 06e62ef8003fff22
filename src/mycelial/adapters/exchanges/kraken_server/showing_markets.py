"""Market data of the simulated exchange as frames of the public channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from mycelial.adapters.exchanges.kraken_server.amounts import ASSET_DECIMALS, DEFAULT_ASSET_DECIMALS
from mycelial.adapters.exchanges.kraken_server.desk import Desk
from mycelial.adapters.exchanges.kraken_server.public_answers import pair_status, vwap
from mycelial.kraken.ws import market_data, replies
from mycelial.kraken.ws.printing import PrintedCandle, PrintedOrder, PrintedTicker, PrintedTrade
from mycelial.market.venues.rules import Pair
from mycelial.simulation.exchange.candles import MINUTE_NS
from mycelial.simulation.exchange.commands import Side
from mycelial.simulation.exchange.reports import BookUpdate, Candle, OrdersUpdate, PublicTrade, RestingOrder

SNAPSHOT_TRADES = 50


class Showing:
    """Prints the frames of public channels."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def book(self, update: BookUpdate) -> bytes:
        """Return a snapshot or update of the book."""
        printer = self.desk.printers[update.symbol]
        kind = "snapshot" if update.snapshot else "update"
        return printer.book(kind, update.bids.tolist(), update.asks.tolist(), update.checksum, update.time_ns)

    def level3(self, update: OrdersUpdate) -> bytes:
        """Return a snapshot or update of single orders."""
        printer = self.desk.printers[update.symbol]
        kind = "snapshot" if update.snapshot else "update"
        return printer.level3(kind, _orders(update.bids), _orders(update.asks), update.checksum, update.time_ns)

    def trades(self, symbol: str, trades: Sequence[PublicTrade], kind: str = "update") -> bytes:
        """Return trades."""
        return self.desk.printers[symbol].trades(kind, _trades(trades))

    def past_trades(self, symbol: str) -> bytes:
        """Return the last trades as a snapshot."""
        return self.trades(symbol, self.desk.exchange.trades(symbol, SNAPSHOT_TRADES), "snapshot")

    def ticker(self, symbol: str, kind: str = "update") -> bytes:
        """Return the ticker."""
        return self.desk.printers[symbol].ticker(kind, self._ticker(symbol))

    def candles(self, symbol: str, interval: int, rows: Sequence[Candle], kind: str) -> bytes:
        """Return candles."""
        pair = self.desk.table.pairs[symbol]
        length = interval * MINUTE_NS
        printed = [
            PrintedCandle(
                *(one.open, one.high, one.low, one.close, one.trades, one.volume, vwap(one, pair)),
                one.start_ns,
                one.start_ns + length,
            )
            for one in rows
        ]
        return self.desk.printers[symbol].candles(kind, interval, printed, self.desk.exchange.now)

    def past_candles(self, symbol: str, interval: int) -> bytes:
        """Return the candles so far that saw a trade, as a snapshot."""
        rows = [one for one in self.desk.exchange.candles(symbol, interval) if one.trades]
        return self.candles(symbol, interval, rows, "snapshot")

    def instruments(self, kind: str, symbols: Iterable[str], *, assets: bool = True) -> bytes:
        """Return what is traded."""
        table = self.desk.table
        data = market_data.Instruments(
            assets=tuple(_asset(name) for name in table.assets) if assets else (),
            pairs=tuple(self._pair(table.pairs[symbol]) for symbol in symbols),
        )
        return replies.channel("instrument", kind, data)

    def v1_trades(self, channel_id: int, symbol: str, trades: Sequence[PublicTrade]) -> bytes:
        """Return trades for v1."""
        return self.desk.v1_printers[symbol].trades(channel_id, _trades(trades))

    def v1_ticker(self, channel_id: int, symbol: str) -> bytes:
        """Return the ticker for v1."""
        opened = self.desk.exchange.ticker(symbol).open[1]
        return self.desk.v1_printers[symbol].ticker(channel_id, self._ticker(symbol), opened)

    def _ticker(self, symbol: str) -> PrintedTicker:
        one = self.desk.exchange.ticker(symbol)
        volume, opened = one.volume[1], one.open[1]
        change = one.last - opened
        return PrintedTicker(
            *(one.bid, one.bid_qty, one.ask, one.ask_qty, one.last, volume),
            (2 * one.turnover[1] + volume) // (2 * volume) if volume else one.last,
            *(one.low[1], one.high[1], change),
            round(10_000 * change / opened) if opened else 0,
            *(one.trades[1], one.time_ns),
        )

    def _pair(self, pair: Pair) -> market_data.InstrumentPair:
        return market_data.InstrumentPair(
            symbol=pair.symbol,
            base=pair.base,
            quote=pair.quote,
            status=pair_status(self.desk, pair.symbol),
            qty_precision=pair.lot_decimals,
            qty_increment=pair.lot_size,
            price_precision=pair.price_decimals,
            price_increment=pair.tick_size,
            cost_precision=pair.cost_decimals,
            cost_min=pair.min_cost,
            qty_min=pair.min_quantity,
            has_index=True,
            tick_size=pair.tick_size,
        )


def _asset(name: str) -> market_data.InstrumentAsset:
    decimals = ASSET_DECIMALS.get(name, DEFAULT_ASSET_DECIMALS)
    return market_data.InstrumentAsset(
        id=name, status="enabled", precision=decimals, precision_display=decimals // 2, multiplier=Decimal(1)
    )


def _orders(orders: Sequence[RestingOrder]) -> list[PrintedOrder]:
    return [PrintedOrder(one.event, one.order_id, one.price, one.qty, one.time_ns) for one in orders]


def _trades(trades: Sequence[PublicTrade]) -> list[PrintedTrade]:
    return [
        PrintedTrade(one.side is Side.BUY, one.price, one.qty, one.market, one.number, one.time_ns) for one in trades
    ]
