"""Public market data of some pairs: books proven by checksum, trades, rules and status, over one public socket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from mycelial.adapters.exchanges.kraken.socket import Fatal, Socket
from mycelial.domain.errors import ExchangeError
from mycelial.domain.orders import Side
from mycelial.domain.ports import BookChanged, BookView, Clock, ExchangeEvent, PublicTrade, VenueStatus
from mycelial.domain.trading_rules import TradingRules
from mycelial.kraken.client.books import BookFollower, BookState
from mycelial.kraken.client.translating import levels, rules_of_instrument
from mycelial.kraken.times import from_rfc3339
from mycelial.kraken.ws.market_data import Book, Instruments, Trade
from mycelial.kraken.ws.reading import ChannelFrame, Reply
from mycelial.kraken.ws.requests import Subscription, subscription_params

log = logging.getLogger(__name__)
ALREADY = "Already subscribed"


class MarketFeed:
    """Follows the books of `symbols` at `depth` levels.

    Parameters
    ----------
    rules : by symbol, refreshed in place from the channel ``instrument``.
    tell : takes what happens.
    """

    def __init__(
        self,
        socket: Socket,
        clock: Clock,
        rules: dict[str, TradingRules],
        symbols: Sequence[str],
        depth: int,
        tell: Callable[[ExchangeEvent], None],
    ) -> None:
        self._socket, self._clock, self._rules, self._tell = socket, clock, rules, tell
        self._depth = depth
        self.books = {symbol: _follower(rules[symbol], depth) for symbol in symbols}
        self.system = "unknown"
        self._broken: asyncio.Queue[str] = asyncio.Queue()
        self.resyncs = 0

    async def run(self) -> None:
        """Keep following until cancelled."""
        await self._socket.run(self)

    def view(self, symbol: str) -> BookView:
        """Return a book as it is known now."""
        return self.books[symbol].view()

    # ---- the socket's owner ----------------------------------------------------------------------------------------

    async def opened(self) -> None:
        """Subscribe to everything, then take up again what breaks."""
        await self._socket.ping()
        await self._subscribe(Subscription(channel="instrument"))
        for symbol in self.books:
            await self._subscribe(Subscription(channel="trade", symbols=(symbol,), snapshot=False))
            await self._subscribe(self._book(symbol))
        while True:
            symbol = await self._broken.get()
            self.resyncs += 1
            log.warning("book of %s failed its checksum, subscribing again", symbol)
            await self._socket.request("unsubscribe", subscription_params(self._book(symbol)))
            self.books[symbol].reset()
            await self._subscribe(self._book(symbol))

    def took(self, frame: ChannelFrame) -> None:
        """Take one message."""
        match frame.channel:
            case "book":
                for book in frame.data:
                    self._took_book(book, is_snapshot=frame.kind == "snapshot")
            case "trade":
                for trade in frame.data:
                    self._took_trade(trade)
            case "instrument":
                self._took_rules(frame.data)
            case "status":
                for state in frame.data:
                    self.system = state.system
                    self._tell(VenueStatus(state.system))

    def beat(self) -> None:
        """Nothing new: the books still hold."""
        for book in self.books.values():
            book.seen(self._clock.now_ns())

    def closed(self, reason: str) -> None:
        """No book is known any more."""
        for symbol, book in self.books.items():
            book.reset()
            self._tell(BookChanged(symbol))
        while not self._broken.empty():
            self._broken.get_nowait()

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _book(self, symbol: str) -> Subscription:
        return Subscription(channel="book", symbols=(symbol,), depth=self._depth)

    async def _subscribe(self, subscription: Subscription) -> None:
        reply = await self._socket.request("subscribe", subscription_params(subscription))
        refuse_failure(reply, subscription)

    def _took_book(self, told: Book, *, is_snapshot: bool) -> None:
        book = self.books.get(told.symbol)
        if book is None:
            return
        rules, was = self._rules[told.symbol], book.state
        change = book.snapshot if is_snapshot else book.update
        bids, asks = levels(rules, told.bids), levels(rules, told.asks)
        state = change(bids, asks, told.checksum, self._clock.now_ns())
        if state is BookState.BROKEN and was is not BookState.BROKEN:
            self._broken.put_nowait(told.symbol)
        self._tell(BookChanged(told.symbol))

    def _took_trade(self, told: Trade) -> None:
        rules = self._rules.get(told.symbol)
        if rules is not None:
            moment = from_rfc3339(told.timestamp)
            price, lots = rules.ticks(told.price), rules.lots(told.qty)
            self._tell(PublicTrade(told.symbol, Side(told.side), price, lots, told.trade_id, moment))

    def _took_rules(self, told: Instruments) -> None:
        for pair in told.pairs:
            if pair.symbol in self._rules:
                fresh = rules_of_instrument(pair)
                known = self._rules[pair.symbol]
                if (fresh.tick_size, fresh.lot_size) != (known.tick_size, known.lot_size) and pair.symbol in self.books:
                    # Every number we hold is counted in the former steps.
                    raise Fatal(f"{pair.symbol} changed its steps; restart the trader to count in the new ones")
                self._rules[pair.symbol] = fresh


def refuse_failure(reply: Reply, subscription: Subscription) -> None:
    """Raise `ExchangeError` unless a subscription is up."""
    if not reply.success and reply.error != ALREADY:
        raise ExchangeError(f"subscription to {subscription.channel} {subscription.symbols}: {reply.error}")


def _follower(rules: TradingRules, depth: int) -> BookFollower:
    price_step = int(rules.tick_size.scaleb(rules.price_decimals))
    lot_step = int(rules.lot_size.scaleb(rules.lot_decimals))
    return BookFollower(rules.symbol, depth, price_step, lot_step)
