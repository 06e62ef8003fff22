"""Who hears what: spreads the events of the exchange to subscribers, each frame printed once.

Public topics are tuples such as ``("book", "BTC/USD", 10)``; `Audience` remembers who listens. Private subscriptions
belong to an account and number their messages themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from mycelial.adapters.exchanges.kraken_server.connection import Connection, text_frame
from mycelial.adapters.exchanges.kraken_server.desk import Desk
from mycelial.adapters.exchanges.kraken_server.public_answers import system
from mycelial.adapters.exchanges.kraken_server.showing_markets import Showing
from mycelial.adapters.exchanges.kraken_server.spoiling import Spoiler
from mycelial.adapters.exchanges.kraken_server.v1_books import V1Books
from mycelial.kraken.json_writing import dumps
from mycelial.kraken.ws import replies, v1
from mycelial.simulation.exchange.reports import (
    BookUpdate,
    Candle,
    CandlesChanged,
    Event,
    ExecType,
    LedgerEntry,
    ModeChanged,
    OrderReport,
    OrdersUpdate,
    PublicTrades,
    TickerChanged,
)

Topic = tuple[Any, ...]
_STATUS_CHANGES = frozenset({ExecType.NEW, ExecType.TRADE, ExecType.FILLED, ExecType.CANCELED, ExecType.EXPIRED})


@dataclass(eq=False)
class PrivateFeed:
    """One private subscription of one connection.

    Attributes
    ----------
    channel : executions, balances, or v1's openOrders and ownTrades.
    sequence : of the last message sent.
    """

    connection: Connection
    account: int
    channel: str
    order_status: bool = True
    ratecounter: bool = False
    sequence: int = 0

    def send(self, kind: str, rows: bytes) -> None:
        """Send rows of JSON under the next number."""
        self.sequence += 1
        if self.channel in v1.PRIVATE:
            payload = b'[%b,"%b",{"sequence":%d}]' % (rows, self.channel.encode(), self.sequence)
        else:
            payload = b'{"channel":"%b","type":"%b","data":%b,"sequence":%d}' % (
                *(self.channel.encode(), kind.encode(), rows),
                self.sequence,
            )
        self.connection.send_frame(text_frame(payload))


@dataclass
class Audience:
    """Subscribers of public topics and of accounts."""

    topics: dict[Topic, dict[Connection, None]] = field(default_factory=dict)
    private: dict[int, list[PrivateFeed]] = field(default_factory=lambda: defaultdict(list))
    connections: dict[Connection, bool] = field(default_factory=dict)  # whether it speaks v1

    def join(self, topic: Topic, connection: Connection) -> bool:
        """Subscribe; False if it was already."""
        members = self.topics.setdefault(topic, {})
        if connection in members:
            return False
        members[connection] = None
        connection.subscriptions += 1
        connection.wanted_something = True
        return True

    def leave(self, topic: Topic, connection: Connection) -> bool:
        """Unsubscribe; False if it was not subscribed."""
        members = self.topics.get(topic)
        if members is None or connection not in members:
            return False
        del members[connection]
        connection.subscriptions -= 1
        if not members:
            del self.topics[topic]
        return True

    def add_feed(self, feed: PrivateFeed) -> None:
        """Begin a private subscription."""
        self.private[feed.account].append(feed)
        feed.connection.subscriptions += 1
        feed.connection.wanted_something = True

    def drop_feed(self, feed: PrivateFeed) -> None:
        """End a private subscription."""
        self.private[feed.account].remove(feed)
        feed.connection.subscriptions -= 1

    def feeds(self, connection: Connection) -> Iterator[PrivateFeed]:
        """Return the private subscriptions of a connection."""
        for feeds in list(self.private.values()):
            yield from [one for one in feeds if one.connection is connection]


class Hub:
    """Spreads what the exchange tells."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.audience = desk, Audience()
        self.showing = Showing(desk)
        self.v1_books = V1Books(desk)
        self._spoiler = Spoiler(desk.exchange.seed)
        self._last_candle: dict[tuple[str, int], Candle] = {}
        desk.tell = self.tell

    # ------------------------------------------------------------------------------------------------- membership

    def leave_all(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        for topic in [topic for topic, members in self.audience.topics.items() if connection in members]:
            self.leave(topic, connection)
        for feed in list(self.audience.feeds(connection)):
            self.audience.drop_feed(feed)
        self.audience.connections.pop(connection, None)

    def leave(self, topic: Topic, connection: Connection) -> bool:
        """Unsubscribe; what nobody reads any more is no longer made."""
        if not self.audience.leave(topic, connection):
            return False
        if topic not in self.audience.topics:
            exchange = self.desk.exchange
            match topic:
                case ("book" | "v1-book", symbol, depth):
                    if not any((kind, symbol, depth) in self.audience.topics for kind in ("book", "v1-book")):
                        exchange.forget_levels(symbol, depth)
                    if topic[0] == "v1-book":
                        self.v1_books.forget(symbol, depth)
                case ("level3", symbol, depth):
                    exchange.forget_orders(symbol, depth)
        return True

    # ---------------------------------------------------------------------------------------------------- telling

    def tell(self, events: list[Event]) -> None:
        """Send each event to those who asked for it."""
        for kind, group in groupby(events, type):
            _TELLERS[kind](self, list(group))

    def members(self, topic: Topic) -> list[Connection]:
        """Return who listens to a topic."""
        return list(self.audience.topics.get(topic, ()))

    def tell_status(self) -> None:
        """Send the mode of the exchange to everybody."""
        mode = system(self.desk)
        for connection, speaks_v1 in list(self.audience.connections.items()):
            make = v1.system_status if speaks_v1 else replies.status
            connection.send_frame(text_frame(make(mode, connection.number)))

    def _books(self, events: list[BookUpdate]) -> None:
        exchange = self.desk.exchange
        spoilt = {one.symbol: exchange.conditions(one.symbol).faults for one in events}
        for sound in events:
            faults = spoilt[sound.symbol]
            for update in self._spoiler.deliver(sound, faults) if faults else (sound,):
                if listeners := self.members(("book", update.symbol, update.depth)):
                    _spread(listeners, self.showing.book(update))
                topic = "v1-book", update.symbol, update.depth
                if (listeners := self.members(topic)) and (made := self.v1_books.update(topic, update)):
                    _spread(listeners, made)

    def _orders(self, events: list[OrdersUpdate]) -> None:
        for update in events:
            if listeners := self.members(("level3", update.symbol, update.depth)):
                _spread(listeners, self.showing.level3(update))

    def _trades(self, events: list[PublicTrades]) -> None:
        for one in events:
            if listeners := self.members(("trade", one.symbol)):
                _spread(listeners, self.showing.trades(one.symbol, one.trades))
            topic = "v1-trade", one.symbol
            if listeners := self.members(topic):
                _spread(listeners, self.showing.v1_trades(self.v1_books.number(topic), one.symbol, one.trades))

    def _tickers(self, events: list[TickerChanged]) -> None:
        for one in events:
            for trigger in ("trades", "bbo"):
                listens = one.traded or trigger == "bbo"
                if listens and (listeners := self.members(("ticker", one.symbol, trigger))):
                    _spread(listeners, self.showing.ticker(one.symbol))
            topic = "v1-ticker", one.symbol
            if listeners := self.members(topic):
                _spread(listeners, self.showing.v1_ticker(self.v1_books.number(topic), one.symbol))

    def _candles(self, events: list[CandlesChanged]) -> None:
        symbols = {one.symbol for one in events}
        for topic in [one for one in self.audience.topics if one[0] == "ohlc" and one[1] in symbols]:
            _, symbol, interval = topic
            before, forming = self.desk.exchange.candles(symbol, interval, 2)
            last = self._last_candle.get((symbol, interval))
            late = last is not None and before.start_ns == last.start_ns and before != last
            self._last_candle[symbol, interval] = forming
            rows = [*([before] if late else []), *([forming] if forming.trades else [])]
            if rows:
                _spread(self.members(topic), self.showing.candles(symbol, interval, rows, "update"))

    def _modes(self, events: list[ModeChanged]) -> None:
        for one in events:
            if not one.symbol:
                self.tell_status()
            symbols = [one.symbol] if one.symbol else list(self.desk.table.pairs)
            if listeners := self.members(("instrument",)):
                _spread(listeners, self.showing.instruments("update", symbols, assets=False))

    def _reports(self, events: list[OrderReport]) -> None:
        shown, shown_v1 = self.desk.reports, self.desk.reports_v1
        for report in events:
            bodies: dict[object, bytes] = {}
            for feed in self.audience.private.get(report.account, ()):
                if feed.channel == "executions":
                    if not feed.order_status and report.kind not in _STATUS_CHANGES:
                        continue
                    body = bodies.get(feed.ratecounter)
                    if body is None:
                        execution = shown.execution(report, ratecounter=feed.ratecounter)
                        body = bodies[feed.ratecounter] = b"[%b]" % dumps(execution)
                    feed.send("update", body)
                elif feed.channel == "openOrders":
                    feed.send("", dumps([{report.order_id: shown_v1.order(report)}], quoted=True))
                elif feed.channel == "ownTrades" and report.trade is not None:
                    feed.send("", dumps([{report.trade.trade_id: shown_v1.trade(report.trade)}], quoted=True))

    def _ledger(self, events: list[LedgerEntry]) -> None:
        for (account, _), group in groupby(events, lambda one: (one.account, one.ref_id)):
            entries = list(group)
            body = b""
            for feed in self.audience.private.get(account, ()):
                if feed.channel == "balances":
                    body = body or dumps([self.desk.reports.balance_change(one) for one in entries])
                    feed.send("update", body)


def _spread(listeners: list[Connection], payload: bytes) -> None:
    """Send the same bytes to all."""
    frame = text_frame(payload)
    for connection in listeners:
        connection.send_frame(frame)


_TELLERS: dict[type, Callable[[Hub, list[Any]], None]] = {
    BookUpdate: Hub._books,
    OrdersUpdate: Hub._orders,
    PublicTrades: Hub._trades,
    TickerChanged: Hub._tickers,
    CandlesChanged: Hub._candles,
    ModeChanged: Hub._modes,
    OrderReport: Hub._reports,
    LedgerEntry: Hub._ledger,
}
