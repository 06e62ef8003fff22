"""One conversation over WebSocket v1: the subset that older clients speak."""

from __future__ import annotations

import logging

from mycelial.adapters.exchanges.kraken_server.connection import Connection, text_frame
from mycelial.adapters.exchanges.kraken_server.desk import Desk
from mycelial.adapters.exchanges.kraken_server.hub import Hub, PrivateFeed, Topic
from mycelial.adapters.exchanges.kraken_server.public_answers import system
from mycelial.kraken.errors import ProtocolError, Refused
from mycelial.kraken.json_writing import dumps
from mycelial.kraken.permissions import Permission
from mycelial.kraken.ws import replies, v1
from mycelial.kraken.ws.requests import MALFORMED, read_envelope

log = logging.getLogger(__name__)


class SessionV1:
    """A client of WebSocket v1."""

    def __init__(self, desk: Desk, hub: Hub, connection: Connection, *, mixed: bool = False) -> None:
        self.desk, self.hub, self.connection, self.mixed = desk, hub, connection, mixed

    def open(self) -> None:
        """Greet the client."""
        self.hub.audience.connections[self.connection] = True
        self.connection.send(v1.system_status(system(self.desk), self.connection.number))

    def is_v2(self, frame: str | bytes) -> bool:
        """Tell whether a message speaks v2."""
        try:
            read_envelope(frame)
        except ProtocolError:
            return False
        self.hub.audience.connections[self.connection] = False
        return True

    def receive(self, frame: str | bytes) -> None:
        """Answer one message."""
        try:
            asked = v1.read_request(frame)
        except ProtocolError:
            self.connection.send(v1.refused(MALFORMED, None, None, None))
            return
        try:
            match asked.event:
                case "ping":
                    self.connection.send(v1.pong(asked.reqid))
                case "subscribe" | "unsubscribe":
                    self._subscription(asked)
                case _:
                    raise Refused("Unknown event")
        except Refused as refused:
            name = asked.subscription.name if asked.subscription else None
            self.connection.send(v1.refused(refused.text, name, None, asked.reqid))
        except Exception:
            log.exception("a request of WebSocket v1 failed")
            self.connection.send(v1.refused("EGeneral:Internal error", None, None, asked.reqid))

    def _subscription(self, asked: v1.Request) -> None:
        wanted = asked.subscription
        if wanted is None:
            raise Refused("Subscription name invalid")
        if wanted.name in v1.PRIVATE:
            self._private(asked, wanted)
            return
        if wanted.name not in v1.PUBLIC:
            raise Refused("Subscription name invalid")
        if not self.mixed and self.connection.is_private:
            raise Refused(replies.WRONG_HOST_PRIVATE)
        if not asked.pair:
            raise Refused("Pair field must be an array")
        depth = v1.checked_depth(wanted.depth) if wanted.name == "book" else None
        if wanted.name == "book" and depth is None:
            raise Refused("Subscription depth not supported")
        named = v1.Wanted(name=wanted.name, depth=depth)
        for wsname in asked.pair:
            self._public(asked, named, wsname)

    def _public(self, asked: v1.Request, wanted: v1.Wanted, wsname: str) -> None:
        pair = self.desk.table.by_wsname(wsname)
        if pair is None:
            text = f"Currency pair not supported {wsname}"
            self.connection.send(v1.refused(text, wanted.name, wsname, asked.reqid))
            return
        symbol = pair.symbol
        topic: Topic = (f"v1-{wanted.name}", symbol, *([wanted.depth] if wanted.depth else []))
        number = self.hub.v1_books.number(topic)
        joins = asked.event == "subscribe"
        member = self.connection in self.hub.audience.topics.get(topic, {})
        if member == joins:
            text = replies.ALREADY_SUBSCRIBED if joins else replies.NOT_SUBSCRIBED
            self.connection.send(v1.refused(text, wanted.name, wsname, asked.reqid))
            return
        if not joins:
            self.hub.leave(topic, self.connection)
            done = v1.subscribed(wanted, number, pair.wsname, asked.reqid, status="unsubscribed")
            self.connection.send(done)
            return
        snapshot = b""
        if wanted.depth:
            whole = self.desk.exchange.watch_levels(symbol, wanted.depth)
            self.desk.pump()
            snapshot = self.hub.v1_books.snapshot(number, whole)
        elif wanted.name == "trade":
            self.desk.pump()
            snapshot = self.hub.showing.v1_trades(number, symbol, self.desk.exchange.trades(symbol, 50))
        else:
            self.desk.pump()
            snapshot = self.hub.showing.v1_ticker(number, symbol)
        self.hub.audience.join(topic, self.connection)
        self.connection.send(v1.subscribed(wanted, number, pair.wsname, asked.reqid))
        self.connection.send_frame(text_frame(snapshot))

    def _private(self, asked: v1.Request, wanted: v1.Wanted) -> None:
        if not self.mixed and not self.connection.is_private:
            raise Refused(replies.WRONG_HOST_PUBLIC)
        key = self.desk.tokens.key_of(wanted.token, {})
        needs = Permission.QUERY_OPEN_ORDERS if wanted.name == "openOrders" else Permission.QUERY_CLOSED_ORDERS
        self.desk.check(key, (Permission.ACCESS_WEBSOCKETS,))
        self.desk.check(key, (needs,))
        feeds = self.hub.audience.feeds(self.connection)
        mine = [one for one in feeds if (one.account, one.channel) == (key.account, wanted.name)]
        joins = asked.event == "subscribe"
        if joins == bool(mine):
            raise Refused(replies.ALREADY_SUBSCRIBED if joins else replies.NOT_SUBSCRIBED)
        if not joins:
            self.hub.audience.drop_feed(mine[0])
            self.connection.send(v1.subscribed(wanted, None, None, asked.reqid, status="unsubscribed"))
            return
        self.desk.pump()
        feed = PrivateFeed(self.connection, key.account, wanted.name)
        self.connection.send(v1.subscribed(wanted, None, None, asked.reqid))
        self.hub.audience.add_feed(feed)
        exchange, shown = self.desk.exchange, self.desk.reports_v1
        if wanted.name == "openOrders":
            rows = [{one.order_id: shown.open_order(one)} for one in exchange.open_orders(key.account)]
        else:
            trades = exchange.own_trades(key.account, most=50).rows
            rows = [{one.trade_id: shown.trade(one)} for one in trades] if wanted.snapshot is not False else []
        feed.send("", dumps(rows, quoted=True))
